// SPDX-License-Identifier: GPL-2.0-only
#include "import/record_assembler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "import/kernel_record.h"
#include "import/record_lines.h"
#include "import/scan.h"
#include "snapshot/format.h"

namespace pobpf {
namespace {

/// Pieces that a line may have been wrapped into.
constexpr std::size_t kJoinedLinesMax = 16;
constexpr std::size_t kJoinedBytesMax = 8192;

/// "[   12.345678] ", "[Mon Nov 23 16:32:20 2026] ", then "[  T123] " or "[C1] ".
bool take_time_stamp(std::string_view& text) {
  if (!text.starts_with('[')) return false;
  const std::size_t end = text.find(']');
  if (end > 40) return false;
  const std::string_view inside = trim_left(text.substr(1, end - 1));
  const std::size_t point = inside.find('.');
  const bool is_seconds =
      point != std::string_view::npos && point != 0 && point + 1 < inside.size() &&
      std::all_of(inside.begin(), inside.end(), [](char c) { return is_digit(c) || c == '.'; });
  const bool is_date = std::count(inside.begin(), inside.end(), ':') == 2 && inside.size() >= 20;
  if (!is_seconds && !is_date) return false;
  text.remove_prefix(end + 1);
  std::string_view rest = trim_left(text);
  if (rest.size() > 3 && rest.front() == '[') {
    const std::size_t caller_end = rest.find(']');
    const std::string_view caller =
        caller_end == std::string_view::npos ? "" : trim_left(rest.substr(1, caller_end - 1));
    if (caller.size() > 1 && (caller.front() == 'T' || caller.front() == 'C') &&
        std::all_of(caller.begin() + 1, caller.end(), is_digit))
      text = rest.substr(caller_end + 1);
  }
  return true;
}

/// "<4>" in front of messages, "Nov 23 10:00:00 host kernel: " of a log daemon.
void take_log_prefix(std::string_view& text) {
  if (text.size() > 2 && text[0] == '<' && is_digit(text[1])) {
    const std::size_t end = text.find('>');
    if (end <= 4) text.remove_prefix(end + 1);
  }
  constexpr std::string_view kKernel = " kernel: ";
  const std::size_t kernel = text.substr(0, 100).find(kKernel);
  if (kernel == std::string_view::npos) return;
  // behind a time of day, so that a name is not taken for it
  const std::string_view head = text.substr(0, kernel);
  if (std::count(head.begin(), head.end(), ':') >= 2 && head.find('(') == std::string_view::npos)
    text.remove_prefix(kernel + kKernel.size());
}

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return text.starts_with(word); });
}

/// Lines that say nothing a snapshot has a place for: vendors' and proposed additions to records,
/// and what the kernel's log says around them.
bool is_unkept(std::string_view text) {
  return starts_with_any(
      text, {"SLAB_PAGE ", "FILE_PAGE ", "page dumped because:",
             "page_owner free stack trace missing", "page_owner allocation stack trace missing",
             "raw: ", "head:", "page_type: ", "memcg:", "page->mem_cgroup:", "aops:", "name:\""});
}

/// Lines of a page in a message that have no word of their own: what its mapping is, the rest of
/// its raw words.
bool is_unkept_of_page(std::string_view text) {
  std::string_view rest = text;
  const std::string_view word = take_word(rest);
  if (word == "anon" || word == "ksm" || word.ends_with("_aops") || word.ends_with("_operations"))
    return true;
  return word.size() >= 8 && std::all_of(text.begin(), text.end(),
                                         [](char c) { return is_hex_digit(c) || is_blank(c); });
}

/// The rest of a line that begins with "page:".
bool is_rest_of_page_message(std::string_view text) {
  return starts_with_any(
      text, {"refcount:", "count:", "mapcount:", "mapping:", "index:", "pfn:", "compound_mapcount:",
             "entire_mapcount:", "nr_pages_mapped:", "pincount:"});
}

