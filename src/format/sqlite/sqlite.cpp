// SPDX-License-Identifier: GPL-2.0-only
// A listing as an SQLite database; docs/export.md is the contract.
#include <fmt/format.h>

#include <array>
#include <utility>
#include <vector>

#include "format/sqlite/database.h"
#include "format/sqlite/page_rows.h"
#include "format/sqlite/schema.h"
#include "format/sqlite_formatter.h"
#include "util/escape.h"

namespace pobpf {
namespace {

SqlValue or_null(const std::optional<std::uint64_t>& value) {
  return value ? sql_integer(*value) : SqlValue();
}

std::string sqlite_views() {
  std::vector<std::string> columns;
  for (const auto& [name, expression] : kPageListColumns)
    columns.push_back(fmt::format("{} AS {}", expression, name));
  return fmt::format(fmt::runtime(kSqliteViews), fmt::arg("page_list", fmt::join(columns, ", ")));
}

/// One row of a table of numbers and names.
Status insert(SqliteDatabase& database, const char* table, std::span<const SqlValue> values) {
  std::string marks;
  for (std::size_t i = 0; i < values.size(); ++i) marks += i == 0 ? "?" : ", ?";
  auto statement = database.prepare(fmt::format("INSERT INTO {} VALUES ({})", table, marks));
  if (!statement) return fail(std::move(statement).error());
  statement->set(values);
  if (auto done = statement->run(); !done) return fail(std::move(done).error());
  return {};
}

/// Names by their index, but for `skipped`.
Status insert_names(SqliteDatabase& database, const char* table,
                    const std::vector<std::string>& names, std::int64_t skipped) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto number = static_cast<std::int64_t>(i);
    if (names[i].empty() || number == skipped) continue;
    const std::string name = escaped(names[i]);
    const std::array<SqlValue, 2> values = {number, std::string_view(name)};
    if (auto status = insert(database, table, values); !status) return status;
  }
  return {};
}

class SqliteFormatter final : public PageFormatter {
 public:
  SqliteFormatter(std::unique_ptr<SqliteDatabase> database, std::unique_ptr<PageRows> rows,
                  const KernelFacts& facts)
      : database_(std::move(database)), rows_(std::move(rows)), facts_(facts) {}

  [[nodiscard]] Status begin(const ListingSource& source) {
    for (const auto& [key, fact] : source.about)
      if (auto status = write_fact(key, fact); !status) return status;
    if (auto status =
            write("migrate_reason_never", std::int64_t{source.facts.migrate_reason_never});
        !status)
      return status;
    for (const NodeSpan& node : source.nodes) {
      const std::array<SqlValue, 3> values = {std::int64_t{node.nid}, sql_integer(node.pfns.begin),
                                              sql_integer(node.pfns.end)};
      if (auto status = insert(*database_, "nodes", values); !status) return status;
    }
    return {};
  }

  void set_fields(PageFields fields) override { fields_ = fields; }

  using PageFormatter::append;
  Status append(const pobpf_page& page, const pobpf_page_detail* detail, PageContext& context,
                std::string& /*out*/) override {
    if (status_) status_ = rows_->add(page, detail, fields_, context);
    return {};
  }

  [[nodiscard]] Status status() const override { return status_; }

  Result<std::optional<Error>> append_end(const ListingEnd& end, std::string& /*out*/) override {
    if (status_) status_ = write_end(end);
    if (!status_) return fail(status_.error());
    const ContextRows& context = rows_->context();
    const std::uint64_t nr_unreadable = context.nr_unreadable();
    if (nr_unreadable == 0) return std::nullopt;
    return Error{
        ErrorKind::kFailed,
        fmt::format("finished, but not complete because of {} {} that could not be read ({})",
                    nr_unreadable, nr_unreadable == 1 ? "stack or cgroup" : "stacks or cgroups",
                    context.first_error().what),
        {},
        0};
  }

 private:
  /// A line of the table `snapshot`.
  [[nodiscard]] Status write(std::string_view key, const SqlValue& value) {
    const std::array<SqlValue, 2> values = {key, value};
    return insert(*database_, "snapshot", values);
  }

  [[nodiscard]] Status write_fact(std::string_view key, const ListingFact& fact) {
    if (const auto* number = std::get_if<std::uint64_t>(&fact))
      return write(key, sql_integer(*number));
    const auto* text = std::get_if<std::string>(&fact);
    if (text == nullptr) return write(key, SqlValue());
    const std::string value = escaped(*text);
    return write(key, std::string_view(value));
  }

  [[nodiscard]] Status write_names() {
    constexpr std::int64_t kNone = -1;
    if (auto status = insert_names(*database_, "zones", facts_.zone_names, kNone); !status)
      return status;
    if (auto status = insert_names(*database_, "migratetypes", facts_.migratetype_names, kNone);
        !status)
      return status;
    return insert_names(*database_, "migrate_reasons", facts_.migrate_reason_names,
                        facts_.migrate_reason_never);
  }

  [[nodiscard]] Status write_account(const Account& account) {
    Status status;
    account.for_each_known([&](const char* name, std::uint64_t count, const char* /*meaning*/) {
      if (status) status = write(fmt::format("account_{}", name), sql_integer(count));
    });
    for (std::size_t i = 0; status && i < account.filtered.size(); ++i)
      status = write(fmt::format("account_filtered_{}", kFilterNames.at(i)),
                     sql_integer(account.filtered.at(i)));
    return status;
  }

  [[nodiscard]] Status write_end(const ListingEnd& end) {
    // what an import says is known once all is read
    if (auto status = write_names(); !status) return status;
    if (end.account)
      if (auto status = write_account(*end.account); !status) return status;
    const std::uint64_t nr_unreadable = rows_->context().nr_unreadable();
    const bool is_complete = end.is_complete && nr_unreadable == 0;
    const std::pair<const char*, SqlValue> facts[] = {
        {"pageblock_order", or_null(facts_.pageblock_order)},
        {"max_page_order", or_null(facts_.max_page_order)},
        {"is_complete", std::int64_t{is_complete ? 1 : 0}},
        {"damaged_places", sql_integer(end.damage.nr_places)},
        {"lost_pages", or_null(end.damage.nr_pages)},
        {"unreadable_stacks_and_cgroups", sql_integer(nr_unreadable)}};
    for (const auto& [key, value] : facts)
      if (auto status = write(key, value); !status) return status;
    if (auto status = database_->execute(kSqliteIndexes); !status) return status;
    return database_->execute(sqlite_views());
  }

  // the database dies last
  std::unique_ptr<SqliteDatabase> database_;
  std::unique_ptr<PageRows> rows_;
  const KernelFacts& facts_;
  PageFields fields_ = kAllPageFields;
  Status status_;
};

}  // namespace

Result<std::unique_ptr<PageFormatter>> make_sqlite_formatter(const ListingSource& source,
                                                             const Output& file,
                                                             Output::IsCancelled is_cancelled) {
  auto database = SqliteDatabase::create(file, is_cancelled);
  if (!database) return fail(std::move(database).error());
  if (auto status = (*database)->execute(kSqliteTables); !status)
    return fail(std::move(status).error());
  auto rows = PageRows::make(**database, source.facts, source.types);
  if (!rows) return fail(std::move(rows).error());
  auto formatter =
      std::make_unique<SqliteFormatter>(*std::move(database), *std::move(rows), source.facts);
  if (auto status = formatter->begin(source); !status) return fail(std::move(status).error());
  return formatter;
}

}  // namespace pobpf
