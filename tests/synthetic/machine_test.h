// SPDX-License-Identifier: GPL-2.0-only
// Tests of the synthetic machine share this.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "synthetic/machine.h"

// in the namespace of pobpf_page, where gtest finds them

/// All bytes of a record: nothing may differ.
inline bool operator==(const pobpf_page& a, const pobpf_page& b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

inline void PrintTo(const pobpf_page& page, std::ostream* out) {
  *out << "pfn " << page.pfn << " order " << page.order << " handle " << page.handle << " flags 0x"
       << std::hex << page.flags << std::dec << " pid " << page.pid << " tgid " << page.tgid
       << " ts " << page.ts_nsec;
}

namespace pobpf::synthetic {

/// One of the objects compiled from bpf/page_owner.bpf.c, and whether its readers may have filters:
/// where they may not, the verifier drops the code of all filters.
struct ObjectChoice {
  const char* name;
  std::string_view lacks;  ///< a feature, or empty
  bool with_filters;

  [[nodiscard]] std::set<std::string, std::less<>> without_features() const {
    if (lacks.empty()) return {};
    return {std::string(lacks)};
  }
};

/// The programs of kernels since 6.17, since 6.2, since 5.17, and of earlier ones.
inline constexpr ObjectChoice kObjects[] = {{"Goto", "", false},
                                            {"Plain", "may-goto", false},
                                            {"Probe", "rdonly-cast", false},
                                            {"Each", "bpf-loop", false},
                                            {"FiltersGoto", "", true},
                                            {"Filters", "may-goto", true},
                                            {"FiltersProbe", "rdonly-cast", true},
                                            {"FiltersEach", "bpf-loop", true}};

inline constexpr const ObjectChoice& kNewestObject = kObjects[0];
inline constexpr auto kFiltersObjects = std::span(kObjects).subspan<4>();
inline constexpr const ObjectChoice& kNewestFiltersObject = kObjects[4];

inline std::string object_name(const testing::TestParamInfo<ObjectChoice>& info) {
  return info.param.name;
}

inline void PrintTo(const ObjectChoice& object, std::ostream* out) { *out << object.name; }

struct Delivered {
  std::vector<pobpf_page> pages;
  std::vector<pobpf_page_detail> details;
  Account account;
};

/// A machine that each test fills. Tests are skipped where BPF cannot be used.
class MachineTestBase : public testing::Test {
 protected:
  explicit MachineTestBase(std::uint64_t max_sections = 64) : max_sections_(max_sections) {}

  void SetUp() override {
    auto made = Machine::make(max_sections_);
    if (made) {
      machine_ = std::move(*made);
      return;
    }
    if (made.error().kind == ErrorKind::kUnsupported) GTEST_SKIP() << made.error().what;
    FAIL() << made.error().what;
  }

  void open(const ObjectChoice& object, bool with_details = false) {
    SessionOptions options;
    options.with_details = with_details;
    options.without_features = object.without_features();
    if (object.with_filters) options.filters = kEveryFilter;
    auto opened = machine_->open_session(options);
    ASSERT_TRUE(opened) << opened.error().what;
    session_ = std::move(*opened);
  }

  /// All that a reader delivers, read to the end.
  Delivered read(const ReaderView& view = {}) { return read_from(*session_, view); }

  static Delivered read_from(Session& session, const ReaderView& view) {
    Delivered delivered;
    auto reader = session.open_reader(view);
    if (!reader) {
      ADD_FAILURE() << reader.error().what;
      return delivered;
    }
    for (bool at_end = false; !at_end;) {
      auto pages = (*reader)->next(at_end);
      if (!pages) {
        ADD_FAILURE() << pages.error().what;
        return delivered;
      }
      delivered.pages.insert(delivered.pages.end(), pages->begin(), pages->end());
      const auto details = (*reader)->details();
      delivered.details.insert(delivered.details.end(), details.begin(), details.end());
    }
    delivered.account = (*reader)->account();
    EXPECT_TRUE(delivered.account.is_balanced());
    return delivered;
  }

  std::unique_ptr<Machine> machine_;
  std::unique_ptr<Session> session_;

 private:
  std::uint64_t max_sections_;
};

/// Runs with each object.
class MachineTest : public MachineTestBase, public testing::WithParamInterface<ObjectChoice> {
 protected:
  using MachineTestBase::MachineTestBase;
  void open(bool with_details = false) { MachineTestBase::open(GetParam(), with_details); }
};

/// The counts of an account by name, those that are not zero: what a failed test then shows.
inline std::vector<std::pair<std::string, std::uint64_t>> counts(const Account& account) {
  std::vector<std::pair<std::string, std::uint64_t>> result;
  const auto add = [&](const std::string& name, std::uint64_t count) {
    if (count != 0) result.emplace_back(name, count);
  };
  add("pages", account.pages);
#define POBPF_COUNT(name, meaning) add(#name, account.name);
#define POBPF_BY_FILTER(name, meaning)                  \
  for (std::size_t i = 0; i < account.name.size(); ++i) \
    add(std::string("not ") + kFilterNames.at(i), account.name.at(i));
  POBPF_PAGE_COUNT_LIST(POBPF_COUNT, POBPF_BY_FILTER)
#undef POBPF_COUNT
#undef POBPF_BY_FILTER
  add("cgroup_errors", account.cgroup_errors);
  return result;
}

using Counts = std::vector<std::pair<std::string, std::uint64_t>>;

}  // namespace pobpf::synthetic
