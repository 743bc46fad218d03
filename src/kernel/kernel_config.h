// SPDX-License-Identifier: GPL-2.0-only
// How the running kernel was configured, where it or its packager says so.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace pobpf {

/// CONFIG_ values of one kernel.
class KernelConfig {
 public:
  /// Looks below `root` at /proc/config.gz, which the kernel itself provides, then at the places
  /// where distributions keep the file. No value if none of them can be read.
  static std::optional<KernelConfig> load(const std::filesystem::path& root,
                                          const std::string& release);
  /// `source` is where the text came from, for messages.
  KernelConfig(std::string text, std::string source);

  /// True for "=y"; absent, "is not set" and "=m" are false.
  [[nodiscard]] bool is_built_in(std::string_view option) const;
  [[nodiscard]] const std::string& source() const { return source_; }

 private:
  std::string text_;
  std::string source_;
};

}  // namespace pobpf
