/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a window of PFNs to struct page and struct page_owner: the only BPF file
 * that knows the memory model (SPARSEMEM_EXTREME) and page_ext. Mirrors
 * mm/page_owner.c: read_page_owner().
 */
#ifndef POBPF_PAGE_WALK_BPF_H
#define POBPF_PAGE_WALK_BPF_H

#include "kernel_compat.bpf.h"

/* PAGE_EXT_INVALID of mm/page_ext.c: the section's page_ext is being torn down. */
#define PAGE_EXT_INVALID 1UL
/* No allocation has a larger order (1 GiB hugetlb: 18; 16 GiB with 64 KiB pages: 18). */
#define OWNER_ORDER_MAX 30
/* MAX_PAGE_ORDER is at most 16 (arm64 with 64 KiB pages: 13). */
#define BUDDY_ORDER_MAX 16
/* PB_migrate to PB_migrate_end of enum pageblock_bits, all versions. */
#define MIGRATETYPE_MASK 7U
/* GFP_MOVABLE_MASK and its shift of linux/gfp.h, all versions. */
#define GFP_MOVABLE_MASK 0x18U
#define GFP_MOVABLE_SHIFT 3
/* linux/mmzone.h, all versions. */
#define MIGRATE_UNMOVABLE 0
#define BITS_PER_LONG 64

/* The state of a whole window, if there is nothing to walk. */
enum window_whole { WINDOW_MIXED, WINDOW_ABSENT, WINDOW_OFFLINE, WINDOW_FREE };

/*
 * The location of a window in kernel memory. Addresses are numbers: global functions, which are
 * verified once, on their own, take plain memory only, and maps hold nothing else.
 */
struct window_place {
	__u64 pfn;	/* first page of the window */
	__u64 page;	/* address of its struct page */
	__u64 page_ext; /* address of its struct page_ext */
	__u32 pageblock_migratetype;
	__u32 whole; /* enum window_whole */
};

/* The walk over one window, from page to page. */
struct window_walk {
	struct window_place place;
	__u16 nr_pages;
	__u16 next; /* pages of the window that are done */
	__u16 torn; /* index of the page that has been looked at twice */
	__u16 reserved;
	struct pobpf_account account;
};

/* __nr_to_section(): the section's address, or 0 where there is none. */
static __always_inline __u64 section_address(__u64 section_nr)
{
	__u64 root_nr = section_nr >> layout.section_root_shift;
	__u64 root;

	if (root_nr >= layout.nr_section_roots)
		return 0;
	root = read_kernel_u64(layout.mem_section_roots + root_nr * sizeof(__u64));
	if (!root)
		return 0;
	return root + (section_nr & ((1ULL << layout.section_root_shift) - 1)) *
			      bpf_core_type_size(struct mem_section);
}

/* The fields of a struct mem_section that the walk needs: CO-RE may move its own layout. */
struct section_copy {
	__u64 mem_map;	/* section_mem_map with its flag bits */
	__u64 usage;	/* address of struct mem_section_usage, or 0 */
	__u64 page_ext; /* biased: entry of a PFN is at page_ext + page_ext_size * pfn */
};

/* Copies a section; false if it has no memory map (valid_section()). */
static __always_inline bool read_section(__u64 section_nr, struct section_copy *section)
{
	const struct mem_section *address = (const void *)section_address(section_nr);

	if (!address)
		return false;
	section->mem_map = KERNEL_WORD(address, section_mem_map);
	section->usage = KERNEL_WORD(address, usage);
	section->page_ext = KERNEL_WORD(address, page_ext);
	return section->mem_map & layout.section_has_mem_map;
}

static __always_inline __u64 pfn_in_section(__u64 pfn)
{
	return pfn & ((1ULL << layout.pfn_section_shift) - 1);
}

/* pfn_section_valid() for a PFN of a valid section; all of an early section counts as valid. */
static __always_inline bool subsection_is_valid(const struct section_copy *section, __u64 pfn)
{
	__u64 index, word;

	if (section->mem_map & layout.section_is_early || !layout.pfn_subsection_shift)
		return true;
	if (!section->usage)
		return false;
	index = pfn_in_section(pfn) >> layout.pfn_subsection_shift;
	word = read_kernel_u64(section->usage +
			       bpf_core_field_offset(struct mem_section_usage, subsection_map) +
			       index / BITS_PER_LONG * sizeof(__u64));
	return word >> (index % BITS_PER_LONG) & 1;
}

