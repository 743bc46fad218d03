/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything in BPF that differs between kernels, decided by BTF, never by
 * version. Newest kernel first. Only this file says ___flavour or
 * bpf_core_field_exists; facts that BTF cannot tell are in struct pobpf_layout.
 */
#ifndef POBPF_KERNEL_COMPAT_BPF_H
#define POBPF_KERNEL_COMPAT_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include "pobpf/abi.h"

const volatile struct pobpf_layout layout = {};

/*
 * v6.2: fd264ca02094 ("bpf: Add a kfunc to type cast from bpf uapi ctx to kernel
 * ctx") and its sibling bpf_rdonly_cast: loads become single instructions with
 * an exception table entry. Before: bpf_probe_read_kernel(), 2 to 3 times slower.
 * Two objects of one source, as looking for a kfunc that is missing takes
 * CAP_SYS_ADMIN; user space picks one, and `--no-feature rdonly-cast` picks the
 * old way. Checked by: tests/vm, both on each kernel that has both.
 *
 * KERNEL_PTR makes a pointer to a kernel type of an address; KERNEL_READ reads a
 * member through it, 0 if the address cannot be read.
 */
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
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym;
#define KERNEL_PTR(type, address)                                                                  \
	((type *)bpf_rdonly_cast((void *)(address), bpf_core_type_id_kernel(type)))
#define KERNEL_READ(ptr, field) ((ptr)->field)
#endif

struct memdesc_flags___v618 {
	unsigned long f;
} __attribute__((preserve_access_index));

struct page___v618 {
	struct memdesc_flags___v618 flags;
} __attribute__((preserve_access_index));

/* Members of struct page that some kernels have. One flavour: libbpf searches all types for each.
 */
struct page___members {
	unsigned long flags;	     /* before v6.18 */
	unsigned long memcg_data;    /* CONFIG_MEMCG */
	unsigned long compound_info; /* since v7.1 */
	unsigned long compound_head; /* before v7.1 */
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

/*
 * PageTail(). v7.1: compound_info. Before: compound_head; bit 0 says tail in both.
 * From v6.15 on tail pages keep folio fields where memcg_data is, so the kernel
 * (and this) asks first; before, tail pages had none. A typed load would be of
 * the list pointers in the same place, on which the verifier allows no bits.
 */
static __always_inline bool page_is_tail(const struct page *page)
{
	unsigned long word = 0;

	if (bpf_core_field_exists(struct page___members, compound_info))
		bpf_core_read(&word, sizeof(word), &((struct page___members *)page)->compound_info);
	else
		bpf_core_read(&word, sizeof(word), &((struct page___members *)page)->compound_head);
	return word & 1;
}

/* One flavour for all members: libbpf searches all types of the kernel for each. */
struct kernfs_node___members {
	__u64 id;
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
	const struct kernfs_node___members *parent = NULL;

	if (bpf_core_field_exists(struct kernfs_node___members, __parent))
		bpf_core_read(&parent, sizeof(parent), &kn->__parent);
	else
		bpf_core_read(&parent, sizeof(parent), &kn->parent);
	return parent;
}

struct mem_cgroup___css {
	struct cgroup_subsys_state css;
} __attribute__((preserve_access_index));

struct obj_cgroup___memcg {
	struct mem_cgroup___css *memcg;
} __attribute__((preserve_access_index));

/* MEMCG_DATA_OBJCGS, renamed MEMCG_DATA_OBJEXTS in v6.10: the same bit in all versions. */
#define MEMCG_DATA_OBJEXTS_BIT (1UL << 0)
/* MEMCG_DATA_KMEM: the same bit in all versions. */
#define MEMCG_DATA_KMEM_BIT (1UL << 1)
/* v6.10 uses bit 2 as well; it is never set in a pointer, as slab objects are 8-byte aligned. */
#define MEMCG_DATA_FLAGS 7UL
/* CSS_ONLINE of an anonymous enum in linux/cgroup-defs.h: the same bit in all versions. */
#define CSS_ONLINE_BIT (1U << 1)

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
	__u64 address = memcg_data & ~MEMCG_DATA_FLAGS;
	const struct mem_cgroup___css *memcg = (const void *)address;
	const struct obj_cgroup___memcg *objcg = (const void *)address;
	__u64 subsys = 0;

	if (!layout.memory_cgrp_subsys || !address)
		return 0;
	if (!(memcg_data & MEMCG_DATA_KMEM_BIT)) {
		bpf_core_read(&subsys, sizeof(subsys), &memcg->css.ss);
		if (subsys == layout.memory_cgrp_subsys)
			return address;
	}
	if (!bpf_core_type_exists(struct obj_cgroup___memcg))
		return 0;
	bpf_core_read(&memcg, sizeof(memcg), &objcg->memcg);
	bpf_core_read(&subsys, sizeof(subsys), &memcg->css.ss);
	return subsys == layout.memory_cgrp_subsys ? (__u64)memcg : 0;
}

struct stack_record___any {
	__u32 size;
	union handle_parts handle;
	unsigned long entries[1];
} __attribute__((preserve_access_index));

/* Bytes that a seq_file holds for its reader, and those it can still take; the last one it never
 * does.
 */
static __always_inline __u32 seq_file_count(const struct seq_file *seq)
{
	return seq->count;
}

static __always_inline __u32 seq_file_room(const struct seq_file *seq)
{
	return seq->size - seq->count - 1;
}

/* Of struct pid_namespace, struct xa_node and struct pid: find_pid_ns(). The same since v4.20. */
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

struct pid___tasks {
	void *tasks[4]; /* struct hlist_head: one pointer */
} __attribute__((preserve_access_index));

/* xa_mk_internal() of include/linux/xarray.h: what is added to the address of a node. */
#define XA_NODE_BITS 2UL

struct comm_words {
	__u64 word[POBPF_COMM_BYTES / 8];
};

/* page_owner.comm (v5.18) as two words: the verifier allows wide loads inside a char array. */
static __always_inline void read_owner_comm(struct page_owner *owner, __u8 *comm)
{
	const struct comm_words *from = (const void *)&owner->comm;
	struct comm_words *to = (void *)comm;

#ifdef POBPF_PROBE_READS
	if (bpf_probe_read_kernel(to, sizeof(*to), from)) {
		to->word[0] = 0;
		to->word[1] = 0;
	}
#else
	to->word[0] = from->word[0];
	to->word[1] = from->word[1];
#endif
}

#endif /* POBPF_KERNEL_COMPAT_BPF_H */
