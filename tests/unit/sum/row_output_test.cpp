// SPDX-License-Identifier: GPL-2.0-only
#include "sum/row_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "format/documented_columns.h"
#include "model/duration.h"
#include "model/time_sum.h"
#include "util/escape.h"
#include "util/utf8.h"

namespace pobpf {
namespace {

using Json = nlohmann::ordered_json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr GroupField kStack = GroupField::kStack;
constexpr GroupField kComm = GroupField::kComm;
constexpr GroupField kTgid = GroupField::kTgid;

Label name(std::string text) { return {std::move(text), std::nullopt}; }
Label number(std::int64_t value) { return {std::to_string(value), value}; }

Row group(std::uint64_t pages, std::uint64_t allocations, std::vector<Label> labels) {
  Row row;
  row.pages = pages;
  row.allocations = allocations;
  row.labels = std::move(labels);
  row.nr_rows = 1;
  return row;
}

Row special(RowKind kind, std::uint64_t pages, std::uint64_t nr_rows = 0) {
  Row row;
  row.kind = kind;
  row.pages = pages;
  row.allocations = pages;
  row.nr_rows = nr_rows;
  return row;
}

const RowKind kSpecialKinds[] = {RowKind::kIgnored, RowKind::kOther, RowKind::kRest,
                                 RowKind::kTotal};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

class RowOutput : public ::testing::Test {
 protected:
  RowOutput() { style.total_pages = 1000; }

  std::string table(const std::vector<GroupField>& fields) {
    grouping.fields = fields;
    std::string out;
    EXPECT_TRUE(append_table(out, rows, grouping, style));
    EXPECT_TRUE(out.ends_with('\n'));
    return out;
  }
  std::vector<Json> json(const std::vector<GroupField>& fields) {
    grouping.fields = fields;
    std::string out;
    append_json_rows(out, rows, grouping, style);
    for (const char c : out) EXPECT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7f)) << out;
    std::vector<Json> objects;
    for (const std::string& line : lines_of(out)) objects.push_back(Json::parse(line));
    EXPECT_EQ(objects.size(), rows.size());
    return objects;
  }
  std::string csv(const std::vector<GroupField>& fields) {
    grouping.fields = fields;
    std::string out;
    append_csv_header(out, grouping, style);
    append_csv_rows(out, rows, grouping, style);
    return out;
  }

  std::vector<Row> rows;
  Grouping grouping;
  RowStyle style;
};

// tables

TEST_F(RowOutput, NumbersStandAtTheRightAndNamesAtTheLeft) {
  rows = {group(500, 7, {name("short"), number(1)}),
          group(20, 12345, {name("a longer one"), number(4711)})};
  EXPECT_EQ(table({kComm, kTgid}),
            "PAGES  SIZE  ALLOCS  SHARE  COMM          TGID\n"
            "  500  2.0M       7  50.0%  short            1\n"
            "   20   80K   12345   2.0%  a longer one  4711\n");
  EXPECT_EQ(rows[1].labels[0].text, "a longer one");
}

TEST_F(RowOutput, PathsOfCgroupsAreShortInTablesUnlessTheyAreToBeFull) {
  constexpr GroupField kMemcg = GroupField::kMemcg;
  const auto cgroup = [](const char* text, const char* short_text) {
    return Label{text, std::nullopt, short_text};
  };
  rows = {group(1, 1, {cgroup("/pod1234", "/pod1*"), name("a")}),
          group(1, 1, {cgroup("/pod5678", "/pod5*"), name("a")})};
  EXPECT_THAT(table({kMemcg, kComm}), HasSubstr("/pod1*  a\n"));
  EXPECT_EQ(json({kMemcg, kComm})[0].at("memcg"), "/pod1234");
  EXPECT_THAT(csv({kMemcg, kComm}), HasSubstr(",/pod1234,a\r\n"));
  style.is_full = true;
  EXPECT_THAT(table({kMemcg, kComm}), HasSubstr("/pod1234  a\n"));
  style.is_full = false;
  // what would look like another one is full
  rows.push_back(group(1, 1, {cgroup("/pod1999", "/pod1*"), name("a")}));
  rows.push_back(group(1, 1, {cgroup("/pod1234", "/pod1*"), name("b")}));
  const std::string text = table({kMemcg, kComm});
  for (const char* line : {"/pod1234  a\n", "/pod5*    a\n", "/pod1999  a\n", "/pod1234  b\n"})
    EXPECT_THAT(text, HasSubstr(line));
}

