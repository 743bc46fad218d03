// SPDX-License-Identifier: GPL-2.0-only
/*
 * What user space asks of the kernel before the walker can be loaded: addresses
 * of symbols and the bytes behind them, without /proc/kcore. No CO-RE in here, so
 * that libbpf need not read the kernel's BTF for it.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "pobpf/abi.h"

#define EINVAL 22

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

SEC("syscall")
int peek(void *ctx)
{
	__u32 nr_bytes = peek_request.nr_bytes;

	/* keeps the compiler from testing a copy, whose bound the verifier does not carry over */
	barrier_var(nr_bytes);
	if (nr_bytes > sizeof(peek_request.bytes)) {
		peek_request.error = -EINVAL;
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
