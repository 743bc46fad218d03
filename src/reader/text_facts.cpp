// SPDX-License-Identifier: GPL-2.0-only
#include "reader/text_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <span>

#include "model/flag_text.h"
#include "util/report_hint.h"

namespace pobpf {
namespace {

/// Room for one number, its "0x" and a separator.
constexpr std::size_t kNumberBytes = 24;
/// Room for what stands between names and numbers in a record, generously.
constexpr std::size_t kFixedTextBytes = 512;

Status does_not_fit(const std::string& what) {
  return fail(ErrorKind::kUnsupported, fmt::format("pins cannot print this kernel's {}", what),
              kReportKernel);
}

Status copy_name(char (&to)[POBPF_FLAG_NAME_BYTES], const std::string& name) {
  if (name.size() >= sizeof(to)) return does_not_fit(fmt::format("name '{}'", name));
  name.copy(to, name.size());
  return {};
}

Status copy_flag_names(std::span<pobpf_flag_name> rows, const std::vector<FlagName>& names,
                       const char* table, __u32& nr_rows) {
  if (names.size() > rows.size()) return does_not_fit(fmt::format("table {}", table));
  for (std::size_t i = 0; i < names.size(); ++i) {
    rows[i].mask = names[i].mask;
    if (auto status = copy_name(rows[i].name, names[i].name); !status) return status;
  }
  nr_rows = static_cast<__u32>(names.size());
  return {};
}

template <std::size_t kRows>
Status copy_strings(char (&rows)[kRows][POBPF_FLAG_NAME_BYTES],
                    const std::vector<std::string>& names, const char* table) {
  if (names.size() > kRows) return does_not_fit(fmt::format("table {}", table));
  for (std::size_t i = 0; i < names.size(); ++i)
    if (auto status = copy_name(rows[i], names[i]); !status) return status;
  return {};
}

Status copy_fields(pobpf_text_facts& text, const std::vector<PageFlagField>& fields) {
  for (const PageFlagField& field : fields) {
    if (field.width == 0) continue;
    if (text.nr_page_flag_fields == std::size(text.page_flag_fields))
      return does_not_fit("fields of page->flags");
    auto& row = text.page_flag_fields[text.nr_page_flag_fields++];
    row.mask = field.mask;
    row.shift = field.shift;
    row.is_hex = field.is_hex ? 1 : 0;
    if (auto status = copy_name(row.name, field.name); !status) return status;
  }
  return {};
}

/// No record is longer without its stack: each name once, each number at its longest.
std::size_t record_bytes_max(const KernelFacts& facts) {
  std::size_t bytes = kFixedTextBytes + 16 * kNumberBytes + POBPF_COMM_BYTES +
                      POBPF_CGROUP_NAME_BYTES + std::size_t{3} * POBPF_FLAG_NAME_BYTES;
  for (const FlagName& name : facts.gfp_names) bytes += name.name.size() + 1;
  for (const FlagName& name : facts.page_flag_names) bytes += name.name.size() + 1;
  for (const PageFlagField& field : facts.page_flag_fields)
    bytes += field.name.size() + kNumberBytes;
  return bytes;
}

}  // namespace

Result<pobpf_text_facts> make_text_facts(const KernelFacts& facts) {
  const auto layout = facts.known_text_layout();
  if (!layout) return fail(layout.error());
  pobpf_text_facts text{};
  for (const auto& status :
       {copy_flag_names(text.gfp_names, facts.gfp_names, "gfpflag_names", text.nr_gfp_names),
        copy_flag_names(text.page_flag_names, facts.page_flag_names, "pageflag_names",
                        text.nr_page_flag_names),
        copy_fields(text, facts.page_flag_fields),
        copy_strings(text.migratetype_names, facts.migratetype_names, "migratetype_names"),
        copy_strings(text.migrate_reason_names, facts.migrate_reason_names,
                     "migrate_reason_names")})
    if (!status) return fail(status.error());
  for (const FlagName& name : facts.page_flag_names) text.named_page_flags |= name.mask;
  text.migrate_reason_never = facts.migrate_reason_never;
  text.is_pfn_decimal = layout->is_pfn_decimal ? 1 : 0;
  text.shows_free_ts = layout->shows_free_ts ? 1 : 0;
  text.omits_charges = layout->omits_charges ? 1 : 0;
  text.record_bytes_max = static_cast<__u32>(record_bytes_max(facts));
  // not the longest symbol of this moment: modules come later. " " and "\n" in place of its NUL
  text.frame_bytes_max = POBPF_SYMBOL_BYTES + 1;
  return text;
}

}  // namespace pobpf
