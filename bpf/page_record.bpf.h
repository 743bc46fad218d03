/* SPDX-License-Identifier: GPL-2.0-only */
/* From what the walk stands on to a whole record, the same for the stream and for text. */
#ifndef POBPF_PAGE_RECORD_BPF_H
#define POBPF_PAGE_RECORD_BPF_H

#include "memcg.bpf.h"
#include "page_walk.bpf.h"

/* Copies struct page_owner. */
static __always_inline void read_owner(const struct owner_ref *ref, struct pobpf_page *rec)
{
	struct page_owner *owner;

	owner = KERNEL_PTR(struct page_owner, ref->page_ext + layout.page_owner_offset);
	rec->order = ref->order;
	rec->handle = ref->handle;
	rec->ts_nsec = ref->ts_nsec;
	rec->free_ts_nsec = KERNEL_READ(owner, free_ts_nsec);
	rec->last_migrate_reason = KERNEL_READ(owner, last_migrate_reason);
	rec->gfp_mask = KERNEL_READ(owner, gfp_mask);
	rec->pid = KERNEL_READ(owner, pid);
	rec->tgid = read_owner_tgid(owner);
	read_owner_comm(owner, rec->comm);
}

/* Answers of fill_record(). */
enum { RECORD_TORN = 1, RECORD_WITHOUT_CGROUP = 2 };

/* Fills a record, except for its pageblock. */
static __always_inline int fill_record(const struct owner_ref *ref, struct memcg_memo *memcg,
				       struct pobpf_page *rec)
{
	int result = 0;
	int state;

	read_owner(ref, rec);
	rec->memcg_flags = 0;
	rec->cgroup_id = 0;
	state = find_memcg(KERNEL_PTR(struct page, ref->page), memcg);
	if (state == MEMCG_KNOWN || state == MEMCG_UNNAMED) {
		rec->memcg_flags = memcg->flags;
		rec->cgroup_id = memcg->cgroup_id;
	}
	if (state == MEMCG_UNKNOWN)
		rec->memcg_flags = POBPF_MEMCG_UNKNOWN;
	if (state == MEMCG_UNKNOWN || state == MEMCG_UNNAMED)
		result = RECORD_WITHOUT_CGROUP;
	rec->kind = POBPF_ITEM_PAGE;
	rec->pfn = ref->pfn;
	rec->flags = ref->flags;
	/* last: all of the record is of one allocation then */
	return owner_has_changed(ref) ? RECORD_TORN : result;
}

#endif /* POBPF_PAGE_RECORD_BPF_H */
