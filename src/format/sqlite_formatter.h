// SPDX-License-Identifier: GPL-2.0-only
// A listing as an SQLite database; docs/export.md is the contract.
#pragma once

#include <memory>

#include "format/page_formatter.h"
#include "util/error.h"
#include "util/output.h"

namespace pobpf {

/// Makes a database of `file` (Output::to_named_file()) and appends nothing to texts: it is whole
/// once the formatter is gone. `is_cancelled` is asked now and then; true ends what runs with
/// EINTR. append() does not fail for a stack or cgroup that cannot be read: append_end() says how
/// many there were. All of them must outlive it, the names of `source` as well.
///
/// Memory: 8 MB of the database's pages, some MB of what was seen last, and what grows with the
/// number of distinct stacks and cgroups.
[[nodiscard]] Result<std::unique_ptr<PageFormatter>> make_sqlite_formatter(
    const ListingSource& source, const Output& file, Output::IsCancelled is_cancelled);

}  // namespace pobpf
