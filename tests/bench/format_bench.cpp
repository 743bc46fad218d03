// SPDX-License-Identifier: GPL-2.0-only
// Measures what user space does with records, apart from the kernel. bytes_per_second: of text that
// comes out, and of the stream that goes in; items_per_second: records.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstring>
#include <iterator>
#include <string>
#include <vector>

#include "format/kernel_facts_samples.h"
#include "format/page_formatter.h"
#include "import/importer.h"
#include "reader/stream.h"

namespace pobpf {
namespace {

constexpr std::size_t kNrPages = 4096;
constexpr std::size_t kNrStacks = 64;
constexpr std::size_t kWindowPages = 256;

/// Records of a few tasks; neighbours share owner and stack by 16, as in page cache.
std::vector<pobpf_page> sample_pages() {
  std::vector<pobpf_page> pages;
  for (std::size_t i = 0; i < kNrPages; ++i) {
    pobpf_page page = samples::android_migrated();
    const auto group = static_cast<__u32>(i / 16);
    page.pfn += i;
    page.ts_nsec += i * 1234;
    page.handle = 1 + group % kNrStacks;
    page.pid = page.tgid = static_cast<__s32>(1000 + group % 7);
    page.last_migrate_reason = group % 8 == 0 ? 0 : -1;
    pages.push_back(page);
  }
  return pages;
}

void add_names(samples::MadeUpContext& context) {
  context.cgroups[1] = "/system.slice";
  const std::vector<std::string> symbols(12, "shmem_alloc_and_add_folio+0x23c/0x254");
  for (__u32 handle = 1; handle <= kNrStacks; ++handle) context.add_stack(handle, symbols);
}

void format_pages(benchmark::State& state, PageFormatter& formatter) {
  const auto pages = sample_pages();
  samples::MadeUpContext context;
  add_names(context);
  std::string out;
  std::int64_t nr_bytes = 0;
  for (auto _ : state) {
    out.clear();
    for (const pobpf_page& page : pages)
      if (!formatter.append(page, context, out)) state.SkipWithError("a record has no text");
    nr_bytes += static_cast<std::int64_t>(out.size());
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(nr_bytes);
  state.SetItemsProcessed(state.iterations() * std::ssize(pages));
}

void kernel_text(benchmark::State& state) {
  const KernelFacts facts = samples::android_6_12();
  const auto formatter =
      make_kernel_text_formatter(facts, static_cast<pobpf_mode>(state.range(0)), CommStyle::kRaw)
          .value();
  format_pages(state, *formatter);
}
BENCHMARK(kernel_text)
    ->ArgName("mode")
    ->Arg(POBPF_MODE_STACK)
    ->Arg(POBPF_MODE_HANDLE)
    ->Arg(POBPF_MODE_STACK_HANDLE);

void json_lines(benchmark::State& state) {
  const KernelFacts facts = samples::android_6_12();
  const auto formatter = make_json_formatter(facts, static_cast<pobpf_mode>(state.range(0)));
  format_pages(state, *formatter);
}
BENCHMARK(json_lines)->ArgName("mode")->Arg(POBPF_MODE_STACK)->Arg(POBPF_MODE_HANDLE);

template <typename T>
void append_bytes(std::vector<std::byte>& bytes, const T& item) {
  const std::size_t at = bytes.size();
  bytes.resize(at + sizeof(item));
  std::memcpy(bytes.data() + at, &item, sizeof(item));
}

/// The text of all pages back into a snapshot; bytes_per_second: of text.
void import_kernel_text(benchmark::State& state) {
  const KernelFacts facts = samples::android_6_12();
  const auto formatter =
      make_kernel_text_formatter(facts, static_cast<pobpf_mode>(state.range(0)), CommStyle::kRaw)
          .value();
  samples::MadeUpContext context;
  add_names(context);
  std::string text;
  for (int i = 0; i < 16; ++i)
    for (const pobpf_page& page : sample_pages())
      if (!formatter->append(page, context, text)) state.SkipWithError("a record has no text");
  std::string snapshot;
  for (auto _ : state) {
    snapshot.clear();
    auto source = open_text_bytes(text);
    auto report = import_text(**source, ImportOptions(), snapshot);
    if (!report || !report->is_complete()) state.SkipWithError("a record is not understood");
    benchmark::DoNotOptimize(snapshot.data());
  }
  state.SetBytesProcessed(state.iterations() * std::ssize(text));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(16 * kNrPages));
}
BENCHMARK(import_kernel_text)->ArgName("mode")->Arg(POBPF_MODE_STACK)->Arg(POBPF_MODE_HANDLE);

/// Cutting the stream of the kernel into records, in pieces as read(2) delivers them.
void stream_records(benchmark::State& state) {
  std::vector<std::byte> bytes;
  const auto pages = sample_pages();
  for (std::size_t i = 0; i < pages.size(); ++i) {
    append_bytes(bytes, pages[i]);
    if ((i + 1) % kWindowPages != 0) continue;
    pobpf_account account{};
    account.kind = POBPF_ITEM_ACCOUNT;
    account.nr_pages = account.emitted = kWindowPages;
    append_bytes(bytes, account);
  }
  const auto piece = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    StreamParser parser(true);
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      const auto part = std::span(bytes).subspan(at, std::min(piece, bytes.size() - at));
      if (!parser.feed(part)) state.SkipWithError("no stream of ours");
      benchmark::DoNotOptimize(parser.pages().data());
    }
  }
  state.SetBytesProcessed(state.iterations() * std::ssize(bytes));
  state.SetItemsProcessed(state.iterations() * std::ssize(pages));
}
BENCHMARK(stream_records)->ArgName("piece")->Arg(8192)->Arg(32768);

}  // namespace
}  // namespace pobpf
