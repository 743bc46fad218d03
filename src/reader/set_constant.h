// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <cstring>
#include <type_traits>

namespace pobpf {

/// Sets a constant of an object's skeleton, before the object is loaded. Constants are declared
/// const volatile, and skeletons have types of their own for structs.
template <typename To, typename T>
void set_constant(const volatile To& to, const T& value) {
  static_assert(sizeof(To) == sizeof(T) && std::is_trivially_copyable_v<T>);
  std::memcpy(const_cast<To*>(&to), &value, sizeof(value));
}

}  // namespace pobpf
