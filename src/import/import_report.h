// SPDX-License-Identifier: GPL-2.0-only
// Tells what became of each line and each record of a text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pobpf {

struct ImportNote {
  std::uint64_t line = 0;  ///< from 1
  std::string what;
  std::string text;  ///< begin of the line; untrusted; may be empty
};

struct ImportReport {
  std::uint64_t nr_lines = 0;
  std::uint64_t nr_bytes = 0;        ///< of text
  std::uint64_t nr_pages = 0;        ///< records of pages in the snapshot
  std::uint64_t nr_freed_pages = 0;  ///< of these, of pages that are free
  std::uint64_t nr_groups = 0;
  std::uint64_t nr_stacks = 0;
  std::uint64_t nr_unknown_lines = 0;    ///< not understood, or not wholly
  std::uint64_t nr_dropped_records = 0;  ///< left out
  std::uint64_t nr_joined_lines = 0;     ///< that a mailer had wrapped
  std::uint64_t nr_unkept_lines = 0;  ///< understood, but a snapshot has no place for what they say
  std::uint64_t nr_elisions = 0;      ///< "...": the text itself says that something is missing
  std::vector<ImportNote> notes;      ///< the first of what is unknown or dropped

  [[nodiscard]] bool is_complete() const {
    return nr_unknown_lines == 0 && nr_dropped_records == 0;
  }
  [[nodiscard]] bool is_empty() const { return nr_pages == 0 && nr_groups == 0; }

  void add_unknown(std::uint64_t line, std::string_view text, std::string what = "not understood") {
    ++nr_unknown_lines;
    note(line, std::move(what), text);
  }
  void add_dropped(std::uint64_t line, std::string what) {
    ++nr_dropped_records;
    note(line, std::move(what), {});
  }

 private:
  static constexpr std::size_t kNotesMax = 20;
  static constexpr std::size_t kTextMax = 120;
  void note(std::uint64_t line, std::string what, std::string_view text) {
    if (notes.size() < kNotesMax)
      notes.push_back({line, std::move(what), std::string(text.substr(0, kTextMax))});
  }
};

}  // namespace pobpf
