/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the BPF programs and user space share: windows, reader parameters, the
 * stream an iterator file descriptor delivers, and the keys of shared maps.
 * C11 and C++; nothing under BPF is included here (vmlinux.h came first).
 *
 * The live layout may change in any commit, as object and loader ship
 * together. Never write these structs to disk.
 */
#ifndef POBPF_ABI_H
#define POBPF_ABI_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#ifdef __cplusplus
#define POBPF_ASSERT_SIZE(type, size) static_assert(sizeof(type) == (size), #type)
#else
#define POBPF_ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type)
#endif

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
	/* lib: NODES_SHIFT is at most 10 on every architecture */
	POBPF_MAX_NODES = 1024,
	/* links of one loaded object that can be open at a time */
	POBPF_MAX_READERS = 256,
	/* PAGE_OWNER_STACK_DEPTH is 16; the depot itself allows more */
	POBPF_MAX_FRAMES = 64,
	/* char name[80] in mm/page_owner.c: print_page_owner_memcg() */
	POBPF_CGROUP_NAME_BYTES = 80,
	/* NAME_MAX, and a NUL */
	POBPF_PATH_NAME_BYTES = 256,
	POBPF_COMM_BYTES = 16, /* TASK_COMM_LEN */
	/* bytes of "%pS" text for one address: KSYM_SYMBOL_LEN is under 768 up to 7.3 */
	POBPF_SYMBOL_BYTES = 768,
	/* addresses one run of name_addresses takes */
	POBPF_NAMES_MAX = 16,
	/* bytes of the longest symbol name looked for, with its NUL */
	POBPF_KSYM_NAME_BYTES = 32,
	/* bytes of kernel memory one run of peek copies out */
	POBPF_PEEK_BYTES = 4096,
};

/*
 * Layout of the running kernel where CO-RE cannot relocate it (anonymous enums,
 * macros, linker symbols, boot-time variables). src/kernel/facts.cpp finds it
 * out; the programs have it as a load-time constant, the same for all links.
 */
struct pobpf_layout {
	__u64 mem_section_roots;   /* value of mem_section: address of the roots (SPARSEMEM_EXTREME)
				    */
	__u64 nr_section_roots;	   /* roots that can be looked up without leaving the array */
	__u64 section_map_mask;	   /* SECTION_MAP_MASK: section_mem_map without its flag bits */
	__u64 section_has_mem_map; /* SECTION_HAS_MEM_MAP: valid_section() */
	__u64 section_is_early;	   /* SECTION_IS_EARLY: early_section() */
	__u64 page_ext_size;	   /* bytes per page */
	__u64 page_owner_offset;   /* page_owner_ops.offset: bytes from struct page_ext */
	__u64 memory_cgrp_subsys;  /* its address; 0 = no memory controller */
	__u64 stack_pools;	   /* address of the first element of stack_pools/stack_slabs */
	__u64 init_pid_ns;	   /* its address */
	__u64 per_cpu_offsets;	   /* address of __per_cpu_offset[]; 0 = no --age */
	__u64 rq_clock;		   /* address of runqueues.clock before the CPU's offset is added */
	__u32 section_root_shift;  /* log2 of SECTIONS_PER_ROOT */
	__u32 pfn_section_shift;   /* PFN_SECTION_SHIFT */
	__u32 pfn_subsection_shift; /* PFN_SUBSECTION_SHIFT; 0 = no subsection map */
	__u32 max_page_order;	    /* MAX_PAGE_ORDER */
	__u32 buddy_mask;	    /* PageBuddy(): (page_type & buddy_mask) == buddy_value */
	__u32 buddy_value;
	__u32 node_shift;		     /* NODES_PGSHIFT */
	__u32 node_mask;		     /* NODES_MASK; 0 = one node */
	__u32 zone_shift;		     /* ZONES_PGSHIFT */
	__u32 zone_mask;		     /* ZONES_MASK; 0 = one zone */
	__u32 pidtype_tgid;		     /* PIDTYPE_TGID */
	__u32 is_mobility_grouping_disabled; /* page_group_by_mobility_disabled */
	__u32 owner_bit;		     /* 1 << PAGE_EXT_OWNER */
	__u32 owner_allocated_bit;	     /* 1 << PAGE_EXT_OWNER_ALLOCATED */
	__u32 pageblock_order;
	__u32 pageblock_bits;	     /* bits a pageblock has in pageblock_flags: 4 or 8 */
	__u32 pageblock_isolate_bit; /* its value; 0 = isolation is a migratetype of its own */
	__u32 migrate_isolate;	     /* MIGRATE_ISOLATE, shown when the isolate bit is set */
	__u32 handle_pool_shift;     /* fields of union handle_parts */
	__u32 handle_pool_mask;
	__u32 handle_pool_base; /* 1: pool_index_plus_1 */
	__u32 handle_offset_shift;
	__u32 handle_offset_mask;
	__u32 reserved; /* zero */
};
POBPF_ASSERT_SIZE(struct pobpf_layout, 192);

