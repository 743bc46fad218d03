/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fate of the process that allocated. A number alone does not tell it: when a process has gone,
 * another one gets its number.
 */
#ifndef POBPF_PROCESS_BPF_H
#define POBPF_PROCESS_BPF_H

#include "kernel_compat.bpf.h"

/* local_clock() of this CPU, as of its last tick or schedule(): rq->clock. */
static __always_inline __u64 local_clock_now(void)
{
	__u64 base = read_kernel_u64(layout.per_cpu_offsets +
				     bpf_get_smp_processor_id() * sizeof(__u64));

	return read_kernel_u64(base + layout.rq_clock);
}

/* PID_MAX_LIMIT has 22 bits; a node takes 6 of them (XA_CHUNK_SHIFT), or 4. */
#define PID_XARRAY_LEVELS 6

/* idr_find() in a radix tree of struct xa_node: the entry of an index, or 0. */
static __always_inline __u64 find_in_xarray(__u64 head, __u64 index)
{
	const __u64 nr_slots = bpf_core_field_size(struct xa_node___any, slots) / sizeof(__u64);
	const __u64 slots = bpf_core_field_offset(struct xa_node___any, slots);
	__u64 entry = head, limit = 0;

#pragma clang loop unroll(disable)
	for (int level = 0; level < PID_XARRAY_LEVELS; level++) {
		const struct xa_node___any *node = (const void *)(entry - XA_INTERNAL);
		__u8 shift = 0;

		if (!xa_is_node(entry))
			break;
		bpf_core_read(&shift, sizeof(shift), &node->shift);
		shift &= 31;
		limit = nr_slots << shift;
		if (!level && index >= limit)
			return 0;
		entry = read_kernel_u64((__u64)node + slots +
					(index >> shift & (nr_slots - 1)) * sizeof(__u64));
	}
	return entry & XA_TAG_MASK ? 0 : entry;
}

/* pid_task(find_pid_ns()) of a thread group in the initial PID namespace: its leader, or 0. */
static __always_inline __u64 find_leader(__u32 tgid)
{
	const struct pid_namespace___idr *ns = (const void *)layout.init_pid_ns;
	__u64 head = 0, pid, link;

	bpf_core_read(&head, sizeof(head), &ns->idr.idr_rt.xa_head);
	pid = find_in_xarray(head, tgid);
	if (!pid)
		return 0;
	link = read_kernel_u64(pid + bpf_core_field_offset(struct pid___tasks, tasks) +
			       layout.pidtype_tgid * sizeof(struct hlist_head___any));
	if (!link)
		return 0;
	return link - bpf_core_field_offset(struct task_struct___start, pid_links) -
	       layout.pidtype_tgid * sizeof(struct hlist_node___any);
}

/*
 * For what earliest_start() cannot know: rq->clock may be a tick old, or a second on a nohz_full
 * CPU, and clocks begin some milliseconds apart at boot.
 */
#define START_MARGIN_NS 1000000000LL

/*
 * The local_clock() at which a task began, or an earlier one. The kernel notes when a task began by
 * CLOCK_MONOTONIC and CLOCK_BOOTTIME, which differ by the time that the machine was suspended;
 * whether local_clock() goes on then depends on the machine. So the one counts that is nearer to
 * local_clock() now. What they are apart they came to be since boot, as NTP slews one of them: when
 * the task began, it was something between nothing and that.
 */
static __always_inline __u64 earliest_start(__u64 task)
{
	const struct task_struct___start *start = (const void *)task;
	__s64 now = local_clock_now();
	__s64 monotonic_ahead = now - (__s64)bpf_ktime_get_ns();
	__s64 boottime_ahead = now - (__s64)bpf_ktime_get_boot_ns();
	__s64 ahead = monotonic_ahead;
	__s64 began = KERNEL_WORD(start, start_time);

	if ((boottime_ahead < 0 ? -boottime_ahead : boottime_ahead) <
	    (monotonic_ahead < 0 ? -monotonic_ahead : monotonic_ahead)) {
		ahead = boottime_ahead;
		began = KERNEL_WORD(start, start_boottime);
	}
	began -= START_MARGIN_NS;
	if (ahead < 0)
		began += ahead;
	return began < 0 ? 0 : began;
}

/* The last thread group that was looked up: neighbours mostly share it. Zeroed, it is swapper's. */
struct process_memo {
	__u64 since; /* earliest_start(); NO_PROCESS: there is none of this number */
	__u32 tgid;
	__u32 reserved;
};

#define NO_PROCESS (~0ULL)

/* Global, as it is verified once. */
__noinline int look_up_process(struct process_memo *memo)
{
	__u64 leader;

	if (!memo)
		return 0;
	/* swapper, and whoever allocated before there were processes */
	memo->since = 0;
	if (!memo->tgid)
		return 0;
	leader = find_leader(memo->tgid);
	memo->since = leader ? earliest_start(leader) : NO_PROCESS;
	return 0;
}

/* enum pobpf_process_state of who allocated then. */
static __always_inline __u32 process_state(struct process_memo *memo, __u32 tgid, __u64 ts_nsec)
{
	if (!layout.init_pid_ns || !layout.rq_clock || !layout.per_cpu_offsets)
		return POBPF_PROCESS_UNKNOWN;
	if (tgid != memo->tgid) {
		memo->tgid = tgid;
		look_up_process(memo);
	}
	if (memo->since == NO_PROCESS)
		return POBPF_PROCESS_DEAD;
	return ts_nsec < memo->since ? POBPF_PROCESS_REUSED : POBPF_PROCESS_LIVING;
}

#endif /* POBPF_PROCESS_BPF_H */
