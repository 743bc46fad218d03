// SPDX-License-Identifier: GPL-2.0-only
// A directory of pins, found once: whoever may rename what its path leads through cannot lead what
// is done there to another place.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>

#include "util/error.h"
#include "util/fd.h"

namespace pobpf {

/// Who may read a pin; what is not set stays as it is.
struct PinAccess {
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
  std::optional<mode_t> mode;

  [[nodiscard]] bool is_set() const { return uid || gid || mode; }
};

class PinDirectory {
 public:
  /// Whether it exists or not. A symbolic link does not count as a directory.
  [[nodiscard]] static Result<PinDirectory> find(const std::filesystem::path& path);

  /// kFailed unless pins can be made there (it may be missing, its parent may not): in a BPF file
  /// system, and where nobody but root and the caller can put anything in their place.
  [[nodiscard]] Status check_for_pins() const;
  /// Makes it if it is missing, and checks it. `was_made` says so.
  [[nodiscard]] Status make(bool& was_made);
  /// Gives a file to somebody. A symbolic link is refused.
  [[nodiscard]] Status give(const std::string& name, const PinAccess& access) const;
  /// A directory that is not empty stays.
  void remove_if_empty() const;

  [[nodiscard]] bool exists() const { return static_cast<bool>(fd_); }
  [[nodiscard]] int fd() const { return fd_.get(); }
  /// A path for bpf(2), which takes no descriptor of a directory before Linux 6.6.
  [[nodiscard]] std::string path_of(const std::string& name) const;

 private:
  explicit PinDirectory(const std::filesystem::path& path);

  std::string parent_path_;  // both for messages
  std::string path_;
  std::string name_;  // in the parent
  Fd parent_;
  Fd fd_;
};

}  // namespace pobpf
