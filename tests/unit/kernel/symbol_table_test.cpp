// SPDX-License-Identifier: GPL-2.0-only
// On the running kernel, where BPF may be used, with /proc/kallsyms for comparison.
#include "kernel/symbol_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include "kernel/kernel_memory.h"

namespace pobpf {
namespace {

struct Listed {
  std::map<std::uint64_t, std::set<std::string>> names;  // of the kernel itself
  std::map<std::string, std::uint64_t> first;
};

Listed read_kallsyms() {
  Listed listed;
  std::ifstream file("/proc/kallsyms");
  std::uint64_t address = 0;
  std::string type;
  std::string name;
  std::string module;
  while (file >> std::hex >> address >> type >> name && std::getline(file, module)) {
    if (!module.empty()) continue;
    listed.names[address].insert(name);
    listed.first.emplace(name, address);
  }
  return listed;
}

// Once, as it takes seconds in an emulated guest.
const Listed& listed() {
  static const Listed kListed = read_kallsyms();
  return kListed;
}

/// The first way to find symbols that is there.
struct FirstWay {
  const char* name;
  SymbolSources sources;
};

void PrintTo(const FirstWay& way, std::ostream* out) { *out << way.name; }

class SymbolTableTest : public testing::TestWithParam<FirstWay> {
 protected:
  void SetUp() override {
    auto opened = SymbolTable::open(GetParam().sources);
    if (!opened) GTEST_SKIP() << opened.error().what;
    table_.emplace(*std::move(opened));
    if (listed().first.at("_stext") == 0) GTEST_SKIP() << "addresses in /proc/kallsyms are hidden";
  }
  std::vector<AddressRange> ranges_of(const std::string& name) {
    auto ranges = table_->symbol_ranges([&](std::string_view symbol) { return symbol == name; });
    EXPECT_TRUE(ranges) << ranges.error().what;
    return ranges ? *ranges : std::vector<AddressRange>();
  }
  std::optional<SymbolTable> table_;
};

TEST_P(SymbolTableTest, FunctionsReachToTheNextSymbol) {
  for (const char* const name : {"kernel_clone", "vfs_read", "__init_begin_nonsense", "schedule"}) {
    SCOPED_TRACE(name);
    const auto found = listed().first.find(name);
    if (found == listed().first.end()) {
      EXPECT_TRUE(ranges_of(name).empty());
      continue;
    }
    const std::uint64_t end = listed().names.upper_bound(found->second)->first;
    EXPECT_EQ(ranges_of(name), (std::vector<AddressRange>{{found->second, end}}));
  }
}

TEST_P(SymbolTableTest, PlacesThatAreKnownAreNotLookedFor) {
  const std::uint64_t begin = listed().first.at("kernel_clone");
  // less than there is
  auto table = SymbolTable::open(GetParam().sources, CodePlaces{{{begin, begin + 1}}, {}});
  ASSERT_TRUE(table) << table.error().what;
  EXPECT_TRUE(table->modules().empty());
  const auto ranges =
      table->symbol_ranges([](std::string_view symbol) { return symbol == "kernel_clone"; });
  EXPECT_EQ(ranges.value(), (std::vector<AddressRange>{{begin, begin + 1}}));
}

/// Those of which the compiler made parts, too.
TEST_P(SymbolTableTest, FunctionsAreFoundBySourceName) {
  for (const std::string name : {"kernel_clone", "vfs_read", "nonsense"}) {
    SCOPED_TRACE(name);
    auto memory = KernelMemory::open({"_stext"}, GetParam().sources,
                                     [&](std::string_view function) { return function == name; });
    ASSERT_TRUE(memory) << memory.error().what;
    std::vector<AddressRange> expected;
    for (auto at = listed().names.begin(); at != listed().names.end(); ++at)
      if (std::any_of(at->second.begin(), at->second.end(), [&](const std::string& symbol) {
            return symbol == name || symbol.starts_with(name + ".");
          }))
        expected.push_back({at->first, std::next(at)->first});
    const auto found = memory->function_ranges();
    ASSERT_TRUE(found) << found.error().what;
    EXPECT_EQ(*found, joined(expected));
    EXPECT_EQ(memory->function_ranges().value(), *found);
  }
}

TEST_P(SymbolTableTest, AllNamesTogetherAreAllText) {
  auto ranges = table_->symbol_ranges([](std::string_view) { return true; });
  ASSERT_TRUE(ranges) << ranges.error().what;
  const std::uint64_t begin = listed().first.at("_stext");
  const std::uint64_t end = listed().first.at("_etext");
  std::uint64_t covered = 0;
  std::uint64_t previous = 0;
  for (const AddressRange& range : *ranges) {
    EXPECT_GT(range.begin, previous);
    EXPECT_LT(range.begin, range.end);
    previous = range.end;
    if (range.begin >= begin && range.begin < end) {
      EXPECT_LE(range.end, end);
      covered += range.end - range.begin;
    }
  }
  // data symbols in the text are not functions
  EXPECT_GT(covered, (end - begin) / 100 * 99);
}

TEST_P(SymbolTableTest, FunctionsOfBootTimeAreKnown) {
  const auto ranges = ranges_of("start_kernel");
  ASSERT_EQ(ranges.size(), 1U);
  EXPECT_EQ(ranges[0].begin, listed().first.at("start_kernel"));
  EXPECT_LE(ranges[0].end, listed().first.at("_einittext"));
}

TEST_P(SymbolTableTest, DataIsNoFunction) { EXPECT_TRUE(ranges_of("init_task").empty()); }

TEST_P(SymbolTableTest, ModulesAreThoseOfProc) {
  std::set<std::string> expected;
  std::map<std::string, std::uint64_t> address;
  std::map<std::string, std::uint64_t> size;
  std::ifstream file("/proc/modules");
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string name;
    std::string skipped;
    fields >> name >> size[name] >> skipped >> skipped >> skipped >> std::hex >> address[name];
    expected.insert(name);
  }
  const auto functions = table_->symbol_ranges([](std::string_view) { return true; });
  ASSERT_TRUE(functions) << functions.error().what;
  std::set<std::string> names;
  for (const KernelModule& module : table_->modules()) {
    names.insert(module.name);
    ASSERT_FALSE(module.texts.empty()) << module.name;
    EXPECT_EQ(module.texts[0].begin, address[module.name]);
    EXPECT_LE(module.texts[0].end - module.texts[0].begin, size[module.name]);
    const auto ranges =
        table_->module_ranges([&](std::string_view name) { return name == module.name; });
    EXPECT_EQ(ranges, joined(module.texts));
    // a module's functions are in it
    EXPECT_TRUE(std::any_of(functions->begin(), functions->end(), [&](const AddressRange& range) {
      return range.begin >= ranges[0].begin && range.end <= ranges[0].end;
    })) << module.name;
  }
  EXPECT_EQ(names, expected);
}

INSTANTIATE_TEST_SUITE_P(
    EachWay, SymbolTableTest,
    testing::Values(FirstWay{"kallsyms", {}}, FirstWay{"iterator", {.has_lookup = false}},
                    FirstWay{"proc", {.has_lookup = false, .has_iterator = false}}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace pobpf
