// SPDX-License-Identifier: GPL-2.0-only
// Imports any text, and looks whether the result is a snapshot that can be read.
#include <cstddef>
#include <cstdint>

#include "fuzz/read_back.h"
#include "import/importer.h"
#include "import/text_source.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto source = pobpf::open_text_bytes({reinterpret_cast<const char*>(data), size});
  if (!source) return 0;
  pobpf::ImportOptions options;
  options.level = pobpf::kLevelMin;
  std::string file;
  if (pobpf::import_text(**source, options, file))
    pobpf::fuzz::read_back(file, pobpf::DamagePolicy::kRefuse);
  return 0;
}