/* get_pfnblock_migratetype(): enum migratetype of the block that pfn is in. */
static __always_inline __u32 pageblock_migratetype(const struct section_copy *section, __u64 pfn)
{
	__u64 bit = (pfn_in_section(pfn) >> layout.pageblock_order) * layout.pageblock_bits;
	__u64 word;

	if (!section->usage)
		return 0;
	word = read_kernel_u64(section->usage +
			       bpf_core_field_offset(struct mem_section_usage, pageblock_flags) +
			       bit / BITS_PER_LONG * sizeof(__u64));
	word >>= bit % BITS_PER_LONG;
	if (word & layout.pageblock_isolate_bit)
		return layout.migrate_isolate;
	return word & MIGRATETYPE_MASK;
}

/* Order of the free block that starts at this page, or -1 if PageBuddy() is not set. */
static __always_inline int buddy_order(__u64 page_address)
{
	struct page *page = KERNEL_PTR(struct page, page_address);
	__u64 order;

	if ((KERNEL_READ(page, page_type) & layout.buddy_mask) != layout.buddy_value)
		return -1;
	order = KERNEL_READ(page, private);
	/*
	 * Preempted in between, this may have read what the page's next user keeps there:
	 * as an order it would hide the pages behind. read_page_owner() takes that risk.
	 */
	if ((KERNEL_READ(page, page_type) & layout.buddy_mask) != layout.buddy_value)
		return -1;
	/* buddy_order_unsafe() may be stale: the kernel then goes on with the next page */
	return order <= layout.max_page_order ? (int)order : 0;
}

/*
 * Whether the first page of a window is inside a free block of this order that
 * starts before it. Global, so that it is verified once and not for each order.
 */
__noinline int is_inside_buddy_block(const struct window_place *place, __u32 order)
{
	__u64 head;

	if (!place)
		return 0;
	head = place->pfn >> (order & 31) << (order & 31);
	/* the window is an aligned block itself: smaller ones start inside it */
	if (head == place->pfn)
		return 0;
	return buddy_order(place->page - (place->pfn - head) * bpf_core_type_size(struct page)) >=
	       (int)order;
}

/*
 * read_page_owner() jumps from the head of a free block over the rest of it. A
 * window does not see heads before its start, so it looks for one.
 */
static __always_inline bool starts_inside_buddy_block(const struct window_place *place)
{
#pragma clang loop unroll(disable)
	for (__u32 order = 1; order <= BUDDY_ORDER_MAX; order++) {
		if (order > layout.max_page_order)
			break;
		if (is_inside_buddy_block(place, order))
			return true;
	}
	return false;
}

/* Finds the memory of a window; 0 if there is nothing to walk, for the reason in place->whole. */
__noinline int find_window(struct window_place *place)
{
	struct section_copy section = {};

	if (!place)
		return 0;
	/* the kernel tests pfn_valid() at the start of each block of the largest order only */
	if (!read_section(place->pfn >> layout.pfn_section_shift, &section) ||
	    !subsection_is_valid(&section,
				 place->pfn >> layout.max_page_order << layout.max_page_order) ||
	    !subsection_is_valid(&section, place->pfn)) {
		place->whole = WINDOW_ABSENT;
		return 0;
	}
	place->page = (section.mem_map & layout.section_map_mask) +
		      place->pfn * bpf_core_type_size(struct page);
	if (starts_inside_buddy_block(place)) {
		place->whole = WINDOW_FREE;
		return 0;
	}
	/*
	 * page_ext_get(): iterator programs run under rcu_read_lock(), which keeps
	 * the page_ext of a section that goes offline from here on. Before v6.1 nobody
	 * waits for readers, neither for the kernel's own: reads of what is gone fail.
	 */
	if (!section.page_ext || section.page_ext & PAGE_EXT_INVALID) {
		place->whole = WINDOW_OFFLINE;
		return 0;
	}
	place->page_ext = section.page_ext + place->pfn * layout.page_ext_size;
	place->pageblock_migratetype = pageblock_migratetype(&section, place->pfn);
	return 1;
}

/* The place where the walk stands: an allocation, or a page that was counted under its reason. */
struct owner_ref {
	__u64 pfn;
	__u64 page;	/* address of struct page */
	__u64 page_ext; /* address of struct page_ext */
	__u64 flags;	/* page->flags word of an allocation that is in the view */
	__u64 ts_nsec;
	__u32 handle;
	__u32 order;
	__u32 gfp_mask; /* of the owner that passed the filters, if they look at it */
};

