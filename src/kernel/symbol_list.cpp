// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/symbol_list.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "kernel/kallsyms.h"
#include "kernel/libbpf_log.h"
#include "pobpf/stream.h"
#include "symbol_list.skel.h"
#include "util/fd.h"

namespace pobpf {

Status list_symbols(const SymbolSources& sources, const SymbolStream::Callback& on_symbol) {
  if (!sources.has_iterator) return read_kallsyms(kKallsyms, on_symbol);
  const LibbpfCall opening;
  const std::unique_ptr<symbol_list_bpf, decltype(&symbol_list_bpf__destroy)> list(
      symbol_list_bpf__open(), symbol_list_bpf__destroy);
  if (!list) return fail(opening.error("opening the list of symbols", errno));
  if (const LibbpfCall loading; symbol_list_bpf__load(list.get()) != 0)
    return fail(loading.error("loading the list of symbols", errno));
  const LibbpfCall attaching;
  bpf_link* link = bpf_program__attach_iter(list->progs.list_symbols, nullptr);
  if (link == nullptr) return fail(attaching.error("attaching the list of symbols", errno));
  const Fd iterator(bpf_iter_create(bpf_link__fd(link)));
  bpf_link__destroy(link);
  if (!iterator) return fail(libbpf_error("starting the list of symbols", errno));
  SymbolStream stream(on_symbol);
  std::array<std::byte, POBPF_READ_BYTES> buffer{};
  while (true) {
    const ssize_t length = ::read(iterator.get(), buffer.data(), buffer.size());
    if (length == 0) return stream.finish();
    if (length > 0) {
      stream.feed(std::span(buffer).first(static_cast<std::size_t>(length)));
      continue;
    }
    // the kernel asks us to come again after a million symbols without output
    if (errno != EAGAIN && errno != EINTR)
      return fail(libbpf_error("reading the list of symbols", errno));
  }
}

bool is_function(const pobpf_symbol& symbol) {
  return symbol.type == 'T' || symbol.type == 't' || symbol.type == 'W' || symbol.type == 'w';
}

std::string_view name_in_source(std::string_view symbol) {
  return symbol.substr(0, symbol.find('.'));
}

}  // namespace pobpf
