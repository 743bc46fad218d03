// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/btf_excerpt.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "kernel/libbpf_log.h"

namespace pobpf {
namespace {

struct BtfDeleter {
  void operator()(btf* object) const { btf__free(object); }
};

/// The kernel's name of a type: without the flavour of bpf/kernel_compat.bpf.h.
std::string_view essential_name(std::string_view name) { return name.substr(0, name.find("___")); }

/// The names that a BPF object uses.
struct Wanted {
  std::set<std::string, std::less<>> types;
  std::set<std::string, std::less<>> members;
};

Wanted wanted_by(const btf* object) {
  Wanted wanted;
  const std::uint32_t nr_types = btf__type_cnt(object);
  for (std::uint32_t id = 1; id < nr_types; ++id) {
    const btf_type* type = btf__type_by_id(object, id);
    if (!btf_is_composite(type) && !btf_is_any_enum(type)) continue;
    const std::string_view name = btf__name_by_offset(object, type->name_off);
    if (!name.empty()) wanted.types.emplace(essential_name(name));
    if (!btf_is_composite(type)) continue;
    for (const btf_member& member : std::span(btf_members(type), btf_vlen(type)))
      wanted.members.emplace(btf__name_by_offset(object, member.name_off));
  }
  return wanted;
}

/// Answer of Excerpt::copy() for what is, or has elements, of a kind that is not known here.
constexpr std::int32_t kUnknownKind = -EOPNOTSUPP;

class Excerpt {
 public:
  Excerpt(const KernelBtf& kernel, const Wanted& wanted)
      : btf_(kernel), kernel_(kernel.view()), wanted_(wanted), excerpt_(btf__new_empty()) {}

  /// Id of the copy of a type; negative: an errno.
  std::int32_t copy(std::uint32_t id) {
    if (id == 0) return 0;
    if (const auto known = copies_.find(id); known != copies_.end()) return known->second;
    const std::int32_t result = add(id);
    if (result >= 0) copies_.emplace(id, result);
    return result;
  }

  [[nodiscard]] std::vector<std::byte> bytes() const {
    std::uint32_t size = 0;
    const auto* const data = static_cast<const std::byte*>(btf__raw_data(excerpt_.get(), &size));
    if (data == nullptr) return {};
    return {data, data + size};
  }
  [[nodiscard]] bool is_valid() const { return excerpt_ != nullptr; }

 private:
  std::int32_t add(std::uint32_t id) {
    const btf_type* type = kernel_.type(id);
    if (type == nullptr) return -EINVAL;
    switch (btf_kind(type)) {
      case BTF_KIND_INT:
        return btf__add_int(excerpt_.get(), name(type->name_off), type->size,
                            btf_int_encoding(type));
      case BTF_KIND_FLOAT:
        return btf__add_float(excerpt_.get(), name(type->name_off), type->size);
      case BTF_KIND_ENUM:
      case BTF_KIND_ENUM64:
        return add_enum(type);
      case BTF_KIND_PTR:
        // relocations end at a pointer: what it points to does not matter
        return btf__add_ptr(excerpt_.get(), 0);
      case BTF_KIND_ARRAY:
        return add_array(btf_array(type));
      case BTF_KIND_STRUCT:
      case BTF_KIND_UNION:
        return add_composite(type);
      case BTF_KIND_UNKN:
        return kUnknownKind;
      default:
        // typedefs and qualifiers are looked through by those who compare types
        return btf_is_mod(type) || btf_is_typedef(type) ? copy(type->type) : -EINVAL;
    }
  }

  /// With the NUL that libbpf wants.
  [[nodiscard]] const char* name(std::uint32_t offset) const { return kernel_.name(offset).data(); }

