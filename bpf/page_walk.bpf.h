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
/* Bits of enum migratetype in pageblock_flags, all versions. */
#define PAGEBLOCK_MIGRATETYPE_MASK 7U

/*
 * A number that the verifier cannot know to be zero: what starts on the stack from a
 * known constant makes each step of a loop a state of its own ("too large").
 */
volatile __u32 unknown_zero = 0;

/* What all of a window is, if there is nothing to walk. */
enum window_whole { WINDOW_MIXED, WINDOW_ABSENT, WINDOW_OFFLINE, WINDOW_FREE };

/*
 * Where a window lies in kernel memory. No pointers in here and in the other parts
 * of struct run: global functions, which are verified once, on their own, take
 * plain memory only, and maps hold nothing else.
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
	__u16 next;	 /* pages of the window that are done */
	__u16 torn;	 /* index of the page that has been looked at twice */
	__u16 is_at_end; /* print_pages: no window is left */
	struct pobpf_account account;
};

/* The last memcg_data word and what it meant: neighbours mostly share it. */
struct memcg_memo {
	__u64 memcg_data;
	__u64 cgroup_id;
	__u32 flags; /* enum pobpf_memcg_flags */
	__u32 state; /* enum memcg_state */
};

/* The sum of one group, kept here until another group comes. */
struct sum_memo {
	__u32 slot;
	__u32 reserved;
	struct pobpf_group_key next; /* group of the page that is looked at */
	struct pobpf_group_key key;
	struct pobpf_group_sum sum; /* no allocations: nothing to flush */
	struct memcg_memo memcg;
	__u64 lost; /* allocations for which there is no map */
};

#ifdef POBPF_FILTERS
enum filter_verdicts {
	COMM_PASSES = 1 << 0,
	TGID_IS_DEAD = 1 << 1,
	TGID_PASSES = 1 << 2,
	PID_PASSES = 1 << 3,
};

/* Verdicts of bpf/filter.bpf.h on what neighbours share. */
struct filter_memo {
	__u64 memcg_data; /* 0: not charged, memcg_bits are 0 */
	__u64 comm[POBPF_COMM_BYTES / 8];
	__u32 slot;
	__u32 tgid;
	__u32 pid;
	__u32 handle;	 /* 0: none yet */
	__s8 memcg_bits; /* enum pobpf_set_bits; negative: not known */
	__s8 hits;	 /* enum pobpf_stack_hits; negative: not known */
	__u8 reserved[2];
	__u32 verdicts; /* enum filter_verdicts */
};
#endif

enum { BATCH_PAGES = 32, BATCH_DETAILED_PAGES = 16 };

/* Records on their way to the stream: one copy into the seq_file for many of them. */
struct page_batch {
	struct memcg_memo memcg;
	__u32 nr_pages;
	__u32 reserved;
	union {
		struct pobpf_page pages[BATCH_PAGES];
		struct pobpf_detailed_page detailed_pages[BATCH_DETAILED_PAGES];
	};
};

/* A place in the memory of a pin's view. */
struct view_place {
	__u64 pfn;
	__u32 range; /* element of the ranges map that pfn is in or before */
	__u32 reserved;
};

/* One call of print_pages, which goes through many windows. */
struct print_state {
	struct memcg_memo memcg;
	struct view_place next; /* where the next window begins */
	__u32 nr_scanned;	/* pages of the windows so far */
	__u32 reserved;
	struct pobpf_page page;
	__u64 zero; /* ends a task name that has no NUL */
};

/*
 * One run of a program, as far as it is plain data. In a map: the verifier knows
 * nothing of what a map holds, where it would follow each counter on the stack
 * through each page as a state of its own, and the stack is small on 6.1.
 */
struct run {
	__u32 is_busy;
	__u32 slot;
	struct window_walk at;
#ifdef POBPF_FILTERS
	struct filter_memo filter;
#endif
#ifdef POBPF_PRINTS
	struct print_state print; /* print_pages */
#else
	union {
		struct sum_memo sum;	 /* count_pages */
		struct page_batch batch; /* emit_pages, emit_detailed_pages */
	};
#endif
};

/*
 * Runs at a time, a power of two: each thread that reads has one at most. 1.4 MB if a
 * process does not say that it reads with fewer, 80 KB for the readers of a pin.
 */
#ifdef POBPF_PRINTS
#define RUNS_MAX 256
#else
#define RUNS_MAX 512
#endif
const volatile __u32 runs_mask = RUNS_MAX - 1;

/* Not per CPU, as runs can be preempted in the middle of a window by others. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RUNS_MAX);
	__type(key, __u32);
	__type(value, struct run);
} runs SEC(".maps");

/* One run with what it is given; lives on its stack. */
struct walk {
	struct seq_file *seq;
	const struct pobpf_params *params;
	struct run *run;
};

static __always_inline struct run *try_run(__u32 index)
{
	struct run *run;

	index &= runs_mask;
	run = bpf_map_lookup_elem(&runs, &index);
	return run && !__sync_val_compare_and_swap(&run->is_busy, 0, 1) ? run : NULL;
}

struct run_search {
	__u32 first;
	__u32 found; /* RUNS_MAX: none */
};

static long search_run(__u32 step, struct run_search *search)
{
	if (!try_run(search->first + step))
		return 0;
	search->found = (search->first + step) & runs_mask;
	return 1;
}

