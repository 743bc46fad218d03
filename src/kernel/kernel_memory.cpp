// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/kernel_memory.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <unordered_set>

#include "facts.skel.h"
#include "kernel/kallsyms.h"
#include "kernel/libbpf_log.h"
#include "kernel/run_program.h"
#include "ksyms.skel.h"
#include "pobpf/facts.h"
#include "util/fd.h"
#include "util/report_hint.h"

namespace pobpf {
namespace {

constexpr std::array kAnywhere{AddressRange{0, UINT64_MAX}};

}  // namespace

void KernelMemory::Deleter::operator()(facts_bpf* skeleton) const { facts_bpf__destroy(skeleton); }

Result<KernelMemory> KernelMemory::open(const std::vector<std::string>& symbols,
                                        const SymbolSources& sources,
                                        NamePredicate is_function_wanted) {
  const LibbpfCall opening;
  facts_bpf* skeleton = facts_bpf__open();
  if (skeleton == nullptr) return fail(opening.error("opening the facts programs", errno));
  KernelMemory memory(skeleton, sources, std::move(is_function_wanted));
  bpf_program__set_autoload(skeleton->progs.lookup_symbol, sources.has_lookup);
  if (const LibbpfCall loading; facts_bpf__load(skeleton) != 0)
    return fail(loading.error("loading the facts programs", errno));

  bool found = symbols.empty();
  if (sources.has_lookup && !found) {
    auto looked_up = memory.look_up_symbols(symbols);
    if (!looked_up) return fail(std::move(looked_up).error());
    found = *looked_up;
  }
  if (found) return memory;
  memory.symbol_source_ = sources.has_iterator ? "ksym iterator" : kKallsyms;
  auto status =
      sources.has_iterator ? memory.iterate_symbols(symbols) : memory.read_symbols(symbols);
  if (!status) return fail(std::move(status).error());
  return memory;
}

Result<bool> KernelMemory::look_up_symbols(const std::vector<std::string>& symbols) {
  auto& request = skeleton_->bss->symbol_request;
  for (const auto& name : symbols) {
    // the helper asks for the terminating NUL at the end of the whole buffer
    std::memset(request.name, 0, sizeof(request.name));
    name.copy(request.name, sizeof(request.name) - 1);
    if (auto status = run_program(skeleton_->progs.lookup_symbol); !status)
      return fail(std::move(status).error());
    if (request.error == -EPERM) return false;
    if (request.error == 0 && request.address != 0) symbols_[name] = request.address;
  }
  return true;
}

Status KernelMemory::iterate_symbols(const std::vector<std::string>& symbols) {
  const LibbpfCall opening;
  const std::unique_ptr<ksyms_bpf, decltype(&ksyms_bpf__destroy)> ksyms(ksyms_bpf__open(),
                                                                        ksyms_bpf__destroy);
  if (!ksyms) return fail(opening.error("opening the symbol iterator", errno));
  if (const LibbpfCall loading; ksyms_bpf__load(ksyms.get()) != 0)
    return fail(loading.error("loading the symbol iterator", errno));
  const int map = bpf_map__fd(ksyms->maps.wanted_symbols);
  const auto key_of = [](const std::string& name) {
    pobpf_ksym_name key{};
    name.copy(key.name, sizeof(key.name) - 1);
    return key;
  };
  for (const auto& name : symbols) {
    const pobpf_ksym_name key = key_of(name);
    const pobpf_ksym nothing{};
    if (const int error = bpf_map_update_elem(map, &key, &nothing, BPF_ANY); error != 0)
      return fail(libbpf_error("preparing the symbol search", error));
  }
  const LibbpfCall attaching;
  bpf_link* link = bpf_program__attach_iter(ksyms->progs.find_symbols, nullptr);
  if (link == nullptr) return fail(attaching.error("attaching the symbol iterator", errno));
  const Fd iterator(bpf_iter_create(bpf_link__fd(link)));
  bpf_link__destroy(link);
  if (!iterator) return fail(libbpf_error("starting the symbol iterator", errno));
  // it writes nothing; a kernel with over a million symbols asks us to come again
  std::array<char, 64> nothing{};
  while (true) {
    const ssize_t length = ::read(iterator.get(), nothing.data(), nothing.size());
    if (length == 0) break;
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    return fail(libbpf_error("reading the symbol iterator", length < 0 ? errno : EIO));
  }
  for (const auto& name : symbols) {
    const pobpf_ksym_name key = key_of(name);
    pobpf_ksym value{};
    if (const int error = bpf_map_lookup_elem(map, &key, &value); error != 0)
      return fail(libbpf_error("reading the symbol search", error));
    if (value.address != 0) symbols_[name] = value.address;
  }
  return {};
}

Status KernelMemory::read_symbols(const std::vector<std::string>& symbols) {
  const std::unordered_set<std::string_view> wanted(symbols.begin(), symbols.end());
  auto status = read_kallsyms(kKallsyms, [&](const pobpf_symbol& symbol, std::string_view name) {
    if (symbol.is_module == 0 && symbol.address != 0 && wanted.contains(name))
      symbols_.emplace(name, symbol.address);  // the first one of that name
    add_function(symbol, name);
  });
  if (status) function_ranges_ = std::move(functions_).within(kAnywhere);
  return status;
}

void KernelMemory::add_function(const pobpf_symbol& symbol, std::string_view name) {
  if (symbol.is_module != 0 || !is_function_wanted_) return;
  functions_.add(symbol.address, is_function(symbol) && is_function_wanted_(name_in_source(name)));
}

Result<std::vector<AddressRange>> KernelMemory::function_ranges() {
  if (function_ranges_) return *function_ranges_;
  auto status = list_symbols(sources_, [this](const pobpf_symbol& symbol, std::string_view name) {
    add_function(symbol, name);
  });
  if (!status) return fail(std::move(status).error());
  function_ranges_ = std::move(functions_).within(kAnywhere);
  return *function_ranges_;
}

std::optional<std::uint64_t> KernelMemory::symbol(const std::string& name) const {
  const auto found = symbols_.find(name);
  if (found == symbols_.end()) return std::nullopt;
  return found->second;
}

Result<std::vector<std::byte>> KernelMemory::read(std::uint64_t address, std::size_t size) {
  std::vector<std::byte> result;
  result.reserve(size);
  auto& request = skeleton_->bss->peek_request;
  while (result.size() < size) {
    const std::size_t chunk = std::min<std::size_t>(size - result.size(), POBPF_PEEK_BYTES);
    request.address = address + result.size();
    request.nr_bytes = static_cast<__u32>(chunk);
    if (auto status = run_program(skeleton_->progs.peek); !status)
      return fail(std::move(status).error());
    if (request.error != 0)
      return fail(ErrorKind::kFailed,
                  fmt::format("kernel memory at {:#x} cannot be read", request.address),
                  kReportKernel, -request.error);
    const auto* bytes = reinterpret_cast<const std::byte*>(request.bytes);
    result.insert(result.end(), bytes, bytes + chunk);
  }
  return result;
}

Result<std::uint64_t> KernelMemory::read_number(std::uint64_t address, std::size_t size) {
  auto bytes = read(address, size);
  if (!bytes) return fail(std::move(bytes).error());
  std::uint64_t value = 0;
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "supported kernels are little endian");
  std::memcpy(&value, bytes->data(), std::min(size, sizeof(value)));
  return value;
}

Result<std::string> KernelMemory::read_string(std::uint64_t address) {
  std::string result;
  // in small steps: the string may be the last thing before memory that is not mapped
  constexpr std::size_t kStep = 16;
  while (result.size() < 255) {
    auto bytes = read(address + result.size(), kStep);
    if (!bytes) return fail(std::move(bytes).error());
    for (const std::byte value : *bytes) {
      if (value == std::byte{0}) return result;
      result.push_back(static_cast<char>(value));
    }
  }
  return fail(ErrorKind::kFailed, fmt::format("no string ends at {:#x}", address), kReportKernel);
}

}  // namespace pobpf
