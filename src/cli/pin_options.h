// SPDX-License-Identifier: GPL-2.0-only
// Options of pobpf pin, pins and unpin that no other command has.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pobpf/error.h"
#include "pobpf/pin.h"

namespace CLI {
class App;
}

namespace pobpf::cli {

struct PinOptions {
  std::vector<std::string> names;
  std::string directory = kPinDirectory;
  bool replaces = false;
  bool wants_all = false;
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
  std::optional<mode_t> mode;
  std::optional<std::uint32_t> frame_bytes_max;
  std::string view_text;  ///< the filters as given
};

/// What the option parser fills in.
struct RawPinOptions {
  std::vector<std::string> names;
  std::vector<std::string> directory;
  std::vector<std::string> owner;
  std::vector<std::string> mode;
  std::vector<std::string> frame_bytes_max;
  bool replaces = false;
  bool wants_all = false;
};

void add_pin_options(CLI::App& pin, RawPinOptions& raw);
void add_pins_options(CLI::App& pins, RawPinOptions& raw);
void add_unpin_options(CLI::App& unpin, RawPinOptions& raw);

/// `command` is "pin", "pins" or "unpin". Users and groups are looked up in this machine's files.
[[nodiscard]] Result<PinOptions> check_pin_options(const RawPinOptions& raw,
                                                   const std::string& command);

/// The options in the group "Filters" that were given, as on a command line.
[[nodiscard]] std::string given_filters(const CLI::App& app);

}  // namespace pobpf::cli
