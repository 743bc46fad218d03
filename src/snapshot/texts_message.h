// SPDX-License-Identifier: GPL-2.0-only
// Names by number, and what an import says beside its numbers, between KernelFacts and messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/kernel_facts.h"
#include "snapshot.pb.h"
#include "snapshot/read_budget.h"
#include "util/error.h"

namespace pobpf {

/// Texts that were met since the last time.
struct NewTexts {
  std::vector<std::pair<std::uint32_t, GfpText>> gfp;
  std::vector<std::pair<std::uint64_t, std::string>> page_flags;
  std::map<unsigned, std::string> migratetypes;     ///< by number
  std::map<unsigned, std::string> migrate_reasons;  ///< likewise
  std::optional<unsigned> pageblock_order;
  // of TextLayout
  std::optional<bool> is_pfn_decimal;
  std::optional<bool> shows_free_ts;

  [[nodiscard]] bool is_empty() const {
    return gfp.empty() && page_flags.empty() && migratetypes.empty() && migrate_reasons.empty() &&
           !pageblock_order && !is_pfn_decimal && !shows_free_ts;
  }
};

void write_names(const std::vector<std::string>& names, snapshot::Names& message);
/// Adds to `names`. False: the message says what cannot be, or another name of a number.
[[nodiscard]] bool read_names(const snapshot::Names& message, std::vector<std::string>& names);

/// Adds texts [begin, end) of both lists; the names with the first ones.
void write_texts(const NewTexts& texts, std::size_t begin, std::size_t end,
                 snapshot::Texts& message);
/// The length of the longer list.
[[nodiscard]] std::size_t nr_texts(const NewTexts& texts);

/// Adds to `facts`. Errors say in which way the message contradicts itself or the facts.
[[nodiscard]] Status read_texts(const snapshot::Texts& message, KernelFacts& facts,
                                ReadBudget& budget);

}  // namespace pobpf
