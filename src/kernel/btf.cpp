// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/btf.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <set>
#include <span>

#include "util/fd.h"

namespace pobpf {
namespace {

struct Member {
  const btf_type* parent;
  std::uint32_t index;
  std::uint32_t bit_offset;  // from the start of the outermost type
};

std::uint32_t resolve(const btf* object, std::uint32_t id) {
  const btf_type* type = btf__type_by_id(object, id);
  while (type != nullptr && (btf_is_mod(type) || btf_is_typedef(type))) {
    id = type->type;
    type = btf__type_by_id(object, id);
  }
  return id;
}

std::optional<Member> find_member(const btf* object, std::uint32_t id, std::string_view name,
                                  std::uint32_t base_bits) {
  const btf_type* type = btf__type_by_id(object, resolve(object, id));
  if (type == nullptr || !btf_is_composite(type)) return std::nullopt;
  const std::span members(btf_members(type), btf_vlen(type));
  for (std::uint32_t i = 0; i < members.size(); ++i) {
    const std::uint32_t bits = base_bits + btf_member_bit_offset(type, i);
    const std::string_view member_name = btf__name_by_offset(object, members[i].name_off);
    if (member_name == name) return Member{type, i, bits};
    if (member_name.empty()) {
      if (auto found = find_member(object, members[i].type, name, bits)) return found;
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> find_enumerator(const btf* object, const btf_type* type,
                                             std::string_view name) {
  if (btf_is_enum(type)) {
    for (const struct btf_enum& value : std::span(btf_enum(type), btf_vlen(type)))
      if (name == btf__name_by_offset(object, value.name_off))
        return static_cast<std::uint64_t>(value.val);
  } else if (btf_is_enum64(type)) {
    for (const struct btf_enum64& value : std::span(btf_enum64(type), btf_vlen(type)))
      if (name == btf__name_by_offset(object, value.name_off)) return btf_enum64_value(&value);
  }
  return std::nullopt;
}

std::vector<std::pair<std::string, std::uint64_t>> enumerators_of(const btf* object,
                                                                  const btf_type* type) {
  std::vector<std::pair<std::string, std::uint64_t>> result;
  const auto name = [&](std::uint32_t offset) { return btf__name_by_offset(object, offset); };
  if (btf_is_enum(type)) {
    for (const struct btf_enum& value : std::span(btf_enum(type), btf_vlen(type)))
      result.emplace_back(name(value.name_off), static_cast<std::uint32_t>(value.val));
  } else {
    for (const struct btf_enum64& value : std::span(btf_enum64(type), btf_vlen(type)))
      result.emplace_back(name(value.name_off), btf_enum64_value(&value));
  }
  return result;
}

/// A kernel has 50,000 types and more: most are ruled out by their first character.
class NameFilter {
 public:
  template <typename Names>
  explicit NameFilter(const Names& names) : names_(names.begin(), names.end()) {
    for (const std::string& name : names) is_first_[static_cast<unsigned char>(name.at(0))] = true;
  }
  [[nodiscard]] bool has(const char* name) const {
    return is_first_[static_cast<unsigned char>(*name)] && names_.contains(name);
  }

 private:
  std::array<bool, 256> is_first_{};
  std::set<std::string_view> names_;
};

/// Linux 6.17 lets its type information be mapped: read(2) takes a call for each 4 KiB of
/// megabytes, and pages to put them in. nullptr where that cannot be.
btf* map_vmlinux_btf() {
  const Fd file(::open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0 || status.st_size <= 0) return nullptr;
  const auto size = static_cast<std::size_t>(status.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (data == MAP_FAILED) return nullptr;
  btf* object = btf__new(data, static_cast<__u32>(size));
  ::munmap(data, size);
  return object;
}

}  // namespace

void KernelBtf::Deleter::operator()(btf* object) const { btf__free(object); }

Result<KernelBtf> KernelBtf::load(const std::vector<std::string>& names) {
  btf* object = map_vmlinux_btf();
  if (object == nullptr) object = btf__load_vmlinux_btf();
  if (object == nullptr)
    return fail(ErrorKind::kUnsupported, "this kernel has no readable type information (BTF)",
                "use a kernel built with CONFIG_DEBUG_INFO_BTF=y", errno);
  KernelBtf result(object);
  result.index(names);
  return result;
}

Result<KernelBtf> KernelBtf::load_file(const std::string& path) {
  btf* object = btf__parse(path.c_str(), nullptr);
  if (object == nullptr) return fail(ErrorKind::kFailed, "no BTF in " + path, {}, errno);
  return KernelBtf(object);
}

void KernelBtf::index(const std::vector<std::string>& names) {
  const NameFilter filter(names);
  const std::uint32_t nr_types = btf__type_cnt(btf_.get());
  for (std::uint32_t id = 1; id < nr_types; ++id) {
    const btf_type* type = btf__type_by_id(btf_.get(), id);
    if (type->name_off == 0) {
      if (btf_is_any_enum(type)) anonymous_enums_.push_back(id);
      continue;
    }
    const char* name = btf__name_by_offset(btf_.get(), type->name_off);
    if (filter.has(name)) ids_.emplace(name, id);
  }
  is_indexed_ = true;
}

std::vector<std::uint32_t> KernelBtf::ids_of(
    const std::set<std::string, std::less<>>& names) const {
  const NameFilter filter(names);
  std::vector<std::uint32_t> ids;
  const std::uint32_t nr_types = btf__type_cnt(btf_.get());
  for (std::uint32_t id = 1; id < nr_types; ++id) {
    const std::uint32_t name = btf__type_by_id(btf_.get(), id)->name_off;
    if (name != 0 && filter.has(btf__name_by_offset(btf_.get(), name))) ids.push_back(id);
  }
  return ids;
}

std::int32_t KernelBtf::find(const std::string& name,
                             std::initializer_list<std::uint32_t> kinds) const {
  const auto [begin, end] = ids_.equal_range(name);
  for (const std::uint32_t kind : kinds) {
    for (auto entry = begin; entry != end; ++entry)
      if (btf_kind(btf__type_by_id(btf_.get(), entry->second)) == kind)
        return static_cast<std::int32_t>(entry->second);
    // a name that was indexed and not found there is nowhere
    if (is_indexed_ && begin != end) continue;
    const std::int32_t id = btf__find_by_name_kind(btf_.get(), name.c_str(), kind);
    if (id >= 0) return id;
  }
  return -ENOENT;
}

std::int32_t KernelBtf::find_composite(const std::string& name) const {
  return find(name, {BTF_KIND_STRUCT, BTF_KIND_UNION});
}

std::optional<std::uint32_t> KernelBtf::size_of(const std::string& type) const {
  const std::int32_t id =
      find(type, {BTF_KIND_STRUCT, BTF_KIND_UNION, BTF_KIND_TYPEDEF, BTF_KIND_ENUM});
  if (id < 0) return std::nullopt;
  const std::int64_t size = btf__resolve_size(btf_.get(), static_cast<std::uint32_t>(id));
  if (size < 0) return std::nullopt;
  return static_cast<std::uint32_t>(size);
}

std::optional<std::uint32_t> KernelBtf::offset_of(const std::string& type,
                                                  std::string_view member) const {
  const std::int32_t id = find_composite(type);
  if (id < 0) return std::nullopt;
  const auto found = find_member(btf_.get(), static_cast<std::uint32_t>(id), member, 0);
  if (!found) return std::nullopt;
  return found->bit_offset / 8;
}

std::optional<BitField> KernelBtf::bit_field(const std::string& type,
                                             std::string_view member) const {
  const std::int32_t id = find_composite(type);
  if (id < 0) return std::nullopt;
  const auto found = find_member(btf_.get(), static_cast<std::uint32_t>(id), member, 0);
  if (!found) return std::nullopt;
  const std::uint32_t width = btf_member_bitfield_size(found->parent, found->index);
  if (width == 0) return std::nullopt;
  return BitField{found->bit_offset, width};
}

std::optional<std::uint32_t> KernelBtf::array_length(const std::string& type,
                                                     std::string_view member) const {
  const std::int32_t id = find_composite(type);
  if (id < 0) return std::nullopt;
  const auto found = find_member(btf_.get(), static_cast<std::uint32_t>(id), member, 0);
  if (!found) return std::nullopt;
  const std::span members(btf_members(found->parent), btf_vlen(found->parent));
  const btf_type* array =
      btf__type_by_id(btf_.get(), resolve(btf_.get(), members[found->index].type));
  if (array == nullptr || !btf_is_array(array)) return std::nullopt;
  return btf_array(array)->nelems;
}

std::optional<std::uint64_t> KernelBtf::enum_value(const std::string& type,
                                                   std::string_view enumerator) const {
  const std::int32_t id = find(type, {BTF_KIND_ENUM, BTF_KIND_ENUM64});
  if (id < 0) return std::nullopt;
  return find_enumerator(btf_.get(), btf__type_by_id(btf_.get(), static_cast<std::uint32_t>(id)),
                         enumerator);
}

std::optional<std::uint64_t> KernelBtf::any_enum_value(std::string_view enumerator) const {
  for (const std::uint32_t id : anonymous_enums_)
    if (auto value = find_enumerator(btf_.get(), btf__type_by_id(btf_.get(), id), enumerator))
      return value;
  const std::uint32_t nr_types = btf__type_cnt(btf_.get());
  for (std::uint32_t id = 1; id < nr_types; ++id)
    if (auto value = find_enumerator(btf_.get(), btf__type_by_id(btf_.get(), id), enumerator))
      return value;
  return std::nullopt;
}

std::vector<std::pair<std::string, std::uint64_t>> KernelBtf::enumerators(
    const std::string& type) const {
  const std::int32_t id = find(type, {BTF_KIND_ENUM, BTF_KIND_ENUM64});
  if (id < 0) return {};
  return enumerators_of(btf_.get(), btf__type_by_id(btf_.get(), static_cast<std::uint32_t>(id)));
}

std::vector<std::pair<std::string, std::uint64_t>> KernelBtf::enumerators_beside(
    std::string_view enumerator) const {
  for (const std::uint32_t id : anonymous_enums_) {
    const btf_type* type = btf__type_by_id(btf_.get(), id);
    if (find_enumerator(btf_.get(), type, enumerator)) return enumerators_of(btf_.get(), type);
  }
  return {};
}

bool KernelBtf::has_function(const std::string& name) const {
  return function_id(name).has_value();
}

std::optional<std::uint32_t> KernelBtf::function_id(const std::string& name) const {
  const std::int32_t id = find(name, {BTF_KIND_FUNC});
  return id < 0 ? std::nullopt : std::optional(static_cast<std::uint32_t>(id));
}

std::optional<std::uint32_t> KernelBtf::composite_id(const std::string& name) const {
  const std::int32_t id = find_composite(name);
  return id < 0 ? std::nullopt : std::optional(static_cast<std::uint32_t>(id));
}

}  // namespace pobpf
