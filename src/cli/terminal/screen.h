// SPDX-License-Identifier: GPL-2.0-only
// A terminal that is written over and listened to while a command watches.
#pragma once

#include <termios.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

namespace pobpf::cli {

struct ScreenSize {
  std::size_t columns = 80;
  std::size_t lines = 24;
};

/// The size of the terminal that is the standard output; no value if it is not one.
[[nodiscard]] std::optional<ScreenSize> screen_size();

/// Keys without Enter and without echo, if the standard input is a terminal in whose foreground we
/// are. Puts the terminal back when it dies.
class Keyboard {
 public:
  Keyboard();
  Keyboard(const Keyboard&) = delete;
  Keyboard& operator=(const Keyboard&) = delete;
  Keyboard(Keyboard&&) = delete;
  Keyboard& operator=(Keyboard&&) = delete;
  ~Keyboard();

  /// The next key, or no value when the time is over or a signal came. Without a terminal it waits.
  [[nodiscard]] std::optional<char> wait(std::chrono::milliseconds time) const;

 private:
  std::optional<termios> before_;
};

/// `text` so that it replaces what the screen shows: cut to its height, each line cleared to its
/// end.
[[nodiscard]] std::string screenful(const std::string& text, const ScreenSize& size);

}  // namespace pobpf::cli