/*
 * Not 0: the page was freed since walk_page() took it for an allocation, so what was read of it
 * may be of two. The kernel clears PAGE_EXT_OWNER_ALLOCATED, writes handle and order first, the
 * time later and the name last, and sets the bit again. walk_page() reads the time before the
 * bit, and this reads the bit before the time: if the bit is set both times and the time is the
 * same, no other allocation has begun between them. The other way round one may have begun after
 * the time was read here, and have ended before the bit was.
 *
 * Migration is the exception: __folio_copy_owner() writes the owner of the old page over that of
 * the new one, in the same order, while the bit stays set. Meanwhile members of both stand side by
 * side, between its time and its name the old name beside the new time, and to read again tells
 * nothing.
 */
static __always_inline __u64 allocation_has_changed(const struct owner_ref *ref)
{
	struct page_owner *owner;
	struct page_ext *ext;
	__u64 changed;

	ext = KERNEL_PTR(struct page_ext, ref->page_ext);
	owner = KERNEL_PTR(struct page_owner, ref->page_ext + layout.page_owner_offset);
	/* no early exits: each would be a path of its own to the verifier */
	changed = ~KERNEL_READ(ext, flags) & layout.owner_allocated_bit;
	changed |= ref->ts_nsec ^ KERNEL_READ(owner, ts_nsec);
	return changed;
}

/* The same where a clock that counts in ticks may have given one time to two allocations. */
static __always_inline __u64 owner_has_changed(const struct owner_ref *ref)
{
	struct page_owner *owner;
	__u64 changed = allocation_has_changed(ref);

	owner = KERNEL_PTR(struct page_owner, ref->page_ext + layout.page_owner_offset);
	changed |= ref->handle ^ KERNEL_READ(owner, handle);
	changed |= ref->order ^ KERNEL_READ(owner, order);
	return changed;
}

/* The page has changed under the read: the walk looks at it once more. */
static __always_inline void look_again(struct window_walk *w, const struct owner_ref *ref)
{
	__u16 index = ref->pfn - w->place.pfn;

	if (w->torn != index) {
		w->torn = index;
		w->next = index;
	} else {
		w->account.torn++;
	}
}

/*
 * Steps to the next page of the window; true if it is an allocation, else it is
 * counted. Inline: a return is mispredicted on purpose where the CPU needs it
 * (CONFIG_MITIGATION_SRSO), which costs more than all of this.
 */
static __always_inline bool walk_page(struct window_walk *w, struct owner_ref *ref)
{
	struct page_owner *owner;
	struct page_ext *ext;
	__u64 ext_flags;
	int free_order;
	__u32 index = w->next;

	ref->pfn = w->place.pfn + index;
	ref->page = w->place.page + index * bpf_core_type_size(struct page);
	ref->page_ext = w->place.page_ext + index * layout.page_ext_size;
	w->next = index + 1;

	free_order = buddy_order(ref->page);
	if (free_order >= 0) {
		__u32 nr_free = 1U << (free_order & 31);

		if (nr_free > w->nr_pages - index)
			nr_free = w->nr_pages - index;
		w->account.free += nr_free;
		w->next = index + nr_free;
		return false;
	}
	owner = KERNEL_PTR(struct page_owner, ref->page_ext + layout.page_owner_offset);
	ref->ts_nsec = KERNEL_READ(owner, ts_nsec);
	ext = KERNEL_PTR(struct page_ext, ref->page_ext);
	ext_flags = KERNEL_READ(ext, flags);
	if (!(ext_flags & layout.owner_bit)) {
		w->account.unowned++;
		return false;
	}
	if (!(ext_flags & layout.owner_allocated_bit)) {
		w->account.freed++;
		return false;
	}
	ref->order = KERNEL_READ(owner, order);
	if (ref->order > OWNER_ORDER_MAX) {
		w->account.torn++;
		return false;
	}
	if (ref->pfn & ((1ULL << ref->order) - 1)) {
		w->account.tail++;
		return false;
	}
	ref->handle = KERNEL_READ(owner, handle);
	if (!ref->handle) {
		w->account.no_handle++;
		return false;
	}
	return true;
}

/* Apart from walk_page(), as not all who walk look at them. */
static __always_inline void read_page_flags(struct owner_ref *ref)
{
	struct page *page = KERNEL_PTR(struct page, ref->page);

	ref->flags = page_flags_word(page);
}

/* gfp_migratetype() of linux/gfp.h. */
static __always_inline __u32 gfp_migratetype(__u32 gfp_mask)
{
	if (layout.is_mobility_grouping_disabled)
		return MIGRATE_UNMOVABLE;
	return (gfp_mask & GFP_MOVABLE_MASK) >> GFP_MOVABLE_SHIFT;
}

#endif /* POBPF_PAGE_WALK_BPF_H */
