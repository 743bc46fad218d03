// SPDX-License-Identifier: GPL-2.0-only
// Options of pobpf snapshot, watch-pressure and list: the directory, and what stays in it.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "archive/snapshot_directory.h"
#include "pobpf/error.h"

namespace CLI {
class App;
}

namespace pobpf::cli {

/// Where snapshots are unless another directory is named; a systemd unit's StateDirectory=pobpf.
constexpr const char* kDefaultDirectory = "/var/lib/pobpf";

struct ArchiveOptions {
  std::string directory = kDefaultDirectory;
  RetentionPolicy policy;
  std::chrono::nanoseconds wait{0};  ///< for another run in the same directory
  bool is_dry_run = false;
};

/// What the option parser fills in.
struct RawArchiveOptions {
  std::vector<std::string> directory;
  std::vector<std::string> keep;
  std::vector<std::string> max_age;
  std::vector<std::string> max_size;
  std::vector<std::string> min_free;
  std::vector<std::string> tiers;
  std::vector<std::string> wait;
  bool thins = false;
  bool is_dry_run = false;
};

/// Of commands that take snapshots; `directory` is what --dir is by default.
void add_archive_options(CLI::App& snapshot, RawArchiveOptions& raw, const char* directory);
void add_dry_run(CLI::App& snapshot, RawArchiveOptions& raw);
void add_list_options(CLI::App& list, RawArchiveOptions& raw);

[[nodiscard]] Result<ArchiveOptions> check_archive_options(const RawArchiveOptions& raw,
                                                           const char* directory);

}  // namespace pobpf::cli
