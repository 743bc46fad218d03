// SPDX-License-Identifier: GPL-2.0-only
// What an import says beside its numbers, between KernelFacts and messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pobpf/error.h"
#include "pobpf/kernel_facts.h"
#include "snapshot.pb.h"

namespace pobpf {

/// Texts that were met since the last time.
struct NewTexts {
  std::vector<std::pair<std::uint32_t, GfpText>> gfp;
  std::vector<std::pair<std::uint64_t, std::string>> page_flags;
  std::vector<std::string> migratetypes;     ///< next names, by index
  std::vector<std::string> migrate_reasons;  ///< likewise
  std::optional<unsigned> pageblock_order;

  [[nodiscard]] bool is_empty() const {
    return gfp.empty() && page_flags.empty() && migratetypes.empty() && migrate_reasons.empty() &&
           !pageblock_order;
  }
};

/// Adds texts [begin, end) of both lists; the names with the first ones.
void write_texts(const NewTexts& texts, std::size_t begin, std::size_t end,
                 snapshot::Texts& message);
/// Of the longer of both lists.
[[nodiscard]] std::size_t nr_texts(const NewTexts& texts);

/// Adds to `facts`, whose names take `names_bytes` so far. Errors say in which way the message
/// contradicts itself or the facts.
[[nodiscard]] Status read_texts(const snapshot::Texts& message, KernelFacts& facts,
                                std::size_t& names_bytes);

}  // namespace pobpf
