/* SPDX-License-Identifier: GPL-2.0-only */
/* The request of a reader: its filters, and what its records show. */
#ifndef POBPF_PARAMETERS_H
#define POBPF_PARAMETERS_H

#include "pobpf/types.h"

enum {
	/* links of one loaded object that can be open at a time */
	POBPF_MAX_READERS = 256,
};

/* How a record shows its stack; the names of 7.3's per-fd interface. */
enum pobpf_mode {
	POBPF_MODE_STACK = 0,
	POBPF_MODE_HANDLE = 1,
	POBPF_MODE_STACK_HANDLE = 2,
};

/*
 * Filters of a link, in the order in which they are tested: cheap ones first. A
 * page is counted under the first one that it does not pass.
 *
 * A row calls the macro of what its filter takes, from which follow the parameters, the members of
 * FilterSpec (src/model/filter.h), and how the ones are made of the others
 * (src/model/compile_filter.cpp):
 *
 * NAMES(ID, name, fields, names)	names of one of the kernel's tables, which KernelFacts
 *					has as <names>_names: a mask of their numbers
 * IDS(ID, name, fields)		numbers: members of the reader's set
 * YES_NO(ID, name, fields)		whether the page is so: enum pobpf_choice
 * OWN(ID, name, fields)		something that no other filter takes: declared by hand
 *
 * `name` stands in --stats and in files, `fields` of a record are those that it looks at (enum
 * PageField).
 */
#define POBPF_FILTER_LIST(NAMES, IDS, YES_NO, OWN)                                                 \
	OWN(NID, nid, kFlags)                                                                      \
	NAMES(ZONE, zone, kFlags, zone)                                                            \
	OWN(FLAGS, flags, kFlags)                                                                  \
	OWN(ORDER, order, kOrder)                                                                  \
	NAMES(BLOCK_MIGRATETYPE, block_migratetype, kPageblockMigratetype, migratetype)            \
	IDS(HANDLE, handle, kHandle)                                                               \
	/* since, until and age */                                                                 \
	OWN(TIME, time, kTsNsec)                                                                   \
	OWN(GFP, gfp, kGfpMask)                                                                    \
	/* of the gfp mask */                                                                      \
	NAMES(MIGRATETYPE, migratetype, kGfpMask, migratetype)                                     \
	YES_NO(MIXED, mixed, kGfpMask | kPageblockMigratetype)                                     \
	IDS(TGID, tgid, kTgid)                                                                     \
	IDS(PID, pid, kPid)                                                                        \
	OWN(COMM, comm, kComm)                                                                     \
	YES_NO(DEAD, dead, kTgid | kProcess)                                                       \
	OWN(MEMCG, memcg, kMemcg)                                                                  \
	/* symbols and modules */                                                                  \
	OWN(STACK, stack, kHandle)

/* For lists to which filters of all kinds are alike: X(ID, name, fields, ...). */
#define POBPF_EACH_FILTER(X) POBPF_FILTER_LIST(X, X, X, X)
/* For kinds that are not in a list. */
#define POBPF_NO_FILTER(...)

enum pobpf_filter {
#define POBPF_FILTER(ID, name, fields, ...) POBPF_FILTER_##ID,
	POBPF_EACH_FILTER(POBPF_FILTER)
#undef POBPF_FILTER
		POBPF_NR_FILTERS
};

/* Choices of filters that say yes or no. */
enum pobpf_choice {
	POBPF_ONLY = 1, /* --dead, --mixed */
	POBPF_NONE = 2, /* --not-dead, --not-mixed */
};

/* Kinds of members of a reader's set. */
enum pobpf_set_kind {
	POBPF_SET_MEMCG, /* kernfs id of a cgroup: stands for it and what is below it */
	POBPF_SET_STACK, /* handle: written by BPF, what its frames hit; a cache */
#define POBPF_IDS(ID, name, fields) POBPF_SET_##ID,
	POBPF_FILTER_LIST(POBPF_NO_FILTER, POBPF_IDS, POBPF_NO_FILTER, POBPF_NO_FILTER)
#undef POBPF_IDS
};

