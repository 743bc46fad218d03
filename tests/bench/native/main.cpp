// SPDX-License-Identifier: GPL-2.0-only
// pobpf_bench_native: what the walker costs on this very machine, measured on the synthetic one.
// Prints a Markdown table.
#include <fmt/format.h>
#include <sys/utsname.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "runs.h"
#include "workload.h"

namespace pobpf::bench {
namespace {

constexpr std::uint64_t kSectionsOfGb = 8;  // 128 MiB each

struct Options {
  std::uint64_t size_gb = 0;  // 0: the largest that fits
  unsigned repetitions = 5;
  std::vector<unsigned> threads{1, 2};
  std::vector<std::string> passes;
  Workload workload;
};

/// struct page and page_ext of this many GB, in bytes; 64 and 72 bytes a page on x86-64.
std::uint64_t kernel_bytes(std::uint64_t size_gb) {
  return size_gb * kSectionsOfGb * synthetic::kSectionPages * (64 + 72);
}

/// The largest of 64, 32, ... 1 whose memory is no more than half of MemAvailable.
std::uint64_t size_that_fits() {
  std::ifstream meminfo("/proc/meminfo");
  std::string name;
  std::uint64_t kib = 0;
  std::string unit;
  while (meminfo >> name >> kib && std::getline(meminfo, unit))
    if (name == "MemAvailable:") break;
  std::uint64_t size_gb = 64;
  while (size_gb > 1 && kernel_bytes(size_gb) > kib * 1024 / 2) size_gb /= 2;
  return size_gb;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double smallest(const std::vector<double>& values) {
  return *std::min_element(values.begin(), values.end());
}

/// Figures of one line of the table, one of each repetition; nanoseconds a page.
struct Row {
  std::vector<double> wall_ns;
  std::vector<double> cpu_ns;
  std::vector<double> longest_read_ms;
  std::uint64_t peak_rss_kib = 0;
  std::uint64_t nr_records = 0;
};

std::string cpu_model() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown CPU";
}

class Benchmark {
 public:
  explicit Benchmark(const Options& options) : options_(options) {}

  Status run() {
    auto machine = make_machine(options_.workload);
    if (!machine) return fail(std::move(machine).error());
    machine_ = std::move(*machine);
    if (auto status = machine_->hide_from_children(); !status) return status;
    for (const unsigned nr_threads : options_.threads) {
      for (unsigned turn = 0; turn < options_.repetitions; ++turn)
        if (auto status = run_turn(nr_threads); !status) return status;
      if (auto status = time_reads(nr_threads); !status) return status;
    }
    print();
    return {};
  }

 private:
  [[nodiscard]] bool is_wanted(const PassName& pass) const {
    const auto& wanted = options_.passes;
    return wanted.empty() || std::find(wanted.begin(), wanted.end(), pass.name) != wanted.end();
  }
  [[nodiscard]] double a_page(double ns) const {
    return ns / static_cast<double>(machine_->max_pfn());
  }

  Status run_turn(unsigned nr_threads) {
    const Times limit = read_cache_lines(*machine_, nr_threads);
    limits_[nr_threads].wall_ns.push_back(a_page(limit.wall_ns));
    limits_[nr_threads].cpu_ns.push_back(a_page(limit.cpu_ns));
    for (const PassName& pass : kPasses) {
      if (!is_wanted(pass)) continue;
      auto figures = run_pass(*machine_, pass.pass, nr_threads, false);
      if (!figures) return fail(std::move(figures).error().in(pass.name));
      Row& row = rows_[nr_threads][pass.pass];
      row.wall_ns.push_back(a_page(figures->times.wall_ns));
      row.cpu_ns.push_back(a_page(figures->times.cpu_ns));
      row.peak_rss_kib = std::max(row.peak_rss_kib, figures->peak_rss_kib);
      row.nr_records = figures->nr_records;
    }
    return {};
  }