/// "pfn:0x1" anywhere in the line.
std::optional<std::uint64_t> find_pfn(std::string_view text) {
  constexpr std::string_view kKey = "pfn:";
  const std::size_t at = text.rfind(kKey);
  if (at == std::string_view::npos || (at != 0 && text[at - 1] != ' ')) return std::nullopt;
  std::string_view digits = text.substr(at + kKey.size());
  pobpf::take(digits, "0x");
  std::uint64_t pfn = 0;
  return take_number(digits, pfn, 16) ? std::optional(pfn) : std::nullopt;
}

/// Whether a stack follows that does not tell of the allocation of a page.
bool is_heading_of_other_stack(std::string_view text) {
  return starts_with_any(
      text, {"Call Trace:", "Call trace:", "Allocated by task ", "Freed by task ", "Allocated in ",
             "Freed in ", "Last potentially related work creation:",
             "Second to last potentially related work creation:"});
}

/// With blanks in place of what pages of the web have instead.
std::string with_blanks(std::string_view text) {
  constexpr std::string_view kNoBreakSpace = "\xc2\xa0";
  std::string spaced;
  for (;;) {
    const std::size_t end = text.find(kNoBreakSpace);
    spaced += text.substr(0, end);
    if (end == std::string_view::npos) return spaced;
    spaced += ' ';
    text.remove_prefix(end + kNoBreakSpace.size());
  }
}

/// "[alloc]", "free" and the like, in front of crash's stacks.
bool is_alloc_heading(std::string_view text) { return text == "[alloc]" || text == "alloc"; }
bool is_free_heading(std::string_view text) { return text == "[free]" || text == "free"; }

bool is_head(std::string_view text) {
  return starts_with_any(text,
                         {"Page allocated via order ", "page allocated via order ",
                          "Page last allocated via order ", "page last allocated via order "});
}

}  // namespace

/// Finds what stands in front of the text of a line: quotes, comment signs, time stamps, blanks.
std::string_view RecordAssembler::strip(std::string_view line) {
  prefix_ = Prefix::kNone;
  if (line.ends_with('\r')) line.remove_suffix(1);
  // what some editors begin a text with
  if (number_ == 1) pobpf::take(line, "\xef\xbb\xbf");
  std::string_view text = trim_left(line);
  while (text.starts_with('>') || text.starts_with('#')) {
    prefix_ = Prefix::kQuote;
    text = trim_left(text.substr(1));
  }
  take_log_prefix(text);
  if (take_time_stamp(text)) prefix_ = Prefix::kTime;
  return trim_left(text);
}

Status RecordAssembler::add(std::string_view line, std::uint64_t number, bool is_too_long) {
  number_ = number;
  raw_ = line;
  if (is_too_long) {
    report_.add_unknown(number, line, "too long a line");
    if (is_open_ && pending_.wrong.empty()) pending_.wrong = "too long a line in it";
    return {};
  }
  const std::string_view text = strip(line);
  if (prefix_ == Prefix::kTime) last_stamped_ = number;
  Status status;
  if (joining_ != Joining::kNothing && continue_joining(text, status)) return status;
  if (joining_ == Joining::kNothing) begin_prefix_ = prefix_;
  return take(text);
}

Status RecordAssembler::end(bool is_cut) {
  if (joining_ != Joining::kNothing && is_open_) is_cut = true;
  joining_ = Joining::kNothing;
  // a record of the kernel has a stack, or the number of one
  const bool is_short = is_open_ && !pending_.is_group && pending_.stage != Stage::kStack &&
                        pending_.stage != Stage::kTail && pending_.stage != Stage::kFreed;
  return finish(is_cut || is_short);
}

