// SPDX-License-Identifier: GPL-2.0-only
/*
 * All that is known of one page, as mm/debug.c: dump_page() and
 * mm/page_owner.c: __dump_page_owner() would say. No hot path: probe reads
 * everywhere, so that no pointer found in kernel memory is followed unchecked.
 */
#define POBPF_PROBE_READS
#define POBPF_CGROUP_PATHS
#include "kernel_compat.bpf.h"
#include "memcg.bpf.h"
#include "page_walk.bpf.h"
#include "stack_programs.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* Request (pfn) and answer of read_page; one caller at a time, user space's own. */
struct pobpf_page_dump page_dump = {};

/*
 * PageSlab(): all bits of `flag` in page->flags, or the masked page type. Found by user space:
 * CO-RE of an enum that the kernel lacks makes libbpf search modules, which takes CAP_SYS_ADMIN.
 */
const volatile struct pobpf_slab_test slab_test = {};

/* Where a PFN lies in kernel memory. */
struct page_place {
	struct section_copy section;
	__u64 page;	/* address of its struct page */
	__u64 page_ext; /* address of its struct page_ext; 0: offline */
};

/* False if there is no memory at that PFN. */
static __always_inline bool find_page(__u64 pfn, struct page_place *place)
{
	if (!read_section(pfn >> layout.pfn_section_shift, &place->section) ||
	    !subsection_is_valid(&place->section, pfn))
		return false;
	place->page = (place->section.mem_map & layout.section_map_mask) +
		      pfn * bpf_core_type_size(struct page);
	place->page_ext = 0;
	if (place->section.page_ext && !(place->section.page_ext & PAGE_EXT_INVALID))
		place->page_ext = place->section.page_ext + pfn * layout.page_ext_size;
	return true;
}

/* Not one of these fields is from the same moment as another; user space reads twice. */
static __always_inline void read_struct_page(__u64 address, struct pobpf_struct_page *to)
{
	const struct page___dump *page = (const void *)address;

	to->flags = page_flags_word((void *)address);
	bpf_core_read(&to->mapping, sizeof(to->mapping), &page->mapping);
	to->index = page_index(page);
	bpf_core_read(&to->private_word, sizeof(to->private_word), &page->private);
	to->memcg_data = page_memcg_data((void *)address);
	bpf_core_read(&to->page_type, sizeof(to->page_type), &page->page_type);
	bpf_core_read(&to->refcount, sizeof(to->refcount), &page->_refcount);
}

/* Times that a struct page_owner is read before it is shown as it is. */
enum { OWNER_READS = 4 };

/* The bits of a page's state are the same, and so are its times (owner_has_changed()). */
static __always_inline bool owner_is_as_read(struct page_ext *ext, struct page_owner *owner,
					     unsigned long flags, const struct pobpf_owner *read)
{
	__u64 changed =
		(flags ^ KERNEL_READ(ext, flags)) & (layout.owner_bit | layout.owner_allocated_bit);

	changed |= read->ts_nsec ^ KERNEL_READ(owner, ts_nsec);
	changed |= read->free_ts_nsec ^ KERNEL_READ(owner, free_ts_nsec);
	return !changed;
}

/* False if it changed meanwhile. */
static __always_inline bool copy_page_owner(__u64 page_ext, struct pobpf_owner *to)
{
	struct page_ext *ext = (void *)page_ext;
	struct page_owner *owner = (void *)(page_ext + layout.page_owner_offset);
	const struct page_owner___freed *freed = (const void *)owner;
	unsigned long flags;

	to->ts_nsec = KERNEL_READ(owner, ts_nsec);
	if (bpf_core_read(&flags, sizeof(flags), &ext->flags))
		return true;
	to->bits = POBPF_OWNER_PRESENT;
	if (flags & layout.owner_bit)
		to->bits |= POBPF_OWNER_SET;
	if (flags & layout.owner_allocated_bit)
		to->bits |= POBPF_OWNER_ALLOCATED;
	to->free_ts_nsec = KERNEL_READ(owner, free_ts_nsec);
	to->gfp_mask = KERNEL_READ(owner, gfp_mask);
	to->handle = KERNEL_READ(owner, handle);
	to->pid = KERNEL_READ(owner, pid);
	to->tgid = read_owner_tgid(owner);
	to->order = KERNEL_READ(owner, order);
	to->last_migrate_reason = KERNEL_READ(owner, last_migrate_reason);
	read_owner_comm(owner, to->comm);
	bpf_core_read(&to->free_handle, sizeof(to->free_handle), &freed->free_handle);
	if (records_free_pid()) {
		to->bits |= POBPF_OWNER_FREE_PID;
		bpf_core_read(&to->free_pid, sizeof(to->free_pid), &freed->free_pid);
		bpf_core_read(&to->free_tgid, sizeof(to->free_tgid), &freed->free_tgid);
	}
	return owner_is_as_read(ext, owner, flags, to);
}

