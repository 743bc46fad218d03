/* SPDX-License-Identifier: GPL-2.0-only */
/* Sums that count_pages makes: what it groups by, and what it adds up. */
#ifndef POBPF_SUMS_H
#define POBPF_SUMS_H

#include "pobpf/types.h"

/*
 * What allocations of a group have in common, as users name it. X(ID, Name, name, fields):
 *
 * Name	GroupField (src/sum/group_field.h) has it as k<Name>
 * name	in options and output
 * fields	of a record that it is made of: enum PageField
 */
#define POBPF_GROUP_KEY_LIST(X)                                                                    \
	X(TGID, Tgid, tgid, kTgid)                                                                 \
	X(PID, Pid, pid, kPid)                                                                     \
	X(COMM, Comm, comm, kComm)                                                                 \
	X(ORDER, Order, order, kOrder)                                                             \
	X(GFP, Gfp, gfp, kGfpMask)                                                                 \
	/* of the gfp mask */                                                                      \
	X(MIGRATETYPE, Migratetype, migratetype, kGfpMask)                                         \
	X(NID, Nid, nid, kFlags)                                                                   \
	X(ZONE, Zone, zone, kFlags)                                                                \
	X(MEMCG, Memcg, memcg, kMemcg)                                                             \
	/* why it was migrated last */                                                             \
	X(MIGRATE_REASON, MigrateReason, migrate_reason, kLastMigrateReason)                       \
	/* whether it was freed before this allocation */                                          \
	X(FREED, Freed, freed, kFreeTsNsec)

enum pobpf_group_bit {
	POBPF_GROUP_HANDLE_BIT,
	POBPF_GROUP_KIND_BIT,
	POBPF_GROUP_TIME_BIT,
#define POBPF_GROUP_KEY(ID, Name, name, fields) POBPF_GROUP_##ID##_BIT,
	POBPF_GROUP_KEY_LIST(POBPF_GROUP_KEY)
#undef POBPF_GROUP_KEY
		POBPF_NR_GROUP_BITS
};

/* The fields that count_pages groups by; those of the key that are not asked for are zero. */
enum pobpf_group_field {
	POBPF_GROUP_HANDLE = 1 << POBPF_GROUP_HANDLE_BIT,
	/* page_type, mapping, page_flags; handle where they say nothing */
	POBPF_GROUP_KIND = 1 << POBPF_GROUP_KIND_BIT,
	/* no field of the key: pobpf_group_sum.time is wanted */
	POBPF_GROUP_TIME = 1 << POBPF_GROUP_TIME_BIT,
#define POBPF_GROUP_KEY(ID, Name, name, fields) POBPF_GROUP_##ID = 1 << POBPF_GROUP_##ID##_BIT,
	POBPF_GROUP_KEY_LIST(POBPF_GROUP_KEY)
#undef POBPF_GROUP_KEY
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
	__u8 migratetype;   /* enum migratetype, of the gfp mask */
	__u8 mapping;	    /* enum pobpf_mapping */
	__u8 memcg_flags;   /* enum pobpf_memcg_flags, without SLAB */
	__u8 is_other;	    /* all that found no room; nothing else is set */
	__u8 was_freed;	    /* 1: free_ts_nsec is not 0 */
	__u8 process_state; /* of TGID: enum pobpf_process_state */
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
