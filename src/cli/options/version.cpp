// SPDX-License-Identifier: GPL-2.0-only
#include "cli/options/version.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <sys/utsname.h>

#include "cli/options/options.h"
#include "format/json_writer.h"

namespace pobpf::cli {

std::string version_text(Format format) {
  utsname kernel{};
  ::uname(&kernel);
  std::string libbpf = libbpf_version_string();
  if (libbpf.starts_with('v')) libbpf.erase(0, 1);
  if (format == Format::kJson) {
    std::string out;
    append_json(out, [&](JsonWriter& json) {
      json.member("pobpf", POBPF_VERSION);
      json.member("libbpf", libbpf);
      json.member("kernel", kernel.release);
    });
    return out;
  }
  return fmt::format("pobpf {}\nlibbpf {}\nkernel {}\n", POBPF_VERSION, libbpf, kernel.release);
}

}  // namespace pobpf::cli
