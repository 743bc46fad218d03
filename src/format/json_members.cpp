// SPDX-License-Identifier: GPL-2.0-only
#include "format/json_members.h"

#include <fmt/format.h>

#include <iterator>

#include "format/page_columns.h"
#include "model/flag_text.h"
#include "util/utf8.h"

namespace pobpf {

void write_frames(JsonWriter& json, const Stack& stack) {
  json.array([&] {
    for (const Frame& frame : stack.frames)
      json.object([&] {
        if (frame.address != 0) json.member("address", fmt::format("{:#x}", frame.address));
        json.member("symbol", frame.symbol);
      });
  });
}

void write_frames(JsonWriter& json, const Stack* stack) {
  if (stack == nullptr)
    json.value(nullptr);
  else
    write_frames(json, *stack);
}

void write_comm(JsonWriter& json, std::string_view comm) {
  json.member(key_of(PageColumn::kComm), comm);
  if (is_utf8(comm)) return;
  std::string hex;
  for (const char c : comm)
    fmt::format_to(std::back_inserter(hex), "{:02x}", static_cast<unsigned char>(c));
  json.member(key_of(PageColumn::kCommHex), hex);
}

void write_gfp(JsonWriter& json, std::uint32_t gfp_mask, const KernelFacts& facts) {
  json.member(key_of(PageColumn::kGfpMask), gfp_mask);
  if (has_gfp_names(gfp_mask, facts)) {
    std::string names;
    append_gfp_names(names, gfp_mask, facts);
    json.member(key_of(PageColumn::kGfpFlags), split_flag_names(names));
  }
  const unsigned migratetype = gfp_migratetype(gfp_mask, facts);
  if (migratetype != kUnknownMigratetype)
    json.member(key_of(PageColumn::kMigratetype), name_at(facts.migratetype_names, migratetype));
}

void write_migrate_reason(JsonWriter& json, int reason, const KernelFacts& facts) {
  json.member(key_of(PageColumn::kLastMigrateReason),
              reason == facts.migrate_reason_never ? std::nullopt
                                                   : name_at(facts.migrate_reason_names, reason));
}

void write_memcg(JsonWriter& json, const JsonCharge& charge, const KernelFacts& facts) {
  json.object("memcg", [&] {
    json.member("name", charge.name);
    // a text does not say them
    if (!facts.texts) {
      json.member("path", charge.path);
      json.member("id", charge.cgroup_id);
    }
    json.member("online", (charge.memcg_flags & POBPF_MEMCG_OFFLINE) == 0);
    json.member("via_objcg", (charge.memcg_flags & POBPF_MEMCG_OBJCG) != 0);
  });
}

}  // namespace pobpf