TEST_F(RowOutput, AProcessThatHasGoneIsMarked) {
  rows = {group(1, 1, {number(1)}), group(1, 1, {number(4711)}), group(1, 1, {number(5)}),
          group(1, 1, {number(6)}), special(RowKind::kTotal, 4)};
  rows[0].labels[0].state = "living";
  rows[1].labels[0].state = "dead";
  rows[2].labels[0].state = "reused";
  EXPECT_EQ(table({kTgid}),
            "PAGES  SIZE  ALLOCS  SHARE  TGID\n"
            "    1    4K       1   0.1%  1\n"
            "    1    4K       1   0.1%  4711 (dead)\n"
            "    1    4K       1   0.1%  5 (reused)\n"
            "    1    4K       1   0.1%  6\n"
            "    4   16K       4   0.4%  (total)\n");
  const auto objects = json({kTgid});
  EXPECT_EQ(objects[0].at("process"), "living");
  EXPECT_EQ(objects[1].at("tgid"), 4711);
  EXPECT_EQ(objects[1].at("process"), "dead");
  EXPECT_EQ(objects[2].at("process"), "reused");
  EXPECT_FALSE(objects[3].contains("process"));
  EXPECT_FALSE(objects[4].contains("process"));
  const auto lines = lines_of(csv({kTgid}));
  EXPECT_TRUE(lines[0].ends_with(",tgid,process\r")) << lines[0];
  EXPECT_TRUE(lines[2].ends_with(",4711,dead\r")) << lines[2];
  EXPECT_TRUE(lines[4].ends_with(",6,\r")) << lines[4];
  EXPECT_TRUE(lines[5].ends_with(",,\r")) << lines[5];
}

TEST_F(RowOutput, NumbersAmongNamesAreNames) {
  rows = {group(1, 1, {name("Normal")}), group(1, 1, {number(4)})};
  EXPECT_EQ(table({GroupField::kZone}),
            "PAGES  SIZE  ALLOCS  SHARE  ZONE\n"
            "    1    4K       1   0.1%  Normal\n"
            "    1    4K       1   0.1%  4\n");
}

TEST_F(RowOutput, WhatIsNoGroupHasItsNameInPlaceOfTheFields) {
  rows = {group(900, 9, {name("a"), number(1)}), special(RowKind::kIgnored, 40, 3),
          special(RowKind::kOther, 30), special(RowKind::kRest, 30, 12),
          special(RowKind::kTotal, 1000)};
  EXPECT_EQ(table({kComm, kTgid}),
            "PAGES  SIZE  ALLOCS   SHARE  COMM  TGID\n"
            "  900  3.5M       9   90.0%  a        1\n"
            "   40  160K      40    4.0%  (ignored: 3)\n"
            "   30  120K      30    3.0%  (no room for more groups)\n"
            "   30  120K      30    3.0%  (12 more)\n"
            " 1000  3.9M    1000  100.0%  (total)\n");
}

TEST_F(RowOutput, ATableOfNothingHasItsTotal) {
  style.total_pages = 0;
  rows = {special(RowKind::kTotal, 0)};
  EXPECT_EQ(table({kComm}),
            "PAGES  SIZE  ALLOCS  SHARE  COMM\n"
            "    0    0K       0   0.0%  (total)\n");
}

TEST_F(RowOutput, SizesAreExactOnRequest) {
  rows = {group(1'000'001, 1, {name("a")})};
  style.is_exact = true;
  EXPECT_THAT(table({kComm}), HasSubstr("1000001  4096004096  "));
  style.is_exact = false;
  EXPECT_THAT(table({kComm}), HasSubstr("1000001  3.8G  "));
}

TEST_F(RowOutput, SizesAreThoseOfThePagesOfThisMachine) {
  rows = {group(16, 1, {name("a")})};
  style.page_bytes = 65536;
  EXPECT_THAT(table({kComm}), HasSubstr(" 1.0M "));
  EXPECT_EQ(json({kComm})[0].at("bytes"), 1 << 20);
  EXPECT_THAT(csv({kComm}), HasSubstr(",1048576,"));
}

