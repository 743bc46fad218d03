// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/texts_message.h"

#include <algorithm>
#include <string_view>

#include "snapshot/contradiction.h"
#include "snapshot/format.h"
#include "snapshot/text_list.h"

namespace pobpf {
namespace {

void write_name(unsigned number, std::string_view name, snapshot::Names& message) {
  message.add_number(number);
  append_to_list(*message.mutable_name(), name, kTableNameBytesMax);
}

/// The memory of a text in a map beside its bytes.
constexpr std::uint64_t kTextEntryBytes = 128;

Status check_texts(const snapshot::Texts& message, ReadBudget& budget) {
  const auto nr_gfp = static_cast<std::size_t>(message.gfp_mask_size());
  const auto nr_words = static_cast<std::size_t>(message.flags_word_size());
  if (!is_list_of(message.gfp_names(), nr_gfp, kNameBytesMax) ||
      !is_list_of(message.flags_names(), nr_words, kNameBytesMax) ||
      message.migratetype_mask_size() != message.mask_migratetype_size())
    return contradiction("its texts are too long, or not as many as what they are of");
  if (message.pageblock_order() >= 64) return contradiction("it has an impossible order");
  if (std::ranges::any_of(message.mask_migratetype(),
                          [](std::uint32_t number) { return number >= kTableEntriesMax; }))
    return contradiction("it has an impossible migratetype");
  const auto nr_masks = static_cast<std::size_t>(message.migratetype_mask_size());
  return budget.keep(nr_gfp + nr_masks + nr_words, kTextEntryBytes,
                     message.gfp_names().size() + message.flags_names().size());
}

}  // namespace

std::size_t nr_texts(const NewTexts& texts) {
  return std::max(texts.gfp.size(), texts.page_flags.size());
}

void write_names(const std::vector<std::string>& names, snapshot::Names& message) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (!names[i].empty()) write_name(static_cast<unsigned>(i), names[i], message);
}

bool read_names(const snapshot::Names& message, std::vector<std::string>& names) {
  if (!is_list_of(message.name(), static_cast<std::size_t>(message.number_size()),
                  kTableNameBytesMax))
    return false;
  std::string_view list = message.name();
  for (const std::uint32_t number : message.number()) {
    if (number >= kTableEntriesMax) return false;
    if (names.size() <= number) names.resize(number + 1);
    const std::string_view name = take_text(list);
    if (!names[number].empty() && names[number] != name) return false;
    names[number] = name;
  }
  return true;
}

void write_texts(const NewTexts& texts, std::size_t begin, std::size_t end,
                 snapshot::Texts& message) {
  for (std::size_t i = begin; i < std::min(end, texts.gfp.size()); ++i) {
    const auto& [mask, text] = texts.gfp[i];
    if (text.names) {
      message.add_gfp_mask(mask);
      append_to_list(*message.mutable_gfp_names(), *text.names, kNameBytesMax);
    }
    if (text.migratetype) {
      message.add_migratetype_mask(mask);
      message.add_mask_migratetype(*text.migratetype);
    }
  }
  for (std::size_t i = begin; i < std::min(end, texts.page_flags.size()); ++i) {
    message.add_flags_word(texts.page_flags[i].first);
    append_to_list(*message.mutable_flags_names(), texts.page_flags[i].second, kNameBytesMax);
  }
  if (begin != 0) return;
  for (const auto& [number, name] : texts.migratetypes)
    write_name(number, name, *message.mutable_migratetype());
  for (const auto& [number, name] : texts.migrate_reasons)
    write_name(number, name, *message.mutable_migrate_reason());
  if (texts.pageblock_order) message.set_pageblock_order(*texts.pageblock_order);
  if (texts.is_pfn_decimal) message.set_is_pfn_decimal(*texts.is_pfn_decimal);
  if (texts.shows_free_ts) message.set_shows_free_ts(*texts.shows_free_ts);
}

Status read_texts(const snapshot::Texts& message, KernelFacts& facts, ReadBudget& budget) {
  if (!facts.texts) return contradiction("it has texts of an import, which it is not");
  if (auto status = check_texts(message, budget); !status) return status;
  if (!read_names(message.migratetype(), facts.migratetype_names) ||
      !read_names(message.migrate_reason(), facts.migrate_reason_names))
    return contradiction("it has impossible names");
  ImportedTexts& texts = *facts.texts;
  std::string_view list = message.gfp_names();
  for (const std::uint32_t mask : message.gfp_mask()) texts.gfp[mask].names = take_text(list);
  for (int i = 0; i < message.migratetype_mask_size(); ++i)
    texts.gfp[message.migratetype_mask(i)].migratetype = message.mask_migratetype(i);
  list = message.flags_names();
  for (const std::uint64_t word : message.flags_word()) texts.page_flags[word] = take_text(list);
  if (message.has_pageblock_order()) facts.pageblock_order = message.pageblock_order();
  if (auto& layout = facts.text_layout) {
    if (message.has_is_pfn_decimal()) layout->is_pfn_decimal = message.is_pfn_decimal();
    if (message.has_shows_free_ts()) layout->shows_free_ts = message.shows_free_ts();
  }
  ++texts.version;
  return {};
}

}  // namespace pobpf
