/* SPDX-License-Identifier: GPL-2.0-only */
/* The filters of a reader, and the test of an allocation against them. */
#ifndef POBPF_FILTER_BPF_H
#define POBPF_FILTER_BPF_H

#include "memcg.bpf.h"
#include "page_walk.bpf.h"
#include "process.bpf.h"
#include "stack_depot.bpf.h"

/*
 * Filters that a reader of this object may have, bits enum pobpf_filter. Written by user
 * space before the object is loaded: the verifier goes through no other.
 */
const volatile __u32 possible_filters = ~0U;

enum filter_verdicts {
	COMM_PASSES = 1 << 0,
	TGID_PASSES = 1 << 1,
	PID_PASSES = 1 << 2,
};

/* Verdicts on what neighbours share, of one run. */
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
	struct process_memo process;
};

static __always_inline bool nid_is_wanted(const struct pobpf_params *params, __u64 flags)
{
	__u32 nid;

	/* PagePoisoned(): a memmap that nobody has initialised; 7.3 tests it before it takes nid */
	if (flags == PAGE_POISON_PATTERN)
		return false;
	nid = flags >> layout.node_shift & layout.node_mask;
	if (nid >= POBPF_MAX_NODES)
		return false;
	return params->nid_mask[nid / 64] >> (nid & 63) & 1;
}

/* Filters that a reader has. */
static __always_inline __u32 active_filters(const struct pobpf_params *params)
{
	return params->active & possible_filters;
}

/*
 * Inner maps are declared by size: up to 6.2 the kernel takes an inner map that was
 * made without type information for another than one with it.
 */

/* Members of the sets of each reader; user space makes the inner map as large as is needed. */
struct reader_set {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(key_size, sizeof(struct pobpf_set_key));
	__uint(value_size, sizeof(__u32)); /* enum pobpf_set_bits, or enum pobpf_stack_hits */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, POBPF_MAX_READERS);
	__type(key, __u32);
	__array(values, struct reader_set);
} reader_sets SEC(".maps");

struct reader_comm_table {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct pobpf_comm_table));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, POBPF_MAX_READERS);
	__type(key, __u32);
	__array(values, struct reader_comm_table);
} reader_comm_tables SEC(".maps");

struct reader_stack_ranges {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_INNER_MAP /* of any size */);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct pobpf_stack_range));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, POBPF_MAX_READERS);
	__type(key, __u32);
	__array(values, struct reader_stack_ranges);
} reader_stack_ranges SEC(".maps");

/* Bits of a set's member; 0 if it is none. Global, as are those below: verified once. */
__noinline int set_bits(__u32 slot, __u32 kind, __u64 value)
{
	struct pobpf_set_key key = {.value = value, .kind = kind};
	void *set = bpf_map_lookup_elem(&reader_sets, &slot);
	__u32 *bits;

	if (!set)
		return 0;
	bits = bpf_map_lookup_elem(set, &key);
	return bits ? (int)*bits : 0;
}

static __always_inline bool bits_pass(const struct pobpf_params *params, __u32 kind, __u32 bits)
{
	if (bits & POBPF_SET_REJECTED)
		return false;
	return bits & POBPF_SET_WANTED || !(params->wanted_sets & 1U << kind);
}

static __always_inline bool set_passes(const struct pobpf_params *params, __u32 slot, __u32 kind,
				       __u64 value)
{
	return bits_pass(params, kind, set_bits(slot, kind, value));
}

static __always_inline bool masks_pass(__u64 bits, __u64 all, __u64 any, __u64 none)
{
	return (bits & all) == all && (!any || bits & any) && !(bits & none);
}

