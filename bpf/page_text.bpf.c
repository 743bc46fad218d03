// SPDX-License-Identifier: GPL-2.0-only
/*
 * The program behind a pin: what `cat` reads is what it prints, byte for byte what
 * src/format/kernel_text.cpp makes of the records of emit_pages.
 *
 * The kernel calls it once per element of the tickets map. An element is not a window:
 * a call goes on where the last one of the same open file stopped, prints until the
 * buffer may not take another record, and leaves its position in the sessions map.
 * docs/pins.md says why.
 */
#include "kernel_compat.bpf.h"
#include "pobpf/pin_abi.h"

/* A place in the memory of a pin's view. */
struct view_place {
	__u64 pfn;
	__u32 range; /* element of the ranges map that pfn is in or before */
	__u32 reserved;
};

/* One call of print_pages, which goes through many windows. */
struct run_output {
	struct view_place next; /* where the next window begins */
	__u32 nr_scanned;	/* pages of the windows so far */
	__u32 is_at_end;	/* no window is left */
	struct pobpf_page page;
	__u64 zero; /* ends a task name that has no NUL */
};

/* 80 KB for the readers of a pin. */
#define RUNS_MAX 256

#include "page_record.bpf.h"
#include "run.bpf.h"
#include "stack_depot.bpf.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct pobpf_text_facts text = {};
/* elements of the tickets map */
const volatile __u32 nr_tickets = 0;

/* Describes this pin; written by user space once, for `pobpf pins`. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pobpf_pin);
} pobpf_pin SEC(".maps");

/* Parameters of the view, in element 0: a pin is the only reader of its object. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pobpf_params);
} readers SEC(".maps");

/* The memory of the view. Size and content by user space, before the pin is made. 16 bytes each. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pobpf_pfn_range);
} ranges SEC(".maps");

/* Its elements count the iterator's calls; the values mean nothing. 8 bytes each, 8 MB at most. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} tickets SEC(".maps");

/*
 * Positions of the open files of this pin. Each is written by its own file only,
 * whose reads the kernel serializes. A file that is read to its end takes its
 * element away; that of one that was closed before is recycled. Sized by user space.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct pobpf_position);
} sessions SEC(".maps");

/*
 * Open files that have come to the end of their view, by their number's low bits:
 * number << POBPF_TICKET_BITS | ticket. Whoever finds another's looks once more and
 * sees that nothing is left.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, POBPF_ENDS);
	__type(key, __u32);
	__type(value, __u64);
} ends SEC(".maps");

/* Pages of one step of loop(), which costs a fifth of what the page does. */
enum { PAGES_A_STEP = 4 };

/* Goes to the next window; false if this call ends. */
static __always_inline bool next_window(struct walk *w)
{
	__u32 order = layout.pageblock_order < POBPF_WINDOW_ORDER ? layout.pageblock_order
								  : POBPF_WINDOW_ORDER;
	struct run_output *print = &w->run->output;
	struct window_walk *at = &w->run->at;
	__u32 index = print->next.range;
	struct pobpf_pfn_range *range;
	struct pobpf_window window = {};
	__u64 pfn, end;

	if (print->nr_scanned >= POBPF_TICKET_PAGES)
		return false;
	range = bpf_map_lookup_elem(&ranges, &index);
	if (!range) {
		print->is_at_end = 1;
		return false;
	}
	pfn = print->next.pfn > range->begin ? print->next.pfn : range->begin;
	if (pfn >= range->end) {
		print->next.range++;
		/* many small ranges must not cost more than pages */
		print->nr_scanned++;
		return true;
	}
	end = ((pfn >> order) + 1) << order;
	if (end > range->end)
		end = range->end;
	print->next.pfn = end;
	print->nr_scanned += end - pfn;
	window.pfn = pfn;
	window.last = end - pfn - 1;
	if (!walk_window(w, &window))
		at->next = at->nr_pages;
	return true;
}

enum name_table { GFP_NAMES, PAGE_FLAG_NAMES };

struct flag_printer {
	struct seq_file *seq;
	__u64 flags; /* not named yet */
	__u32 table; /* enum name_table */
	__u32 nr_rows;
};

LOOP_BODY(print_flag_name, index, struct flag_printer, p)
{
	const volatile struct pobpf_flag_name *row;

	if (index >= p->nr_rows || !p->flags)
		return 1;
	index &= POBPF_FLAG_ROWS - 1;
	row = p->table == GFP_NAMES ? &text.gfp_names[index] : &text.page_flag_names[index];
	if ((p->flags & row->mask) != row->mask)
		return 0;
	p->flags &= ~row->mask;
	if (p->flags)
		BPF_SEQ_PRINTF(p->seq, "%s|", row->name);
	else
		BPF_SEQ_PRINTF(p->seq, "%s", row->name);
	return 0;
}

