// SPDX-License-Identifier: GPL-2.0-only
// Whole files in.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <string>

#include "util/error.h"
#include "util/fd.h"

namespace pobpf {

/// `is_cancelled` is asked when a signal interrupts a call below: true gives it up. Of the whole
/// process, as signals are. Until there is one, calls go on.
void set_cancellation(bool (*is_cancelled)());
/// As open(2), which waits for the other end of a FIFO; EINTR only if it is given up.
[[nodiscard]] Fd open_file(const std::filesystem::path& path, int flags);
/// As read(2); EINTR only if it is given up.
[[nodiscard]] ssize_t read_bytes(const Fd& file, void* buffer, std::size_t nr_bytes);

/// The content of a file whose size need not be known beforehand (/proc, /sys). kFailed with
/// os_errno if it cannot be read, EFBIG if it holds more than `max_bytes`.
[[nodiscard]] Result<std::string> read_file(const std::filesystem::path& path,
                                            std::size_t max_bytes);

/// Gives a file that root has just made in somebody else's directory to him: one of root's he could
/// neither read nor write. Returns 0 or an errno.
[[nodiscard]] int give_to_owner(const Fd& directory, const Fd& file);

}  // namespace pobpf