/* Runs the automaton of struct pobpf_comm_table over memo->comm up to a NUL; 1: it passes. */
__noinline int comm_passes(const struct pobpf_params *params, struct filter_memo *memo)
{
	__u64 states[POBPF_COMM_WORDS], is_wanted = 0, wants = 0, is_rejected = 0;
	const struct pobpf_comm_table *table;
	__u32 zero = 0, slot;
	void *inner;

	if (!params || !memo)
		return 0;
	slot = memo->slot;
	inner = bpf_map_lookup_elem(&reader_comm_tables, &slot);
	if (!inner)
		return 0;
	table = bpf_map_lookup_elem(inner, &zero);
	if (!table)
		return 0;
	for (int word = 0; word < POBPF_COMM_WORDS; word++)
		states[word] = params->comm[word].start;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < POBPF_COMM_BYTES; i++) {
		__u64 byte = memo->comm[i / 8] >> (i % 8 * 8) & 0xff;

		if (!byte)
			break;
		for (int word = 0; word < POBPF_COMM_WORDS; word++)
			states[word] = (states[word] & table->accepts[byte][word]) << 1 |
				       (states[word] & params->comm[word].loops);
	}
	for (int word = 0; word < POBPF_COMM_WORDS; word++) {
		wants |= params->comm[word].wanted;
		is_wanted |= states[word] & params->comm[word].wanted;
		is_rejected |= states[word] & params->comm[word].rejected;
	}
	return !is_rejected && (!wants || is_wanted);
}

/* Bits of the nearest cgroup above a charged page that is a member of the reader's set. */
__noinline int memcg_set_bits(__u64 memcg_data, __u32 slot)
{
	const struct kernfs_node___members *kn = memcg_kernfs_node(memcg_data);
	int bits = 0;

	if (!kn)
		return -1;
#pragma clang loop unroll(disable)
	for (int level = 0; level < CGROUP_DEPTH_MAX; level++) {
		bits |= set_bits(slot, POBPF_SET_MEMCG, KERNEL_WORD(kn, id));
		kn = kernfs_parent(kn);
		if (!kn)
			break;
	}
	return bits;
}

/* log2 of ranges: no kernel has as many functions. */
#define STACK_RANGES_SHIFT 20

/* Finds what an address hits: a binary search through the reader's ranges. */
static __always_inline int address_hits(__u32 slot, __u64 address, __u32 nr_ranges)
{
	void *ranges = bpf_map_lookup_elem(&reader_stack_ranges, &slot);
	__u32 low = 0, high = nr_ranges;

	if (!ranges)
		return 0;
#pragma clang loop unroll(disable)
	for (int step = 0; step < STACK_RANGES_SHIFT; step++) {
		__u32 middle = low + (high - low) / 2;
		const struct pobpf_stack_range *range;

		if (low >= high)
			break;
		range = bpf_map_lookup_elem(ranges, &middle);
		if (!range)
			break;
		if (address < range->begin)
			high = middle;
		else if (address >= range->end)
			low = middle + 1;
		else
			return (int)range->hits;
	}
	return 0;
}

/*
 * A number that the verifier cannot know to be zero: what starts on the stack from a
 * known constant makes each step of a loop a state of its own ("too large").
 */
volatile __u32 unknown_zero = 0;

struct stack_search {
	struct stack_ref stack;
	__u32 nr_ranges;
	__u32 hits;
};

LOOP_BODY(search_frame, index, struct stack_search, search)
{
	if (index >= search->stack.nr_frames)
		return 1;
	search->hits |= address_hits(search->stack.slot, stack_frame(&search->stack, index),
				     search->nr_ranges);
	return 0;
}

/*
 * What the frames of a stack hit, looked at when a handle is first met: stacks that
 * come up after a reader was made are judged like those before.
 */
__noinline int stack_hits(__u32 slot, __u32 handle, __u32 nr_ranges)
{
	struct pobpf_set_key key = {.value = handle, .kind = POBPF_SET_STACK};
	struct stack_search search = {.stack.slot = slot, .nr_ranges = nr_ranges};
	void *set = bpf_map_lookup_elem(&reader_sets, &slot);
	__u32 *known;

	if (!set)
		return -1;
	known = bpf_map_lookup_elem(set, &key);
	if (known)
		return (int)*known;
	if (!find_stack(handle, &search.stack))
		return -1;
	search.hits = unknown_zero;
	loop(POBPF_MAX_FRAMES, search_frame, &search);
	/* a cache: what does not fit is looked at again */
	bpf_map_update_elem(set, &key, &search.hits, 0);
	return (int)search.hits;
}