  /// Apart from the rest, as reading the clock costs something.
  Status time_reads(unsigned nr_threads) {
    for (unsigned turn = 0; turn < options_.repetitions; ++turn) {
      for (const PassName& pass : kPasses) {
        if (!is_wanted(pass)) continue;
        auto figures = run_pass(*machine_, pass.pass, nr_threads, true);
        if (!figures) return fail(std::move(figures).error().in(pass.name));
        rows_[nr_threads][pass.pass].longest_read_ms.push_back(figures->longest_read_ns / 1e6);
      }
    }
    return {};
  }

  void print() const {
    utsname name{};
    ::uname(&name);
    fmt::print(
        "{}, Linux {}, {} CPUs. Synthetic machine of {} GB: {} pages, {}; neighbours share "
        "a stack by {}. Median of {} runs.\n\n",
        cpu_model(), name.release, std::thread::hardware_concurrency(),
        options_.workload.nr_sections / kSectionsOfGb, machine_->max_pfn(),
        options_.workload.is_dense ? "each an allocation" : "allocations of all orders",
        options_.workload.run_pages, options_.repetitions);
    fmt::print(
        "| what | threads | ns a page | best | to the limit | CPU ns a page | "
        "longest read(), ms | peak memory |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n");
    for (const auto& [nr_threads, limit] : limits_)
      print_row("each cache line once: the limit", nr_threads, limit);
    for (const PassName& pass : kPasses)
      for (const auto& [nr_threads, rows] : rows_)
        if (const auto found = rows.find(pass.pass); found != rows.end())
          print_row(pass.name, nr_threads, found->second);
    fmt::print(
        "\nTo the limit: best time over that of the limit with as many threads. CPU: of all "
        "threads "
        "together, median. Longest read(): CPU time, smallest of the runs.\n");
  }

  void print_row(const char* name, unsigned nr_threads, const Row& row) const {
    const double limit = smallest(limits_.at(nr_threads).wall_ns);
    fmt::print("| {} | {} | {:.1f} | {:.1f} | {:.2f} | {:.1f} |", name, nr_threads,
               median(row.wall_ns), smallest(row.wall_ns), smallest(row.wall_ns) / limit,
               median(row.cpu_ns));
    if (row.longest_read_ms.empty())
      fmt::print(" | |\n");
    else
      fmt::print(" {:.2f} | {:.1f} MiB |\n", smallest(row.longest_read_ms),
                 static_cast<double>(row.peak_rss_kib) / 1024);
  }

  const Options& options_;
  std::unique_ptr<synthetic::Machine> machine_;
  std::map<unsigned, Row> limits_;
  std::map<unsigned, std::map<Pass, Row>> rows_;
};

int run(int argc, char** argv) {
  CLI::App app{"What the walker costs natively, on memory that is made up"};
  Options options;
  std::string layout = "dense";
  app.add_option("--size", options.size_gb,
                 "GB of synthetic memory; default: at most 64, and what "
                 "fits half of MemAvailable");
  app.add_option("--repetitions", options.repetitions)->capture_default_str();
  app.add_option("--threads", options.threads)->delimiter(',')->capture_default_str();
  app.add_option("--pass", options.passes, "only these lines of the table");
  app.add_option("--layout", layout,
                 "dense: each page an allocation; mixed: all orders, free memory")
      ->check(CLI::IsMember({"dense", "mixed"}))
      ->capture_default_str();
  app.add_option("--run", options.workload.run_pages, "neighbours that share a stack, on average")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (options.size_gb == 0) options.size_gb = size_that_fits();
  options.workload.nr_sections = options.size_gb * kSectionsOfGb;
  options.workload.is_dense = layout == "dense";
  Benchmark benchmark(options);
  if (auto status = benchmark.run(); !status) {
    fmt::print(stderr, "pobpf_bench_native: {}\n", status.error().what);
    return status.error().kind == ErrorKind::kUnsupported ? 3 : 1;
  }
  return 0;
}

}  // namespace
}  // namespace pobpf::bench

int main(int argc, char** argv) { return pobpf::bench::run(argc, argv); }
