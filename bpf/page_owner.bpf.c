// SPDX-License-Identifier: GPL-2.0-only
/*
 * The programs. Iterators run once per window of a link's window map and keep no
 * state between windows; what they need of the link is found through the window.
 * They only read kernel memory.
 */
#include "filter.bpf.h"
#include "kernel_compat.bpf.h"
#include "memcg.bpf.h"
#include "page_record.bpf.h"
#include "page_walk.bpf.h"
#include "stack_programs.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* Put the types of the stream into the object's BTF, where abi_test.cpp compares layouts. */
const struct pobpf_page *stream_page;
const struct pobpf_account *stream_account;
const struct pobpf_window *stream_window;

/*
 * Parameters of each link. Written by user space before the link is attached and
 * never while it is open; read by the iterators. 256 * 136 bytes.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, POBPF_MAX_READERS);
	__type(key, __u32);
	__type(value, struct pobpf_params);
} readers SEC(".maps");

/* Of this machine: how pages tell what they are used for. */
const volatile struct pobpf_kind_facts kind_facts = {};

/*
 * Sums of each reader. Written by count_pages, made and read by user space, which
 * puts the key `other_groups` into each: the sum of what finds no room.
 */
struct group_sums {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(map_flags, 1 /* BPF_F_NO_PREALLOC */);
	__uint(key_size, sizeof(struct pobpf_group_key));
	__uint(value_size, sizeof(struct pobpf_group_sum));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, POBPF_MAX_READERS);
	__type(key, __u32);
	__array(values, struct group_sums);
} reader_sums SEC(".maps");

/*
 * Records on their way to the stream: one copy into the seq_file for many of them.
 * Of one run at a time: a run that finds it busy does without.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct page_batch);
} batches SEC(".maps");

/* Runs of count_pages at a time; each thread of a process has one at most. */
#define SUM_MEMOS_MAX 512

/*
 * Memory of each run of count_pages. 512 * 208 bytes. Not per CPU, as runs can be
 * preempted in the middle of a window by others.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SUM_MEMOS_MAX);
	__type(key, __u32);
	__type(value, struct sum_memo);
} sum_memos SEC(".maps");

/* A walk that makes records. */
struct emit_walk {
	struct walk walk;
	struct memcg_memo memcg;
	struct pobpf_page own; /* where there is no batch */
};

/* The call after the last window has none; the pointer must be tested where it is read. */
static __always_inline bool begin(struct bpf_iter__bpf_map_elem *ctx,
				  const struct pobpf_window *window, struct walk *w)
{
	w->seq = ctx->meta->seq;
	w->slot = window->slot;
	w->params = bpf_map_lookup_elem(&readers, &w->slot);
	init_filter(w);
	return walk_window(w, window);
}

static __always_inline void flush_batch(struct walk *w, struct page_batch *batch)
{
	__u32 nr = w->nr_batched;

	/* a constant would make each batch a state of its own to the verifier */
	w->nr_batched = unknown_zero;
	/* keeps the compiler from testing a copy, whose bound the verifier does not carry over */
	barrier_var(nr);
	if (nr <= BATCH_PAGES)
		bpf_seq_write(w->seq, batch->pages, nr * sizeof(struct pobpf_page));
}

static long emit_page(__u32 step, struct emit_walk *emit)
{
	struct walk *w = &emit->walk;
	struct page_batch *batch = w->batch;
	struct owner_ref ref = {};
	struct pobpf_page *rec;
	int result;

	if (w->at.next >= w->at.nr_pages)
		return 1;
	if (!walk_page(&w->at, &ref) || !is_wanted(w, &ref))
		return 0;
	rec = batch ? &batch->pages[w->nr_batched & (BATCH_PAGES - 1)] : &emit->own;
	result = fill_record(&ref, &emit->memcg, rec);
	if (result == RECORD_TORN || !is_as_filtered(w, &ref, &emit->memcg, rec)) {
		/* freed or allocated again in between: the walk looks at it once more */
		__u16 index = ref.pfn - w->at.place.pfn;

		if (w->at.torn != index) {
			w->at.torn = index;
			w->at.next = index;
		} else {
			w->at.account.torn++;
		}
		return 0;
	}
	if (result == RECORD_WITHOUT_CGROUP)
		w->at.account.cgroup_errors++;
	w->at.account.emitted++;
	rec->pageblock_migratetype = w->at.place.pageblock_migratetype;
	if (!batch)
		bpf_seq_write(w->seq, rec, sizeof(*rec));
	else if (++w->nr_batched >= BATCH_PAGES)
		flush_batch(w, batch);
	return 0;
}

