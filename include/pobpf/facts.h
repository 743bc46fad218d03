/* SPDX-License-Identifier: GPL-2.0-only */
/* Facts of the running kernel that user space finds out for the programs, and how it asks them. */
#ifndef POBPF_FACTS_H
#define POBPF_FACTS_H

#include "pobpf/types.h"

enum {
	/* bytes of the longest symbol name looked for, with its NUL */
	POBPF_KSYM_NAME_BYTES = 32,
	/* bytes of kernel memory one run of peek copies out */
	POBPF_PEEK_BYTES = 4096,
};

/*
 * Layout of the running kernel where CO-RE cannot relocate it (anonymous enums,
 * macros, linker symbols, boot-time variables). src/kernel/machine_facts.cpp finds it
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

#endif /* POBPF_FACTS_H */