Status RecordAssembler::take(std::string_view text) {
  if (is_open_ && pending_.stage == Stage::kHead && rejoin_name()) return {};
  if (trim_right(text).empty()) {
    is_in_other_stack_ = false;
    if (prefix_ != Prefix::kTime) context_.reset();
    return finish(false);
  }
  if (is_head(text)) return take_head(text, text.front() == 'p');
  // without a PFN it is what `pobpf report` prints of a message
  const bool has_no_pfn = is_open_ && pending_.stage == Stage::kHead && !pending_.head.empty() &&
                          !pending_.is_message && starts_with_any(text, {"type ", "Flags 0x"});
  if (text.starts_with("PFN") || has_no_pfn) return take_page_line(text);
  bool is_taken = false;
  if (auto status = take_group_head(text, is_taken); is_taken || !status) return status;
  if (auto status = take_sum(text, is_taken); is_taken || !status) return status;
  Status status;
  if (take_message(text, status)) return status;
  if (take_tail(text)) return {};
  if (take_frame(text, status)) return status;
  return take_unknown(text);
}

void RecordAssembler::open(bool is_group) {
  pending_ = {};
  pending_.line = number_;
  pending_.is_group = is_group;
  is_open_ = true;
  is_in_other_stack_ = false;
}

Status RecordAssembler::take_head(std::string_view text, bool is_message) {
  const bool belongs = is_open_ && pending_.head.empty() && pending_.stack.empty() &&
                       (pending_.is_crash || pending_.is_group);
  if (!belongs) {
    if (auto status = finish(false); !status) return status;
    open(false);
  }
  pending_.context = std::exchange(context_, std::nullopt).value_or(MessageContext());
  pending_.is_message = is_message;
  pending_.head = text;
  pending_.stage = Stage::kHead;
  nr_joined_ = 0;
  check_head();
  return {};
}

/// Whether the head is whole, and what is not understood of it.
void RecordAssembler::check_head() {
  TextRecord record;
  std::string_view rest = pending_.head;
  const LineEnd end = parse_head(rest, record);
  if (end == LineEnd::kComplete) {
    joining_ = Joining::kNothing;
    rest = trim_right(rest);
    if (!rest.empty()) report_.add_unknown(number_, rest, "the rest of the line is not understood");
    return;
  }
  const bool is_ambiguous = end == LineEnd::kCutInName && prefix_ != Prefix::kNone;
  if (end == LineEnd::kWrong || is_ambiguous) {
    joining_ = Joining::kNothing;
    pending_.wrong = is_ambiguous ? "a wrapped task name: what was between its halves is not known"
                                  : "the first line is not understood";
    return;
  }
  joining_ = Joining::kHead;
}

Status RecordAssembler::take_page_line(std::string_view text) {
  const bool is_next = is_open_ && pending_.stage == Stage::kHead && pending_.page_line.empty() &&
                       !pending_.head.empty() && !pending_.is_message;
  if (!is_next) {
    if (auto status = finish(false); !status) return status;
    open(false);
    TextRecord record;
    std::string_view rest = text;
    pending_.is_crash = parse_page_line(rest, record) == LineEnd::kComplete && !record.block &&
                        text.find("(0x") != std::string_view::npos;
    if (!pending_.is_crash) pending_.wrong = "a record without its first line";
  }
  pending_.page_line = text.starts_with("PFN") ? "" : " ";
  pending_.page_line += text;
  pending_.stage = Stage::kPage;
  nr_joined_ = 0;
  check_page_line();
  return {};
}

void RecordAssembler::check_page_line() {
  TextRecord record;
  std::string_view rest = pending_.page_line;
  const LineEnd end = parse_page_line(rest, record);
  joining_ = end == LineEnd::kCut ? Joining::kPage : Joining::kNothing;
  if (end == LineEnd::kWrong && pending_.wrong.empty())
    pending_.wrong = "the line of its PFN is not understood";
  rest = trim_right(rest);
  if (end == LineEnd::kComplete && !rest.empty())
    report_.add_unknown(number_, rest, "the rest of the line is not understood");
}

