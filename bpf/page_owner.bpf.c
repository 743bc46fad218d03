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

/*
 * Sums by link and stack. Written by count_pages, read and emptied by user space;
 * a full map is counted under errors. User space sets the size; 24 bytes and the
 * element's overhead each, allocated as they come.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 16);
	__uint(map_flags, 1 /* BPF_F_NO_PREALLOC */);
	__type(key, struct pobpf_sum_key);
	__type(value, struct pobpf_sum);
} sums SEC(".maps");

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

static long emit_page(__u32 step, struct walk *w)
{
	struct page_batch *batch = w->batch;
	struct owner_ref ref = {};
	struct pobpf_page *rec;
	int result;

	if (w->at.next >= w->at.nr_pages)
		return 1;
	if (!walk_page(&w->at, &ref) || !is_wanted(w, &ref))
		return 0;
	rec = batch ? &batch->pages[w->nr_batched & (BATCH_PAGES - 1)] : &w->own;
	result = fill_record(&ref, &w->memcg, rec);
	if (result == RECORD_TORN) {
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

SEC("iter/bpf_map_elem")
int emit_pages(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct pobpf_window *window = ctx->value;
	struct page_batch *batch;
	struct walk w;

	if (!window)
		return 0;
	if (begin(ctx, window, &w)) {
		w.memcg = (struct memcg_memo){};
		w.nr_batched = unknown_zero;
		batch = bpf_map_lookup_elem(&batches, (const void *)&unknown_zero);
		/* iterators are preemptible: another run on this CPU may be using it */
		if (batch && __sync_val_compare_and_swap(&batch->is_busy, 0, 1))
			batch = NULL;
		w.batch = batch;
		bpf_loop(2 * POBPF_WINDOW_PAGES + 1, emit_page, &w, 0);
		if (batch) {
			flush_batch(&w, batch);
			batch->is_busy = 0;
		}
	}
	write_account(&w);
	return 0;
}

/* Adds what was summed up for one stack to the map; what does not fit is counted as lost. */
__noinline int flush_sum(struct sum_memo *memo)
{
	struct pobpf_sum_key key;
	struct pobpf_sum first;
	struct pobpf_sum *sum;

	if (!memo || !memo->handle)
		return 0;
	key.slot = memo->slot;
	key.handle = memo->handle;
	sum = bpf_map_lookup_elem(&sums, &key);
	if (!sum) {
		first.pages = 0;
		first.allocations = 0;
		/* another reader of the same link may have been first: then this fails, which is
		 * fine */
		bpf_map_update_elem(&sums, &key, &first, 1 /* BPF_NOEXIST */);
		sum = bpf_map_lookup_elem(&sums, &key);
		if (!sum) {
			memo->lost += memo->allocations;
			return 0;
		}
	}
	__sync_fetch_and_add(&sum->pages, memo->pages);
	__sync_fetch_and_add(&sum->allocations, memo->allocations);
	return 0;
}

static long count_page(__u32 step, struct walk *w)
{
	struct owner_ref ref = {};

	if (w->at.next >= w->at.nr_pages)
		return 1;
	if (!walk_page(&w->at, &ref) || !is_wanted(w, &ref))
		return 0;
	if (ref.handle != w->sum.handle) {
		flush_sum(&w->sum);
		w->sum.handle = ref.handle;
		w->sum.pages = 0;
		w->sum.allocations = 0;
	}
	w->sum.pages += 1U << (ref.order & 31);
	w->sum.allocations++;
	w->at.account.emitted++;
	return 0;
}

SEC("iter/bpf_map_elem")
int count_pages(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct pobpf_window *window = ctx->value;
	struct walk w;

	if (!window)
		return 0;
	if (begin(ctx, window, &w)) {
		w.sum = (struct sum_memo){.slot = w.slot};
		bpf_loop(POBPF_WINDOW_PAGES + 1, count_page, &w, 0);
		flush_sum(&w.sum);
		w.at.account.emitted -= w.sum.lost;
		w.at.account.errors += w.sum.lost;
	}
	write_account(&w);
	return 0;
}
