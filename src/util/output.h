// SPDX-License-Identifier: GPL-2.0-only
// Bytes out: to the standard output or a file, so that no file ever looks complete and is not.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "util/error.h"
#include "util/fd.h"

namespace pobpf {

/// Buffered output. Writers append to buffer() and call flush_if_full() now and then.
///
/// A regular file is written without a name, where the file system cannot do that under another
/// name in the same directory (mode 0600: records tell what every process does), and takes its own
/// name in commit() only. Without commit() nothing of it is left; after a SIGKILL nothing of a file
/// without a name. Devices, pipes and the standard output are written directly.
class Output {
 public:
  /// Asked before each write and when a signal interrupts one; true gives up with EINTR.
  using IsCancelled = bool (*)();

  [[nodiscard]] static Output to_stdout(IsCancelled is_cancelled = nullptr);
  [[nodiscard]] static Result<Output> to_file(const std::filesystem::path& path,
                                              IsCancelled is_cancelled = nullptr);
  /// For libraries that open files themselves: they write to temporary_path(), nobody to buffer().
  /// kUsage if `path` is there and no regular file.
  [[nodiscard]] static Result<Output> to_named_file(const std::filesystem::path& path,
                                                    IsCancelled is_cancelled = nullptr);

  /// As to_file(), for a name in `directory` that is not taken; `path` is for messages. Where the
  /// file has a name before commit(), it is `temporary_prefix` and six letters or digits, by which
  /// one that was left behind is known again.
  [[nodiscard]] static Result<Output> to_new_file(const Fd& directory,
                                                  const std::filesystem::path& path,
                                                  std::string_view temporary_prefix,
                                                  IsCancelled is_cancelled = nullptr);

  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  Output(Output&& other) noexcept;
  Output& operator=(Output&&) = delete;
  ~Output();

  /// Where to append; grows beyond its usual size if nobody flushes. Whatever it is, it controls no
  /// terminal.
  [[nodiscard]] std::string& buffer() { return buffer_; }
  /// Appends what is to control the terminal; nothing untrusted may be in it.
  void append_controls(std::string_view text);
  [[nodiscard]] Status flush_if_full() { return is_full() ? flush() : Status(); }
  [[nodiscard]] bool is_full() const { return buffer_.size() >= kBufferBytes; }
  /// Writes everything out. EPIPE of the standard output sets is_reader_gone().
  [[nodiscard]] Status flush();
  /// Flushes, checks that it is on its medium, and gives a file its name. Last call.
  [[nodiscard]] Status commit();

  /// See give_to_owner() of util/file.h.
  [[nodiscard]] Status give_to_owner_of(const Fd& directory) const;
  /// Where a file is until commit(), without symbolic links; empty where it has no name or is
  /// written directly.
  [[nodiscard]] std::string temporary_path() const;
  /// The name that the user gave it.
  [[nodiscard]] const std::string& name() const { return name_; }
  /// The error of a write that failed with this errno.
  [[nodiscard]] tl::unexpected<Error> cannot_write(int error) const;

  [[nodiscard]] bool is_terminal() const { return ::isatty(fd_.get()) == 1; }
  /// The reader of our standard output went away (`pobpf | head`): no failure of ours.
  [[nodiscard]] bool is_reader_gone() const { return is_reader_gone_; }

 private:
  static constexpr std::size_t kBufferBytes = 256UL * 1024;

  /// A name in a directory that is found once: where its path leads later does not matter.
  struct Target {
    Fd directory;
    std::string directory_path;  ///< without symbolic links
    std::string file;            ///< empty: what is written gets no name
  };
  /// Whether the file has a name before commit().
  enum class Naming { kUnnamed, kNamed };

  Output(Fd fd, std::string name, IsCancelled is_cancelled);
  /// Finds that of the regular file `existing`, or where a new one goes.
  [[nodiscard]] static Result<Target> find_target(const std::filesystem::path& path,
                                                  const Fd& existing);
  [[nodiscard]] static Result<Output> open_in(Result<Target> target, std::string name,
                                              Naming naming, std::string_view temporary_prefix,
                                              IsCancelled is_cancelled);
  [[nodiscard]] Status name_unnamed();
  /// The one way from any text to a terminal.
  void make_buffer_harmless();
  void discard();

  Fd fd_;
  std::string name_;  ///< for messages
  Target target_;
  std::string temporary_;    ///< name in the same directory
  bool is_unnamed_ = false;  ///< O_TMPFILE
  IsCancelled is_cancelled_;
  bool is_stdout_ = false;
  bool is_reader_gone_ = false;
  std::string buffer_;
  std::size_t nr_harmless_ = 0;  ///< bytes of the buffer that a terminal may get
};

}  // namespace pobpf