/// "12 times, 34 pages, PID 1, TGID 1, task_comm_name: init, allocated by SLAB:" of page_owner_sort
Status RecordAssembler::take_group_head(std::string_view text, bool& is_taken) {
  std::uint64_t nr_allocations = 0;
  std::uint64_t nr_pages = 0;
  std::string_view rest = trim_right(text);
  if (!take_number(rest, nr_allocations) || !pobpf::take(rest, " times")) return {};
  const bool has_pages = pobpf::take(rest, ", ") && take_number(rest, nr_pages);
  if (has_pages && !pobpf::take(rest, " pages")) return {};
  const bool has_record = rest.ends_with(':');
  if (has_record) rest.remove_suffix(1);
  if (!rest.empty() && !rest.starts_with(", ") && !rest.starts_with(" (")) return {};
  is_taken = true;
  if (auto status = finish(false); !status) return status;
  open(true);
  pending_.nr_allocations = nr_allocations;
  if (has_pages) pending_.nr_pages = nr_pages;
  __s32 number = 0;
  if (std::string_view at = rest; pobpf::take(at, ", PID ") && take_number(at, number)) {
    pending_.pid = number;
    rest = at;
  }
  if (std::string_view at = rest; pobpf::take(at, ", TGID ") && take_number(at, number)) {
    pending_.tgid = number;
    rest = at;
  }
  if (std::string_view at = rest; pobpf::take(at, ", task_comm_name: ")) {
    const std::string_view comm = at.substr(0, at.rfind(", allocated by "));
    if (comm.size() < POBPF_COMM_BYTES) {
      pending_.comm = comm;
      rest = at.substr(comm.size());
    }
  }
  pobpf::take(rest, ", ");
  pending_.label = trim_right(trim_left(rest)).substr(0, kNameBytesMax);
  return has_record ? Status() : finish(false);
}

/// "handle: 1", "nr_base_pages: 2", "stack_count: 3"
Status RecordAssembler::take_sum(std::string_view text, bool& is_taken) {
  std::string_view rest = trim_right(text);
  const bool is_handle = pobpf::take(rest, "handle: ");
  const bool is_pages = !is_handle && pobpf::take(rest, "nr_base_pages: ");
  const bool is_count = !is_handle && !is_pages && pobpf::take(rest, "stack_count: ");
  std::uint64_t number = 0;
  if ((!is_handle && !is_pages && !is_count) || !take_number(rest, number) || !rest.empty() ||
      (is_handle && number > UINT32_MAX) || (is_open_ && !pending_.is_group && !is_handle))
    return {};
  is_taken = true;
  if (is_open_ && is_handle && pending_.handle) {
    if (auto status = finish(false); !status) return status;
  }
  if (!is_open_) open(true);
  if (is_handle) pending_.handle = static_cast<__u32>(number);
  if (is_pages) pending_.nr_pages = number;
  // early versions of show_stacks counted allocations
  if (is_count) pending_.nr_allocations = number;
  pending_.stage = Stage::kTail;
  return {};
}

/// Takes what the kernel's log says around records.
bool RecordAssembler::take_message(std::string_view text, Status& status) {
  if (text.starts_with("page last free ")) {
    if (is_open_) pending_.stage = Stage::kFreed;
    is_in_other_stack_ = !is_open_;
    ++report_.nr_unkept_lines;
    return true;
  }
  if (take_page_message(text, status) || take_tracking(text, status) ||
      take_other_stack(text, status))
    return true;
  if (is_unkept(text) || (context_ && is_unkept_of_page(text))) {
    // frames that follow are not of the allocation
    if (is_open_ && text.starts_with("page_owner ")) pending_.stage = Stage::kFreed;
    ++report_.nr_unkept_lines;
    return true;
  }
  return false;
}

