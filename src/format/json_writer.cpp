// SPDX-License-Identifier: GPL-2.0-only
#include "format/json_writer.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

namespace pobpf {

void append_json_double(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  const std::size_t begin = out.size();
  fmt::format_to(std::back_inserter(out), "{}", value);
  // without a point readers would make an integer of it
  if (out.find_first_of(".e", begin) == std::string::npos) out += ".0";
}

}  // namespace pobpf
