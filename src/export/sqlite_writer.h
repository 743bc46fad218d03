// SPDX-License-Identifier: GPL-2.0-only
// A snapshot as an SQLite database.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "export/page_rows.h"
#include "export/sqlite_database.h"
#include "snapshot/snapshot_header.h"

namespace pobpf {

/// What a database says of its own completeness.
struct SqliteEnd {
  std::optional<Account> account;  ///< no value: nobody counted
  bool is_complete = true;         ///< nothing was lost, neither then nor now
  std::uint64_t nr_damaged_places = 0;
  std::optional<std::uint64_t> nr_lost_pages = 0;  ///< no value: nobody knows
};

/// Memory: SqliteDatabase::kCacheBytes, some MB of what was seen last, and what grows with the
/// number of distinct stacks and cgroups. Not thread-safe.
class SqliteWriter {
 public:
  /// A database in `file`: see SqliteDatabase::create(). `header` has facts; all of them must
  /// outlive the writer.
  static Result<std::unique_ptr<SqliteWriter>> create(const Output& file,
                                                      SqliteDatabase::IsCancelled is_cancelled,
                                                      const SnapshotHeader& header,
                                                      PageContext& context);

  /// `details`: one a page, or empty if they are not known.
  [[nodiscard]] Status append(std::span<const pobpf_page> pages,
                              std::span<const pobpf_page_detail> details, PageFields fields);
  /// Last call: makes indexes and views. Then the file holds all once the writer is gone.
  [[nodiscard]] Status end(const SqliteEnd& end);

  /// Stacks and cgroups that could not be read, and why the first could not.
  [[nodiscard]] std::uint64_t nr_unreadable() const { return rows_->context().nr_unreadable(); }
  [[nodiscard]] const Error& first_error() const { return rows_->context().first_error(); }

 private:
  SqliteWriter(std::unique_ptr<SqliteDatabase> database, std::unique_ptr<PageRows> rows)
      : database_(std::move(database)), rows_(std::move(rows)) {}
  [[nodiscard]] Status write_header(const SnapshotHeader& header);
  [[nodiscard]] Status write_names(const KernelFacts& facts);
  [[nodiscard]] Status write_account(const Account& account);
  /// A line of the table `snapshot`.
  [[nodiscard]] Status write(std::string_view key, const SqlValue& value);
  [[nodiscard]] Status write_text(std::string_view key, std::string_view text);

  std::unique_ptr<SqliteDatabase> database_;
  std::unique_ptr<PageRows> rows_;
  const KernelFacts* facts_ = nullptr;
};

}  // namespace pobpf
