// SPDX-License-Identifier: GPL-2.0-only
// Stacks and cgroups between a PageContext and the messages of a snapshot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "format/page_formatter.h"
#include "snapshot.pb.h"
#include "snapshot/read_budget.h"
#include "util/error.h"
#include "util/hash_map.h"

namespace pobpf {

/// Stacks and cgroups that were not written before, on their way into messages.
class ContextWriter {
 public:
  /// `context` must outlive it.
  explicit ContextWriter(PageContext& context) : context_(context) {}

  /// Adds the stack unless it is known already.
  void add_stack(std::uint32_t handle, snapshot::Stacks& message);
  /// Once all stacks of a message are added.
  void finish(snapshot::Stacks& message);
  void add_cgroup(std::uint64_t id, snapshot::Cgroups& message);

  [[nodiscard]] std::uint64_t nr_stacks() const { return handles_.size(); }
  [[nodiscard]] std::uint64_t nr_cgroups() const { return cgroup_ids_.size(); }
  /// Stacks and cgroups that could not be read, and the first of their errors.
  [[nodiscard]] std::uint64_t nr_unreadable() const { return nr_unreadable_; }
  [[nodiscard]] const Error& first_error() const { return first_error_; }

 private:
  std::uint32_t location_of(const Frame& frame, snapshot::Stacks& message);
  /// Keeps what the message says of it.
  std::string note(Error error);

  PageContext& context_;
  HashSet<std::uint32_t> handles_;
  HashSet<std::uint64_t> cgroup_ids_;
  HashMap<std::string, std::uint32_t> locations_;  // by symbol and address
  std::vector<std::uint64_t> addresses_;           // of the message
  std::uint64_t nr_unreadable_ = 0;
  Error first_error_;
};

/// The stacks and cgroups of a file, so far as it was read. A stack's text is made when it is asked
/// for, so that reading all of a file for its numbers takes little memory.
class ContextReader {
 public:
  /// `budget` must outlive it.
  explicit ContextReader(ReadBudget& budget) : budget_(budget) {}

  /// Takes in what the message holds. Errors say in which way it contradicts itself or what was
  /// before it. `is_salvaging`: addresses that an item that is lost named may be missing; stacks
  /// with them cannot be read.
  [[nodiscard]] Status add(const snapshot::Stacks& message, bool is_salvaging);
  [[nodiscard]] Status add(const snapshot::Cgroups& message);

  [[nodiscard]] bool has_stack(std::uint32_t handle) const { return stacks_.contains(handle); }
  [[nodiscard]] bool has_cgroup(std::uint64_t id) const { return cgroups_.contains(id); }
  [[nodiscard]] std::uint64_t nr_stacks() const { return stacks_.size(); }
  [[nodiscard]] std::uint64_t nr_cgroups() const { return cgroups_.size(); }
  /// The size of a stack as it is shown; 0 if it is not there.
  [[nodiscard]] std::uint64_t shown_bytes(std::uint32_t handle) const {
    const auto found = stacks_.find(handle);
    return found == stacks_.end() ? 0 : found->second.shown_bytes;
  }

  /// As PageContext has them; a stack is valid until the next one is asked for.
  [[nodiscard]] Result<const Stack*> stack(std::uint32_t handle);
  [[nodiscard]] Result<std::string_view> cgroup_name(std::uint64_t id) const;
  [[nodiscard]] Result<std::string> cgroup_path(std::uint64_t id) const;
  [[nodiscard]] std::vector<std::uint64_t> cgroups_above(std::uint64_t id) const;

 private:
  struct StackEntry {
    std::uint64_t first_frame = 0;
    std::uint32_t nr_frames = 0;
    std::uint32_t text_bytes = 0;
    std::uint32_t shown_bytes = 0;
  };
  struct CgroupEntry {
    std::string path;
    std::string reason;  // why it could not be read; empty: it could
    std::vector<std::uint64_t> above;
  };
  struct Location {
    std::uint64_t address = 0;
    std::string_view symbol;
    std::uint32_t shown_bytes = 0;  // with the address
  };
  /// The addresses of an item.
  struct Locations {
    std::uint32_t first = 0;
    std::string symbols;  // a list
    std::vector<Location> locations;
  };
  [[nodiscard]] Status check(const snapshot::Stacks& message, bool is_salvaging) const;
  [[nodiscard]] Status add_locations(const snapshot::Stacks& message);
  [[nodiscard]] std::uint32_t next_location() const;
  /// Null if it is lost.
  [[nodiscard]] const Location* location(std::uint32_t number) const;

  ReadBudget& budget_;
  HashMap<std::uint32_t, StackEntry> stacks_;
  HashMap<std::uint32_t, std::string> unreadable_;  // why stacks could not be read
  HashMap<std::uint64_t, CgroupEntry> cgroups_;
  std::vector<std::unique_ptr<Locations>> locations_;  // ascending
  std::vector<std::uint32_t> frames_;                  // locations of all stacks
  HashMap<std::uint32_t, Stack> known_;                // that were asked for lately
  std::size_t known_bytes_ = 0;
};

}  // namespace pobpf
