// SPDX-License-Identifier: GPL-2.0-only
// Stacks and cgroups between a PageContext and the messages of a snapshot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "format/page_formatter.h"
#include "pobpf/error.h"
#include "snapshot.pb.h"
#include "util/hash_map.h"

namespace pobpf {

/// Stacks and cgroups that were not written before, on their way into messages.
class ContextWriter {
 public:
  /// `context` must outlive it.
  explicit ContextWriter(PageContext& context) : context_(context) {}

  /// Adds the stack to `message` unless it is known already.
  void add_stack(std::uint32_t handle, snapshot::Stacks& message);
  void add_cgroup(std::uint64_t id, snapshot::Cgroups& message);

  [[nodiscard]] std::uint64_t nr_stacks() const { return handles_.size(); }
  [[nodiscard]] std::uint64_t nr_cgroups() const { return cgroup_ids_.size(); }
  /// Stacks and cgroups that could not be read, and the first of their errors.
  [[nodiscard]] std::uint64_t nr_unreadable() const { return nr_unreadable_; }
  [[nodiscard]] const Error& first_error() const { return first_error_; }

 private:
  std::uint64_t location_of(const Frame& frame, snapshot::Stacks& message);
  /// What the message says of it.
  std::string note(Error error);

  PageContext& context_;
  HashSet<std::uint32_t> handles_;
  HashSet<std::uint64_t> cgroup_ids_;
  HashMap<std::string, std::uint64_t> locations_;  // by symbol and address
  std::uint64_t last_address_ = 0;                 // of the message
  std::uint64_t nr_unreadable_ = 0;
  Error first_error_;
};

/// The stacks and cgroups of a file, so far as it was read. A stack's text is made when it is asked
/// for, so that reading all of a file for its numbers takes little memory.
class ContextReader {
 public:
  /// Takes in what the message holds. Errors say in which way it contradicts itself or what was
  /// before it; then nothing of it is known. `is_salvaging`: locations that an item that is lost
  /// named may be missing; stacks with them cannot be read.
  [[nodiscard]] Status add(const snapshot::Stacks& message, bool is_salvaging);
  [[nodiscard]] Status add(const snapshot::Cgroups& message);

  [[nodiscard]] bool has_stack(std::uint32_t handle) const { return stacks_.contains(handle); }
  [[nodiscard]] bool has_cgroup(std::uint64_t id) const { return cgroups_.contains(id); }
  [[nodiscard]] std::uint64_t nr_stacks() const { return stacks_.size(); }
  [[nodiscard]] std::uint64_t nr_cgroups() const { return cgroups_.size(); }

  /// As PageContext has them; valid until this dies.
  [[nodiscard]] Result<const Stack*> stack(std::uint32_t handle);
  [[nodiscard]] Result<std::string_view> cgroup_name(std::uint64_t id) const;

 private:
  struct StackEntry {
    std::size_t first_frame = 0;
    std::uint32_t nr_frames = 0;
    std::string reason;            // why it could not be read; empty: it could
    std::unique_ptr<Stack> stack;  // once it was asked for
  };
  struct CgroupEntry {
    std::string name;
    std::string reason;
  };
  struct Location {
    std::uint64_t address = 0;
    std::string symbol;
  };
  [[nodiscard]] Status check(const snapshot::Stacks& message, bool is_salvaging) const;
  void add_locations(const snapshot::Stacks& message);

  HashMap<std::uint32_t, StackEntry> stacks_;
  HashMap<std::uint64_t, CgroupEntry> cgroups_;
  HashMap<std::uint32_t, Location> locations_;
  std::vector<std::uint32_t> frames_;  // locations of all stacks
  std::size_t names_bytes_ = 0;
  std::size_t texts_bytes_ = 0;
};

}  // namespace pobpf
