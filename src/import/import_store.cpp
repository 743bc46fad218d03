// SPDX-License-Identifier: GPL-2.0-only
#include "import/import_store.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "import/record_lines.h"
#include "snapshot/format.h"

namespace pobpf {
namespace {

// Limits of what an importer keeps; a snapshot of a text with more than that may be more than a
// reader takes.
constexpr std::size_t kStacksMax = std::size_t{1} << 20;
constexpr std::size_t kFramesMax = std::size_t{1} << 24;
constexpr std::size_t kCgroupsMax = std::size_t{1} << 20;
constexpr std::size_t kNamesBytesMax = std::size_t{256} << 20;
/// Words of flags hold the CPU and a part of the PID of who touched the page last.
constexpr std::size_t kTextsMax = std::size_t{1} << 20;
/// Memory for the texts of masks and words, beyond that of the stacks.
constexpr std::size_t kTextsBytesMax = std::size_t{24} << 20;
constexpr std::size_t kLabelsBytesMax = std::size_t{512} << 10;

constexpr const char* kOtherStack = "its handle is the number of another stack";
constexpr const char* kTooManyStacks = "there are more stacks than a snapshot holds";

/// Frames of " frame\n" lines; no value: it is something else.
std::optional<std::vector<Frame>> parse_stack(std::string_view text) {
  std::vector<Frame> frames;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos || text.front() != ' ') return std::nullopt;
    const std::string_view line = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    FrameText frame;
    if (line == "...") {
      frame.symbol = line;
    } else if (!parse_frame(line, frame)) {
      return std::nullopt;
    }
    if (frame.symbol.empty()) continue;
    frames.push_back({frame.address, std::string(frame.symbol)});
  }
  return frames;
}

}  // namespace

std::uint32_t StackStore::entry_of(std::optional<std::string_view> stack,
                                   std::optional<std::uint32_t> handle, Wrong& wrong) {
  if (!handle) {
    if (last_entry_ != kNone && entries_[last_entry_].text == *stack) return last_entry_;
    std::uint32_t entry = find_text(*stack);
    if (entry == kNone) entry = add_entry(stack, 0, wrong);
    if (wrong == nullptr) last_entry_ = entry;
    return entry;
  }
  const auto known = entry_of_handle_.find(*handle);
  if (known != entry_of_handle_.end()) {
    if (stack) return entry_of_known(known->second, *stack, wrong);
    if (entries_[known->second].is_numbered_here) wrong = kOtherStack;
    return known->second;
  }
  if (stack) {
    const std::uint32_t entry = find_text(*stack);
    if (entry != kNone && entries_[entry].handle == 0) {
      entries_[entry].handle = *handle;
      entry_of_handle_[*handle] = entry;
      return entry;
    }
  }
  return add_entry(stack, *handle, wrong);
}

/// The entry has the handle of a record, of which the stack stands there too.
std::uint32_t StackStore::entry_of_known(std::uint32_t number, std::string_view stack,
                                         Wrong& wrong) {
  Entry& entry = entries_[number];
  if (entry.has_text) {
    if (entry.text != stack) wrong = kOtherStack;
    // by chance it was given the number that is its own
    entry.is_numbered_here = entry.is_numbered_here && wrong != nullptr;
    return number;
  }
  if (entry.is_written) return wrong = "its stack comes too late behind its handle", number;
  const std::uint32_t same = find_text(stack);
  if (same != kNone && entries_[same].handle == 0) {
    entries_[same].handle = entry.handle;
    entry_of_handle_[entry.handle] = same;
    return same;
  }
  if (set_text(entry, stack, wrong)) entry_of_text_.emplace(entry.text, number);
  return number;
}

bool StackStore::set_text(Entry& entry, std::string_view stack, Wrong& wrong) {
  const auto frames = parse_stack(stack);
  if (!frames) {
    wrong = "a frame of its stack is not understood";
  } else if (nr_frames_ + frames->size() > kFramesMax ||
             text_bytes_ + stack.size() > kNamesBytesMax) {
    wrong = kTooManyStacks;
  } else {
    nr_frames_ += frames->size();
    text_bytes_ += stack.size();
    entry.text = stack;
    entry.has_text = true;
  }
  return wrong == nullptr;
}

