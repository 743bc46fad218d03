// SPDX-License-Identifier: GPL-2.0-only
// A snapshot back into pages, block by block. The file may hold anything.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "format/page_formatter.h"
#include "model/page_limits.h"
#include "snapshot.pb.h"
#include "snapshot/block_decoder.h"
#include "snapshot/frame_reader.h"
#include "snapshot/snapshot_header.h"
#include "snapshot/stack_messages.h"
#include "util/error.h"

namespace pobpf {

enum class DamagePolicy {
  kRefuse,   ///< anything wrong is an error
  kSalvage,  ///< what is wrong is left out and counted
};

/// The parts that are not shown: damage that salvaging left out, and what this pobpf does not know.
struct SnapshotLosses {
  std::uint64_t nr_places = 0;  ///< damaged ones, a missing end among them
  std::uint64_t nr_items = 0;   ///< blocks, groups of stacks, ...: known to have been there
  /// Records; no value where the snapshot's end, which says how many there were, is lost too.
  std::optional<std::uint64_t> nr_pages;
  // likewise, 0 where it is not known
  std::uint64_t nr_groups = 0;  ///< sums
  std::uint64_t nr_stacks = 0;
  std::uint64_t nr_cgroups = 0;
  std::uint64_t nr_texts = 0;        ///< lists of names of an import
  Error first;                       ///< valid if `nr_places` is not 0
  std::uint64_t nr_newer_items = 0;  ///< of kinds that a later pobpf writes

  [[nodiscard]] bool is_empty() const { return nr_places == 0 && nr_newer_items == 0; }
};

/// Reads forward once; memory grows with the number of distinct stacks only, within ReadBudget.
/// After an error nothing more can be read. Not thread-safe.
class SnapshotReader final : public PageContext {
 public:
  /// Reads up to the header, without which there is nothing to salvage either.
  static Result<std::unique_ptr<SnapshotReader>> open(const std::filesystem::path& path,
                                                      DamagePolicy policy);
  /// Opens a snapshot on an open file; `name` is for messages.
  static Result<std::unique_ptr<SnapshotReader>> open(Fd fd, std::string name, DamagePolicy policy);

  [[nodiscard]] const SnapshotHeader& header() const { return header_; }
  /// Fields of the pages of blocks to come; others are not read, which is faster.
  void set_wanted(PageFields fields) { wanted_ = fields; }
  /// Called by next() with sums that stand between blocks; else they are passed over.
  using GroupsCallback = std::function<Status(const DecodedGroups&)>;
  void set_on_groups(GroupsCallback on_groups) { on_groups_ = std::move(on_groups); }
  /// The next block, valid until the next call; null once all were read and the file is known to be
  /// complete, or salvaged.
  Result<const DecodedBlock*> next();
  /// The same for sums without pages. Whoever wants one kind passes over what there is of the other
  /// so far: a file has to be read twice for both.
  Result<const DecodedGroups*> next_groups();
  /// Pages and sums so far, those passed over too.
  [[nodiscard]] std::uint64_t nr_pages() const { return seen_.nr_pages; }
  [[nodiscard]] std::uint64_t nr_groups() const { return seen_.nr_groups; }
  /// Once all is read; no value if it is lost.
  [[nodiscard]] const std::optional<SnapshotFooter>& footer() const { return footer_; }
  /// Once all is read.
  [[nodiscard]] const SnapshotLosses& losses() const { return losses_; }

  [[nodiscard]] std::uint64_t bytes_read() const { return frames_.position(); }
  /// 0 where it has none, as a pipe.
  [[nodiscard]] std::uint64_t file_bytes() const { return file_bytes_; }

  /// Knows what was read so far: all that the blocks so far refer to.
  Result<const Stack*> stack(std::uint32_t handle) override { return context_.stack(handle); }
  Result<std::string_view> cgroup_name(std::uint64_t id) override {
    return context_.cgroup_name(id);
  }
  Result<std::string> cgroup_path(std::uint64_t id) override { return context_.cgroup_path(id); }
  std::vector<std::uint64_t> cgroups_above(std::uint64_t id) override {
    return context_.cgroups_above(id);
  }
  /// The room that the file has.
  [[nodiscard]] const ReadBudget& budget() const { return budget_; }
  /// Draws what a stack becomes that is shown once more, beside its pages.
  [[nodiscard]] Status show_stack(std::uint32_t handle);

 private:
  SnapshotReader(Fd fd, std::string name, DamagePolicy policy);
  [[nodiscard]] bool is_salvaging() const { return policy_ == DamagePolicy::kSalvage; }
  [[nodiscard]] Status read_head();
  /// The next item that is whole, in item_; false at the end of the file.
  [[nodiscard]] Result<bool> next_item();
  [[nodiscard]] Status check_index();
  enum class Taken { kNothing, kPages, kGroups };
  /// Up to the next item of the kind; false at the end.
  [[nodiscard]] Result<bool> next_of(Taken kind);
  /// Sets `taken` to what there is of it now.
  [[nodiscard]] Status take_item(Taken& taken);
  /// Counts those of all blocks and sums together, so that nothing that is made of them wraps.
  [[nodiscard]] Status count_pages(std::uint64_t nr_pages);
  [[nodiscard]] Status take_block();
  /// Draws what the pages of the block become.
  [[nodiscard]] Status draw_text(const snapshot::Pages& pages);
  [[nodiscard]] Status take_groups();
  [[nodiscard]] Status take_texts();
  /// Whether stacks and cgroups that the block refers to are there.
  [[nodiscard]] Status check_references(const snapshot::Pages& pages) const;
  [[nodiscard]] Status take_footer();
  /// Checks, or counts, what is missing.
  [[nodiscard]] Status end();
  [[nodiscard]] Error damage(const Error& error) const;
  void lose(const Error& error);

  std::string name_;  // for messages
  PageFields wanted_ = kEveryPageField;
  GroupsCallback on_groups_;
  DamagePolicy policy_;
  std::uint64_t file_bytes_ = 0;
  FrameReader frames_;
  snapshot::Item item_;
  std::uint64_t item_position_ = 0;  // of it or of what could not be read, in bytes
  std::uint64_t next_index_ = 0;
  SnapshotHeader header_;
  ReadBudget budget_;
  ContextReader context_{budget_};
  DecodedBlock block_;
  DecodedGroups groups_;
  // names that a record may have
  std::uint64_t longest_gfp_names_ = 0;
  std::uint64_t longest_flag_names_ = 0;
  PageTotal nr_base_pages_;
  SnapshotFooter seen_;
  std::optional<SnapshotFooter> footer_;
  SnapshotLosses losses_;
  std::uint64_t places_before_item_ = 0;  // losses_.nr_places when the last item was read
  bool is_at_end_ = false;
};

}  // namespace pobpf
