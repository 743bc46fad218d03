// SPDX-License-Identifier: GPL-2.0-only
// Reads any file as a snapshot. The input is the first byte of how, then either a
// file as it stands or a message Snapshot, of whose items a file with sound frames is made: no
// mutation would ever get past the checksums of zstd.
#include <cstddef>
#include <cstdint>

#include "fuzz/read_back.h"
#include "snapshot.pb.h"
#include "snapshot/frame_writer.h"

namespace {

std::string framed(std::string_view bytes) {
  pobpf::snapshot::Snapshot snapshot;
  // what was parsed before an error is worth reading, too
  static_cast<void>(snapshot.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  pobpf::FrameWriter frames(pobpf::kLevelMin);
  std::string file;
  for (auto& item : *snapshot.mutable_item()) static_cast<void>(frames.append(item, file));
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string file = (data[0] & 1) != 0 ? framed(bytes) : std::string(bytes);
  pobpf::fuzz::read_back(
      file, (data[0] & 2) != 0 ? pobpf::DamagePolicy::kSalvage : pobpf::DamagePolicy::kRefuse);
  return 0;
}
