// SPDX-License-Identifier: GPL-2.0-only
// The commands over a made-up kernel: what they print, and how they end.
#include "cli/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "../util/temp_dir.h"
#include "cli/open_session.h"
#include "command_test.h"

namespace pobpf::cli {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

/// Two windows of one page each, with the handles 1 and 2.
class FakeReader final : public PageReader {
 public:
  FakeReader(pobpf_mode mode, const pobpf_account& last_window)
      : mode_(mode), last_window_(last_window) {}
  Result<std::span<const pobpf_page>> next(bool& at_end) override {
    page_ = {};
    page_.handle = static_cast<std::uint32_t>(++windows_);
    page_.pfn = windows_;
    pobpf_account window{};
    window.nr_pages = 1;
    window.emitted = 1;
    at_end = windows_ == 2;
    account_.add(at_end ? last_window_ : window);
    return std::span<const pobpf_page>(&page_, 1);
  }
  void set_read_bytes(std::size_t /*nr_bytes*/) override {}
  [[nodiscard]] const Account& account() const override { return account_; }
  [[nodiscard]] Progress progress() const override { return {windows_, 2}; }
  [[nodiscard]] pobpf_mode mode() const override { return mode_; }

 private:
  pobpf_mode mode_;
  pobpf_account last_window_;
  std::uint64_t windows_ = 0;
  pobpf_page page_{};
  Account account_;
};

class FakeSession final : public Session {
 public:
  FakeSession() {
    last_window.nr_pages = 1;
    last_window.emitted = 1;
  }
  Result<const Stack*> stack(std::uint32_t handle) override {
    if (unreadable_handles.test(handle)) return fail(ErrorKind::kFailed, "no such stack");
    return &stack_;
  }
  Result<std::string_view> cgroup_name(std::uint64_t /*cgroup_id*/) override { return "/"; }
  [[nodiscard]] const KernelFacts& facts() const override { return facts_; }
  [[nodiscard]] const NodeSet& memory_nodes() const override { return nodes_; }
  [[nodiscard]] unsigned max_nodes() const override { return 64; }
  [[nodiscard]] Result<std::uint64_t> now_ns() const override { return std::uint64_t{1} << 40; }
  [[nodiscard]] std::uint64_t page_bytes() const override { return 4096; }
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> describe() const override {
    return {};
  }
  Result<std::unique_ptr<PageReader>> open_reader(const ReaderView& view) override {
    return std::make_unique<FakeReader>(view.mode, last_window);
  }
  Result<GroupSums> sum_groups(const ReaderView& /*view*/, const SumRequest& sum_request,
                               const ProgressCallback& on_progress) override {
    request = sum_request;
    EXPECT_TRUE(on_progress({1, 2}));
    sums.account.add(last_window);
    return sums;
  }
  [[nodiscard]] const PageTypes& page_types() const override { return page_types_; }

  static GroupSum sum_of(std::uint32_t handle, std::uint64_t pages, std::uint64_t allocations) {
    GroupSum group;
    group.key.handle = handle;
    group.sum = {pages, allocations, 0};
    return group;
  }
  SumRequest request;
  GroupSums sums{{sum_of(1, 1, 1), sum_of(2, 30, 20)}, {}, {}};

  pobpf_account last_window{};
  std::bitset<8> unreadable_handles;