/*
 * Ids in the running kernel's BTF of the types that the programs look at kernel
 * memory as; a load-time constant, as struct pobpf_layout.
 */
struct pobpf_cast_ids {
	__u32 page;	  /* struct page */
	__u32 page_ext;	  /* struct page_ext */
	__u32 page_owner; /* struct page_owner */
	__u32 reserved;	  /* zero */
};
POBPF_ASSERT_SIZE(struct pobpf_cast_ids, 16);

/* What a record shows of its stack; the names of 7.3's per-fd interface. */
enum pobpf_mode {
	POBPF_MODE_STACK = 0,
	POBPF_MODE_HANDLE = 1,
	POBPF_MODE_STACK_HANDLE = 2,
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

/*
 * Filters of a link, in the order in which they are tested: cheap ones first. A
 * page is counted under the first one that it does not pass.
 */
enum pobpf_filter {
	POBPF_FILTER_NID,
	POBPF_FILTER_ZONE,
	POBPF_FILTER_FLAGS,
	POBPF_FILTER_ORDER,
	POBPF_FILTER_BLOCK_MIGRATETYPE,
	POBPF_FILTER_HANDLE,
	POBPF_FILTER_TIME, /* ts_min ... ts_max and age_min ... age_max */
	POBPF_FILTER_GFP,
	POBPF_FILTER_MIGRATETYPE,
	POBPF_FILTER_MIXED,
	POBPF_FILTER_TGID,
	POBPF_FILTER_PID,
	POBPF_FILTER_COMM,
	POBPF_FILTER_DEAD,
	POBPF_FILTER_MEMCG,
	POBPF_FILTER_STACK, /* symbols and modules */
	POBPF_NR_FILTERS,
};

/* Kinds of members of a reader's set. */
enum pobpf_set_kind {
	POBPF_SET_PID,
	POBPF_SET_TGID,
	POBPF_SET_HANDLE,
	POBPF_SET_MEMCG, /* kernfs id of a cgroup: stands for it and what is below it */
	POBPF_SET_STACK, /* handle: written by BPF, what its frames hit; a cache */
	POBPF_NR_SET_KINDS,
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

/* What a frame's address stands for: values of POBPF_SET_STACK, and of ranges. */
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

/* Choices of filters that say yes or no. */
enum pobpf_choice {
	POBPF_ONLY = 1, /* --dead, --mixed */
	POBPF_NONE = 2, /* --not-dead, --not-mixed */
};

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
	__u64 order_mask;	      /* bit order set: wanted */
	__u32 active;		      /* bit enum pobpf_filter */
	__u32 mode;		      /* enum pobpf_mode */
	__u32 zone_mask;	      /* bit enum zone_type set: wanted */
	__u32 migratetype_mask;	      /* bit enum migratetype set: wanted; of the gfp mask */
	__u32 block_migratetype_mask; /* the same of the pageblock */
	__u32 gfp_all;		      /* as flags_all, of the gfp mask */
	__u32 gfp_any;
	__u32 gfp_none;
	__u32 wanted_sets; /* bit enum pobpf_set_kind: only WANTED members pass */
	__u32 wanted_hits; /* enum pobpf_stack_hits that must all be hit (SYMBOL, MODULE) */
	__u32 nr_stack_ranges;
	__u32 dead;	/* enum pobpf_choice */
	__u32 mixed;	/* enum pobpf_choice */
	__u32 group_by; /* enum pobpf_group_field; count_pages only */
};
POBPF_ASSERT_SIZE(struct pobpf_params, 128 + 128 + 64 + 56);

/* First field of each item in the stream. */
enum pobpf_item_kind {
	POBPF_ITEM_PAGE = 0x5047,	   /* struct pobpf_page */
	POBPF_ITEM_DETAILED_PAGE = 0x5044, /* struct pobpf_detailed_page */
	POBPF_ITEM_ACCOUNT = 0x4143,	   /* struct pobpf_account, ends a window */
	/*
	 * struct pobpf_page of a page that is free: the record is of its last owner.
	 * Of files alone, as kernel messages can have it.
	 */
	POBPF_ITEM_FREED_PAGE = 0x5046,
};

/* What mm/page_owner.c: print_page_owner_memcg() would say of a page. */
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

/* What recordings have of an allocation and its text has not. */
struct pobpf_page_detail {
	__u64 kind_flags;  /* page->flags & kind_facts.flags; of the head of a compound page */
	__u32 page_type;   /* page->page_type & kind_facts.type_mask; 0 = none */
	__u32 free_handle; /* stack depot handle of the last free; 0 = none */
	__s32 free_pid;
	__s32 free_tgid;
	__u8 mapping;	   /* enum pobpf_mapping */
	__u8 has_free_pid; /* 1: this kernel records free_pid and free_tgid */
	__u8 reserved[6];  /* zero */
};
POBPF_ASSERT_SIZE(struct pobpf_page_detail, 32);

/* As emit_detailed_pages writes it. */
struct pobpf_detailed_page {
	struct pobpf_page page; /* kind is POBPF_ITEM_DETAILED_PAGE */
	struct pobpf_page_detail detail;
};
POBPF_ASSERT_SIZE(struct pobpf_detailed_page, 112);

/*
 * Ends each window of the stream, so that what is counted is exactly what was
 * delivered, even for a window that the kernel discards and runs again.
 * Counts are pages; all after nr_pages add up to it. Tails of an emitted block
 * are counted in tail.
 */
struct pobpf_account {
	__u16 kind; /* POBPF_ITEM_ACCOUNT */
	__u16 nr_pages;
	__u16 emitted;	 /* records written (or summed up) */
	__u16 absent;	 /* no memory here: pfn_valid() is false */
	__u16 offline;	 /* section has no page_ext (offline or going offline) */
	__u16 free;	 /* PageBuddy blocks */
	__u16 unowned;	 /* PAGE_EXT_OWNER is not set: never seen by page_owner */
	__u16 freed;	 /* PAGE_EXT_OWNER_ALLOCATED is not set: free, not in the buddy lists */
	__u16 tail;	 /* not the first page of its block */
	__u16 no_handle; /* no stack was saved; the kernel prints no record either */
	__u16 torn;	 /* changed under the read, twice, or an impossible order */
	__u16 errors; /* kernel memory could not be read, a map was full, a window was malformed */
	__u16 cgroup_errors; /* pages whose cgroup or its name is not known; not part of the sum */
	__u16 mode;	     /* enum pobpf_mode of the link that wrote this; no count */
	__u16 reserved[2];   /* zero */
	__u16 filtered[POBPF_NR_FILTERS]; /* first pages of allocations, by enum pobpf_filter */
};
POBPF_ASSERT_SIZE(struct pobpf_account, 64);

/* Key and value of the wanted_symbols map. */
struct pobpf_ksym_name {
	char name[POBPF_KSYM_NAME_BYTES]; /* padded with NUL; a longer symbol never matches */
};
POBPF_ASSERT_SIZE(struct pobpf_ksym_name, POBPF_KSYM_NAME_BYTES);

struct pobpf_ksym {
	__u64 address;	/* of the first symbol of that name */
	__u64 nr_found; /* 0: no such symbol; over 1: the name is ambiguous */
};
POBPF_ASSERT_SIZE(struct pobpf_ksym, 16);

/*
 * Head of each symbol that list_symbols writes; if it has a name, the bytes of
 * the name and a NUL follow.
 */
struct pobpf_symbol {
	__u64 address;
	__u8 type;	/* letter of nm(1), as /proc/kallsyms shows it */
	__u8 is_module; /* not the kernel's own: of a module, a BPF program, a trampoline */
	__u8 has_name;	/* functions of the kernel and all symbols of modules */
	__u8 reserved[5];
};
POBPF_ASSERT_SIZE(struct pobpf_symbol, 16);

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

/* What page->mapping is, by its low bits (FOLIO_MAPPING_FLAGS). */
enum pobpf_mapping {
	POBPF_MAPPING_NONE = 0,
	POBPF_MAPPING_ANON = 1,
	POBPF_MAPPING_MOVABLE = 2,
	POBPF_MAPPING_KSM = 3,
	POBPF_MAPPING_FILE = 4, /* an address_space */
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

/* How to tell what a page is used for; found by user space, as struct pobpf_layout. */
struct pobpf_kind_facts {
	__u64 flags;	 /* page flags that tell: slab (before v6.12), reserved, swapbacked */
	__u32 type_base; /* a page_type has all of these bits set, and is below -128 */
	__u32 type_mask; /* bits of page_type that name the type */
	/*
	 * Blocks of this order and above keep their handle: before v6.9 nothing in the
	 * struct page says hugetlb but its destructor.
	 */
	__u32 stack_order_min;
	__u32 reserved; /* zero */
};
POBPF_ASSERT_SIZE(struct pobpf_kind_facts, 24);

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

/*
 * `pobpf page`: one page, as read_page answers it. Numbers as they stand in kernel
 * memory; src/model/page_report.cpp says what they mean.
 */
enum {
	POBPF_NAME_BYTES = 64, /* file, slab cache: cut, NUL-terminated */
	POBPF_S_ID_BYTES = 32, /* super_block.s_id */
};

/* Flags of struct pobpf_owner. */
enum pobpf_owner_bits {
	POBPF_OWNER_PRESENT = 1 << 0,	/* there is a page_ext, and it could be read */
	POBPF_OWNER_SET = 1 << 1,	/* PAGE_EXT_OWNER */
	POBPF_OWNER_ALLOCATED = 1 << 2, /* PAGE_EXT_OWNER_ALLOCATED */
	POBPF_OWNER_FREE_PID = 1 << 3,	/* this kernel records free_pid and free_tgid */
	POBPF_OWNER_TORN = 1 << 4,	/* it changed each time that it was read */
};

/* struct page_owner of one page. */
struct pobpf_owner {
	__u64 ts_nsec;
	__u64 free_ts_nsec;
	__u32 bits; /* enum pobpf_owner_bits */
	__u32 gfp_mask;
	__u32 handle;
	__u32 free_handle;
	__s32 pid;
	__s32 tgid;
	__s32 free_pid;
	__s32 free_tgid;
	__u16 order;
	__s16 last_migrate_reason;
	__u32 reserved;
	__u8 comm[POBPF_COMM_BYTES];
};
POBPF_ASSERT_SIZE(struct pobpf_owner, 72);

/* Members of one struct page. */
struct pobpf_struct_page {
	__u64 flags;
	__u64 mapping; /* with its low flag bits */
	__u64 index;
	__u64 private_word;
	__u64 memcg_data;
	__u32 page_type; /* or _mapcount: the same word */
	__s32 refcount;
};
POBPF_ASSERT_SIZE(struct pobpf_struct_page, 48);

enum pobpf_page_dump_bits {
	POBPF_DUMP_ABSENT = 1 << 0,	/* pfn_valid() is false; nothing else is set */
	POBPF_DUMP_OFFLINE = 1 << 1,	/* its section has no page_ext; nothing else is set */
	POBPF_DUMP_UNREADABLE = 1 << 2, /* its struct page could not be read */
	POBPF_DUMP_BUDDY = 1 << 3,	/* in a free block: buddy_pfn, buddy_order */
	POBPF_DUMP_TAIL = 1 << 4,	/* PageTail(): head differs from page */
	POBPF_DUMP_INODE = 1 << 5,	/* mapping is an inode's page cache: inode to file_name */
	POBPF_DUMP_ENTIRE_COUNT = 1
				  << 6, /* v6.3: folio->_entire_mapcount; else compound_mapcount */
	POBPF_DUMP_NO_CGROUP = 1 << 7,	/* memcg_data is set, but does not lead to a cgroup */
	POBPF_DUMP_HUGETLB = 1 << 8,	/* before v6.9: if compound, a page of hugetlb */
};

/* How to tell a slab page; zero where the kernel has no such way. */
struct pobpf_slab_test {
	__u64 flag;	 /* v6.10 and before: PG_slab, a bit of page->flags */
	__u32 type_mask; /* since then: (page_type & type_mask) == type_value */
	__u32 type_value;
};
POBPF_ASSERT_SIZE(struct pobpf_slab_test, 16);

struct pobpf_page_dump {
	__u64 pfn;	      /* the request; user space zeroes the rest */
	__u64 buddy_pfn;      /* first page of the free block */
	__u64 compound_pfn;   /* compound head; the page itself if it is none */
	__u64 owner_head_pfn; /* first page of the allocation, by owner.order */
	__u32 bits;	      /* enum pobpf_page_dump_bits */
	__u32 buddy_order;
	__u32 pageblock_migratetype;
	__u32 memcg_flags; /* enum pobpf_memcg_flags */
	__u64 cgroup_id;
	struct pobpf_struct_page page;
	struct pobpf_struct_page head; /* of the compound page */
	/* second page of the compound page; only where `head` has the flag */
	__u64 second_flags;
	__s32 entire_mapcount; /* as stored: one less than the count */
	__s32 pincount;
	__u32 compound_order;
	__u32 reserved;
	struct pobpf_owner owner;
	struct pobpf_owner owner_head; /* of owner_head_pfn, if that is another page */
	__u64 inode;
	char s_id[POBPF_S_ID_BYTES];
	char filesystem[POBPF_S_ID_BYTES]; /* file_system_type.name */
	char file_name[POBPF_NAME_BYTES];  /* last component of its first dentry; may be empty */
	char slab_cache[POBPF_NAME_BYTES]; /* empty: no slab page */
};
POBPF_ASSERT_SIZE(struct pobpf_page_dump, 32 + 16 + 8 + 96 + 24 + 144 + 8 + 192);

#endif /* POBPF_ABI_H */
