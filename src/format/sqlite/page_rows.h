// SPDX-License-Identifier: GPL-2.0-only
// Rows of the table of pages, and of those that they refer to.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "format/page_formatter.h"
#include "format/sqlite/database.h"
#include "model/page_fields.h"
#include "model/page_types.h"
#include "pobpf/stream.h"
#include "sum/allocator.h"
#include "util/hash_map.h"

namespace pobpf {

/// Rows of a table with a column `id` that are different in all others. Remembers some of them:
/// anyone can make the kernel show many.
class DistinctRows {
 public:
  static Result<DistinctRows> make(SqliteDatabase& database, const std::string& table,
                                   std::initializer_list<const char*> columns);
  /// The id of the row with these values, which is made if there is none. `key`: bytes that tell
  /// the values.
  [[nodiscard]] Result<std::int64_t> id(std::string_view key, std::span<const SqlValue> values);

 private:
  DistinctRows(SqliteDatabase& database, SqliteStatement find, SqliteStatement insert)
      : database_(&database), find_(std::move(find)), insert_(std::move(insert)) {}

  SqliteDatabase* database_;
  SqliteStatement find_;
  SqliteStatement insert_;
  HashMap<std::string, std::int64_t> known_;
};

/// Stacks and cgroups, each once.
class ContextRows {
 public:
  static Result<ContextRows> make(SqliteDatabase& database);
  /// Nothing if it is there.
  [[nodiscard]] Status add_stack(std::uint32_t handle, PageContext& context);
  [[nodiscard]] Status add_cgroup(std::uint64_t id, PageContext& context);

  /// Those that could not be read, and why the first could not.
  [[nodiscard]] std::uint64_t nr_unreadable() const { return nr_unreadable_; }
  [[nodiscard]] const Error& first_error() const { return first_error_; }

 private:
  ContextRows(SqliteStatement stack, SqliteStatement frame, SqliteStatement cgroup,
              SqliteStatement unknown_stack, SqliteStatement unknown_cgroup)
      : stack_(std::move(stack)),
        frame_(std::move(frame)),
        cgroup_(std::move(cgroup)),
        unknown_stack_(std::move(unknown_stack)),
        unknown_cgroup_(std::move(unknown_cgroup)) {}
  [[nodiscard]] Status add_frames(std::uint32_t handle, const Stack& stack);
  /// A row that says why there is nothing else to say, unless there is one.
  [[nodiscard]] Status add_unknown(SqliteStatement& insert, std::uint64_t number, Error error);

  SqliteStatement stack_;
  SqliteStatement frame_;
  SqliteStatement cgroup_;
  SqliteStatement unknown_stack_;
  SqliteStatement unknown_cgroup_;
  // those that the context has
  HashSet<std::uint32_t> handles_;
  HashSet<std::uint64_t> cgroup_ids_;
  std::uint64_t nr_unreadable_ = 0;
  Error first_error_;
};

/// All that a page adds to the database. Not thread-safe.
class PageRows {
 public:
  /// All of them must outlive it.
  static Result<std::unique_ptr<PageRows>> make(SqliteDatabase& database, const KernelFacts& facts,
                                                const PageTypes& types);

  /// `detail` may be null where `fields` has neither kKind nor kFreeSide.
  [[nodiscard]] Status add(const pobpf_page& page, const pobpf_page_detail* detail,
                           PageFields fields, PageContext& context);
  [[nodiscard]] const ContextRows& context() const { return context_rows_; }

 private:
  /// Columns of pages behind `id`.
  enum Column : unsigned {
    kPfn = 1,
    kOrder,
    kHandle,
    kGfpMask,
    kProcess,
    kTsNsec,
    kFreeTsNsec,
    kFlags,
    kPageblockMigratetype,
    kLastMigrateReason,
    kMemcgFlags,
    kCgroupId,
    kKind,
    kAllocator,
    kFreeHandle,
    kFreePid,
    kFreeTgid,
    kFreed,
    kNrColumns,
  };
  /// Arguments of the constructor.
  struct Statements {
    SqliteStatement page;
    SqliteStatement gfp;
    SqliteStatement flag_word;
    DistinctRows processes;
    DistinctRows kinds;
    DistinctRows allocators;
    ContextRows context;
  };
  PageRows(Statements statements, const KernelFacts& facts, const PageTypes& types);

  /// An import learns names while it reads: texts that were made earlier may lack them.
  void forget_old_texts();
  /// Sets a column, if it has changed.
  void set(Column column, std::optional<std::uint64_t> value);
  void set_known(Column column, bool is_known, std::uint64_t value);
  void set_numbers(const pobpf_page& page, PageFields fields);
  [[nodiscard]] Status set_process(const pobpf_page& page, PageFields fields);
  [[nodiscard]] Status set_gfp(const pobpf_page& page, PageFields fields);
  [[nodiscard]] Status set_flags(const pobpf_page& page, PageFields fields);
  [[nodiscard]] Status set_memcg(const pobpf_page& page, PageFields fields, PageContext& context);
  [[nodiscard]] Status set_kind(const pobpf_page& page, const pobpf_page_detail* detail,
                                PageFields fields, PageContext& context);
  [[nodiscard]] Status set_free_side(const pobpf_page_detail* detail, PageFields fields,
                                     PageContext& context);
  /// The id of what the page is used for.
  [[nodiscard]] Result<std::int64_t> allocator(const pobpf_page& page,
                                               const pobpf_page_detail& detail,
                                               PageContext& context);

  const KernelFacts& facts_;
  const PageTypes& types_;
  std::uint32_t stack_order_min_;
  SqliteStatement page_;
  SqliteStatement gfp_;
  SqliteStatement flag_word_;
  DistinctRows processes_;
  DistinctRows kinds_;
  DistinctRows allocators_;
  ContextRows context_rows_;

  std::array<std::optional<std::uint64_t>, kNrColumns> values_{};  // of page_
  std::uint64_t version_ = 0;  // of the facts that rows were made of
  // what is known to be there; bounded, as flag words come from memory that anyone can shape
  HashSet<std::uint32_t> gfp_masks_;
  HashSet<std::uint64_t> words_;
  HashMap<pobpf_group_key, std::int64_t, GroupKeyEqual> allocator_ids_;
  // of the last page
  std::string process_key_;
  std::string kind_key_;
};

}  // namespace pobpf