/* format_flags() of lib/vsprintf.c. */
static __noinline int print_flags(struct seq_file *seq, __u64 flags, __u32 table, __u32 nr_rows)
{
	struct flag_printer p = {.seq = seq, .flags = flags, .table = table, .nr_rows = nr_rows};

	loop(POBPF_FLAG_ROWS, print_flag_name, &p);
	if (p.flags)
		BPF_SEQ_PRINTF(seq, "0x%llx", p.flags);
	return 0;
}

struct field_printer {
	struct seq_file *seq;
	__u64 flags;
	__u32 needs_bar;
	__u32 reserved;
};

LOOP_BODY(print_flag_field, index, struct field_printer, p)
{
	const volatile struct pobpf_flag_field *row;
	__u64 value;

	if (index >= text.nr_page_flag_fields)
		return 1;
	row = &text.page_flag_fields[index & (POBPF_FIELD_ROWS - 1)];
	if (p->needs_bar)
		BPF_SEQ_PRINTF(p->seq, "|");
	p->needs_bar = 1;
	value = p->flags >> (row->shift & 63) & row->mask;
	if (row->is_hex)
		BPF_SEQ_PRINTF(p->seq, "%s=0x%llx", row->name, value);
	else
		BPF_SEQ_PRINTF(p->seq, "%s=%llu", row->name, value);
	return 0;
}

/* %pGp and the end of the line. */
static __noinline int print_page_flags(struct seq_file *seq, __u64 flags)
{
	struct field_printer p = {.seq = seq, .flags = flags};

	BPF_SEQ_PRINTF(seq, " Flags 0x%llx(", flags);
	if (flags & text.named_page_flags) {
		print_flags(seq, flags & text.named_page_flags, PAGE_FLAG_NAMES,
			    text.nr_page_flag_names);
		p.needs_bar = 1;
	}
	loop(POBPF_FIELD_ROWS, print_flag_field, &p);
	BPF_SEQ_PRINTF(seq, ")\n");
	return 0;
}

/* The kernel itself would read past its table. */
static __noinline int print_migratetype(struct seq_file *seq, __u32 type)
{
	const volatile char *name = text.migratetype_names[type & (POBPF_MIGRATETYPE_ROWS - 1)];

	if (type < POBPF_MIGRATETYPE_ROWS && name[0])
		BPF_SEQ_PRINTF(seq, " type %s", name);
	else
		BPF_SEQ_PRINTF(seq, " type unknown(%u)", type);
	return 0;
}

static __noinline int print_migrated(struct seq_file *seq, __s32 reason)
{
	const volatile char *name = text.migrate_reason_names[reason & (POBPF_REASON_ROWS - 1)];

	BPF_SEQ_PRINTF(seq, "Page has been migrated, last migrate reason: ");
	if ((__u32)reason < POBPF_REASON_ROWS && name[0])
		BPF_SEQ_PRINTF(seq, "%s\n", name);
	else
		BPF_SEQ_PRINTF(seq, "unknown(%d)\n", reason);
	return 0;
}

struct stack_printer {
	struct seq_file *seq;
	const struct stack_ref *stack;
};

LOOP_BODY(print_frame, index, struct stack_printer, p)
{
	if (index >= p->stack->nr_frames)
		return 1;
	BPF_SEQ_PRINTF(p->seq, " %pS\n", stack_frame(p->stack, index));
	return 0;
}

static __noinline int print_stack(struct seq_file *seq, const struct stack_ref *stack)
{
	struct stack_printer p = {.seq = seq, .stack = stack};

	loop(POBPF_MAX_FRAMES, print_frame, &p);
	return 0;
}

/* mm/page_owner.c: print_page_owner_memcg() */
static __noinline int print_memcg(struct seq_file *seq, __u32 flags, __u64 cgroup_id)
{
	struct pobpf_cgroup *cgroup;

	if (flags & POBPF_MEMCG_SLAB)
		BPF_SEQ_PRINTF(seq, "Slab cache page\n");
	if (flags & POBPF_MEMCG_UNKNOWN)
		BPF_SEQ_PRINTF(seq, "Charged to memcg (unknown)\n");
	if (!(flags & POBPF_MEMCG_CHARGED))
		return 0;
	cgroup = bpf_map_lookup_elem(&cgroups, &cgroup_id);
	if (flags & POBPF_MEMCG_OBJCG)
		BPF_SEQ_PRINTF(seq, "Charged (via objcg) to ");
	else
		BPF_SEQ_PRINTF(seq, "Charged to ");
	if (flags & POBPF_MEMCG_OFFLINE)
		BPF_SEQ_PRINTF(seq, "offline ");
	if (cgroup && cgroup->name[0])
		BPF_SEQ_PRINTF(seq, "memcg %s\n", cgroup->name);
	else
		BPF_SEQ_PRINTF(seq, "memcg unknown(%llu)\n", cgroup_id);
	return 0;
}