 private:
  KernelFacts facts_;
  PageTypes page_types_;
  NodeSet nodes_{0b101};
  Stack stack_{
      {{0xffffffff81000010, "alloc+0x10/0x20"}, {0xffffffffc0000020, "init+0x2/0x9 [mod]"}},
      " alloc+0x10/0x20\n init+0x2/0x9 [mod]\n"};
};

class Commands : public test::CommandTest {
 protected:
  Result<ExitStatus> run(Print& print) { return CommandTest::run(print, session); }
  FakeSession session;
};

TEST_F(Commands, PagesPrintsARecordAPage) {
  ASSERT_EQ(run(print_pages).value(), ExitStatus::kComplete);
  const std::string text = dir.read("out");
  EXPECT_THAT(text, HasSubstr("PFN 0x1 "));
  EXPECT_THAT(text, HasSubstr("PFN 0x2 "));
  EXPECT_THAT(text, HasSubstr(" alloc+0x10/0x20\n init+0x2/0x9 [mod]\n"));
  EXPECT_EQ(said, "");
}

TEST_F(Commands, PagesPassesTheModeOn) {
  options.mode = POBPF_MODE_HANDLE;
  ASSERT_EQ(run(print_pages).value(), ExitStatus::kComplete);
  EXPECT_THAT(dir.read("out"), HasSubstr("handle: 2\n"));
  EXPECT_THAT(dir.read("out"), ::testing::Not(HasSubstr("alloc+")));
}

TEST_F(Commands, PagesSaysWhatIsMissing) {
  session.last_window.nr_pages = 6;
  session.last_window.torn = 2;
  session.last_window.errors = 3;
  ASSERT_EQ(run(print_pages).value(), ExitStatus::kIncomplete);
  EXPECT_THAT(said, HasSubstr("finished, but not complete because of 2 pages that changed while "
                              "they were read, 3 pages that could not be read: "));
  EXPECT_TRUE(has_output());
}

TEST_F(Commands, QuietDoesNotHideThatSomethingIsMissing) {
  options.is_quiet = true;
  session.last_window.nr_pages = 2;
  session.last_window.torn = 1;
  ASSERT_EQ(run(print_pages).value(), ExitStatus::kIncomplete);
  EXPECT_EQ(said,
            "pobpf: finished, but not complete because of 1 page that changed while it was read: "
            "run pobpf again if this matters\n");
}

TEST_F(Commands, ErrorsAreObjectsInJson) {
  options.format = Format::kJson;
  session.last_window.nr_pages = 2;
  session.last_window.torn = 1;
  ASSERT_EQ(run(print_pages).value(), ExitStatus::kIncomplete);
  const auto error = nlohmann::json::parse(said);
  EXPECT_EQ(error.at("level"), "error");
  EXPECT_EQ(error.at("exit_status"), 4);
  EXPECT_EQ(error.at("hint"), "run pobpf again if this matters");
}

TEST_F(Commands, PagesSaysWhatDoesNotAddUp) {
  session.last_window.nr_pages = 2;
  ASSERT_EQ(run(print_pages).value(), ExitStatus::kIncomplete);
  EXPECT_THAT(said, HasSubstr("pages that nothing accounts for"));
}

TEST_F(Commands, PagesGoesOnAfterAStackThatCannotBeRead) {
  session.unreadable_handles.set(1);
  ASSERT_EQ(run(print_pages).value(), ExitStatus::kIncomplete);
  EXPECT_THAT(dir.read("out"), HasSubstr("PFN 0x2 "));
  EXPECT_THAT(said, HasSubstr("1 record that could not be shown (no such stack)"));
}

TEST_F(Commands, PagesFailsIfNotOneStackCanBeRead) {
  session.unreadable_handles.set();
  const auto ended = run(print_pages);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().what, "no such stack");
  EXPECT_FALSE(has_output());
}

TEST_F(Commands, StatsIsATableOfAllPages) {
  options.wants_stats = true;
  ASSERT_EQ(run(print_pages).value(), ExitStatus::kComplete);
  EXPECT_THAT(said, ContainsRegex("\nemitted +2 "));
}

TEST_F(Commands, StatsIsAnObjectInJson) {
  options.wants_stats = true;
  options.format = Format::kJson;
  ASSERT_EQ(run(print_stacks).value(), ExitStatus::kComplete);
  const auto stats = nlohmann::json::parse(said).at("stats");
  EXPECT_EQ(stats.at("emitted"), 1);
  EXPECT_EQ(stats.at("pages"), 1);
}

TEST_F(Commands, StacksPrintsFramesAndSums) {
  ASSERT_EQ(run(print_stacks).value(), ExitStatus::kComplete);
  EXPECT_EQ(dir.read("out"),
            " alloc+0x10/0x20\n init+0x2/0x9 [mod]\n"
            "handle: 2\nnr_base_pages: 30\nnr_allocations: 20\n\n"
            " alloc+0x10/0x20\n init+0x2/0x9 [mod]\n"
            "handle: 1\nnr_base_pages: 1\nnr_allocations: 1\n\n");
}

