// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/btf.h"

#include <bpf/btf.h>

#include <bitset>
#include <cerrno>
#include <cstring>
#include <set>
#include <span>

namespace pobpf {
namespace {

struct Member {
  const btf_type* parent;
  std::uint32_t index;
  std::uint32_t bit_offset;  // from the start of the outermost type
};

std::optional<Member> find_member(const BtfView& btf, std::uint32_t id, std::string_view name,
                                  std::uint32_t base_bits) {
  const btf_type* type = btf.type(btf.resolve(id));
  if (type == nullptr || !btf_is_composite(type)) return std::nullopt;
  const std::span members(btf_members(type), btf_vlen(type));
  for (std::uint32_t i = 0; i < members.size(); ++i) {
    const std::uint32_t bits = base_bits + btf_member_bit_offset(type, i);
    const std::string_view member_name = btf.name(members[i].name_off);
    if (member_name == name) return Member{type, i, bits};
    if (member_name.empty()) {
      if (auto found = find_member(btf, members[i].type, name, bits)) return found;
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> find_enumerator(const BtfView& btf, const btf_type* type,
                                             std::string_view name) {
  if (btf_is_enum(type)) {
    for (const struct btf_enum& value : std::span(btf_enum(type), btf_vlen(type)))
      if (name == btf.name(value.name_off)) return static_cast<std::uint64_t>(value.val);
  } else if (btf_is_enum64(type)) {
    for (const struct btf_enum64& value : std::span(btf_enum64(type), btf_vlen(type)))
      if (name == btf.name(value.name_off)) return btf_enum64_value(&value);
  }
  return std::nullopt;
}

std::vector<std::pair<std::string, std::uint64_t>> enumerators_of(const BtfView& btf,
                                                                  const btf_type* type) {
  std::vector<std::pair<std::string, std::uint64_t>> result;
  const auto name = [&](std::uint32_t offset) { return btf.name(offset); };
  if (btf_is_enum(type)) {
    for (const struct btf_enum& value : std::span(btf_enum(type), btf_vlen(type)))
      result.emplace_back(name(value.name_off), static_cast<std::uint32_t>(value.val));
  } else {
    for (const struct btf_enum64& value : std::span(btf_enum64(type), btf_vlen(type)))
      result.emplace_back(name(value.name_off), btf_enum64_value(&value));
  }
  return result;
}

/// Goes through all types for some names. A kernel has 50,000 types and more, which start-up has
/// to get past: all but a few are ruled out by the first four bytes of their name.
class NameSearch {
 public:
  template <typename Names>
  NameSearch(const BtfView& btf, const Names& names)
      : btf_(btf), names_(names.begin(), names.end()) {
    for (const std::string_view name : names_) {
      if (name.size() < sizeof(std::uint32_t))
        is_short_start_.set(slot_of<std::uint16_t>(name.data()));
      else
        is_start_.set(slot_of<std::uint32_t>(name.data()));
    }
  }

  /// Calls `found` with name and id of each type that has one of the names, and `unnamed` with type
  /// and id of those without one.
  template <typename Found, typename Unnamed>
  void run(Found found, Unnamed unnamed) const {
    for (std::uint32_t id = 1; id < btf_.nr_types(); ++id) {
      const btf_type* type = btf_.type(id);
      if (type->name_off == 0)
        unnamed(type, id);
      else if (may_match(type->name_off))
        if (const auto name = names_.find(btf_.name(type->name_off)); name != names_.end())
          found(*name, id);
    }
  }

 private:
  static constexpr std::size_t kNrSlots = 4096;

  /// Hashes the bytes that a name begins with, its NUL included.
  template <typename Start>
  static std::size_t slot_of(const char* name) {
    Start start = 0;
    std::memcpy(&start, name, sizeof(start));
    constexpr std::uint32_t kGolden = 0x9e3779b1;  // Knuth's multiplicative hash
    constexpr unsigned kShift = 20;                // leaves as many bits as slots have
    return start * kGolden >> kShift;
  }

  [[nodiscard]] bool may_match(std::uint32_t offset) const {
    const std::string_view strings = btf_.strings();
    if (offset >= strings.size()) return false;
    const char* const name = strings.data() + offset;
    if (strings.size() - offset < sizeof(std::uint32_t)) return true;
    return is_start_.test(slot_of<std::uint32_t>(name)) ||
           is_short_start_.test(slot_of<std::uint16_t>(name));
  }

  const BtfView& btf_;
  std::set<std::string_view> names_;
  std::bitset<kNrSlots> is_start_;
  std::bitset<kNrSlots> is_short_start_;  ///< of names of less than four bytes
};

}  // namespace

Result<KernelBtf> KernelBtf::load(const std::vector<std::string>& names) {
  auto view = BtfView::open("/sys/kernel/btf/vmlinux");
  if (!view && view.error().os_errno == EOPNOTSUPP)
    return fail(ErrorKind::kUnsupported,
                "this kernel's type information (BTF) has kinds of types that this pobpf does not "
                "know",
                "use a newer pobpf", EOPNOTSUPP);
  if (!view)
    return fail(ErrorKind::kUnsupported, "this kernel has no readable type information (BTF)",
                "use a kernel built with CONFIG_DEBUG_INFO_BTF=y", view.error().os_errno);
  KernelBtf result(*std::move(view));
  result.index(names);
  return result;
}

Result<KernelBtf> KernelBtf::load_file(const std::string& path) {
  auto view = BtfView::open(path);
  if (!view) return fail(std::move(view).error());
  return KernelBtf(*std::move(view));
}

void KernelBtf::index(const std::vector<std::string>& names) {
  NameSearch(view_, names)
      .run([this](std::string_view name, std::uint32_t id) { ids_.emplace(name, id); },
           [this](const btf_type* type, std::uint32_t id) {
             if (btf_is_any_enum(type)) anonymous_enums_.push_back(id);
           });
  is_indexed_ = true;
}

std::vector<std::uint32_t> KernelBtf::ids_of(
    const std::set<std::string, std::less<>>& names) const {
  std::vector<std::uint32_t> ids;
  NameSearch(view_, names)
      .run([&ids](std::string_view /*name*/, std::uint32_t id) { ids.push_back(id); },
           [](const btf_type* /*type*/, std::uint32_t /*id*/) {});
  return ids;
}

bool KernelBtf::is_hidden(std::string_view type, std::string_view member) const {
  return !hidden_.empty() && is_hidden(std::string(type) + "." + std::string(member));
}

std::optional<std::uint32_t> KernelBtf::find(const std::string& name,
                                             std::initializer_list<std::uint32_t> kinds) const {
  if (is_hidden(name)) return std::nullopt;
  const auto [begin, end] = ids_.equal_range(name);
  for (const std::uint32_t kind : kinds) {
    for (auto entry = begin; entry != end; ++entry)
      if (btf_kind(view_.type(entry->second)) == kind) return entry->second;
    // a name that was indexed and not found there is nowhere
    if (is_indexed_ && begin != end) continue;
    for (std::uint32_t id = 1; id < view_.nr_types(); ++id) {
      const btf_type* const type = view_.type(id);
      if (btf_kind(type) == kind && view_.name(type->name_off) == name) return id;
    }
  }
  return std::nullopt;
}

std::optional<std::uint32_t> KernelBtf::find_composite(const std::string& name) const {
  return find(name, {BTF_KIND_STRUCT, BTF_KIND_UNION});
}

std::optional<std::uint32_t> KernelBtf::size_of(const std::string& type) const {
  const auto id = find(type, {BTF_KIND_STRUCT, BTF_KIND_UNION, BTF_KIND_TYPEDEF, BTF_KIND_ENUM});
  return id ? view_.size_of(*id) : std::nullopt;
}

std::optional<std::uint32_t> KernelBtf::offset_of(const std::string& type,
                                                  std::string_view member) const {
  const auto id = find_composite(type);
  if (!id || is_hidden(type, member)) return std::nullopt;
  const auto found = find_member(view_, *id, member, 0);
  if (!found) return std::nullopt;
  return found->bit_offset / 8;
}

std::optional<BitField> KernelBtf::bit_field(const std::string& type,
                                             std::string_view member) const {
  const auto id = find_composite(type);
  if (!id) return std::nullopt;
  const auto found = find_member(view_, *id, member, 0);
  if (!found) return std::nullopt;
  const std::uint32_t width = btf_member_bitfield_size(found->parent, found->index);
  if (width == 0) return std::nullopt;
  return BitField{found->bit_offset, width};
}

std::optional<std::uint32_t> KernelBtf::array_length(const std::string& type,
                                                     std::string_view member) const {
  const auto id = find_composite(type);
  if (!id) return std::nullopt;
  const auto found = find_member(view_, *id, member, 0);
  if (!found) return std::nullopt;
  const std::span members(btf_members(found->parent), btf_vlen(found->parent));
  const btf_type* array = view_.type(view_.resolve(members[found->index].type));
  if (array == nullptr || !btf_is_array(array)) return std::nullopt;
  return btf_array(array)->nelems;
}

std::optional<std::uint64_t> KernelBtf::enum_value(const std::string& type,
                                                   std::string_view enumerator) const {
  const auto id = find(type, {BTF_KIND_ENUM, BTF_KIND_ENUM64});
  if (!id || is_hidden(enumerator)) return std::nullopt;
  return find_enumerator(view_, view_.type(*id), enumerator);
}

std::optional<std::uint64_t> KernelBtf::any_enum_value(std::string_view enumerator) const {
  if (is_hidden(enumerator)) return std::nullopt;
  for (const std::uint32_t id : anonymous_enums_)
    if (auto value = find_enumerator(view_, view_.type(id), enumerator)) return value;
  for (std::uint32_t id = 1; id < view_.nr_types(); ++id)
    if (auto value = find_enumerator(view_, view_.type(id), enumerator)) return value;
  return std::nullopt;
}

std::vector<std::pair<std::string, std::uint64_t>> KernelBtf::enumerators(
    const std::string& type) const {
  const auto id = find(type, {BTF_KIND_ENUM, BTF_KIND_ENUM64});
  if (!id) return {};
  return enumerators_of(view_, view_.type(*id));
}

std::vector<std::pair<std::string, std::uint64_t>> KernelBtf::enumerators_beside(
    std::string_view enumerator) const {
  for (const std::uint32_t id : anonymous_enums_) {
    const btf_type* type = view_.type(id);
    if (find_enumerator(view_, type, enumerator)) return enumerators_of(view_, type);
  }
  return {};
}

bool KernelBtf::has_function(const std::string& name) const {
  return function_id(name).has_value();
}

std::optional<std::uint32_t> KernelBtf::function_id(const std::string& name) const {
  return find(name, {BTF_KIND_FUNC});
}

std::optional<std::uint32_t> KernelBtf::composite_id(const std::string& name) const {
  return find_composite(name);
}

}  // namespace pobpf
