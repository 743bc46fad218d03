/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything in BPF that differs between kernels, decided by BTF, never by
 * version. Newest kernel first. Only this file declares flavours (___) and says
 * bpf_core_field_exists; facts that BTF cannot tell are in struct pobpf_layout.
 */
#ifndef POBPF_KERNEL_COMPAT_BPF_H
#define POBPF_KERNEL_COMPAT_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include "pobpf/abi.h"

/* Macros and enumerators without a type's name, which vmlinux.h lacks; the same in all versions. */
#define BPF_NOEXIST 1		     /* linux/bpf.h */
#define BPF_F_NO_PREALLOC (1U << 0)  /* linux/bpf.h */
#define BPF_F_INNER_MAP (1U << 12)   /* linux/bpf.h */
#define PAGE_POISON_PATTERN (~0ULL)  /* linux/page-flags.h */
#define PAGE_MAPPING_FLAGS 3UL	     /* linux/page-flags.h; FOLIO_MAPPING_FLAGS since v6.17 */
#define PAGE_MAPCOUNT_RESERVE (-128) /* linux/page-flags.h before v6.12; types lie below it */
/* PAGE_SIZE of x86; of arm64 it is this or more. */
#define PAGE_SIZE_MIN 4096UL

const volatile struct pobpf_layout layout = {};

/*
 * v6.2: fd264ca02094 ("bpf: Add a kfunc to type cast from bpf uapi ctx to kernel
 * ctx") and its sibling bpf_rdonly_cast: loads become single instructions with
 * an exception table entry. Before: bpf_probe_read_kernel(), 2 to 3 times slower.
 * Two objects of one source; user space picks one, and `--no-feature rdonly-cast` picks the
 * old way. Checked by: tests/vm, both on each kernel that has both.
 *
 * KERNEL_PTR makes a pointer to a kernel type of an address; KERNEL_READ reads a
 * member through it, 0 if the address cannot be read. As READ_ONCE() it loads each
 * time it is named, and in that order: what is read again is there to be compared.
 */
const volatile struct pobpf_cast_ids cast_ids = {};

#ifdef POBPF_PROBE_READS
#define KERNEL_PTR(type, address) ((type *)(address))
#define KERNEL_READ(ptr, field)                                                                    \
	({                                                                                         \
		typeof((ptr)->field) value__;                                                      \
		if (bpf_probe_read_kernel(&value__, sizeof(value__),                               \
					  __builtin_preserve_access_index(&(ptr)->field)))         \
			value__ = 0;                                                               \
		value__;                                                                           \
	})
#else
/*
 * bpf_rdonly_cast(), as the instruction that a call of it becomes: call (0x85) of a
 * kernel function (source register 2) whose id user space fills in when it loads
 * the program. A symbol instead would make libbpf read all of the kernel's type
 * information a second time to find that one number.
 */
static __always_inline void *rdonly_cast(__u64 address, __u32 btf_id)
{
	register __u64 object asm("r1") = address;
	register __u64 id asm("r2") = btf_id;
	register void *result asm("r0");

	asm volatile(".8byte 0x2085" : "=r"(result), "+r"(object), "+r"(id) : : "r3", "r4", "r5");
	return result;
}

#define CAST_ID(type)                                                                              \
	_Generic((type *)0, struct page *                                                          \
		 : cast_ids.page, struct page_ext *                                                \
		 : cast_ids.page_ext, struct page_owner *                                          \
		 : cast_ids.page_owner)
#define KERNEL_PTR(type, address) ((type *)rdonly_cast((__u64)(address), CAST_ID(type)))
#define KERNEL_READ(ptr, field) (*(const volatile typeof((ptr)->field) *)&(ptr)->field)
#endif

/*
 * v6.3 (6715df8d5d24 "bpf: Allow reads from uninit stack", also in stable trees): memory on the
 * stack that is given to a global function or a helper may be there in part. Before, and on RHEL
 * 9.2, all of it must have been written, with its padding: what is handed on begins with {}. A
 * value that a helper fills completely (KERNEL_READ) needs no initialiser.
 */

/*
 * v6.17 ("bpf: propagate read/precision marks over state graph backedges", struct bpf_scc_info):
 * loops that the verifier bounds (may_goto, v6.9) are verified fast. Before: bpf_loop(),
 * whose callback costs a call and a return for each step, and a copy of the body for
 * each page of a step. Objects of their own, too; clang does not know the instruction
 * before 19. Checked by: tests/vm, both on 7.3.
 *
 * MAY_GO_ON is true 65,535 times at least: a window takes twice its pages at most.
 */