/* Memory that no other run is using, until end_run(); NULL if there are more runs than that. */
static __always_inline struct run *begin_run(void)
{
	struct run_search search = {.found = RUNS_MAX};
	struct run *run;

	search.first = bpf_get_smp_processor_id();
	run = try_run(search.first);
	if (run)
		return run;
	bpf_loop(runs_mask + 1, search_run, &search, 0);
	return bpf_map_lookup_elem(&runs, &search.found);
}

static __always_inline void end_run(struct run *run)
{
	/* not a plain store: whoever comes next must see what this run has written */
	__sync_lock_test_and_set(&run->is_busy, 0);
}

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

/* What the walk needs of a struct mem_section, whose own layout CO-RE may move. */
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

/* pfn_section_valid() for a PFN of a valid section; all of an early section counts as valid. */
static __always_inline bool subsection_is_valid(const struct section_copy *section, __u64 pfn)
{
	__u64 index, word;

	if (section->mem_map & layout.section_is_early || !layout.pfn_subsection_shift)
		return true;
	if (!section->usage)
		return false;
	index = (pfn & ((1ULL << layout.pfn_section_shift) - 1)) >> layout.pfn_subsection_shift;
	word = read_kernel_u64(section->usage +
			       bpf_core_field_offset(struct mem_section_usage, subsection_map) +
			       index / 64 * sizeof(__u64));
	return word >> (index & 63) & 1;
}

/* get_pfnblock_migratetype(): enum migratetype of the block that pfn is in. */
static __always_inline __u32 pageblock_migratetype(const struct section_copy *section, __u64 pfn)
{
	__u64 bit = ((pfn & ((1ULL << layout.pfn_section_shift) - 1)) >> layout.pageblock_order) *
		    layout.pageblock_bits;
	__u64 word;

	if (!section->usage)
		return 0;
	word = read_kernel_u64(section->usage +
			       bpf_core_field_offset(struct mem_section_usage, pageblock_flags) +
			       bit / 64 * sizeof(__u64));
	word >>= bit & 63;
	if (word & layout.pageblock_isolate_bit)
		return layout.migrate_isolate;
	return word & PAGEBLOCK_MIGRATETYPE_MASK;
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
	/* buddy_order_unsafe() may be stale; the kernel then goes on with the next page, as we do
	 */
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

/* Finds the memory of the window at place->pfn; 0 if there is nothing to walk, for the reason set.
 */
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
	 * the page_ext of a section that goes offline from here on.
	 */
	if (!section.page_ext || section.page_ext & PAGE_EXT_INVALID) {
		place->whole = WINDOW_OFFLINE;
		return 0;
	}
	place->page_ext = section.page_ext + place->pfn * layout.page_ext_size;
	place->pageblock_migratetype = pageblock_migratetype(&section, place->pfn);
	return 1;
}

/* What an iterator is called for; NULL: for nothing, behind the last window. */
static __always_inline const struct pobpf_window *
current_window(const struct bpf_iter__bpf_map_elem *ctx)
{
	const struct pobpf_window *window = ctx->value;

	return window && window->pfn != POBPF_NO_WINDOW ? window : NULL;
}

/*
 * Prepares the walk over a window; false if there is nothing to walk, with all
 * pages counted under their reason.
 */
static __always_inline bool walk_window(struct walk *w, const struct pobpf_window *window)
{
	struct window_walk *at = &w->run->at;

	at->nr_pages = window->last + 1;
	at->next = 0;
	at->torn = ~0;
	at->place = (struct window_place){.pfn = window->pfn};
	at->account = (struct pobpf_account){
		.kind = POBPF_ITEM_ACCOUNT,
		.nr_pages = window->last + 1,
	};

	if (!w->params) {
		at->account.errors = at->nr_pages;
		return false;
	}
	at->account.mode = w->params->mode;
	return find_window(&at->place);
}

/* What the walk stands on: an allocation, or a page that was counted under its reason. */
struct owner_ref {
	__u64 pfn;
	__u64 page;	/* address of struct page */
	__u64 page_ext; /* address of struct page_ext */
	__u64 flags;	/* page->flags word of an allocation that is in the view */
	__u64 ts_nsec;
	__u32 handle;
	__u32 order;
#ifdef POBPF_FILTERS
	__u32 gfp_mask; /* of the owner that passed the filters, if they look at it */
#endif
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

/* Of a page that has changed under the read: the walk looks at it once more. */
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

/* gfp_migratetype() of include/linux/gfp.h: bits 3 and 4 in all versions. */
static __always_inline __u32 gfp_migratetype(__u32 gfp_mask)
{
	return layout.is_mobility_grouping_disabled ? 0 : gfp_mask >> 3 & 3;
}

/* Ends the window in the stream. The kernel drops the account together with a window it re-runs. */
static __always_inline void write_account(struct walk *w)
{
	struct window_walk *at = &w->run->at;
	struct pobpf_account *account = &at->account;

	if (at->place.whole == WINDOW_ABSENT)
		account->absent = at->nr_pages;
	if (at->place.whole == WINDOW_OFFLINE)
		account->offline = at->nr_pages;
	if (at->place.whole == WINDOW_FREE)
		account->free = at->nr_pages;
	bpf_seq_write(w->seq, account, sizeof(*account));
}

#endif /* POBPF_PAGE_WALK_BPF_H */
