// SPDX-License-Identifier: GPL-2.0-only
#include "reader/stream.h"

#include <gtest/gtest.h>

#include <cstring>

namespace pobpf {
namespace {

pobpf_page page_at(std::uint64_t pfn) {
  pobpf_page page{};
  page.kind = POBPF_ITEM_PAGE;
  page.pfn = pfn;
  return page;
}

pobpf_account account_of(__u16 emitted, __u16 free) {
  pobpf_account account{};
  account.kind = POBPF_ITEM_ACCOUNT;
  account.nr_pages = static_cast<__u16>(emitted + free);
  account.emitted = emitted;
  account.free = free;
  account.mode = POBPF_MODE_HANDLE;
  return account;
}

template <typename T>
void append(std::vector<std::byte>& bytes, const T& item) {
  const std::size_t at = bytes.size();
  bytes.resize(at + sizeof(item));
  std::memcpy(bytes.data() + at, &item, sizeof(item));
}

/// Two windows: PFNs 1 and 2 with three free pages, then one with nothing.
std::vector<std::byte> two_windows() {
  std::vector<std::byte> bytes;
  append(bytes, page_at(1));
  append(bytes, page_at(2));
  append(bytes, account_of(2, 3));
  append(bytes, account_of(0, 256));
  return bytes;
}

TEST(StreamParser, DeliversTheSameInPiecesOfAnySize) {
  const auto bytes = two_windows();
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    SCOPED_TRACE(piece);
    StreamParser parser(true);
    std::vector<std::uint64_t> pfns;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      const auto part = std::span(bytes).subspan(at, std::min(piece, bytes.size() - at));
      ASSERT_TRUE(parser.feed(part));
      for (const pobpf_page& page : parser.pages()) pfns.push_back(page.pfn);
    }
    ASSERT_TRUE(parser.finish());
    EXPECT_EQ(pfns, (std::vector<std::uint64_t>{1, 2}));
    EXPECT_EQ(parser.account().windows, 2U);
    EXPECT_EQ(parser.account().pages, 261U);
    EXPECT_EQ(parser.account().emitted, 2U);
    EXPECT_EQ(parser.account().free, 259U);
    EXPECT_EQ(parser.mode(), POBPF_MODE_HANDLE);
  }
}

TEST(StreamParser, DeliversDetailsBesideTheirPages) {
  std::vector<std::byte> bytes;
  for (std::uint64_t pfn = 1; pfn <= 3; ++pfn) {
    pobpf_detailed_page item{page_at(pfn), {}};
    item.page.kind = POBPF_ITEM_DETAILED_PAGE;
    item.detail.free_handle = static_cast<__u32>(10 * pfn);
    append(bytes, item);
    append(bytes, account_of(1, 0));
  }
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    SCOPED_TRACE(piece);
    StreamParser parser(true);
    std::vector<std::pair<std::uint64_t, std::uint32_t>> seen;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      const auto part = std::span(bytes).subspan(at, std::min(piece, bytes.size() - at));
      ASSERT_TRUE(parser.feed(part));
      ASSERT_EQ(parser.pages().size(), parser.details().size());
      for (std::size_t i = 0; i < parser.pages().size(); ++i) {
        EXPECT_EQ(parser.pages()[i].kind, POBPF_ITEM_PAGE);
        seen.emplace_back(parser.pages()[i].pfn, parser.details()[i].free_handle);
      }
    }
    ASSERT_TRUE(parser.finish());
    EXPECT_EQ(seen,
              (std::vector<std::pair<std::uint64_t, std::uint32_t>>{{1, 10}, {2, 20}, {3, 30}}));
  }
}

TEST(StreamParser, DeliversBlockersWithTheirWindows) {
  std::vector<std::byte> bytes;
  const auto append_window = [&](std::uint64_t pfn, std::uint32_t nr_blockers) {
    for (std::uint32_t i = 1; i <= nr_blockers; ++i) {
      pobpf_blocker blocker{};
      blocker.kind = POBPF_ITEM_BLOCKER;
      blocker.pfn = pfn + i;
      append(bytes, blocker);
    }
    pobpf_window_state state{};
    state.kind = POBPF_ITEM_WINDOW_STATE;
    state.pfn = pfn;
    state.nr_blocking = nr_blockers;
    append(bytes, state);
    append(bytes, account_of(0, 10));
  };
  append_window(100, 2);
  append_window(200, 0);
  append_window(300, 1);
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    SCOPED_TRACE(piece);
    StreamParser parser(false);
    std::vector<std::uint64_t> pfns;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      ASSERT_TRUE(parser.feed(std::span(bytes).subspan(at, std::min(piece, bytes.size() - at))));
      for (const WindowBlockers& window : parser.windows()) {
        EXPECT_EQ(window.blockers.size(), window.state.nr_blocking);
        for (const pobpf_blocker& blocker : window.blockers) pfns.push_back(blocker.pfn);
        pfns.push_back(window.state.pfn);
      }
    }
    ASSERT_TRUE(parser.feed({}));
    ASSERT_TRUE(parser.finish());
    EXPECT_EQ(pfns, (std::vector<std::uint64_t>{101, 102, 100, 200, 301, 300}));
  }
}

TEST(StreamParser, RefusesAStreamCutAnywhereButBetweenWindows) {
  const auto bytes = two_windows();
  const std::size_t first_window = 2 * sizeof(pobpf_page) + sizeof(pobpf_account);
  for (std::size_t length = 0; length <= bytes.size(); ++length) {
    SCOPED_TRACE(length);
    StreamParser parser(true);
    ASSERT_TRUE(parser.feed(std::span(bytes).first(length)));
    const bool is_border = length == 0 || length == first_window || length == bytes.size();
    EXPECT_EQ(parser.finish().has_value(), is_border);
  }
}

TEST(StreamParser, RefusesAnItemItDoesNotKnow) {
  std::vector<std::byte> bytes(80, std::byte{0});
  EXPECT_FALSE(StreamParser(true).feed(bytes));
}

TEST(StreamParser, RefusesAWindowWhoseRecordsAreMissing) {
  std::vector<std::byte> bytes;
  append(bytes, page_at(1));
  append(bytes, account_of(2, 3));
  EXPECT_FALSE(StreamParser(true).feed(bytes));
}

TEST(StreamParser, TakesCountsWithoutRecordsWhereNoneAreExpected) {
  std::vector<std::byte> bytes;
  append(bytes, account_of(200, 3));
  StreamParser parser(false);
  ASSERT_TRUE(parser.feed(bytes));
  EXPECT_TRUE(parser.finish());
  EXPECT_EQ(parser.account().emitted, 200U);
}

TEST(StreamParser, RefusesPagesThatDoNotAddUp) {
  pobpf_account account = account_of(0, 10);
  account.nr_pages = 11;
  std::vector<std::byte> bytes;
  append(bytes, account);
  StreamParser parser(true);
  ASSERT_TRUE(parser.feed(bytes));
  EXPECT_FALSE(parser.finish());
}

TEST(Account, IsIncompleteOnceAnythingIsLost) {
  for (auto lost : {&pobpf_account::torn, &pobpf_account::errors}) {
    pobpf_account window{};
    window.nr_pages = 1;
    window.*lost = 1;
    Account account;
    account.add(window);
    EXPECT_TRUE(account.is_balanced());
    EXPECT_FALSE(account.is_complete());
  }
}

}  // namespace
}  // namespace pobpf