SEC("pobpf/bpf_map_elem")
int emit_pages(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct pobpf_window *window = ctx->value;
	struct page_batch *batch;
	struct emit_walk emit;
	struct walk *w = &emit.walk;

	if (!window)
		return 0;
	if (begin(ctx, window, w)) {
		emit.memcg = (struct memcg_memo){};
		w->nr_batched = unknown_zero;
		batch = bpf_map_lookup_elem(&batches, (const void *)&unknown_zero);
		/* iterators are preemptible: another run on this CPU may be using it */
		if (batch && __sync_val_compare_and_swap(&batch->is_busy, 0, 1))
			batch = NULL;
		w->batch = batch;
		bpf_loop(2 * POBPF_WINDOW_PAGES + 1, emit_page, &emit, 0);
		if (batch) {
			flush_batch(w, batch);
			batch->is_busy = 0;
		}
	}
	write_account(w);
	return 0;
}

static const struct pobpf_group_key other_groups = {.is_other = 1};
static const struct pobpf_group_sum empty_sum = {};

/* The element of a group; that of all others if the map is full; NULL if there is no map. */
static __always_inline struct pobpf_group_sum *find_sum(__u32 slot,
							const struct pobpf_group_key *key)
{
	void *sums = bpf_map_lookup_elem(&reader_sums, &slot);
	struct pobpf_group_sum *sum;

	if (!sums)
		return NULL;
	sum = bpf_map_lookup_elem(sums, key);
	if (sum)
		return sum;
	/* another run of the same reader may have been first: then this fails, which is fine */
	bpf_map_update_elem(sums, key, &empty_sum, 1 /* BPF_NOEXIST */);
	sum = bpf_map_lookup_elem(sums, key);
	return sum ?: bpf_map_lookup_elem(sums, &other_groups);
}

/* Adds what was summed up for one group to the map. */
__noinline int flush_sum(struct sum_memo *memo)
{
	struct pobpf_group_sum *sum;
	struct pobpf_group_key key;

	if (!memo || !memo->sum.allocations)
		return 0;
	/* up to 6.2 memory that a function is given cannot be the key of a map */
	key = memo->key;
	sum = find_sum(memo->slot, &key);
	if (sum) {
		__sync_fetch_and_add(&sum->pages, memo->sum.pages);
		__sync_fetch_and_add(&sum->allocations, memo->sum.allocations);
		if (memo->sum.ts_sum)
			__sync_fetch_and_add(&sum->ts_sum, memo->sum.ts_sum);
	} else {
		memo->lost += memo->sum.allocations;
	}
	memo->sum = (struct pobpf_group_sum){};
	return 0;
}

/* What the page is used for, as far as struct page says it; by handle where it does not. */
static __always_inline void set_kind(struct pobpf_group_key *key, const struct owner_ref *ref)
{
	struct page *page = KERNEL_PTR(struct page, ref->page);
	__u32 type = KERNEL_READ(page, page_type);
	__u64 mapping;

	key->page_flags = ref->flags & kind_facts.flags;
	/* page_has_type(): below PAGE_MAPCOUNT_RESERVE; else the word is a count of mappings */
	if ((__s32)type < -128 && (type & kind_facts.type_base) == kind_facts.type_base) {
		key->page_type = type & kind_facts.type_mask;
	} else {
		mapping = page_mapping_word(page);
		key->mapping = mapping & 3;
		if (mapping && !key->mapping)
			key->mapping = POBPF_MAPPING_FILE;
		if (!key->mapping || ref->order >= kind_facts.stack_order_min)
			key->handle = ref->handle;
	}
}

/* Of an allocation: all fields that the reader groups by; 1: its cgroup could not be told. */
static __always_inline int set_group(struct pobpf_group_key *key, const struct owner_ref *ref,
				     __u32 by, struct memcg_memo *memcg)
{
	struct page_owner *owner;
	int memcg_state;

	owner = KERNEL_PTR(struct page_owner, ref->page_ext + layout.page_owner_offset);
	if (by & POBPF_GROUP_KIND)
		set_kind(key, ref);
	if (by & POBPF_GROUP_HANDLE)
		key->handle = ref->handle;
	if (by & POBPF_GROUP_TGID)
		key->tgid = KERNEL_READ(owner, tgid);
	if (by & POBPF_GROUP_PID)
		key->pid = KERNEL_READ(owner, pid);
	if (by & POBPF_GROUP_COMM)
		read_owner_comm(owner, key->comm);
	if (by & POBPF_GROUP_ORDER)
		key->order = ref->order;
	if (by & POBPF_GROUP_GFP)
		key->gfp_mask = KERNEL_READ(owner, gfp_mask);
	if (by & POBPF_GROUP_MIGRATETYPE)
		key->migratetype = gfp_migratetype(KERNEL_READ(owner, gfp_mask));
	if (by & POBPF_GROUP_NID)
		key->nid = ref->flags >> layout.node_shift & layout.node_mask;
	if (by & POBPF_GROUP_ZONE)
		key->zone = ref->flags >> layout.zone_shift & layout.zone_mask;
	if (!(by & POBPF_GROUP_MEMCG))
		return 0;
	memcg_state = find_memcg(KERNEL_PTR(struct page, ref->page), memcg);
	if (memcg_state == MEMCG_KNOWN) {
		key->cgroup_id = memcg->cgroup_id;
		key->memcg_flags = memcg->flags & POBPF_MEMCG_OFFLINE;
	}
	return memcg_state == MEMCG_UNKNOWN;
}