static __always_inline bool stack_passes(const struct pobpf_params *params, __u32 hits)
{
	if (hits & (POBPF_STACK_NOT_SYMBOL | POBPF_STACK_NOT_MODULE))
		return false;
	return (hits & params->wanted_hits) == params->wanted_hits;
}

static __always_inline bool time_passes(const struct pobpf_params *params, __u64 ts_nsec)
{
	__u64 now, age;

	if (ts_nsec < params->ts_min || ts_nsec > params->ts_max)
		return false;
	if (!params->age_min && params->age_max == ~0ULL)
		return true;
	now = local_clock_now();
	age = now > ts_nsec ? now - ts_nsec : 0;
	return age >= params->age_min && age <= params->age_max;
}

#define PAGE_WORD_FILTERS                                                                          \
	(1U << POBPF_FILTER_NID | 1U << POBPF_FILTER_ZONE | 1U << POBPF_FILTER_FLAGS)
#define PAGE_FILTERS                                                                               \
	(PAGE_WORD_FILTERS | 1U << POBPF_FILTER_ORDER | 1U << POBPF_FILTER_BLOCK_MIGRATETYPE)
#define GFP_FILTERS                                                                                \
	(1U << POBPF_FILTER_GFP | 1U << POBPF_FILTER_MIGRATETYPE | 1U << POBPF_FILTER_MIXED)
#define TGID_FILTERS (1U << POBPF_FILTER_TGID | 1U << POBPF_FILTER_DEAD)
#define DEEP_FILTERS (1U << POBPF_FILTER_MEMCG | 1U << POBPF_FILTER_STACK)
#define ALL_FILTERS ((1U << POBPF_NR_FILTERS) - 1)
#define OWNER_FILTERS (ALL_FILTERS & ~PAGE_FILTERS & ~DEEP_FILTERS)

static __always_inline bool reject(struct window_walk *w, enum pobpf_filter filter)
{
	w->account.filtered[filter]++;
	return false;
}

/* Filters that look at struct page and what the walk has read anyway. */
static __always_inline bool passes_page_filters(const struct pobpf_params *params, __u32 active,
						const struct owner_ref *ref, struct window_walk *w)
{
	if (active & 1U << POBPF_FILTER_NID && !nid_is_wanted(params, ref->flags))
		return reject(w, POBPF_FILTER_NID);
	if (active & 1U << POBPF_FILTER_ZONE &&
	    !(params->zone_mask >> (ref->flags >> layout.zone_shift & layout.zone_mask & 31) & 1))
		return reject(w, POBPF_FILTER_ZONE);
	if (active & 1U << POBPF_FILTER_FLAGS &&
	    !masks_pass(ref->flags, params->flags_all, params->flags_any, params->flags_none))
		return reject(w, POBPF_FILTER_FLAGS);
	if (active & 1U << POBPF_FILTER_ORDER && !(params->order_mask >> (ref->order & 63) & 1))
		return reject(w, POBPF_FILTER_ORDER);
	if (active & 1U << POBPF_FILTER_BLOCK_MIGRATETYPE &&
	    !(params->block_migratetype_mask >> (w->place.pageblock_migratetype & 31) & 1))
		return reject(w, POBPF_FILTER_BLOCK_MIGRATETYPE);
	return true;
}

/* Looks a thread group up that is not the one before. */
static __always_inline void remember_tgid(const struct pobpf_params *params, __u32 active,
					  __u32 tgid, struct filter_memo *memo)
{
	memo->tgid = tgid;
	memo->verdicts &= ~TGID_PASSES;
	if (active & 1U << POBPF_FILTER_TGID &&
	    set_passes(params, memo->slot, POBPF_SET_TGID, tgid))
		memo->verdicts |= TGID_PASSES;
}

static __always_inline void remember_pid(const struct pobpf_params *params, __u32 pid,
					 struct filter_memo *memo)
{
	memo->pid = pid;
	memo->verdicts &= ~PID_PASSES;
	if (set_passes(params, memo->slot, POBPF_SET_PID, pid))
		memo->verdicts |= PID_PASSES;
}

