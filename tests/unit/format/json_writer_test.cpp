// SPDX-License-Identifier: GPL-2.0-only
#include "format/json_writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

namespace pobpf {
namespace {

/// As JSON was written by nlohmann's library, which programs have read since the first version.
std::string expected(const nlohmann::ordered_json& value, int indent = -1) {
  return value.dump(indent, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
}

std::string string_text(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string double_text(double value) {
  std::string out;
  append_json_double(out, value);
  return out;
}

TEST(JsonString, EscapesWhatIsNotPrintableAscii) {
  EXPECT_EQ(string_text("a\"\\\b\f\n\r\t/"), R"("a\"\\\b\f\n\r\t/")");
  EXPECT_EQ(string_text(std::string_view("\0\x1b\x7f", 3)), R"("\u0000\u001b\u007f")");
  EXPECT_EQ(string_text("\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xa7"), R"("\u00e9\u20ac\ud83d\udc27")");
}

TEST(JsonString, ReplacesEachSequenceThatIsCutOff) {
  EXPECT_EQ(string_text("\xe2\x82"), R"("\ufffd")");
  EXPECT_EQ(string_text("\xe2\x82"
                        "a"),
            R"("\ufffda")");
  EXPECT_EQ(string_text("\xf0\x9f\x90\xc3\xa9"), R"("\ufffd\u00e9")");
  EXPECT_EQ(string_text("\xed\xa0\x80"), R"("\ufffd\ufffd\ufffd")");
}

TEST(JsonString, IsThatOfAnotherLibraryWhateverBytesThereAre) {
  // lengths of sequences, the edges of their ranges, and what is escaped
  constexpr std::string_view kBytes(
      "a\"\\\n\x01\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xed\xee\xef\xf0\xf1\xf4\xf5"
      "\xff\0",
      27);
  std::mt19937 random(1);
  for (int i = 0; i < 200'000; ++i) {
    std::string text(1 + random() % 6, ' ');
    for (char& c : text) c = kBytes[random() % kBytes.size()];
    ASSERT_EQ(string_text(text), expected(text));
  }
}

TEST(JsonDouble, IsAlwaysADouble) {
  EXPECT_EQ(double_text(0), "0.0");
  EXPECT_EQ(double_text(1), "1.0");
  EXPECT_EQ(double_text(0.25), "0.25");
  EXPECT_EQ(double_text(1234567890.123), "1234567890.123");
  EXPECT_EQ(double_text(0.00001), "1e-05");
  EXPECT_EQ(double_text(1e300), "1e+300");
  EXPECT_EQ(double_text(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(double_text(std::nan("")), "null");
  std::mt19937_64 random(1);
  for (int i = 0; i < 10'000; ++i) {
    // shares and slopes
    const auto pages = static_cast<double>(random() % 1'000'000);
    for (const double value : {pages / 16'777'216, -pages / 7}) {
      const std::string text = double_text(value);
      ASSERT_EQ(std::strtod(text.c_str(), nullptr), value);
      // of several shortest texts this is the nearest one, which that library's is not always
      ASSERT_EQ(text.size(), expected(value).size());
    }
  }
}

TEST(JsonWriter, WritesObjectsAndLists) {
  std::string out = "before\n";
  append_json(out, [](JsonWriter& writer) {
    writer.member("text", "a");
    writer.member("\xff", -1);
    writer.member("numbers", std::vector<std::uint64_t>{1, ~0ULL});
    writer.member("nothing", std::optional<int>());
    writer.member("something", std::optional(true));
    writer.member("null", nullptr);
    writer.object("empty", [] {});
    writer.array("none", [] {});
  });
  EXPECT_EQ(out,
            "before\n"
            R"({"text":"a","\ufffd":-1,"numbers":[1,18446744073709551615],"nothing":null,)"
            R"("something":true,"null":null,"empty":{},"none":[]})"
            "\n");
}

TEST(JsonWriter, IndentsByTwo) {
  std::string out;
  append_json<JsonLayout::kIndented>(out, [](IndentedJsonWriter& writer) {
    writer.member("a", 1);
    writer.array("none", [] {});
    writer.array("list", [&] { writer.object([&] { writer.member("b", false); }); });
  });
  const nlohmann::ordered_json same = {
      {"a", 1}, {"none", nlohmann::ordered_json::array()}, {"list", {{{"b", false}}}}};
  EXPECT_EQ(out, expected(same, 2) + "\n");
}

}  // namespace
}  // namespace pobpf
