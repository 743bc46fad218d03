// SPDX-License-Identifier: GPL-2.0-only
// Each filter against what it says, on pages made at random: which records, and which filter it was
// that kept the others out.
#include <gtest/gtest.h>

#include <string>

#include "synthetic/filter_cases.h"
#include "synthetic/machine_test.h"
#include "synthetic/reference.h"

namespace pobpf::synthetic {
namespace {

class Filters : public MachineTestBase,
                public testing::WithParamInterface<std::tuple<ObjectChoice, Case>> {};

TEST_P(Filters, SelectsWhatItSaysAndCountsTheRest) {
  const auto& [object, filter] = GetParam();
  fill_at_random(*machine_);
  open(object);
  ReaderView view;
  filter.set(view.filter);
  const Delivered delivered = read(view);
  const Expected expected = expected_of(
      *machine_, {{0, kRandomSections * kSectionPages}}, [&filter](const pobpf_page& page) {
        return filter.passes(page) ? std::nullopt : std::optional(filter.filter);
      });
  EXPECT_GT(expected.account.filtered.at(filter.filter), 1000U) << "the test rejects too little";
  ASSERT_EQ(delivered.pages.size(), expected.pages.size());
  for (std::size_t i = 0; i < expected.pages.size(); ++i)
    ASSERT_EQ(delivered.pages[i], expected.pages[i]) << "record " << i;
  EXPECT_EQ(counts(delivered.account), counts(expected.account));

  auto sums = session_->sum_groups(view, {}, {});
  ASSERT_TRUE(sums) << sums.error().what;
  EXPECT_EQ(counts(sums->account), counts(expected.account));
}

INSTANTIATE_TEST_SUITE_P(
    Each, Filters, testing::Combine(testing::ValuesIn(kFiltersObjects), testing::ValuesIn(cases())),
    [](const testing::TestParamInfo<std::tuple<ObjectChoice, Case>>& test) {
      return std::string(std::get<0>(test.param).name) + std::get<1>(test.param).name;
    });

}  // namespace
}  // namespace pobpf::synthetic