std::uint32_t StackStore::add_entry(std::optional<std::string_view> stack, std::uint32_t handle,
                                    Wrong& wrong) {
  Entry entry;
  entry.handle = handle;
  if (entries_.size() >= kStacksMax) return wrong = kTooManyStacks, kNone;
  if (stack && !set_text(entry, *stack, wrong)) return kNone;
  const auto number = static_cast<std::uint32_t>(entries_.size());
  entries_.push_back(std::move(entry));
  if (handle != 0) entry_of_handle_[handle] = number;
  if (stack) entry_of_text_.emplace(entries_.back().text, number);
  return number;
}

std::uint32_t StackStore::find_text(std::string_view text) const {
  const auto found = entry_of_text_.find(text);
  return found == entry_of_text_.end() ? kNone : found->second;
}

std::uint32_t StackStore::handle_of(std::uint32_t number) {
  Entry& entry = entries_[number];
  entry.is_written = true;
  if (entry.handle != 0) return entry.handle;
  while (entry_of_handle_.contains(next_handle_)) ++next_handle_;
  entry.handle = next_handle_++;
  entry.is_numbered_here = true;
  entry_of_handle_[entry.handle] = number;
  return entry.handle;
}

Result<const Stack*> StackStore::stack(std::uint32_t handle) {
  const auto found = entry_of_handle_.find(handle);
  if (found == entry_of_handle_.end() || !entries_[found->second].has_text)
    return fail(ErrorKind::kFailed, "the imported text has only numbers in place of stacks");
  stack_.frames = parse_stack(entries_[found->second].text).value_or(std::vector<Frame>());
  return &stack_;
}

Result<std::string_view> StackStore::cgroup_name(std::uint64_t cgroup_id) {
  if (cgroup_id == 0 || cgroup_id > cgroups_.size())
    return fail(ErrorKind::kFailed, "no such cgroup");
  return std::string_view(cgroups_[cgroup_id - 1]);
}

std::uint64_t StackStore::cgroup_id(std::string_view name) {
  const auto known = cgroup_ids_.find(name);
  if (known != cgroup_ids_.end()) return known->second;
  if (cgroups_.size() >= kCgroupsMax || text_bytes_ + name.size() > kNamesBytesMax) return 0;
  text_bytes_ += name.size();
  cgroups_.emplace_back(name);
  cgroup_ids_.emplace(name, cgroups_.size());
  return cgroups_.size();
}

std::optional<unsigned> TextStore::index_of(std::vector<std::string>& names,
                                            std::map<unsigned, std::string>& new_names,
                                            std::string_view name, std::size_t max) {
  const auto known = std::find(names.begin(), names.end(), name);
  const auto index = static_cast<unsigned>(known - names.begin());
  if (known != names.end()) return index;
  if (names.size() >= max || name.size() > kTableNameBytesMax) return std::nullopt;
  names.emplace_back(name);
  new_names.emplace(index, name);
  return index;
}

const char* TextStore::add(const TextRecord& record, pobpf_page& page, PageFields& fields) {
  if (has_field(fields, PageField::kGfpMask))
    if (const char* wrong = add_gfp(record); wrong != nullptr) return wrong;
  if (const char* wrong = add_flags(record); wrong != nullptr) return wrong;
  if (!record.block_migratetype.empty()) {
    if (const char* wrong = add_block(record); wrong != nullptr) return wrong;
    const auto index =
        index_of(migratetypes_, new_.migratetypes, record.block_migratetype, UINT8_MAX);
    if (!index) return "there are more migratetypes than a snapshot holds";
    page.pageblock_migratetype = static_cast<__u8>(*index);
    fields = fields | PageField::kPageblockMigratetype;
  }
  if (has_field(fields, PageField::kLastMigrateReason)) return add_reason(record, page);
  return nullptr;
}

