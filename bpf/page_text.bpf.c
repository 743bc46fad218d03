// SPDX-License-Identifier: GPL-2.0-only
/*
 * The program behind a pin: what `cat` reads is what it prints, byte for byte what
 * src/format/kernel_text.cpp makes of the records of emit_pages.
 *
 * The kernel calls it once per element of the tickets map. An element is no window:
 * a call goes on where the last one of the same open file stopped, prints until the
 * buffer may not take another record, and leaves its position in the sessions map.
 * docs/pins.md says why.
 */
#include "kernel_compat.bpf.h"
#include "memcg.bpf.h"
#include "page_record.bpf.h"
#include "page_walk.bpf.h"
#include "pobpf/pin_abi.h"
#include "stack_depot.bpf.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct pobpf_text_facts text = {};
/* elements of the tickets map */
const volatile __u32 nr_tickets = 0;

/* What this pin is; written by user space once, for `pobpf pins`. */
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

/* What the iterator counts its calls by; the values mean nothing. 8 bytes each, 8 MB at most. */
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

/* A place in the memory of the view. */
struct view_place {
	__u64 pfn;
	__u32 range; /* element of the ranges map that pfn is in or before */
	__u32 reserved;
};

/* One call of the program. */
struct printer {
	struct walk w;
	struct view_place begin; /* of this call */
	struct view_place next;	 /* of the window after this one */
	__u32 nr_scanned;	 /* pages of the windows so far */
	__u32 is_at_end;
};

/* Goes to the next window; false if this call ends. */
static __always_inline bool next_window(struct printer *p)
{
	__u32 order = layout.pageblock_order < POBPF_WINDOW_ORDER ? layout.pageblock_order
								  : POBPF_WINDOW_ORDER;
	struct pobpf_pfn_range *range;
	struct pobpf_window window;
	__u64 pfn, end;

	if (p->nr_scanned >= POBPF_TICKET_PAGES)
		return false;
	range = bpf_map_lookup_elem(&ranges, &p->next.range);
	if (!range) {
		p->is_at_end = 1;
		return false;
	}
	pfn = p->next.pfn > range->begin ? p->next.pfn : range->begin;
	if (pfn >= range->end) {
		p->next.range++;
		/* many small ranges must not cost more than pages */
		p->nr_scanned++;
		return true;
	}
	end = ((pfn >> order) + 1) << order;
	if (end > range->end)
		end = range->end;
	p->next.pfn = end;
	p->nr_scanned += end - pfn;
	window.pfn = pfn;
	window.last = end - pfn - 1;
	window.slot = 0;
	if (!walk_window(&p->w, &window))
		p->w.at.next = p->w.at.nr_pages;
	return true;
}

enum name_table { GFP_NAMES, PAGE_FLAG_NAMES };

struct flag_printer {
	struct seq_file *seq;
	__u64 flags; /* not named yet */
	__u32 table; /* enum name_table */
	__u32 nr_rows;
};

static long print_flag_name(__u32 index, struct flag_printer *p)
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

	bpf_loop(POBPF_FLAG_ROWS, print_flag_name, &p, 0);
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

static long print_flag_field(__u32 index, struct field_printer *p)
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
	bpf_loop(POBPF_FIELD_ROWS, print_flag_field, &p, 0);
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

struct frame_printer {
	struct seq_file *seq;
	__u64 frame; /* its address in the depot */
	__u32 nr_left;
	__u32 reserved;
};

static long print_frame(__u32 index, struct frame_printer *p)
{
	__u64 address;

	if (!p->nr_left)
		return 1;
	address = read_kernel_u64(p->frame);
	BPF_SEQ_PRINTF(p->seq, " %pS\n", address);
	p->frame += sizeof(address);
	p->nr_left--;
	return 0;
}

static __noinline int print_stack(struct seq_file *seq, __u64 first_frame, __u32 nr_frames)
{
	struct frame_printer p = {.seq = seq, .frame = first_frame, .nr_left = nr_frames};

	bpf_loop(POBPF_MAX_FRAMES, print_frame, &p, 0);
	return 0;
}

/* mm/page_owner.c: print_page_owner_memcg() */
static __noinline int print_memcg(struct seq_file *seq, __u32 flags, __u64 cgroup_id)
{
	struct pobpf_cgroup *cgroup;

	if (flags & POBPF_MEMCG_SLAB)
		BPF_SEQ_PRINTF(seq, "Slab cache page\n");
	if (!(flags & POBPF_MEMCG_CHARGED))
		return 0;
	cgroup = bpf_map_lookup_elem(&cgroups, &cgroup_id);
	if (!cgroup)
		return 0;
	if (flags & POBPF_MEMCG_OBJCG)
		BPF_SEQ_PRINTF(seq, "Charged (via objcg) to ");
	else
		BPF_SEQ_PRINTF(seq, "Charged to ");
	if (flags & POBPF_MEMCG_OFFLINE)
		BPF_SEQ_PRINTF(seq, "offline ");
	BPF_SEQ_PRINTF(seq, "memcg %s\n", cgroup->name);
	return 0;
}

