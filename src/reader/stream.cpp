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
    case POBPF_ITEM_ACCOUNT:
      return sizeof(pobpf_account);
    default:
      return 0;
  }
}

}  // namespace

Status StreamParser::feed(std::span<const std::byte> bytes) {
  pages_.clear();
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
  while (bytes.size() - at >= sizeof(__u16)) {
    __u16 kind = 0;
    std::memcpy(&kind, bytes.data() + at, sizeof(kind));
    const std::size_t size = item_bytes(kind);
    if (size == 0) return fail(ErrorKind::kFailed, "unknown item in the iterator's stream", kHint);
    if (bytes.size() - at < size) break;
    if (kind == POBPF_ITEM_PAGE) {
      pages_.emplace_back();
      std::memcpy(&pages_.back(), bytes.data() + at, size);
      ++pages_in_window_;
    } else {
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
  return at;
}

Status StreamParser::finish() {
  if (!partial_.empty() || pages_in_window_ != 0)
    return fail(ErrorKind::kFailed, "the iterator's stream ends in the middle of a window", kHint);
  if (!account_.is_balanced())
    return fail(ErrorKind::kFailed, "the pages of the windows do not add up", kHint);
  return {};
}

}  // namespace pobpf
