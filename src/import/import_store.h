// SPDX-License-Identifier: GPL-2.0-only
// Records of a text on their way into a snapshot: what repeats gets a number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "import/import_report.h"
#include "import/text_record.h"
#include "model/kernel_facts.h"
#include "model/page_limits.h"
#include "snapshot/snapshot_writer.h"
#include "util/error.h"
#include "util/hash_map.h"

namespace pobpf {

/// Distinct stacks by their text, which is what takes memory here.
///
/// Stacks without a number of their own get one as late as possible, when they are written, so that
/// a number that stands further down is theirs. Numbers that the text uses are never given away.
class StackStore final : public PageContext {
 public:
  /// Says what is wrong with a combination: it contradicts an earlier one, or there are too many.
  using Wrong = const char*;

  /// The entry of a record's stack; `stack` as in TextRecord, `handle` if it stood there. Null if
  /// `wrong` is set.
  std::uint32_t entry_of(std::optional<std::string_view> stack, std::optional<std::uint32_t> handle,
                         Wrong& wrong);
  /// The number of an entry, never changed from now on.
  std::uint32_t handle_of(std::uint32_t number);
  [[nodiscard]] std::uint64_t nr_stacks() const { return entries_.size(); }

  /// Valid until the next call.
  Result<const Stack*> stack(std::uint32_t handle) override;
  Result<std::string_view> cgroup_name(std::uint64_t cgroup_id) override;
  /// The id of the name, from 1; 0: there are too many.
  std::uint64_t cgroup_id(std::string_view name);

 private:
  struct Entry {
    std::string text;  // " frame\n" for each
    std::uint32_t handle = 0;
    bool has_text = false;
    bool is_numbered_here = false;
    bool is_written = false;
  };
  std::uint32_t entry_of_known(std::uint32_t number, std::string_view stack, Wrong& wrong);
  bool set_text(Entry& entry, std::string_view stack, Wrong& wrong);
  std::uint32_t add_entry(std::optional<std::string_view> stack, std::uint32_t handle,
                          Wrong& wrong);
  /// kNone: no entry has it.
  [[nodiscard]] std::uint32_t find_text(std::string_view text) const;

  static constexpr std::uint32_t kNone = UINT32_MAX;
  std::deque<Entry> entries_;  // texts stay where they are
  HashMap<std::string_view, std::uint32_t> entry_of_text_;
  HashMap<std::uint32_t, std::uint32_t> entry_of_handle_;
  std::uint32_t last_entry_ = kNone;
  std::uint32_t next_handle_ = 1;
  std::size_t nr_frames_ = 0;
  std::size_t text_bytes_ = 0;
  Stack stack_;
  std::map<std::string, std::uint64_t, std::less<>> cgroup_ids_;
  std::vector<std::string> cgroups_;
};

/// Texts by mask and word, and names by number.
class TextStore {
 public:
  /// Sets `page.gfp_mask` and so on are left alone: only what stood beside them is remembered, and
  /// the indexes of names are set. Null: all is well, else what contradicts earlier records.
  const char* add(const TextRecord& record, pobpf_page& page, PageFields& fields);
  /// The texts that are new since the last time.
  [[nodiscard]] NewTexts take_new();

 private:
  const char* add_gfp(const TextRecord& record);
  const char* add_flags(const TextRecord& record);
  const char* add_block(const TextRecord& record);
  const char* add_reason(const TextRecord& record, pobpf_page& page);
  static std::optional<unsigned> index_of(std::vector<std::string>& names,
                                          std::map<unsigned, std::string>& new_names,
                                          std::string_view name, std::size_t max);

  HashMap<std::uint32_t, GfpText> gfp_;
  const GfpText* last_gfp_ = nullptr;
  std::uint32_t last_mask_ = 0;
  HashMap<std::uint64_t, std::string> page_flags_;
  const std::string* last_flags_ = nullptr;
  std::uint64_t last_word_ = 0;
  std::size_t text_bytes_ = 0;
  std::vector<std::string> migratetypes_;
  std::vector<std::string> migrate_reasons_;
  std::optional<unsigned> pageblock_order_;
  unsigned pageblock_order_min_ = 0;
  NewTexts new_;
};

class ImportStore {
 public:
  /// `out` and `report` must outlive it.
  ImportStore(std::string& out, int level, ImportReport& report)
      : writer_(stacks_, out, level), report_(report) {}

  [[nodiscard]] Status begin(const SnapshotHeader& header) { return writer_.begin(header); }
  /// Leaves the record out and says so if it contradicts what was before.
  [[nodiscard]] Status add(const TextRecord& record, std::uint64_t line);
  [[nodiscard]] Status end();

 private:
  [[nodiscard]] Status flush_pages();
  /// With what is new of the layout of the pages.
  [[nodiscard]] NewTexts take_new_texts();
  [[nodiscard]] Status flush_groups();
  [[nodiscard]] Status add_group(const TextRecord& record, const pobpf_page& page,
                                 PageFields fields);
  const char* check_size(const TextRecord& record);
  const char* convert(const TextRecord& record, pobpf_page& page, PageFields& fields);

  StackStore stacks_;
  TextStore texts_;
  SnapshotWriter writer_;
  ImportReport& report_;
  // stacks as entries, until they are written
  std::vector<pobpf_page> pages_;
  PageFields fields_ = 0;
  TextLayout layout_;
  TextLayout written_layout_;          // what a reader of the snapshot knows so far
  std::vector<DecodedGroups> groups_;  // each of records of one kind
  std::size_t nr_groups_ = 0;
  std::size_t label_bytes_ = 0;
  PageTotal nr_base_pages_;
};

}  // namespace pobpf
