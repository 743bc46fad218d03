// SPDX-License-Identifier: GPL-2.0-only
/*
 * What user space asks of the kernel before the walker can be loaded: addresses
 * of symbols and the bytes behind them. Without /proc/kcore, and with any
 * kptr_restrict.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include "pobpf/abi.h"

char LICENSE[] SEC("license") = "GPL";

/* Request and answer of peek; user space is the only caller, one call at a time. */
struct {
	__u64 address;
	__u32 nr_bytes; /* 0 ... POBPF_PEEK_BYTES */
	__s32 error;	/* 0 or a negative errno */
	__u8 bytes[POBPF_PEEK_BYTES];
} peek_request = {};

/* Request and answer of lookup_symbol. */
struct {
	char name[POBPF_KSYM_NAME_BYTES];
	__u64 address;
	__s32 error;
} symbol_request = {};

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

SEC("syscall")
int peek(void *ctx)
{
	__u32 nr_bytes = peek_request.nr_bytes;

	/* keeps the compiler from testing a copy, whose bound the verifier does not carry over */
	barrier_var(nr_bytes);
	if (nr_bytes > sizeof(peek_request.bytes)) {
		peek_request.error = -22; /* EINVAL */
		return 0;
	}
	peek_request.error = bpf_probe_read_kernel(peek_request.bytes, nr_bytes,
						   (const void *)peek_request.address);
	return 0;
}

SEC("syscall")
int lookup_symbol(void *ctx)
{
	__u64 address = 0;

	symbol_request.error = bpf_kallsyms_lookup_name(symbol_request.name,
							sizeof(symbol_request.name), 0, &address);
	symbol_request.address = address;
	return 0;
}

/*
 * The fallback where kptr_restrict hides addresses from kallsyms: the iterator
 * sees the true ones. Writes nothing to its file descriptor.
 */
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
