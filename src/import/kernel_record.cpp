// SPDX-License-Identifier: GPL-2.0-only
#include "import/kernel_record.h"

#include <algorithm>
#include <cstring>

#include "import/record_lines.h"
#include "import/scan.h"

namespace pobpf {
namespace {

/// A record of the kernel has 4096 bytes at most (PAGE_SIZE; 64 KiB on some machines).
constexpr std::size_t kRecordBytesMax = std::size_t{64} << 10;

bool is_name(std::string_view migratetype) {
  return !migratetype.empty() && !is_digit(migratetype.front());
}

/// The line at the beginning, without its end; false if its end is not there.
bool take_line(std::string_view& text, std::string_view& line) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return false;
  line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return true;
}

}  // namespace

void add_unsaid_fields(TextRecord& record) {
  // names came with migrate reasons, in 4.6
  if (is_name(record.block_migratetype) || !record.migrate_reason.empty())
    record.fields = record.fields | PageField::kLastMigrateReason;
  // task names came with cgroups, in 5.18; debuggers tell of neither cgroups nor blocks
  if ((has_field(record.fields, PageField::kComm) && record.block) || record.page.memcg_flags != 0)
    record.fields = record.fields | PageField::kMemcg;
}

KernelRecordParser::Found KernelRecordParser::parse(std::string_view text, TextRecord& record) {
  if (!text.starts_with("Page allocated via order ")) return Found::kOther;
  const Found no_record = text.size() >= kRecordBytesMax ? Found::kOther : Found::kMore;
  const std::string_view whole = text;
  record = {};
  nr_lines_ = 3;
  if (parse_head(text, record) != LineEnd::kComplete || !take(text, "\n")) return no_record;
  if (has_field(record.fields, PageField::kComm))
    nr_lines_ += static_cast<std::size_t>(
        std::count(std::begin(record.page.comm), std::end(record.page.comm), '\n'));
  if (parse_page_line(text, record) != LineEnd::kComplete || !take(text, "\n")) return no_record;
  // without it the line may be wrapped
  if (!record.block) return no_record;
  if (!take_stack(text, record) || !take_rest(text, record)) return no_record;
  add_unsaid_fields(record);
  nr_bytes_ = whole.size() - text.size();
  return Found::kRecord;
}

bool KernelRecordParser::take_stack(std::string_view& text, TextRecord& record) {
  // neighbouring pages mostly have one stack
  const bool is_same = !stack_.empty() && text.size() > stack_.size() &&
                       text[stack_.size()] != ' ' &&
                       std::memcmp(text.data(), stack_.data(), stack_.size()) == 0;
  if (!is_same) {
    std::string_view rest = text;
    std::string_view line;
    std::size_t nr_frames = 0;
    while (rest.starts_with(' ')) {
      if (!take_line(rest, line)) return false;
      ++nr_frames;
    }
    // together, as a stack that goes on behind the text leaves the last one as it was
    stack_.assign(text.substr(0, text.size() - rest.size()));
    nr_frames_ = nr_frames;
  }
  if (!stack_.empty()) record.stack = text.substr(0, stack_.size());
  nr_lines_ += nr_frames_;
  text.remove_prefix(stack_.size());
  return true;
}

bool KernelRecordParser::take_rest(std::string_view& text, TextRecord& record) {
  if (text.starts_with('\n') && record.stack) {
    text.remove_prefix(1);
    return true;
  }
  std::string_view line;
  if (take(text, "handle: ")) {
    if (!take_number(text, record.page.handle) || !take(text, "\n")) return false;
    record.fields = record.fields | PageField::kHandle;
    ++nr_lines_;
  }
  if (take(text, kMigrated)) {
    if (!take_line(text, line) || line.empty()) return false;
    record.migrate_reason = line;
    ++nr_lines_;
  }
  for (const std::string_view word : {"Slab ", "Charged "}) {
    if (!text.starts_with(word)) continue;
    if (!take_line(text, line) || !parse_memcg_line(line, record)) return false;
    ++nr_lines_;
  }
  const bool has_stack = record.stack || has_field(record.fields, PageField::kHandle);
  return has_stack && take(text, "\n");
}

}  // namespace pobpf
