// SPDX-License-Identifier: GPL-2.0-only
// libsqlite3 behind Result: one database that nobody else sees before it is complete.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "util/error.h"
#include "util/output.h"

struct sqlite3;
struct sqlite3_stmt;

namespace pobpf {

class SqliteDatabase;

/// NULL, INTEGER or TEXT (valid UTF-8).
using SqlValue = std::variant<std::monostate, std::int64_t, std::string_view>;

/// How unsigned words go into INTEGER, which is signed: with the same 64 bits.
[[nodiscard]] inline SqlValue sql_integer(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

/// A prepared statement. Must not outlive its database.
class SqliteStatement {
 public:
  /// Value of the parameter with this index, from 1; stays until it is set again. Texts must live
  /// until run() has returned. An error is one of run().
  void set(int index, const SqlValue& value);
  /// Sets all parameters.
  void set(std::span<const SqlValue> values);
  /// To its end; true if there was a row, whose first column is integer() then.
  [[nodiscard]] Result<bool> run();
  [[nodiscard]] std::int64_t integer() const { return integer_; }

 private:
  friend class SqliteDatabase;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  SqliteStatement(const SqliteDatabase& database, sqlite3_stmt* statement)
      : database_(&database), statement_(statement) {}

  const SqliteDatabase* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int error_ = 0;  // of set()
  std::int64_t integer_ = 0;
};

/// Not thread-safe; one at a time in a process, as libsqlite3 has one place for temporary files.
class SqliteDatabase {
 public:
  using IsCancelled = bool (*)();

  /// An empty database in `file` (Output::to_named_file()), which must outlive it and is not
  /// committed. Nothing is written twice for safety's sake: after an error, the file is of no use.
  /// Memory for pages of the file, and for sorting, is kCacheBytes; temporary files are beside
  /// the file. `is_cancelled` is asked now and then; true ends what runs with EINTR.
  static Result<std::unique_ptr<SqliteDatabase>> create(const Output& file,
                                                        IsCancelled is_cancelled);
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;
  SqliteDatabase(SqliteDatabase&&) = delete;
  SqliteDatabase& operator=(SqliteDatabase&&) = delete;
  ~SqliteDatabase();

  static constexpr std::size_t kCacheBytes = 8UL << 20;

  /// Statements without parameters and results, ended by ';'.
  [[nodiscard]] Status execute(const std::string& statements);
  [[nodiscard]] Result<SqliteStatement> prepare(const std::string& statement);
  /// The id of the row that was inserted last.
  [[nodiscard]] std::int64_t last_rowid() const;

 private:
  friend class SqliteStatement;
  SqliteDatabase(const Output& file, IsCancelled is_cancelled)
      : file_(file), is_cancelled_(is_cancelled) {}
  [[nodiscard]] tl::unexpected<Error> failed(int code) const;

  const Output& file_;
  IsCancelled is_cancelled_;
  sqlite3* handle_ = nullptr;
};

}  // namespace pobpf
