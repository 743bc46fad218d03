// SPDX-License-Identifier: GPL-2.0-only
// Looking into a database that a test has made.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pobpf::test {

/// NULL stands for the lack of a value; numbers are in decimal.
using SqlRow = std::vector<std::optional<std::string>>;

class Database {
 public:
  explicit Database(const std::filesystem::path& path) {
    sqlite3* handle = nullptr;
    EXPECT_EQ(sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READONLY, nullptr), SQLITE_OK);
    handle_.reset(handle);
  }
  [[nodiscard]] std::vector<SqlRow> rows(const std::string& query) const {
    sqlite3_stmt* prepared = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(handle_.get(), query.c_str(), -1, &prepared, nullptr), SQLITE_OK)
        << sqlite3_errmsg(handle_.get());
    const std::unique_ptr<sqlite3_stmt, Close> statement(prepared);
    std::vector<SqlRow> rows;
    int code = SQLITE_ROW;
    while ((code = sqlite3_step(prepared)) == SQLITE_ROW) rows.push_back(row(prepared));
    EXPECT_EQ(code, SQLITE_DONE) << sqlite3_errmsg(handle_.get());
    return rows;
  }
  /// The only value that the query gives.
  [[nodiscard]] std::optional<std::string> value(const std::string& query) const {
    const auto all = rows(query);
    EXPECT_EQ(all.size(), 1U) << query;
    return all.size() == 1 && all.front().size() == 1 ? all.front().front() : std::nullopt;
  }

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close(handle); }
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  static SqlRow row(sqlite3_stmt* statement) {
    SqlRow row;
    for (int i = 0; i < sqlite3_column_count(statement); ++i) {
      // nothing may be anything else
      EXPECT_NE(sqlite3_column_type(statement, i), SQLITE_BLOB);
      EXPECT_NE(sqlite3_column_type(statement, i), SQLITE_FLOAT);
      if (sqlite3_column_type(statement, i) == SQLITE_NULL) {
        row.emplace_back();
        continue;
      }
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, i));
      row.emplace_back(
          std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(statement, i))));
    }
    return row;
  }

  std::unique_ptr<sqlite3, Close> handle_;
};

}  // namespace pobpf::test
