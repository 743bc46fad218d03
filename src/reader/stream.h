// SPDX-License-Identifier: GPL-2.0-only
// The byte stream of an iterator file descriptor, cut into records and accounts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/account.h"
#include "model/window_blockers.h"
#include "pobpf/parameters.h"
#include "pobpf/stream.h"
#include "util/error.h"

namespace pobpf {

/// Takes bytes in pieces of any size. Not thread-safe.
class StreamParser {
 public:
  /// `expects_records` is false for programs that sum up: their accounts come without records.
  explicit StreamParser(bool expects_records) : expects_records_(expects_records) {}

  /// Takes the next bytes of the stream. Afterwards pages() holds the records that are complete,
  /// those of earlier calls no longer. kFailed if the bytes are not a stream of ours.
  Status feed(std::span<const std::byte> bytes);
  /// Says that the stream ended. kFailed if it did so in the middle of a record or a window.
  Status finish();

  [[nodiscard]] std::span<const pobpf_page> pages() const {
    return std::span(pages_).first(nr_pages_);
  }
  /// Details of pages(), one each; empty if the records come without.
  [[nodiscard]] std::span<const pobpf_page_detail> details() const { return details_; }
  /// The windows that emit_blockers has completed; valid until the next call of feed().
  [[nodiscard]] std::vector<WindowBlockers> windows() const;
  [[nodiscard]] const Account& account() const { return account_; }
  /// Print mode of the link, as its last window reported it.
  [[nodiscard]] pobpf_mode mode() const { return mode_; }

 private:
  /// Takes whole items off the front; returns how many bytes they had.
  Result<std::size_t> take_items(std::span<const std::byte> bytes);

  std::vector<std::byte> partial_;  // start of an item whose end has not come yet
  /// Copies whole records, one after the other without anything in between.
  void take_pages(std::span<const std::byte> bytes);
  void take_detailed_page(std::span<const std::byte> bytes);
  /// Makes room for pages behind those that there are.
  void reserve(std::size_t nr) {
    if (pages_.size() < nr_pages_ + nr) pages_.resize(nr_pages_ + nr);
  }

  std::vector<pobpf_page>
      pages_;  // never shrinks: making it longer would clear what is copied over
  std::size_t nr_pages_ = 0;
  std::vector<pobpf_page_detail> details_;
  /// A window, and how many of the blockers stand before its end.
  struct StateOfWindow {
    pobpf_window_state state;
    std::size_t blockers_end;
  };
  std::vector<pobpf_blocker> blockers_;
  std::vector<StateOfWindow> states_;
  Account account_;
  std::uint64_t pages_in_window_ = 0;
  bool expects_records_;
  pobpf_mode mode_ = POBPF_MODE_STACK;
};

}  // namespace pobpf
