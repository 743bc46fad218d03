// SPDX-License-Identifier: GPL-2.0-only
#include "import/text_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <lzma.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "util/fd.h"
#include "util/file.h"

namespace pobpf {
namespace {

/// The memory that decompressors may take: xz -9 needs 65 MiB.
constexpr std::uint64_t kXzBytesMax = std::uint64_t{66} << 20;
constexpr int kZstdWindowLogMax = 26;
constexpr const char* kTooMuchMemory =
    "decompress it first: zstd -dc or xz -dc FILE | pobpf import -";
constexpr const char* kDamaged =
    "what can be read of it: zcat, xz -dc or zstd -dc FILE | pobpf import -";

class FileBytes final : public TextSource {
 public:
  FileBytes(Fd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}
  Result<std::size_t> read(std::span<char> room) override {
    const ssize_t nr_bytes = read_bytes(fd_, room.data(), room.size());
    if (nr_bytes >= 0) return static_cast<std::size_t>(nr_bytes);
    return fail(ErrorKind::kFailed,
                fmt::format("reading {}: {}", name_, std::generic_category().message(errno)), {},
                errno);
  }

 private:
  Fd fd_;
  std::string name_;
};

class MemoryBytes final : public TextSource {
 public:
  explicit MemoryBytes(std::string_view bytes) : rest_(bytes) {}
  Result<std::size_t> read(std::span<char> room) override {
    const std::size_t nr_bytes = rest_.copy(room.data(), room.size());
    rest_.remove_prefix(nr_bytes);
    return nr_bytes;
  }

 private:
  std::string_view rest_;
};

/// Bytes that were read to know what they are, and those behind them.
class Peeked final : public TextSource {
 public:
  explicit Peeked(std::unique_ptr<TextSource> source) : source_(std::move(source)) {}
  /// The first bytes, fewer if there are no more.
  Result<std::string_view> peek(std::size_t nr_bytes) {
    while (head_.size() < nr_bytes) {
      const std::size_t before = head_.size();
      head_.resize(nr_bytes);
      auto nr_read = source_->read(std::span(head_).subspan(before));
      head_.resize(before + (nr_read ? *nr_read : 0));
      if (!nr_read) return fail(std::move(nr_read).error());
      if (*nr_read == 0) break;
    }
    return std::string_view(head_);
  }
  Result<std::size_t> read(std::span<char> room) override {
    if (head_.empty()) return source_->read(room);
    const std::size_t nr_bytes = head_.copy(room.data(), room.size());
    head_.erase(0, nr_bytes);
    return nr_bytes;
  }

 private:
  std::unique_ptr<TextSource> source_;
  std::string head_;
};

/// Decompressors share this: bytes that come in, and how a text ends.
class Compressed : public TextSource {
 public:
  explicit Compressed(std::unique_ptr<TextSource> source)
      : source_(std::move(source)), in_(std::size_t{64} << 10, '\0') {}

 protected:
  /// Fills in(), which is used up; false at the end of the file.
  Result<bool> refill() {
    auto nr_bytes = source_->read(in_);
    if (!nr_bytes) return fail(std::move(nr_bytes).error());
    available_ = std::string_view(in_).substr(0, *nr_bytes);
    return *nr_bytes != 0;
  }
  [[nodiscard]] static tl::unexpected<Error> damaged(const char* format) {
    return fail(ErrorKind::kFailed, fmt::format("the {} data is damaged or cut off", format),
                kDamaged);
  }

  std::string_view available_;

 private:
  std::unique_ptr<TextSource> source_;
  std::string in_;
};

class GzipText final : public Compressed {
 public:
  using Compressed::Compressed;
  ~GzipText() override {
    if (is_open_) inflateEnd(&stream_);
  }
  GzipText(const GzipText&) = delete;
  GzipText& operator=(const GzipText&) = delete;
  GzipText(GzipText&&) = delete;
  GzipText& operator=(GzipText&&) = delete;

  Result<std::size_t> read(std::span<char> room) override {
    constexpr int kGzipWindowBits = 15 + 16;
    if (!is_open_ && inflateInit2(&stream_, kGzipWindowBits) != Z_OK) return damaged("gzip");
    is_open_ = true;
    stream_.next_out = reinterpret_cast<Bytef*>(room.data());
    stream_.avail_out = static_cast<uInt>(std::min<std::size_t>(room.size(), UINT32_MAX));
    const uInt nr_wanted = stream_.avail_out;
    while (stream_.avail_out == nr_wanted) {
      if (available_.empty()) {
        auto has_more = refill();
        if (!has_more) return fail(std::move(has_more).error());
        if (!*has_more) {
          if (!is_between_members_) return damaged("gzip");
          return 0;
        }
      }
      if (auto status = inflate_available(); !status) return fail(std::move(status).error());
    }
    return nr_wanted - stream_.avail_out;
  }

 private:
  Status inflate_available() {
    is_between_members_ = false;
    // zlib does not write there
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(available_.data()));
    stream_.avail_in = static_cast<uInt>(available_.size());
    const int result = ::inflate(&stream_, Z_NO_FLUSH);
    available_.remove_prefix(available_.size() - stream_.avail_in);
    if (result == Z_STREAM_END) {
      // another member may follow
      is_between_members_ = true;
      return inflateReset(&stream_) == Z_OK ? Status() : Status(damaged("gzip"));
    }
    if (result != Z_OK && result != Z_BUF_ERROR) return damaged("gzip");
    return {};
  }

