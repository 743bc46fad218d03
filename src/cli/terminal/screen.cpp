// SPDX-License-Identifier: GPL-2.0-only
#include "cli/terminal/screen.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <limits>

namespace pobpf::cli {

std::optional<ScreenSize> screen_size() {
  if (::isatty(STDOUT_FILENO) != 1) return std::nullopt;
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
    return ScreenSize();
  return ScreenSize{size.ws_col, size.ws_row};
}

Keyboard::Keyboard() {
  termios now{};
  // in the background a change of the terminal would stop us
  if (::isatty(STDIN_FILENO) != 1 || ::tcgetpgrp(STDIN_FILENO) != ::getpgrp() ||
      ::tcgetattr(STDIN_FILENO, &now) != 0)
    return;
  before_ = now;
  now.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  now.c_cc[VMIN] = 1;
  now.c_cc[VTIME] = 0;
  ::tcsetattr(STDIN_FILENO, TCSANOW, &now);
}

Keyboard::~Keyboard() {
  if (before_) ::tcsetattr(STDIN_FILENO, TCSANOW, &*before_);
}

std::optional<char> Keyboard::wait(std::chrono::milliseconds time) const {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  const auto most =
      std::min<std::chrono::milliseconds::rep>(time.count(), std::numeric_limits<int>::max());
  const int timeout = static_cast<int>(std::max<long>(most, 0));
  if (::poll(&input, before_ ? 1 : 0, timeout) != 1) return std::nullopt;
  char key = 0;
  if (::read(STDIN_FILENO, &key, 1) == 1) return key;
  // a terminal that has hung up is always ready: without keys there is only time to wait for
  static_cast<void>(::poll(nullptr, 0, timeout));
  return std::nullopt;
}

std::string screenful(const std::string& text, const ScreenSize& size) {
  std::string out = "\x1b[H";
  std::size_t at = 0;
  // the last line stays empty: a newline there would scroll
  for (std::size_t line = 1; line < size.lines && at < text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    out.append(text, at, end - at).append("\x1b[K\n");
    at = end + 1;
  }
  return out + "\x1b[J";
}

}  // namespace pobpf::cli
