// SPDX-License-Identifier: GPL-2.0-only
// Pins: readers as files of a BPF file system, which `cat` reads.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "model/filter.h"
#include "pobpf/parameters.h"
#include "reader/session.h"
#include "util/error.h"

namespace pobpf {

/// Where pins are unless the user says otherwise.
inline constexpr const char* kPinDirectory = "/sys/fs/bpf/pobpf";

/// A pin to be made.
struct PinRequest {
  std::filesystem::path directory = kPinDirectory;
  std::string name;
  ReaderView view;
  std::string view_text;  ///< the filters as the user gave them, for list_pins()
  std::string version;    ///< of the pobpf that makes it
  bool replaces = false;  ///< an existing pin of ours, with no moment in between without one
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
  std::optional<mode_t> mode;
  SessionOptions session;
  /// Room asked for a line of a stack, in place of the longest that there can be; for tests.
  std::optional<std::uint32_t> frame_bytes_max;
};

/// Makes the pin; all of it or nothing of it stays. kUsage for a name that cannot be, or is taken.
[[nodiscard]] Status make_pin(const PinRequest& request);

enum class PinKind {
  kOurs,
  kOtherVersion,  ///< made by a pobpf with another layout of pins: only `version` is known
  kForeign,       ///< something else; `what` says what
};

/// A file in a directory of pins; all but owner and mode bits come from the kernel's BPF objects.
struct PinInfo {
  std::string name;
  PinKind kind = PinKind::kForeign;
  std::string what;  ///< "map", "program", "directory", ..., of what is foreign
  uid_t uid = 0;
  gid_t gid = 0;
  mode_t permissions = 0;
  std::string version;
  // of kOurs only
  pobpf_mode mode = POBPF_MODE_STACK;
  std::optional<NodeSet> nodes;
  std::string view_text;
  std::uint64_t nr_pages = 0;  ///< of the memory that is looked at
};

/// By name. A directory that does not exist holds no pins.
[[nodiscard]] Result<std::vector<PinInfo>> list_pins(const std::filesystem::path& path);

/// Removes a pin of ours, of whatever version, and the directory with the last one. kUsage if there
/// is none of that name or it is not a pin of ours.
[[nodiscard]] Status remove_pin(const std::filesystem::path& path, const std::string& name);

/// All pins of ours; what else is there stays.
[[nodiscard]] Status remove_all_pins(const std::filesystem::path& path);

}  // namespace pobpf
