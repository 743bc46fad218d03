// SPDX-License-Identifier: GPL-2.0-only
// Columns are described once, for each format that has them and for the documents, which tests
// compare.
#pragma once

#include <cstdint>

namespace pobpf {

enum class Unit : std::uint8_t { kNone, kPages, kBytes, kNanoseconds, kSeconds, kPagesAnHour };

/// "pages", "bytes", ...; empty for kNone.
[[nodiscard]] constexpr const char* unit_name(Unit unit) {
  switch (unit) {
    case Unit::kNone:
      break;
    case Unit::kPages:
      return "pages";
    case Unit::kBytes:
      return "bytes";
    case Unit::kNanoseconds:
      return "ns";
    case Unit::kSeconds:
      return "s";
    case Unit::kPagesAnHour:
      return "pages an hour";
  }
  return "";
}

struct Column {
  const char* key;     ///< in JSON, CSV and SQLite; empty: the column is in tables for people alone
  const char* header;  ///< in tables for people; empty: they do not have it
  Unit unit;
  const char* meaning;  ///< as the documents have it
};

}  // namespace pobpf
