// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/frame_writer.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <zstd.h>

#include <array>

#include "snapshot/format.h"

namespace pobpf {
namespace {

/// Tag of Snapshot.item: field 1, with a length.
constexpr char kItemTag = 0x0a;

}  // namespace

void FrameWriter::ContextDeleter::operator()(ZSTD_CCtx_s* context) const { ZSTD_freeCCtx(context); }

FrameWriter::FrameWriter(int level) : context_(ZSTD_createCCtx()) {
  if (!context_) return;
  ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1);
  ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_contentSizeFlag, 1);
}

Status FrameWriter::append(snapshot::Item& item, std::string& out) {
  using google::protobuf::io::CodedOutputStream;
  if (!context_) return fail(ErrorKind::kFailed, "no memory to compress with");
  item.set_index(nr_items_);
  const std::size_t size = item.ByteSizeLong();
  if (size > kItemBytesMax)
    return fail(ErrorKind::kFailed, fmt::format("a part of the snapshot has {} bytes", size),
                "please report this");
  content_.clear();
  content_ += kItemTag;
  std::array<std::uint8_t, 10> length{};
  const std::uint8_t* end =
      CodedOutputStream::WriteVarint32ToArray(static_cast<std::uint32_t>(size), length.data());
  content_.append(reinterpret_cast<const char*>(length.data()),
                  static_cast<std::size_t>(end - length.data()));
  const std::size_t head = content_.size();
  content_.resize(head + size);
  item.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(content_.data() + head));

  const std::size_t begin = out.size();
  out.resize(begin + ZSTD_compressBound(content_.size()));
  const std::size_t written = ZSTD_compress2(context_.get(), out.data() + begin, out.size() - begin,
                                             content_.data(), content_.size());
  if (ZSTD_isError(written) != 0) {
    out.resize(begin);
    return fail(ErrorKind::kFailed,
                fmt::format("compressing the snapshot: {}", ZSTD_getErrorName(written)));
  }
  out.resize(begin + written);
  ++nr_items_;
  return {};
}

}  // namespace pobpf
