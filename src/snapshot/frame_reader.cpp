// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/frame_reader.h"

#include <fmt/format.h>
#include <unistd.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "snapshot/format.h"
#include "util/file.h"

namespace pobpf {
namespace {

constexpr std::size_t kReadBytes = std::size_t{256} << 10;
/// Behind the magic: bit 2 says that a checksum of the content ends the frame.
constexpr std::size_t kDescriptorAt = 4;
constexpr unsigned char kHasChecksum = 1U << 2;

tl::unexpected<Error> damaged(std::string what) {
  return fail(ErrorKind::kFailed, std::move(what));
}

}  // namespace

void FrameReader::ContextDeleter::operator()(ZSTD_DCtx_s* context) const { ZSTD_freeDCtx(context); }

FrameReader::FrameReader(Fd fd) : fd_(std::move(fd)), context_(ZSTD_createDCtx()) {}

/// Reads until `nr_bytes` are available or the file ends.
Status FrameReader::fill(std::size_t nr_bytes) {
  if (end_ - begin_ >= nr_bytes || is_file_end_) return {};
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  buffer_.resize(std::max(buffer_.size(), nr_bytes + kReadBytes));
  while (end_ < nr_bytes) {
    const ssize_t got = read_bytes(fd_, buffer_.data() + end_, buffer_.size() - end_);
    if (got < 0)
      return fail(ErrorKind::kFailed,
                  "reading the snapshot: " + std::generic_category().message(errno), {}, errno);
    if (got == 0) {
      is_file_end_ = true;
      return {};
    }
    end_ += static_cast<std::size_t>(got);
  }
  return {};
}

void FrameReader::skip(std::size_t nr_bytes) {
  begin_ += nr_bytes;
  position_ += nr_bytes;
}

/// Bytes of the frame that begins here, once all of it is available.
Result<std::size_t> FrameReader::frame_bytes() {
  const std::size_t bytes_max = ZSTD_compressBound(kFrameBytesMax);
  for (std::size_t wanted = kReadBytes;; wanted *= 2) {
    if (auto status = fill(wanted); !status) return fail(std::move(status).error());
    const std::size_t size = ZSTD_findFrameCompressedSize(available().data(), available().size());
    if (ZSTD_isError(size) == 0) return size;
    if (ZSTD_getErrorCode(size) != ZSTD_error_srcSize_wrong || wanted > bytes_max)
      return damaged("no frame of zstd");
    if (is_file_end_) return damaged("the file ends in the middle of a frame");
  }
}

Result<std::string_view> FrameReader::next(bool& at_end) {
  at_end = false;
  if (!context_) return fail(ErrorKind::kFailed, "no memory to decompress with", {}, ENOMEM);
  if (auto status = fill(kFrameMagic.size()); !status) return fail(std::move(status).error());
  if (available().empty()) {
    at_end = true;
    return std::string_view();
  }
  // zstd would take other frames too
  if (!available().starts_with(kFrameMagic)) return damaged("no frame of zstd");
  auto size = frame_bytes();
  if (!size) return fail(std::move(size).error());
  const std::string_view frame = available().substr(0, *size);
  if ((static_cast<unsigned char>(frame[kDescriptorAt]) & kHasChecksum) == 0)
    return damaged("a frame without a checksum");
  const std::uint64_t content_bytes = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (content_bytes == ZSTD_CONTENTSIZE_UNKNOWN || content_bytes == ZSTD_CONTENTSIZE_ERROR)
    return damaged("a frame that does not say its size");
  if (content_bytes > kFrameBytesMax)
    return damaged(fmt::format("a frame that says it has {} bytes, where {} are the most",
                               content_bytes, kFrameBytesMax));
  // one byte more: zstd takes no null pointer
  if (content_.size() <= content_bytes) content_.resize(content_bytes + 1);
  const std::size_t got = ZSTD_decompressDCtx(context_.get(), content_.data(), content_bytes,
                                              frame.data(), frame.size());
  if (ZSTD_isError(got) != 0)
    return damaged(ZSTD_getErrorCode(got) == ZSTD_error_checksum_wrong
                       ? "the checksum is wrong"
                       : "it cannot be decompressed");
  if (got != content_bytes) return damaged("a frame that says a wrong size");
  skip(*size);
  return std::string_view(content_).substr(0, got);
}

Result<bool> FrameReader::resynchronize() {
  if (auto status = fill(1); !status) return fail(std::move(status).error());
  if (available().empty()) return false;
  skip(1);
  while (true) {
    if (auto status = fill(kReadBytes); !status) return fail(std::move(status).error());
    const std::size_t found = available().find(kFrameMagic);
    if (found != std::string_view::npos) {
      skip(found);
      return true;
    }
    // the magic may straddle what was read
    const std::size_t nr_bytes = available().size();
    if (is_file_end_) {
      skip(nr_bytes);
      return false;
    }
    skip(nr_bytes - std::min(nr_bytes, kFrameMagic.size() - 1));
  }
}

}  // namespace pobpf
