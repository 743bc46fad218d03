// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/kallsyms.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

namespace pobpf {
namespace {

/// "ffffffff81000000 T _text", and for a module "\t[name]" behind it (kernel/kallsyms.c: s_show()).
bool parse_line(std::string_view line, pobpf_symbol& symbol, std::string_view& name) {
  const char* const end = line.data() + line.size();
  const auto [behind, error] = std::from_chars(line.data(), end, symbol.address, 16);
  if (error != std::errc() || end - behind < 4 || behind[0] != ' ' || behind[2] != ' ')
    return false;
  symbol.type = static_cast<__u8>(behind[1]);
  name = std::string_view(behind + 3, end);
  const std::size_t tab = name.find('\t');
  symbol.is_module = tab == std::string_view::npos ? 0 : 1;
  symbol.has_name = 1;
  name = name.substr(0, tab);
  return true;
}

}  // namespace

Status read_kallsyms(const std::filesystem::path& path, const SymbolStream::Callback& on_symbol) {
  std::ifstream file(path);
  if (!file)
    return fail(
        ErrorKind::kUnsupported,
        fmt::format("{} cannot be read: {}", path.string(), std::generic_category().message(errno)),
        "use a kernel built with CONFIG_KALLSYMS=y", errno);
  bool shows_addresses = false;
  for (std::string line; std::getline(file, line);) {
    pobpf_symbol symbol{};
    std::string_view name;
    if (!parse_line(line, symbol, name))
      return fail(ErrorKind::kUnsupported,
                  fmt::format("{} has a line that is not a symbol", path.string()));
    shows_addresses = shows_addresses || symbol.address != 0;
    on_symbol(symbol, name);
  }
  if (file.bad())
    return fail(ErrorKind::kFailed, fmt::format("{} could not be read to its end", path.string()));
  if (!shows_addresses)
    return fail(ErrorKind::kUnsupported,
                fmt::format("{} hides the kernel's addresses from this process", path.string()),
                "give it CAP_SYSLOG and set kernel.kptr_restrict to 0 or 1, or use Linux 6.0 or "
                "newer");
  return {};
}

}  // namespace pobpf