/// The PFN and the flags of a page. Each page begins anew: nothing of one is said of another.
bool RecordAssembler::take_page_message(std::string_view text, Status& status) {
  const bool is_bug = text.starts_with("BUG: Bad page state ");
  if (is_bug || text.starts_with("page:")) {
    status = finish(false);
    const bool is_announced = context_ && context_->is_announced && !is_bug;
    if (!is_announced) context_.emplace();
    context_->is_announced = is_bug;
    if (const auto pfn = find_pfn(text)) context_->pfn = pfn;
    ++report_.nr_unkept_lines;
    return true;
  }
  if (context_ && prefix_ != Prefix::kTime && is_rest_of_page_message(text)) {
    if (const auto pfn = find_pfn(text)) context_->pfn = pfn;
    ++report_.nr_joined_lines;
    return true;
  }
  std::string_view rest = text;
  const bool is_flags = pobpf::take(rest, "flags:") || pobpf::take(rest, "anon flags:") ||
                        pobpf::take(rest, "ksm flags:");
  return is_flags && !is_open_ && take_flags(trim_right(trim_left(rest)));
}

bool RecordAssembler::take_flags(std::string_view text) {
  TextRecord record;
  std::string_view rest = text;
  const LineEnd end = parse_flags(rest, record);
  if (end == LineEnd::kWrong || text.size() > kNameBytesMax) return false;
  if (!context_) context_.emplace();
  context_->flags = text;
  joining_ = end == LineEnd::kCut ? Joining::kFlags : Joining::kNothing;
  return true;
}

/// Whether page_owner knows the page, and as what.
bool RecordAssembler::take_tracking(std::string_view text, Status& status) {
  std::string_view rest = text;
  if (starts_with_any(text, {"page_owner info is not present", "page_owner info is not active"})) {
    status = finish(false);
    context_.reset();
    ++report_.nr_unkept_lines;
    return true;
  }
  // the second is what gdb adds
  const bool is_tracked = pobpf::take(rest, "page_owner tracks the page as ");
  if (!is_tracked && !text.starts_with("page_owner is not allocated")) return false;
  status = finish(false);
  if (!context_) context_.emplace();
  context_->is_freed = !is_tracked || rest.starts_with("freed");
  return true;
}

bool RecordAssembler::take_other_stack(std::string_view text, Status& status) {
  if (is_heading_of_other_stack(text)) {
    status = finish(false);
    context_.reset();
    is_in_other_stack_ = true;
    ++report_.nr_unkept_lines;
    return true;
  }
  // "? symbol": on the stack by chance; "<TASK>": whose stack it is
  const bool is_of_stack = text.starts_with("? ") || text.find(">] ? ") != std::string_view::npos ||
                           text.starts_with('<');
  if (!is_in_other_stack_ || !is_of_stack) return false;
  ++report_.nr_unkept_lines;
  return true;
}

/// Lines behind the stack, headings, and what was cut out.
bool RecordAssembler::take_tail(std::string_view text) {
  const std::string_view line = trim_right(text);
  if (line == "..." || line == "..") {
    ++report_.nr_elisions;
    // in a stack it stands for frames
    if (is_open_ && pending_.stage == Stage::kStack) pending_.stack += " ...\n";
    return true;
  }
  if (!is_open_) return false;
  std::string_view rest = text;
  const bool is_migrated = pobpf::take(rest, kMigrated) ||
                           pobpf::take(rest, "page has been migrated, last migrate reason: ") ||
                           line == trim_right(kMigrated);
  if (is_migrated) {
    pending_.reason = line == trim_right(kMigrated) ? "" : trim_right(rest);
    joining_ = pending_.reason.empty() ? Joining::kReason : Joining::kNothing;
    if (pending_.stage != Stage::kFreed) pending_.stage = Stage::kTail;
    return true;
  }
  TextRecord record;
  if (parse_memcg_line(text, record)) {
    pending_.memcg_flags |= record.page.memcg_flags;
    if (!record.cgroup.empty()) pending_.cgroup = record.cgroup;
    pending_.stage = Stage::kTail;
    return true;
  }
  if (is_free_heading(line)) pending_.stage = Stage::kFreed;
  return is_alloc_heading(line) || is_free_heading(line);
}

