// SPDX-License-Identifier: GPL-2.0-only
/* All symbols with their true addresses, whatever kptr_restrict says. */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include "pobpf/abi.h"

char LICENSE[] SEC("license") = "GPL";

enum {
	NAME_CHUNK_BYTES = 256,
	/* KSYM_NAME_LEN is 512: two chunks of 255 bytes and the NUL do not hold it */
	NAME_CHUNKS_MAX = 3,
};

/* Writes a string with its NUL. The stack has no room for the longest one at once. */
static __always_inline void write_string(void *seq, const char *string)
{
	char chunk[NAME_CHUNK_BYTES];

	for (int i = 0; i < NAME_CHUNKS_MAX; i++) {
		long nr_bytes = bpf_probe_read_kernel_str(chunk, sizeof(chunk), string);

		if (nr_bytes <= 0 || nr_bytes > NAME_CHUNK_BYTES)
			break;
		if (nr_bytes < NAME_CHUNK_BYTES) {
			bpf_seq_write(seq, chunk, nr_bytes);
			return;
		}
		/* it may go on: the NUL that ends the chunk is not of the string */
		bpf_seq_write(seq, chunk, NAME_CHUNK_BYTES - 1);
		string += NAME_CHUNK_BYTES - 1;
	}
	chunk[0] = 0;
	bpf_seq_write(seq, chunk, 1);
}

static __always_inline int is_function(char type)
{
	return type == 'T' || type == 't' || type == 'W' || type == 'w';
}

/* Data symbols come without a name, as they only end what is before them. */
SEC("iter/ksym")
int list_symbols(struct bpf_iter__ksym *ctx)
{
	struct kallsym_iter *iter = ctx->ksym;
	struct pobpf_symbol symbol = {};
	void *seq = ctx->meta->seq;

	if (!iter)
		return 0;
	symbol.address = iter->value;
	symbol.type = iter->type;
	symbol.is_module = iter->module_name[0] != 0;
	symbol.has_name = symbol.is_module || is_function(symbol.type);
	bpf_seq_write(seq, &symbol, sizeof(symbol));
	if (symbol.has_name)
		write_string(seq, iter->name);
	return 0;
}