const char* TextStore::add_gfp(const TextRecord& record) {
  const std::uint32_t mask = record.page.gfp_mask;
  const bool is_last = last_gfp_ != nullptr && mask == last_mask_;
  auto known = is_last ? gfp_.end() : gfp_.find(mask);
  const GfpText* text = is_last ? last_gfp_ : known == gfp_.end() ? nullptr : &known->second;
  const bool has_all = text != nullptr && (!record.gfp_names || text->names) &&
                       (record.migratetype.empty() || text->migratetype);
  if (!has_all) {
    // the first, or one that says more
    if (gfp_.size() >= kTextsMax || text_bytes_ > kTextsBytesMax)
      return "there are more gfp masks than pobpf keeps";
    GfpText merged = text == nullptr ? GfpText() : *text;
    if (record.gfp_names && !merged.names) merged.names = *record.gfp_names;
    if (!record.migratetype.empty() && !merged.migratetype) {
      merged.migratetype =
          index_of(migratetypes_, new_.migratetypes, record.migratetype, UINT8_MAX);
      if (!merged.migratetype) return "there are more migratetypes than a snapshot holds";
    }
    text_bytes_ += sizeof(GfpText) + (merged.names ? merged.names->size() : 0);
    new_.gfp.emplace_back(mask, merged);
    text = &(gfp_[mask] = std::move(merged));
  }
  last_gfp_ = text;
  last_mask_ = mask;
  if (record.gfp_names && *text->names != *record.gfp_names)
    return "its gfp mask had other names before: a text of another kernel?";
  if (!record.migratetype.empty() && migratetypes_[*text->migratetype] != record.migratetype)
    return "its gfp mask had another migratetype before: a text of another kernel?";
  return nullptr;
}

const char* TextStore::add_flags(const TextRecord& record) {
  std::string letters;
  std::string_view names;
  if (has_field(record.fields, PageField::kFlagNames)) {
    letters = flag_letter_names(record.page.flags);
    names = letters;
  } else if (record.flag_names) {
    names = *record.flag_names;
  } else {
    return nullptr;
  }
  const std::uint64_t word = record.page.flags;
  if (last_flags_ == nullptr || word != last_word_) {
    auto known = page_flags_.find(word);
    if (known == page_flags_.end()) {
      if (page_flags_.size() >= kTextsMax || text_bytes_ > kTextsBytesMax)
        return "there are more words of page flags than pobpf keeps";
      text_bytes_ += sizeof(*known) + names.size();
      new_.page_flags.emplace_back(word, names);
      known = page_flags_.emplace(word, names).first;
    }
    last_flags_ = &known->second;
    last_word_ = word;
  }
  return *last_flags_ == names ? nullptr
                               : "its page flags had other names before: a text of another kernel?";
}

/// pageblock_order follows from a PFN and its block.
const char* TextStore::add_block(const TextRecord& record) {
  if (!record.block || !has_field(record.fields, PageField::kPfn)) return nullptr;
  constexpr const char* kWrong = "its pageblock does not fit its PFN as those before do";
  const std::uint64_t pfn = record.page.pfn;
  const std::uint64_t block = *record.block;
  if (pageblock_order_) return pfn >> *pageblock_order_ == block ? nullptr : kWrong;
  const auto pfn_bits = static_cast<unsigned>(std::bit_width(pfn));
  if (block == 0) {
    constexpr unsigned kBitsMax = 63;
    if (pfn_bits > kBitsMax) return kWrong;
    pageblock_order_min_ = std::max(pageblock_order_min_, pfn_bits);
    new_.pageblock_order = pageblock_order_min_;
    return nullptr;
  }
  const auto block_bits = static_cast<unsigned>(std::bit_width(block));
  if (block_bits > pfn_bits) return kWrong;
  const unsigned order = pfn_bits - block_bits;
  if (order < pageblock_order_min_ || pfn >> order != block) return kWrong;
  pageblock_order_ = order;
  new_.pageblock_order = order;
  return nullptr;
}

const char* TextStore::add_reason(const TextRecord& record, pobpf_page& page) {
  page.last_migrate_reason = -1;
  if (record.migrate_reason.empty()) return nullptr;
  const auto index =
      index_of(migrate_reasons_, new_.migrate_reasons, record.migrate_reason, kTableEntriesMax);
  if (!index) return "there are more migrate reasons than a snapshot holds";
  page.last_migrate_reason = static_cast<__s16>(*index);
  return nullptr;
}

NewTexts TextStore::take_new() { return std::exchange(new_, {}); }

/// As snapshots are read: what says more than a machine can have is not believed.
const char* ImportStore::check_size(const TextRecord& record) {
  const std::uint32_t order = record.page.order;
  if (order > kOrderMax) return "its order is one that no kernel has";
  const std::uint64_t claimed = record.is_group
                                    ? claimed_pages(record.nr_pages, record.nr_allocations, order)
                                    : std::uint64_t{1} << order;
  return nr_base_pages_.add(claimed) ? nullptr : "there is more memory than a machine can have";
}

