// SPDX-License-Identifier: GPL-2.0-only
#include "cli/options/version.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <sys/utsname.h>

#include <nlohmann/json.hpp>

#include "cli/options/options.h"
#include "format/json_value.h"

namespace pobpf::cli {

std::string version_text(Format format) {
  utsname kernel{};
  ::uname(&kernel);
  std::string libbpf = libbpf_version_string();
  if (libbpf.starts_with('v')) libbpf.erase(0, 1);
  if (format == Format::kJson)
    return json_text(nlohmann::ordered_json{
               {"pobpf", POBPF_VERSION}, {"libbpf", libbpf}, {"kernel", kernel.release}}) +
           "\n";
  return fmt::format("pobpf {}\nlibbpf {}\nkernel {}\n", POBPF_VERSION, libbpf, kernel.release);
}

}  // namespace pobpf::cli
