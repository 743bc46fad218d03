// SPDX-License-Identifier: GPL-2.0-only
#include "synthetic/completed_btf.h"

#include <bpf/btf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <initializer_list>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string_view>
#include <vector>

#include "kernel/libbpf_log.h"
#include "unit/kernel/libbpf_btf.h"
#include "util/fd.h"

namespace pobpf::synthetic {
namespace {

using test::Btf;

// CO-RE asks for the same kind of type, not for what a pointer points to
constexpr const char* kPointer = "*";

struct Field {
  const char* name;
  const char* type;  // of an integer, or kPointer
  std::uint32_t offset;
  std::uint32_t nr_elements = 0;  // of an array
};

struct Struct {
  const char* name;
  std::uint32_t nr_bytes;
  std::vector<Field> fields;
};

/// As 6.8 to 7.3 have them, 64-bit.
const std::vector<Struct>& page_owner_types() {
  static const std::vector<Struct> types = {
      {"page_owner",
       64,
       {{"order", "short unsigned int", 0},
        {"last_migrate_reason", "short int", 2},
        {"gfp_mask", "unsigned int", 4},
        {"handle", "unsigned int", 8},
        {"free_handle", "unsigned int", 12},
        {"ts_nsec", "long long unsigned int", 16},
        {"free_ts_nsec", "long long unsigned int", 24},
        {"comm", "char", 32, 16},
        {"pid", "int", 48},
        {"tgid", "int", 52},
        {"free_pid", "int", 56},
        {"free_tgid", "int", 60}}},
      {"page_ext", 8, {{"flags", "long unsigned int", 0}}},
  };
  return types;
}

/// With CONFIG_PAGE_EXTENSION. Never loaded from by type, so its id means nothing to the kernel.
Struct mem_section_type() {
  return {"mem_section",
          32,
          {{"section_mem_map", "long unsigned int", 0},
           {"usage", kPointer, 8},
           {"page_ext", kPointer, 16},
           {"pad", "long unsigned int", 24}}};
}

const btf_type* resolve(const btf* types, std::uint32_t id) {
  const btf_type* type = btf__type_by_id(types, id);
  while (type != nullptr && (btf_is_mod(type) || btf_is_typedef(type)))
    type = btf__type_by_id(types, type->type);
  return type;
}

/// Whether the struct begins with at least `nr_bytes` of unsigned 64-bit members.
bool begins_with_numbers(const btf* types, const btf_type* type, std::uint32_t nr_bytes) {
  if (!btf_is_struct(type) || btf_kflag(type) || type->name_off == 0 || type->size < nr_bytes)
    return false;
  std::uint32_t end = 0;
  for (const btf_member& member : std::span(btf_members(type), btf_vlen(type))) {
    if (end >= nr_bytes) return true;
    const btf_type* number = resolve(types, member.type);
    if (member.offset != end * 8 || number == nullptr || !btf_is_int(number) || number->size != 8)
      return false;
    end += 8;
  }
  return end >= nr_bytes;
}

bool has_member(const btf* types, std::int32_t id, std::string_view wanted) {
  if (id < 0) return false;
  const btf_type* type = btf__type_by_id(types, static_cast<std::uint32_t>(id));
  for (const btf_member& member : std::span(btf_members(type), btf_vlen(type)))
    if (wanted == btf__name_by_offset(types, member.name_off)) return true;
  return false;
}

/// Finds what is to stand at which id instead of the kernel's own type.
Result<std::map<std::uint32_t, Struct>> find_places(const btf* types) {
  std::map<std::uint32_t, Struct> places;
  for (const Struct& missing : page_owner_types()) {
    if (btf__find_by_name_kind(types, missing.name, BTF_KIND_STRUCT) >= 0) continue;
    std::uint32_t place = 0;
    for (std::uint32_t id = 1; id < btf__type_cnt(types) && place == 0; ++id)
      if (!places.contains(id) &&
          begins_with_numbers(types, btf__type_by_id(types, id), missing.nr_bytes))
        place = id;
    if (place == 0)
      return fail(ErrorKind::kUnsupported,
                  fmt::format("this kernel has no struct that could stand for {}", missing.name));
    places.emplace(place, missing);
  }
  const std::int32_t section = btf__find_by_name_kind(types, "mem_section", BTF_KIND_STRUCT);
  if (section < 0)
    return fail(ErrorKind::kUnsupported, "this kernel's memory model is not SPARSEMEM");
  if (!has_member(types, section, "page_ext"))
    places.emplace(static_cast<std::uint32_t>(section), mem_section_type());
  return places;
}

/// Types of the members of new structs: the kernel's integers; arrays and pointers are appended.
class FieldTypes {
 public:
  /// `next` is the first id behind those of the kernel's types.
  FieldTypes(const btf* types, std::uint32_t next) : types_(types), next_(next) {}

