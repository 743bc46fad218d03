/* SPDX-License-Identifier: GPL-2.0-only */
/* Stacks, symbols and cgroups: what the numbers in records stand for. */
#ifndef POBPF_NAMES_H
#define POBPF_NAMES_H

#include "pobpf/types.h"

enum {
	/* PAGE_OWNER_STACK_DEPTH is 16; the depot itself allows more */
	POBPF_MAX_FRAMES = 64,
	/* char name[80] in mm/page_owner.c: print_page_owner_memcg() */
	POBPF_CGROUP_NAME_BYTES = 80,
	/* NAME_MAX, and a NUL */
	POBPF_PATH_NAME_BYTES = 256,
	/* bytes of "%pS" text for one address: KSYM_SYMBOL_LEN is under 768 up to 7.3 */
	POBPF_SYMBOL_BYTES = 768,
	/* addresses one run of name_addresses takes */
	POBPF_NAMES_MAX = 16,
};

/* Value of the cgroups map; the key is the cgroup's kernfs id. */
struct pobpf_cgroup {
	char name[POBPF_CGROUP_NAME_BYTES]; /* NUL-terminated, as kernfs_name() cuts it */
	__u64 name_address;		    /* of the kernel's string, for BPF alone */
	__u32 name_hash;
	__u32 reserved; /* zero */
};
POBPF_ASSERT_SIZE(struct pobpf_cgroup, POBPF_CGROUP_NAME_BYTES + 16);

/* Value of the cgroup_paths map, whose key is the same: one level of a path. */
struct pobpf_cgroup_level {
	__u64 parent_id;		  /* key of the level above */
	char name[POBPF_PATH_NAME_BYTES]; /* NUL-terminated; "/" of the root */
};
POBPF_ASSERT_SIZE(struct pobpf_cgroup_level, POBPF_PATH_NAME_BYTES + 8);

#endif /* POBPF_NAMES_H */
