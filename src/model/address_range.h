// SPDX-License-Identifier: GPL-2.0-only
// Half-open ranges of kernel addresses.
#pragma once

#include <cstdint>

namespace pobpf {

struct AddressRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;  ///< one past the last byte

  friend bool operator==(const AddressRange&, const AddressRange&) = default;
};

}  // namespace pobpf
