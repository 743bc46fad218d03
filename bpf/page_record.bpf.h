/* SPDX-License-Identifier: GPL-2.0-only */
/* From what the walk stands on to a whole record, the same for the stream and for text. */
#ifndef POBPF_PAGE_RECORD_BPF_H
#define POBPF_PAGE_RECORD_BPF_H

#include "memcg.bpf.h"
#include "page_walk.bpf.h"

/*
 * Copies struct page_owner behind a struct page_ext, except for order and handle,
 * which the record has from before; 0 if it was the same allocation all the while:
 * neither freed nor allocated again.
 */
static __always_inline int read_owner(__u64 page_ext, struct pobpf_page *rec)
{
	struct page_owner *owner;
	struct page_ext *ext;
	__u64 changed;

	owner = KERNEL_PTR(struct page_owner, page_ext + layout.page_owner_offset);
	rec->ts_nsec = KERNEL_READ(owner, ts_nsec);
	rec->free_ts_nsec = KERNEL_READ(owner, free_ts_nsec);
	rec->last_migrate_reason = KERNEL_READ(owner, last_migrate_reason);
	rec->gfp_mask = KERNEL_READ(owner, gfp_mask);
	rec->pid = KERNEL_READ(owner, pid);
	rec->tgid = KERNEL_READ(owner, tgid);
	read_owner_comm(owner, rec->comm);

	/* no early exits: each would be a path of its own to the verifier */
	changed = rec->handle ^ KERNEL_READ(owner, handle);
	changed |= rec->order ^ KERNEL_READ(owner, order);
	changed |= rec->ts_nsec ^ KERNEL_READ(owner, ts_nsec);
	ext = KERNEL_PTR(struct page_ext, page_ext);
	changed |= ~KERNEL_READ(ext, flags) & layout.owner_allocated_bit;
	return changed != 0;
}

/* Answers of fill_record(). */
enum { RECORD_TORN = 1, RECORD_WITHOUT_CGROUP = 2 };

/* Fills a record, except for its pageblock. */
static __always_inline int fill_record(const struct owner_ref *ref, struct memcg_memo *memcg,
				       struct pobpf_page *rec)
{
	int result = 0;

	rec->order = ref->order;
	rec->handle = ref->handle;
	if (read_owner(ref->page_ext, rec))
		return RECORD_TORN;
	rec->memcg_flags = 0;
	rec->cgroup_id = 0;
	switch (find_memcg(KERNEL_PTR(struct page, ref->page), memcg)) {
	case MEMCG_KNOWN:
		rec->memcg_flags = memcg->flags;
		rec->cgroup_id = memcg->cgroup_id;
		break;
	case MEMCG_UNKNOWN:
		result = RECORD_WITHOUT_CGROUP;
		break;
	}
	rec->kind = POBPF_ITEM_PAGE;
	rec->pfn = ref->pfn;
	rec->flags = ref->flags;
	return result;
}

#endif /* POBPF_PAGE_RECORD_BPF_H */
