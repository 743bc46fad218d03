/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which pages keep a block from being free or movable, as the kernel decides it when it isolates
 * and migrates them: mm/page_isolation.c: has_unmovable_pages(), mm/migrate.c:
 * folio_expected_refs(), linux/mm.h: folio_maybe_dma_pinned(). docs/blockers.md says where they
 * differ between kernels, and where this has to guess. src/model/blocker_kind.cpp is the same for
 * pages of files.
 */
#ifndef POBPF_BLOCKERS_BPF_H
#define POBPF_BLOCKERS_BPF_H

#include "page_walk.bpf.h"

/* linux/mmzone.h, all versions. */
#define MIGRATE_MOVABLE 1

/* Facts of this machine: how pages tell whether they can be moved. */
const volatile struct pobpf_blocker_facts blocker_facts = {};

#define HAS_TYPE(type, name)                                                                       \
	(((type)&blocker_facts.type_##name.mask) == blocker_facts.type_##name.value)

/* A folio, or a page that is alone. */
struct folio_look {
	__u64 head; /* address of its first struct page */
	__u64 flags;
	__u64 mapping; /* with its low bits */
	__u32 type;    /* page_type, or _mapcount */
	__u32 order;
};

/*
 * References beyond mappings, page cache, buffers and the LRU. Whoever has taken a page off the
 * LRU, or is about to put it there, holds one.
 */
static __always_inline bool has_more_references(const struct folio_look *look)
{
	struct page *page = KERNEL_PTR(struct page, look->head);
	int expected = look->flags & blocker_facts.lru ? 0 : 1;
	int nr_pages = 1 << (look->order & 31);

	if (look->order) {
		if (large_pincount(look->head) > 0)
			return true;
		if (!counts_large_mappings())
			return false;
		expected += large_mapcount(look->head);
	} else {
		expected += (int)KERNEL_READ(page, page_type) + 1;
	}
	if (blocker_facts.swapcache &&
	    (look->flags & blocker_facts.swapcache) == blocker_facts.swapcache)
		expected += nr_pages;
	else if (look->mapping && !(look->mapping & PAGE_MAPPING_FLAGS))
		expected += nr_pages + !!(look->flags & blocker_facts.private_bit);
	return page_refcount(page) > expected;
}

/* enum pobpf_blocker_kind of what has a page type. */
static __always_inline int kind_of_type(const struct folio_look *look)
{
	if (HAS_TYPE(look->type, slab) || HAS_TYPE(look->type, large_kmalloc))
		return POBPF_BLOCKER_SLAB;
	if (HAS_TYPE(look->type, table))
		return POBPF_BLOCKER_PAGE_TABLE;
	if (HAS_TYPE(look->type, hugetlb))
		return POBPF_BLOCKER_HUGETLB;
	/* page_has_movable_ops() */
	if (look->flags & blocker_facts.movable_ops &&
	    (HAS_TYPE(look->type, offline) || HAS_TYPE(look->type, zsmalloc)))
		return POBPF_MOVABLE;
	if (!blocker_facts.movable_ops &&
	    (look->mapping & PAGE_MAPPING_FLAGS) == POBPF_MAPPING_MOVABLE)
		return POBPF_MOVABLE;
	return POBPF_BLOCKER_UNMOVABLE;
}

/* Whether page_type is a type; else the word is a count of mappings. */
static __always_inline bool is_page_type(__u32 type)
{
	return (__s32)type < PAGE_MAPCOUNT_RESERVE &&
	       (type & kind_facts.type_base) == kind_facts.type_base;
}

/* Answers of blocker_kind() besides enum pobpf_blocker_kind. */
enum { PAGE_IS_UNREFERENCED = -1, PAGE_IS_POISONED = -2 };

/*
 * The kind of an allocation, or of a page without a record, whose order is 0 then. Unmovable
 * pages that nothing refers to are told apart: the kernel passes over them.
 */
__noinline int blocker_kind(const struct owner_ref *ref)
{
	struct folio_look look = {};
	struct page *page;

	if (!ref)
		return POBPF_MOVABLE;
	look.head = ref->page;
	look.order = ref->order;
	page = KERNEL_PTR(struct page, look.head);
	/* early boot is recorded page by page, and unowned pages are looked at so */
	if (page_is_tail(page)) {
		look.head = head_of_tail(ref->page, compound_word(ref->page));
		look.order = compound_order_of((const void *)look.head);
		page = KERNEL_PTR(struct page, look.head);
	}
	look.flags = page_flags_word(page);
	if (look.flags & blocker_facts.reserved)
		return POBPF_BLOCKER_RESERVED;
	if (look.flags & blocker_facts.hwpoison)
		return PAGE_IS_POISONED;
	if (look.flags & blocker_facts.slab)
		return POBPF_BLOCKER_SLAB;
	look.mapping = page_mapping_word(page);
	look.type = KERNEL_READ(page, page_type);
	if (is_page_type(look.type))
		return kind_of_type(&look);
	if (look.order && is_marked_hugetlb((const void *)look.head))
		return POBPF_BLOCKER_HUGETLB;
	if (!blocker_facts.movable_ops &&
	    (look.mapping & PAGE_MAPPING_FLAGS) == POBPF_MAPPING_MOVABLE)
		return POBPF_MOVABLE;
	if (!look.mapping && !(look.flags & blocker_facts.lru))
		return page_refcount(page) ? POBPF_BLOCKER_UNMOVABLE : PAGE_IS_UNREFERENCED;
	/* twice: the counts are not of one moment */
	if (has_more_references(&look) && has_more_references(&look))
		return POBPF_BLOCKER_PINNED;
	return look.flags & blocker_facts.unevictable ? POBPF_BLOCKER_MLOCKED : POBPF_MOVABLE;
}

#endif /* POBPF_BLOCKERS_BPF_H */
