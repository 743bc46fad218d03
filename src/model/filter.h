// SPDX-License-Identifier: GPL-2.0-only
// What one reader wants to see: the user's filter and print mode, before it becomes pobpf_params.
#pragma once

#include <optional>

#include "model/nodelist.h"
#include "pobpf/abi.h"

namespace pobpf {

struct ReaderView {
  std::optional<NodeSet> nodes;  ///< no value: all nodes
  pobpf_mode mode = POBPF_MODE_STACK;
};

}  // namespace pobpf