#ifdef POBPF_MAY_GOTO
#define MAY_GO_ON                                                                                  \
	({                                                                                         \
		__label__ out_of_turns, on;                                                        \
		bool may__ = true;                                                                 \
		asm volatile goto("1: .byte 0xe5; .byte 0;"                                        \
				  ".long ((%l[out_of_turns] - 1b - 8) / 8) & 0xffff; .short 0"     \
				  :                                                                \
				  :                                                                \
				  :                                                                \
				  : out_of_turns);                                                 \
		goto on;                                                                           \
	out_of_turns:                                                                              \
		may__ = false;                                                                     \
	on:;                                                                                       \
		may__;                                                                             \
	})
#endif

/*
 * v5.17: e6f2dd0f8067 ("bpf: Add bpf_loop helper"). Before: bpf_for_each_map_elem() (v5.13), which
 * calls a function for each element of an array. Objects of their own, which read by
 * bpf_probe_read_kernel(), as kernels without the one do not have the other either. Checked by:
 * tests/synthetic and tests/vm (`--no-feature bpf-loop`).
 *
 * LOOP_BODY begins the function that loop() calls, which goes on until it returns 1 or has been
 * called nr times; more often does no harm. loop_a_while() may stop after LOOP_CALLS_MAX calls,
 * however many are asked for.
 */
enum { LOOP_CALLS_MAX = 16384 };

#ifdef POBPF_FOR_EACH
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LOOP_CALLS_MAX); /* 128 KiB */
	__type(key, __u32);
	__type(value, __u32);
} loop_steps SEC(".maps");

#define LOOP_BODY(name, index, type, state)                                                        \
	static __always_inline long name##_body(__u32 index, type *state);                         \
	static long name(void *map, const __u32 *key, void *value, type *state)                    \
	{                                                                                          \
		return name##_body(*key, state);                                                   \
	}                                                                                          \
	static __always_inline long name##_body(__u32 index, type *state)
#define loop_a_while(nr, name, state) bpf_for_each_map_elem(&loop_steps, name, state, 0)
#else
#define LOOP_BODY(name, index, type, state) static long name(__u32 index, type *state)
#define loop_a_while(nr, name, state) bpf_loop(nr, name, state, 0)
#endif

#define loop(nr, name, state)                                                                      \
	({                                                                                         \
		_Static_assert((nr) <= LOOP_CALLS_MAX, "that is what loop_a_while() is for");      \
		loop_a_while(nr, name, state);                                                     \
	})

/*
 * 8 bytes of kernel memory, 0 if they cannot be read. Whatever it is, it is taken for
 * a struct page of which one word is loaded: a call would cost ten times as much.
 */
static __always_inline __u64 read_kernel_u64(__u64 address)
{
#ifdef POBPF_PROBE_READS
	__u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (const void *)address);
	return value;
#else
	struct page *page =
		KERNEL_PTR(struct page, address - bpf_core_field_offset(struct page, private));

	return KERNEL_READ(page, private);
#endif
}

/* The 8 bytes at a member of a type that KERNEL_PTR does not know; of pointers, as a number. */
#define KERNEL_WORD(ptr, field)                                                                    \
	read_kernel_u64((__u64)__builtin_preserve_access_index(&(ptr)->field))

struct memdesc_flags___v618 {
	unsigned long f;
} __attribute__((preserve_access_index));

struct page___v618 {
	struct memdesc_flags___v618 flags;
} __attribute__((preserve_access_index));

/* Members of struct page that some kernels have. One flavour, as libbpf searches for each. */
struct page___members {
	unsigned long flags;	     /* before v6.18 */
	unsigned long memcg_data;    /* CONFIG_MEMCG */
	unsigned long compound_info; /* since v7.1 */
	unsigned long compound_head; /* before v7.1 */
	void *mapping;
} __attribute__((preserve_access_index));

/*
 * v6.18: 53fbef56e07d ("mm: introduce memdesc_flags_t"): page->flags became a
 * struct. Before: unsigned long. Checked by: tests/vm on 7.3 and on 6.1, 6.12.
 */
static __always_inline __u64 page_flags_word(struct page *page)
{
	if (bpf_core_field_exists(struct page___v618, flags.f)) {
		struct page___v618 *p = (void *)page;
		return KERNEL_READ(p, flags.f);
	}
	struct page___members *p = (void *)page;
	return KERNEL_READ(p, flags);
}

