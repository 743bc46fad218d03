// SPDX-License-Identifier: GPL-2.0-only
// Reads a snapshot as `pobpf report` does, whatever the bytes are.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "format/page_formatter.h"
#include "snapshot/snapshot_reader.h"
#include "util/fd.h"

namespace pobpf::fuzz {

/// Formats every page. Errors are what a reader may answer; anything else is a finding.
inline void read_back(std::string_view file, DamagePolicy policy) {
  const Fd memory(::memfd_create("snapshot", MFD_CLOEXEC));
  if (!memory ||
      ::write(memory.get(), file.data(), file.size()) != static_cast<ssize_t>(file.size()))
    std::abort();
  auto reader = SnapshotReader::open("/proc/self/fd/" + std::to_string(memory.get()), policy);
  if (!reader) return;
  static const KernelFacts no_facts;
  const auto& known = (*reader)->header().facts;
  const KernelFacts& facts = known ? *known : no_facts;
  auto text = make_kernel_text_formatter(facts, POBPF_MODE_STACK_HANDLE, CommStyle::kEscaped);
  auto json = make_json_formatter(facts, POBPF_MODE_STACK);
  std::vector<PageFormatter*> formatters{json.get()};
  if (text) formatters.push_back(text->get());
  // a few pages of each block do, as a block may be large
  constexpr std::size_t kPagesMax = 64;
  std::string out;
  while (true) {
    auto block = (*reader)->next();
    if (!block || *block == nullptr) break;
    std::size_t nr_pages = 0;
    for (PageFormatter* formatter : formatters) {
      formatter->set_fields((*block)->fields);
      nr_pages = 0;
      for (const pobpf_page& page : (*block)->pages) {
        if (nr_pages++ == kPagesMax) break;
        out.clear();
        static_cast<void>(formatter->append(page, **reader, out));
      }
    }
  }
}

}  // namespace pobpf::fuzz
