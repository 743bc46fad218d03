// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/symbol_ranges.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace pobpf {
namespace {

using AddressRanges = std::vector<AddressRange>;

struct Symbol {
  std::uint64_t address;
  bool is_wanted;
};

AddressRanges ranges_of(const std::vector<Symbol>& symbols, const AddressRanges& texts) {
  SymbolRanges ranges;
  for (const Symbol& symbol : symbols) ranges.add(symbol.address, symbol.is_wanted);
  return std::move(ranges).within(texts);
}

constexpr bool kWanted = true;

TEST(SymbolRanges, AFunctionEndsWhereTheNextSymbolBegins) {
  EXPECT_EQ(ranges_of({{100, false}, {200, kWanted}, {300, false}}, {{100, 1000}}),
            (AddressRanges{{200, 300}}));
}

TEST(SymbolRanges, AnyAliasStandsForTheAddress) {
  const AddressRanges expected{{100, 200}};
  EXPECT_EQ(ranges_of({{100, kWanted}, {100, false}, {200, false}}, {{0, 1000}}), expected);
  EXPECT_EQ(ranges_of({{100, false}, {100, kWanted}, {200, false}}, {{0, 1000}}), expected);
  EXPECT_EQ(ranges_of({{100, kWanted}, {100, kWanted}, {200, false}}, {{0, 1000}}), expected);
}

TEST(SymbolRanges, TheLastFunctionEndsWithItsText) {
  EXPECT_EQ(ranges_of({{100, kWanted}}, {{50, 180}}), (AddressRanges{{100, 180}}));
  // data behind it that starts later
  EXPECT_EQ(ranges_of({{100, kWanted}, {500, false}}, {{50, 180}}), (AddressRanges{{100, 180}}));
}

TEST(SymbolRanges, WhatIsNoTextIsLeftOut) {
  // the end symbol of a text is not in it
  EXPECT_EQ(ranges_of({{10, kWanted}, {100, false}, {180, kWanted}}, {{50, 180}}), AddressRanges{});
}

TEST(SymbolRanges, AFunctionDoesNotReachIntoTheNextModule) {
  // the text of the second module begins before its first symbol
  EXPECT_EQ(ranges_of({{100, kWanted}, {220, false}}, {{100, 150}, {150, 300}}),
            (AddressRanges{{100, 150}}));
}

TEST(SymbolRanges, NeighboursAreOneRange) {
  EXPECT_EQ(ranges_of({{100, kWanted}, {150, kWanted}, {200, false}, {300, kWanted}}, {{0, 400}}),
            (AddressRanges{{100, 200}, {300, 400}}));
}

TEST(SymbolRanges, AddressZeroIsAnAddress) {
  EXPECT_EQ(ranges_of({{0, kWanted}, {10, false}}, {{0, 100}}), (AddressRanges{{0, 10}}));
  EXPECT_EQ(ranges_of({}, {{0, 100}}), AddressRanges{});
}

void append(std::vector<std::byte>& bytes, std::uint64_t address, const char* name) {
  pobpf_symbol symbol{};
  symbol.address = address;
  symbol.type = 't';
  symbol.has_name = name != nullptr;
  const auto add = [&](const void* data, std::size_t size) {
    const auto* const begin = static_cast<const std::byte*>(data);
    bytes.insert(bytes.end(), begin, begin + size);
  };
  add(&symbol, sizeof(symbol));
  if (name != nullptr) add(name, std::char_traits<char>::length(name) + 1);
}

TEST(SymbolStream, ReadsPiecesOfAnySize) {
  const std::string longest(511, 'x');
  std::vector<std::byte> bytes;
  append(bytes, 1, "first");
  append(bytes, 2, nullptr);
  append(bytes, 3, "");
  append(bytes, 4, longest.c_str());
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{3}, std::size_t{16}, std::size_t{17}, bytes.size()}) {
    SCOPED_TRACE(size);
    std::vector<std::pair<std::uint64_t, std::string>> seen;
    SymbolStream stream([&](const pobpf_symbol& symbol, std::string_view name) {
      seen.emplace_back(symbol.address, name);
    });
    for (std::size_t at = 0; at < bytes.size(); at += size)
      stream.feed(std::span(bytes).subspan(at, std::min(size, bytes.size() - at)));
    EXPECT_TRUE(stream.finish());
    const decltype(seen) expected{{1, "first"}, {2, ""}, {3, ""}, {4, longest}};
    EXPECT_EQ(seen, expected);
  }
}

TEST(SymbolStream, SaysWhenItIsCut) {
  std::vector<std::byte> bytes;
  append(bytes, 1, "first");
  bytes.pop_back();
  SymbolStream stream([](const pobpf_symbol&, std::string_view) { FAIL(); });
  stream.feed(bytes);
  EXPECT_FALSE(stream.finish());
}

}  // namespace
}  // namespace pobpf
