// SPDX-License-Identifier: GPL-2.0-only
// A command of the option tree as a man page.
#pragma once

#include <string>
#include <vector>

#include "manual/prose.h"

namespace CLI {
class App;
}

namespace pobpf::manual {

struct Edition {
  std::string version;  ///< "0.1.0"
  std::string date;     ///< "2026-11-23"
};

/// "pobpf-top" of the command top, "pobpf" of the program itself.
[[nodiscard]] std::string page_name(const CLI::App& command);

/// The program itself, or one of its commands with the views below it, in man(7). Options,
/// examples and exit status are those of --help; `prose` is everything else, in its order.
[[nodiscard]] std::string man_page(const CLI::App& command, const std::vector<Section>& prose,
                                   const Edition& edition);

}  // namespace pobpf::manual
