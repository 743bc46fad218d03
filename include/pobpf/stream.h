/* SPDX-License-Identifier: GPL-2.0-only */
/* The output of an iterator file descriptor: records of allocations, and an account a window. */
#ifndef POBPF_STREAM_H
#define POBPF_STREAM_H

#include "pobpf/parameters.h"
#include "pobpf/types.h"

enum {
	/*
	 * Pages of the largest window. With POBPF_WINDOW_BYTES_MAX bytes of output
	 * it leaves room in the 32 KiB seq_file buffer (PAGE_SIZE << 3) for a
	 * reader to ask for POBPF_READ_BYTES without the kernel ever discarding
	 * and re-running a window.
	 */
	POBPF_WINDOW_PAGES = 256,
	POBPF_WINDOW_ORDER = 8, /* log2 of POBPF_WINDOW_PAGES */
	/*
	 * Bytes one read(2) asks for. A window that matches nothing still writes
	 * its account, so one read covers at most POBPF_READ_BYTES / 64 windows,
	 * 32,768 pages: that bounds the time without a scheduling point.
	 */
	POBPF_READ_BYTES = 8192,
	/* the same of links whose records are larger: struct pobpf_detailed_page */
	POBPF_DETAILED_READ_BYTES = 4032,
};

/* pfn of elements of a window map that are not used. */
#define POBPF_NO_WINDOW ((1ULL << 48) - 1)

/*
 * One element of a reader's window map: PFNs [pfn, pfn + last], inside one
 * naturally aligned block of POBPF_WINDOW_PAGES, so inside one memory section
 * and one subsection. A terabyte has a million of them, of which the map holds
 * those that are read next.
 */
struct pobpf_window {
	__u64 pfn : 48;
	__u64 last : 8; /* index of the window's last page: 0 ... POBPF_WINDOW_PAGES - 1 */
	__u64 slot : 8; /* index of the link's parameters in the readers map */
};
POBPF_ASSERT_SIZE(struct pobpf_window, 8);

/* First field of each item in the stream. */
enum pobpf_item_kind {
	POBPF_ITEM_PAGE = 0x5047,	   /* struct pobpf_page */
	POBPF_ITEM_DETAILED_PAGE = 0x5044, /* struct pobpf_detailed_page */
	POBPF_ITEM_BLOCKER = 0x424c,	   /* struct pobpf_blocker */
	POBPF_ITEM_WINDOW_STATE = 0x5753,  /* struct pobpf_window_state */
	POBPF_ITEM_ACCOUNT = 0x4143,	   /* struct pobpf_account, ends a window */
	/*
	 * struct pobpf_page of a page that is free: the record is of its last owner.
	 * Of files alone, as kernel messages can have it.
	 */
	POBPF_ITEM_FREED_PAGE = 0x5046,
};

/* The words of mm/page_owner.c: print_page_owner_memcg() for a page. */
enum pobpf_memcg_flags {
	POBPF_MEMCG_SLAB = 1 << 0,    /* "Slab cache page" */
	POBPF_MEMCG_CHARGED = 1 << 1, /* cgroup_id is valid */
	POBPF_MEMCG_OBJCG = 1 << 2,   /* "(via objcg) " */
	POBPF_MEMCG_OFFLINE = 1 << 3, /* "offline " */
	/* charged, but it cannot be told to which: all others are off */
	POBPF_MEMCG_UNKNOWN = 1 << 4,
};

/* One allocation, from struct page and struct page_owner, as emit_pages writes it. */
struct pobpf_page {
	__u16 kind;		    /* POBPF_ITEM_PAGE, or POBPF_ITEM_FREED_PAGE */
	__u16 order;		    /* block size is 1 << order pages */
	__s16 last_migrate_reason;  /* enum migrate_reason; KernelFacts knows "never" */
	__u8 pageblock_migratetype; /* enum migratetype, index of migratetype_names */
	__u8 memcg_flags;	    /* enum pobpf_memcg_flags */
	__u64 pfn;		    /* first page of the block */
	__u64 flags;		    /* page->flags word */
	__u64 ts_nsec;		    /* local_clock() at allocation, ns */
	__u64 free_ts_nsec;	    /* local_clock() at the last free, ns; 0 = never freed */
	__u64 cgroup_id;	    /* kernfs id, key of the cgroups map; 0 = not charged */
	__u32 gfp_mask;
	__u32 handle; /* stack depot handle, never 0 */
	__s32 pid;
	__s32 tgid;
	__u8 comm[POBPF_COMM_BYTES]; /* raw bytes; NUL-terminated only if shorter */
};
POBPF_ASSERT_SIZE(struct pobpf_page, 80);

