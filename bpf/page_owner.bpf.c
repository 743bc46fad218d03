// SPDX-License-Identifier: GPL-2.0-only
/*
 * The programs. Iterators run once per window of a link's window map and keep no
 * state between windows; what they need of the link is found through the window.
 * They only read kernel memory.
 */
#define POBPF_CGROUP_PATHS
#include "kernel_compat.bpf.h"

/* The sum of one group, kept here until another group comes. */
struct sum_memo {
	__u32 slot;
	__u32 reserved;
	struct pobpf_group_key next; /* group of the page that is looked at */
	struct pobpf_group_key key;
	struct pobpf_group_sum sum; /* no allocations: nothing to flush */
	__u64 lost;		    /* allocations for which there is no map */
};

enum { BATCH_PAGES = 32, BATCH_DETAILED_PAGES = 16 };

/* Records on their way to the stream: one copy into the seq_file for many of them. */
struct page_batch {
	__u32 nr_pages;
	__u32 reserved;
	union {
		struct pobpf_page pages[BATCH_PAGES];
		struct pobpf_detailed_page detailed_pages[BATCH_DETAILED_PAGES];
	};
};

struct run_output {
	union {
		struct sum_memo sum;	 /* count_pages */
		struct page_batch batch; /* emit_pages, emit_detailed_pages */
	};
};

/* 1.4 MB if a process does not say that it reads with fewer threads. */
#define RUNS_MAX 512

#include "page_record.bpf.h"
#include "run.bpf.h"
#include "stack_programs.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* Puts the type into the object's BTF, as nothing else here does; abi_test.cpp compares layouts. */
const struct pobpf_window *stream_window;

/*
 * Parameters of each link. Written by user space before the link is attached and
 * never while it is open; read by the iterators. 94 KiB.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, POBPF_MAX_READERS);
	__type(key, __u32);
	__type(value, struct pobpf_params);
} readers SEC(".maps");

/* Facts of this machine: how pages tell what they are used for. */
const volatile struct pobpf_kind_facts kind_facts = {};

/*
 * Sums of each reader. Written by count_pages, made and read by user space, which
 * puts the key `other_groups` into each: the sum of what finds no room.
 */
struct group_sums {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(key_size, sizeof(struct pobpf_group_key));
	__uint(value_size, sizeof(struct pobpf_group_sum));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, POBPF_MAX_READERS);
	__type(key, __u32);
	__array(values, struct group_sums);
} reader_sums SEC(".maps");

/* The call after the last window has none; the pointer must be tested where it is read. */
static __always_inline bool begin(struct bpf_iter__bpf_map_elem *ctx,
				  const struct pobpf_window *window, struct walk *w)
{
	w->seq = ctx->meta->seq;
	w->run->slot = window->slot;
	w->run->memcg = (struct memcg_memo){};
	w->run->process = (struct process_memo){};
	w->params = bpf_map_lookup_elem(&readers, &w->run->slot);
	init_filter(w->params, w->run->slot, &w->run->filter);
	return walk_window(w, window);
}

/*
 * What struct page says of the use of an allocation; false if that is so little that
 * only its stack can tell.
 */
static __always_inline bool read_kind(const struct owner_ref *ref, __u64 *kind_flags,
				      __u32 *page_type, __u8 *mapping)
{
	struct page *page = KERNEL_PTR(struct page, ref->page);
	__u64 flags = ref->flags;
	__u64 word;
	__u32 type;

	/*
	 * Early boot is recorded page by page, tails of compound pages too: those keep
	 * other things where their head has type and mapping.
	 */
	if (page_is_tail(page)) {
		page = KERNEL_PTR(struct page, head_of_tail(ref->page, compound_word(ref->page)));
		flags = page_flags_word(page);
	}
	*kind_flags = flags & kind_facts.flags;
	type = KERNEL_READ(page, page_type);
	/* page_has_type(); else the word is a count of mappings */
	if ((__s32)type < PAGE_MAPCOUNT_RESERVE &&
	    (type & kind_facts.type_base) == kind_facts.type_base) {
		*page_type = type & kind_facts.type_mask;
		return true;
	}
	word = page_mapping_word(page);
	*mapping = word & PAGE_MAPPING_FLAGS;
	if (word && !*mapping)
		*mapping = POBPF_MAPPING_FILE;
	return *mapping && ref->order < kind_facts.stack_order_min;
}

static __always_inline void read_detail(const struct owner_ref *ref, struct process_memo *process,
					struct pobpf_page_detail *detail)
{
	struct page_owner *owner =
		KERNEL_PTR(struct page_owner, ref->page_ext + layout.page_owner_offset);
	struct page_owner___freed *freed;

	*detail = (struct pobpf_page_detail){};
	read_kind(ref, &detail->kind_flags, &detail->page_type, &detail->mapping);
	if (records_tgid())
		detail->process_state =
			process_state(process, read_owner_tgid(owner), ref->ts_nsec);
	freed = (void *)KERNEL_PTR(struct page_owner, ref->page_ext + layout.page_owner_offset);
	detail->free_handle = KERNEL_READ(freed, free_handle);
	if (!records_free_pid())
		return;
	detail->has_free_pid = 1;
	detail->free_pid = KERNEL_READ(freed, free_pid);
	detail->free_tgid = KERNEL_READ(freed, free_tgid);
}

