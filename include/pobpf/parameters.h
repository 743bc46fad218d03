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
 * X(KIND, ID, name, fields, names):
 *
 * KIND	what the filter takes; parameters, members of FilterSpec (src/model/filter.h) and how
 *	the ones are made of the others (src/model/compile_filter.cpp) follow from it:
 *	NAMES	names of one of the kernel's tables: a mask of their numbers
 *	IDS	numbers: members of the reader's set
 *	YES_NO	whether the page is so: enum pobpf_choice
 *	OWN	something that no other filter takes: declared by hand
 * name	in --stats and in files
 * fields	of a record that it looks at: enum PageField
 * names	of NAMES: KernelFacts has them as <names>_names
 */
#define POBPF_FILTER_LIST(X)                                                                       \
	X(OWN, NID, nid, kFlags, )                                                                 \
	X(NAMES, ZONE, zone, kFlags, zone)                                                         \
	X(OWN, FLAGS, flags, kFlags, )                                                             \
	X(OWN, ORDER, order, kOrder, )                                                             \
	X(NAMES, BLOCK_MIGRATETYPE, block_migratetype, kPageblockMigratetype, migratetype)         \
	X(IDS, HANDLE, handle, kHandle, )                                                          \
	/* since, until and age */                                                                 \
	X(OWN, TIME, time, kTsNsec, )                                                              \
	X(OWN, GFP, gfp, kGfpMask, )                                                               \
	/* of the gfp mask */                                                                      \
	X(NAMES, MIGRATETYPE, migratetype, kGfpMask, migratetype)                                  \
	X(YES_NO, MIXED, mixed, kGfpMask | kPageblockMigratetype, )                                \
	X(IDS, TGID, tgid, kTgid, )                                                                \
	X(IDS, PID, pid, kPid, )                                                                   \
	X(OWN, COMM, comm, kComm, )                                                                \
	X(YES_NO, DEAD, dead, kTgid, )                                                             \
	X(OWN, MEMCG, memcg, kMemcg, )                                                             \
	/* symbols and modules */                                                                  \
	X(OWN, STACK, stack, kHandle, )

/* POBPF_IF_NAMES_<KIND>(text) is text if KIND is NAMES, else nothing; the others likewise. */
#define POBPF_IF_NAMES_NAMES(...) __VA_ARGS__
#define POBPF_IF_NAMES_IDS(...)
#define POBPF_IF_NAMES_YES_NO(...)
#define POBPF_IF_NAMES_OWN(...)
#define POBPF_IF_IDS_NAMES(...)
#define POBPF_IF_IDS_IDS(...) __VA_ARGS__
#define POBPF_IF_IDS_YES_NO(...)
#define POBPF_IF_IDS_OWN(...)
#define POBPF_IF_YES_NO_NAMES(...)
#define POBPF_IF_YES_NO_IDS(...)
#define POBPF_IF_YES_NO_YES_NO(...) __VA_ARGS__
#define POBPF_IF_YES_NO_OWN(...)
#define POBPF_IF_OWN_NAMES(...)
#define POBPF_IF_OWN_IDS(...)
#define POBPF_IF_OWN_YES_NO(...)
#define POBPF_IF_OWN_OWN(...) __VA_ARGS__

enum pobpf_filter {
#define POBPF_FILTER(KIND, ID, name, fields, names) POBPF_FILTER_##ID,
	POBPF_FILTER_LIST(POBPF_FILTER)
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
#define POBPF_FILTER(KIND, ID, name, fields, names) POBPF_IF_IDS_##KIND(POBPF_SET_##ID, )
	POBPF_FILTER_LIST(POBPF_FILTER)
#undef POBPF_FILTER
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
#define POBPF_FILTER(KIND, ID, name, fields, names)                                                \
	POBPF_IF_NAMES_##KIND(__u32 name##_mask;) POBPF_IF_YES_NO_##KIND(__u32 name;)
	POBPF_FILTER_LIST(POBPF_FILTER)
#undef POBPF_FILTER
};

#endif /* POBPF_PARAMETERS_H */
