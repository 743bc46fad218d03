// SPDX-License-Identifier: GPL-2.0-only
/* The walk of bpf/page_walk.bpf.h and nothing else: what all programs pay before they do anything. */
#include "../../../bpf/kernel_compat.bpf.h"

struct run_output {
};

#define RUNS_MAX 512

#include "../../../bpf/run.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* No filter; its mode is all that the walk asks of it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pobpf_params);
} readers SEC(".maps");

static __always_inline bool count_page(struct walk *w)
{
	struct window_walk *at = &w->run->at;
	struct owner_ref ref = {};

	if (at->next >= at->nr_pages)
		return false;
	if (walk_page(at, &ref))
		at->account.emitted++;
	return true;
}

DEFINE_LOOP(walk_all_pages, count_page, POBPF_WINDOW_PAGES, 4)

SEC("pobpf/bpf_map_elem")
int walk_only(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct pobpf_window *window = current_window(ctx);
	struct walk w;

	if (!window)
		return 0;
	w.run = begin_run();
	if (!w.run)
		return 0;
	w.seq = ctx->meta->seq;
	w.run->slot = 0;
	w.params = bpf_map_lookup_elem(&readers, &w.run->slot);
	if (walk_window(&w, window))
		walk_all_pages(&w);
	write_account(&w);
	end_run(w.run);
	return 0;
}
