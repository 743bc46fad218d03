// SPDX-License-Identifier: GPL-2.0-only
/* Addresses of symbols where kptr_restrict hides them from everything else. */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include "pobpf/abi.h"

char LICENSE[] SEC("license") = "GPL";

/*
 * Symbols that find_symbols looks for; user space writes the names with address 0
 * and reads the addresses. A few dozen elements of 32 + 16 bytes.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct pobpf_ksym_name);
	__type(value, struct pobpf_ksym);
} wanted_symbols SEC(".maps");

/* The iterator sees the true addresses. Writes nothing to its file descriptor. */
SEC("iter/ksym")
int find_symbols(struct bpf_iter__ksym *ctx)
{
	struct kallsym_iter *iter = ctx->ksym;
	struct pobpf_ksym_name key = {};
	struct pobpf_ksym *found;

	/* module symbols: the kernel's own variables are looked for */
	if (!iter || iter->module_name[0])
		return 0;
	if (bpf_probe_read_kernel_str(key.name, sizeof(key.name), iter->name) < 0)
		return 0;
	found = bpf_map_lookup_elem(&wanted_symbols, &key);
	if (!found)
		return 0;
	if (!found->nr_found)
		found->address = iter->value;
	found->nr_found++;
	return 0;
}
