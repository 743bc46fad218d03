// SPDX-License-Identifier: GPL-2.0-only
// Runs in the guest (tests/vm/guest/concurrency.py): readers of one loaded object, each in a thread
// of its own, or one after the other.
//
// pobpf_reader_threads DIRECTORY LIST [--alone] [--cpu N]
//
// LIST has a line a reader: its name and the arguments that pobpf would take, with tabs between.
// Its text goes to DIRECTORY/NAME.out, what is wrong with it to standard error.
#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <latch>
#include <mutex>
#include <thread>
#include <vector>

#include "cli/commands/open_session.h"
#include "cli/options/options.h"
#include "format/page_formatter.h"
#include "reader/session.h"

namespace pobpf {
namespace {

/// One line of the list.
struct Job {
  std::string name;
  ReaderView view;
  std::unique_ptr<PageReader> reader;
  std::string error;
};

[[noreturn]] void give_up(const std::string& what) {
  fmt::print(stderr, "{}\n", what);
  std::exit(2);
}

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at <= line.size();) {
    const std::size_t end = std::min(line.find('\t', at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

/// Text of one reader. Stacks and cgroups are the session's, which takes one caller at a time; the
/// reads are not held up by that.
std::string print(Job& job, Session& session, std::mutex& session_mutex, std::ofstream& file) {
  auto made = make_kernel_text_formatter(session.facts(), job.view.mode, CommStyle::kRaw);
  if (!made) return made.error().what;
  const auto& formatter = *made;
  std::string text;
  std::uint64_t nr_records = 0;
  for (bool at_end = false; !at_end;) {
    auto pages = job.reader->next(at_end);
    if (!pages) return pages.error().what;
    text.clear();
    {
      const std::lock_guard lock(session_mutex);
      for (const pobpf_page& page : *pages) {
        if (auto status = formatter->append(page, session, text); !status)
          return status.error().what;
        ++nr_records;
      }
    }
    file << text;
  }
  const Account& account = job.reader->account();
  if (!account.is_balanced()) return "the account does not add up";
  if (account.emitted != nr_records)
    return fmt::format("{} records, but {} in the account", nr_records, account.emitted);
  if (account.windows != 0 && job.reader->mode() != job.view.mode) return "it read in another mode";
  return file.flush() ? "" : "its file cannot be written";
}

std::vector<Job> read_list(const std::string& path, Session& session) {
  std::vector<Job> jobs;
  std::ifstream list(path);
  for (std::string line; std::getline(list, line);) {
    auto words = split(line);
    Job job;
    job.name = words.front();
    auto options = cli::parse_options({words.begin() + 1, words.end()}, "/dev/null");
    if (!options) give_up(line + ": " + options.error().what);
    auto view = cli::make_view(std::get<cli::Options>(*options), session);
    if (!view) give_up(line + ": " + view.error().what);
    job.view = *view;
    jobs.push_back(std::move(job));
  }
  return jobs;
}

void open(Job& job, Session& session) {
  auto reader = session.open_reader(job.view);
  if (!reader) give_up(job.name + ": " + reader.error().what);
  job.reader = std::move(*reader);
}

}  // namespace

int run(const std::vector<std::string>& arguments) {
  if (arguments.size() < 2) give_up("usage: DIRECTORY LIST [--alone] [--cpu N]");
  bool is_alone = false;
  for (std::size_t i = 2; i < arguments.size(); ++i) {
    is_alone = is_alone || arguments[i] == "--alone";
    if (arguments[i] != "--cpu") continue;
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(std::stoul(arguments.at(i + 1)), &cpus);
    if (::sched_setaffinity(0, sizeof(cpus), &cpus) != 0) give_up("no such CPU");
  }
  SessionOptions options;
  options.filters = kEveryFilter;
  options.with_sums = false;
  auto session = Session::open(options);
  if (!session) give_up(session.error().what);
  auto jobs = read_list(arguments[1], **session);
  std::mutex session_mutex;
  const auto run_job = [&](Job& job) {
    std::ofstream file(arguments[0] + "/" + job.name + ".out", std::ios::binary);
    job.error = print(job, **session, session_mutex, file);
  };
  if (is_alone) {
    for (Job& job : jobs) {
      open(job, **session);
      run_job(job);
      job.reader.reset();
    }
  } else {
    // all links are open before the first is read
    for (Job& job : jobs) open(job, **session);
    std::latch start(static_cast<std::ptrdiff_t>(jobs.size()));
    std::vector<std::thread> threads;
    for (Job& job : jobs)
      threads.emplace_back([&] {
        start.arrive_and_wait();
        run_job(job);
      });
    for (std::thread& thread : threads) thread.join();
  }
  bool has_failed = false;
  for (const Job& job : jobs) {
    if (job.error.empty()) continue;
    fmt::print(stderr, "{}: {}\n", job.name, job.error);
    has_failed = true;
  }
  return has_failed ? 1 : 0;
}

}  // namespace pobpf

int main(int argc, char** argv) { return pobpf::run({argv + 1, argv + argc}); }
