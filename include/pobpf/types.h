/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Beneath all that the BPF programs and user space share. C11 and C++; nothing
 * under BPF is included here (vmlinux.h came first).
 */
#ifndef POBPF_TYPES_H
#define POBPF_TYPES_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#ifdef __cplusplus
#define POBPF_ASSERT_SIZE(type, size) static_assert(sizeof(type) == (size), #type)
#else
#define POBPF_ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type)
#endif

enum {
	/* NODES_SHIFT is at most 10 on every architecture */
	POBPF_MAX_NODES = 1024,
	POBPF_COMM_BYTES = 16, /* TASK_COMM_LEN */
};

#endif /* POBPF_TYPES_H */
