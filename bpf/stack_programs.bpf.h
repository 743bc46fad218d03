/* SPDX-License-Identifier: GPL-2.0-only */
/* The programs that user space names stacks with; part of each object that shows stacks. */
#ifndef POBPF_STACK_PROGRAMS_BPF_H
#define POBPF_STACK_PROGRAMS_BPF_H

#include "stack_depot.bpf.h"

/* Request and answer of read_stack and name_addresses; one caller at a time, user space's own. */
struct {
	__u32 handle;
	__s32 nr_frames; /* -1: no such stack */
	__u64 frames[POBPF_MAX_FRAMES];
} stack_request = {};

struct {
	__u32 nr_addresses; /* up to POBPF_NAMES_MAX */
	__u64 addresses[POBPF_NAMES_MAX];
	char symbols[POBPF_NAMES_MAX][POBPF_SYMBOL_BYTES];
} name_request = {};

SEC("syscall")
int read_stack(void *ctx)
{
	stack_request.nr_frames = read_stack_frames(stack_request.handle, stack_request.frames);
	return 0;
}

/* Names addresses as the kernel itself does, modules included and whatever kptr_restrict says. */
SEC("syscall")
int name_addresses(void *ctx)
{
	for (__u32 i = 0; i < POBPF_NAMES_MAX; i++) {
		__u64 address;

		if (i >= name_request.nr_addresses)
			break;
		address = name_request.addresses[i];
		bpf_snprintf(name_request.symbols[i], POBPF_SYMBOL_BYTES, "%pS", &address,
			     sizeof(address));
	}
	return 0;
}

#endif /* POBPF_STACK_PROGRAMS_BPF_H */