static __always_inline void flush_batch(struct walk *w, bool is_detailed)
{
	struct page_batch *batch = &w->run->output.batch;
	__u32 nr = batch->nr_pages;

	batch->nr_pages = 0;
	/* keeps the compiler from testing a copy, whose bound the verifier does not carry over */
	barrier_var(nr);
	if (is_detailed && nr <= BATCH_DETAILED_PAGES)
		bpf_seq_write(w->seq, batch->detailed_pages,
			      nr * sizeof(struct pobpf_detailed_page));
	else if (!is_detailed && nr <= BATCH_PAGES)
		bpf_seq_write(w->seq, batch->pages, nr * sizeof(struct pobpf_page));
}

static __always_inline bool emit_page(struct walk *w, bool is_detailed)
{
	struct page_batch *batch = &w->run->output.batch;
	struct memcg_memo *memcg = &w->run->memcg;
	struct window_walk *at = &w->run->at;
	struct pobpf_detailed_page *detailed;
	struct owner_ref ref = {};
	struct pobpf_page *rec;
	int result;

	if (at->next >= at->nr_pages)
		return false;
	if (!walk_page(at, &ref))
		return true;
	if (!is_in_view(w, &ref))
		return true;
	detailed = &batch->detailed_pages[batch->nr_pages & (BATCH_DETAILED_PAGES - 1)];
	rec = is_detailed ? &detailed->page : &batch->pages[batch->nr_pages & (BATCH_PAGES - 1)];
	/* before the record: that finds out if this became another allocation meanwhile */
	if (is_detailed)
		read_detail(&ref, &w->run->process, &detailed->detail);
	result = fill_record(&ref, memcg, rec);
	if (result == RECORD_TORN ||
	    !is_as_filtered(w->params, &ref, &w->run->filter, memcg, rec)) {
		look_again(at, &ref);
		return true;
	}
	if (result == RECORD_WITHOUT_CGROUP)
		at->account.cgroup_errors++;
	at->account.emitted++;
	rec->pageblock_migratetype = at->place.pageblock_migratetype;
	if (is_detailed)
		rec->kind = POBPF_ITEM_DETAILED_PAGE;
	if (++batch->nr_pages >= (is_detailed ? BATCH_DETAILED_PAGES : BATCH_PAGES))
		flush_batch(w, is_detailed);
	return true;
}

static __always_inline bool emit_plain_page(struct walk *w)
{
	return emit_page(w, false);
}

static __always_inline bool emit_detailed_page(struct walk *w)
{
	return emit_page(w, true);
}

DEFINE_LOOP(emit_all_pages, emit_plain_page, WINDOW_STEPS, 2)
DEFINE_LOOP(emit_all_detailed_pages, emit_detailed_page, WINDOW_STEPS, 1)

static __always_inline int emit_window(struct bpf_iter__bpf_map_elem *ctx, bool is_detailed)
{
	const struct pobpf_window *window = current_window(ctx);
	struct walk w;

	if (!window)
		return 0;
	w.run = begin_run();
	/* a window without an account is an error to user space */
	if (!w.run)
		return 0;
	if (begin(ctx, window, &w)) {
		w.run->output.batch.nr_pages = 0;
		if (is_detailed)
			emit_all_detailed_pages(&w);
		else
			emit_all_pages(&w);
		flush_batch(&w, is_detailed);
	}
	write_account(&w);
	end_run(w.run);
	return 0;
}

SEC("pobpf/bpf_map_elem")
int emit_pages(struct bpf_iter__bpf_map_elem *ctx)
{
	return emit_window(ctx, false);
}

/* For recordings. */
SEC("pobpf/bpf_map_elem")
int emit_detailed_pages(struct bpf_iter__bpf_map_elem *ctx)
{
	return emit_window(ctx, true);
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
	bpf_map_update_elem(sums, key, &empty_sum, BPF_NOEXIST);
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
		if (memo->sum.time.high || memo->sum.time.low) {
			__sync_fetch_and_add(&sum->time.high, memo->sum.time.high);
			__sync_fetch_and_add(&sum->time.low, memo->sum.time.low);
		}
	} else {
		memo->lost += memo->sum.allocations;
	}
	memo->sum = (struct pobpf_group_sum){};
	return 0;
}

/* Sets all fields that the reader groups by; returns 1 if the cgroup or its name is not known. */
static __always_inline int set_group(struct pobpf_group_key *key, const struct owner_ref *ref,
				     __u32 by, struct memcg_memo *memcg,
				     struct process_memo *process)
{
	struct page_owner *owner;
	int memcg_state;