TEST_F(Commands, StacksPrintsAnObjectAStack) {
  options.format = Format::kJson;
  session.unreadable_handles.set(1);
  ASSERT_EQ(run(print_stacks).value(), ExitStatus::kIncomplete);
  std::istringstream lines(dir.read("out"));
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  const auto first = nlohmann::json::parse(line);
  EXPECT_EQ(first.at("handle"), 2);
  EXPECT_EQ(first.at("nr_base_pages"), 30);
  EXPECT_EQ(first.at("nr_allocations"), 20);
  EXPECT_EQ(first.at("stack").at(1).at("symbol"), "init+0x2/0x9 [mod]");
  EXPECT_EQ(first.at("stack").at(0).at("address"), "0xffffffff81000010");
  ASSERT_TRUE(std::getline(lines, line));
  EXPECT_TRUE(nlohmann::json::parse(line).at("stack").is_null());
}

TEST_F(Commands, StacksAsksForWhatTheOptionsSay) {
  options.nr_threads = 3;
  options.groups_max = 1000;
  ASSERT_EQ(run(print_stacks).value(), ExitStatus::kComplete);
  EXPECT_EQ(session.request.group_by, POBPF_GROUP_HANDLE);
  EXPECT_EQ(session.request.nr_threads, 3U);
  EXPECT_EQ(session.request.groups_max, 1000U);
}

TEST_F(Commands, StacksSaysHowMuchFoundNoRoom) {
  session.sums.other = {1, 1, 0};
  ASSERT_EQ(run(print_stacks).value(), ExitStatus::kIncomplete);
  EXPECT_EQ(said,
            "pobpf: finished, but not complete because of 1 page of a group that there was no room "
            "for: raise --max-groups, or narrow the view down with filters\n");
}

// what has no memory is refused where the view is compiled: tests/vm
TEST_F(Commands, ViewNamesTheNodesThatExist) {
  for (const char* list : {"64", "1023"}) {
    options.nodelist = list;
    const auto view = make_view(options, session);
    ASSERT_FALSE(view) << list;
    EXPECT_EQ(view.error().kind, ErrorKind::kUsage);
    EXPECT_EQ(view.error().hint, "nodes with memory are 0,2");
  }
}

TEST_F(Commands, ViewTakesNodesThatExist) {
  options.nodelist = "0,2";
  EXPECT_EQ(make_view(options, session).value().filter.nodes, NodeSet(0b101));
  options.nodelist = "";
  EXPECT_EQ(make_view(options, session).value().filter.nodes, std::nullopt);
}

class CheckCommand : public ::testing::Test {
 protected:
  [[nodiscard]] std::pair<ExitStatus, std::string> run(const std::vector<Check>& checks,
                                                       Format format) const {
    Options options;
    options.format = format;
    auto output = Output::to_file(dir / "out");
    const auto status = print_checks(checks, options, output.value());
    return {status.value(), dir.read("out")};
  }
  const std::vector<Check> good{{"first", CheckState::kOk, "fine", ""},
                                {"second", CheckState::kUnknown, "not known", "look"}};
  const std::vector<Check> bad{{"first", CheckState::kMissing, "not there", "get it"},
                               {"second", CheckState::kOk, "given \x1b[31m", ""}};
  test::TempDir dir;
};

TEST_F(CheckCommand, PrintsALineACheck) {
  EXPECT_EQ(run(good, Format::kText),
            std::pair(ExitStatus::kComplete,
                      std::string("OK    first: fine\n?     second: not known; look\n")));
}

TEST_F(CheckCommand, EndsWithUnsupportedIfAnythingIsMissing) {
  const auto [status, text] = run(bad, Format::kText);
  EXPECT_EQ(status, ExitStatus::kUnsupported);
  EXPECT_THAT(text, HasSubstr("FAIL  first: not there; get it\n"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("\x1b")));
}

TEST_F(CheckCommand, PrintsAnObject) {
  const auto object = nlohmann::json::parse(run(bad, Format::kJson).second);
  EXPECT_EQ(object.at("can_run"), false);
  EXPECT_EQ(object.at("checks").at(0).at("name"), "first");
  EXPECT_EQ(object.at("checks").at(0).at("state"), "missing");
  EXPECT_EQ(object.at("checks").at(0).at("hint"), "get it");
  EXPECT_EQ(object.at("checks").at(1).at("state"), "ok");
}

}  // namespace
}  // namespace pobpf::cli
