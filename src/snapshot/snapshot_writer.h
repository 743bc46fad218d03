// SPDX-License-Identifier: GPL-2.0-only
// Pages into a snapshot, as they come.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "format/page_formatter.h"
#include "model/account.h"
#include "pobpf/stream.h"
#include "snapshot.pb.h"
#include "snapshot/block_decoder.h"
#include "snapshot/block_encoder.h"
#include "snapshot/frame_writer.h"
#include "snapshot/snapshot_header.h"
#include "snapshot/stack_messages.h"
#include "snapshot/texts_message.h"
#include "util/error.h"

namespace pobpf {

/// Whether it is recorded who freed a page last, and with which stack.
enum class FreeSidePolicy { kOmit, kRecord };

/// Appends whole frames to a string that the caller writes out now and then. Holds one block of
/// pages, and what is needed to know a stack or a cgroup again. Not thread-safe.
class SnapshotWriter {
 public:
  /// Stacks and cgroups come from `context`; both must outlive the writer.
  SnapshotWriter(PageContext& context, std::string& out, int level,
                 FreeSidePolicy free_sides = FreeSidePolicy::kOmit)
      : context_(context), out_(out), frames_(level), free_sides_(free_sides) {}

  /// First call, once.
  [[nodiscard]] Status begin(const SnapshotHeader& header);
  /// Stacks that cannot be read are noted in the snapshot: errors are those of the writer alone.
  /// `fields`: what is known of the pages; the rest of them is left out. `details`: one a page,
  /// or empty if they are not known.
  [[nodiscard]] Status append(std::span<const pobpf_page> pages, PageFields fields = kAllPageFields,
                              std::span<const pobpf_page_detail> details = {});
  /// Sums without pages, at most kBlockPagesMax.
  [[nodiscard]] Status append(const DecodedGroups& groups);
  /// For an import, before the pages that have them.
  [[nodiscard]] Status append(const NewTexts& texts);
  /// Last call: without it the snapshot is incomplete. `account`: what became of all other pages.
  [[nodiscard]] Status end(const std::optional<Account>& account);

  [[nodiscard]] const SnapshotFooter& written() const { return footer_; }
  /// Stacks and cgroups that could not be read, and why the first could not.
  [[nodiscard]] std::uint64_t nr_unreadable() const { return context_.nr_unreadable(); }
  [[nodiscard]] const Error& first_error() const { return context_.first_error(); }

 private:
  [[nodiscard]] Status write_block();
  /// Writes what the block refers to.
  [[nodiscard]] Status write_context();
  [[nodiscard]] Status write_stacks();
  /// item_, if there are stacks in it.
  [[nodiscard]] Status write_stacks_item();
  /// Adds the stack to item_, which is written out if it is full.
  [[nodiscard]] Status add_stack(std::uint32_t handle);
  [[nodiscard]] Status write_cgroups();

  ContextWriter context_;
  std::string& out_;
  FrameWriter frames_;
  FreeSidePolicy free_sides_;
  BlockEncoder block_;
  bool has_details_ = false;  // the pages of block_
  snapshot::Item item_;
  SnapshotFooter footer_;
};

}  // namespace pobpf
