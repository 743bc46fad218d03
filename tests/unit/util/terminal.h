// SPDX-License-Identifier: GPL-2.0-only
// A terminal with somebody in front of it.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <functional>
#include <string>
#include <string_view>

#include "util/fd.h"

namespace pobpf::test {

/// A child process on a terminal of its own, in its foreground.
class OnTerminal {
 public:
  /// `program` returns the exit status of the child; what it asserts nobody sees.
  OnTerminal(unsigned short columns, unsigned short lines, const std::function<int()>& program) {
    const winsize size{lines, columns, 0, 0};
    int master = -1;
    child_ = ::forkpty(&master, nullptr, nullptr, &size);
    if (child_ == 0) ::_exit(program());
    if (child_ < 0) ADD_FAILURE() << "no terminal can be made";
    master_ = Fd(master);
  }
  OnTerminal(const OnTerminal&) = delete;
  OnTerminal& operator=(const OnTerminal&) = delete;
  OnTerminal(OnTerminal&&) = delete;
  OnTerminal& operator=(OnTerminal&&) = delete;
  ~OnTerminal() {
    if (child_ > 0) exit_status();
  }

  void type(std::string_view keys) {
    EXPECT_EQ(::write(master_.get(), keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }
  /// Returns what was written since the last call, up to and with `text`.
  std::string read_until(std::string_view text) {
    std::size_t found = 0;
    while ((found = pending_.find(text)) == std::string::npos) {
      if (read_more()) continue;
      ADD_FAILURE() << "only this was written: " << testing::PrintToString(pending_);
      return {};
    }
    const std::string result = pending_.substr(0, found + text.size());
    pending_.erase(0, result.size());
    return result;
  }
  void hang_up() { master_.reset(); }
  /// That of the child at its end; -1 if it was killed.
  int exit_status() {
    while (master_ && read_more()) {
    }
    int status = 0;
    ::waitpid(child_, &status, 0);
    child_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  /// Not read yet; all that is left after exit_status().
  [[nodiscard]] const std::string& rest() const { return pending_; }

 private:
  bool read_more() {
    constexpr int kPatienceMs = 20'000;
    pollfd ready{master_.get(), POLLIN, 0};
    if (::poll(&ready, 1, kPatienceMs) != 1) {
      ADD_FAILURE() << "nothing happens any more";
      ::kill(child_, SIGKILL);
      return false;
    }
    std::array<char, 4096> buffer{};
    const ssize_t size = ::read(master_.get(), buffer.data(), buffer.size());
    if (size > 0) pending_.append(buffer.data(), static_cast<std::size_t>(size));
    return size > 0;
  }

  pid_t child_ = -1;
  Fd master_;
  std::string pending_;
};

}  // namespace pobpf::test