/* The first line and "PFN ..." of the second. */
static __noinline int print_head(struct seq_file *seq, const struct pobpf_page *rec,
				 const char *comm)
{
	BPF_SEQ_PRINTF(seq, "Page allocated via order %u, mask 0x%x(", rec->order, rec->gfp_mask);
	print_flags(seq, rec->gfp_mask, GFP_NAMES, text.nr_gfp_names);
	BPF_SEQ_PRINTF(seq, "), pid %d, tgid %d (%s), ts ", rec->pid, rec->tgid, comm);
	if (text.is_pre_v68_text) {
		BPF_SEQ_PRINTF(seq, "%llu ns, free_ts %llu ns\n", rec->ts_nsec, rec->free_ts_nsec);
		BPF_SEQ_PRINTF(seq, "PFN %llu", rec->pfn);
	} else {
		BPF_SEQ_PRINTF(seq, "%llu ns\nPFN 0x%llx", rec->ts_nsec, rec->pfn);
	}
	return 0;
}

/* The record's task name with a NUL behind it, whatever it holds. */
struct text_record {
	struct pobpf_page page;
	__u64 zero;
};

static long print_page(__u32 index, struct printer *p)
{
	struct seq_file *seq = p->w.seq;
	struct text_record rec;
	__u64 first_frame = 0;
	struct owner_ref ref;
	__u32 mode, room;
	int nr_frames = 0;

	if (p->w.at.next >= p->w.at.nr_pages)
		return !next_window(p);
	if (!walk_page(&p->w.at, &ref) || !is_wanted(&p->w, &ref))
		return 0;

	mode = p->w.params->mode;
	if (mode != POBPF_MODE_HANDLE)
		nr_frames = find_stack_frames(ref.handle, &first_frame);
	/* a stack that is not there is an error of the whole record, as it is to pobpf */
	if (nr_frames < 0)
		return 0;
	room = seq_file_room(seq);
	if (text.record_bytes_max + nr_frames * text.frame_bytes_max > room) {
		if (seq_file_count(seq)) {
			/* this page is the next call's */
			p->w.at.next = ref.pfn - p->w.at.place.pfn;
			return 1;
		}
		/* no buffer is large enough: rather its number than no record and no end */
		mode = POBPF_MODE_HANDLE;
	}
	rec.zero = 0;
	if (fill_record(&ref, &p->w.memcg, &rec.page) == RECORD_TORN)
		return 0;

	print_head(seq, &rec.page, (const char *)rec.page.comm);
	print_migratetype(seq, text.is_mobility_grouping_disabled ? 0 : rec.page.gfp_mask >> 3 & 3);
	BPF_SEQ_PRINTF(seq, " Block %llu", rec.page.pfn >> (layout.pageblock_order & 63));
	print_migratetype(seq, p->w.at.place.pageblock_migratetype);
	print_page_flags(seq, rec.page.flags);
	if (mode != POBPF_MODE_HANDLE)
		print_stack(seq, first_frame, nr_frames);
	if (mode != POBPF_MODE_STACK)
		BPF_SEQ_PRINTF(seq, "handle: %u\n", rec.page.handle);
	if (rec.page.last_migrate_reason != text.migrate_reason_never)
		print_migrated(seq, rec.page.last_migrate_reason);
	if (rec.page.memcg_flags)
		print_memcg(seq, rec.page.memcg_flags, rec.page.cgroup_id);
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
	if (last->session != session || (last_ticket != ticket && last_ticket + 1 != ticket))
		return -1;
	return 0;
}

/* Remembers where the next call of an open file begins; not 0 if there is no memory for that. */
__noinline int end_ticket(__u64 session, __u32 ticket, const struct view_place *begin,
			  const struct view_place *next)
{
	struct pobpf_position position = {.session = session, .ticket = ticket};

	if (!begin || !next)
		return -1;
	position.start = begin->pfn;
	position.start_range = begin->range;
	position.next = next->pfn;
	position.next_range = next->range;
	return bpf_map_update_elem(&sessions, &session, &position, 0);
}

SEC("iter/bpf_map_elem")
int print_pages(struct bpf_iter__bpf_map_elem *ctx)
{
	__u64 session = ctx->meta->session_id;
	const __u32 *key = ctx->key;
	struct printer p;
	__u32 zero = 0;
	__u32 ticket;

	/* after the last element */
	if (!key) {
		bpf_map_delete_elem(&sessions, &session);
		return 0;
	}
	p.w.seq = ctx->meta->seq;
	/*
	 * What the buffer holds goes to the reader first: 1 ends the read(2) there,
	 * and this element is the next read's.
	 */
	if (seq_file_count(p.w.seq))
		return 1;
	ticket = *key;
	/* forgotten, because of too many other readers: rather an error (EAGAIN) than a gap */
	if (begin_ticket(session, ticket, &p.begin))
		return 1;

	p.w.params = bpf_map_lookup_elem(&readers, &zero);
	if (!p.w.params)
		return 1;
	p.w.memcg = (struct memcg_memo){};
	p.w.at.next = p.w.at.nr_pages = unknown_zero;
	p.next = p.begin;
	p.nr_scanned = p.is_at_end = unknown_zero;
	/* a step is a page, or the way to the next window */
	bpf_loop(2 * POBPF_TICKET_PAGES + POBPF_WINDOW_PAGES, print_page, &p, 0);

	if (p.w.at.next < p.w.at.nr_pages)
		p.next.pfn = p.w.at.place.pfn + p.w.at.next;
	/* no call is left for the rest: an error must tell the reader so */
	if (!p.is_at_end && ticket + 1 >= nr_tickets)
		return 1;
	return end_ticket(session, ticket, &p.begin, &p.next) != 0;
}
