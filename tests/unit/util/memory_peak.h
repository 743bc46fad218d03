// SPDX-License-Identifier: GPL-2.0-only
// How much memory a part of a test takes, whatever ran in the process before it.
#pragma once

#include <gtest/gtest.h>
#include <malloc.h>

#include <fstream>
#include <string>

namespace pobpf::test {

// Sanitizers take memory of their own, and time.
#ifdef __SANITIZE_ADDRESS__
inline constexpr bool kIsSanitized = true;
#elif defined(__has_feature)
inline constexpr bool kIsSanitized = __has_feature(address_sanitizer);
#else
inline constexpr bool kIsSanitized = false;
#endif

/// From where it is made on.
class MemoryPeak {
 public:
  MemoryPeak() {
    // Memory that earlier tests freed would be used again without being counted.
    ::malloc_trim(0);
    // Their peak, which may be higher than any to come, is forgotten: proc(5).
    std::ofstream clear_refs("/proc/self/clear_refs");
    clear_refs << "5" << std::flush;
    EXPECT_TRUE(clear_refs) << "the peak cannot be reset";
    before_kib_ = peak_kib();
  }
  [[nodiscard]] long risen_kib() const { return peak_kib() - before_kib_; }

 private:
  static long peak_kib() {
    std::ifstream status("/proc/self/status");
    for (std::string key; status >> key;)
      if (long kib = 0; key == "VmHWM:" && status >> kib) return kib;
    ADD_FAILURE() << "the kernel does not say what the peak is";
    return 0;
  }

  long before_kib_ = 0;
};

}  // namespace pobpf::test
