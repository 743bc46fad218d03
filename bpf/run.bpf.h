/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A run of a program: one call by the kernel, for a window or, of a pin, for many. What it keeps
 * lies in a map. The verifier knows nothing of what a map holds, where it would follow each counter
 * on the stack through each page as a state of its own, and the stack is small on 6.1.
 *
 * Whoever includes this defines before what its programs make of pages, struct run_output, and how
 * many runs there are at a time, RUNS_MAX, a power of two: each thread that reads has one at most.
 */
#ifndef POBPF_RUN_BPF_H
#define POBPF_RUN_BPF_H

#include "filter.bpf.h"
#include "memcg.bpf.h"
#include "page_walk.bpf.h"

/* Plain data, as all that lies in maps. */
struct run {
	__u32 is_busy;
	__u32 slot; /* of the reader's parameters */
	struct window_walk at;
	struct filter_memo filter;
	struct memcg_memo memcg;
	struct process_memo process; /* of what is shown; filters have their own */
	struct run_output output;
};

/* User space makes fewer of them where it knows how many threads will read. */
const volatile __u32 runs_mask = RUNS_MAX - 1;

/* Not per CPU, as runs can be preempted in the middle of a window by others. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RUNS_MAX);
	__type(key, __u32);
	__type(value, struct run);
} runs SEC(".maps");

/* A run with what it is given; lives on its stack. */
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

LOOP_BODY(search_run, step, struct run_search, search)
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
	_Static_assert(RUNS_MAX <= LOOP_CALLS_MAX, "loop_a_while() would not reach all runs");
	loop_a_while(runs_mask + 1, search_run, &search);
	return bpf_map_lookup_elem(&runs, &search.found);
}

static __always_inline void end_run(struct run *run)
{
	/* not a plain store: whoever comes next must see what this run has written */
	__sync_lock_test_and_set(&run->is_busy, 0);
}

/* The window that an iterator is called for; NULL: none, behind the last window. */
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

/*
 * Tells if an allocation is in the reader's view. It looks w->run up each time: with addresses kept
 * over all pages of a step the stack would be too small for 6.1.
 */
static __always_inline bool is_in_view(struct walk *w, struct owner_ref *ref)
{
	return is_wanted(w->params, ref, &w->run->at, &w->run->filter);
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

/*
 * Defines name(w), which calls step(w) until it answers false. nr_steps is never less than that
 * takes. loop() takes a few steps a call, as the call costs more than most pages do.
 */
/* clang-format off */
#ifdef POBPF_MAY_GOTO
#define DEFINE_LOOP(name, step, nr_steps, steps_a_call)                                            \
	static __always_inline void name(struct walk *w)                                           \
	{                                                                                          \
		while (MAY_GO_ON && step(w))                                                       \
			;                                                                          \
	}
#else
#define DEFINE_LOOP(name, step, nr_steps, steps_a_call)                                            \
	LOOP_BODY(name##_call, index, struct walk, w)                                              \
	{                                                                                          \
		_Pragma("clang loop unroll(full)")                                                 \
		for (int i = 0; i < (steps_a_call); i++)                                           \
			if (!step(w))                                                              \
				return 1;                                                          \
		return 0;                                                                          \
	}                                                                                          \
	static __always_inline void name(struct walk *w)                                           \
	{                                                                                          \
		loop((nr_steps) / (steps_a_call) + 1, name##_call, w);                             \
	}
#endif
/* clang-format on */

/* Steps over a window: a torn page is looked at once more. */
#define WINDOW_STEPS (2 * POBPF_WINDOW_PAGES)

#endif /* POBPF_RUN_BPF_H */
