// SPDX-License-Identifier: GPL-2.0-only
// The database; docs/export.md is the contract. user_version is raised when a column changes its
// meaning or goes away, not when one is added.
#pragma once

#include "format/page_columns.h"

namespace pobpf {

/// application_id is "pobp", for file(1).
inline constexpr const char* kSqliteTables = R"sql(
PRAGMA application_id = 0x706f6270;
PRAGMA user_version = 1;
BEGIN;
CREATE TABLE snapshot (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE nodes (nid INTEGER PRIMARY KEY, begin_pfn INTEGER, end_pfn INTEGER);
CREATE TABLE zones (zone INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE migratetypes (migratetype INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE migrate_reasons (reason INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE stacks (
  handle INTEGER PRIMARY KEY, nr_frames INTEGER, function TEXT, module TEXT, error TEXT);
CREATE TABLE frames (
  handle INTEGER, position INTEGER, address TEXT, symbol TEXT, function TEXT, module TEXT,
  offset INTEGER, PRIMARY KEY (handle, position)) WITHOUT ROWID;
CREATE TABLE processes (
  id INTEGER PRIMARY KEY, pid INTEGER, tgid INTEGER, comm TEXT, UNIQUE (pid, tgid, comm));
CREATE TABLE gfp (gfp_mask INTEGER PRIMARY KEY, names TEXT, migratetype INTEGER);
CREATE TABLE flag_words (
  flags INTEGER PRIMARY KEY, names TEXT, nid INTEGER, zone INTEGER, lastcpupid INTEGER,
  section INTEGER, kasantag INTEGER);
CREATE TABLE cgroups (id INTEGER PRIMARY KEY, name TEXT, error TEXT, path TEXT);
CREATE TABLE kinds (
  id INTEGER PRIMARY KEY, kind_flags INTEGER, page_type INTEGER, mapping INTEGER,
  UNIQUE (kind_flags, page_type, mapping));
CREATE TABLE allocators (id INTEGER PRIMARY KEY, name TEXT, UNIQUE (name));
CREATE TABLE pages (
  id INTEGER PRIMARY KEY, pfn INTEGER, page_order INTEGER, handle INTEGER, gfp_mask INTEGER,
  process INTEGER, ts_nsec INTEGER, free_ts_nsec INTEGER, flags INTEGER,
  pageblock_migratetype INTEGER, last_migrate_reason INTEGER, memcg_flags INTEGER,
  cgroup_id INTEGER, kind INTEGER, allocator INTEGER, free_handle INTEGER, free_pid INTEGER,
  free_tgid INTEGER, freed INTEGER);
)sql";

struct ViewColumn {
  const char* name;
  const char* expression;
};

/// A column of the view page_list that listings have too.
[[nodiscard]] constexpr ViewColumn listed(PageColumn column, const char* expression) {
  return {key_of(column), expression};
}

inline constexpr ViewColumn kPageListColumns[] = {
    {"id", "p.id"},
    listed(PageColumn::kPfn, "p.pfn"),
    // its key is a word of SQL
    {"page_order", "p.page_order"},
    listed(PageColumn::kNrPages, "p.nr_pages"),
    listed(PageColumn::kHandle, "p.handle"),
    listed(PageColumn::kPid, "t.pid"),
    listed(PageColumn::kTgid, "t.tgid"),
    listed(PageColumn::kComm, "t.comm"),
    listed(PageColumn::kTsNsec, "p.ts_nsec"),
    listed(PageColumn::kFreeTsNsec, "p.free_ts_nsec"),
    listed(PageColumn::kGfpMask, "p.gfp_mask"),
    listed(PageColumn::kGfpFlags, "g.names"),
    listed(PageColumn::kMigratetype, "gm.name"),
    listed(PageColumn::kPageblock,
           "p.pfn >> (SELECT value FROM snapshot WHERE key = 'pageblock_order')"),
    listed(PageColumn::kPageblockMigratetype, "bm.name"),
    listed(PageColumn::kFlags, "printf('0x%llx', p.flags)"),
    listed(PageColumn::kPageFlags, "w.names"),
    listed(PageColumn::kNid, "w.nid"),
    listed(PageColumn::kZone, "w.zone"),
    {"zone_name", "z.name"},
    listed(PageColumn::kLastMigrateReason, "r.name"),
    listed(PageColumn::kSlabMemcg, "p.memcg_flags & 1"),
    listed(PageColumn::kMemcgName, "c.name"),
    listed(PageColumn::kMemcgId, "CASE WHEN p.memcg_flags & 2 THEN p.cgroup_id END"),
    listed(PageColumn::kMemcgOnline,
           "CASE WHEN p.memcg_flags & 2 THEN (p.memcg_flags & 8) = 0 END"),
    listed(PageColumn::kMemcgViaObjcg,
           "CASE WHEN p.memcg_flags & 2 THEN (p.memcg_flags & 4) <> 0 END"),
    {"allocator", "a.name"},
    {"function", "s.function"},
    {"module", "s.module"},
    listed(PageColumn::kFreeHandle, "p.free_handle"),
    listed(PageColumn::kFreePid, "p.free_pid"),
    listed(PageColumn::kFreeTgid, "p.free_tgid"),
    listed(PageColumn::kFreed, "p.freed"),
    listed(PageColumn::kMemcgPath, "c.path"),
};

/// Made when all pages are in, which is faster.
inline constexpr const char* kSqliteIndexes = R"sql(
CREATE INDEX pages_by_pfn ON pages (pfn);
CREATE INDEX pages_by_stack ON pages (handle, page_order);
CREATE INDEX pages_by_process ON pages (process, page_order);
)sql";

/// `page_list` stands for the columns of that view.
inline constexpr const char* kSqliteViews = R"sql(
CREATE VIEW sizes AS
  SELECT *, CASE WHEN page_order BETWEEN 0 AND 31 THEN 1 << page_order END AS nr_pages FROM pages;
CREATE VIEW in_use AS
  SELECT * FROM sizes WHERE freed = 0;
CREATE VIEW stack_texts AS
  SELECT handle,
         (SELECT group_concat(symbol, ';')
            FROM (SELECT symbol FROM frames AS f WHERE f.handle = s.handle ORDER BY position))
           AS stack
    FROM stacks AS s;
CREATE VIEW page_list AS
  SELECT {page_list}
    FROM sizes AS p
    LEFT JOIN processes AS t ON t.id = p.process
    LEFT JOIN gfp AS g ON g.gfp_mask = p.gfp_mask
    LEFT JOIN migratetypes AS gm ON gm.migratetype = g.migratetype
    LEFT JOIN migratetypes AS bm ON bm.migratetype = p.pageblock_migratetype
    LEFT JOIN flag_words AS w ON w.flags = p.flags
    LEFT JOIN zones AS z ON z.zone = w.zone
    LEFT JOIN migrate_reasons AS r ON r.reason = p.last_migrate_reason
    LEFT JOIN cgroups AS c ON p.memcg_flags & 2 AND c.id = p.cgroup_id
    LEFT JOIN allocators AS a ON a.id = p.allocator
    LEFT JOIN stacks AS s ON s.handle = p.handle;
CREATE VIEW by_stack AS
  SELECT p.pages, p.allocations, p.handle, s.function, s.module, t.stack
    FROM (SELECT handle, sum(nr_pages) AS pages, count(*) AS allocations
            FROM in_use GROUP BY handle) AS p
    LEFT JOIN stacks AS s ON s.handle = p.handle
    LEFT JOIN stack_texts AS t ON t.handle = p.handle
   ORDER BY pages DESC, p.handle;
CREATE VIEW by_function AS
  SELECT sum(pages) AS pages, sum(allocations) AS allocations, function
    FROM by_stack GROUP BY function ORDER BY pages DESC, function;
CREATE VIEW by_module AS
  SELECT sum(pages) AS pages, sum(allocations) AS allocations,
         coalesce(module, '(kernel)') AS module
    FROM by_stack GROUP BY module ORDER BY pages DESC, module;
CREATE VIEW by_task AS
  SELECT p.pages, p.allocations, t.pid, t.tgid, t.comm
    FROM (SELECT process, sum(nr_pages) AS pages, count(*) AS allocations
            FROM in_use GROUP BY process) AS p
    LEFT JOIN processes AS t ON t.id = p.process
   ORDER BY pages DESC, t.pid, t.tgid, t.comm;
CREATE VIEW by_process AS
  SELECT sum(pages) AS pages, sum(allocations) AS allocations, tgid,
         coalesce(max(CASE WHEN pid = tgid THEN comm END), max(comm)) AS comm
    FROM by_task GROUP BY tgid ORDER BY pages DESC, tgid;
CREATE VIEW by_allocator AS
  SELECT sum(nr_pages) AS pages, count(*) AS allocations, a.name AS allocator
    FROM in_use AS p LEFT JOIN allocators AS a ON a.id = p.allocator
   GROUP BY p.allocator ORDER BY pages DESC, allocator;
CREATE VIEW by_order AS
  SELECT sum(nr_pages) AS pages, count(*) AS allocations, page_order
    FROM in_use GROUP BY page_order ORDER BY page_order;
CREATE VIEW by_gfp AS
  SELECT p.pages, p.allocations, p.gfp_mask, g.names AS gfp_flags
    FROM (SELECT gfp_mask, sum(nr_pages) AS pages, count(*) AS allocations
            FROM in_use GROUP BY gfp_mask) AS p
    LEFT JOIN gfp AS g ON g.gfp_mask = p.gfp_mask
   ORDER BY pages DESC, p.gfp_mask;
CREATE VIEW by_migratetype AS
  SELECT sum(pages) AS pages, sum(allocations) AS allocations, m.name AS migratetype
    FROM by_gfp AS p
    LEFT JOIN gfp AS g ON g.gfp_mask = p.gfp_mask
    LEFT JOIN migratetypes AS m ON m.migratetype = g.migratetype
   GROUP BY g.migratetype ORDER BY pages DESC;
CREATE VIEW by_zone AS
  SELECT sum(nr_pages) AS pages, count(*) AS allocations, w.nid, w.zone, z.name AS zone_name
    FROM in_use AS p
    LEFT JOIN flag_words AS w ON w.flags = p.flags
    LEFT JOIN zones AS z ON z.zone = w.zone
   GROUP BY w.nid, w.zone ORDER BY w.nid, w.zone;
CREATE VIEW by_memcg AS
  SELECT p.pages, p.allocations, p.id, CASE WHEN p.is_unknown THEN '(unknown)' ELSE c.name END AS name, p.is_online,
         c.path
    FROM (SELECT CASE WHEN memcg_flags & 2 THEN cgroup_id END AS id,
                 CASE WHEN memcg_flags & 2 THEN (memcg_flags & 8) = 0 END AS is_online,
                 memcg_flags & 18 = 16 AS is_unknown,
                 sum(nr_pages) AS pages, count(*) AS allocations
            FROM in_use GROUP BY 1, 2, 3) AS p
    LEFT JOIN cgroups AS c ON c.id = p.id
   ORDER BY pages DESC, p.id, p.is_online;
COMMIT;
)sql";

}  // namespace pobpf