static __always_inline void remember_comm(const struct pobpf_params *params, const __u64 *comm,
					  struct filter_memo *memo)
{
	memo->comm[0] = comm[0];
	memo->comm[1] = comm[1];
	memo->verdicts &= ~COMM_PASSES;
	if (comm_passes(params, memo))
		memo->verdicts |= COMM_PASSES;
}

/*
 * Filters that look at struct page_owner. Neighbours mostly have one owner: its verdict is
 * kept. What was looked at is compared with the record by is_as_filtered().
 */
static __always_inline bool passes_owner_filters(const struct pobpf_params *params, __u32 active,
						 struct owner_ref *ref, struct window_walk *w,
						 struct filter_memo *memo)
{
	struct page_owner *owner =
		KERNEL_PTR(struct page_owner, ref->page_ext + layout.page_owner_offset);
	__u64 comm[POBPF_COMM_BYTES / 8];
	__u32 tgid, pid;

	if (active & 1U << POBPF_FILTER_HANDLE &&
	    !set_passes(params, memo->slot, POBPF_SET_HANDLE, ref->handle))
		return reject(w, POBPF_FILTER_HANDLE);
	if (active & 1U << POBPF_FILTER_TIME && !time_passes(params, ref->ts_nsec))
		return reject(w, POBPF_FILTER_TIME);
	if (active & GFP_FILTERS) {
		ref->gfp_mask = KERNEL_READ(owner, gfp_mask);
		if (active & 1U << POBPF_FILTER_GFP &&
		    !masks_pass(ref->gfp_mask, params->gfp_all, params->gfp_any, params->gfp_none))
			return reject(w, POBPF_FILTER_GFP);
		if (active & 1U << POBPF_FILTER_MIGRATETYPE &&
		    !(params->migratetype_mask >> gfp_migratetype(ref->gfp_mask) & 1))
			return reject(w, POBPF_FILTER_MIGRATETYPE);
		if (active & 1U << POBPF_FILTER_MIXED &&
		    (gfp_migratetype(ref->gfp_mask) != w->place.pageblock_migratetype) !=
			    (params->mixed == POBPF_ONLY))
			return reject(w, POBPF_FILTER_MIXED);
	}
	if (active & TGID_FILTERS) {
		tgid = read_owner_tgid(owner);
		if (tgid != memo->tgid)
			remember_tgid(params, active, tgid, memo);
	}
	if (active & 1U << POBPF_FILTER_TGID && !(memo->verdicts & TGID_PASSES))
		return reject(w, POBPF_FILTER_TGID);
	if (active & 1U << POBPF_FILTER_PID) {
		pid = KERNEL_READ(owner, pid);
		if (pid != memo->pid)
			remember_pid(params, pid, memo);
		if (!(memo->verdicts & PID_PASSES))
			return reject(w, POBPF_FILTER_PID);
	}
	if (active & 1U << POBPF_FILTER_COMM) {
		read_owner_comm(owner, (__u8 *)comm);
		if (comm[0] != memo->comm[0] || comm[1] != memo->comm[1])
			remember_comm(params, comm, memo);
		if (!(memo->verdicts & COMM_PASSES))
			return reject(w, POBPF_FILTER_COMM);
	}
	if (active & 1U << POBPF_FILTER_DEAD &&
	    (process_state(&memo->process, memo->tgid, ref->ts_nsec) == POBPF_PROCESS_LIVING) ==
		    (params->dead == POBPF_ONLY))
		return reject(w, POBPF_FILTER_DEAD);
	return true;
}

/*
 * Filters that follow pointers: the cgroup and the stack. Global: they are dear anyway, and
 * verified once.
 */
__noinline int passes_deep_filters(const struct pobpf_params *params, struct owner_ref *ref,
				   struct window_walk *w, struct filter_memo *memo)
{
	__u32 active;
	int bits, hits;