/* The first line and "PFN ..." of the second. */
static __noinline int print_head(struct seq_file *seq, const struct pobpf_page *rec,
				 const char *comm)
{
	BPF_SEQ_PRINTF(seq, "Page allocated via order %u, mask 0x%x(", rec->order, rec->gfp_mask);
	print_flags(seq, rec->gfp_mask, GFP_NAMES, text.nr_gfp_names);
	if (records_tgid() && records_comm())
		BPF_SEQ_PRINTF(seq, "), pid %d, tgid %d (%s), ts ", rec->pid, rec->tgid, comm);
	else if (records_tgid())
		BPF_SEQ_PRINTF(seq, "), pid %d, tgid %d, ts ", rec->pid, rec->tgid);
	else if (records_comm())
		BPF_SEQ_PRINTF(seq, "), pid %d (%s), ts ", rec->pid, comm);
	else
		BPF_SEQ_PRINTF(seq, "), pid %d, ts ", rec->pid);
	BPF_SEQ_PRINTF(seq, "%llu ns", rec->ts_nsec);
	if (text.shows_free_ts)
		BPF_SEQ_PRINTF(seq, ", free_ts %llu ns", rec->free_ts_nsec);
	if (text.is_pfn_decimal)
		BPF_SEQ_PRINTF(seq, "\nPFN %llu", rec->pfn);
	else
		BPF_SEQ_PRINTF(seq, "\nPFN 0x%llx", rec->pfn);
	return 0;
}

/* Global, for a stack of its own; verified once. */
__noinline int fill_text_record(struct owner_ref *ref, struct memcg_memo *memcg,
				struct pobpf_page *rec)
{
	if (!ref || !memcg || !rec)
		return RECORD_TORN;
	return fill_record(ref, memcg, rec);
}

/* Goes on to the next page of the view, a few pages at most; false if it is none of these. */
static __always_inline bool find_page(struct walk *w, struct owner_ref *ref)
{
	struct window_walk *at = &w->run->at;

#pragma clang loop unroll(full)
	for (int i = 0; i < PAGES_A_STEP; i++) {
		if (at->next >= at->nr_pages)
			return false;
		if (walk_page(at, ref) && is_in_view(w, ref))
			return true;
	}
	return false;
}

LOOP_BODY(print_page, index, struct walk, w)
{
	struct run_output *print = &w->run->output;
	struct memcg_memo *memcg = &w->run->memcg;
	struct window_walk *at = &w->run->at;
	struct pobpf_page *page = &print->page;
	struct seq_file *seq = w->seq;
	struct stack_ref stack = {};
	struct owner_ref ref = {};
	__u32 mode;

	if (at->next >= at->nr_pages)
		return !next_window(w);
	if (!find_page(w, &ref))
		return 0;
	mode = w->params->mode;
	/* a stack that is not there is an error of the whole record, as it is to pobpf */
	if (mode != POBPF_MODE_HANDLE && !find_stack(ref.handle, &stack))
		return 0;
	if (text.record_bytes_max + stack.nr_frames * text.frame_bytes_max > seq_file_room(seq)) {
		if (seq_file_count(seq)) {
			/* this page is the next call's */
			at->next = ref.pfn - at->place.pfn;
			return 1;
		}
		/* no buffer is large enough: rather its number than no record and no end */
		mode = POBPF_MODE_HANDLE;
	}
	if (fill_text_record(&ref, memcg, page) == RECORD_TORN ||
	    !is_as_filtered(w->params, &ref, &w->run->filter, memcg, page)) {
		look_again(at, &ref);
		return 0;
	}

	print_head(seq, page, (const char *)page->comm);
	print_migratetype(seq, gfp_migratetype(page->gfp_mask));
	BPF_SEQ_PRINTF(seq, " Block %llu", page->pfn >> (layout.pageblock_order & 63));
	print_migratetype(seq, at->place.pageblock_migratetype);
	print_page_flags(seq, page->flags);
	if (mode != POBPF_MODE_HANDLE)
		print_stack(seq, &stack);
	if (mode != POBPF_MODE_STACK)
		BPF_SEQ_PRINTF(seq, "handle: %u\n", page->handle);
	if (page->last_migrate_reason != text.migrate_reason_never)
		print_migrated(seq, page->last_migrate_reason);
	if (!text.omits_charges && page->memcg_flags)
		print_memcg(seq, page->memcg_flags, page->cgroup_id);
	BPF_SEQ_PRINTF(seq, "\n");
	return 0;
}