/* The kind of page->mapping, by its low bits (FOLIO_MAPPING_FLAGS). */
enum pobpf_mapping {
	POBPF_MAPPING_NONE = 0,
	POBPF_MAPPING_ANON = 1,
	POBPF_MAPPING_MOVABLE = 2,
	POBPF_MAPPING_KSM = 3,
	POBPF_MAPPING_FILE = 4, /* an address_space */
};

/* The fate of the process that allocated, as of when the page was read. */
enum pobpf_process_state {
	POBPF_PROCESS_UNKNOWN = 0,
	POBPF_PROCESS_LIVING = 1,
	POBPF_PROCESS_DEAD = 2,	  /* no process has its number */
	POBPF_PROCESS_REUSED = 3, /* it has gone, and another process has its number */
};

/* Details of an allocation that recordings have and its text has not. */
struct pobpf_page_detail {
	__u64 kind_flags;  /* page->flags & kind_facts.flags; of the head of a compound page */
	__u32 page_type;   /* page->page_type & kind_facts.type_mask; 0 = none */
	__u32 free_handle; /* stack depot handle of the last free; 0 = none */
	__s32 free_pid;
	__s32 free_tgid;
	__u8 mapping;	    /* enum pobpf_mapping */
	__u8 has_free_pid;  /* 1: this kernel records free_pid and free_tgid */
	__u8 process_state; /* enum pobpf_process_state */
	__u8 reserved[5];   /* zero */
};
POBPF_ASSERT_SIZE(struct pobpf_page_detail, 32);

/* As emit_detailed_pages writes it. */
struct pobpf_detailed_page {
	struct pobpf_page page; /* kind is POBPF_ITEM_DETAILED_PAGE */
	struct pobpf_page_detail detail;
};
POBPF_ASSERT_SIZE(struct pobpf_detailed_page, 112);

/*
 * Each page of a window is counted under one of these; --stats has them in this order.
 * COUNT(name, meaning) is a number, BY_FILTER(name, meaning) a number for each filter.
 */
#define POBPF_PAGE_COUNT_LIST(COUNT, BY_FILTER)                                                    \
	/* records that are written, or summed up */                                               \
	COUNT(emitted, "first pages of allocations, shown")                                        \
	/* not the first pages of their blocks */                                                  \
	COUNT(tail, "further pages of allocations")                                                \
	/* PageBuddy() */                                                                          \
	COUNT(free, "free, in the buddy lists")                                                    \
	/* PAGE_EXT_OWNER_ALLOCATED is not set */                                                  \
	COUNT(freed, "free otherwise")                                                             \
	/* PAGE_EXT_OWNER is not set */                                                            \
	COUNT(unowned, "never seen by page_owner")                                                 \
	/* the kernel prints no record of these either */                                          \
	COUNT(no_handle, "allocated without a stack")                                              \
	/* by enum pobpf_filter: the first one that the allocation did not pass */                 \
	BY_FILTER(filtered, "first pages of allocations that a filter rejects")                    \
	/* pfn_valid() is false */                                                                 \
	COUNT(absent, "no memory there")                                                           \
	/* the section has no page_ext: offline, or going offline */                               \
	COUNT(offline, "offline memory")                                                           \
	/* changed under the read twice, or of an impossible order */                              \
	COUNT(torn, "changed while they were read: lost")                                          \
	/* kernel memory could not be read, a map was full, a window was malformed */              \
	COUNT(errors, "could not be read: lost")

/*
 * Ends each window of the stream, so that what is counted is exactly what was
 * delivered, even for a window that the kernel discards and runs again.
 */
struct pobpf_account {
	__u16 kind; /* POBPF_ITEM_ACCOUNT */
	__u16 mode; /* enum pobpf_mode of the link that wrote this */
	__u16 nr_pages;
	__u16 cgroup_errors; /* pages whose cgroup or its name is not known; not part of the sum */
#define POBPF_COUNT(name, meaning) __u16 name;
#define POBPF_BY_FILTER(name, meaning) __u16 name[POBPF_NR_FILTERS];
	/* add up to nr_pages */
	POBPF_PAGE_COUNT_LIST(POBPF_COUNT, POBPF_BY_FILTER)
#undef POBPF_COUNT
#undef POBPF_BY_FILTER
} __attribute__((aligned(8)));

#endif /* POBPF_STREAM_H */
