// SPDX-License-Identifier: GPL-2.0-only
#include "util/output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <thread>

#include "descriptors.h"
#include "temp_dir.h"

namespace pobpf {
namespace {

using test::Pipe;
using test::Replacement;

class OutputFile : public ::testing::Test {
 protected:
  explicit OutputFile(const std::filesystem::path& parent = std::filesystem::temp_directory_path())
      : dir(parent) {}
  [[nodiscard]] Output open(std::string_view name) const {
    auto output = Output::to_file(dir / name);
    if (!output) std::abort();
    return std::move(*output);
  }
  test::TempDir dir;
};

/// tmpfs can make files without a name, wherever the temporary directory lies.
class OutputFileOnTmpfs : public OutputFile {
 protected:
  OutputFileOnTmpfs() : OutputFile("/dev/shm") {}
};

TEST_F(OutputFile, HasItsNameAfterCommitOnly) {
  auto output = open("file");
  output.buffer() += "text";
  ASSERT_TRUE(output.flush());
  EXPECT_FALSE(std::filesystem::exists(dir / "file"));
  ASSERT_TRUE(output.commit());
  EXPECT_EQ(dir.read("file"), "text");
  EXPECT_EQ(dir.count(), 1U);
}

TEST_F(OutputFile, LeavesNothingWithoutCommit) {
  {
    auto output = open("file");
    output.buffer() += "text";
    ASSERT_TRUE(output.flush());
    EXPECT_LE(dir.count(), 1U);
  }
  EXPECT_EQ(dir.count(), 0U);
}

TEST_F(OutputFileOnTmpfs, HasNoOtherNameThatAKilledProcessCouldLeaveBehind) {
  dir.write("old", "old");
  auto created = open("new");
  auto replaced = open("old");
  for (Output* output : {&created, &replaced}) {
    output->buffer() += "text";
    ASSERT_TRUE(output->flush());
  }
  EXPECT_EQ(dir.count(), 1U);
  ASSERT_TRUE(created.commit());
  ASSERT_TRUE(replaced.commit());
  EXPECT_EQ(dir.count(), 2U);
  EXPECT_EQ(dir.read("old"), "text");
}

TEST_F(OutputFile, ReplacesAFileThatCameMeanwhile) {
  auto first = open("file");
  auto second = open("file");
  first.buffer() += "first";
  second.buffer() += "second";
  // the name that the second one takes first is that of a file which was left behind
  dir.write(".pobpf." + std::to_string(::getpid()) + ".0", "other");
  ASSERT_TRUE(first.commit());
  ASSERT_TRUE(second.commit());
  EXPECT_EQ(dir.read("file"), "second");
  EXPECT_EQ(dir.count(), 2U);
}

TEST_F(OutputFile, KeepsTheOldFileWithoutCommit) {
  dir.write("file", "old");
  {
    auto output = open("file");
    output.buffer() += "new";
    ASSERT_TRUE(output.flush());
  }
  EXPECT_EQ(dir.read("file"), "old");
}

TEST_F(OutputFile, IsReadableByItsOwnerOnly) {
  dir.write("file", "old");
  ::chmod((dir / "file").c_str(), 0644);
  ASSERT_TRUE(open("file").commit());
  struct stat status {};
  ASSERT_EQ(::stat((dir / "file").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(OutputFile, ReplacesWhatASymbolicLinkLeadsTo) {
  dir.write("folder/file", "old");
  std::filesystem::create_symlink("folder/file", dir / "link");
  auto output = open("link");
  output.buffer() += "new";
  ASSERT_TRUE(output.commit());
  EXPECT_TRUE(std::filesystem::is_symlink(dir / "link"));
  EXPECT_EQ(dir.read("folder/file"), "new");
}

/// The file that a path leads to is settled when it is opened.
TEST_F(OutputFile, IsNotLedElsewhereByALinkThatComesLater) {
  for (const char* name : {"folder/old", "folder/new"}) {
    SCOPED_TRACE(name);
    dir.write("folder/old", "old");
    dir.write("elsewhere/old", "victim");
    dir.write("elsewhere/new", "victim");
    {
      auto output = open(name);
      output.buffer() += "text";
      std::filesystem::rename(dir / "folder", dir / "moved");
      std::filesystem::create_directory_symlink("elsewhere", dir / "folder");
      ASSERT_TRUE(output.commit());
    }
    for (const char* victim : {"elsewhere/old", "elsewhere/new"})
      EXPECT_EQ(dir.read(victim), "victim");
    EXPECT_EQ(dir.read("moved" + std::string(name).substr(6)), "text");
    for (const char* gone : {"folder", "moved", "elsewhere"}) dir.remove(gone);
  }
}

TEST_F(OutputFile, LeavesNoTemporaryFileElsewhere) {
  std::filesystem::create_directory(dir / "folder");
  {
    auto output = Output::to_named_file(dir / "folder/file");
    ASSERT_TRUE(output);
    const auto name = std::filesystem::path(output->temporary_path()).filename().string();
    std::filesystem::rename(dir / "folder", dir / "moved");
    dir.write("folder/" + name, "victim");
    output->buffer() += "text";
  }
  EXPECT_TRUE(std::filesystem::is_empty(dir / "moved"));
  EXPECT_FALSE(std::filesystem::is_empty(dir / "folder"));
}

TEST_F(OutputFile, MovesWithItsTemporaryFile) {
  auto first = open("file");
  first.buffer() += "text";
  Output second(std::move(first));
  ASSERT_TRUE(second.commit());
  EXPECT_EQ(dir.read("file"), "text");
}

TEST_F(OutputFile, RefusesADirectory) {
  const auto output = Output::to_file(dir.path());
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().what, "opening " + dir.path().string() + ": Is a directory");
}

TEST_F(OutputFile, RefusesAMissingDirectory) {
  const auto output = Output::to_file(dir / "missing/file");
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().os_errno, ENOENT);
}

TEST_F(OutputFile, WritesToAFifoDirectly) {
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  std::string read;
  std::thread reader([&] { read = dir.read("fifo"); });
  auto output = open("fifo");
  output.buffer() += "text";
  EXPECT_TRUE(output.commit());
  reader.join();
  EXPECT_EQ(read, "text");
  EXPECT_TRUE(std::filesystem::is_fifo(dir / "fifo"));
}

TEST_F(OutputFile, HasATemporaryNameForLibraries) {
  dir.write("file", "old");
  {
    auto output = Output::to_named_file(dir / "file");
    ASSERT_TRUE(output);
    const std::filesystem::path temporary = output->temporary_path();
    EXPECT_EQ(temporary.parent_path(), dir.path());
    struct stat status {};
    ASSERT_EQ(::stat(temporary.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    dir.write(temporary.filename().string(), "new");
    EXPECT_EQ(dir.read("file"), "old");
    ASSERT_TRUE(output->commit());
  }
  EXPECT_EQ(dir.read("file"), "new");
  ASSERT_TRUE(Output::to_named_file(dir / "other"));
  EXPECT_EQ(dir.count(), 1U);
}

TEST_F(OutputFile, WithANameMustBeARegularFile) {
  const auto output = Output::to_named_file("/dev/null");
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().kind, ErrorKind::kUsage);
  EXPECT_EQ(output.error().what, "/dev/null is not a regular file");
}

TEST_F(OutputFile, LeavesNothingOnAFullDisk) {
  // the limit of a file's size stands for the disk's: same path, other errno
  struct rlimit saved {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &saved), 0);
  const struct rlimit small { 4096, saved.rlim_max };
  static_cast<void>(::signal(SIGXFSZ, SIG_IGN));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  Status status;
  {
    auto output = open("file");
    output.buffer().assign(10'000, 'x');
    status = output.commit();
  }
  ::setrlimit(RLIMIT_FSIZE, &saved);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().os_errno, EFBIG);
  EXPECT_EQ(status.error().hint, "free some space or choose another place");
  EXPECT_EQ(dir.count(), 0U);
}

TEST(Output, FullDeviceIsAnError) {
  auto output = Output::to_file("/dev/full");
  ASSERT_TRUE(output);
  output->buffer() += "text";
  const auto status = output->commit();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().what, "writing /dev/full: No space left on device");
  EXPECT_FALSE(output->is_reader_gone());
}

TEST(Output, FlushesOnlyWhenFull) {
  const Pipe pipe;
  const Replacement replacement(STDOUT_FILENO, pipe.writer.get());
  auto output = Output::to_stdout();
  output.buffer() += "text";
  ASSERT_TRUE(output.flush_if_full());
  EXPECT_EQ(output.buffer(), "text");
  ASSERT_TRUE(output.flush());
  EXPECT_EQ(output.buffer(), "");
}

TEST(Output, LeavesStdoutOpen) {
  const Pipe pipe;
  const Replacement replacement(STDOUT_FILENO, pipe.writer.get());
  ASSERT_TRUE(Output::to_stdout().commit());
  EXPECT_NE(::fcntl(STDOUT_FILENO, F_GETFD), -1);
}

TEST(Output, TellsThatTheReaderOfStdoutIsGone) {
  static_cast<void>(::signal(SIGPIPE, SIG_IGN));
  Pipe pipe;
  const Replacement replacement(STDOUT_FILENO, pipe.writer.get());
  auto output = Output::to_stdout();
  pipe.reader.reset();
  output.buffer() += "text";
  const auto status = output.flush();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().os_errno, EPIPE);
  EXPECT_TRUE(output.is_reader_gone());
}

TEST(Output, TakesDevStdoutForTheStandardOutput) {
  const test::TempDir dir;
  dir.write("redirected", "");
  const Fd file(::open((dir / "redirected").c_str(), O_WRONLY | O_CLOEXEC));
  const Replacement replacement(STDOUT_FILENO, file.get());
  auto output = Output::to_file("/dev/stdout");
  ASSERT_TRUE(output);
  output->buffer() += "text";
  ASSERT_TRUE(output->flush());
  EXPECT_EQ(dir.read("redirected"), "text");
}

volatile sig_atomic_t has_alarm = 0;

TEST(Output, GivesABlockedWriteUpWhenCancelled) {
  has_alarm = 0;
  struct sigaction action {};
  action.sa_handler = [](int) { has_alarm = 1; };
  ::sigaction(SIGALRM, &action, nullptr);
  const itimerval soon{{0, 0}, {0, 50'000}};  // once: the write has to notice
  const itimerval never{};
  const Pipe pipe;
  const Replacement replacement(STDOUT_FILENO, pipe.writer.get());
  auto output = Output::to_stdout([] { return has_alarm != 0; });
  output.buffer().assign(1'000'000, 'x');
  ::setitimer(ITIMER_REAL, &soon, nullptr);
  const auto status = output.flush();
  ::setitimer(ITIMER_REAL, &never, nullptr);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().os_errno, EINTR);
}

TEST(Output, FinishesAWriteThatASignalInterrupts) {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  ::sigaction(SIGALRM, &action, nullptr);
  const itimerval soon{{0, 5'000}, {0, 5'000}};
  const itimerval never{};
  Pipe pipe;
  std::size_t got = 0;
  std::thread reader([&] {
    // slower than the timer, so that writes are interrupted in the middle
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    std::array<char, 65536> buffer{};
    for (;;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      const ssize_t size = ::read(pipe.reader.get(), buffer.data(), buffer.size());
      if (size <= 0) return;
      got += static_cast<std::size_t>(size);
    }
  });
  {
    const Replacement replacement(STDOUT_FILENO, pipe.writer.get());
    auto output = Output::to_stdout([] { return false; });
    output.buffer().assign(1'000'000, 'x');
    ::setitimer(ITIMER_REAL, &soon, nullptr);
    EXPECT_TRUE(output.commit());
    ::setitimer(ITIMER_REAL, &never, nullptr);
  }
  pipe.writer.reset();
  reader.join();
  EXPECT_EQ(got, 1'000'000U);
}

}  // namespace
}  // namespace pobpf
