// SPDX-License-Identifier: GPL-2.0-only
#include "cli/completion/completion_names.h"

#include <pwd.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <system_error>

#include "kernel/cgroup_path.h"
#include "kernel/kernel_names.h"
#include "model/nodelist.h"
#include "pobpf/types.h"
#include "reader/pin.h"
#include "snapshot/snapshot_reader.h"
#include "util/file.h"

namespace pobpf::cli {
namespace {

namespace fs = std::filesystem;

/// Nobody reads through more than that.
constexpr std::size_t kNamesMax = 2000;
constexpr std::size_t kLineFileBytesMax = 4 << 20;
/// Shorter ones begin thousands of functions.
constexpr std::size_t kSymbolLengthMin = 3;

std::vector<Candidate> listed(const std::vector<std::string>& names) {
  std::vector<Candidate> candidates;
  for (const std::string& name : names)
    if (!name.empty()) candidates.push_back({name, {}});
  return candidates;
}

std::vector<Candidate> listed(const std::set<std::string>& names) {
  return listed(std::vector<std::string>(names.begin(), names.end()));
}

std::vector<std::string> names_of(const std::vector<FlagName>& rows) {
  std::vector<std::string> names;
  names.reserve(rows.size());
  for (const FlagName& row : rows) names.push_back(row.name);
  return names;
}

std::string line_of(const fs::path& path) {
  auto text = read_file(path, kLineFileBytesMax);
  return text ? text->substr(0, text->find('\n')) : std::string();
}

/// The facts that a snapshot was recorded with; opening what is not a plain file may wait forever.
std::optional<KernelFacts> recorded_facts(const std::vector<std::string>& files) {
  std::error_code error;
  for (const std::string& file : files) {
    if (!fs::is_regular_file(file, error)) continue;
    auto snapshot = SnapshotReader::open(file, DamagePolicy::kSalvage);
    if (snapshot && (*snapshot)->header().facts) return *(*snapshot)->header().facts;
  }
  return std::nullopt;
}

class MachineNames final : public NameSource {
 public:
  explicit MachineNames(fs::path root) : root_(std::move(root)) {}

  std::vector<Candidate> names(NameKind kind, const NameQuestion& question) override {
    switch (kind) {
      case NameKind::kGfp:
      case NameKind::kPageFlags:
      case NameKind::kMigratetype:
      case NameKind::kZone:
        return flag_names(kind, question);
      case NameKind::kNode:
        return nodes();
      case NameKind::kProcess:
        return processes();
      case NameKind::kComm:
        return comms();
      case NameKind::kSymbol:
        return symbols(question.typed);
      case NameKind::kModule:
        return modules();
      case NameKind::kMemcg:
        return memcgs(question.typed);
      case NameKind::kPin:
        return pins(question.directory);
      case NameKind::kUser:
        return users();
      case NameKind::kNone:
      case NameKind::kFile:
      case NameKind::kDirectory:
        break;
    }
    return {};
  }

 private:
  std::vector<Candidate> flag_names(NameKind kind, const NameQuestion& question) {
    if (const auto facts = recorded_facts(question.files)) {
      if (kind == NameKind::kGfp) return listed(names_of(facts->gfp_names));
      if (kind == NameKind::kPageFlags) return listed(names_of(facts->page_flag_names));
      return listed(kind == NameKind::kZone ? facts->zone_names : facts->migratetype_names);
    }
    if (kind == NameKind::kZone) return zones();
    const KernelNames kernel = read_kernel_names();
    if (kind == NameKind::kGfp) return listed(kernel.gfp);
    return listed(kind == NameKind::kPageFlags ? kernel.page_flags : kernel.migratetypes);
  }

  /// "Node 0, zone    DMA32"
  [[nodiscard]] std::vector<Candidate> zones() const {
    std::set<std::string> names;
    std::ifstream file(root_ / "proc/zoneinfo");
    for (std::string line; std::getline(file, line);) {
      if (!line.starts_with("Node ")) continue;
      const std::size_t last = line.find_last_of(' ');
      names.insert(line.substr(last + 1));
    }
    return listed(names);
  }

