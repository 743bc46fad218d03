// SPDX-License-Identifier: GPL-2.0-only
// A message into one frame of the file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "util/error.h"

struct ZSTD_CCtx_s;

namespace pobpf {

namespace snapshot {
class Item;
}  // namespace snapshot

/// Levels of zstd that can be asked for.
constexpr int kLevelMin = 1;
constexpr int kLevelMax = 19;
/// None of them, but what suits columns.
constexpr int kLevelDefault = 0;

/// Numbers the items that it writes.
class FrameWriter {
 public:
  /// `level` is one of zstd's, from kLevelMin to kLevelMax, or kLevelDefault.
  explicit FrameWriter(int level);
  /// Appends the item, whose index it sets, as a frame. kFailed if there is no memory, or the item
  /// is larger than readers take; then `out` is as it was.
  [[nodiscard]] Status append(snapshot::Item& item, std::string& out);
  [[nodiscard]] std::uint64_t nr_items() const { return nr_items_; }

 private:
  /// Appends content_ as a frame.
  [[nodiscard]] Status compress(std::string& out);

  struct ContextDeleter {
    void operator()(ZSTD_CCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_CCtx_s, ContextDeleter> context_;
  std::uint64_t nr_items_ = 0;
  std::string content_;
};

}  // namespace pobpf