bool RecordAssembler::take_frame(std::string_view text, Status& status) {
  FrameText frame;
  const std::string spaced = with_blanks(text);
  const std::string_view line = trim_right(trim_left(spaced));
  if (is_address_alone(line)) {
    half_frame_ = line;
    joining_ = Joining::kFrame;
    return true;
  }
  const bool is_in_stack = is_open_ && pending_.stage == Stage::kStack && !pending_.stack.empty();
  if (is_in_stack && is_module_alone(line)) {
    pending_.stack.back() = ' ';
    pending_.stack.append(line).append(1, '\n');
    ++report_.nr_joined_lines;
    return true;
  }
  if (!parse_frame(line, frame)) return false;
  // sums have no time stamps, and do not stand within what has them
  const bool is_of_other_message = !is_open_ && last_stamped_ + 1 >= number_ && last_stamped_ != 0;
  if (is_in_other_stack_ || is_of_other_message || (is_open_ && pending_.stage == Stage::kFreed)) {
    ++report_.nr_unkept_lines;
    return true;
  }
  // a sum stands behind its stack
  if (is_open_ && pending_.is_group && pending_.stage == Stage::kTail && pending_.head.empty())
    status = finish(false);
  if (!is_open_) open(true);
  add_frame(line);
  return true;
}

void RecordAssembler::add_frame(std::string_view frame) {
  if (pending_.stage == Stage::kTail) {
    if (pending_.wrong.empty())
      pending_.wrong = "a line in the middle of its stack is not understood";
  } else {
    pending_.stage = Stage::kStack;
  }
  pending_.has_stack = true;
  if (++pending_.nr_frames <= kStackDepthMax) {
    pending_.stack.append(1, ' ').append(frame).append(1, '\n');
    return;
  }
  pending_.stack.clear();
  if (pending_.wrong.empty())
    pending_.wrong = fmt::format("a stack of over {} frames", kStackDepthMax);
}

Status RecordAssembler::take_unknown(std::string_view text) {
  is_in_other_stack_ = false;
  if (is_open_ && rejoin(text)) return {};
  report_.add_unknown(number_, raw_);
  if (!is_open_) return {};
  switch (pending_.stage) {
    case Stage::kHead:
    case Stage::kPage:
      if (pending_.wrong.empty() && !pending_.is_message)
        pending_.wrong = "a line in it is not understood";
      return {};
    case Stage::kStack:
      pending_.stage = Stage::kTail;
      [[fallthrough]];
    case Stage::kTail:
    case Stage::kFreed:
      break;
  }
  // other messages follow, and stacks of their own
  if (pending_.is_message && ++pending_.nr_foreign_lines > 1) return finish(false);
  return {};
}

/// A name can hold what looks like the end of its line.
bool RecordAssembler::rejoin_name() {
  if (prefix_ != Prefix::kNone || pending_.head.empty() ||
      pending_.head.size() + raw_.size() > kJoinedBytesMax)
    return false;
  std::string joined = pending_.head + "\n";
  joined += raw_;
  TextRecord record;
  std::string_view rest = joined;
  if (parse_head(rest, record) != LineEnd::kComplete || !rest.empty()) return false;
  pending_.head = std::move(joined);
  return true;
}

/// The line may be the rest of one that looked whole.
bool RecordAssembler::rejoin(std::string_view text) {
  if (pending_.stage == Stage::kHead) {
    const std::string joined = pending_.head + " " + std::string(trim_right(text));
    TextRecord record;
    std::string_view rest = joined;
    if (joined.size() > kJoinedBytesMax || parse_head(rest, record) != LineEnd::kComplete ||
        !rest.empty())
      return false;
    pending_.head = joined;
  } else if (pending_.stage == Stage::kPage) {
    const std::string joined = pending_.page_line + " " + std::string(trim_right(text));
    TextRecord record;
    std::string_view rest = joined;
    if (joined.size() > kJoinedBytesMax || parse_page_line(rest, record) != LineEnd::kComplete ||
        !rest.empty())
      return false;
    pending_.page_line = joined;
  } else {
    return false;
  }
  ++report_.nr_joined_lines;
  return true;
}

