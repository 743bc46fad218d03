/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `pobpf page`: one page, as read_page answers it. Numbers as they stand in kernel
 * memory; src/model/page_report.cpp says what they mean.
 */
#ifndef POBPF_PAGE_DUMP_H
#define POBPF_PAGE_DUMP_H

#include "pobpf/types.h"

enum {
	POBPF_NAME_BYTES = 64, /* file, slab cache: cut, NUL-terminated */
	POBPF_S_ID_BYTES = 32, /* super_block.s_id */
};

/* Flags of struct pobpf_owner. */
enum pobpf_owner_bits {
	POBPF_OWNER_PRESENT = 1 << 0,	/* there is a page_ext, and it could be read */
	POBPF_OWNER_SET = 1 << 1,	/* PAGE_EXT_OWNER */
	POBPF_OWNER_ALLOCATED = 1 << 2, /* PAGE_EXT_OWNER_ALLOCATED */
	POBPF_OWNER_FREE_PID = 1 << 3,	/* this kernel records free_pid and free_tgid */
	POBPF_OWNER_TORN = 1 << 4,	/* it changed each time that it was read */
};

/* struct page_owner of one page. */
struct pobpf_owner {
	__u64 ts_nsec;
	__u64 free_ts_nsec;
	__u32 bits; /* enum pobpf_owner_bits */
	__u32 gfp_mask;
	__u32 handle;
	__u32 free_handle;
	__s32 pid;
	__s32 tgid;
	__s32 free_pid;
	__s32 free_tgid;
	__u16 order;
	__s16 last_migrate_reason;
	__u32 reserved;
	__u8 comm[POBPF_COMM_BYTES];
};
POBPF_ASSERT_SIZE(struct pobpf_owner, 72);

/* Members of one struct page. */
struct pobpf_struct_page {
	__u64 flags;
	__u64 mapping; /* with its low flag bits */
	__u64 index;
	__u64 private_word;
	__u64 memcg_data;
	__u32 page_type; /* or _mapcount: the same word */
	__s32 refcount;
};
POBPF_ASSERT_SIZE(struct pobpf_struct_page, 48);

enum pobpf_page_dump_bits {
	POBPF_DUMP_ABSENT = 1 << 0,	/* pfn_valid() is false; nothing else is set */
	POBPF_DUMP_OFFLINE = 1 << 1,	/* its section has no page_ext; nothing else is set */
	POBPF_DUMP_UNREADABLE = 1 << 2, /* its struct page could not be read */
	POBPF_DUMP_BUDDY = 1 << 3,	/* in a free block: buddy_pfn, buddy_order */
	POBPF_DUMP_TAIL = 1 << 4,	/* PageTail(): head differs from page */
	POBPF_DUMP_INODE = 1 << 5,	/* mapping is an inode's page cache: inode to file_name */
	POBPF_DUMP_ENTIRE_COUNT = 1
				  << 6,	 /* v6.3: folio->_entire_mapcount; else compound_mapcount */
	POBPF_DUMP_NO_CGROUP = 1 << 7,	 /* memcg_data is set, but does not lead to a cgroup */
	POBPF_DUMP_HUGETLB = 1 << 8,	 /* before v6.9: if compound, a page of hugetlb */
	POBPF_DUMP_NO_PINCOUNT = 1 << 9, /* before v6.1: pincount is not known */
};

/* How to tell a slab page; zero where the kernel has no such way. */
struct pobpf_slab_test {
	__u64 flag;	 /* v6.10 and before: PG_slab, a bit of page->flags */
	__u32 type_mask; /* since then: (page_type & type_mask) == type_value */
	__u32 type_value;
};
POBPF_ASSERT_SIZE(struct pobpf_slab_test, 16);

struct pobpf_page_dump {
	__u64 pfn;	      /* the request; user space zeroes the rest */
	__u64 buddy_pfn;      /* first page of the free block */
	__u64 compound_pfn;   /* compound head; the page itself if it is none */
	__u64 owner_head_pfn; /* first page of the allocation, by owner.order */
	__u32 bits;	      /* enum pobpf_page_dump_bits */
	__u32 buddy_order;
	__u32 pageblock_migratetype;
	__u32 memcg_flags; /* enum pobpf_memcg_flags */
	__u64 cgroup_id;
	struct pobpf_struct_page page;
	struct pobpf_struct_page head; /* of the compound page */
	/* second page of the compound page; only where `head` has the flag */
	__u64 second_flags;
	__s32 entire_mapcount; /* as stored: one less than the count */
	__s32 pincount;
	__u32 compound_order;
	__u32 reserved;
	struct pobpf_owner owner;
	struct pobpf_owner owner_head; /* of owner_head_pfn, if that is another page */
	__u64 inode;
	char s_id[POBPF_S_ID_BYTES];
	char filesystem[POBPF_S_ID_BYTES]; /* file_system_type.name */
	char file_name[POBPF_NAME_BYTES];  /* last component of its first dentry; may be empty */
	char slab_cache[POBPF_NAME_BYTES]; /* empty: no slab page */
};
POBPF_ASSERT_SIZE(struct pobpf_page_dump, 32 + 16 + 8 + 96 + 24 + 144 + 8 + 192);

#endif /* POBPF_PAGE_DUMP_H */
