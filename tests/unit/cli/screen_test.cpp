// SPDX-License-Identifier: GPL-2.0-only
#include "cli/terminal/screen.h"

#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string_view>

#include "../util/descriptors.h"
#include "../util/terminal.h"

namespace pobpf::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using test::OnTerminal;
using test::Replacement;

constexpr milliseconds kPatience{20'000};

// screenful()

TEST(Screenful, WritesOverWhatWasThere) {
  EXPECT_EQ(screenful("one\ntwo\n", {80, 24}), "\x1b[Hone\x1b[K\ntwo\x1b[K\n\x1b[J");
}

TEST(Screenful, OfNothingClearsTheScreen) { EXPECT_EQ(screenful("", {80, 24}), "\x1b[H\x1b[J"); }

TEST(Screenful, KeepsEmptyLines) {
  EXPECT_EQ(screenful("\n\na\n", {80, 24}), "\x1b[H\x1b[K\n\x1b[K\na\x1b[K\n\x1b[J");
}

TEST(Screenful, TakesALastLineWithoutItsEnd) {
  EXPECT_EQ(screenful("one\ntwo", {80, 24}), "\x1b[Hone\x1b[K\ntwo\x1b[K\n\x1b[J");
}

TEST(Screenful, NeverScrolls) {
  EXPECT_EQ(screenful("1\n2\n3\n", {80, 4}), "\x1b[H1\x1b[K\n2\x1b[K\n3\x1b[K\n\x1b[J");
  EXPECT_EQ(screenful("1\n2\n3\n", {80, 3}), "\x1b[H1\x1b[K\n2\x1b[K\n\x1b[J");
  EXPECT_EQ(screenful("1\n2\n3\n", {80, 1}), "\x1b[H\x1b[J");
}

// screen_size()

TEST(ScreenSize, IsNoneWithoutATerminal) {
  const test::Pipe pipe;
  const Replacement replacement(STDOUT_FILENO, pipe.writer.get());
  EXPECT_FALSE(screen_size());
}

TEST(ScreenSize, IsThatOfTheTerminal) {
  OnTerminal terminal(101, 33, [] {
    const auto size = screen_size();
    return size && size->columns == 101 && size->lines == 33 ? 0 : 1;
  });
  EXPECT_EQ(terminal.exit_status(), 0);
}

TEST(ScreenSize, OfATerminalThatDoesNotSayIsTheUsualOne) {
  OnTerminal terminal(0, 0, [] {
    const auto size = screen_size();
    return size && size->columns == 80 && size->lines == 24 ? 0 : 1;
  });
  EXPECT_EQ(terminal.exit_status(), 0);
}

// Keyboard

void say(std::string_view text) {
  static_cast<void>(!::write(STDOUT_FILENO, text.data(), text.size()));
}

TEST(Keyboard, HasKeysWithoutEnterAndWithoutEcho) {
  OnTerminal terminal(80, 24, [] {
    const Keyboard keyboard;
    say("ready");
    for (int i = 0; i < 3; ++i) {
      const auto key = keyboard.wait(kPatience);
      say(key ? std::string("<") + *key + ">" : "none");
    }
    return 0;
  });
  terminal.read_until("ready");
  terminal.type("s");
  EXPECT_EQ(terminal.read_until(">"), "<s>");
  terminal.type("fq");
  EXPECT_EQ(terminal.exit_status(), 0);
  EXPECT_EQ(terminal.rest(), "<f><q>");
}

TEST(Keyboard, HasNoKeyWhenTheTimeIsOver) {
  OnTerminal terminal(80, 24, [] {
    const Keyboard keyboard;
    const auto start = steady_clock::now();
    if (keyboard.wait(milliseconds(50))) return 1;
    if (keyboard.wait(milliseconds(-5))) return 2;
    return steady_clock::now() - start >= milliseconds(50) ? 0 : 3;
  });
  EXPECT_EQ(terminal.exit_status(), 0);
}

bool is_cooked() {
  termios now{};
  ::tcgetattr(STDIN_FILENO, &now);
  return (now.c_lflag & ICANON) != 0 && (now.c_lflag & ECHO) != 0;
}

TEST(Keyboard, PutsTheTerminalBack) {
  OnTerminal terminal(80, 24, [] {
    termios before{};
    ::tcgetattr(STDIN_FILENO, &before);
    // unusual, so that putting back what is usual is not enough
    before.c_cc[VMIN] = 7;
    before.c_cc[VTIME] = 9;
    before.c_lflag ^= ECHOK;
    ::tcsetattr(STDIN_FILENO, TCSANOW, &before);
    {
      const Keyboard keyboard;
      termios during{};
      ::tcgetattr(STDIN_FILENO, &during);
      if ((during.c_lflag & (ICANON | ECHO)) != 0) return 1;
      // Ctrl-C stays what it is
      if ((during.c_lflag & ISIG) == 0) return 2;
    }
    termios after{};
    ::tcgetattr(STDIN_FILENO, &after);
    if (after.c_lflag != before.c_lflag) return 3;
    return after.c_cc[VMIN] == 7 && after.c_cc[VTIME] == 9 ? 0 : 4;
  });
  EXPECT_EQ(terminal.exit_status(), 0);
}

TEST(Keyboard, LeavesATerminalAloneInWhoseBackgroundItIs) {
  OnTerminal terminal(80, 24, [] {
    const pid_t child = ::fork();
    if (child == 0) {
      ::setpgid(0, 0);
      const Keyboard keyboard;
      if (!is_cooked()) ::_exit(1);
      ::_exit(keyboard.wait(milliseconds(5)) ? 2 : 0);
    }
    int status = 0;
    // a change of the terminal would stop it
    ::waitpid(child, &status, WUNTRACED);
    ::kill(child, SIGKILL);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
  });
  EXPECT_EQ(terminal.exit_status(), 0);
}

TEST(Keyboard, ThatHasHungUpStillWaits) {
  OnTerminal terminal(80, 24, [] {
    static_cast<void>(::signal(SIGHUP, SIG_IGN));
    const Keyboard keyboard;
    say("ready");
    // the end of the first wait is the hangup
    static_cast<void>(keyboard.wait(kPatience / 100));
    const auto start = steady_clock::now();
    const auto key = keyboard.wait(milliseconds(100));
    const bool has_waited = steady_clock::now() - start >= milliseconds(100);
    return !key && has_waited ? 0 : 1;
  });
  terminal.read_until("ready");
  terminal.hang_up();
  EXPECT_EQ(terminal.exit_status(), 0);
}

TEST(Keyboard, WithoutATerminalOnlyWaits) {
  const test::Pipe pipe;
  ASSERT_EQ(::write(pipe.writer.get(), "q", 1), 1);
  const Replacement replacement(STDIN_FILENO, pipe.reader.get());
  const Keyboard keyboard;
  const auto start = steady_clock::now();
  EXPECT_FALSE(keyboard.wait(milliseconds(20)));
  EXPECT_GE(steady_clock::now() - start, milliseconds(20));
  int nr_bytes = 0;
  ASSERT_EQ(::ioctl(pipe.reader.get(), FIONREAD, &nr_bytes), 0);
  EXPECT_EQ(nr_bytes, 1) << "what is not a key is the next program's";
}

}  // namespace
}  // namespace pobpf::cli
