// SPDX-License-Identifier: GPL-2.0-only
// Whole records as kernels since 4.6 print them, straight from a buffer. Runs once a page; anything
// unusual is left to RecordAssembler, line by line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "import/text_record.h"

namespace pobpf {

/// Adds what no text says in a line of its own: a record of a kernel that knows cgroups and
/// migration has no line about them where there is nothing to say.
void add_unsaid_fields(TextRecord& record);

class KernelRecordParser {
 public:
  enum class Found {
    kRecord,
    kMore,   ///< so far as the text goes, it could be one
    kOther,  ///< something else
  };
  /// A record with its empty line at the beginning of `text`.
  Found parse(std::string_view text, TextRecord& record);
  /// The size of the record that was found.
  [[nodiscard]] std::size_t nr_bytes() const { return nr_bytes_; }
  [[nodiscard]] std::size_t nr_lines() const { return nr_lines_; }

 private:
  /// Takes the lines that begin with a blank.
  bool take_stack(std::string_view& text, TextRecord& record);
  bool take_rest(std::string_view& text, TextRecord& record);

  std::size_t nr_bytes_ = 0;
  std::size_t nr_lines_ = 0;
  std::string stack_;  // of the last record
  std::size_t nr_frames_ = 0;
};

}  // namespace pobpf
