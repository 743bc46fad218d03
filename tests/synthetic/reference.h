// SPDX-License-Identifier: GPL-2.0-only
// The records that a reader of a synthetic machine must deliver, found out page by page as the
// kernel does it.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "model/account.h"
#include "pobpf/parameters.h"
#include "pobpf/stream.h"
#include "synthetic/machine.h"

namespace pobpf::synthetic {

struct Expected {
  std::vector<pobpf_page> pages;  ///< in the order of memory
  Account account;                ///< without windows and `outside`
};

/// The first filter that an allocation does not pass; no value: it is wanted.
using Verdict = std::function<std::optional<pobpf_filter>(const pobpf_page&)>;

/// Mirrors mm/page_owner.c: read_page_owner() over all of the machine, from PFN 0, and counts what
/// lies in `walked`. Written from the kernel's source, not from ours. Differs from the kernel where
/// we do: PFNs without memory inside a block of MAX_ORDER_NR_PAGES are left out, and orders that
/// cannot be are called torn. Knows no cgroups. A section without page_ext must hold no free
/// blocks: the kernel would not look at its page_ext there, which shows in the account only.
[[nodiscard]] Expected expected_of(const Machine& machine, const std::vector<PfnRange>& walked,
                                   const Verdict& verdict = {});

}  // namespace pobpf::synthetic
