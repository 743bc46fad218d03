// SPDX-License-Identifier: GPL-2.0-only
// Records of every dialect from lines: quoted, wrapped, with timestamps in front, in pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "import/import_report.h"
#include "import/text_record.h"
#include "util/error.h"

namespace pobpf {

/// The facts about a page that stand before the record of its owner.
struct MessageContext {
  std::optional<std::uint64_t> pfn;
  std::string flags;          // "0x1(lru)"
  bool is_freed = false;      // page_owner tracks it as freed
  bool is_announced = false;  // the line that begins with "page:" follows
};

class RecordAssembler {
 public:
  /// Gets each record that is whole, with its first line; an error ends the import.
  using Sink = std::function<Status(const TextRecord& record, std::uint64_t line)>;

  RecordAssembler(Sink sink, ImportReport& report) : sink_(std::move(sink)), report_(report) {}

  /// A line without its end. `is_too_long`: it is only the beginning of one that nobody could have
  /// written.
  [[nodiscard]] Status add(std::string_view line, std::uint64_t number, bool is_too_long);
  /// Once there are no more lines; `is_cut`: the last had no end.
  [[nodiscard]] Status end(bool is_cut);
  /// Whether the next line belongs to nothing before it.
  [[nodiscard]] bool is_idle() const {
    return !is_open_ && joining_ == Joining::kNothing && !context_ && !is_in_other_stack_;
  }

 private:
  enum class Stage { kHead, kPage, kStack, kTail, kFreed };
  enum class Joining { kNothing, kHead, kPage, kReason, kFrame, kFlags };
  enum class Prefix { kNone, kQuote, kTime };

  /// A record so far, as texts.
  struct Pending {
    Stage stage = Stage::kHead;
    std::uint64_t line = 0;
    std::string head;
    std::string page_line;
    std::string stack;
    std::size_t nr_frames = 0;
    std::string reason;
    std::string cgroup;
    __u8 memcg_flags = 0;
    std::optional<__u32> handle;
    bool is_group = false;
    bool is_message = false;  // of the kernel's log
    bool is_crash = false;    // the page line came first
    bool has_stack = false;
    bool is_head_cut = false;  // the end of its first line is missing
    MessageContext context;
    std::uint64_t nr_foreign_lines = 0;  // behind the stack
    std::optional<std::uint64_t> nr_allocations;
    std::optional<std::uint64_t> nr_pages;
    std::optional<__s32> pid;
    std::optional<__s32> tgid;
    std::optional<std::string> comm;
    std::string label;
    std::string wrong;  // why it cannot be used; empty: it can
  };
  Status take(std::string_view text);
  Status take_head(std::string_view text, bool is_message);
  Status take_page_line(std::string_view text);
  Status take_group_head(std::string_view text, bool& is_taken);
  Status take_sum(std::string_view text, bool& is_taken);
  bool take_tail(std::string_view text);
  bool take_frame(std::string_view text, Status& status);
  void add_frame(std::string_view frame);
  bool take_message(std::string_view text, Status& status);
  bool take_page_message(std::string_view text, Status& status);
  bool take_tracking(std::string_view text, Status& status);
  bool take_other_stack(std::string_view text, Status& status);
  /// "0x1(lru)"
  bool take_flags(std::string_view text);
  Status take_unknown(std::string_view text);
  /// False: the line does not continue what was cut, and stands for itself.
  bool continue_joining(std::string_view text, Status& status);
  bool join_reason(std::string_view text);
  bool join_frame(std::string_view text, Status& status);
  bool join_head(std::string_view text);
  bool join_page_line(std::string_view text);
  bool join_flags(std::string_view text);
  bool rejoin(std::string_view text);
  bool rejoin_name();
  void check_head();
  void check_page_line();
  void open(bool is_group);
  Status finish(bool is_cut);
  /// Why the record cannot be used; empty: it can.
  [[nodiscard]] static std::string fill(const Pending& pending, TextRecord& record);
  [[nodiscard]] static std::string fill_lines(const Pending& pending, TextRecord& record);
  static void fill_context(const MessageContext& context, TextRecord& record);
  [[nodiscard]] bool is_new_line(std::string_view text) const;
  std::string_view strip(std::string_view line);

  Sink sink_;
  ImportReport& report_;
  std::uint64_t number_ = 0;        // of the line
  std::uint64_t last_stamped_ = 0;  // the last line with a time stamp
  std::string_view raw_;            // the line
  Prefix prefix_ = Prefix::kNone;
  Prefix begin_prefix_ = Prefix::kNone;  // of the line that is joined with those behind it
  bool is_open_ = false;
  Pending pending_;
  Joining joining_ = Joining::kNothing;
  std::size_t nr_joined_ = 0;  // lines
  std::string half_frame_;
  std::optional<MessageContext> context_;
  bool is_in_other_stack_ = false;
};

}  // namespace pobpf