  /// Negative if the kernel has no such integer.
  int id(const Field& field) {
    if (field.type == kPointer) {
      if (pointer_ == 0) pointer_ = next();
      return pointer_;
    }
    const int number = btf__find_by_name_kind(types_, field.type, BTF_KIND_INT);
    if (field.nr_elements == 0 || number < 0) return number;
    appended_.push_back({number, field.nr_elements});
    return static_cast<int>(next_ + appended_.size() - 1);
  }
  /// Appends what id() promised.
  int append(btf* result) const {
    for (const auto& [element, nr_elements] : appended_) {
      const int id = element == 0 ? btf__add_ptr(result, 0)
                                  : btf__add_array(result, element, element, nr_elements);
      if (id < 0) return id;
    }
    return 0;
  }

 private:
  int next() {
    appended_.push_back({0, 0});
    return static_cast<int>(next_ + appended_.size() - 1);
  }

  const btf* types_;
  std::uint32_t next_;
  int pointer_ = 0;
  std::vector<std::pair<int, std::uint32_t>> appended_;  // element and length; 0: void *
};

int add_struct(btf* result, const Struct& added, FieldTypes& field_types) {
  const int id = btf__add_struct(result, added.name, added.nr_bytes);
  if (id < 0) return id;
  for (const Field& field : added.fields)
    if (const int error =
            btf__add_field(result, field.name, field_types.id(field), field.offset * 8, 0);
        error != 0)
      return error;
  return id;
}

Result<Btf> complete(const btf* types) {
  auto places = find_places(types);
  if (!places) return fail(std::move(places).error());
  Btf result(btf__new_empty());
  if (!result) return fail(libbpf_error("making type information", errno));
  const std::uint32_t nr_types = btf__type_cnt(types);
  FieldTypes field_types(types, nr_types);
  for (std::uint32_t id = 1; id < nr_types; ++id) {
    const auto place = places->find(id);
    const int added = place != places->end()
                          ? add_struct(result.get(), place->second, field_types)
                          : btf__add_type(result.get(), types, btf__type_by_id(types, id));
    if (added != static_cast<int>(id))
      return fail(libbpf_error(fmt::format("copying kernel type {}", id), added));
  }
  if (const int error = field_types.append(result.get()); error < 0)
    return fail(libbpf_error("adding types", error));
  return result;
}

}  // namespace

CompletedBtf::~CompletedBtf() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

Result<CompletedBtf> CompletedBtf::make() {
  const Btf types(btf__load_vmlinux_btf());
  if (!types)
    return fail(ErrorKind::kUnsupported, "this kernel has no readable type information (BTF)", {},
                errno);
  auto completed = complete(types.get());
  if (!completed) return fail(std::move(completed).error());
  std::uint32_t nr_bytes = 0;
  const void* bytes = btf__raw_data(completed->get(), &nr_bytes);
  const char* directory = std::getenv("TMPDIR");
  std::string path = std::string(directory != nullptr ? directory : "/tmp") + "/pobpf-btf-XXXXXX";
  const Fd file(::mkstemp(path.data()));
  if (bytes == nullptr || !file) return fail(libbpf_error("writing type information", errno));
  CompletedBtf result(path);
  if (::write(file.get(), bytes, nr_bytes) != static_cast<ssize_t>(nr_bytes))
    return fail(libbpf_error("writing type information", errno));
  return result;
}

}  // namespace pobpf::synthetic
