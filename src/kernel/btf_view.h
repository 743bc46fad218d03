// SPDX-License-Identifier: GPL-2.0-only
// A kernel's type information where it lies. libbpf's own reader copies it, once or twice:
// megabytes of memory, each page of which page_owner makes dear (docs/benchmarks.md). What a type
// means is left to the helpers of <bpf/btf.h>.
#pragma once

#include <bpf/btf.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "util/error.h"

namespace pobpf {

/// munmap() or delete[], as the bytes came.
struct BtfRelease {
  std::size_t mapped_bytes = 0;
  void operator()(const std::byte* data) const;
};

/// Raw BTF (Documentation/bpf/btf.rst) of this machine's byte order, without a base.
class BtfView {
 public:
  /// Maps the file where that can be (/sys/kernel/btf/vmlinux since Linux 6.17), else reads it.
  /// kFailed with os_errno; EINVAL for what is not BTF, EOPNOTSUPP if it has kinds of types that
  /// came later than this and cannot be stepped over.
  [[nodiscard]] static Result<BtfView> open(const std::string& path);

  /// Ids are 1 to nr_types() - 1.
  [[nodiscard]] std::uint32_t nr_types() const {
    return static_cast<std::uint32_t>(offsets_.size());
  }
  /// nullptr: there is no such type; 0 is void. What is of a kind that came later than this has no
  /// name and BTF_KIND_UNKN, as the helpers of <bpf/btf.h> may take its kind for another.
  [[nodiscard]] const btf_type* type(std::uint32_t id) const {
    static constexpr btf_type kUnknownType{};
    if (id == 0 || id >= offsets_.size()) return nullptr;
    if (offsets_[id] == kUnknownKind) return &kUnknownType;
    return reinterpret_cast<const btf_type*>(types_ + offsets_[id]);
  }
  /// Empty for an offset that is outside. With a NUL behind it.
  [[nodiscard]] std::string_view name(std::uint32_t offset) const {
    return offset < strings_bytes_ ? strings_ + offset : "";
  }
  /// For those who look at many: the strings, the last of which ends with a NUL.
  [[nodiscard]] std::string_view strings() const { return {strings_, strings_bytes_}; }

  /// Without qualifiers and typedefs.
  [[nodiscard]] std::uint32_t resolve(std::uint32_t id) const;
  /// Bytes; no value for what has no size.
  [[nodiscard]] std::optional<std::uint32_t> size_of(std::uint32_t id) const;

  /// Offset of a type of a kind that is not known here.
  static constexpr std::uint32_t kUnknownKind = UINT32_MAX;

 private:
  using Data = std::unique_ptr<const std::byte, BtfRelease>;

  BtfView() = default;
  static Result<BtfView> over(Data data, std::size_t nr_bytes, const std::string& path);

  Data data_;
  const std::byte* types_ = nullptr;
  const char* strings_ = nullptr;
  std::size_t strings_bytes_ = 0;
  std::vector<std::uint32_t> offsets_;  ///< of each type, by id; in bytes
};

}  // namespace pobpf