TEST_F(RowOutput, StacksStandBelowTheirRowOneCallALine) {
  rows = {group(10, 1, {name("a")}), group(5, 1, {name("b")}), special(RowKind::kTotal, 15)};
  rows[0].frames = {"inner+0x1/0x2", "outer+0x3/0x4 [mod]"};
  rows[1].frames = {"other+0x5/0x6"};
  EXPECT_EQ(table({kStack, kComm}),
            "PAGES  SIZE  ALLOCS  SHARE  COMM\n"
            "   10   40K       1   1.0%  a\n"
            "        inner+0x1/0x2\n"
            "        outer+0x3/0x4 [mod]\n"
            "\n"
            "    5   20K       1   0.5%  b\n"
            "        other+0x5/0x6\n"
            "\n"
            "   15   60K      15   1.5%  (total)\n");
}

TEST_F(RowOutput, AgeAndGrowthHaveColumnsWhereTheyAreWanted) {
  rows = {group(10, 2, {name("a")}), group(0, 0, {name("gone")}), special(RowKind::kTotal, 10)};
  add_time(rows[0].time, 2 * 1000);
  rows[0].change = 256;
  rows[0].growth = -512;
  rows[1].change = -1;
  style.now_ns = 1000 + 90'000'000'000;
  style.with_age = true;
  EXPECT_EQ(table({kComm}),
            "PAGES  SIZE  ALLOCS  SHARE    AGE  COMM\n"
            "   10   40K       2   1.0%  1m30s  a\n"
            "    0    0K       0   0.0%      -  gone\n"
            "   10   40K      10   1.0%      -  (total)\n");
  style.with_age = false;
  style.with_growth = true;
  EXPECT_EQ(table({kComm}),
            "PAGES  SIZE  ALLOCS  SHARE  CHANGE  GROWTH  COMM\n"
            "   10   40K       2   1.0%   +1.0M   -2.0M  a\n"
            "    0    0K       0   0.0%     -4K       0  gone\n"
            "   10   40K      10   1.0%       0       0  (total)\n");
  style.is_exact = true;
  EXPECT_THAT(table({kComm}), HasSubstr("+1048576  -2097152  a\n"));
}

TEST_F(RowOutput, NothingOfANameReachesATerminalRaw) {
  // escape sequences, DEL, C1, text that runs backwards, no UTF-8, a second line
  const std::string bad = "\x1b[31m\x07\x7f\xc2\x9b\xe2\x80\xae\xff\nPAGES\t\r\\";
  rows = {group(1, 1, {name(bad)})};
  rows[0].frames = {bad, "b"};
  const std::string out = table({kComm, kStack});
  EXPECT_EQ(lines_of(out).size(), 5U) << out;
  std::string printable = out;
  std::erase(printable, '\n');
  for (const char c : printable) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << static_cast<int>(c);
  std::string wanted;
  append_escaped(wanted, bad);
  EXPECT_THAT(out, HasSubstr("  " + wanted + "\n"));
  EXPECT_THAT(out, HasSubstr("        " + wanted + "\n"));
}

TEST_F(RowOutput, ColumnsAreCharactersAndNotBytes) {
  rows = {group(1, 1, {name("äöü"), number(1)}), group(1, 1, {name("abcd"), number(2)})};
  EXPECT_THAT(table({kComm, kTgid}), HasSubstr("  äöü      1\n"));
  EXPECT_THAT(table({kComm, kTgid}), HasSubstr("  abcd     2\n"));
}

TEST_F(RowOutput, ColumnsAreThoseThatATerminalTakes) {
  // two columns each, and none
  rows = {group(1, 1, {name("\xe9\xa1\xb5\xe9\x9d\xa2"), number(1)}),
          group(1, 1, {name("e\xcc\x81"), number(2)}), group(1, 1, {name("abcde"), number(3)})};
  EXPECT_THAT(table({kComm, kTgid}), HasSubstr("  \xe9\xa1\xb5\xe9\x9d\xa2      1\n"));
  EXPECT_THAT(table({kComm, kTgid}), HasSubstr("  e\xcc\x81         2\n"));
  EXPECT_THAT(table({kComm, kTgid}), HasSubstr("  abcde     3\n"));
  // half of a character has no room
  for (Row& row : rows) row.labels.pop_back();
  style.width = std::string_view("    1    4K       1   0.1%  abc").size();
  EXPECT_THAT(table({kComm}), HasSubstr("  \xe9\xa1\xb5\n"));
  EXPECT_THAT(table({kComm}), HasSubstr("  e\xcc\x81\n"));
}

