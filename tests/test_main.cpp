// SPDX-License-Identifier: GPL-2.0-only
// main() of the programs of tests.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string_view>

namespace {

/// Where all that tests need was set up, one that could not run has shown nothing.
class SkippedTestFails final : public testing::EmptyTestEventListener {
  void OnTestEnd(const testing::TestInfo& test) override {
    if (test.result()->Skipped()) ADD_FAILURE() << "skipped, but POBPF_TEST_REQUIRE=1";
  }
};

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  const char* const is_required = std::getenv("POBPF_TEST_REQUIRE");
  // behind the printer, which then is told of the failure; gtest deletes it
  if (is_required != nullptr && std::string_view(is_required) == "1")
    testing::UnitTest::GetInstance()->listeners().Append(new SkippedTestFails);
  return RUN_ALL_TESTS();
}