/*
 * Tells where call number `ticket` of an open file begins; -1 if that has been
 * forgotten. Global, like its counterpart, for a stack of its own.
 */
__noinline int begin_ticket(__u64 session, __u32 ticket, struct view_place *begin)
{
	const struct pobpf_position *last;
	__u32 last_ticket;

	if (!begin)
		return -1;
	begin->pfn = 0;
	begin->range = begin->reserved = 0;
	last = bpf_map_lookup_elem(&sessions, &session);
	if (!last)
		return ticket ? -1 : 0;
	last_ticket = last->ticket;
	if (last_ticket == ticket) {
		/* the kernel calls again for an element whose output it threw away */
		begin->pfn = last->start;
		begin->range = last->start_range;
	} else {
		begin->pfn = last->next;
		begin->range = last->next_range;
	}
	/* an element that was recycled while it was read is another file's */
	if (last->session != session)
		return -1;
	/* calls behind the end may have been over at once, without a trace */
	if (last_ticket != ticket && last_ticket + 1 != ticket &&
	    !(last->is_at_end && last_ticket < ticket))
		return -1;
	return 0;
}

/*
 * Whether there is nothing left for this call. Most elements of a pin are there for
 * text that a view hardly ever has, and the iterator goes through all of them.
 */
static __always_inline bool is_behind_end(__u64 session, __u32 ticket)
{
	__u32 slot = session & (POBPF_ENDS - 1);
	const __u64 *end = bpf_map_lookup_elem(&ends, &slot);

	return end && *end >> POBPF_TICKET_BITS == session &&
	       ticket > (*end & ((1U << POBPF_TICKET_BITS) - 1));
}

static __always_inline void remember_end(__u64 session, __u32 ticket)
{
	__u32 slot = session & (POBPF_ENDS - 1);
	__u64 *end = bpf_map_lookup_elem(&ends, &slot);

	if (end)
		*end = session << POBPF_TICKET_BITS | ticket;
}

/* Remembers where the next call of an open file begins; not 0 if that cannot be. */
__noinline int end_ticket(__u64 session, __u32 ticket, const struct view_place *next,
			  __u32 is_at_end)
{
	struct pobpf_position position = {
		.session = session,
		.ticket = ticket,
		.is_at_end = is_at_end,
	};
	struct view_place begin = {};

	if (!next || begin_ticket(session, ticket, &begin))
		return -1;
	position.start = begin.pfn;
	position.start_range = begin.range;
	position.next = next->pfn;
	position.next_range = next->range;
	return bpf_map_update_elem(&sessions, &session, &position, 0);
}

/* Returns the answer of print_pages. */
static __always_inline int print_ticket(struct walk *w, __u64 session, __u32 ticket)
{
	struct run_output *print = &w->run->output;
	struct window_walk *at = &w->run->at;

	/* forgotten, because of too many other readers: rather an error (EAGAIN) than a gap */
	if (begin_ticket(session, ticket, &print->next))
		return 1;
	w->run->memcg = (struct memcg_memo){};
	init_filter(w->params, 0, &w->run->filter);
	print->nr_scanned = 0;
	print->is_at_end = 0;
	print->zero = 0;
	at->torn = ~0;
	at->next = at->nr_pages = 0;
	/*
	 * a step is a page, or the way to the next window; some pages are looked at twice. With
	 * fewer steps, the next call goes on where this one stops
	 */
	loop_a_while(2 * POBPF_TICKET_PAGES + POBPF_WINDOW_PAGES, print_page, w);

	if (at->next < at->nr_pages)
		print->next.pfn = at->place.pfn + at->next;
	/* no call is left for the rest: an error must tell the reader so */
	if (!print->is_at_end && ticket + 1 >= nr_tickets)
		return 1;
	if (end_ticket(session, ticket, &print->next, print->is_at_end))
		return 1;
	if (print->is_at_end)
		remember_end(session, ticket);
	return 0;
}

SEC("pobpf/bpf_map_elem")
int print_pages(struct bpf_iter__bpf_map_elem *ctx)
{
	__u64 session = ctx->meta->session_id;
	const __u32 *key = ctx->key;
	__u32 zero = 0;
	struct walk w;
	int result;

	/* after the last element */
	if (!key) {
		bpf_map_delete_elem(&sessions, &session);
		return 0;
	}
	w.seq = ctx->meta->seq;
	/*
	 * What the buffer holds goes to the reader first: 1 ends the read(2) there,
	 * and this element is the next read's.
	 */
	if (seq_file_count(w.seq))
		return 1;
	if (is_behind_end(session, *key))
		return 0;
	w.run = begin_run();
	if (!w.run)
		return 1;
	w.params = bpf_map_lookup_elem(&readers, &zero);
	result = w.params ? print_ticket(&w, session, *key) : 1;
	end_run(w.run);
	return result;
}
