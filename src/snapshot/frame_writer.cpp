// SPDX-License-Identifier: GPL-2.0-only
#include "snapshot/frame_writer.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "snapshot.pb.h"
#include "snapshot/format.h"

namespace pobpf {
namespace {

// Columns differ in which bytes are frequent: a code for each piece takes 4 % less of real times
// than one for 128 KiB.
constexpr std::size_t kPieceBytes = 16 << 10;
constexpr std::size_t kPieceOverhead = 16;  // headers of its blocks

/// Repeats in columns are long and near, and most of a column is noise where to search on is in
/// vain: files of zstd's level 6, for hardly more time than level 3 takes.
constexpr std::pair<ZSTD_cParameter, int> kForColumns[] = {{ZSTD_c_strategy, ZSTD_lazy2},
                                                           {ZSTD_c_searchLog, 1},
                                                           {ZSTD_c_minMatch, 6},
                                                           {ZSTD_c_hashLog, 14},
                                                           {ZSTD_c_chainLog, 14}};

}  // namespace

void FrameWriter::ContextDeleter::operator()(ZSTD_CCtx_s* context) const { ZSTD_freeCCtx(context); }

FrameWriter::FrameWriter(int level) : context_(ZSTD_createCCtx()) {
  if (!context_) return;
  ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, level);
  if (level == kLevelDefault)
    for (const auto& [parameter, value] : kForColumns)
      ZSTD_CCtx_setParameter(context_.get(), parameter, value);
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

  if (auto status = compress(out); !status) return status;
  ++nr_items_;
  return {};
}

Status FrameWriter::compress(std::string& out) {
  const std::size_t begin = out.size();
  out.resize(begin + ZSTD_compressBound(content_.size()) +
             content_.size() / kPieceBytes * kPieceOverhead);
  ZSTD_outBuffer output{out.data() + begin, out.size() - begin, 0};
  std::size_t result = ZSTD_CCtx_reset(context_.get(), ZSTD_reset_session_only);
  if (ZSTD_isError(result) == 0)
    result = ZSTD_CCtx_setPledgedSrcSize(context_.get(), content_.size());
  for (std::size_t at = 0; at < content_.size() && ZSTD_isError(result) == 0; at += kPieceBytes) {
    const std::size_t size = std::min(kPieceBytes, content_.size() - at);
    ZSTD_inBuffer input{content_.data() + at, size, 0};
    const bool is_last = at + size == content_.size();
    // there is room for all of it, so one call takes it
    result =
        ZSTD_compressStream2(context_.get(), &output, &input, is_last ? ZSTD_e_end : ZSTD_e_flush);
  }
  if (ZSTD_isError(result) != 0 || result != 0) {
    out.resize(begin);
    return fail(ErrorKind::kFailed,
                fmt::format("compressing the snapshot: {}",
                            ZSTD_isError(result) != 0 ? ZSTD_getErrorName(result)
                                                      : "more than the most it can take"));
  }
  out.resize(begin + output.pos);
  return {};
}

}  // namespace pobpf