	if (!params || !ref || !w || !memo)
		return 0;
	active = active_filters(params);
	if (active & 1U << POBPF_FILTER_MEMCG) {
		struct page *page = KERNEL_PTR(struct page, ref->page);
		__u64 memcg_data = page_memcg_data(page);

		if (page_is_tail(page) || memcg_data & MEMCG_DATA_OBJEXTS)
			memcg_data = 0;
		if (memcg_data != memo->memcg_data) {
			memo->memcg_data = memcg_data;
			memo->memcg_bits = memcg_data ? memcg_set_bits(memcg_data, memo->slot) : 0;
		}
		bits = memo->memcg_bits;
		if (bits < 0) {
			w->account.cgroup_errors++;
			return reject(w, POBPF_FILTER_MEMCG);
		}
		if (!bits_pass(params, POBPF_SET_MEMCG, bits))
			return reject(w, POBPF_FILTER_MEMCG);
	}
	if (active & 1U << POBPF_FILTER_STACK) {
		if (ref->handle != memo->handle) {
			memo->handle = ref->handle;
			memo->hits = stack_hits(memo->slot, ref->handle, params->nr_stack_ranges);
		}
		hits = memo->hits;
		if (hits < 0) {
			/* changed under the read, or a depot that is not understood */
			memo->handle = 0;
			look_again(w, ref);
			return 0;
		}
		if (!stack_passes(params, hits))
			return reject(w, POBPF_FILTER_STACK);
	}
	return 1;
}

/* Tells if an allocation is in the reader's view; else it is counted under the first filter. */
static __always_inline bool is_wanted(const struct pobpf_params *params, struct owner_ref *ref,
				      struct window_walk *w, struct filter_memo *memo)
{
	__u32 active = active_filters(params);

	if (active & PAGE_FILTERS) {
		if (active & PAGE_WORD_FILTERS)
			read_page_flags(ref);
		if (!passes_page_filters(params, active, ref, w))
			return false;
	}
	if (active & OWNER_FILTERS && !passes_owner_filters(params, active, ref, w, memo))
		return false;
	if (active & DEEP_FILTERS && !passes_deep_filters(params, ref, w, memo))
		return false;
	/* what was filtered by is what is shown */
	if (!(active & PAGE_WORD_FILTERS))
		read_page_flags(ref);
	return true;
}

/*
 * Whether a record shows what passed the filters. The record itself is of one
 * allocation, but clocks that count in ticks give one time to many.
 */
static __always_inline bool is_as_filtered(const struct pobpf_params *params,
					   const struct owner_ref *ref,
					   const struct filter_memo *memo,
					   const struct memcg_memo *memcg,
					   const struct pobpf_page *rec)
{
	const __u64 *comm = (const __u64 *)rec->comm;
	__u32 active = active_filters(params);

	if (active & GFP_FILTERS && rec->gfp_mask != ref->gfp_mask)
		return false;
	if (active & TGID_FILTERS && (__u32)rec->tgid != memo->tgid)
		return false;
	if (active & 1U << POBPF_FILTER_PID && (__u32)rec->pid != memo->pid)
		return false;
	if (active & 1U << POBPF_FILTER_COMM &&
	    (comm[0] != memo->comm[0] || comm[1] != memo->comm[1]))
		return false;
	return !(active & 1U << POBPF_FILTER_MEMCG) ||
	       memo->memcg_data == (rec->cgroup_id ? memcg->memcg_data : 0);
}

/* The memo always holds a verdict: on swapper's, to begin with. No parameters: none. */
static __always_inline void init_filter(const struct pobpf_params *params, __u32 slot,
					struct filter_memo *memo)
{
	const __u64 no_comm[POBPF_COMM_BYTES / 8] = {};
	__u32 active;

	*memo = (struct filter_memo){.slot = slot};
	if (!params)
		return;
	active = active_filters(params);
	if (active & TGID_FILTERS)
		remember_tgid(params, active, 0, memo);
	if (active & 1U << POBPF_FILTER_PID)
		remember_pid(params, 0, memo);
	if (active & 1U << POBPF_FILTER_COMM)
		remember_comm(params, no_comm, memo);
}

#endif /* POBPF_FILTER_BPF_H */