  z_stream stream_{};
  bool is_open_ = false;
  bool is_between_members_ = false;
};

class XzText final : public Compressed {
 public:
  using Compressed::Compressed;
  ~XzText() override { lzma_end(&stream_); }
  XzText(const XzText&) = delete;
  XzText& operator=(const XzText&) = delete;
  XzText(XzText&&) = delete;
  XzText& operator=(XzText&&) = delete;

  Result<std::size_t> read(std::span<char> room) override {
    if (!is_open_ && lzma_stream_decoder(&stream_, kXzBytesMax, LZMA_CONCATENATED) != LZMA_OK)
      return damaged("xz");
    is_open_ = true;
    stream_.next_out = reinterpret_cast<std::uint8_t*>(room.data());
    stream_.avail_out = room.size();
    while (stream_.avail_out == room.size() && !is_at_end_) {
      bool has_more = true;
      if (available_.empty()) {
        auto refilled = refill();
        if (!refilled) return fail(std::move(refilled).error());
        has_more = *refilled;
      }
      stream_.next_in = reinterpret_cast<const std::uint8_t*>(available_.data());
      stream_.avail_in = available_.size();
      const lzma_ret result = lzma_code(&stream_, has_more ? LZMA_RUN : LZMA_FINISH);
      available_.remove_prefix(available_.size() - stream_.avail_in);
      is_at_end_ = result == LZMA_STREAM_END;
      if (result == LZMA_MEMLIMIT_ERROR)
        return fail(ErrorKind::kFailed, "the xz data needs too much memory", kTooMuchMemory);
      if (result != LZMA_OK && !is_at_end_) return damaged("xz");
    }
    return room.size() - stream_.avail_out;
  }

 private:
  lzma_stream stream_ = LZMA_STREAM_INIT;
  bool is_open_ = false;
  bool is_at_end_ = false;
};

class ZstdText final : public Compressed {
 public:
  explicit ZstdText(std::unique_ptr<TextSource> source)
      : Compressed(std::move(source)), context_(ZSTD_createDCtx()) {
    if (context_) ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kZstdWindowLogMax);
  }

  Result<std::size_t> read(std::span<char> room) override {
    if (!context_) return damaged("zstd");
    ZSTD_outBuffer out{room.data(), room.size(), 0};
    while (out.pos == 0) {
      if (available_.empty()) {
        auto has_more = refill();
        if (!has_more) return fail(std::move(has_more).error());
        if (!*has_more) {
          if (!is_between_frames_) return damaged("zstd");
          return 0;
        }
      }
      ZSTD_inBuffer in{available_.data(), available_.size(), 0};
      const std::size_t result = ZSTD_decompressStream(context_.get(), &out, &in);
      if (ZSTD_isError(result) != 0) {
        if (ZSTD_getErrorCode(result) == ZSTD_error_frameParameter_windowTooLarge)
          return fail(ErrorKind::kFailed, "the zstd data needs too much memory", kTooMuchMemory);
        return damaged("zstd");
      }
      available_.remove_prefix(in.pos);
      is_between_frames_ = result == 0;
    }
    return out.pos;
  }

 private:
  struct Deleter {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  std::unique_ptr<ZSTD_DCtx, Deleter> context_;
  bool is_between_frames_ = false;
};

Result<std::unique_ptr<TextSource>> decompress(std::unique_ptr<TextSource> source) {
  constexpr std::string_view kGzip("\x1f\x8b", 2);
  constexpr std::string_view kXz(
      "\xfd"
      "7zXZ\0",
      6);
  constexpr std::string_view kZstd("\x28\xb5\x2f\xfd", 4);
  auto peeked = std::make_unique<Peeked>(std::move(source));
  auto head = peeked->peek(kXz.size());
  if (!head) return fail(std::move(head).error());
  if (head->starts_with(kGzip)) return std::make_unique<GzipText>(std::move(peeked));
  if (head->starts_with(kXz)) return std::make_unique<XzText>(std::move(peeked));
  if (head->starts_with(kZstd)) return std::make_unique<ZstdText>(std::move(peeked));
  return peeked;
}

}  // namespace

Result<std::unique_ptr<TextSource>> open_text(const std::filesystem::path& path) {
  const bool is_stdin = path == "-";
  Fd fd = is_stdin ? Fd(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0))
                   : open_file(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  const std::string name = is_stdin ? "the standard input" : path.string();
  if (!fd)
    return fail(ErrorKind::kFailed,
                fmt::format("opening {}: {}", name, std::generic_category().message(errno)), {},
                errno);
  auto source = decompress(std::make_unique<FileBytes>(std::move(fd), name));
  if (!source) return fail(std::move(source).error());
  return source;
}

Result<std::unique_ptr<TextSource>> open_text_bytes(std::string_view bytes) {
  return decompress(std::make_unique<MemoryBytes>(bytes));
}

}  // namespace pobpf
