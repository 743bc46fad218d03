// SPDX-License-Identifier: GPL-2.0-only
// The lines of a record, in the words of every kernel since 2.6 and of the tools that repeat them.
// Lines are read by their fixed words, as a task's name may hold anything, line ends among it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "import/text_record.h"

namespace pobpf {

enum class LineEnd {
  kComplete,
  kCut,        ///< the line ends in the middle of something
  kCutInName,  ///< in a task's name
  kWrong,      ///< it is another kind of line
};

/// "Page allocated via order 0, mask 0x..(..), pid 1, tgid 1 (init), ts 1 ns, free_ts 0 ns" and
/// what became of it in kernel messages and debuggers. Takes what it understands away from `text`,
/// which may go on behind a line end; on kComplete what is left of the line is not understood.
[[nodiscard]] LineEnd parse_head(std::string_view& text, TextRecord& record);

/// Takes away from a head of which the end is missing what may be a part of a number only; `rest`
/// is what parse_head() left of it. False: what is left tells too little.
[[nodiscard]] bool forget_cut_end(std::string_view rest, TextRecord& record);

/// "PFN 0x1 type Movable Block 0 type Movable Flags 0x..(..)", likewise; or, if the PFN is not
/// known, " type Movable Flags 0x..(..)".
[[nodiscard]] LineEnd parse_page_line(std::string_view& text, TextRecord& record);

/// "0x..(..)", the word of page flags in a kernel message, likewise.
[[nodiscard]] LineEnd parse_flags(std::string_view& text, TextRecord& record);

/// Names of flags that old kernels print as letters: record.page.flags of PageField::kFlagNames.
[[nodiscard]] std::string flag_letter_names(std::uint64_t flags);

/// "Slab cache page" or "Charged to memcg NAME", without the line end.
[[nodiscard]] bool parse_memcg_line(std::string_view line, TextRecord& record);

/// This stands in front of a migrate reason.
constexpr std::string_view kMigrated = "Page has been migrated, last migrate reason: ";

struct FrameText {
  std::uint64_t address = 0;  ///< 0: not known
  std::string_view symbol;    ///< "alloc+0x1/0x2 [module]"; empty: the mark behind the last frame
};
/// A frame of a stack, without what is around it. False: it is none.
[[nodiscard]] bool parse_frame(std::string_view line, FrameText& frame);

/// Whether the text is "[module]" alone, or "[<address>]": a half of a frame.
[[nodiscard]] bool is_module_alone(std::string_view line);
[[nodiscard]] bool is_address_alone(std::string_view line);

}  // namespace pobpf