	owner = KERNEL_PTR(struct page_owner, ref->page_ext + layout.page_owner_offset);
	if (by & POBPF_GROUP_KIND &&
	    !read_kind(ref, &key->page_flags, &key->page_type, &key->mapping))
		key->handle = ref->handle;
	if (by & POBPF_GROUP_HANDLE)
		key->handle = ref->handle;
	if (by & POBPF_GROUP_TGID) {
		key->tgid = read_owner_tgid(owner);
		key->process_state = process_state(process, key->tgid, ref->ts_nsec);
	}
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
	if (by & POBPF_GROUP_FREED)
		key->was_freed = KERNEL_READ(owner, free_ts_nsec) != 0;
	if (by & POBPF_GROUP_MIGRATE_REASON)
		key->last_migrate_reason = KERNEL_READ(owner, last_migrate_reason);
	if (!(by & POBPF_GROUP_MEMCG))
		return 0;
	memcg_state = find_memcg(KERNEL_PTR(struct page, ref->page), memcg);
	if (memcg_state == MEMCG_KNOWN || memcg_state == MEMCG_UNNAMED) {
		key->cgroup_id = memcg->cgroup_id;
		key->memcg_flags = memcg->flags & POBPF_MEMCG_OFFLINE;
	}
	if (memcg_state == MEMCG_UNKNOWN)
		key->memcg_flags = POBPF_MEMCG_UNKNOWN;
	return memcg_state == MEMCG_UNKNOWN || memcg_state == MEMCG_UNNAMED;
}

/* Answers of select_group(). */
enum { GROUP_TORN = 1, GROUP_WITHOUT_CGROUP = 2 };

/* Makes memo->key the group of an allocation. */
__noinline int select_group(const struct pobpf_params *params, struct owner_ref *ref,
			    struct sum_memo *memo, struct memcg_memo *memcg,
			    struct process_memo *process)
{
	__u64 *next, *key;
	__u64 changed = 0;
	int result;

	if (!params || !ref || !memo || !memcg || !process)
		return 0;
	memo->next = (struct pobpf_group_key){};
	result = 0;
	if (set_group(&memo->next, ref, params->group_by, memcg, process))
		result = GROUP_WITHOUT_CGROUP;
	if (owner_has_changed(ref))
		return GROUP_TORN;
	next = (__u64 *)&memo->next;
	key = (__u64 *)&memo->key;
	for (unsigned int i = 0; i < sizeof(memo->key) / sizeof(*key); i++)
		changed |= next[i] ^ key[i];
	if (changed) {
		flush_sum(memo);
		memo->key = memo->next;
	}
	if (params->group_by & POBPF_GROUP_TIME) {
		memo->sum.time.high += ref->ts_nsec >> POBPF_TIME_LOW_BITS;
		memo->sum.time.low += ref->ts_nsec & ((1ULL << POBPF_TIME_LOW_BITS) - 1);
	}
	return result;
}

static __always_inline bool count_page(struct walk *w)
{
	const struct pobpf_params *params = w->params;
	struct window_walk *at = &w->run->at;
	struct sum_memo *memo = &w->run->output.sum;
	struct owner_ref ref = {};
	int result;

	if (at->next >= at->nr_pages)
		return false;
	if (!walk_page(at, &ref))
		return true;
	if (params->active || params->group_by != POBPF_GROUP_HANDLE) {
		if (!is_in_view(w, &ref))
			return true;
	}
	if (params->group_by == POBPF_GROUP_HANDLE) {
		/*
		 * What is asked most: no key has to be made, and without filters nothing is
		 * read of a page that walk_page() has not read.
		 */
		if (params->active ? owner_has_changed(&ref) : allocation_has_changed(&ref)) {
			look_again(at, &ref);
			return true;
		}
		if (ref.handle != memo->key.handle) {
			flush_sum(memo);
			memo->key.handle = ref.handle;
		}
	} else {
		result = select_group(params, &ref, memo, &w->run->memcg, &w->run->process);
		if (result == GROUP_TORN) {
			look_again(at, &ref);
			return true;
		}
		if (result == GROUP_WITHOUT_CGROUP)
			at->account.cgroup_errors++;
	}
	memo->sum.pages += 1ULL << (ref.order & 31);
	memo->sum.allocations++;
	at->account.emitted++;
	return true;
}

DEFINE_LOOP(count_all_pages, count_page, WINDOW_STEPS, 4)

SEC("pobpf/bpf_map_elem")
int count_pages(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct pobpf_window *window = current_window(ctx);
	struct sum_memo *memo;
	struct walk w;

	if (!window)
		return 0;
	w.run = begin_run();
	if (!w.run)
		return 0;
	if (begin(ctx, window, &w)) {
		memo = &w.run->output.sum;
		memo->slot = w.run->slot;
		memo->key = (struct pobpf_group_key){};
		memo->sum = (struct pobpf_group_sum){};
		memo->lost = 0;
		count_all_pages(&w);
		flush_sum(memo);
		w.run->at.account.emitted -= memo->lost;
		w.run->at.account.errors += memo->lost;
	}
	write_account(&w);
	end_run(w.run);
	return 0;
}