static __always_inline void read_page_owner(__u64 page_ext, struct pobpf_owner *to)
{
	if (!page_ext)
		return;
#pragma clang loop unroll(disable)
	for (int i = 0; i < OWNER_READS; i++)
		if (copy_page_owner(page_ext, to))
			return;
	to->bits |= POBPF_OWNER_TORN;
}

/* mm/page_alloc.c: is_free_buddy_page(): a free block's first page is the only one that says so. */
static __always_inline void find_buddy_block(__u64 page)
{
	__u64 pfn = page_dump.pfn;

	for (__u32 order = 0; order <= BUDDY_ORDER_MAX; order++) {
		__u64 head = pfn >> order << order;
		int found;

		if (order > layout.max_page_order)
			break;
		found = buddy_order(page - (pfn - head) * bpf_core_type_size(struct page));
		if (found < (int)order)
			continue;
		page_dump.bits |= POBPF_DUMP_BUDDY;
		page_dump.buddy_pfn = head;
		page_dump.buddy_order = found;
		return;
	}
}

/* compound_head(): the address of its struct page, or that of the page itself. */
static __always_inline __u64 find_compound_head(__u64 page)
{
	__u64 size = bpf_core_type_size(struct page);
	__u64 word = compound_word(page);
	__u64 head = page;

	if (word & 1) {
		head = head_of_tail(page, word);
	} else if (!(page & (PAGE_SIZE_MIN - 1))) {
		/*
		 * page_fixed_fake_head(): with HUGETLB_PAGE_OPTIMIZE_VMEMMAP what seems to be a
		 * head may be the first one seen again; the page behind it then knows better
		 */
		word = compound_word(page + size);
		if (word & 1 && head_of_tail(page + size, word) < page)
			head = head_of_tail(page + size, word);
	}
	/* a torn word must not make a head of something else */
	if (head > page || page - head >= size << OWNER_ORDER_MAX || (page - head) % size)
		return page;
	return head;
}

/* fs/inode.c: dump_mapping(), but only an inode's own address_space is taken for one. */
static __always_inline void read_inode(__u64 mapping)
{
	const struct address_space___dump *space = (const void *)mapping;
	const struct file_system_type___dump *type = NULL;
	const struct super_block___dump *sb = NULL;
	const struct inode___dump *inode = NULL;
	const struct dentry___dump *dentry;
	const void *alias = NULL;
	const void *name = NULL;

	if (!mapping || mapping & PAGE_MAPPING_FLAGS)
		return;
	bpf_core_read(&inode, sizeof(inode), &space->host);
	if (!inode || (__u64)inode + bpf_core_field_offset(struct inode___dump, i_data) != mapping)
		return;
	page_dump.bits |= POBPF_DUMP_INODE;
	bpf_core_read(&page_dump.inode, sizeof(page_dump.inode), &inode->i_ino);
	bpf_core_read(&sb, sizeof(sb), &inode->i_sb);
	bpf_probe_read_kernel_str(page_dump.s_id, sizeof(page_dump.s_id),
				  __builtin_preserve_access_index(&sb->s_id));
	bpf_core_read(&type, sizeof(type), &sb->s_type);
	bpf_core_read(&name, sizeof(name), &type->name);
	bpf_probe_read_kernel_str(page_dump.filesystem, sizeof(page_dump.filesystem), name);
	bpf_core_read(&alias, sizeof(alias), &inode->i_dentry.first);
	if (!alias)
		return;
	dentry = dentry_of_alias(alias);
	name = NULL;
	bpf_core_read(&name, sizeof(name), &dentry->d_name.name);
	bpf_probe_read_kernel_str(page_dump.file_name, sizeof(page_dump.file_name), name);
}

