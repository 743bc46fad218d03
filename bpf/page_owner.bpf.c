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

/* BLOCKER_SLOTS is a power of two, and each slot has a byte. */
enum { BLOCKERS_MAX = 32, BLOCKER_SLOT_BITS = 6, BLOCKER_SLOTS = 1 << BLOCKER_SLOT_BITS };

/* The pages of a window that stand in the way, summed up by owner and kind. */
struct blocker_sums {
	struct pobpf_window_state state;
	struct pobpf_blocker next; /* the page that is looked at */
	__u32 self;		   /* tgid of the process that reads */
	__u16 nr_blockers;
	__u16 current; /* index of the blocker that further pages belong to; NO_BLOCKER: movable */
	union {
		__u8 slots[BLOCKER_SLOTS]; /* by hash: one more than an index; 0: none */
		__u64 slot_words[BLOCKER_SLOTS / 8];
	};
	struct pobpf_blocker blockers[BLOCKERS_MAX];
};

struct run_output {
	union {
		struct sum_memo sum;	      /* count_pages */
		struct page_batch batch;      /* emit_pages, emit_detailed_pages */
		struct blocker_sums blockers; /* emit_blockers */
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

#include "blockers.bpf.h"

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
	if (is_page_type(type)) {
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

enum { NO_BLOCKER = 0xffff };

/* The kinds of pages that walk_page() passes over, by what it counts. */
struct pages_passed {
	__u16 free;
	__u16 freed;
	__u16 unowned;
	__u16 tail;
};

static __always_inline struct pages_passed pages_passed(const struct window_walk *at)
{
	return (struct pages_passed){
		.free = at->account.free,
		.freed = at->account.freed,
		.unowned = at->account.unowned + at->account.no_handle,
		.tail = at->account.tail,
	};
}

/*
 * Adds the page in sums->next to what its owner has in the window. Returns 1 if there is no room:
 * then write_blockers() makes some.
 */
__noinline int add_blocker(struct blocker_sums *sums)
{
	struct pobpf_blocker *known;
	__u64 changed = 0;
	__u64 hash;
	__u64 *next, *key;
	__u32 slot, index;

	if (!sums)
		return 0;
	next = (__u64 *)&sums->next.key;
	hash = sums->next.blocker + (sums->next.holder << 8);
	for (unsigned int i = 0; i < sizeof(sums->next.key) / sizeof(*next); i++)
		hash = (hash ^ next[i]) * 0x9e3779b97f4a7c15ULL;
	slot = hash >> (64 - BLOCKER_SLOT_BITS) & (BLOCKER_SLOTS - 1);
	index = sums->slots[slot];
	if (index) {
		index = (index - 1) & (BLOCKERS_MAX - 1);
		known = &sums->blockers[index];
		key = (__u64 *)&known->key;
		for (unsigned int i = 0; i < sizeof(known->key) / sizeof(*key); i++)
			changed |= next[i] ^ key[i];
		changed |= known->blocker ^ sums->next.blocker;
		changed |= known->holder ^ sums->next.holder;
		if (!changed) {
			known->nr_pages++;
			sums->current = index;
			return 0;
		}
	}
	index = sums->nr_blockers;
	if (index >= BLOCKERS_MAX)
		return 1;
	sums->blockers[index] = sums->next;
	sums->blockers[index].nr_pages = 1;
	sums->current = index;
	sums->nr_blockers = index + 1;
	/* another one that has the slot stays, but is not found again */
	sums->slots[slot] = index + 1;
	return 0;
}

static __always_inline void write_blockers(struct walk *w)
{
	struct blocker_sums *sums = &w->run->output.blockers;
	__u32 nr = sums->nr_blockers;

	sums->nr_blockers = 0;
	for (unsigned int i = 0; i < BLOCKER_SLOTS / 8; i++)
		sums->slot_words[i] = 0;
	/* as in flush_batch(); two bounds would become one test, of a number that is not used */
	barrier_var(nr);
	if (nr <= BLOCKERS_MAX)
		bpf_seq_write(w->seq, sums->blockers, nr * sizeof(struct pobpf_blocker));
}

/* Counts one page of a kind; those of its allocation that follow go the same way. */
static __always_inline void count_blocker(struct walk *w, const struct owner_ref *ref, int kind)
{
	struct blocker_sums *sums = &w->run->output.blockers;

	sums->current = NO_BLOCKER;
	if (kind == PAGE_IS_POISONED)
		return;
	if (kind == POBPF_MOVABLE) {
		sums->state.nr_movable++;
		return;
	}
	if (kind == POBPF_BLOCKER_UNMOVABLE && sums->state.migratetype == MIGRATE_MOVABLE)
		kind = POBPF_BLOCKER_MIXED;
	sums->state.nr_blocking++;
	sums->next.kind = POBPF_ITEM_BLOCKER;
	sums->next.blocker = kind;
	sums->next.pfn = ref->pfn;
	if (add_blocker(sums)) {
		write_blockers(w);
		add_blocker(sums);
	}
}

/* Makes sums->next that of the owner of an allocation; returns 1 as set_group() does. */
__noinline int set_holder(struct blocker_sums *sums, struct owner_ref *ref, __u32 group_by,
			  struct memcg_memo *memcg, struct process_memo *process)
{
	struct page_owner *owner;

	if (!sums || !ref || !memcg || !process)
		return 0;
	owner = KERNEL_PTR(struct page_owner, ref->page_ext + layout.page_owner_offset);
	sums->next.key = (struct pobpf_group_key){};
	sums->next.holder = POBPF_HOLDER_SELF;
	if (records_tgid() && read_owner_tgid(owner) == sums->self)
		return 0;
	sums->next.holder = POBPF_HOLDER_OWNER;
	read_page_flags(ref);
	return set_group(&sums->next.key, ref, group_by, memcg, process);
}

/*
 * An allocation whose first page is ref->page, from the page ref->pfn on. False if it has changed
 * meanwhile.
 */
static __always_inline bool look_at_allocation(struct walk *w, struct owner_ref *ref)
{
	struct window_walk *at = &w->run->at;
	int kind = blocker_kind(ref);
	int is_cgroup_unknown = 0;

	/* the kernel passes over it, but then finds that it is not free */
	if (kind == PAGE_IS_UNREFERENCED)
		kind = POBPF_BLOCKER_UNMOVABLE;
	if (kind > POBPF_MOVABLE)
		is_cgroup_unknown = set_holder(&w->run->output.blockers, ref, w->params->group_by,
					       &w->run->memcg, &w->run->process);
	if (owner_has_changed(ref))
		return false;
	at->account.cgroup_errors += is_cgroup_unknown;
	count_blocker(w, ref, kind);
	return true;
}

static __always_inline void look_at_unowned_page(struct walk *w, struct owner_ref *ref)
{
	struct blocker_sums *sums = &w->run->output.blockers;
	int kind;

	ref->order = 0;
	kind = blocker_kind(ref);
	if (kind == PAGE_IS_UNREFERENCED) {
		sums->state.nr_free++;
		return;
	}
	if (kind == POBPF_BLOCKER_UNMOVABLE)
		kind = POBPF_BLOCKER_UNOWNED;
	sums->next.key = (struct pobpf_group_key){};
	sums->next.holder = POBPF_HOLDER_NOBODY;
	count_blocker(w, ref, kind);
}

/* A further page of an allocation, which in front of the first one began before the window. */
static __always_inline void look_at_tail(struct walk *w, struct owner_ref *ref)
{
	struct blocker_sums *sums = &w->run->output.blockers;
	__u32 current = sums->current;
	__u64 inside;

	if (ref->pfn == w->run->at.place.pfn) {
		/* page_owner records the same of each page */
		struct page_owner *owner =
			KERNEL_PTR(struct page_owner, ref->page_ext + layout.page_owner_offset);

		ref->handle = KERNEL_READ(owner, handle);
		inside = ref->pfn & ((1ULL << (ref->order & 31)) - 1);
		ref->page -= inside * bpf_core_type_size(struct page);
		if (!look_at_allocation(w, ref)) {
			w->run->at.account.tail--;
			look_again(&w->run->at, ref);
		}
		return;
	}
	if (current < BLOCKERS_MAX) {
		sums->blockers[current].nr_pages++;
		sums->state.nr_blocking++;
	} else {
		sums->state.nr_movable++;
	}
}

static __always_inline void look_at_free_block(struct walk *w, const struct owner_ref *ref,
					       __u32 nr_free)
{
	struct blocker_sums *sums = &w->run->output.blockers;
	int order = buddy_order(ref->page);

	sums->state.nr_free += nr_free;
	if (order + 1 > sums->state.free_orders)
		sums->state.free_orders = order + 1;
}

static __always_inline bool look_for_blocker(struct walk *w)
{
	struct window_walk *at = &w->run->at;
	struct owner_ref ref = {};
	struct pages_passed before, after;

	if (at->next >= at->nr_pages)
		return false;
	before = pages_passed(at);
	if (walk_page(at, &ref)) {
		if (look_at_allocation(w, &ref))
			at->account.emitted++;
		else
			look_again(at, &ref);
		return true;
	}
	after = pages_passed(at);
	if (after.free != before.free)
		look_at_free_block(w, &ref, after.free - before.free);
	else if (after.freed != before.freed)
		w->run->output.blockers.state.nr_free++;
	else if (after.unowned != before.unowned)
		look_at_unowned_page(w, &ref);
	else if (after.tail != before.tail)
		look_at_tail(w, &ref);
	return true;
}

DEFINE_LOOP(look_for_all_blockers, look_for_blocker, WINDOW_STEPS, 1)

/* Whether the window is on a wanted node and in a wanted zone; else its pages are counted so. */
static __always_inline bool is_window_wanted(struct walk *w)
{
	struct window_walk *at = &w->run->at;
	struct pobpf_window_state *state = &w->run->output.blockers.state;
	__u64 flags = page_flags_word(KERNEL_PTR(struct page, at->place.page));

	state->nid = flags >> layout.node_shift & layout.node_mask;
	state->zone = flags >> layout.zone_shift & layout.zone_mask;
	if (w->params->active & (1U << POBPF_FILTER_NID) && !nid_is_wanted(w->params, flags)) {
		at->account.filtered[POBPF_FILTER_NID] = at->nr_pages;
		at->place.whole = WINDOW_MIXED;
		return false;
	}
	if (w->params->active & (1U << POBPF_FILTER_ZONE) &&
	    !(w->params->zone_mask >> (state->zone & 31) & 1)) {
		at->account.filtered[POBPF_FILTER_ZONE] = at->nr_pages;
		at->place.whole = WINDOW_MIXED;
		return false;
	}
	return true;
}

SEC("pobpf/bpf_map_elem")
int emit_blockers(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct pobpf_window *window = current_window(ctx);
	struct blocker_sums *sums;
	bool is_wanted = true;
	struct walk w;

	if (!window)
		return 0;
	w.run = begin_run();
	if (!w.run)
		return 0;
	sums = &w.run->output.blockers;
	sums->state = (struct pobpf_window_state){
		.kind = POBPF_ITEM_WINDOW_STATE,
		.nr_pages = window->last + 1,
		.pfn = window->pfn,
	};
	sums->next = (struct pobpf_blocker){};
	if (begin(ctx, window, &w)) {
		is_wanted = is_window_wanted(&w);
		if (is_wanted) {
			sums->state.migratetype = w.run->at.place.pageblock_migratetype;
			sums->self = bpf_get_current_pid_tgid() >> 32;
			sums->nr_blockers = 0;
			sums->current = NO_BLOCKER;
			write_blockers(&w);
			look_for_all_blockers(&w);
			write_blockers(&w);
		}
	} else if (w.params && w.run->at.place.whole == WINDOW_FREE) {
		is_wanted = is_window_wanted(&w);
		sums->state.nr_free = w.run->at.nr_pages;
	}
	if (is_wanted)
		bpf_seq_write(w.seq, &sums->state, sizeof(sums->state));
	write_account(&w);
	end_run(w.run);
	return 0;
}
