/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What keeps blocks of pages from being free or movable: how the programs tell it, and what
 * emit_blockers writes of each window. docs/blockers.md says which page is what, and why.
 */
#ifndef POBPF_BLOCKERS_H
#define POBPF_BLOCKERS_H

#include "pobpf/sums.h"
#include "pobpf/types.h"

/* The kinds of pages that stand in the way. X(ID, name), in output. */
#define POBPF_BLOCKER_KIND_LIST(X)                                                                 \
	X(UNMOVABLE, "unmovable")                                                                  \
	X(MIXED, "unmovable in a movable block")                                                   \
	X(PINNED, "pinned")                                                                        \
	X(SLAB, "slab")                                                                            \
	X(PAGE_TABLE, "page table")                                                                \
	X(RESERVED, "reserved")                                                                    \
	X(UNOWNED, "unowned")                                                                      \
	X(MLOCKED, "mlocked")                                                                      \
	X(HUGETLB, "hugetlb")

enum pobpf_blocker_kind {
	POBPF_MOVABLE,
#define POBPF_BLOCKER_KIND(ID, name) POBPF_BLOCKER_##ID,
	POBPF_BLOCKER_KIND_LIST(POBPF_BLOCKER_KIND)
#undef POBPF_BLOCKER_KIND
		POBPF_NR_BLOCKER_KINDS
};

/* (page_type & mask) == value; a kernel without such a type has a mask of 0 and a value of 1. */
struct pobpf_type_test {
	__u32 mask;
	__u32 value;
};

/* Bits of page->flags and types of pages that decide it; 0 where the kernel has no such bit. */
struct pobpf_blocker_facts {
	__u64 reserved;	   /* PG_reserved */
	__u64 lru;	   /* PG_lru */
	__u64 slab;	   /* PG_slab, before v6.12 */
	__u64 swapcache;   /* PG_swapcache and PG_swapbacked: both must be set */
	__u64 private_bit; /* PG_private */
	__u64 unevictable; /* PG_unevictable, PG_mlocked */
	__u64 hwpoison;	   /* PG_hwpoison */
	__u64 movable_ops; /* PG_movable_ops, since v6.17; before, page->mapping says it */
	struct pobpf_type_test type_slab;
	struct pobpf_type_test type_large_kmalloc; /* since v6.14 */
	struct pobpf_type_test type_table;
	struct pobpf_type_test type_hugetlb; /* since v6.9 */
	struct pobpf_type_test type_offline;
	struct pobpf_type_test type_zsmalloc; /* since v6.11 */
};
POBPF_ASSERT_SIZE(struct pobpf_blocker_facts, 64 + 48);

/* Who has pages that stand in the way. */
enum pobpf_holder {
	POBPF_HOLDER_OWNER,  /* the owner that `key` tells of */
	POBPF_HOLDER_NOBODY, /* page_owner has no record; `key` is zero */
	POBPF_HOLDER_SELF,   /* the process that reads; `key` is zero */
};

/* Pages of one window with one owner and of one kind. */
struct pobpf_blocker {
	__u16 kind;		    /* POBPF_ITEM_BLOCKER */
	__u8 blocker;		    /* enum pobpf_blocker_kind, but not POBPF_MOVABLE */
	__u8 holder;		    /* enum pobpf_holder */
	__u32 nr_pages;		    /* base pages */
	__u64 pfn;		    /* the first of them */
	struct pobpf_group_key key; /* by group_by of the link's parameters */
};
POBPF_ASSERT_SIZE(struct pobpf_blocker, 80);

/* Stands behind the blockers of a window. Pages that are in no count cannot be used. */
struct pobpf_window_state {
	__u16 kind;	   /* POBPF_ITEM_WINDOW_STATE */
	__u16 nid;	   /* of the first page */
	__u8 zone;	   /* likewise */
	__u8 free_orders;  /* one more than the order of the largest free block that begins here */
	__u8 migratetype;  /* of the pageblock */
	__u8 reserved;	   /* zero */
	__u32 nr_pages;	   /* of the window */
	__u32 nr_free;	   /* in the buddy lists, or on their way there */
	__u32 nr_movable;  /* base pages of allocations that can be moved */
	__u32 nr_blocking; /* those of its blockers */
	__u64 pfn;	   /* first page of the window */
};
POBPF_ASSERT_SIZE(struct pobpf_window_state, 32);

#endif /* POBPF_BLOCKERS_H */