/* page->memcg_data; 0 on kernels without CONFIG_MEMCG, as the field is not there. */
static __always_inline __u64 page_memcg_data(struct page *page)
{
	struct page___members *p = (void *)page;

	if (!bpf_core_field_exists(struct page___members, memcg_data))
		return 0;
	return KERNEL_READ(p, memcg_data);
}

/* page->mapping with its low bits, as a number: the verifier allows no arithmetic on a pointer. */
static __always_inline __u64 page_mapping_word(const struct page *page)
{
	return KERNEL_WORD((struct page___members *)page, mapping);
}

/*
 * PageTail(). v7.1: compound_info. Before: compound_head; bit 0 says tail in both.
 * From v6.15 on tail pages keep folio fields where memcg_data is, so the kernel
 * (and this) asks first; before, tail pages had none.
 */
static __always_inline bool page_is_tail(const struct page *page)
{
	struct page___members *p = (void *)page;

	if (bpf_core_field_exists(struct page___members, compound_info))
		return KERNEL_WORD(p, compound_info) & 1;
	return KERNEL_WORD(p, compound_head) & 1;
}

/* One flavour for all members, as libbpf searches for each. */
struct kernfs_node___members {
	__u64 id;
	unsigned int hash; /* of the name */
	const char *name;
	struct kernfs_node *__parent; /* since v6.15 */
	struct kernfs_node *parent;   /* before v6.15 */
} __attribute__((preserve_access_index));

/*
 * v6.15: 633488947ef6 ("kernfs: Use RCU to access kernfs_node::parent."): renamed
 * to __parent. Before: parent. NULL: kn is a root. Checked by: tests/vm memcg lines
 * on 7.3 and 6.1.
 */
static __always_inline const struct kernfs_node___members *
kernfs_parent(const struct kernfs_node___members *kn)
{
	if (bpf_core_field_exists(struct kernfs_node___members, __parent))
		return (const void *)KERNEL_WORD(kn, __parent);
	return (const void *)KERNEL_WORD(kn, parent);
}

struct mem_cgroup___css {
	struct cgroup_subsys_state css;
} __attribute__((preserve_access_index));

struct obj_cgroup___memcg {
	struct mem_cgroup___css *memcg;
} __attribute__((preserve_access_index));

/* linux/memcontrol.h; MEMCG_DATA_OBJCGS before v6.10. */
#define MEMCG_DATA_OBJEXTS (1UL << 0)
#define MEMCG_DATA_KMEM (1UL << 1)
/* v6.10 uses bit 2 as well; it is never set in a pointer, as slab objects are 8-byte aligned. */
#define MEMCG_DATA_FLAGS_MASK 7UL
/* linux/cgroup-defs.h */
#define CSS_ONLINE (1U << 1)

/*
 * The mem_cgroup that memcg_data refers to, or 0 if that cannot be told.
 *
 * v7.1: LRU pages hold an obj_cgroup. Before: a mem_cgroup. Not told by any
 * field that is certain, and stable trees were wrong about it (6.12.114), so the
 * pointer proves itself: a mem_cgroup's css.ss is &memory_cgrp_subsys. Nothing
 * is followed unchecked; reads of bad addresses give 0.
 * Checked by: tests/vm memcg lines on 6.1 and 7.3.
 */
static __always_inline __u64 memcg_of(__u64 memcg_data)
{
	__u64 address = memcg_data & ~MEMCG_DATA_FLAGS_MASK;
	const struct mem_cgroup___css *memcg = (const void *)address;
	const struct obj_cgroup___memcg *objcg = (const void *)address;

	if (!layout.memory_cgrp_subsys || !address)
		return 0;
	if (!(memcg_data & MEMCG_DATA_KMEM) &&
	    KERNEL_WORD(memcg, css.ss) == layout.memory_cgrp_subsys)
		return address;
	if (!bpf_core_type_exists(struct obj_cgroup___memcg))
		return 0;
	memcg = (const void *)KERNEL_WORD(objcg, memcg);
	return KERNEL_WORD(memcg, css.ss) == layout.memory_cgrp_subsys ? (__u64)memcg : 0;
}

struct stack_record___any {
	__u32 size;
	union handle_parts handle;
	unsigned long entries[1];
} __attribute__((preserve_access_index));

/*
 * Bytes that a seq_file holds for its reader, and those it can still take; it never takes the last.
 */
static __always_inline __u32 seq_file_count(const struct seq_file *seq)
{
	return seq->count;
}