bool RecordAssembler::continue_joining(std::string_view text, Status& status) {
  switch (std::exchange(joining_, Joining::kNothing)) {
    case Joining::kFlags:
      return join_flags(text);
    case Joining::kHead:
      return join_head(text);
    case Joining::kPage:
      return join_page_line(text);
    case Joining::kReason:
      return join_reason(text);
    case Joining::kFrame:
      return join_frame(text, status);
    case Joining::kNothing:
      break;
  }
  return false;
}

bool RecordAssembler::join_reason(std::string_view text) {
  const std::string_view reason = trim_right(text);
  if (reason.empty() || reason.find(' ') != std::string_view::npos) {
    pending_.wrong = "its migrate reason is cut off";
    return false;
  }
  pending_.reason = reason;
  ++report_.nr_joined_lines;
  return true;
}

bool RecordAssembler::join_frame(std::string_view text, Status& status) {
  const std::string joined = half_frame_ + " " + std::string(trim_right(text));
  FrameText frame;
  if (parse_frame(joined, frame) && take_frame(joined, status)) {
    ++report_.nr_joined_lines;
    return true;
  }
  report_.add_unknown(number_ - 1, half_frame_);
  if (is_open_ && pending_.wrong.empty()) pending_.wrong = "a frame of its stack is cut off";
  return false;
}

namespace {

/// How a line goes on in the next: within names of flags without anything, else behind a blank.
std::string joined_line(std::string_view begin, std::string_view end) {
  begin = trim_right(begin);
  if (begin.ends_with('\\')) begin.remove_suffix(1);
  begin = trim_right(begin);
  const bool is_in_names = begin.ends_with('|') || begin.ends_with('(');
  return std::string(begin) + (is_in_names ? "" : " ") + std::string(trim_right(end));
}

}  // namespace

bool RecordAssembler::join_head(std::string_view text) {
  TextRecord record;
  std::string_view rest = pending_.head;
  const bool is_in_name = parse_head(rest, record) == LineEnd::kCutInName;
  const bool is_new = !is_in_name && (is_head(text) || text.starts_with("PFN") ||
                                      trim_right(text).empty() || is_new_line(text));
  if (is_new || (is_in_name && prefix_ != Prefix::kNone) || ++nr_joined_ > kJoinedLinesMax ||
      pending_.head.size() + text.size() > kJoinedBytesMax) {
    if (is_new && pending_.is_message)
      pending_.is_head_cut = true;
    else
      pending_.wrong = "its first line is cut off";
    return false;
  }
  // the line end is a part of the name, and so are blanks
  if (is_in_name)
    pending_.head.append(1, '\n').append(raw_);
  else {
    pending_.head = joined_line(pending_.head, text);
    ++report_.nr_joined_lines;
  }
  check_head();
  return true;
}

/// A stamp of its own, or a frame: not what was wrapped.
bool RecordAssembler::is_new_line(std::string_view text) const {
  FrameText frame;
  return (begin_prefix_ == Prefix::kTime && prefix_ == Prefix::kTime) ||
         (parse_frame(text, frame) && !frame.symbol.starts_with("0x"));
}

bool RecordAssembler::join_flags(std::string_view text) {
  const std::string begin = context_->flags;
  if (!is_new_line(text) && !trim_right(text).empty() &&
      take_flags(trim_left(joined_line(begin, text)))) {
    ++report_.nr_joined_lines;
    return true;
  }
  report_.add_unknown(number_ - 1, begin, "the flags of the page are cut off");
  // the number is whole if names follow it
  const std::size_t names = begin.find('(');
  context_->flags.resize(names == std::string::npos ? 0 : names);
  return false;
}

bool RecordAssembler::join_page_line(std::string_view text) {
  FrameText frame;
  if (is_head(text) || parse_frame(text, frame) || trim_right(text).empty() ||
      ++nr_joined_ > kJoinedLinesMax || pending_.page_line.size() + text.size() > kJoinedBytesMax) {
    if (pending_.wrong.empty()) pending_.wrong = "the line of its PFN is cut off";
    return false;
  }
  pending_.page_line = joined_line(pending_.page_line, text);
  ++report_.nr_joined_lines;
  check_page_line();
  return true;
}

