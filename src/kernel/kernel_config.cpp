// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/kernel_config.h"

#include <zlib.h>

#include <memory>

namespace pobpf {
namespace {

/// Reads plain and gzip'ed files alike; no value for one that is damaged or is not a config.
std::optional<std::string> read_config(const std::filesystem::path& path) {
  constexpr std::size_t kMaxBytes = 16UL * 1024 * 1024;
  constexpr std::size_t kChunkBytes = 64UL * 1024;
  struct Closer {
    void operator()(gzFile file) const { gzclose(file); }
  };
  const std::unique_ptr<gzFile_s, Closer> file(gzopen(path.c_str(), "rbe"));
  if (!file) return std::nullopt;
  std::string text;
  for (;;) {
    const std::size_t size = text.size();
    text.resize(size + kChunkBytes);
    const int got = gzread(file.get(), text.data() + size, kChunkBytes);
    // a file that ends too early is told by gzerror() only
    int error = Z_OK;
    gzerror(file.get(), &error);
    if (got < 0 || error != Z_OK) return std::nullopt;
    text.resize(size + static_cast<std::size_t>(got));
    if (got == 0) break;
    if (text.size() > kMaxBytes) return std::nullopt;
  }
  if (text.find("CONFIG_") == std::string::npos) return std::nullopt;
  return text;
}

}  // namespace

KernelConfig::KernelConfig(std::string text, std::string source)
    : text_("\n" + std::move(text) + "\n"), source_(std::move(source)) {}

std::optional<KernelConfig> KernelConfig::load(const std::filesystem::path& root,
                                               const std::string& release) {
  for (const std::string& path : {std::string("/proc/config.gz"), "/boot/config-" + release,
                                  "/lib/modules/" + release + "/config"})
    if (auto text = read_config(root / path.substr(1))) return KernelConfig(std::move(*text), path);
  return std::nullopt;
}

bool KernelConfig::is_built_in(std::string_view option) const {
  std::string line("\n");
  line.append(option).append("=y\n");
  return text_.find(line) != std::string::npos;
}

}  // namespace pobpf
