// SPDX-License-Identifier: GPL-2.0-only
#include "format/sqlite/database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <filesystem>
#include <utility>

namespace pobpf {
namespace {

/// Where sorting spills to: what it needs is free where the database goes, if anywhere.
void set_temporary_directory(const std::string& path) {
  sqlite3_free(sqlite3_temp_directory);
  sqlite3_temp_directory = path.empty() ? nullptr : sqlite3_mprintf("%s", path.c_str());
}

}  // namespace

void SqliteStatement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

void SqliteStatement::set(int index, const SqlValue& value) {
  int code = SQLITE_OK;
  if (const auto* number = std::get_if<std::int64_t>(&value))
    code = sqlite3_bind_int64(statement_.get(), index, *number);
  else if (const auto* text = std::get_if<std::string_view>(&value))
    // without data it would be NULL
    code = sqlite3_bind_text64(statement_.get(), index, text->empty() ? "" : text->data(),
                               text->size(), nullptr, SQLITE_UTF8);
  else
    code = sqlite3_bind_null(statement_.get(), index);
  if (code != SQLITE_OK && error_ == SQLITE_OK) error_ = code;
}

void SqliteStatement::set(std::span<const SqlValue> values) {
  int index = 0;
  for (const SqlValue& value : values) set(++index, value);
}

Result<bool> SqliteStatement::run() {
  if (error_ != SQLITE_OK) return database_->failed(error_);
  int code = sqlite3_step(statement_.get());
  const bool has_row = code == SQLITE_ROW;
  if (has_row) {
    integer_ = sqlite3_column_int64(statement_.get(), 0);
    while (code == SQLITE_ROW) code = sqlite3_step(statement_.get());
  }
  if (code != SQLITE_DONE) return database_->failed(code);
  sqlite3_reset(statement_.get());
  return has_row;
}

Result<std::unique_ptr<SqliteDatabase>> SqliteDatabase::create(const Output& file,
                                                               IsCancelled is_cancelled) {
  // make_unique() cannot reach the constructor
  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(file, is_cancelled));
  const std::filesystem::path path = file.temporary_path();
  set_temporary_directory(path.parent_path().string());
  // nobody else knows the file: no locks; it has no symbolic link, and gets none meanwhile
  const int code = sqlite3_open_v2(path.c_str(), &database->handle_,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, "unix-none");
  if (code != SQLITE_OK) return database->failed(code);
  constexpr int kSteps = 100'000;  // a few milliseconds
  if (is_cancelled != nullptr)
    sqlite3_progress_handler(
        database->handle_, kSteps,
        [](void* self) { return static_cast<SqliteDatabase*>(self)->is_cancelled_() ? 1 : 0; },
        database.get());
  if (auto status = database->execute(
          fmt::format("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA temp_store=FILE;"
                      "PRAGMA locking_mode=EXCLUSIVE; PRAGMA cache_size=-{};",
                      kCacheBytes / 1024));
      !status)
    return fail(std::move(status).error());
  return database;
}

SqliteDatabase::~SqliteDatabase() {
  sqlite3_close(handle_);
  set_temporary_directory({});
}

Status SqliteDatabase::execute(const std::string& statements) {
  const int code = sqlite3_exec(handle_, statements.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failed(code);
  return {};
}

Result<SqliteStatement> SqliteDatabase::prepare(const std::string& statement) {
  sqlite3_stmt* prepared = nullptr;
  const int code =
      sqlite3_prepare_v3(handle_, statement.c_str(), static_cast<int>(statement.size()),
                         SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
  if (code != SQLITE_OK) return failed(code);
  return SqliteStatement(*this, prepared);
}

std::int64_t SqliteDatabase::last_rowid() const { return sqlite3_last_insert_rowid(handle_); }

tl::unexpected<Error> SqliteDatabase::failed(int code) const {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return file_.cannot_write(ENOSPC);
    case SQLITE_INTERRUPT:
      return file_.cannot_write(EINTR);
    case SQLITE_NOMEM:
      return file_.cannot_write(ENOMEM);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN: {
      // of the file itself; else of a temporary one
      int error = 0;
      sqlite3_file_control(handle_, "main", SQLITE_FCNTL_LAST_ERRNO, &error);
      if (error == 0) error = sqlite3_system_errno(handle_);
      return file_.cannot_write(error == 0 ? EIO : error);
    }
    default:
      return fail(ErrorKind::kFailed,
                  fmt::format("writing {}: {}", file_.name(), sqlite3_errmsg(handle_)),
                  "please report this");
  }
}

}  // namespace pobpf
