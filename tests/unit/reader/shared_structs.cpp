// SPDX-License-Identifier: GPL-2.0-only
// What both compilers read, for what they say of it: compiled as C++ for this machine and as C for
// BPF, and linked into nothing. abi_test.cpp compares.
#ifdef __bpf__
#include "vmlinux.h"
#endif
#include "pobpf/abi.h"
#include "pobpf/pin_abi.h"