static __always_inline __u32 seq_file_room(const struct seq_file *seq)
{
	return seq->size - seq->count - 1;
}

/*
 * References to a page, and to the folio that it is the first page of. A flavour of its own, as
 * only who looks for blockers reads them.
 */
struct atomic___counts {
	int counter;
} __attribute__((preserve_access_index));

struct page___counts {
	struct atomic___counts _refcount;
} __attribute__((preserve_access_index));

struct folio___counts {
	struct atomic___counts _large_mapcount; /* since v6.10 */
	struct atomic___counts _pincount;	/* since v6.1 */
} __attribute__((preserve_access_index));

static __always_inline int page_refcount(struct page *page)
{
	struct page___counts *counts = (void *)page;

	return KERNEL_READ(counts, _refcount.counter);
}

/*
 * v6.10: _large_mapcount counts the mappings of all pages of a folio. Before, all of them would
 * have to be added up.
 */
static __always_inline bool counts_large_mappings(void)
{
	return bpf_core_field_exists(struct folio___counts, _large_mapcount);
}

static __always_inline int large_mapcount(__u64 head)
{
	const struct folio___counts *folio = (const void *)head;

	return (int)KERNEL_WORD(folio, _large_mapcount) + 1;
}

/* Pins of a large folio; 0 before v6.1, where they are not looked for. */
static __always_inline int large_pincount(__u64 head)
{
	const struct folio___counts *folio = (const void *)head;

	if (!bpf_core_field_exists(struct folio___counts, _pincount))
		return 0;
	return (int)KERNEL_WORD(folio, _pincount);
}

/* Parts of pid_namespace, xa_node, pid and task_struct, for find_leader(). As here since v4.20. */
struct xarray___head {
	void *xa_head;
} __attribute__((preserve_access_index));

struct idr___rt {
	struct xarray___head idr_rt;
} __attribute__((preserve_access_index));

struct pid_namespace___idr {
	struct idr___rt idr;
} __attribute__((preserve_access_index));

struct xa_node___any {
	unsigned char shift;
	void *slots[64];
} __attribute__((preserve_access_index));

struct hlist_head___any {
	void *first;
} __attribute__((preserve_access_index));

struct hlist_node___any {
	void *next, **pprev;
} __attribute__((preserve_access_index));

struct pid___tasks {
	struct hlist_head___any tasks[4];
} __attribute__((preserve_access_index));

struct task_struct___start {
	__u64 start_time;
	__u64 start_boottime;
	struct hlist_node___any pid_links[4];
} __attribute__((preserve_access_index));

/* linux/xarray.h: low bits of an entry, and those that xa_mk_internal() sets. */
#define XA_TAG_MASK 3UL
#define XA_INTERNAL 2UL

/* linux/xarray.h: internal entries up to 4096 are errors and marks. */
static __always_inline bool xa_is_node(__u64 entry)
{
	return (entry & XA_TAG_MASK) == XA_INTERNAL && entry > 4096;
}

struct comm_words {
	__u64 word[POBPF_COMM_BYTES / 8];
};

/*
 * v5.18 ("mm/page_owner: record tgid" and "record task command name"), each by itself. Before: the
 * pid alone. Checked by: tests/synthetic and tests/vm (`--no-feature thread-group` and
 * `task-name`).
 */
static __always_inline bool records_tgid(void)
{
	return bpf_core_field_exists(struct page_owner, tgid);
}

static __always_inline bool records_comm(void)
{
	return bpf_core_field_exists(struct page_owner, comm);
}

/* 0 where it is not recorded; user space does not ask for it then. */
static __always_inline __u32 read_owner_tgid(struct page_owner *owner)
{
	return records_tgid() ? KERNEL_READ(owner, tgid) : 0;
}

/*
 * The name is read as two words, as the verifier allows wide loads inside a char array. It is zero
 * where it is not recorded.
 */
static __always_inline void read_owner_comm(struct page_owner *owner, __u8 *comm)
{
	struct comm_words *to = (void *)comm;
	const struct comm_words *from;

	to->word[0] = 0;
	to->word[1] = 0;
	if (!records_comm())
		return;
	from = (const void *)&owner->comm;
#ifdef POBPF_PROBE_READS
	if (bpf_probe_read_kernel(to, sizeof(*to), from)) {
		to->word[0] = 0;
		to->word[1] = 0;
	}
#else
	to->word[0] = KERNEL_READ(from, word[0]);
	to->word[1] = KERNEL_READ(from, word[1]);
#endif
}

