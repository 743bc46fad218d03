// SPDX-License-Identifier: GPL-2.0-only
#include <gtest/gtest.h>

#include "cli/options/options.h"
#include "parse.h"

namespace pobpf::cli {
namespace {

Result<PageRequest> request(const test::Arguments& arguments) {
  auto options = test::try_parse(test::with_command("page", arguments));
  if (!options) return fail(std::move(options).error());
  EXPECT_EQ(options->command, Command::kPage);
  return options->page;
}

std::string request_refusal(const test::Arguments& arguments) {
  auto parsed = request(arguments);
  if (parsed) return "accepted";
  EXPECT_EQ(parsed.error().kind, ErrorKind::kUsage);
  return parsed.error().what;
}

TEST(PageRequest, PfnsKeepTheirOrder) {
  const auto pfns = request({"9", "0x10+4", "3-5"}).value().pfns;
  EXPECT_EQ(pfns, (std::vector<PfnRange>{{9, 10}, {16, 20}, {3, 6}}));
}

TEST(PageRequest, PhysicalAddressesAreThePageTheyLieIn) {
  const auto got = request({"--phys", std::to_string(7 * 4096 + 9), "3"}).value();
  EXPECT_EQ(pfns_of(got, 4096), (std::vector<PfnRange>{{3, 4}, {7, 8}}));
  EXPECT_EQ(pfns_of(got, 65536), (std::vector<PfnRange>{{3, 4}, {0, 1}}));
}

TEST(PageRequest, AddressesOfAProcess) {
  const auto got = request({"--pid", "12", "--addr", "0x1000", "--addr", "4096"}).value();
  EXPECT_EQ(got.pid, 12U);
  EXPECT_EQ(got.addresses, (std::vector<std::uint64_t>{4096, 4096}));
  EXPECT_TRUE(got.pfns.empty());
}

TEST(PageRequest, ProcessAndAddressNeedEachOther) {
  EXPECT_EQ(request_refusal({"--pid", "12"}), "--pid needs --addr");
  EXPECT_EQ(request_refusal({"--addr", "0x1000"}), "--addr needs --pid");
  EXPECT_EQ(request_refusal({"--pid", "1", "--pid", "2", "--addr", "1"}),
            "--pid is given more than once");
}

TEST(PageRequest, SomethingMustBeNamed) { EXPECT_EQ(request_refusal({}), "no page is named"); }

TEST(PageRequest, ARunIsBounded) {
  EXPECT_EQ(request_refusal({"0+4096"}), "accepted");
  EXPECT_EQ(request_refusal({"0+4097"}), "more than 4096 pages are asked for");
  EXPECT_EQ(request_refusal({"0+4096", "9"}), "more than 4096 pages are asked for");
  EXPECT_EQ(request_refusal({"0-0xfffffffffffffff0", "0-0xfffffffffffffff0"}),
            "more than 4096 pages are asked for");
}

TEST(PageRequest, OtherCommandsDoNotTakePages) {
  EXPECT_FALSE(parse_options({"check", "5"}, "/dev/null"));
  EXPECT_FALSE(parse_options({"page", "5", "--nid", "0"}, "/dev/null"));
}

}  // namespace
}  // namespace pobpf::cli
