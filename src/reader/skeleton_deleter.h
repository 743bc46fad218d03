// SPDX-License-Identifier: GPL-2.0-only
#pragma once

namespace pobpf {

/// `kDestroy` is what bpftool made for that, NAME_bpf__destroy().
template <auto kDestroy>
struct SkeletonDeleter {
  template <typename Skeleton>
  void operator()(Skeleton* skeleton) const {
    kDestroy(skeleton);
  }
};

}  // namespace pobpf
