// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/btf.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <span>

namespace pobpf {
namespace {

struct Member {
  const btf_type* parent;
  std::uint32_t index;
  std::uint32_t bit_offset;  // from the start of the outermost type
};

std::int32_t find_composite(const btf* object, const std::string& type) {
  std::int32_t id = btf__find_by_name_kind(object, type.c_str(), BTF_KIND_STRUCT);
  if (id < 0) id = btf__find_by_name_kind(object, type.c_str(), BTF_KIND_UNION);
  return id;
}

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

}  // namespace

void KernelBtf::Deleter::operator()(btf* object) const { btf__free(object); }

Result<KernelBtf> KernelBtf::load() {
  btf* object = btf__load_vmlinux_btf();
  if (object == nullptr)
    return fail(ErrorKind::kUnsupported, "this kernel has no readable type information (BTF)",
                "use a kernel built with CONFIG_DEBUG_INFO_BTF=y", errno);
  return KernelBtf(object);
}

Result<KernelBtf> KernelBtf::load_file(const std::string& path) {
  btf* object = btf__parse(path.c_str(), nullptr);
  if (object == nullptr) return fail(ErrorKind::kFailed, "no BTF in " + path, {}, errno);
  return KernelBtf(object);
}

std::optional<std::uint32_t> KernelBtf::size_of(const std::string& type) const {
  std::int32_t id = find_composite(btf_.get(), type);
  if (id < 0) id = btf__find_by_name_kind(btf_.get(), type.c_str(), BTF_KIND_TYPEDEF);
  if (id < 0) id = btf__find_by_name_kind(btf_.get(), type.c_str(), BTF_KIND_ENUM);
  if (id < 0) return std::nullopt;
  const std::int64_t size = btf__resolve_size(btf_.get(), static_cast<std::uint32_t>(id));
  if (size < 0) return std::nullopt;
  return static_cast<std::uint32_t>(size);
}

std::optional<std::uint32_t> KernelBtf::offset_of(const std::string& type,
                                                  std::string_view member) const {
  const std::int32_t id = find_composite(btf_.get(), type);
  if (id < 0) return std::nullopt;
  const auto found = find_member(btf_.get(), static_cast<std::uint32_t>(id), member, 0);
  if (!found) return std::nullopt;
  return found->bit_offset / 8;
}

std::optional<BitField> KernelBtf::bit_field(const std::string& type,
                                             std::string_view member) const {
  const std::int32_t id = find_composite(btf_.get(), type);
  if (id < 0) return std::nullopt;
  const auto found = find_member(btf_.get(), static_cast<std::uint32_t>(id), member, 0);
  if (!found) return std::nullopt;
  const std::uint32_t width = btf_member_bitfield_size(found->parent, found->index);
  if (width == 0) return std::nullopt;
  return BitField{found->bit_offset, width};
}

std::optional<std::uint32_t> KernelBtf::array_length(const std::string& type,
                                                     std::string_view member) const {
  const std::int32_t id = find_composite(btf_.get(), type);
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
  std::int32_t id = btf__find_by_name_kind(btf_.get(), type.c_str(), BTF_KIND_ENUM);
  if (id < 0) id = btf__find_by_name_kind(btf_.get(), type.c_str(), BTF_KIND_ENUM64);
  if (id < 0) return std::nullopt;
  return find_enumerator(btf_.get(), btf__type_by_id(btf_.get(), static_cast<std::uint32_t>(id)),
                         enumerator);
}

std::optional<std::uint64_t> KernelBtf::any_enum_value(std::string_view enumerator) const {
  const std::uint32_t nr_types = btf__type_cnt(btf_.get());
  for (std::uint32_t id = 1; id < nr_types; ++id)
    if (auto value = find_enumerator(btf_.get(), btf__type_by_id(btf_.get(), id), enumerator))
      return value;
  return std::nullopt;
}

bool KernelBtf::has_function(const std::string& name) const {
  return btf__find_by_name_kind(btf_.get(), name.c_str(), BTF_KIND_FUNC) >= 0;
}

}  // namespace pobpf
