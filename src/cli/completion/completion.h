// SPDX-License-Identifier: GPL-2.0-only
// Finds what may stand in place of the word that is being typed; the shells' scripts ask for it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/options/option_table.h"

namespace pobpf::cli {

struct Candidate {
  std::string word;  ///< in place of the whole word that is typed
  std::string description;
  /// More has to follow in the same word, as behind "any:".
  bool is_unfinished = false;
};

/// The part of the command line that decides which names there are.
struct NameQuestion {
  std::string typed;  ///< of the name
  /// Files in front of it: the first is the snapshot whose names are asked for.
  std::vector<std::string> files;
  std::string directory;  ///< --dir, empty if it is not given
};

class NameSource {
 public:
  NameSource() = default;
  NameSource(const NameSource&) = delete;
  NameSource& operator=(const NameSource&) = delete;
  NameSource(NameSource&&) = delete;
  NameSource& operator=(NameSource&&) = delete;
  virtual ~NameSource() = default;
  /// Those that can be had; never an error. Words and descriptions are as the machine has them.
  virtual std::vector<Candidate> names(NameKind kind, const NameQuestion& question) = 0;
};

struct Completion {
  std::vector<Candidate> candidates;  ///< all begin with what is typed
  bool wants_files = false;           ///< the shell's own, too
  bool wants_directories = false;
};

/// Completes the last of `words`, which are those behind the program's name. Only words that mean
/// nothing to a shell are offered: names come from anybody, and shells insert them as they are.
[[nodiscard]] Completion complete(const std::vector<std::string>& words, NameSource& source);

}  // namespace pobpf::cli
