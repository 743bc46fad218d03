// SPDX-License-Identifier: GPL-2.0-only
// Both compilers read this, for what they say of it: it is compiled as C++ for this machine and as
// C for BPF, and linked into nothing. abi_test.cpp compares.
#ifdef __bpf__
#include "vmlinux.h"
#endif
#include "pobpf/abi.h"
#include "pobpf/pin_abi.h"