TEST_F(RowOutput, LinesAreCutToTheTerminal) {
  rows = {group(1, 1, {name("äöüäöüäöüäöü")}), special(RowKind::kTotal, 1)};
  rows[0].frames = {"ßßßßßßßßßßßßßßßßßßßßßßßßßßßßßßßßßßßßß"};
  const auto whole = lines_of(table({kComm, kStack}));
  for (std::size_t width = 0; width < 60; ++width) {
    style.width = width;
    const auto cut = lines_of(table({kComm, kStack}));
    ASSERT_EQ(cut.size(), whole.size()) << width;
    for (std::size_t i = 0; i < cut.size(); ++i) {
      EXPECT_TRUE(whole[i].starts_with(cut[i])) << cut[i];
      EXPECT_FALSE(cut[i].ends_with(' ')) << cut[i];
      std::size_t columns = 0;
      for (std::string_view rest = cut[i]; !rest.empty(); ++columns) {
        const std::size_t length = first_character(rest).length;
        ASSERT_NE(length, 0U) << "a character is cut in two";
        rest.remove_prefix(length);
      }
      EXPECT_LE(columns, width);
    }
  }
  EXPECT_EQ(lines_of(table({kComm, kStack})), whole);
}

TEST_F(RowOutput, AnExactFitIsNotCut) {
  rows = {group(1, 1, {name("abc")})};
  style.width = std::string_view("    1    4K       1   0.1%  abc").size();
  EXPECT_THAT(table({kComm}), HasSubstr("  abc\n"));
  --*style.width;
  EXPECT_THAT(table({kComm}), HasSubstr("  ab\n"));
}

// JSON; docs/top.md has the keys

TEST_F(RowOutput, JsonHasTheDocumentedKeysAndNoOther) {
  rows = {group(250, 30, {name("init"), number(1)})};
  EXPECT_EQ(json({kComm, kTgid})[0], Json::parse(R"({"kind": "group", "pages": 250,
            "bytes": 1024000, "allocations": 30, "share": 0.25, "comm": "init", "tgid": 1})"));
}

TEST(RowColumns, AreThoseOfTheDocument) {
  EXPECT_THAT(samples::document("top.md"), HasSubstr(samples::documented_columns(row_columns())));
}

TEST_F(RowOutput, JsonOfALookHasTimeAgeAndGrowth) {
  rows = {group(250, 2, {name("init")}), group(0, 0, {name("gone")})};
  add_time(rows[0].time, 2);
  rows[0].change = 5;
  rows[0].growth = -7;
  style.with_age = style.with_growth = true;
  style.time = 1700000000.125;
  style.now_ns = 1 + 99;
  const auto objects = json({kComm});
  EXPECT_EQ(objects[0], Json::parse(R"({"time": 1700000000.125, "kind": "group", "pages": 250,
            "bytes": 1024000, "allocations": 2, "share": 0.25, "mean_age_ns": 99,
            "change_pages": 5, "growth_pages": -7, "comm": "init"})"));
  EXPECT_TRUE(objects[1].at("mean_age_ns").is_null());
}

TEST_F(RowOutput, JsonSaysWhatIsNoGroup) {
  rows = {special(RowKind::kIgnored, 40, 3), special(RowKind::kOther, 30),
          special(RowKind::kRest, 30, 12), special(RowKind::kTotal, 1000, 5)};
  const auto objects = json({kStack, kComm});
  EXPECT_EQ(objects[0].at("kind"), "ignored");
  EXPECT_EQ(objects[0].at("groups"), 3);
  EXPECT_EQ(objects[1].at("kind"), "other");
  EXPECT_EQ(objects[2].at("kind"), "rest");
  EXPECT_EQ(objects[2].at("groups"), 12);
  EXPECT_EQ(objects[3].at("kind"), "total");
  EXPECT_EQ(objects[3].at("share"), 1.0);
  for (const unsigned i : {1U, 3U}) EXPECT_FALSE(objects[i].contains("groups"));
  for (const Json& object : objects) {
    EXPECT_FALSE(object.contains("comm"));
    EXPECT_FALSE(object.contains("stack"));
    EXPECT_FALSE(object.contains("handle"));
  }
}

TEST_F(RowOutput, JsonHasNumbersWhereLabelsAre) {
  rows = {group(1, 1, {number(-1), name("4")}), group(1, 1, {number(1), number(4)})};
  const auto objects = json({kTgid, GroupField::kZone});
  EXPECT_EQ(objects[0].at("tgid"), -1);
  EXPECT_EQ(objects[0].at("zone"), "4");
  EXPECT_TRUE(objects[1].at("zone").is_number_integer());
}

