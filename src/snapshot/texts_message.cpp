// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/texts_message.h"

#include <algorithm>

#include "snapshot/contradiction.h"
#include "snapshot/format.h"

namespace pobpf {
namespace {

template <typename Names>
Status append_names(const Names& messages, std::vector<std::string>& names) {
  if (names.size() + static_cast<std::size_t>(messages.size()) > kTableEntriesMax)
    return contradiction("it has more names than there can be");
  for (const std::string& name : messages)
    if (name.size() > kNameBytesMax) return contradiction("a name is too long");
  names.insert(names.end(), messages.begin(), messages.end());
  return {};
}

/// Of the texts of a message; no value: one is too long.
std::optional<std::size_t> texts_bytes(const snapshot::Texts& message) {
  std::size_t bytes = 0;
  for (const auto& text : message.gfp()) {
    if (text.names().size() > kNameBytesMax) return std::nullopt;
    bytes += text.names().size();
  }
  for (const auto& text : message.page_flags()) {
    if (text.name().size() > kNameBytesMax) return std::nullopt;
    bytes += text.name().size();
  }
  return bytes;
}

}  // namespace

std::size_t nr_texts(const NewTexts& texts) {
  return std::max(texts.gfp.size(), texts.page_flags.size());
}

void write_texts(const NewTexts& texts, std::size_t begin, std::size_t end,
                 snapshot::Texts& message) {
  for (std::size_t i = begin; i < std::min(end, texts.gfp.size()); ++i) {
    snapshot::GfpText& text = *message.add_gfp();
    text.set_mask(texts.gfp[i].first);
    if (texts.gfp[i].second.names) text.set_names(*texts.gfp[i].second.names);
    if (texts.gfp[i].second.migratetype) text.set_migratetype(*texts.gfp[i].second.migratetype);
  }
  for (std::size_t i = begin; i < std::min(end, texts.page_flags.size()); ++i) {
    snapshot::FlagName& text = *message.add_page_flags();
    text.set_mask(texts.page_flags[i].first);
    text.set_name(texts.page_flags[i].second);
  }
  if (begin != 0) return;
  for (const std::string& name : texts.migratetypes) message.add_migratetype(name);
  for (const std::string& name : texts.migrate_reasons) message.add_migrate_reason(name);
  if (texts.pageblock_order) message.set_pageblock_order(*texts.pageblock_order);
}

Status read_texts(const snapshot::Texts& message, KernelFacts& facts, std::size_t& names_bytes) {
  if (!facts.texts) return contradiction("it has texts of an import, which it is not");
  const auto bytes = texts_bytes(message);
  if (!bytes) return contradiction("a text is too long");
  if (names_bytes + *bytes > kNamesBytesMax) return contradiction("its texts take too much memory");
  ImportedTexts& texts = *facts.texts;
  if (texts.gfp.size() + static_cast<std::size_t>(message.gfp_size()) > kTextsMax ||
      texts.page_flags.size() + static_cast<std::size_t>(message.page_flags_size()) > kTextsMax)
    return contradiction("it has more texts than there can be");
  constexpr unsigned kBits = 64;
  if (message.pageblock_order() >= kBits) return contradiction("it has an order that cannot be");
  if (auto status = append_names(message.migratetype(), facts.migratetype_names); !status)
    return status;
  if (auto status = append_names(message.migrate_reason(), facts.migrate_reason_names); !status)
    return status;
  names_bytes += *bytes;
  for (const auto& text : message.gfp()) {
    GfpText& known = texts.gfp[text.mask()];
    if (text.has_names()) known.names = text.names();
    if (text.has_migratetype()) known.migratetype = text.migratetype();
  }
  for (const auto& text : message.page_flags()) texts.page_flags[text.mask()] = text.name();
  if (message.has_pageblock_order()) facts.pageblock_order = message.pageblock_order();
  return {};
}

}  // namespace pobpf
