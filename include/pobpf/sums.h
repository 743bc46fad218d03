/* SPDX-License-Identifier: GPL-2.0-only */
/* Sums that count_pages makes: what it groups by, and what it adds up. */
#ifndef POBPF_SUMS_H
#define POBPF_SUMS_H

#include "pobpf/types.h"

/* What count_pages groups by; fields of the key that are not asked for are zero. */
enum pobpf_group_field {
	POBPF_GROUP_HANDLE = 1 << 0,
	POBPF_GROUP_TGID = 1 << 1,
	POBPF_GROUP_PID = 1 << 2,
	POBPF_GROUP_COMM = 1 << 3,
	POBPF_GROUP_ORDER = 1 << 4,
	POBPF_GROUP_GFP = 1 << 5, /* the mask, and the migratetype that it asks for */
	POBPF_GROUP_MIGRATETYPE = 1 << 6,
	POBPF_GROUP_NID = 1 << 7,
	POBPF_GROUP_ZONE = 1 << 8,
	POBPF_GROUP_MEMCG = 1 << 9,
	POBPF_GROUP_KIND = 1 << 10, /* page_type, mapping, page_flags; handle where they say nothing
				     */
	POBPF_GROUP_TIME = 1 << 11, /* no field of the key: pobpf_group_sum.time is wanted */
	POBPF_GROUP_FREED = 1 << 12,
	POBPF_GROUP_MIGRATE_REASON = 1 << 13,
};

/* Key of a reader's sums: a group of allocations. */
struct pobpf_group_key {
	__u64 cgroup_id;  /* kernfs id; 0 = not charged, or POBPF_MEMCG_UNKNOWN */
	__u64 page_flags; /* page->flags & kind_facts.flags */
	__u8 comm[POBPF_COMM_BYTES];
	__u32 handle;
	__u32 gfp_mask;
	__s32 tgid;
	__s32 pid;
	__u32 page_type; /* of KIND: page->page_type & kind_facts.type_mask; 0 = none */
	__u16 nid;
	__u8 zone; /* enum zone_type */
	__u8 order;
	__u8 migratetype; /* enum migratetype, of the gfp mask */
	__u8 mapping;	  /* enum pobpf_mapping */
	__u8 memcg_flags; /* enum pobpf_memcg_flags, without SLAB */
	__u8 is_other;	  /* all that found no room; nothing else is set */
	__u8 was_freed;	  /* 1: free_ts_nsec is not 0 */
	__u8 reserved;	  /* zero */
	__s16 last_migrate_reason;
};
POBPF_ASSERT_SIZE(struct pobpf_group_key, 64);

/*
 * Sum of ts_nsec, in two parts that are added up each on its own, so that nothing is carried from
 * one to the other. 64 TB are 2^34 allocations at most, ten years less than 2^59 ns: the sum has 93
 * bits, `high` 64 and `low` 63.
 */
struct pobpf_time_sum {
	__u64 high; /* of ts_nsec >> POBPF_TIME_LOW_BITS */
	__u64 low;  /* of the bits below */
};

enum { POBPF_TIME_LOW_BITS = 29 };

/* Value of a reader's sums. 64 TB have 2^34 pages of 4 KiB. */
struct pobpf_group_sum {
	__u64 pages;		    /* base pages */
	__u64 allocations;	    /* blocks */
	struct pobpf_time_sum time; /* only with POBPF_GROUP_TIME */
};
POBPF_ASSERT_SIZE(struct pobpf_group_sum, 32);

#endif /* POBPF_SUMS_H */