Status RecordAssembler::finish(bool is_cut) {
  if (!std::exchange(is_open_, false)) return {};
  joining_ = Joining::kNothing;
  TextRecord record;
  std::string wrong = pending_.wrong;
  if (wrong.empty() && is_cut) wrong = "it is cut off at the end of the text";
  if (wrong.empty()) wrong = fill(pending_, record);
  if (wrong.empty() && pending_.is_head_cut)
    report_.add_unknown(pending_.line, pending_.head, "the end of the line is missing");
  if (wrong.empty()) return sink_(record, pending_.line);
  report_.add_dropped(pending_.line, std::move(wrong));
  return {};
}

std::string RecordAssembler::fill_lines(const Pending& pending, TextRecord& record) {
  std::string_view head = pending.head;
  std::string_view page_line = pending.page_line;
  const LineEnd end = head.empty() ? LineEnd::kComplete : parse_head(head, record);
  const bool is_usable =
      end == LineEnd::kComplete || (end == LineEnd::kCut && pending.is_head_cut &&
                                    pending.has_stack && forget_cut_end(head, record));
  if (!is_usable) return "its first line is cut off";
  if (!page_line.empty() && parse_page_line(page_line, record) != LineEnd::kComplete)
    return "the line of its PFN is cut off";
  if (pending.is_message) fill_context(pending.context, record);
  record.is_freed = pending.context.is_freed;
  if (!pending.is_group) return pending.head.empty() ? "a record without its first line" : "";
  const bool is_sum = pending.nr_allocations || pending.nr_pages || pending.handle;
  return is_sum ? "" : "a stack without what belongs to it";
}

void RecordAssembler::fill_context(const MessageContext& context, TextRecord& record) {
  if (context.pfn) {
    record.page.pfn = *context.pfn;
    record.fields = record.fields | PageField::kPfn;
    record.is_pfn_decimal = false;
  }
  std::string_view flags = context.flags;
  // a number of which the names are cut off is known without them
  if (!flags.empty()) static_cast<void>(parse_flags(flags, record));
}

std::string RecordAssembler::fill(const Pending& pending, TextRecord& record) {
  if (auto wrong = fill_lines(pending, record); !wrong.empty()) return wrong;
  if (pending.has_stack) record.stack = pending.stack;
  if (pending.handle) {
    record.page.handle = *pending.handle;
    record.fields = record.fields | PageField::kHandle;
  }
  record.migrate_reason = pending.reason;
  record.page.memcg_flags = pending.memcg_flags;
  record.cgroup = pending.cgroup;
  record.is_group = pending.is_group;
  record.nr_allocations = pending.nr_allocations;
  record.nr_pages = pending.nr_pages;
  record.label = pending.label;
  if (pending.pid) {
    record.page.pid = *pending.pid;
    record.fields = record.fields | PageField::kPid;
  }
  if (pending.tgid) {
    record.page.tgid = *pending.tgid;
    record.fields = record.fields | PageField::kTgid;
  }
  if (pending.comm) {
    std::memset(record.page.comm, 0, sizeof(record.page.comm));
    std::memcpy(record.page.comm, pending.comm->data(), pending.comm->size());
    record.fields = record.fields | PageField::kComm;
  }
  if (!pending.reason.empty()) record.fields = record.fields | PageField::kLastMigrateReason;
  if (pending.memcg_flags != 0) record.fields = record.fields | PageField::kMemcg;
  const bool is_printed = !pending.is_message && !pending.is_crash && !pending.is_group;
  if (is_printed) add_unsaid_fields(record);
  if (is_printed && !pending.has_stack && !pending.handle && pending.page_line.empty())
    return "it has neither a page nor a stack";
  return {};
}

}  // namespace pobpf
