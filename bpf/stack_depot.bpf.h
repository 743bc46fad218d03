/* SPDX-License-Identifier: GPL-2.0-only */
/* From a stack depot handle to its frames: the only BPF file that knows lib/stackdepot.c. */
#ifndef POBPF_STACK_DEPOT_BPF_H
#define POBPF_STACK_DEPOT_BPF_H

#include "kernel_compat.bpf.h"

/* DEPOT_STACK_ALIGN (STACK_ALLOC_ALIGN before 6.3): records start at multiples of 16 bytes. */
#define DEPOT_STACK_ALIGN 4

/* A stack of the depot. */
struct stack_ref {
	__u64 frames;	 /* address of the first one */
	__u32 nr_frames; /* 0 ... POBPF_MAX_FRAMES */
	__u32 slot;	 /* for whom it is looked at; not used here */
};

/*
 * Finds a stack; false if the handle does not lead to a record that carries this
 * very handle: an index out of the pools or a layout that this program does not
 * know must not show as a stack. Global, to have its own piece of the stack.
 */
__noinline int find_stack(__u32 handle, struct stack_ref *stack)
{
	__u64 pool_index = handle >> layout.handle_pool_shift & layout.handle_pool_mask;
	__u64 offset = (__u64)(handle >> layout.handle_offset_shift & layout.handle_offset_mask)
		       << DEPOT_STACK_ALIGN;
	const struct stack_record___any *record;
	__u32 stored_handle = 0, size = 0;
	__u64 pool = 0;

	if (!stack)
		return 0;
	pool_index -= layout.handle_pool_base;
	bpf_probe_read_kernel(&pool, sizeof(pool),
			      (const void *)(layout.stack_pools + pool_index * sizeof(pool)));
	if (!pool)
		return 0;
	record = (const void *)(pool + offset);
	bpf_core_read(&stored_handle, sizeof(stored_handle), &record->handle);
	if (stored_handle != handle)
		return 0;
	bpf_core_read(&size, sizeof(size), &record->size);
	if (size > POBPF_MAX_FRAMES)
		size = POBPF_MAX_FRAMES;
	stack->nr_frames = size;
	stack->frames = (__u64)__builtin_preserve_access_index(&record->entries);
	return 1;
}

/* The return address in a frame; 0 if it cannot be read. */
static __always_inline __u64 stack_frame(const struct stack_ref *stack, __u32 index)
{
	__u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address),
			      (const void *)(stack->frames + index * sizeof(address)));
	return address;
}

/* Copies the frames of a stack; returns how many (0 ... POBPF_MAX_FRAMES), or -1: no such stack. */
static __always_inline int read_stack_frames(__u32 handle, __u64 *frames)
{
	struct stack_ref stack = {};
	__u32 size;

	if (!find_stack(handle, &stack))
		return -1;
	size = stack.nr_frames;
	/* the compiler may not prove the bound again from another copy of size */
	barrier_var(size);
	if (size > POBPF_MAX_FRAMES)
		return -1;
	if (bpf_probe_read_kernel(frames, size * sizeof(*frames), (const void *)stack.frames))
		return -1;
	return size;
}

#endif /* POBPF_STACK_DEPOT_BPF_H */