  std::int32_t add_enum(const btf_type* type) {
    const bool is_wide = btf_is_enum64(type);
    const bool is_signed = btf_kflag(type);
    const std::int32_t result =
        is_wide ? btf__add_enum64(excerpt_.get(), name(type->name_off), type->size, is_signed)
                : btf__add_enum(excerpt_.get(), name(type->name_off), type->size);
    if (result < 0) return result;
    int error = 0;
    if (is_wide) {
      for (const struct btf_enum64& value : std::span(btf_enum64(type), btf_vlen(type)))
        if (error == 0)
          error =
              btf__add_enum64_value(excerpt_.get(), name(value.name_off), btf_enum64_value(&value));
    } else {
      for (const struct btf_enum& value : std::span(btf_enum(type), btf_vlen(type)))
        if (error == 0)
          error = btf__add_enum_value(excerpt_.get(), name(value.name_off), value.val);
    }
    return error == 0 ? result : error;
  }

  std::int32_t add_array(const struct btf_array* array) {
    const std::int32_t index = copy(array->index_type);
    if (index < 0) return index;
    const std::int32_t element = copy(array->type);
    if (element < 0) return element;
    return btf__add_array(excerpt_.get(), index, element, array->nelems);
  }

  std::int32_t add_composite(const btf_type* type) {
    // types of members first: fields are added to the last type that there is
    std::vector<std::pair<std::uint32_t, std::int32_t>> fields;
    const std::span members(btf_members(type), btf_vlen(type));
    for (std::uint32_t i = 0; i < members.size(); ++i) {
      const std::string_view member = kernel_.name(members[i].name_off);
      if (!member.empty() && !wanted_.members.contains(member)) continue;
      if (btf_.is_hidden(kernel_.name(type->name_off), member)) continue;
      const std::int32_t field = copy(members[i].type);
      // the kernel has no such member then, as far as programs can tell
      if (field == kUnknownKind) continue;
      if (field < 0) return field;
      fields.emplace_back(i, field);
    }
    const std::int32_t result =
        btf_is_struct(type) ? btf__add_struct(excerpt_.get(), name(type->name_off), type->size)
                            : btf__add_union(excerpt_.get(), name(type->name_off), type->size);
    if (result < 0) return result;
    for (const auto& [index, field] : fields) {
      const int error =
          btf__add_field(excerpt_.get(), name(members[index].name_off), field,
                         btf_member_bit_offset(type, index), btf_member_bitfield_size(type, index));
      if (error != 0) return error;
    }
    return result;
  }

  const KernelBtf& btf_;
  const BtfView& kernel_;
  const Wanted& wanted_;
  std::unique_ptr<btf, BtfDeleter> excerpt_;
  std::unordered_map<std::uint32_t, std::int32_t> copies_;
};

}  // namespace

Result<std::vector<std::byte>> excerpt_btf(const KernelBtf& kernel, const btf* object) {
  const Wanted wanted = wanted_by(object);
  Excerpt excerpt(kernel, wanted);
  if (!excerpt.is_valid()) return fail(libbpf_error("making type information", errno));
  for (const std::uint32_t id : kernel.ids_of(wanted.types)) {
    const btf_type* type = kernel.view().type(id);
    if (!btf_is_composite(type) && !btf_is_any_enum(type)) continue;
    if (kernel.is_hidden(kernel.view().name(type->name_off))) continue;
    if (const std::int32_t copied = excerpt.copy(id); copied < 0)
      return fail(libbpf_error("picking the kernel's types", copied));
  }
  auto bytes = excerpt.bytes();
  if (bytes.empty()) return fail(libbpf_error("making type information", errno));
  return bytes;
}

ExcerptFile::ExcerptFile(Fd file)
    : file_(std::move(file)), path_(fmt::format("/proc/self/fd/{}", file_.get())) {}

Result<ExcerptFile> ExcerptFile::make() {
  Fd file(::memfd_create("pobpf_btf", MFD_CLOEXEC));
  if (!file) return fail(libbpf_error("making a file in memory", errno));
  return ExcerptFile(std::move(file));
}

Status ExcerptFile::write(const KernelBtf& kernel, const bpf_object* object) {
  auto bytes = excerpt_btf(kernel, bpf_object__btf(object));
  if (!bytes) return fail(std::move(bytes).error());
  const auto written = ::pwrite(file_.get(), bytes->data(), bytes->size(), 0);
  if (written != static_cast<ssize_t>(bytes->size()))
    return fail(libbpf_error("writing type information", written < 0 ? errno : ENOSPC));
  return {};
}

}  // namespace pobpf
