// SPDX-License-Identifier: GPL-2.0-only
/* Tells where in the kernel a mmapable map lies, so that it can be linked into made-up structures. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

/* User space sets the size before it loads this, and maps it into its own memory. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, 1 << 10 /* BPF_F_MMAPABLE */);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, 4096);
} memory SEC(".maps");

__u64 address = 0;

SEC("syscall")
int tell_address(void *ctx)
{
	__u32 first = 0;

	address = (__u64)bpf_map_lookup_elem(&memory, &first);
	return 0;
}
