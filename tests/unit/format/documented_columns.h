// SPDX-License-Identifier: GPL-2.0-only
// Tables of columns in docs/.
#pragma once

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "format/column.h"

namespace pobpf::samples {

/// The text of a file of docs/.
inline std::string document(const std::string& name) {
  std::ifstream file(POBPF_DOCUMENTS "/" + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The lines of a table "| key | table | unit | meaning |" that has these columns and no other.
inline std::string documented_columns(const std::vector<Column>& columns) {
  std::string lines = "| key | table | unit | meaning |\n| --- | --- | --- | --- |\n";
  for (const Column& column : columns)
    lines += fmt::format("| {} | {} | {} | {} |\n",
                         *column.key == '\0' ? "" : fmt::format("`{}`", column.key), column.header,
                         unit_name(column.unit), column.meaning);
  return lines + "\n";
}

}  // namespace pobpf::samples
