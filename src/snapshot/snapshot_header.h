// SPDX-License-Identifier: GPL-2.0-only
// The facts that a snapshot has about itself and the machine that its pages are of.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/account.h"
#include "model/kernel_facts.h"
#include "model/node_span.h"
#include "model/page_types.h"

namespace pobpf {

/// Texts are untrusted bytes; empty where not known.
struct SnapshotHeader {
  std::string pobpf_version;  ///< that wrote it
  std::string kernel_release;
  std::string kernel_version;
  std::string machine;
  std::string hostname;
  std::string command_line;  ///< of the kernel
  std::string boot_id;
  std::uint64_t page_size = 0;  ///< bytes; 0: not known
  /// When the recording began.
  std::optional<std::uint64_t> wall_clock_ns;
  std::optional<std::uint64_t> local_clock_ns;
  std::string filters;          ///< as given on the command line
  std::string reason;           ///< why it was taken by itself; empty: somebody asked for it
  std::vector<NodeSpan> nodes;  ///< those with memory
  unsigned max_nodes = 0;       ///< 0: not known
  /// Without it the text of a record cannot be made.
  std::optional<KernelFacts> facts;
  PageTypes page_types;
};

/// The totals of a whole snapshot.
struct SnapshotFooter {
  std::uint64_t nr_blocks = 0;
  std::uint64_t nr_pages = 0;   ///< records
  std::uint64_t nr_groups = 0;  ///< sums without pages
  std::uint64_t nr_stacks = 0;
  std::uint64_t nr_cgroups = 0;
  std::uint64_t nr_texts = 0;      ///< items with texts of an import
  std::optional<Account> account;  ///< no value: nobody counted
};

}  // namespace pobpf
