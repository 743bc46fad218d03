// SPDX-License-Identifier: GPL-2.0-only
// Questions to the running kernel's BTF: sizes, offsets, enumerators.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernel/btf_view.h"
#include "util/error.h"

namespace pobpf {

/// A bit field of a struct or union: position in the little-endian word it is part of.
struct BitField {
  std::uint32_t shift = 0;
  std::uint32_t width = 0;
};

/// Type information of one kernel. All look-ups return no value where the kernel has no such type.
class KernelBtf {
 public:
  /// Loads the running kernel's (/sys/kernel/btf/vmlinux). `names` are types that will be asked
  /// for: one pass finds them all, where libbpf would go through all types for each.
  static Result<KernelBtf> load(const std::vector<std::string>& names);
  /// From a raw BTF file, for tests.
  static Result<KernelBtf> load_file(const std::string& path);

  /// Makes this the type information of a kernel without it: a type, a function, an enumerator, or
  /// a member that is given as "type.member".
  void hide(std::string name) { hidden_.insert(std::move(name)); }
  [[nodiscard]] bool is_hidden(std::string_view name) const {
    return hidden_.find(name) != hidden_.end();
  }
  [[nodiscard]] bool is_hidden(std::string_view type, std::string_view member) const;

  /// Bytes of a struct, union, typedef or enum.
  [[nodiscard]] std::optional<std::uint32_t> size_of(const std::string& type) const;
  /// Byte offset of a member, also inside anonymous members.
  [[nodiscard]] std::optional<std::uint32_t> offset_of(const std::string& type,
                                                       std::string_view member) const;
  /// Position of a bit-field member, also inside anonymous members.
  [[nodiscard]] std::optional<BitField> bit_field(const std::string& type,
                                                  std::string_view member) const;
  /// Elements of a member that is an array.
  [[nodiscard]] std::optional<std::uint32_t> array_length(const std::string& type,
                                                          std::string_view member) const;
  /// Value of an enumerator of a named enum.
  [[nodiscard]] std::optional<std::uint64_t> enum_value(const std::string& type,
                                                        std::string_view enumerator) const;
  /// Value of an enumerator of any enum, anonymous ones included; the first one found.
  [[nodiscard]] std::optional<std::uint64_t> any_enum_value(std::string_view enumerator) const;
  /// Names and values of a named enum; empty if the kernel has none of that name.
  [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> enumerators(
      const std::string& type) const;
  /// Those of the anonymous enum that has this one; empty if there is none. After load() only.
  [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> enumerators_beside(
      std::string_view enumerator) const;
  [[nodiscard]] bool has_function(const std::string& name) const;
  /// Id of a function, for those who name it to the kernel.
  [[nodiscard]] std::optional<std::uint32_t> function_id(const std::string& name) const;
  /// Id of a struct or union.
  [[nodiscard]] std::optional<std::uint32_t> composite_id(const std::string& name) const;
  /// Ids of all types of these names, in one pass.
  [[nodiscard]] std::vector<std::uint32_t> ids_of(
      const std::set<std::string, std::less<>>& names) const;
  /// For what is not asked here; lives as long as this.
  [[nodiscard]] const BtfView& view() const { return view_; }

 private:
  explicit KernelBtf(BtfView view) : view_(std::move(view)) {}
  void index(const std::vector<std::string>& names);
  /// Id of a type of this name and one of these kinds (BTF_KIND_*).
  [[nodiscard]] std::optional<std::uint32_t> find(const std::string& name,
                                                  std::initializer_list<std::uint32_t> kinds) const;
  [[nodiscard]] std::optional<std::uint32_t> find_composite(const std::string& name) const;

  BtfView view_;
  std::set<std::string, std::less<>> hidden_;
  std::unordered_multimap<std::string, std::uint32_t> ids_;  // of the names given to load()
  std::vector<std::uint32_t> anonymous_enums_;
  bool is_indexed_ = false;
};

}  // namespace pobpf