/* Key of a reader's set. */
struct pobpf_set_key {
	__u64 value;
	__u32 kind; /* enum pobpf_set_kind */
	__u32 reserved;
};
POBPF_ASSERT_SIZE(struct pobpf_set_key, 16);

/* Values of a reader's set (__u32), for all kinds but POBPF_SET_STACK. */
enum pobpf_set_bits {
	POBPF_SET_WANTED = 1 << 0,
	POBPF_SET_REJECTED = 1 << 1, /* of --not-...; outweighs WANTED */
};

/* The meaning of a frame's address: values of POBPF_SET_STACK, and of ranges. */
enum pobpf_stack_hits {
	POBPF_STACK_SYMBOL = 1 << 0,
	POBPF_STACK_NOT_SYMBOL = 1 << 1,
	POBPF_STACK_MODULE = 1 << 2,
	POBPF_STACK_NOT_MODULE = 1 << 3,
};

/* Element of a reader's array of address ranges: ascending, disjoint. */
struct pobpf_stack_range {
	__u64 begin;
	__u64 end;  /* one past the last byte */
	__u32 hits; /* enum pobpf_stack_hits */
	__u32 reserved;
};
POBPF_ASSERT_SIZE(struct pobpf_stack_range, 24);

enum {
	/* 63 states of patterns a word; a pattern never straddles words */
	POBPF_COMM_WORDS = 4,
	/* stacks of which a reader remembers what they hit; others are looked at each time */
	POBPF_STACK_CACHE_MAX = 65536,
};

/*
 * The patterns of --comm and --not-comm as one nondeterministic automaton, a bit
 * a state. With S the states so far, a byte c leads to
 * ((S & accepts[c]) << 1) | (S & loops). 8 KiB.
 */
struct pobpf_comm_table {
	__u64 accepts[256][POBPF_COMM_WORDS];
};
POBPF_ASSERT_SIZE(struct pobpf_comm_table, 8192);

struct pobpf_comm_states {
	__u64 start;	/* first state of each pattern */
	__u64 loops;	/* states with a '*' behind them */
	__u64 wanted;	/* last states of --comm */
	__u64 rejected; /* last states of --not-comm; outweigh the wanted ones */
};
POBPF_ASSERT_SIZE(struct pobpf_comm_states, 32);

/*
 * Element of the readers map: the parameters of one link. A filter is looked at
 * only if its bit in `active` is set; then all of its own fields count. Ranges
 * and masks are those of what is wanted: user space has resolved negations.
 */
struct pobpf_params {
	__u64 nid_mask[POBPF_MAX_NODES / 64]; /* bit nid set: wanted */
	struct pobpf_comm_states comm[POBPF_COMM_WORDS];
	__u64 flags_all;  /* bits of page->flags that are all set */
	__u64 flags_any;  /* at least one is set; 0: no condition */
	__u64 flags_none; /* none is set */
	__u64 ts_min;	  /* local_clock() at allocation, ns: ts_min <= ts_nsec <= ts_max */
	__u64 ts_max;
	__u64 age_min; /* ns before the moment of the read: age_min <= age <= age_max */
	__u64 age_max;
	__u64 order_mask; /* bit order set: wanted */
	__u32 active;	  /* bit enum pobpf_filter */
	__u32 mode;	  /* enum pobpf_mode */
	__u32 gfp_all;	  /* as flags_all, of the gfp mask */
	__u32 gfp_any;
	__u32 gfp_none;
	__u32 wanted_sets; /* bit enum pobpf_set_kind: only WANTED members pass */
	__u32 wanted_hits; /* enum pobpf_stack_hits that must all be hit (SYMBOL, MODULE) */
	__u32 nr_stack_ranges;
	__u32 group_by; /* enum pobpf_group_field; count_pages only */
	/* NAMES: the bit of a number is set if its name is wanted; YES_NO: enum pobpf_choice */
#define POBPF_NAMES(ID, name, fields, names) __u32 name##_mask;
#define POBPF_YES_NO(ID, name, fields) __u32 name;
	POBPF_FILTER_LIST(POBPF_NAMES, POBPF_NO_FILTER, POBPF_YES_NO, POBPF_NO_FILTER)
#undef POBPF_NAMES
#undef POBPF_YES_NO
};

#endif /* POBPF_PARAMETERS_H */
