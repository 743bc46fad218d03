// SPDX-License-Identifier: GPL-2.0-only
// Descriptors of this process, put in each other's place.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "util/fd.h"

namespace pobpf::test {

/// Puts something else in the place of a standard descriptor for a while.
class Replacement {
 public:
  Replacement(int replaced, int by) : replaced_(replaced), saved_(::dup(replaced)) {
    ::dup2(by, replaced);
  }
  Replacement(const Replacement&) = delete;
  Replacement& operator=(const Replacement&) = delete;
  Replacement(Replacement&&) = delete;
  Replacement& operator=(Replacement&&) = delete;
  ~Replacement() { ::dup2(saved_.get(), replaced_); }

 private:
  int replaced_;
  Fd saved_;
};

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
    reader = Fd(ends[0]);
    writer = Fd(ends[1]);
  }
  Fd reader;
  Fd writer;
};

}  // namespace pobpf::test
