/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What print_pages and user space share: the kernel's names, the ranges of a pin,
 * and how a pin says what it is. C11 and C++, as abi.h.
 *
 * struct pobpf_pin is read by other versions of pobpf: what stands before
 * pobpf_pin::abi never changes. What stands behind it changes together with POBPF_PIN_ABI.
 */
#ifndef POBPF_PIN_ABI_H
#define POBPF_PIN_ABI_H

#include "pobpf/abi.h"

/* Name of the map that holds struct pobpf_pin: no other program of the machine has one. */
#define POBPF_PIN_MAP "pobpf_pin"
#define POBPF_PIN_MAGIC 0x6e6970667062706fULL /* "opbpfpin" */

enum {
	/* counts up with every change of struct pobpf_pin, all that others read of a pin */
	POBPF_PIN_ABI = 3,
	/* name tables have powers of two rows, so that an index can be masked */
	POBPF_FLAG_ROWS = 64,
	POBPF_FIELD_ROWS = 8,
	POBPF_MIGRATETYPE_ROWS = 16,
	POBPF_REASON_ROWS = 64,
	POBPF_FLAG_NAME_BYTES = 32, /* with its NUL */
	/* pages that one call of the program looks at: 1 ms or so without a match */
	POBPF_TICKET_PAGES = 1 << 15,
	/* MAX_ITER_OBJECTS of kernel/bpf/bpf_iter.c: more elements without a byte end in EAGAIN */
	POBPF_TICKETS_MAX = 1000000,
	POBPF_TICKET_BITS = 20, /* of a number up to POBPF_TICKETS_MAX */
	POBPF_ENDS = 256,	/* elements of the ends map, a power of two */
	POBPF_PIN_VIEW_BYTES = 1024,
	POBPF_PIN_VERSION_BYTES = 32,
};

/* A row of gfpflag_names or pageflag_names. */
struct pobpf_flag_name {
	__u64 mask;
	char name[POBPF_FLAG_NAME_BYTES];
};
POBPF_ASSERT_SIZE(struct pobpf_flag_name, 40);

/* A row of pff[] of lib/vsprintf.c: a number in page->flags. */
struct pobpf_flag_field {
	__u64 mask;
	__u32 shift;
	__u32 is_hex; /* printed as 0x... */
	char name[POBPF_FLAG_NAME_BYTES];
};
POBPF_ASSERT_SIZE(struct pobpf_flag_field, 48);

/* All that decides the text besides the page: KernelFacts, in arrays. */
struct pobpf_text_facts {
	struct pobpf_flag_name gfp_names[POBPF_FLAG_ROWS];
	struct pobpf_flag_name page_flag_names[POBPF_FLAG_ROWS];
	struct pobpf_flag_field page_flag_fields[POBPF_FIELD_ROWS];
	char migratetype_names[POBPF_MIGRATETYPE_ROWS][POBPF_FLAG_NAME_BYTES];
	char migrate_reason_names[POBPF_REASON_ROWS][POBPF_FLAG_NAME_BYTES];
	__u64 named_page_flags; /* bits that page_flag_names has */
	__u32 nr_gfp_names;
	__u32 nr_page_flag_names;
	__u32 nr_page_flag_fields;
	__s32 migrate_reason_never;
	__u32 is_pfn_decimal;
	__u32 shows_free_ts;
	__u32 omits_charges;
	/* bytes of the longest record without its stack: what must be free to begin one */
	__u32 record_bytes_max;
	/* bytes of the longest line of a stack */
	__u32 frame_bytes_max;
	__u32 reserved;
};
POBPF_ASSERT_SIZE(struct pobpf_text_facts, 2 * 64 * 40 + 8 * 48 + 16 * 32 + 64 * 32 + 48);

/* Element of a pin's ranges map: [begin, end), ascending, disjoint. */
struct pobpf_pfn_range {
	__u64 begin;
	__u64 end;
};
POBPF_ASSERT_SIZE(struct pobpf_pfn_range, 16);

/* Where one reader of a pin (one open file) stands. Value of the sessions map. */
struct pobpf_position {
	__u64 session; /* bpf_iter_meta::session_id, once more: elements are recycled */
	__u64 start;   /* where call number `ticket` began: a PFN of range start_range */
	__u64 next;    /* where the call after it begins */
	__u32 start_range;
	__u32 next_range;
	__u32 ticket;
	__u32 is_at_end; /* call number `ticket` came to the end of the view */
};
POBPF_ASSERT_SIZE(struct pobpf_position, 40);

/* The one element of the map that makes a link a pin of ours. */
struct pobpf_pin {
	__u64 magic;			       /* POBPF_PIN_MAGIC */
	char version[POBPF_PIN_VERSION_BYTES]; /* of the pobpf that made it */
	__u32 abi;			       /* POBPF_PIN_ABI */
	__u32 nr_ranges;
	__u64 nr_pages;			      /* in the ranges */
	__u32 mode;			      /* enum pobpf_mode */
	__u32 has_nodes;		      /* 1: nid_mask counts */
	__u64 nid_mask[POBPF_MAX_NODES / 64]; /* bit nid set: wanted */
	char view[POBPF_PIN_VIEW_BYTES]; /* the filters as they were given; ends with "..." if cut
					  */
};
POBPF_ASSERT_SIZE(struct pobpf_pin, 64 + 128 + POBPF_PIN_VIEW_BYTES);

#endif /* POBPF_PIN_ABI_H */