const char* ImportStore::convert(const TextRecord& record, pobpf_page& page, PageFields& fields) {
  page = record.page;
  page.kind = record.is_freed ? POBPF_ITEM_FREED_PAGE : POBPF_ITEM_PAGE;
  fields = record.fields;
  if (const char* wrong = check_size(record); wrong != nullptr) return wrong;
  if (const char* wrong = texts_.add(record, page, fields); wrong != nullptr) return wrong;
  if (!record.cgroup.empty()) {
    page.cgroup_id = stacks_.cgroup_id(record.cgroup);
    if (page.cgroup_id == 0) return "there are more cgroups than a snapshot holds";
  }
  std::optional<std::uint32_t> handle;
  if (has_field(fields, PageField::kHandle)) handle = record.page.handle;
  if (!handle && !record.stack) return nullptr;
  const char* wrong = nullptr;
  page.handle = stacks_.entry_of(record.stack, handle, wrong);
  fields = fields | PageField::kHandle;
  return wrong;
}

Status ImportStore::add(const TextRecord& record, std::uint64_t line) {
  pobpf_page page{};
  PageFields fields = 0;
  if (const char* wrong = convert(record, page, fields); wrong != nullptr) {
    report_.add_dropped(line, wrong);
    return {};
  }
  if (record.is_group) return add_group(record, page, fields);
  const TextLayout layout{record.is_pfn_decimal.value_or(layout_.is_pfn_decimal),
                          has_field(fields, PageField::kFreeTsNsec)};
  if (fields != fields_ || layout != layout_ || pages_.size() == kBlockPagesMax)
    if (auto status = flush_pages(); !status) return status;
  fields_ = fields;
  layout_ = layout;
  pages_.push_back(page);
  return {};
}

Status ImportStore::add_group(const TextRecord& record, const pobpf_page& page, PageFields fields) {
  if (nr_groups_ == kBlockPagesMax || label_bytes_ > kLabelsBytesMax)
    if (auto status = flush_groups(); !status) return status;
  const bool is_of_last =
      !groups_.empty() && groups_.back().records.fields == fields &&
      groups_.back().nr_allocations.empty() != record.nr_allocations.has_value() &&
      groups_.back().nr_pages.empty() != record.nr_pages.has_value() &&
      groups_.back().labels.empty() == record.label.empty();
  if (!is_of_last) groups_.emplace_back();
  DecodedGroups& groups = groups_.back();
  groups.records.fields = fields;
  groups.records.pages.push_back(page);
  if (record.nr_allocations) groups.nr_allocations.push_back(*record.nr_allocations);
  if (record.nr_pages) groups.nr_pages.push_back(*record.nr_pages);
  if (!record.label.empty()) groups.labels.emplace_back(record.label);
  label_bytes_ += record.label.size();
  ++nr_groups_;
  return {};
}

NewTexts ImportStore::take_new_texts() {
  NewTexts texts = texts_.take_new();
  const TextLayout before = std::exchange(written_layout_, layout_);
  if (layout_.is_pfn_decimal != before.is_pfn_decimal)
    texts.is_pfn_decimal = layout_.is_pfn_decimal;
  if (layout_.shows_free_ts != before.shows_free_ts) texts.shows_free_ts = layout_.shows_free_ts;
  return texts;
}

Status ImportStore::flush_pages() {
  if (pages_.empty()) return {};
  if (has_field(fields_, PageField::kHandle))
    for (pobpf_page& page : pages_) page.handle = stacks_.handle_of(page.handle);
  if (auto status = writer_.append(take_new_texts()); !status) return status;
  if (auto status = writer_.append(pages_, fields_); !status) return status;
  report_.nr_pages += pages_.size();
  report_.nr_freed_pages +=
      static_cast<std::uint64_t>(std::count_if(pages_.begin(), pages_.end(), is_freed));
  pages_.clear();
  return {};
}

Status ImportStore::flush_groups() {
  if (auto status = writer_.append(texts_.take_new()); !status) return status;
  for (DecodedGroups& groups : groups_) {
    if (has_field(groups.records.fields, PageField::kHandle))
      for (pobpf_page& page : groups.records.pages) page.handle = stacks_.handle_of(page.handle);
    if (auto status = writer_.append(groups); !status) return status;
    report_.nr_groups += groups.records.pages.size();
  }
  groups_.clear();
  nr_groups_ = label_bytes_ = 0;
  return {};
}

Status ImportStore::end() {
  if (auto status = flush_pages(); !status) return status;
  if (auto status = flush_groups(); !status) return status;
  report_.nr_stacks = writer_.written().nr_stacks;
  return writer_.end(std::nullopt);
}

}  // namespace pobpf
