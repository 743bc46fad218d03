/* SPDX-License-Identifier: GPL-2.0-only */
/* The words of mm/page_owner.c: print_page_owner_memcg() for a page, and the names of cgroups. */
#ifndef POBPF_MEMCG_BPF_H
#define POBPF_MEMCG_BPF_H

#include "kernel_compat.bpf.h"

/*
 * Names of the cgroups that records and groups refer to: a fact of the machine, the
 * same for all readers. Written by whoever reads pages, emptied by user space when it
 * begins to read anew. Elements are allocated as they come; a bucket is 16 bytes.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct pobpf_cgroup);
} cgroups SEC(".maps");

/* cgroup.max.depth has no limit of its own; no real hierarchy is deeper. */
#define CGROUP_DEPTH_MAX 64

static __always_inline const struct kernfs_node___members *
cgroup_kernfs_node(const struct mem_cgroup___css *memcg)
{
	const struct cgroup *cgroup = (const void *)KERNEL_WORD(memcg, css.cgroup);

	return (const void *)KERNEL_WORD(cgroup, kn);
}

/* The directory of the cgroup that a page is charged to; NULL if it cannot be told. */
static __always_inline const struct kernfs_node___members *memcg_kernfs_node(__u64 memcg_data)
{
	const struct mem_cgroup___css *memcg = (const void *)memcg_of(memcg_data);

	return memcg ? cgroup_kernfs_node(memcg) : NULL;
}

/*
 * Straight into the map, as the stack has no room for it; not 0 if it cannot be read.
 * Most of the time it is the name that is there: renaming makes another string, which
 * may lie where an older one lay, so the hash is compared as well.
 */
static __always_inline long read_cgroup_name(struct pobpf_cgroup *to,
					     const struct kernfs_node___members *kn)
{
	__u64 name = KERNEL_WORD(kn, name);
	__u32 hash = KERNEL_WORD(kn, hash);

	if (to->name_address == name && to->name_hash == hash)
		return 0;
	if (!kernfs_parent(kn)) {
		to->name[0] = '/';
		return 0;
	}
	if (bpf_probe_read_kernel_str(to->name, sizeof(to->name), (const void *)name) < 0)
		return -1;
	to->name_address = name;
	to->name_hash = hash;
	return 0;
}

/* Pins print last names only, and one call more is too many for the stack of print_pages on 6.1. */
#ifdef POBPF_CGROUP_PATHS

/*
 * Paths of the cgroups that records and groups refer to, level by level up to the root. Written
 * and emptied as the names.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct pobpf_cgroup_level);
} cgroup_paths SEC(".maps");

/* Whether the path ends here: at what is in the map already, has no room there, or no name. */
__noinline int note_level(__u64 node)
{
	const struct kernfs_node___members *kn = (const void *)node, *parent;
	static const struct pobpf_cgroup_level no_level = {};
	struct pobpf_cgroup_level *level;
	__u64 id = KERNEL_WORD(kn, id);

	if (!id || bpf_map_lookup_elem(&cgroup_paths, &id))
		return 1;
	bpf_map_update_elem(&cgroup_paths, &id, &no_level, BPF_NOEXIST);
	level = bpf_map_lookup_elem(&cgroup_paths, &id);
	if (!level)
		return 1;
	parent = kernfs_parent(kn);
	if (!parent) {
		level->name[0] = '/';
		return 1;
	}
	level->parent_id = KERNEL_WORD(parent, id);
	return bpf_probe_read_kernel_str(level->name, sizeof(level->name),
					 (const void *)KERNEL_WORD(kn, name)) < 0;
}

/* The levels above one that is known are known, too. */
static __always_inline void note_path(const struct kernfs_node___members *kn)
{
#pragma clang loop unroll(disable)
	for (int level = 0; level < CGROUP_DEPTH_MAX; level++) {
		if (!kn || note_level((__u64)kn))
			break;
		kn = kernfs_parent(kn);
	}
}

#else

static __always_inline void note_path(const struct kernfs_node___members *kn)
{
}

#endif /* POBPF_CGROUP_PATHS */

/* The last memcg_data word and what it meant: neighbours mostly share it. */
struct memcg_memo {
	__u64 memcg_data;
	__u64 cgroup_id;
	__u32 flags; /* enum pobpf_memcg_flags */
	__u32 state; /* enum memcg_state */
};

/* How much is known of what a page is charged to. */
enum memcg_state {
	MEMCG_NONE, /* to nothing */
	MEMCG_KNOWN,
	MEMCG_UNNAMED, /* its id, but not its name: no room for it, or it cannot be read */
	MEMCG_UNKNOWN,
};

/* Resolves the word in memo->memcg_data; enum memcg_state. */
__noinline int resolve_memcg(struct memcg_memo *memo)
{
	const struct mem_cgroup___css *memcg;
	const struct kernfs_node___members *kn;
	static const struct pobpf_cgroup no_name = {};
	struct pobpf_cgroup *name;
	bool has_name;
	__u64 memcg_data;
	__u64 id;

	if (!memo)
		return MEMCG_UNKNOWN;
	memcg_data = memo->memcg_data;
	memo->cgroup_id = 0;
	memo->flags = 0;
	if (memcg_data & MEMCG_DATA_OBJEXTS) {
		memo->flags = POBPF_MEMCG_SLAB;
		return MEMCG_KNOWN;
	}
	memcg = (const void *)memcg_of(memcg_data);
	if (!memcg)
		return MEMCG_UNKNOWN;
	kn = cgroup_kernfs_node(memcg);
	id = KERNEL_WORD(kn, id);
	if (!id)
		return MEMCG_UNKNOWN;
	name = bpf_map_lookup_elem(&cgroups, &id);
	if (!name) {
		/* another run may have been first */
		bpf_map_update_elem(&cgroups, &id, &no_name, BPF_NOEXIST);
		name = bpf_map_lookup_elem(&cgroups, &id);
		if (name)
			note_path(kn);
	}
	has_name = name && !read_cgroup_name(name, kn);
	memo->cgroup_id = id;
	memo->flags = POBPF_MEMCG_CHARGED;
	if (memcg_data & MEMCG_DATA_KMEM)
		memo->flags |= POBPF_MEMCG_OBJCG;
	if (!(KERNEL_WORD(memcg, css.flags) & CSS_ONLINE))
		memo->flags |= POBPF_MEMCG_OFFLINE;
	return has_name ? MEMCG_KNOWN : MEMCG_UNNAMED;
}

/* Leaves in the memo what a page is charged to, if it is known. Returns enum memcg_state. */
static __always_inline int find_memcg(struct page *page, struct memcg_memo *memo)
{
	__u64 memcg_data = page_memcg_data(page);

	if (!memcg_data)
		return MEMCG_NONE;
	/* a word that was resolved is not a folio field of a tail page: they are small numbers */
	if (memcg_data == memo->memcg_data && memo->state == MEMCG_KNOWN)
		return MEMCG_KNOWN;
	if (page_is_tail(page))
		return MEMCG_NONE;
	memo->memcg_data = memcg_data;
	memo->state = resolve_memcg(memo);
	return memo->state;
}

#endif /* POBPF_MEMCG_BPF_H */