TEST_F(RowOutput, JsonKeepsNumbersExact) {
  constexpr std::uint64_t kPages = (1ULL << 51) + 1;
  rows = {group(kPages, kPages, {})};
  const Json object = json({kStack})[0];
  EXPECT_EQ(object.at("pages").get<std::uint64_t>(), kPages);
  EXPECT_EQ(object.at("bytes").get<std::uint64_t>(), kPages * 4096);
}

TEST_F(RowOutput, JsonStacksAreArraysWithTheirHandle) {
  rows = {group(1, 1, {}), group(1, 1, {}), group(1, 1, {})};
  rows[0].frames = {"inner+0x1/0x2", "outer+0x3/0x4"};
  rows[0].handle = 4711;
  rows[1].frames = {"cut"};
  const auto objects = json({kStack});
  EXPECT_EQ(objects[0].at("stack"), Json({"inner+0x1/0x2", "outer+0x3/0x4"}));
  EXPECT_EQ(objects[0].at("handle"), 4711);
  EXPECT_EQ(objects[1].at("stack"), Json::array({"cut"}));
  EXPECT_FALSE(objects[1].contains("handle")) << "innermost frames are those of many handles";
  EXPECT_EQ(objects[2].at("stack"), Json::array());
}

TEST_F(RowOutput, JsonNamesMayBeAnyBytes) {
  rows = {group(1, 1, {name("a\xff\"\n\x1b")}), group(1, 1, {name("ä")})};
  const auto objects = json({kComm});
  EXPECT_EQ(objects[0].at("comm"), "a\xef\xbf\xbd\"\n\x1b");
  EXPECT_EQ(objects[1].at("comm"), "ä");
}

// CSV

/// RFC 4180: lines that end with CR LF, of fields that may be quoted.
std::vector<std::vector<std::string>> parse_csv(std::string_view text) {
  std::vector<std::vector<std::string>> lines;
  while (!text.empty()) {
    lines.emplace_back();
    for (bool at_end = false; !at_end;) {
      std::string field;
      if (text.starts_with('"')) {
        text.remove_prefix(1);
        while (!text.empty() && (text[0] != '"' || text.substr(0, 2) == "\"\"")) {
          field += text[0];
          text.remove_prefix(text[0] == '"' ? 2 : 1);
        }
        text.remove_prefix(std::min<std::size_t>(text.size(), 1));
      } else {
        field = text.substr(0, text.find_first_of(",\r\n\""));
        text.remove_prefix(field.size());
      }
      lines.back().push_back(field);
      at_end = text.starts_with("\r\n");
      if (!at_end && !text.starts_with(',')) {
        ADD_FAILURE() << "neither a comma nor a line's end: " << text;
        return lines;
      }
      text.remove_prefix(at_end ? 2 : 1);
    }
  }
  return lines;
}

TEST_F(RowOutput, CsvHasALineARow) {
  rows = {group(250, 30, {name("init"), number(1)}), special(RowKind::kTotal, 1000)};
  EXPECT_EQ(csv({kComm, kTgid}),
            "kind,pages,bytes,allocations,share,comm,tgid,process\r\n"
            "group,250,1024000,30,0.250000,init,1,\r\n"
            "total,1000,4096000,1000,1.000000,,,\r\n");
}

TEST_F(RowOutput, CsvNamesComeBackAsTheyWere) {
  const std::vector<std::string> names = {
      "a,b", "\"", "say \"x\", y", "a\nb", "a\r\nb", "\r", "plain", "", ";", "\xff\x1b"};
  for (const std::string& text : names) rows.push_back(group(1, 1, {name(text), number(7)}));
  const auto lines = parse_csv(csv({kComm, kTgid}));
  ASSERT_EQ(lines.size(), names.size() + 1);
  for (std::size_t i = 0; i < names.size(); ++i) {
    ASSERT_EQ(lines[i + 1].size(), 8U);
    EXPECT_EQ(lines[i + 1][5], names[i]);
    EXPECT_EQ(lines[i + 1][6], "7");
  }
}

TEST_F(RowOutput, CsvOnATerminalIsEscaped) {
  rows = {group(1, 1, {name("\x1b[31m,")})};
  rows[0].frames = {"f\x1b"};
  style.is_terminal = true;
  EXPECT_THAT(csv({kComm, kStack}), HasSubstr(",\"\\x1b[31m,\",f\\x1b\r\n"));
}

TEST_F(RowOutput, CsvStacksAreOneField) {
  rows = {group(1, 1, {})};
  rows[0].frames = {"inner+0x1/0x2", "outer+0x3/0x4 [mod]"};
  const auto lines = parse_csv(csv({kStack}));
  EXPECT_EQ(lines[1].back(), "inner+0x1/0x2;outer+0x3/0x4 [mod]");
}