/* The free side. A flavour of its own, so that only those who read it have to find it. */
struct page_owner___freed {
	depot_stack_handle_t free_handle;
	pid_t free_pid; /* since v6.8 */
	pid_t free_tgid;
} __attribute__((preserve_access_index));

static __always_inline bool records_free_pid(void)
{
	return bpf_core_field_exists(struct page_owner___freed, free_pid);
}

/*
 * What page_dump.bpf.c alone reads. Flavours of its own, so that no other object
 * has to find these members.
 */
struct atomic___dump {
	int counter;
} __attribute__((preserve_access_index));

struct page___dump {
	unsigned long flags; /* before v6.18 */
	struct address_space___dump *mapping;
	unsigned long index;	     /* before v6.16 or so */
	unsigned long __folio_index; /* since then */
	unsigned long private;
	unsigned int page_type; /* the word of _mapcount */
	struct atomic___dump _refcount;
	struct atomic___dump compound_mapcount; /* before v6.3, in the second page */
	unsigned char compound_dtor;		/* before v6.3, in the second page */
	unsigned char compound_order;		/* before v6.3, in the second page */
	struct kmem_cache___dump *slab_cache;	/* before v5.17 */
} __attribute__((preserve_access_index));

struct folio___dump {
	unsigned long _flags_1;
	unsigned char _folio_dtor;	       /* v6.1 to v6.5 */
	unsigned char _folio_order;	       /* v6.1 to v6.5 */
	struct atomic___dump _entire_mapcount; /* since v6.3 */
	struct atomic___dump _pincount;	       /* since v6.1 */
} __attribute__((preserve_access_index));

struct file_system_type___dump {
	const char *name;
} __attribute__((preserve_access_index));

struct super_block___dump {
	struct file_system_type___dump *s_type;
	char s_id[POBPF_S_ID_BYTES];
} __attribute__((preserve_access_index));

struct hlist_node___dump {
	struct hlist_node___dump *next;
} __attribute__((preserve_access_index));

struct hlist_head___dump {
	struct hlist_node___dump *first;
} __attribute__((preserve_access_index));

struct address_space___dump {
	struct inode___dump *host;
} __attribute__((preserve_access_index));

struct inode___dump {
	struct super_block___dump *i_sb;
	struct address_space___dump i_data;
	unsigned long i_ino;
	struct hlist_head___dump i_dentry;
} __attribute__((preserve_access_index));

struct qstr___dump {
	const unsigned char *name;
} __attribute__((preserve_access_index));

union dentry_alias___dump {
	struct hlist_node___dump d_alias;
} __attribute__((preserve_access_index));

struct dentry___dump {
	struct qstr___dump d_name;
	union dentry_alias___dump d_u;	  /* before v7.1 or so */
	struct hlist_node___dump d_alias; /* since then, in an anonymous union */
} __attribute__((preserve_access_index));

struct kmem_cache___dump {
	const char *name;
} __attribute__((preserve_access_index));

struct slab___dump {
	struct kmem_cache___dump *slab_cache;
} __attribute__((preserve_access_index));

/* v7.1 or so: compound_info may hold a mask for the address; before, the head's address. Both | 1
 */
static __always_inline __u64 compound_word(__u64 page_address)
{
	const struct page___members *page = (const void *)page_address;
	unsigned long word = 0;

	if (bpf_core_field_exists(struct page___members, compound_info))
		bpf_core_read(&word, sizeof(word), &page->compound_info);
	else
		bpf_core_read(&word, sizeof(word), &page->compound_head);
	return word;
}

/* Where a word with bit 0 set leads. No page's address is as near the end as a mask: 2^40 bytes. */
static __always_inline __u64 head_of_tail(__u64 page_address, __u64 word)
{
	__u64 below = ~(word - 1);

	if (below < 1ULL << 40)
		return page_address & ~below;
	return word - 1;
}

/* page->index. v6.16 or so: __folio_index. Before: index. */
static __always_inline __u64 page_index(const struct page___dump *page)
{
	unsigned long index = 0;

	if (bpf_core_field_exists(struct page___dump, __folio_index))
		bpf_core_read(&index, sizeof(index), &page->__folio_index);
	else
		bpf_core_read(&index, sizeof(index), &page->index);
	return index;
}

/*
 * Before struct folio had members for it, the second page of a compound page held what is said of
 * the whole.
 */
static __always_inline const struct page___dump *second_page(const struct folio___dump *folio)
{
	return (const void *)folio + bpf_core_type_size(struct page);
}