  [[nodiscard]] std::vector<Candidate> nodes() const {
    std::string text = line_of(root_ / "sys/devices/system/node/has_memory");
    if (text.empty()) text = line_of(root_ / "sys/devices/system/node/online");
    const auto nodes = parse_nodelist(text, POBPF_MAX_NODES);
    if (!nodes) return {};
    std::vector<std::string> names;
    for (std::size_t nid = 0; nid < nodes->size(); ++nid)
      if (nodes->test(nid)) names.push_back(std::to_string(nid));
    return listed(names);
  }

  [[nodiscard]] std::vector<Candidate> processes() const {
    std::vector<Candidate> found;
    std::error_code error;
    for (fs::directory_iterator entry(root_ / "proc", error), end; !error && entry != end;
         entry.increment(error)) {
      const std::string name = entry->path().filename();
      const bool is_number = std::all_of(name.begin(), name.end(),
                                         [](unsigned char c) { return std::isdigit(c) != 0; });
      if (is_number && found.size() < kNamesMax)
        found.push_back({name, line_of(entry->path() / "comm")});
    }
    return found;
  }

  [[nodiscard]] std::vector<Candidate> comms() const {
    std::set<std::string> names;
    for (Candidate& process : processes()) names.insert(std::move(process.description));
    return listed(names);
  }

  /// Functions: "ffffffff81000000 T name", with a tab and "[module]" of modules.
  [[nodiscard]] std::vector<Candidate> symbols(const std::string& typed) const {
    if (typed.size() < kSymbolLengthMin) return {};
    std::set<std::string> names;
    std::ifstream file(root_ / "proc/kallsyms");
    for (std::string line; names.size() < kNamesMax && std::getline(file, line);) {
      const std::size_t type = line.find(' ') + 1;
      if (type == 0 || type + 2 >= line.size() || (line[type] | 0x20) != 't') continue;
      if (line.compare(type + 2, typed.size(), typed) == 0)
        names.insert(line.substr(type + 2, line.find('\t') - type - 2));
    }
    return listed(names);
  }

  [[nodiscard]] std::vector<Candidate> modules() const {
    std::set<std::string> names;
    std::ifstream file(root_ / "proc/modules");
    for (std::string line; std::getline(file, line);) names.insert(line.substr(0, line.find(' ')));
    return listed(names);
  }

  /// One level at a time: what follows is typed behind another slash.
  [[nodiscard]] std::vector<Candidate> memcgs(const std::string& typed) const {
    const auto mounts = find_cgroup_mounts(root_ / "proc/self/mounts");
    if (!mounts) return {};
    const std::string above = typed.substr(0, typed.find_last_of('/') + 1);
    std::set<std::string> names;
    std::error_code error;
    const fs::path directory = cgroup_directory(above.empty() ? "/" : above, *mounts);
    for (fs::directory_iterator entry(directory, error), end;
         !error && entry != end && names.size() < kNamesMax; entry.increment(error)) {
      std::error_code status_error;
      if (entry->is_directory(status_error))
        names.insert((above.empty() ? "/" : above) + entry->path().filename().string());
    }
    return listed(names);
  }

  static std::vector<Candidate> pins(const std::string& directory) {
    std::vector<std::string> names;
    if (const auto pins = list_pins(directory.empty() ? kPinDirectory : directory))
      for (const PinInfo& pin : *pins)
        if (pin.kind != PinKind::kForeign) names.push_back(pin.name);
    return listed(names);
  }

  static std::vector<Candidate> users() {
    std::vector<Candidate> found;
    ::setpwent();  // NOLINT(concurrency-mt-unsafe)
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    while (const passwd* user = found.size() < kNamesMax ? ::getpwent() : nullptr)
      found.push_back({user->pw_name, {}});
    ::endpwent();  // NOLINT(concurrency-mt-unsafe)
    return found;
  }

  fs::path root_;
};

}  // namespace

std::unique_ptr<NameSource> make_name_source(fs::path root) {
  return std::make_unique<MachineNames>(std::move(root));
}

}  // namespace pobpf::cli
