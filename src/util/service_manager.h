// SPDX-License-Identifier: GPL-2.0-only
// Word to the service manager that started us, as sd_notify(3) describes it. libsystemd would do
// the same and take six libraries into every start of pobpf.
#pragma once

#include <string_view>

namespace pobpf {

/// Sends `state` ("READY=1", "STATUS=...") if a service manager asked for it (NOTIFY_SOCKET). One
/// that does not listen is not told.
void tell_service_manager(std::string_view state);

}  // namespace pobpf