/*
 * Order of the compound page with this head. v6.6: a byte of _flags_1. v6.1: _folio_order. Before:
 * in the second page.
 */
static __always_inline __u32 compound_order_of(const struct folio___dump *folio)
{
	unsigned long flags = 0;
	unsigned char order = 0;

	if (bpf_core_field_exists(struct folio___dump, _folio_order)) {
		bpf_core_read(&order, sizeof(order), &folio->_folio_order);
		return order;
	}
	if (bpf_core_field_exists(struct page___dump, compound_order)) {
		bpf_core_read(&order, sizeof(order), &second_page(folio)->compound_order);
		return order;
	}
	bpf_core_read(&flags, sizeof(flags), &folio->_flags_1);
	return flags & 0xff;
}

enum compound_dtor_id___dump { /* before v6.6 */
			       HUGETLB_PAGE_DTOR___dump = 2,
};

enum pageflags___dump {
	PG_hugetlb___dump, /* v6.6 to v6.8, of the second page */
};

/*
 * folio_test_hugetlb() of a compound page, where that is not a page type. Checked by:
 * tests/vm against /proc/kpageflags on v6.1.
 */
static __always_inline bool is_marked_hugetlb(const struct folio___dump *folio)
{
	unsigned long flags = 0;
	unsigned char dtor = 0;

	if (bpf_core_field_exists(struct folio___dump, _folio_dtor) ||
	    bpf_core_field_exists(struct page___dump, compound_dtor)) {
		if (bpf_core_field_exists(struct folio___dump, _folio_dtor))
			bpf_core_read(&dtor, sizeof(dtor), &folio->_folio_dtor);
		else
			bpf_core_read(&dtor, sizeof(dtor), &second_page(folio)->compound_dtor);
		return dtor ==
		       bpf_core_enum_value(enum compound_dtor_id___dump, HUGETLB_PAGE_DTOR___dump);
	}
	if (!bpf_core_enum_value_exists(enum pageflags___dump, PG_hugetlb___dump))
		return false;
	bpf_core_read(&flags, sizeof(flags), &folio->_flags_1);
	return flags >> bpf_core_enum_value(enum pageflags___dump, PG_hugetlb___dump) & 1;
}

/*
 * Mappings of a compound page as a whole, as stored. v6.3: _entire_mapcount of the
 * folio. Before: compound_mapcount of its second page. Checked by: tests/vm against
 * /proc/kpagecount.
 */
static __always_inline bool has_entire_mapcount(void)
{
	return bpf_core_field_exists(struct folio___dump, _entire_mapcount);
}

static __always_inline int entire_mapcount_of(const struct folio___dump *folio)
{
	int count = -1;

	if (has_entire_mapcount()) {
		bpf_core_read(&count, sizeof(count), &folio->_entire_mapcount);
	} else if (bpf_core_field_exists(struct page___dump, compound_mapcount)) {
		bpf_core_read(&count, sizeof(count), &second_page(folio)->compound_mapcount);
	}
	return count;
}

/* Before v6.1 it was in one struct page or another; nothing is said of it there. */
static __always_inline bool has_pincount(void)
{
	return bpf_core_field_exists(struct folio___dump, _pincount);
}

static __always_inline int pincount_of(const struct folio___dump *folio)
{
	int count = 0;

	if (has_pincount())
		bpf_core_read(&count, sizeof(count), &folio->_pincount);
	return count;
}

/* The slab cache of a slab page. v5.17: d122019bf061 ("mm: Split slab into its own type"). */
static __always_inline const struct kmem_cache___dump *slab_cache_of(__u64 head)
{
	const struct kmem_cache___dump *cache = NULL;
	const struct page___dump *page = (const void *)head;
	const struct slab___dump *slab = (const void *)head;

	if (bpf_core_field_exists(struct slab___dump, slab_cache))
		bpf_core_read(&cache, sizeof(cache), &slab->slab_cache);
	else
		bpf_core_read(&cache, sizeof(cache), &page->slab_cache);
	return cache;
}

/* The dentry that a node of inode->i_dentry is part of. v7.1 or so: no d_u around d_alias. */
static __always_inline const struct dentry___dump *dentry_of_alias(const void *node)
{
	if (bpf_core_field_exists(struct dentry___dump, d_u))
		return node - bpf_core_field_offset(struct dentry___dump, d_u);
	return node - bpf_core_field_offset(struct dentry___dump, d_alias);
}

#endif /* POBPF_KERNEL_COMPAT_BPF_H */
