// SPDX-License-Identifier: GPL-2.0-only
#include "runs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <thread>

#include "bare_walk.skel.h"
#include "format/page_formatter.h"
#include "kernel/libbpf_log.h"
#include "kernel/program_ids.h"
#include "reader/link_reader.h"
#include "reader/windows.h"
#include "util/fd.h"

namespace pobpf::bench {
namespace {

using synthetic::Machine;

constexpr std::uint64_t kSectionPages = synthetic::kSectionPages;
constexpr std::size_t kCacheLineBytes = 64;

double now_ns(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

class Stopwatch {
 public:
  [[nodiscard]] Times times() const {
    return {now_ns(CLOCK_MONOTONIC) - wall_, now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_};
  }

 private:
  double wall_ = now_ns(CLOCK_MONOTONIC);
  double cpu_ = now_ns(CLOCK_PROCESS_CPUTIME_ID);
};

/// The longest time that this thread ran between two calls of lap(). Not of the wall clock: what
/// else the machine does is not ours.
class LongestLap {
 public:
  explicit LongestLap(bool is_on) : is_on_(is_on) { last_ = is_on ? now() : 0; }
  void lap() {
    if (!is_on_) return;
    const double time = now();
    longest_ = std::max(longest_, time - last_);
    last_ = now();
  }
  /// The work since the last lap counts for none.
  void skip() {
    if (is_on_) last_ = now();
  }
  [[nodiscard]] std::uint64_t longest_ns() const { return static_cast<std::uint64_t>(longest_); }

 private:
  static double now() { return now_ns(CLOCK_THREAD_CPUTIME_ID); }
  bool is_on_;
  double last_ = 0;
  double longest_ = 0;
};

/// The machine's sections, as evenly as they can be shared out.
std::vector<PfnRange> shares(const Machine& machine, unsigned nr_threads) {
  const std::uint64_t nr_sections = machine.max_pfn() / kSectionPages;
  std::vector<PfnRange> result;
  for (unsigned i = 0; i < nr_threads; ++i)
    result.push_back({nr_sections * i / nr_threads * kSectionPages,
                      nr_sections * (i + 1) / nr_threads * kSectionPages});
  return result;
}

/// Work of one thread: what it did, once it is prepared.
struct Work {
  std::function<Result<Account>()> run;  // Account::longest_read_ns is ours, see LongestLap
};

Result<Work> bare_walk(const Machine& machine, const PfnRange& share, bool with_read_times) {
  auto facts = machine.facts();
  if (!facts) return fail(std::move(facts).error());
  if (auto status = set_program_ids(machine.types()); !status)
    return fail(std::move(status).error());
  LIBBPF_OPTS(bpf_object_open_opts, options);
  options.btf_custom_path = machine.btf_path().c_str();
  const std::shared_ptr<bare_walk_bpf> object(bare_walk_bpf__open_opts(&options),
                                              bare_walk_bpf__destroy);
  if (!object) return fail(libbpf_error("opening the bare walk", errno));
  std::memcpy(const_cast<pobpf_layout*>(
                  reinterpret_cast<const volatile pobpf_layout*>(&object->rodata->layout)),
              &facts->layout, sizeof(facts->layout));
  std::memcpy(const_cast<pobpf_cast_ids*>(
                  reinterpret_cast<const volatile pobpf_cast_ids*>(&object->rodata->cast_ids)),
              &facts->cast_ids, sizeof(facts->cast_ids));
  if (const int error = bare_walk_bpf__load(object.get()); error != 0)
    return fail(libbpf_error("loading the bare walk", error));
  auto opened =
      LinkReader::open(object->progs.walk_only,
                       WindowSource({share}, facts->layout.pageblock_order, 0), false, false);
  if (!opened) return fail(std::move(opened).error());
  auto reader = std::make_shared<LinkReader>(std::move(*opened));
  return Work{[object, reader, with_read_times]() -> Result<Account> {
    LongestLap laps(with_read_times);
    for (bool at_end = false; !at_end;) {
      auto ended = reader->read();
      if (!ended) return fail(std::move(ended).error());
      at_end = *ended;
      laps.lap();
    }
    Account account = reader->stream().account();
    account.longest_read_ns = laps.longest_ns();
    return account;
  }};
}

ReaderView view_of(Pass pass) {
  ReaderView view;
  view.mode = pass == Pass::kStackText ? POBPF_MODE_STACK : POBPF_MODE_HANDLE;
  if (pass == Pass::kRejectNid) view.filter.nodes.emplace().set(0);
  if (pass == Pass::kRejectOrder) view.filter.orders.wanted = {{10, 10}};
  if (pass == Pass::kRejectComm) view.filter.comms.wanted = {"no-such-*"};
  return view;
}

std::unique_ptr<PageFormatter> formatter_of(Pass pass, const Session& session, pobpf_mode mode) {
  if (pass != Pass::kHandleText && pass != Pass::kStackText) return nullptr;
  return make_kernel_text_formatter(session.facts(), mode, CommStyle::kRaw).value();
}

Status write_all(int file, std::span<const char> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0) return fail(libbpf_error("writing", errno));
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

/// Reads all records and writes them, as they are or as text, as the commands of pobpf do.
Result<Account> consume(Session& session, PageReader& reader, Pass pass, bool with_read_times) {
  constexpr std::size_t kOutputBytes = 64U << 10;
  const Fd output(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  if (!output) return fail(libbpf_error("opening /dev/null", errno));
  const auto formatter = formatter_of(pass, session, reader.mode());
  std::string text;
  LongestLap laps(with_read_times);
  for (bool at_end = false; !at_end; laps.skip()) {
    auto pages = reader.next(at_end);
    if (!pages) return fail(std::move(pages).error());
    laps.lap();
    if (!formatter) {
      const auto bytes = std::as_bytes(*pages);
      if (auto status =
              write_all(output.get(), {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
          !status)
        return fail(std::move(status).error());
      continue;
    }
    for (const pobpf_page& page : *pages)
      if (auto status = formatter->append(page, session, text); !status)
        return fail(std::move(status).error());
    if (text.size() < kOutputBytes) continue;
    if (auto status = write_all(output.get(), text); !status)
      return fail(std::move(status).error());
    text.clear();
  }
  Account account = reader.account();
  account.longest_read_ns = laps.longest_ns();
  return account;
}

Result<std::shared_ptr<Session>> open_session(const Machine& machine, Pass pass) {
  const bool is_sum = pass == Pass::kSumHandles || pass == Pass::kSumGroups;
  SessionOptions options;
  options.with_pages = !is_sum;
  options.with_sums = is_sum;
  options.with_stacks = pass == Pass::kStackText;
  if (pass == Pass::kRejectOrder) options.filters = 1U << POBPF_FILTER_ORDER;
  if (pass == Pass::kRejectComm) options.filters = 1U << POBPF_FILTER_COMM;
  auto session = machine.open_session(options);
  if (!session) return fail(std::move(session).error());
  return std::shared_ptr<Session>(std::move(*session));
}

Result<Work> records(const Machine& machine, Pass pass, const PfnRange& share,
                     bool with_read_times) {
  auto session = open_session(machine, pass);
  if (!session) return fail(std::move(session).error());
  auto view = view_of(pass);
  view.filter.pfns.wanted = {share};
  auto opened = (*session)->open_reader(view);
  if (!opened) return fail(std::move(opened).error());
  const std::shared_ptr<PageReader> reader(std::move(*opened));
  return Work{[session = *session, reader, pass, with_read_times] {
    return consume(*session, *reader, pass, with_read_times);
  }};
}

/// Its threads are its own.
Result<Work> sums(const Machine& machine, Pass pass, unsigned nr_threads, bool with_read_times) {
  auto session = open_session(machine, pass);
  if (!session) return fail(std::move(session).error());
  SumRequest request;
  request.nr_threads = nr_threads;
  if (pass == Pass::kSumGroups)
    request.group_by = POBPF_GROUP_COMM | POBPF_GROUP_ORDER | POBPF_GROUP_NID | POBPF_GROUP_MEMCG;
  return Work{[session = *session, request, with_read_times]() -> Result<Account> {
    std::optional<LongestLap> laps;  // begins at the first read
    auto sums = session->sum_groups({}, request, [&](const Progress&) {
      if (!laps) laps.emplace(with_read_times);
      laps->lap();
      return true;
    });
    if (!sums) return fail(std::move(sums).error());
    sums->account.longest_read_ns = laps ? laps->longest_ns() : 0;
    return sums->account;
  }};
}

Result<std::vector<Work>> prepare(const Machine& machine, Pass pass, unsigned nr_threads,
                                  bool with_read_times) {
  std::vector<Work> works;
  const auto add = [&](Result<Work> work) -> Status {
    if (!work) return fail(std::move(work).error());
    works.push_back(std::move(*work));
    return {};
  };
  if (pass == Pass::kSumHandles || pass == Pass::kSumGroups) {
    if (auto status = add(sums(machine, pass, nr_threads, with_read_times)); !status)
      return fail(std::move(status).error());
    return works;
  }
  for (const PfnRange& share : shares(machine, nr_threads)) {
    auto status = add(pass == Pass::kBareWalk ? bare_walk(machine, share, with_read_times)
                                              : records(machine, pass, share, with_read_times));
    if (!status) return fail(std::move(status).error());
  }
  return works;
}

Result<PassFigures> measure(const Machine& machine, Pass pass, unsigned nr_threads,
                            bool with_read_times) {
  auto works = prepare(machine, pass, nr_threads, with_read_times);
  if (!works) return fail(std::move(works).error());
  std::vector<std::optional<Result<Account>>> accounts(works->size());
  const Stopwatch watch;
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < works->size(); ++i)
    threads.emplace_back([&, i] { accounts[i].emplace((*works)[i].run()); });
  accounts[0].emplace((*works)[0].run());
  for (std::thread& thread : threads) thread.join();
  PassFigures figures;
  figures.times = watch.times();
  std::uint64_t nr_pages = 0;
  for (auto& account : accounts) {
    if (!*account) return fail(std::move(*account).error());
    nr_pages += (*account)->pages;
    figures.nr_records += (*account)->emitted;
    figures.longest_read_ns =
        std::max(figures.longest_read_ns, static_cast<double>((*account)->longest_read_ns));
  }
  if (nr_pages != machine.max_pfn())
    return fail(ErrorKind::kFailed,
                fmt::format("{} of {} pages were walked", nr_pages, machine.max_pfn()));
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  figures.peak_rss_kib = static_cast<std::uint64_t>(usage.ru_maxrss);
  return figures;
}

}  // namespace

Result<PassFigures> run_pass(const Machine& machine, Pass pass, unsigned nr_threads,
                             bool with_read_times) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(libbpf_error("making a pipe", errno));
  const Fd from_child(ends[0]);
  Fd to_parent(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return fail(libbpf_error("making a process", errno));
  if (child == 0) {
    auto figures = measure(machine, pass, nr_threads, with_read_times);
    if (!figures) {
      fmt::print(stderr, "pobpf_bench_native: {}\n", figures.error().what);
      ::_exit(1);
    }
    ::_exit(::write(to_parent.get(), &*figures, sizeof(*figures)) == sizeof(*figures) ? 0 : 1);
  }
  to_parent.reset();
  PassFigures figures;
  const ssize_t length = ::read(from_child.get(), &figures, sizeof(figures));
  int status = 0;
  ::waitpid(child, &status, 0);
  if (status != 0 || length != sizeof(figures))
    return fail(ErrorKind::kFailed, "a measured process failed");
  return figures;
}

Times read_cache_lines(const Machine& machine, unsigned nr_threads) {
  const auto read_share = [&machine](const PfnRange& share) {
    const std::size_t page_bytes = machine.page_bytes();
    const std::size_t ext_bytes = machine.page_ext_bytes();
    std::uint64_t sum = 0;
    for (std::uint64_t section = share.begin / kSectionPages; section < share.end / kSectionPages;
         ++section) {
      const std::byte* pages = machine.section_pages(section);
      const std::byte* exts = machine.section_page_exts(section);
      std::size_t ext_line = 0;
      for (std::size_t page = 0; page < kSectionPages; ++page) {
        for (std::size_t at = 0; at < page_bytes; at += kCacheLineBytes)
          sum += *reinterpret_cast<const volatile std::uint64_t*>(pages + page * page_bytes + at);
        for (; ext_line < (page + 1) * ext_bytes; ext_line += kCacheLineBytes)
          sum += *reinterpret_cast<const volatile std::uint64_t*>(exts + ext_line);
      }
    }
    return sum;
  };
  const auto work = shares(machine, nr_threads);
  const Stopwatch watch;
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < work.size(); ++i)
    threads.emplace_back([&, i] { read_share(work[i]); });
  read_share(work[0]);
  for (std::thread& thread : threads) thread.join();
  return watch.times();
}

}  // namespace pobpf::bench