static __always_inline void read_slab_cache(__u64 head)
{
	const struct kmem_cache___dump *cache;
	const char *name = NULL;

	if (!(page_dump.head.flags & slab_test.flag) &&
	    (!slab_test.type_mask ||
	     (page_dump.head.page_type & slab_test.type_mask) != slab_test.type_value))
		return;
	cache = slab_cache_of(head);
	bpf_core_read(&name, sizeof(name), &cache->name);
	bpf_probe_read_kernel_str(page_dump.slab_cache, sizeof(page_dump.slab_cache), name);
}

static __always_inline void read_memcg(void)
{
	struct memcg_memo memo = {.memcg_data = page_dump.head.memcg_data};

	if (!memo.memcg_data)
		return;
	if (resolve_memcg(&memo) == MEMCG_UNKNOWN) {
		page_dump.bits |= POBPF_DUMP_NO_CGROUP;
		return;
	}
	page_dump.memcg_flags = memo.flags;
	page_dump.cgroup_id = memo.cgroup_id;
}

/*
 * Reads one page. Nothing is locked: the page may change, and memory may go
 * offline, meanwhile. Reads of what is gone fail and leave zero.
 */
SEC("syscall")
int read_page(void *ctx)
{
	struct page_place place = {}, head_place = {};
	__u64 pfn = page_dump.pfn;
	__u64 head, head_pfn;
	__u8 byte;

	if (!find_page(pfn, &place)) {
		page_dump.bits = POBPF_DUMP_ABSENT;
		return 0;
	}
	if (!place.page_ext) {
		page_dump.bits = POBPF_DUMP_OFFLINE;
		return 0;
	}
	if (bpf_probe_read_kernel(&byte, sizeof(byte), (const void *)place.page)) {
		page_dump.bits = POBPF_DUMP_UNREADABLE;
		return 0;
	}
	read_page_owner(place.page_ext, &page_dump.owner);
	page_dump.pageblock_migratetype = pageblock_migratetype(&place.section, pfn);
	read_struct_page(place.page, &page_dump.page);
	find_buddy_block(place.page);

	head = find_compound_head(place.page);
	page_dump.compound_pfn = pfn - (place.page - head) / bpf_core_type_size(struct page);
	if (head != place.page)
		page_dump.bits |= POBPF_DUMP_TAIL;
	read_struct_page(head, &page_dump.head);
	page_dump.second_flags = page_flags_word((void *)(head + bpf_core_type_size(struct page)));
	page_dump.compound_order = compound_order_of((const void *)head);
	page_dump.entire_mapcount = entire_mapcount_of((const void *)head);
	page_dump.pincount = pincount_of((const void *)head);
	if (!has_pincount())
		page_dump.bits |= POBPF_DUMP_NO_PINCOUNT;
	if (has_entire_mapcount())
		page_dump.bits |= POBPF_DUMP_ENTIRE_COUNT;
	if (is_marked_hugetlb((const void *)head))
		page_dump.bits |= POBPF_DUMP_HUGETLB;
	read_inode(page_dump.head.mapping);
	read_slab_cache(head);
	read_memcg();

	head_pfn = pfn;
	if (page_dump.owner.order <= OWNER_ORDER_MAX)
		head_pfn = pfn >> page_dump.owner.order << page_dump.owner.order;
	page_dump.owner_head_pfn = head_pfn;
	if (head_pfn != pfn && find_page(head_pfn, &head_place))
		read_page_owner(head_place.page_ext, &page_dump.owner_head);
	return 0;
}
