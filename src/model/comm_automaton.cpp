// SPDX-License-Identifier: GPL-2.0-only
#include "model/comm_automaton.h"

#include <fmt/format.h>

#include <algorithm>
#include <bitset>
#include <cstddef>
#include <set>
#include <utility>

#include "model/glob.h"
#include "model/name_list.h"

namespace pobpf {
namespace {

constexpr std::size_t kCommLength = POBPF_COMM_BYTES - 1;
constexpr std::size_t kWordBits = 64;

/// A pattern in pieces: what each position takes, and after how many of them a '*' stands.
struct Pattern {
  std::vector<std::bitset<256>> elements;
  std::bitset<kWordBits> loops;
};

Pattern take_apart(std::string_view text) {
  Pattern pattern;
  for (std::size_t length = 0; (length = glob_element_length(text)) != 0;) {
    const std::string element(text.substr(0, length));
    text.remove_prefix(length);
    if (element == "*") {
      if (pattern.elements.size() < kWordBits) pattern.loops.set(pattern.elements.size());
      continue;
    }
    // the library says which bytes an element takes, ranges and classes included
    std::bitset<256> bytes;
    for (unsigned byte = 1; byte < 256; ++byte)
      bytes.set(byte, glob_matches(element, std::string(1, static_cast<char>(byte))));
    pattern.elements.push_back(bytes);
  }
  return pattern;
}

/// As much of a pattern as the kernel leaves of a name.
std::string cut_to_names(std::string_view text) {
  std::size_t end = 0;
  for (std::size_t nr_elements = 0; nr_elements < kCommLength && end < text.size();) {
    if (text[end] != '*') ++nr_elements;
    end += glob_element_length(text.substr(end));
  }
  return std::string(text.substr(0, end));
}

Result<Pattern> parse(const std::string& text) {
  if (auto status = check_glob(text); !status) return fail(std::move(status).error());
  Pattern pattern = take_apart(text);
  if (pattern.elements.size() > kCommLength)
    return fail(ErrorKind::kUsage,
                fmt::format("'{}' matches no task, as the kernel cuts their names to {} bytes",
                            shown(text), kCommLength),
                fmt::format("try '{}'", shown(cut_to_names(text))));
  return pattern;
}

/// Puts patterns one behind the other into the words.
class Builder {
 public:
  /// False if there is no room.
  bool add(const Pattern& pattern, bool is_rejected) {
    const std::size_t nr_states = pattern.elements.size() + 1;
    for (std::size_t word = 0; word < POBPF_COMM_WORDS; ++word) {
      if (used_.at(word) + nr_states > kWordBits) continue;
      const std::size_t first = used_.at(word);
      auto& states = result_.states.at(word);
      states.start |= 1ULL << first;
      states.loops |= pattern.loops.to_ullong() << first;
      (is_rejected ? states.rejected : states.wanted) |= 1ULL << (first + nr_states - 1);
      for (std::size_t i = 0; i < pattern.elements.size(); ++i)
        for (std::size_t byte = 0; byte < 256; ++byte)
          if (pattern.elements[i].test(byte))
            result_.table.accepts[byte][word] |= 1ULL << (first + i);
      used_.at(word) += nr_states;
      return true;
    }
    return false;
  }

  [[nodiscard]] const CommAutomaton& result() const { return result_; }

 private:
  CommAutomaton result_;
  std::array<std::size_t, POBPF_COMM_WORDS> used_{};
};

}  // namespace

Result<CommAutomaton> compile_comm_patterns(const std::vector<std::string>& wanted,
                                            const std::vector<std::string>& rejected) {
  Builder builder;
  for (const auto* patterns : {&wanted, &rejected}) {
    for (const std::string& text : *patterns) {
      auto pattern = parse(text);
      if (!pattern) return fail(std::move(pattern).error());
      if (!builder.add(*pattern, patterns == &rejected))
        return fail(
            ErrorKind::kUsage, "there are too many patterns of task names",
            fmt::format("there is room for {} of {} characters, or for more that are shorter",
                        POBPF_COMM_WORDS * (kWordBits / (kCommLength + 1)), kCommLength));
    }
  }
  return builder.result();
}

namespace {

using States = std::array<std::uint64_t, POBPF_COMM_WORDS>;
/// States that a byte takes one further.
using Accepted = std::array<std::uint64_t, POBPF_COMM_WORDS>;

States start_of(const CommAutomaton& automaton) {
  States states{};
  for (std::size_t word = 0; word < states.size(); ++word)
    states.at(word) = automaton.states.at(word).start;
  return states;
}

Accepted accepted_by(const CommAutomaton& automaton, unsigned byte) {
  Accepted accepted{};
  for (std::size_t word = 0; word < accepted.size(); ++word)
    accepted.at(word) = automaton.table.accepts[byte][word];
  return accepted;
}

States next(const CommAutomaton& automaton, const States& states, const Accepted& accepted) {
  States result{};
  for (std::size_t word = 0; word < states.size(); ++word)
    result.at(word) = (states.at(word) & accepted.at(word)) << 1 |
                      (states.at(word) & automaton.states.at(word).loops);
  return result;
}

bool is_passing(const CommAutomaton& automaton, const States& states) {
  bool wants = false;
  bool is_wanted = false;
  for (std::size_t word = 0; word < states.size(); ++word) {
    const auto& ends = automaton.states.at(word);
    if ((states.at(word) & ends.rejected) != 0) return false;
    wants = wants || ends.wanted != 0;
    is_wanted = is_wanted || (states.at(word) & ends.wanted) != 0;
  }
  return !wants || is_wanted;
}

}  // namespace

bool CommAutomaton::passes(std::string_view comm) const {
  States now = start_of(*this);
  for (const char c : comm.substr(0, POBPF_COMM_BYTES)) {
    if (c == '\0') break;
    now = next(*this, now, accepted_by(*this, static_cast<unsigned char>(c)));
  }
  return is_passing(*this, now);
}

bool CommAutomaton::may_pass() const {
  constexpr std::size_t kStepsMax = 100'000;
  std::set<Accepted> kinds_of_bytes;
  for (unsigned byte = 1; byte < 256; ++byte) kinds_of_bytes.insert(accepted_by(*this, byte));
  std::set<States> reached{start_of(*this)};
  std::size_t nr_steps = 0;
  for (std::size_t length = 0;; ++length) {
    if (std::any_of(reached.begin(), reached.end(),
                    [&](const States& now) { return is_passing(*this, now); }))
      return true;
    if (length == kCommLength) return false;
    std::set<States> further;
    for (const States& now : reached) {
      nr_steps += kinds_of_bytes.size();
      if (nr_steps > kStepsMax) return true;
      for (const Accepted& accepted : kinds_of_bytes) further.insert(next(*this, now, accepted));
    }
    reached = std::move(further);
  }
}

}  // namespace pobpf
