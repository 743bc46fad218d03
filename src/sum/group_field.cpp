// SPDX-License-Identifier: GPL-2.0-only
#include "sum/group_field.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "model/name_list.h"

namespace pobpf {
namespace {

struct Field {
  const char* name;
  GroupField field;
  std::uint32_t kernel_bits;
};

constexpr Field kFields[] = {{"stack", GroupField::kStack, POBPF_GROUP_HANDLE},
                             {"function", GroupField::kFunction, POBPF_GROUP_HANDLE},
                             {"module", GroupField::kModule, POBPF_GROUP_HANDLE},
                             {"allocator", GroupField::kAllocator, POBPF_GROUP_KIND},
#define POBPF_GROUP_KEY(ID, Name, name, fields) {#name, GroupField::k##Name, POBPF_GROUP_##ID},
                             POBPF_GROUP_KEY_LIST(POBPF_GROUP_KEY)
#undef POBPF_GROUP_KEY
};

const Field& entry(GroupField field) {
  return *std::find_if(std::begin(kFields), std::end(kFields),
                       [&](const Field& candidate) { return candidate.field == field; });
}

}  // namespace

const char* group_field_name(GroupField field) { return entry(field).name; }

std::vector<std::string> group_field_names() {
  std::vector<std::string> names;
  for (const Field& field : kFields) names.emplace_back(field.name);
  return names;
}

Result<std::vector<GroupField>> parse_group_fields(std::string_view text) {
  auto names = split_list(text, ",");
  if (!names) return fail(std::move(names).error());
  std::vector<GroupField> fields;
  for (const std::string& name : *names) {
    const auto* const found =
        std::find_if(std::begin(kFields), std::end(kFields),
                     [&](const Field& candidate) { return name == candidate.name; });
    if (found == std::end(kFields)) return fail(unknown_name("field", name, group_field_names()));
    if (std::find(fields.begin(), fields.end(), found->field) != fields.end())
      return fail(ErrorKind::kUsage, fmt::format("{} is named twice", name));
    fields.push_back(found->field);
  }
  return fields;
}

std::uint32_t kernel_group_fields(std::span<const GroupField> fields) {
  std::uint32_t bits = 0;
  for (const GroupField field : fields) bits |= entry(field).kernel_bits;
  return bits;
}

const char* state_field(GroupField field) {
  return field == GroupField::kTgid ? "process" : nullptr;
}

bool needs_stack(GroupField field) {
  return field == GroupField::kFunction || field == GroupField::kModule ||
         field == GroupField::kAllocator;
}

}  // namespace pobpf
