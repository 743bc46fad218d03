// SPDX-License-Identifier: GPL-2.0-only
#pragma once

#include <bpf/libbpf.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>

namespace pobpf {

/// The bytes of an object: NAME_bpf__elf_bytes(), which bpftool makes.
using ElfBytes = const void* (*)(std::size_t* size);

/// Opens one of the objects that are compiled from one source, without loading it. Their programs,
/// maps and variables are the same (abi_test.cpp), so the skeleton of one of them serves all;
/// `kCreate` is its NAME_bpf__create_skeleton(). nullptr with errno if that fails.
template <typename SkeletonPtr, auto kCreate>
SkeletonPtr open_object(ElfBytes elf_bytes, const char* btf_path) {
  using Skeleton = typename SkeletonPtr::element_type;
  LIBBPF_OPTS(bpf_object_open_opts, options);
  options.btf_custom_path = btf_path;
  SkeletonPtr skeleton(static_cast<Skeleton*>(std::calloc(1, sizeof(Skeleton))));
  if (!skeleton || kCreate(skeleton.get()) != 0) return nullptr;
  std::size_t size = 0;
  // libbpf only reads them
  skeleton->skeleton->data = const_cast<void*>(elf_bytes(&size));
  skeleton->skeleton->data_sz = size;
  if (const int error = bpf_object__open_skeleton(skeleton->skeleton, &options); error != 0) {
    errno = -error;
    return nullptr;
  }
  return skeleton;
}

}  // namespace pobpf