TEST_F(RowOutput, CsvColumnsAreThoseOfTheHeaderAndTheKeysOfJson) {
  const std::vector<std::vector<GroupField>> all_fields = {
      {kStack}, {kComm}, {kComm, kStack, kTgid}, {kTgid, kComm}, {kStack, kComm}};
  for (unsigned flags = 0; flags < 8; ++flags) {
    style.time = (flags & 1U) != 0 ? std::optional(1700000000.5) : std::nullopt;
    style.with_age = (flags & 2U) != 0;
    style.with_growth = (flags & 4U) != 0;
    for (const auto& fields : all_fields) {
      rows.clear();
      for (const RowKind kind : kSpecialKinds) rows.push_back(special(kind, 10, 2));
      rows.push_back(group(250, 2, {}));
      Row& row = rows.back();
      for (const GroupField field : fields)
        if (field != kStack) row.labels.push_back(field == kTgid ? number(5) : name("a,b"));
      for (Label& label : row.labels)
        if (label.number) label.state = "dead";
      row.frames = {"f"};
      add_time(row.time, 2);
      row.change = -3;
      row.growth = 4;
      style.now_ns = 1 + 7;

      const auto lines = parse_csv(csv(fields));
      ASSERT_EQ(lines.size(), rows.size() + 1);
      for (const auto& line : lines) EXPECT_EQ(line.size(), lines[0].size());
      const auto objects = json(fields);
      std::vector<std::string> keys;
      for (const auto& [key, value] : objects.back().items()) keys.push_back(key);
      EXPECT_EQ(lines[0], keys);
      for (std::size_t i = 0; i < keys.size(); ++i) {
        const Json& value = objects.back().at(keys[i]);
        if (value.is_array()) continue;
        const std::string& field = lines.back()[i];
        if (value.is_string()) {
          EXPECT_EQ(field, value.get<std::string>());
        } else {
          EXPECT_EQ(std::stod(field), value.get<double>());
        }
      }
    }
  }
}

TEST_F(RowOutput, CsvOfAnUnknownAgeIsEmpty) {
  rows = {group(1, 0, {name("a")})};
  style.with_age = true;
  EXPECT_EQ(parse_csv(csv({kComm}))[1][5], "");
}

// numbers

TEST(SizeText, IsShortAndNeverRoundsUpTo1024) {
  constexpr std::uint64_t kKib = 1024;
  constexpr std::uint64_t kMib = kKib * 1024;
  const std::pair<std::uint64_t, const char*> cases[] = {{0, "0K"},
                                                         {4096, "4K"},
                                                         {1023 * kKib, "1023K"},
                                                         {1023 * kKib + 511, "1023K"},
                                                         {1023 * kKib + 512, "1.0M"},
                                                         {kMib, "1.0M"},
                                                         {kMib + kMib / 2, "1.5M"},
                                                         {104'805'171, "99.9M"},
                                                         {104'805'172, "100M"},
                                                         {1023 * kMib, "1023M"},
                                                         {kMib * 1024 - 1, "1.0G"},
                                                         {kMib * kMib, "1.0T"},
                                                         {UINT64_MAX, "16.0E"}};
  for (const auto& [bytes, text] : cases) EXPECT_EQ(size_text(bytes), text) << bytes;
}

TEST(AgeText, HasTheTwoLargestUnitsAndRoundsDown) {
  const std::pair<std::uint64_t, const char*> cases[] = {
      {0, "0.0s"},
      {99'999'999, "0.0s"},
      {100'000'000, "0.1s"},
      {4 * kSecondNs + 299'999'999, "4.2s"},
      {60 * kSecondNs - 1, "59.9s"},
      {60 * kSecondNs, "1m00s"},
      {12 * 60 * kSecondNs + 30 * kSecondNs, "12m30s"},
      {3600 * kSecondNs - 1, "59m59s"},
      {3600 * kSecondNs, "1h00m"},
      {86400 * kSecondNs - 1, "23h59m"},
      {86400 * kSecondNs, "1d00h"},
      {(3 * 86400 + 4 * 3600) * kSecondNs, "3d04h"},
      {UINT64_MAX, "213503d23h"}};
  for (const auto& [ns, text] : cases) EXPECT_EQ(age_text(ns), text) << ns;
}

}  // namespace
}  // namespace pobpf
