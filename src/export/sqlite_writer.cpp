// SPDX-License-Identifier: GPL-2.0-only
#include "export/sqlite_writer.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "export/sqlite_schema.h"

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
    const std::string name = sql_text(names[i]);
    const std::array<SqlValue, 2> values = {number, std::string_view(name)};
    if (auto status = insert(database, table, values); !status) return status;
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<SqliteWriter>> SqliteWriter::create(const Output& file,
                                                           SqliteDatabase::IsCancelled is_cancelled,
                                                           const SnapshotHeader& header,
                                                           PageContext& context) {
  auto database = SqliteDatabase::create(file, is_cancelled);
  if (!database) return fail(std::move(database).error());
  if (auto status = (*database)->execute(kSqliteTables); !status)
    return fail(std::move(status).error());
  auto rows = PageRows::make(**database, *header.facts, header.page_types, context);
  if (!rows) return fail(std::move(rows).error());
  // make_unique() cannot reach the constructor
  std::unique_ptr<SqliteWriter> writer(new SqliteWriter(*std::move(database), *std::move(rows)));
  if (auto status = writer->write_header(header); !status) return fail(std::move(status).error());
  writer->facts_ = &*header.facts;
  return writer;
}

Status SqliteWriter::write(std::string_view key, const SqlValue& value) {
  const std::array<SqlValue, 2> values = {key, value};
  return insert(*database_, "snapshot", values);
}

Status SqliteWriter::write_text(std::string_view key, std::string_view text) {
  const std::string escaped = sql_text(text);
  return write(key, text.empty() ? SqlValue() : SqlValue(std::string_view(escaped)));
}

Status SqliteWriter::write_header(const SnapshotHeader& header) {
  const std::pair<const char*, const std::string&> texts[] = {
      {"pobpf_version", header.pobpf_version},
      {"kernel_release", header.kernel_release},
      {"kernel_version", header.kernel_version},
      {"machine", header.machine},
      {"hostname", header.hostname},
      {"command_line", header.command_line},
      {"boot_id", header.boot_id},
      {"filters", header.filters}};
  for (const auto& [key, text] : texts)
    if (auto status = write_text(key, text); !status) return status;
  const auto known = [](std::uint64_t value) {
    return value == 0 ? SqlValue() : sql_integer(value);
  };
  const std::pair<const char*, SqlValue> numbers[] = {
      {"page_size", known(header.page_size)},
      {"wall_clock_ns", or_null(header.wall_clock_ns)},
      {"local_clock_ns", or_null(header.local_clock_ns)},
      {"max_nodes", known(header.max_nodes)},
      {"migrate_reason_never", std::int64_t{header.facts->migrate_reason_never}}};
  for (const auto& [key, value] : numbers)
    if (auto status = write(key, value); !status) return status;
  for (const NodeSpan& node : header.nodes) {
    const std::array<SqlValue, 3> values = {std::int64_t{node.nid}, sql_integer(node.pfns.begin),
                                            sql_integer(node.pfns.end)};
    if (auto status = insert(*database_, "nodes", values); !status) return status;
  }
  return {};
}

Status SqliteWriter::write_names(const KernelFacts& facts) {
  constexpr std::int64_t kNone = -1;
  if (auto status = insert_names(*database_, "zones", facts.zone_names, kNone); !status)
    return status;
  if (auto status = insert_names(*database_, "migratetypes", facts.migratetype_names, kNone);
      !status)
    return status;
  return insert_names(*database_, "migrate_reasons", facts.migrate_reason_names,
                      facts.migrate_reason_never);
}

Status SqliteWriter::append(std::span<const pobpf_page> pages,
                            std::span<const pobpf_page_detail> details, PageFields fields) {
  for (std::size_t i = 0; i < pages.size(); ++i) {
    const pobpf_page_detail* detail = details.empty() ? nullptr : &details[i];
    if (auto status = rows_->add(pages[i], detail, fields); !status) return status;
  }
  return {};
}

Status SqliteWriter::write_account(const Account& account) {
  Status status;
  account.for_each_known([&](const char* name, std::uint64_t count, const char* /*meaning*/) {
    if (status) status = write(fmt::format("account_{}", name), sql_integer(count));
  });
  for (std::size_t i = 0; status && i < account.filtered.size(); ++i)
    status = write(fmt::format("account_filtered_{}", kFilterNames.at(i)),
                   sql_integer(account.filtered.at(i)));
  return status;
}

Status SqliteWriter::end(const SqliteEnd& end) {
  // what an import says is known once all is read
  if (auto status = write_names(*facts_); !status) return status;
  if (end.account)
    if (auto status = write_account(*end.account); !status) return status;
  const std::pair<const char*, SqlValue> facts[] = {
      {"pageblock_order", or_null(facts_->pageblock_order)},
      {"max_page_order", or_null(facts_->max_page_order)},
      {"is_complete", std::int64_t{end.is_complete ? 1 : 0}},
      {"damaged_places", sql_integer(end.nr_damaged_places)},
      {"lost_pages", or_null(end.nr_lost_pages)},
      {"unreadable_stacks_and_cgroups", sql_integer(nr_unreadable())}};
  for (const auto& [key, value] : facts)
    if (auto status = write(key, value); !status) return status;
  if (auto status = database_->execute(kSqliteIndexes); !status) return status;
  return database_->execute(sqlite_views());
}

}  // namespace pobpf