/* Makes memo->key the group of an allocation; 1: its cgroup could not be told. */
__noinline int select_group(const struct pobpf_params *params, struct owner_ref *ref,
			    struct sum_memo *memo)
{
	struct page_owner *owner;
	__u64 *next, *key;
	__u64 changed = 0;
	int result;

	if (!params || !ref || !memo)
		return 0;
	memo->next = (struct pobpf_group_key){};
	result = set_group(&memo->next, ref, params->group_by, &memo->memcg);
	next = (__u64 *)&memo->next;
	key = (__u64 *)&memo->key;
	for (unsigned int i = 0; i < sizeof(memo->key) / sizeof(*key); i++)
		changed |= next[i] ^ key[i];
	if (changed) {
		flush_sum(memo);
		memo->key = memo->next;
	}
	owner = KERNEL_PTR(struct page_owner, ref->page_ext + layout.page_owner_offset);
	if (params->group_by & POBPF_GROUP_TIME)
		memo->sum.ts_sum += KERNEL_READ(owner, ts_nsec) >> POBPF_TS_SUM_SHIFT;
	return result;
}

static long count_page(__u32 step, struct walk *w)
{
	struct sum_memo *memo = w->sum;
	struct owner_ref ref = {};

	if (w->at.next >= w->at.nr_pages)
		return 1;
	if (!walk_page(&w->at, &ref) || !is_wanted(w, &ref))
		return 0;
	if (w->params->group_by == POBPF_GROUP_HANDLE) {
		/* what is asked most: no key has to be made */
		if (ref.handle != memo->key.handle) {
			flush_sum(memo);
			memo->key.handle = ref.handle;
		}
	} else if (select_group(w->params, &ref, memo)) {
		w->at.account.cgroup_errors++;
	}
	memo->sum.pages += 1ULL << (ref.order & 31);
	memo->sum.allocations++;
	w->at.account.emitted++;
	return 0;
}

static __always_inline struct sum_memo *try_memo(__u32 index)
{
	struct sum_memo *memo;

	index %= SUM_MEMOS_MAX;
	memo = bpf_map_lookup_elem(&sum_memos, &index);
	return memo && !__sync_val_compare_and_swap(&memo->is_busy, 0, 1) ? memo : NULL;
}

struct memo_search {
	__u32 first;
	__u32 found; /* SUM_MEMOS_MAX: none */
};

static long search_memo(__u32 step, struct memo_search *search)
{
	if (!try_memo(search->first + step))
		return 0;
	search->found = (search->first + step) % SUM_MEMOS_MAX;
	return 1;
}

/* A memo that no other run is using; NULL if there are more runs than memos. */
static __always_inline struct sum_memo *take_memo(__u32 slot)
{
	__u32 first = bpf_get_smp_processor_id();
	struct sum_memo *memo = try_memo(first);

	if (!memo) {
		struct memo_search search = {.first = first, .found = SUM_MEMOS_MAX};

		bpf_loop(SUM_MEMOS_MAX, search_memo, &search, 0);
		memo = bpf_map_lookup_elem(&sum_memos, &search.found);
		if (!memo)
			return NULL;
	}
	memo->slot = slot;
	memo->key = (struct pobpf_group_key){};
	memo->sum = (struct pobpf_group_sum){};
	memo->memcg = (struct memcg_memo){};
	memo->lost = 0;
	return memo;
}

SEC("pobpf/bpf_map_elem")
int count_pages(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct pobpf_window *window = ctx->value;
	struct sum_memo *memo;
	struct walk w;

	if (!window)
		return 0;
	if (begin(ctx, window, &w)) {
		memo = take_memo(w.slot);
		if (memo) {
			w.sum = memo;
			bpf_loop(POBPF_WINDOW_PAGES + 1, count_page, &w, 0);
			flush_sum(memo);
			w.at.account.emitted -= memo->lost;
			w.at.account.errors += memo->lost;
			memo->is_busy = 0;
		} else {
			w.at.account.errors = w.at.nr_pages;
		}
	}
	write_account(&w);
	return 0;
}
