// SPDX-License-Identifier: GPL-2.0-only
#include "reader/stream.h"

#include <cstring>

namespace pobpf {
namespace {

constexpr const char* kHint = "report this: the programs and the loader do not fit each other";

/// Bytes of an item by its kind; 0 if there is no such kind.
std::size_t item_bytes(__u16 kind) {
  switch (kind) {
    case POBPF_ITEM_PAGE:
      return sizeof(pobpf_page);
    case POBPF_ITEM_DETAILED_PAGE:
      return sizeof(pobpf_detailed_page);
    case POBPF_ITEM_BLOCKER:
      return sizeof(pobpf_blocker);
    case POBPF_ITEM_WINDOW_STATE:
      return sizeof(pobpf_window_state);
    case POBPF_ITEM_ACCOUNT:
      return sizeof(pobpf_account);
    default:
      return 0;
  }
}

}  // namespace

Status StreamParser::feed(std::span<const std::byte> bytes) {
  nr_pages_ = 0;
  details_.clear();
  // those of a window that has not ended stay
  if (!states_.empty())
    blockers_.erase(blockers_.begin(),
                    blockers_.begin() + static_cast<std::ptrdiff_t>(states_.back().blockers_end));
  states_.clear();
  // in place as long as items are whole; only what is cut in two is kept
  if (!partial_.empty()) {
    partial_.insert(partial_.end(), bytes.begin(), bytes.end());
    auto used = take_items(partial_);
    if (!used) return fail(std::move(used).error());
    partial_.erase(partial_.begin(), partial_.begin() + static_cast<std::ptrdiff_t>(*used));
    return {};
  }
  auto used = take_items(bytes);
  if (!used) return fail(std::move(used).error());
  const auto rest = bytes.subspan(*used);
  partial_.assign(rest.begin(), rest.end());
  return {};
}

Result<std::size_t> StreamParser::take_items(std::span<const std::byte> bytes) {
  std::size_t at = 0;
  std::size_t first_page = 0;
  const auto take_pages_before = [&] { take_pages(bytes.subspan(first_page, at - first_page)); };
  while (bytes.size() - at >= sizeof(__u16)) {
    __u16 kind = 0;
    std::memcpy(&kind, bytes.data() + at, sizeof(kind));
    const std::size_t size = item_bytes(kind);
    if (size == 0) return fail(ErrorKind::kFailed, "unknown item in the iterator's stream", kHint);
    if (bytes.size() - at < size) break;
    if (kind != POBPF_ITEM_PAGE) {
      take_pages_before();
      first_page = at + size;
    }
    if (kind == POBPF_ITEM_DETAILED_PAGE) take_detailed_page(bytes.subspan(at, size));
    if (kind == POBPF_ITEM_BLOCKER) std::memcpy(&blockers_.emplace_back(), bytes.data() + at, size);
    if (kind == POBPF_ITEM_WINDOW_STATE)
      std::memcpy(&states_.emplace_back(StateOfWindow{{}, blockers_.size()}).state,
                  bytes.data() + at, size);
    if (kind == POBPF_ITEM_ACCOUNT) {
      pobpf_account window{};
      std::memcpy(&window, bytes.data() + at, size);
      if (expects_records_ && window.emitted != pages_in_window_)
        return fail(ErrorKind::kFailed, "records are missing from the iterator's stream", kHint);
      pages_in_window_ = 0;
      account_.add(window);
      mode_ = static_cast<pobpf_mode>(window.mode);
    }
    at += size;
  }
  take_pages_before();
  return at;
}

void StreamParser::take_pages(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  const std::size_t nr = bytes.size() / sizeof(pobpf_page);
  reserve(nr);
  std::memcpy(pages_.data() + nr_pages_, bytes.data(), bytes.size());
  nr_pages_ += nr;
  pages_in_window_ += nr;
}

void StreamParser::take_detailed_page(std::span<const std::byte> bytes) {
  pobpf_detailed_page item{};
  std::memcpy(&item, bytes.data(), sizeof(item));
  item.page.kind = POBPF_ITEM_PAGE;
  reserve(1);
  pages_[nr_pages_++] = item.page;
  details_.push_back(item.detail);
  ++pages_in_window_;
}

std::vector<WindowBlockers> StreamParser::windows() const {
  std::vector<WindowBlockers> windows;
  windows.reserve(states_.size());
  std::size_t begin = 0;
  for (const StateOfWindow& window : states_) {
    windows.push_back(
        {window.state, std::span(blockers_).subspan(begin, window.blockers_end - begin)});
    begin = window.blockers_end;
  }
  return windows;
}

Status StreamParser::finish() {
  if (!partial_.empty() || pages_in_window_ != 0 || !blockers_.empty())
    return fail(ErrorKind::kFailed, "the iterator's stream ends in the middle of a window", kHint);
  if (!account_.is_balanced())
    return fail(ErrorKind::kFailed, "the pages of the windows do not add up", kHint);
  return {};
}

}  // namespace pobpf
