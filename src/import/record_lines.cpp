// SPDX-License-Identifier: GPL-2.0-only
#include "import/record_lines.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "import/scan.h"
#include "snapshot/format.h"

namespace pobpf {
namespace {

bool is_at_end(std::string_view text) { return text.empty() || text.front() == '\n'; }

/// ", pid " and the like; debuggers write ", pid: ".
bool take_key(std::string_view& text, std::string_view key) {
  std::string_view rest = text;
  if (!take(rest, key)) return false;
  take(rest, ":");
  if (!take(rest, " ")) return false;
  text = rest;
  return true;
}

/// Whether the line ends behind a part of a key.
bool is_cut_key(std::string_view text) {
  const std::string_view line = trim_right(text.substr(0, text.find('\n')));
  if (line.ends_with('\\')) return true;
  constexpr std::string_view kCut[] = {",",      ", migratetype", ", mask", ", gfp_mask",
                                       ", pid",  ", tgid",        ", ts",   ", free_ts",
                                       ", pid:", ", tgid:",       ", ts:",  ", free_ts:"};
  return std::find(std::begin(kCut), std::end(kCut), line) != std::end(kCut);
}

/// A kernel that does not know %pGp prints the address of the number in its place.
bool is_pointer(std::string_view names) {
  return (names.size() == 8 || names.size() == 16) &&
         std::all_of(names.begin(), names.end(), is_hex_digit);
}

/// "(a|b)" behind a number.
LineEnd take_names(std::string_view& text, std::optional<std::string_view>& names) {
  if (!text.starts_with('(')) return LineEnd::kComplete;
  const std::size_t end = text.find_first_of(")\n", 1);
  if (end == std::string_view::npos || text[end] == '\n') return LineEnd::kCut;
  if (end > kNameBytesMax) return LineEnd::kWrong;
  const std::string_view inside = text.substr(1, end - 1);
  // something has come in between
  if (inside.find(' ') != std::string_view::npos) return LineEnd::kWrong;
  // whoever wrote a mail may have left them out
  if (!is_pointer(inside) && inside != "...") names = inside;
  text.remove_prefix(end + 1);
  return LineEnd::kComplete;
}

/// A number of nanoseconds, with their unit or without.
bool take_time(std::string_view& text, __u64& value) {
  std::string_view rest = text;
  if (!take_number(rest, value)) return false;
  take(rest, " ns");
  if (!is_at_end(rest) && rest.front() != ',' && !is_blank(rest.front())) return false;
  text = rest;
  return true;
}

/// page_owner_sort leaves this of a time that it does not compare.
bool take_blanked_time(std::string_view& text, std::string_view key) {
  std::string_view rest = text;
  if (!take_key(rest, key) || !take(rest, " ns")) return false;
  text = rest;
  return true;
}

/// ", ts 1 ns", as it stands behind a name.
bool is_followed_by_time(std::string_view text) {
  __u64 time = 0;
  if (!take_blanked_time(text, ", ts") && (!take_key(text, ", ts") || !take_time(text, time)))
    return false;
  return is_at_end(trim_left(text)) || text.starts_with(", free_ts");
}

/// "name)": up to 15 bytes of anything but NUL. Behind the right ')' stands a time; a name can hold
/// that too, but not both fit, so the last one is right.
LineEnd take_comm(std::string_view& text, TextRecord& record) {
  constexpr std::size_t kCommBytes = POBPF_COMM_BYTES - 1;
  std::size_t end = std::string_view::npos;
  for (std::size_t at = 0; at <= std::min(kCommBytes, text.size()); ++at)
    if (text.substr(at, 1) == ")" && is_followed_by_time(text.substr(at + 1))) end = at;
  if (end == std::string_view::npos) {
    const std::string_view head = text.substr(0, kCommBytes + 1);
    const std::size_t bracket = head.rfind(')');
    if (bracket == std::string_view::npos)
      return head.size() > kCommBytes ? LineEnd::kWrong : LineEnd::kCutInName;
    std::string_view behind = text.substr(bracket + 1);
    if (is_cut_key(behind)) {
      text = behind;
      return LineEnd::kCut;
    }
    return text.size() <= kCommBytes + 1 ? LineEnd::kCutInName : LineEnd::kWrong;
  }
  const std::string_view comm = text.substr(0, end);
  if (comm.find('\0') != std::string_view::npos) return LineEnd::kWrong;
  std::memcpy(record.page.comm, comm.data(), comm.size());
  record.fields = record.fields | PageField::kComm;
  text.remove_prefix(end + 1);
  return LineEnd::kComplete;
}

/// Characters behind a backslash in a string of C.
bool take_escaped(std::string_view& text, char& c) {
  std::size_t nr_digits = 0;
  while (nr_digits < std::min<std::size_t>(3, text.size()) && is_digit(text[nr_digits]))
    ++nr_digits;
  std::string_view digits = text.substr(0, nr_digits);
  unsigned value = 0;
  if (nr_digits != 0) {
    if (!take_number(digits, value, 8) || !digits.empty() || value > UINT8_MAX) return false;
    c = static_cast<char>(value);
    text.remove_prefix(nr_digits);
    return true;
  }
  constexpr std::string_view kLetters = "abtnvfr";
  if (text.empty()) return false;
  const std::size_t letter = kLetters.find(text.front());
  c = text.front() == 'e'                ? '\x1b'
      : letter == std::string_view::npos ? text.front()
                                         : static_cast<char>('\a' + letter);
  text.remove_prefix(1);
  return true;
}

/// "name\000\000")": as gdb shows an array of characters.
bool take_quoted_comm(std::string_view& text, TextRecord& record) {
  std::string_view rest = text;
  if (!take(rest, "\"")) return false;
  std::string comm;
  while (!rest.empty() && rest.front() != '"') {
    char c = rest.front();
    rest.remove_prefix(1);
    if (c == '\\' && !take_escaped(rest, c)) return false;
    comm += c;
  }
  if (!take(rest, "\"")) return false;
  std::string_view repeated = rest;
  unsigned nr_repeats = 0;
  if (take(repeated, R"(, '\000' <repeats )") && take_number(repeated, nr_repeats) &&
      take(repeated, " times>"))
    rest = repeated;
  if (!take(rest, ")") || !is_followed_by_time(rest)) return false;
  comm.resize(std::min(comm.find('\0'), comm.size()));
  if (comm.size() >= POBPF_COMM_BYTES) return false;
  std::memcpy(record.page.comm, comm.data(), comm.size());
  record.fields = record.fields | PageField::kComm;
  text = rest;
  return true;
}

LineEnd take_task(std::string_view& text, TextRecord& record) {
  std::string_view rest = text;
  if (take_key(rest, ", pid")) {
    if (!take_number(rest, record.page.pid))
      return is_at_end(rest) ? LineEnd::kCut : LineEnd::kWrong;
    record.fields = record.fields | PageField::kPid;
    text = rest;
  }
  const bool is_of_debugger = rest.starts_with(", tgid:");
  if (!take_key(rest, ", tgid")) return LineEnd::kComplete;
  if (!take_number(rest, record.page.tgid))
    return is_at_end(rest) ? LineEnd::kCut : LineEnd::kWrong;
  if (!take(rest, " (")) return is_at_end(trim_left(rest)) ? LineEnd::kCut : LineEnd::kWrong;
  record.fields = record.fields | PageField::kTgid;
  const LineEnd end = is_of_debugger && take_quoted_comm(rest, record) ? LineEnd::kComplete
                                                                       : take_comm(rest, record);
  text = rest;
  return end;
}

void take_times(std::string_view& text, TextRecord& record) {
  const auto take_one = [&](std::string_view key, PageField field, __u64& time) {
    if (take_blanked_time(text, key)) return;
    std::string_view rest = text;
    if (take_key(rest, key) && take_time(rest, time)) {
      record.fields = record.fields | field;
      text = rest;
    } else {
      time = 0;
    }
  };
  take_one(", ts", PageField::kTsNsec, record.page.ts_nsec);
  take_one(", free_ts", PageField::kFreeTsNsec, record.page.free_ts_nsec);
}

LineEnd take_mask(std::string_view& text, bool is_message, TextRecord& record) {
  if (!take_key(text, ", mask") && !take_key(text, ", gfp_mask"))
    return is_at_end(text) || is_cut_key(text) ? LineEnd::kCut : LineEnd::kWrong;
  if (!take_hex(text, record.page.gfp_mask))
    return is_at_end(text) ? LineEnd::kCut : LineEnd::kWrong;
  record.fields = record.fields | PageField::kGfpMask;
  // messages have them always
  if (is_message && !text.starts_with('('))
    return is_at_end(trim_left(text)) ? LineEnd::kCut : LineEnd::kWrong;
  return take_names(text, record.gfp_names);
}

/// A message of the kernel always has a time behind a PID, and two behind a task name.
bool lacks_its_end(const TextRecord& record) {
  const auto has = [&](PageField field) { return has_field(record.fields, field); };
  return has(PageField::kComm) ? !has(PageField::kFreeTsNsec)
                               : has(PageField::kPid) && !has(PageField::kTsNsec);
}

/// " type Movable", of which the name is one word.
std::string_view take_type(std::string_view& text, std::string_view key) {
  std::string_view rest = text;
  if (!take(rest, key)) return {};
  std::size_t end = 0;
  while (end < rest.size() && rest[end] != ' ' && rest[end] != '\n' && rest[end] != ',') ++end;
  const std::string_view name = rest.substr(0, end);
  if (name.empty() || name.size() > kNameBytesMax) return {};
  rest.remove_prefix(end);
  text = rest;
  return name;
}

/// Whether the line ends where a type or a block should follow.
bool is_cut_type(std::string_view text) {
  const std::string_view line = trim_right(text.substr(0, text.find('\n')));
  return line == " type" || line == " Block";
}

/// The letters of kernels before 4.6, each for a flag, blanks for those that are not set.
constexpr std::pair<char, std::string_view> kFlagLetters[] = {
    {'K', "locked"},    {'E', "error"},    {'R', "referenced"}, {'U', "uptodate"},
    {'D', "dirty"},     {'L', "lru"},      {'A', "active"},     {'S', "slab"},
    {'W', "writeback"}, {'C', "compound"}, {'B', "swapcache"},  {'M', "mappedtodisk"}};

bool take_flag_letters(std::string_view& text, TextRecord& record) {
  std::string_view line = text.substr(0, text.find('\n'));
  std::uint64_t flags = 0;
  std::size_t next = 0;
  for (const char c : line) {
    if (is_blank(c)) continue;
    while (next < std::size(kFlagLetters) && kFlagLetters[next].first != c) ++next;
    if (next == std::size(kFlagLetters)) return false;
    flags |= std::uint64_t{1} << next++;
  }
  record.page.flags = flags;
  record.fields = record.fields | PageField::kFlagNames;
  text.remove_prefix(line.size());
  return true;
}

/// "(referenced|lru)", as `pobpf report` prints these letters.
LineEnd take_flag_letter_names(std::string_view& text, TextRecord& record) {
  std::optional<std::string_view> inside;
  if (const LineEnd end = take_names(text, inside); end != LineEnd::kComplete) return end;
  std::string_view names = inside.value_or("?");
  std::uint64_t flags = 0;
  while (!names.empty()) {
    const std::string_view name = names.substr(0, names.find('|'));
    const auto* letter = std::find_if(std::begin(kFlagLetters), std::end(kFlagLetters),
                                      [&](const auto& known) { return known.second == name; });
    if (letter == std::end(kFlagLetters)) return LineEnd::kWrong;
    flags |= std::uint64_t{1} << (letter - std::begin(kFlagLetters));
    names.remove_prefix(std::min(name.size() + 1, names.size()));
  }
  record.page.flags = flags;
  record.fields = record.fields | PageField::kFlagNames;
  return LineEnd::kComplete;
}

LineEnd take_flags(std::string_view& text, TextRecord& record) {
  std::string_view rest = text;
  take(rest, ",");
  if (!take(rest, " Flags")) return LineEnd::kComplete;
  take(rest, ":");
  // letters may be blanks alone
  const bool has_letters =
      !record.block_migratetype.empty() && is_digit(record.block_migratetype.front());
  if (is_at_end(trim_left(rest)) && !has_letters) return LineEnd::kCut;
  std::string_view word = trim_left(rest);
  if (word.starts_with("0x")) {
    text = word;
    return parse_flags(text, record);
  }
  if (word.starts_with('(')) {
    text = word;
    return take_flag_letter_names(text, record);
  }
  if (!take_flag_letters(rest, record)) return LineEnd::kWrong;
  text = rest;
  return LineEnd::kComplete;
}

/// "(0x1) paddr 1000 vaddr .. page .. page_owner .." of crash's command owner.
bool take_addresses(std::string_view& text, std::uint64_t pfn) {
  std::string_view rest = text;
  std::uint64_t number = 0;
  if (!take(rest, "(") || !take_hex(rest, number) || number != pfn || !take(rest, ")"))
    return false;
  for (const std::string_view key : {" paddr ", " vaddr ", " page ", " page_owner "})
    if (take(rest, key) && !take_number(rest, number, 16)) return false;
  text = rest;
  return true;
}

/// "+0x1/0x2", "+0x1", "+25"
bool is_offset(std::string_view text) {
  std::uint64_t number = 0;
  if (!take(text, "+")) return false;
  if (!take_hex(text, number) && (text.starts_with('-') || !take_number(text, number)))
    return false;
  if (take(text, "/") && !take_hex(text, number)) return false;
  return text.empty();
}

/// "file.c:12"; "file.c:-1" where only the file is known.
bool is_line_of_file(std::string_view word) {
  const std::size_t colon = word.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view line = word.substr(colon + 1);
  return line == "-1" || (!line.empty() && std::all_of(line.begin(), line.end(), is_digit));
}

/// "(file.c:12 file.h:3 (discriminator 4))" of scripts/decode_stacktrace.sh.
bool take_decoded_lines(std::string_view& text) {
  const std::size_t end = text.rfind(')');
  if (!text.starts_with('(') || end == std::string_view::npos) return false;
  std::string_view inside = text.substr(1, end - 1);
  if (!is_line_of_file(take_word(inside))) return false;
  text.remove_prefix(end + 1);
  return true;
}

/// " [module]", " file.c:12", " [inline]", "(file.c:12)" behind a symbol.
bool is_place(std::string_view text, bool& is_inline, bool& is_decoded) {
  bool has_line = false;
  while (!(text = trim_left(text)).empty()) {
    if (!has_line && take_decoded_lines(text)) {
      has_line = is_decoded = true;
      continue;
    }
    if (text.front() == '[') {
      const std::size_t end = text.find(']');
      if (end == std::string_view::npos || end == 1) return false;
      is_inline = is_inline || text.substr(0, end + 1) == "[inline]";
      text.remove_prefix(end + 1);
      continue;
    }
    if (has_line || !is_line_of_file(take_word(text))) return false;
    has_line = true;
  }
  is_inline = is_inline && has_line;
  return true;
}

/// "[<ffffffff81000000>] ", "[0xc0100000] "
bool take_address(std::string_view& text, std::uint64_t& address) {
  std::string_view rest = text;
  if (!take(rest, "[")) return false;
  if (take(rest, "<")) {
    if (rest.starts_with('-') || !take_number(rest, address, 16) || !take(rest, ">]")) return false;
  } else if (!take_hex(rest, address) || !take(rest, "]")) {
    return false;
  }
  text = trim_left(rest);
  return true;
}

/// "0xffffffff81000000 <symbol+12>:	mov ..." of gdb.
bool take_disassembled(std::string_view text, FrameText& frame) {
  std::uint64_t address = 0;
  if (!take_hex(text, address) || !take(text, " <")) return false;
  const std::size_t end = text.find(">:");
  if (end == std::string_view::npos || end == 0 || end > kNameBytesMax) return false;
  frame = {address, text.substr(0, end)};
  return true;
}

bool is_end_mark(std::string_view word) {
  return word == "0xffffffffffffffff" || word == "0xffffffff";
}

}  // namespace

LineEnd parse_head(std::string_view& text, TextRecord& record) {
  const bool is_message = text.starts_with('p');
  if (!take(text, "Page allocated via order ") && !take(text, "Page last allocated via order ") &&
      !take(text, "page last allocated via order ") && !take(text, "page allocated via order "))
    return LineEnd::kWrong;
  if (!take_number(text, record.page.order))
    return is_at_end(text) ? LineEnd::kCut : LineEnd::kWrong;
  record.fields = record.fields | PageField::kOrder;
  // kernels of 2.6 told no mask at first
  if (!is_message && is_at_end(text)) return LineEnd::kComplete;
  record.migratetype = take_type(text, ", migratetype ");
  if (const LineEnd end = take_mask(text, is_message, record); end != LineEnd::kComplete)
    return end;
  if (const LineEnd end = take_task(text, record); end != LineEnd::kComplete) return end;
  take_times(text, record);
  if (is_cut_key(text)) return LineEnd::kCut;
  return is_message && is_at_end(trim_left(text)) && lacks_its_end(record) ? LineEnd::kCut
                                                                           : LineEnd::kComplete;
}

bool forget_cut_end(std::string_view rest, TextRecord& record) {
  const auto forget = [&](PageField field) { record.fields &= ~static_cast<PageFields>(field); };
  if (!has_field(record.fields, PageField::kGfpMask)) return false;
  if (!record.gfp_names && is_at_end(trim_left(rest))) {
    forget(PageField::kGfpMask);
    record.page.gfp_mask = 0;
  }
  if (has_field(record.fields, PageField::kPid) && !has_field(record.fields, PageField::kTgid) &&
      !has_field(record.fields, PageField::kTsNsec)) {
    forget(PageField::kPid);
    record.page.pid = 0;
  }
  if (!has_field(record.fields, PageField::kFreeTsNsec)) {
    forget(PageField::kTsNsec);
    record.page.ts_nsec = 0;
  }
  return true;
}

LineEnd parse_page_line(std::string_view& text, TextRecord& record) {
  if (!text.starts_with(' ')) {
    if (!take_key(text, "PFN")) return LineEnd::kWrong;
    const bool is_hex = text.starts_with("0x");
    if (is_hex ? !take_hex(text, record.page.pfn) : !take_number(text, record.page.pfn))
      return is_at_end(text) ? LineEnd::kCut : LineEnd::kWrong;
    record.fields = record.fields | PageField::kPfn;
    record.is_pfn_decimal = !is_hex;
    if (take_addresses(text, record.page.pfn)) return LineEnd::kComplete;
  } else if (!text.starts_with(" type ") && !text.starts_with(" Flags ")) {
    return LineEnd::kWrong;
  }
  if (const auto type = take_type(text, " type "); !type.empty()) record.migratetype = type;
  std::string_view rest = text;
  std::uint64_t block = 0;
  if (take(rest, " Block ") && take_number(rest, block)) {
    const auto type = take_type(rest, " type ");
    if (type.empty()) return is_at_end(rest) || is_cut_type(rest) ? LineEnd::kCut : LineEnd::kWrong;
    record.block = block;
    record.block_migratetype = type;
    // says of 3.19 to 4.5 that both types differ, of which it shows one
    if (is_digit(type.front())) {
      while (rest.starts_with("  ")) rest.remove_prefix(1);
      take(rest, " Fallback");
    }
    text = rest;
  }
  if (is_cut_type(text)) return LineEnd::kCut;
  if (const LineEnd end = take_flags(text, record); end != LineEnd::kComplete) return end;
  // `pobpf report` prints no flags of a message that told none, and no block
  const bool has_flags = has_field(record.fields, PageField::kFlags) ||
                         has_field(record.fields, PageField::kFlagNames);
  return has_flags || !record.block || !is_at_end(trim_left(text)) ? LineEnd::kComplete
                                                                   : LineEnd::kCut;
}

LineEnd parse_flags(std::string_view& text, TextRecord& record) {
  if (!take_hex(text, record.page.flags)) return is_at_end(text) ? LineEnd::kCut : LineEnd::kWrong;
  record.fields = record.fields | PageField::kFlags;
  return take_names(text, record.flag_names);
}

std::string flag_letter_names(std::uint64_t flags) {
  std::string names;
  for (std::size_t i = 0; i < std::size(kFlagLetters); ++i)
    if ((flags >> i & 1) != 0)
      names.append(names.empty() ? "" : "|").append(kFlagLetters[i].second);
  return names;
}

bool parse_memcg_line(std::string_view line, TextRecord& record) {
  if (trim_right(line) == "Slab cache page") {
    record.page.memcg_flags |= POBPF_MEMCG_SLAB;
    return true;
  }
  __u8 flags = POBPF_MEMCG_CHARGED;
  if (!take(line, "Charged ")) return false;
  if (take(line, "(via objcg) ")) flags |= POBPF_MEMCG_OBJCG;
  if (!take(line, "to ")) return false;
  if (take(line, "offline ")) flags |= POBPF_MEMCG_OFFLINE;
  if (!take(line, "memcg ") || line.empty() || line.size() > kNameBytesMax) return false;
  record.page.memcg_flags |= flags;
  record.cgroup = line;
  return true;
}

bool parse_frame(std::string_view line, FrameText& frame) {
  std::string_view text = trim_right(trim_left(line));
  frame.address = 0;
  if (take_disassembled(text, frame)) return true;
  const bool has_address = take_address(text, frame.address);
  frame.symbol = text;
  std::string_view rest = text;
  const std::string_view word = take_word(rest);
  if (word.empty() || text.size() > kNameBytesMax) return false;
  bool is_inline = false;
  bool is_decoded = false;
  if (!is_place(rest, is_inline, is_decoded)) return false;
  if (has_address && is_end_mark(word) && rest.empty()) {
    frame.symbol = {};
    return true;
  }
  std::string_view digits = word;
  std::uint64_t number = 0;
  if (take_hex(digits, number) && digits.empty()) {
    if (frame.address == 0) frame.address = number;
    return true;
  }
  const std::size_t plus = word.rfind('+');
  if (plus != std::string_view::npos && plus != 0 && is_offset(word.substr(plus))) return true;
  return is_inline || is_decoded || (has_address && word.front() != '[');
}

bool is_module_alone(std::string_view line) {
  return line.size() > 2 && line.front() == '[' && line.find(']') == line.size() - 1 &&
         line[1] != '<' && !line.starts_with("[0x") && line.find(' ') == std::string_view::npos;
}

bool is_address_alone(std::string_view line) {
  std::uint64_t address = 0;
  return take_address(line, address) && line.empty();
}

}  // namespace pobpf
