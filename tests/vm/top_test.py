#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The rows of pobpf top against the kernel's own file summed up by top_oracle.py, against the
kernel's counters, and while memory grows by known amounts, in the VM.

One boot collects the output of everything (guest/top.py)."""

import csv
import functools
import io
import json
import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import filter_oracle  # noqa: E402
import records  # noqa: E402
import top_oracle  # noqa: E402
from collection import collected, main, on_one_kernel  # noqa: E402
from top_oracle import Facts, Key, Sum  # noqa: E402

# Processes that hold what they have: nobody allocates or frees for them meanwhile, so that their
# rows must be right to the page.
HELD = {
    "anon\n\x1b[31mred", "thp", "migrated", "pobpf plain", "pobpf_thread", "pobpf_files",
}
MANY = "pobpf_many"
SUMS = ("pages", "bytes", "allocations")
# A few of their slab pages may still come or go.
SETTLED_SHARE_MIN = 0.95
STABLE_SHARE_MIN = 0.9
# The share of the stable records that the oracle must be able to judge for a case.
JUDGED_SHARE_MIN = 0.9
# Pages that whoever looks allocates and frees, beyond its own as far as they are known.
COME_AND_GO = 300
# For show_stacks: the kernel counts what was split or migrated by another stack than records say.
OTHER_STACKS_SHARE_MAX = 0.02
# Gfp names with one of the reclaim bits; composite names all have one.
MAY_WAIT = re.compile(rb"(?:^|\|)(?:GFP_\w+|__GFP_(?:DIRECT_|KSWAPD_)?RECLAIM)(?:\||$)")
# The kernel keeps two stacks a CPU for the next tasks.
CACHED_STACK_PAGES = 2 * 2 * 4
PAGES_OF_MIB = 256
# The kernel's map has room for that many before it is made larger.
GROUPS_FIRST = 1 << 14
SIGINT = -2


def stats_of(name: str) -> dict[str, int]:
    objects = [json.loads(line) for line in collected.err(name).splitlines()]
    return next(o["stats"] for o in objects if "stats" in o)


@functools.cache
def facts_of(turn: str) -> Facts:
    facts = Facts(zones=top_oracle.read_zones(collected.out("zoneinfo").decode()))
    facts.page_flags.frombytes(collected.out(f"kpageflags.{turn}"))
    return facts


@functools.cache
def gfp_bits() -> dict[str, int]:
    return filter_oracle.solve_gfp_bits(collected.parsed("main.1").values())


@functools.cache
def total_pages(reading: str) -> int:
    return sum(1 << r.order for r in collected.parsed(reading).values())


class Case:
    """The rows that a command should show, by two readings of the kernel's file."""

    def __init__(self, name: str) -> None:
        case = collected.results["cases"][name]
        self.name = name
        self.phase: str = case["phase"]
        self.fields: list[str] = case["by"]
        self.filters: list[str] = case["filters"]
        self.depth: int | None = case.get("depth")

    def readings(self) -> list[dict[int, records.Record]]:
        return [collected.parsed(f"{self.phase}.{turn}") for turn in ("1", "2")]

    @functools.cached_property
    def _oracle(self) -> filter_oracle.Filter:
        zones = [zone.name for zone in facts_of("1").zones if zone.nid == 0]
        memcgs = {name: f"/{path}" for name, path in collected.results["memcgs"].items()}
        return filter_oracle.Filter(
            list(self.filters),
            filter_oracle.Facts(zones=zones, gfp_bits=gfp_bits(), memcgs=memcgs),
        )

    def passes(self, record: records.Record) -> bool:
        return not self.filters or self._oracle.verdict(record) is True

    def key(self, record: records.Record, turn: str) -> Key:
        key = top_oracle.key_of(record, self.fields, facts_of(turn))
        if self.depth:
            key = tuple(v[: self.depth] if isinstance(v, tuple) else v for v in key)
        return key

    def seen(self, turn: str, comms: set[str] | None = None) -> list[records.Record]:
        return [
            r
            for r in collected.parsed(f"{self.phase}.{turn}").values()
            if (comms is None or r.comm.decode() in comms) and self.passes(r)
        ]

    @functools.cached_property
    def stable(self) -> tuple[dict[Key, Sum], int, int]:
        """Sums of the records that were there all the time, their pages, and the pages of those of
        which the facts do not tell."""
        sums: dict[Key, Sum] = {}
        judged = unknown = 0
        may_change = not top_oracle.BY_FACTS.isdisjoint(self.fields)
        for record in collected.stable(f"{self.phase}.1", f"{self.phase}.2").values():
            if not self.passes(record):
                continue
            key = self.key(record, "1")
            if None in key or (may_change and key != self.key(record, "2")):
                unknown += 1 << record.order
                continue
            judged += 1 << record.order
            sums.setdefault(key, Sum()).add(1 << record.order, 1)
        return sums, judged, unknown

    def pages_of_readings(self) -> int:
        return max(sum(1 << r.order for r in self.seen(turn)) for turn in ("1", "2"))

    def held(self, turn: str) -> dict[Key, Sum | None]:
        """Rows of held processes in a reading; None where the facts do not tell all of one."""
        sums: dict[Key, Sum | None] = {}
        vague: set[str] = set()
        for record in self.seen(turn, HELD | {MANY}):
            key = self.key(record, turn)
            if None in key:
                vague.add(record.comm.decode())
                continue
            row = sums.setdefault(key, Sum())
            assert row is not None
            row.add(1 << record.order, 1)
        at = self.fields.index("comm")
        return {key: None if key[at] in vague else row for key, row in sums.items()}


class Rows(unittest.TestCase):
    """Each field against the sums of the kernel's own file."""

    def rows(self, name: str) -> list[dict]:
        self.assertEqual(collected.status(name), 0, collected.err(name))
        return collected.json_lines(name)

    def test_the_guest_was_quiet_enough_to_compare(self):
        for phase in ("main", "memcg"):
            stable = collected.stable(f"{phase}.1", f"{phase}.2")
            union = {
                pfn
                for turn in ("1", "2")
                for pfn, r in collected.parsed(f"{phase}.{turn}").items()
                if r.comm not in records.READER_COMMS
            }
            self.assertGreater(len(stable) / len(union), STABLE_SHARE_MIN, phase)

    def test_rows_add_up_to_the_account_exactly(self):
        for name, case in collected.results["cases"].items():
            with self.subTest(name):
                rows, stats = self.rows(name), stats_of(name)
                total = rows.pop()
                self.assertEqual(total["kind"], "total")
                self.assertEqual(sum(r["pages"] for r in rows), total["pages"])
                self.assertEqual(sum(r["allocations"] for r in rows), total["allocations"])
                self.assertEqual(total["allocations"], stats["emitted"])
                # which allocation a tail belongs to is not looked at: of rejected ones they count too
                if case["filters"]:
                    self.assertLessEqual(total["pages"], stats["emitted"] + stats["tail"])
                else:
                    self.assertEqual(total["pages"], stats["emitted"] + stats["tail"])
                self.assertEqual(stats["torn"] + stats["errors"] + stats["cgroup_errors"], 0)
                for row in (*rows, total):
                    self.assertEqual(row["bytes"], row["pages"] * collected.results["page_bytes"])
                    self.assertAlmostEqual(row["share"], row["pages"] / total["pages"], 9)

    def assert_bounds(self, case: Case, rows: dict[Key, Sum]) -> None:
        """Pages that were there all the time are in their row; all else together is no more
        than what came and went."""
        stable, judged, unknown = case.stable
        self.assertTrue(stable, "the case says nothing")
        self.assertGreater(judged, JUDGED_SHARE_MIN * (judged + unknown))
        short = {
            key: (rows.get(key), wanted)
            for key, wanted in stable.items()
            if rows.get(key, Sum()).pages < wanted.pages
            or rows.get(key, Sum()).allocations < wanted.allocations
        }
        self.assertEqual(short, {}, "rows that lack what was there all the time")
        own = sum(1 << r.order for r in collected.parsed("sample").values() if r.comm == b"pobpf")
        most = case.pages_of_readings() + 2 * own + COME_AND_GO
        self.assertLessEqual(sum(row.pages for row in rows.values()), most)

    def assert_held_rows(self, case: Case, rows: dict[Key, Sum]) -> None:
        """Rows of held processes are right to the page and the allocation."""
        first, second = case.held("1"), case.held("2")
        settled = {k: v for k, v in first.items() if v is not None and second.get(k) == v}
        told = {k for k, v in (first | second).items() if v is not None}
        self.assertGreater(len(settled), SETTLED_SHARE_MIN * len(told) - 1)
        different = {k: (rows.get(k), v) for k, v in settled.items() if rows.get(k) != v}
        self.assertEqual(different, {}, "rows of held processes")
        at = case.fields.index("comm")
        comms_told = {k[at] for k in told}
        more = [k for k in rows if k[at] in comms_told and k not in first and k not in second]
        self.assertEqual(more, [], "rows of held processes that the kernel does not have")

    def assert_case(self, name: str) -> None:
        case = Case(name)
        rows = top_oracle.sums_of_rows(self.rows(name), case.fields)
        self.assert_bounds(case, rows)
        if "comm" in case.fields:
            self.assert_held_rows(case, rows)

    def test_each_case(self):
        """Fields alone and combined, with 1, 2 and 4 threads, with filters, on a quiet machine."""
        # these have rows of another kind
        others = {"ignore", "ignore_held", "limit"}
        names = collected.results["cases"].keys() - others
        self.assertGreater(len(names), 35 if collected.is_whole else 12)
        for name in sorted(names):
            with self.subTest(name):
                self.assert_case(name)

    def test_the_held_processes_were_all_there(self):
        self.assertEqual(HELD - {key[0] for key in Case("comm,order").held("1")}, set())

    @on_one_kernel
    def test_sorted_as_asked(self):
        for name, of in (
            ("comm,function", lambda r: -r["pages"]),
            ("allocs", lambda r: -r["allocations"]),
            # of early boot no time is known
            ("age", lambda r: -1 << 64 if r["mean_age_ns"] is None else -r["mean_age_ns"]),
        ):
            with self.subTest(name):
                rows = [r for r in self.rows(name) if r["kind"] == "group"]
                self.assertEqual([of(r) for r in rows], sorted(of(r) for r in rows))

    @on_one_kernel
    def test_ages_are_those_of_the_records(self):
        """Their differences: the moment of the look is not known to a millisecond."""
        case = Case("age")
        stamps: dict[str, list[int]] = {}
        for record in case.seen("1", HELD):
            stamps.setdefault(record.comm.decode(), []).append(record.ts)
        ages = {r["comm"]: r["mean_age_ns"] for r in self.rows("age") if r["kind"] == "group"}
        born = {comm: sum(of) // len(of) + ages[comm] for comm, of in stamps.items()}
        # sums are of 2^20 ns
        self.assertLess(max(born.values()) - min(born.values()), 3 << 20, born)

    @on_one_kernel
    def test_what_is_not_shown_is_one_row(self):
        every = [r for r in self.rows("comm,order") if r["kind"] == "group"]
        rows = self.rows("limit")
        self.assertEqual([r["kind"] for r in rows], ["group"] * 3 + ["rest", "total"])
        # groups of who looks come and go
        self.assertAlmostEqual(rows[3]["groups"], len(every) - 3, delta=10)
        self.assertGreater(rows[3]["pages"], 0)

    def sums_of_stacks(self, name: str) -> dict[tuple[str, str, str], list[int]]:
        """The sums of who holds still; the keys as CSV writes them."""
        return {
            (r["comm"], str(r["order"]), ";".join(r["stack"])): [r[name] for name in SUMS]
            for r in self.rows(name)
            if r["kind"] == "group" and r["comm"] in HELD
        }

    @on_one_kernel
    def test_csv_says_what_json_says(self):
        self.assertEqual(collected.status("csv"), 0, collected.err("csv"))
        text = collected.out("csv").decode()
        rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        self.assertEqual(text.splitlines()[0].split(",")[-3:], ["comm", "order", "stack"])
        from_csv = {
            (r["comm"], r["order"], r["stack"]): [int(r[name]) for name in SUMS]
            for r in rows
            if r["kind"] == "group" and r["comm"] in HELD
        }
        self.assertGreater(len(from_csv), 25)
        around = [self.sums_of_stacks("json_before_csv"), self.sums_of_stacks("json_after_csv")]
        for key in set().union(from_csv, *around):
            # even who holds still gives a page back now and then
            looks = [sums.get(key, [0] * len(SUMS)) for sums in around]
            for name, value, *bounds in zip(SUMS, from_csv.get(key, [0] * len(SUMS)), *looks):
                self.assertTrue(min(bounds) <= value <= max(bounds), (key, name, value, bounds))
        self.assertEqual(rows[-1]["kind"], "total")
        self.assertEqual(sum(int(r["pages"]) for r in rows[:-1]), int(rows[-1]["pages"]))

    @on_one_kernel
    def test_the_table_says_the_same(self):
        self.assertEqual(collected.status("table"), 0, collected.err("table"))
        lines = collected.out("table").decode().splitlines()
        self.assertEqual(
            lines[0].split(), ["PAGES", "SIZE", "ALLOCS", "SHARE", "ORDER", "MIGRATETYPE"]
        )
        self.assertEqual(lines[-1].split()[-1], "(total)")
        rows = {}
        for line in lines[1:-1]:
            pages, size, allocations, _, order, migratetype = line.split()
            self.assertEqual(int(size), int(pages) * collected.results["page_bytes"])
            rows[(int(order), migratetype)] = Sum(int(pages), int(allocations))
        case = Case("order,gfp,migratetype")
        case.fields = ["order", "migratetype"]
        self.assert_bounds(case, rows)
        self.assertEqual(sum(r.pages for r in rows.values()), int(lines[-1].split()[0]))

    def matches(self, record: records.Record) -> bool:
        """By the patterns of guest/top.py."""
        return bool(re.search(rb"^ (shmem_|alloc_pipe_inf[ao][.+])", record.stack, re.MULTILINE))

    @on_one_kernel
    def test_ignored_call_sites_are_one_row(self):
        rows = self.rows("ignore_held")
        case = Case("ignore_held")
        sums = []
        for turn in ("1", "2"):
            ignored, other = Sum(), Sum()
            for record in case.seen(turn):
                (ignored if self.matches(record) else other).add(1 << record.order, 1)
            sums.append((ignored, other))
        self.assertEqual(sums[0][0], sums[1][0])
        self.assertGreater(sums[0][0].pages, 500)
        self.assertEqual([r["kind"] for r in rows].count("ignored"), 1)
        of_kind = {
            kind: Sum(
                sum(r["pages"] for r in rows if r["kind"] == kind),
                sum(r["allocations"] for r in rows if r["kind"] == kind),
            )
            for kind in ("ignored", "group")
        }
        self.assertEqual(of_kind["ignored"], sums[0][0])
        # a slab page may have gone
        self.assertIn(of_kind["group"], [other for _, other in sums])

    @on_one_kernel
    def test_ignored_call_sites_are_in_no_other_row(self):
        rows = self.rows("ignore")
        case = Case("ignore")
        stable = collected.stable("main.1", "main.2").values()
        wanted = sum(1 << r.order for r in stable if self.matches(r))
        ignored = [r for r in rows if r["kind"] == "ignored"]
        self.assertEqual(len(ignored), 1)
        self.assertGreaterEqual(ignored[0]["pages"], wanted)
        self.assertLessEqual(ignored[0]["pages"], wanted + COME_AND_GO)
        sums = top_oracle.sums_of_rows(rows, case.fields)
        for key, row in top_oracle.sums_of(
            (r for r in stable if not self.matches(r)), case.fields, facts_of("1")
        ).items():
            self.assertGreaterEqual(sums[key].pages, row.pages, key)
        wrong = [k for k in sums if isinstance(k[1], str) and k[1].startswith("shmem_")]
        self.assertEqual(wrong, [])


class Stacks(unittest.TestCase):
    @staticmethod
    def text(frames: tuple[str, ...]) -> bytes:
        return "".join(f" {frame}\n" for frame in frames).encode()

    def test_against_show_stacks(self):
        """The kernel adds and takes away by the stack of the first page, as memory comes and goes.
        Where that differs from top, it differs from the records of single pages as well."""
        if not (collected.directory / "show_stacks.1.out").exists():
            self.assertFalse(collected.series("has_show_stacks", False))
            return
        first = records.parse_stacks(collected.out("show_stacks.1"), b"nr_base_pages")
        second = records.parse_stacks(collected.out("show_stacks.2"), b"nr_base_pages")
        by_record: dict[bytes, int] = {}
        unsettled: set[bytes] = set()
        stable = collected.stable("main.1", "main.2")
        for turn in ("1", "2"):
            for pfn, record in collected.parsed(f"main.{turn}").items():
                if pfn not in stable:
                    unsettled.add(record.stack)
                elif turn == "1":
                    by_record[record.stack] = by_record.get(record.stack, 0) + (1 << record.order)
        ours = {
            self.text(key[0]): row.pages
            for key, row in top_oracle.sums_of_rows(
                collected.json_lines("stack"), ["stack"]
            ).items()
        }
        # what pobpf has for itself while it looks
        own: dict[bytes, int] = {}
        for key, row in top_oracle.sums_of_rows(
            collected.json_lines("comm,stack"), ["comm", "stack"]
        ).items():
            if key[0] == "pobpf":
                own[self.text(key[1])] = row.pages
        steady = {
            s: n for s, n in first.items() if second.get(s) == n and s and s not in unsettled
        }
        self.assertGreater(len(steady), 50)
        lacking = {
            s: (n, ours.get(s)) for s, n in steady.items() if ours.get(s, 0) < by_record.get(s, 0)
        }
        self.assertEqual(lacking, {})
        more = {
            s: ours[s] - by_record.get(s, 0) - own.get(s, 0)
            for s in steady
            if ours.get(s, 0) > by_record.get(s, 0) + own.get(s, 0)
        }
        # what its parent made for it: page tables and arguments of exec()
        self.assertLess(sum(more.values()), 32, more)
        other = {s: (n, by_record.get(s)) for s, n in steady.items() if by_record.get(s) != n}
        self.assertLess(len(other) / len(steady), OTHER_STACKS_SHARE_MAX, other)
        # The kernel lists no stack of early boot, and from 6.15 or so on none whose first allocation
        # must not wait for a lock: those of early boot, and slab's, which tries for a larger order
        # without waiting first, whatever the allocation that is there now was made with.
        absent = {
            (r.stack, r.fields["gfp"])
            for r in stable.values()
            if r.stack not in first and r.stack not in unsettled
        }
        unlisted = {
            (s, gfp) for s, gfp in absent
            if MAY_WAIT.search(gfp) and b"register_early_stack" not in s and b" allocate_slab+" not in s
        }
        self.assertEqual(unlisted, set())


class Allocators(unittest.TestCase):
    """Against the kernel's counters, and before and after memory has grown by a known amount."""

    def rows(self, number: int) -> dict[str, int]:
        name = f"look.{number}"
        self.assertEqual(collected.status(name), 0, collected.err(name))
        rows: dict[str, int] = {}
        for row in collected.json_lines(name):
            of = row.get("allocator", row["kind"])
            rows[of] = rows.get(of, 0) + row["pages"]
        return rows

    def own(self, number: int) -> dict[str, int]:
        """Pages of the process that looked, which neither reading of the counters has seen."""
        return {
            r["allocator"]: r["pages"]
            for r in collected.json_lines(f"look.{number}")
            if r.get("comm") == "pobpf"
        }

    def number_of(self, step: str) -> int:
        for name, run in collected.results["runs"].items():
            if run.get("step") == step:
                return int(name.split(".")[1])
        self.fail(f"no step {step}")

    def growth(self, step: str, row: str) -> int:
        number = self.number_of(step)
        return self.rows(number).get(row, 0) - self.rows(number - 1).get(row, 0)

    def counted(self, number: int, *names: str) -> tuple[int, int]:
        """Pages by /proc/meminfo, before and after the look."""
        sums = [
            sum(meminfo.get(name, 0) for name in names) // 4
            for meminfo in collected.run_of(f"look.{number}")["meminfo"]
        ]
        return min(sums), max(sums)

    def nr_looks(self) -> int:
        return 1 + sum("step" in run for run in collected.results["runs"].values())

    def test_as_proc_meminfo_counts(self):
        for number in range(self.nr_looks()):
            rows, own = self.rows(number), self.own(number)
            rows["files"] = rows["page cache"] + rows["shmem"]
            rows["anonymous"] -= own["anonymous"]
            for row, names, slack in (
                # the counters are kept per CPU and put together at times: 125 pages a CPU and zone
                ("files", ("Cached", "Buffers"), 64),
                ("shmem", ("Shmem",), 64),
                # counted when mapped; our parent's copies made by fork() come and go
                ("anonymous", ("AnonPages",), 250),
                ("hugetlb", ("Hugetlb",), 0),
                # of the look itself: maps and programs
                ("slab", ("Slab",), 200),
            ):
                with self.subTest(look=number, row=row):
                    low, high = self.counted(number, *names)
                    self.assertGreaterEqual(rows[row], low - slack)
                    self.assertLessEqual(rows[row], high + slack)
            with self.subTest(look=number, row="page tables"):
                # the kernel's own, of vmalloc and of the memory map, are in no counter before 7.x
                low, high = self.counted(number, "PageTables", "SecPageTables")
                self.assertGreaterEqual(rows["page tables"], low)
                self.assertLessEqual(rows["page tables"], high + 400)
            with self.subTest(look=number, row="kernel stacks"):
                # of tasks older than page_owner they are early boot
                low, high = self.counted(number, "KernelStack")
                first_low, first_high = self.counted(0, "KernelStack")
                grown = rows["kernel stacks"] - self.rows(0)["kernel stacks"]
                self.assertGreaterEqual(grown, low - first_high - CACHED_STACK_PAGES)
                self.assertLessEqual(grown, high - first_low + CACHED_STACK_PAGES)

    def test_contiguous_memory(self):
        """Looks for what the workload took. Movable pages lie in that area as well, for as long as it
        is free, so that CmaFree says nothing of it."""
        for number in range(self.nr_looks()):
            self.assertEqual(self.rows(number)["cma"], 16)

    def assert_grown(self, step: str, row: str, pages: int, more: int = 0) -> None:
        """By that, or 2 % or `more` further; what the two looks have for themselves may differ by some
        pages."""
        grown = self.growth(step, row)
        self.assertGreaterEqual(grown, pages - 24)
        self.assertLessEqual(grown, pages + max(more, pages // 50))

    def test_anonymous_memory(self):
        # the process that takes it is a copy of its parent
        self.assert_grown("anonymous", "anonymous", 64 * PAGES_OF_MIB, 600)

    def test_a_file_in_memory(self):
        self.assert_grown("shmem", "shmem", 64 * PAGES_OF_MIB, 16)
        self.assertLess(abs(self.growth("shmem", "page cache")), 32)

    def test_page_cache(self):
        self.assert_grown("page_cache", "page cache", 32 * PAGES_OF_MIB, 16)
        self.assertLess(abs(self.growth("page_cache", "shmem")), 32)

    def test_a_file_that_is_read(self):
        pages = collected.run_of(f"look.{self.number_of('read_file')}")["file_pages"]
        self.assert_grown("read_file", "page cache", pages, 64)

    def test_threads(self):
        grown = self.growth("kernel_stacks", "kernel stacks")
        self.assertAlmostEqual(grown, 201 * 4, delta=CACHED_STACK_PAGES)

    def test_page_tables(self):
        self.assert_grown("page_tables", "page tables", 512, 64)

    def test_hugetlb(self):
        self.assertEqual(self.growth("hugetlb", "hugetlb"), 4 * 512)

    def test_vmalloc(self):
        self.assert_grown("vmalloc", "vmalloc", 8 * PAGES_OF_MIB, 16)

    def test_what_nothing_explains(self):
        """Memory of pipes."""
        self.assert_grown("unaccounted", "unaccounted", 64 * 16, 32)

    def test_the_other_rows_stay(self):
        quiet = ("early boot", "module brd", "cma", "hugetlb", "shmem", "page cache", "unaccounted")
        for number in range(1, self.nr_looks()):
            step = collected.run_of(f"look.{number}")["step"].replace("_", " ").replace("read file", "page cache")
            for row in quiet:
                if row != step:
                    with self.subTest(step=step, row=row):
                        moved = abs(self.rows(number).get(row, 0) - self.rows(number - 1).get(row, 0))
                        self.assertLess(moved, 40)


@on_one_kernel
class Watch(unittest.TestCase):
    """In a pipe, while a process takes 4096 pages after the first look."""

    GROWTH = 4096
    # their page tables, and slab
    MORE = 24

    def looks(self, name: str, rows: list[dict]) -> list[list[dict]]:
        self.assertEqual(collected.status(name), 0, collected.err(name))
        self.assertTrue(collected.run_of(name)["has_grown"])
        looks: list[list[dict]] = [[]]
        for row in rows:
            looks[-1].append(row)
            if row["kind"] == "total":
                looks.append([])
        self.assertEqual(looks.pop(), [])
        self.assertEqual(len(looks), 3)
        return looks

    def assert_growth(self, name: str, comm: str, rows: list[dict]) -> None:
        looks = self.looks(name, rows)
        times = [{row["time"] for row in look} for look in looks]
        self.assertEqual([len(t) for t in times], [1, 1, 1])
        at = [t.pop() for t in times]
        # of the end of each look: a busy machine needs longer for one than the interval
        self.assertLess(at[0], at[1])
        self.assertLess(at[1], at[2])
        self.assertTrue(all(r["growth_pages"] == r["change_pages"] == 0 for r in looks[0]))
        last = looks[-1]
        self.assertEqual(last[0]["comm"], comm)
        self.assertGreaterEqual(last[0]["growth_pages"], self.GROWTH)
        self.assertLessEqual(last[0]["growth_pages"], self.GROWTH + self.MORE)
        changes = [r["change_pages"] for look in looks for r in look if r.get("comm") == comm]
        self.assertEqual(sum(changes), last[0]["growth_pages"])
        grown = [r["growth_pages"] for r in last if r["kind"] == "group"]
        self.assertEqual(grown, sorted(grown, reverse=True))
        for before, look in zip(looks, looks[1:]):
            rows_before = {r.get("comm"): r["pages"] for r in before}
            for row in look:
                self.assertEqual(
                    row["change_pages"], row["pages"] - rows_before.get(row.get("comm"), 0)
                )
            self.assertEqual(
                sum(r["growth_pages"] for r in look[:-1]), look[-1]["growth_pages"]
            )

    def test_json(self):
        self.assert_growth("watch_json", "grow_json", collected.json_lines("watch_json"))

    def test_csv(self):
        text = collected.out("watch_csv").decode()
        rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        numbers = {"pages", "bytes", "allocations", "change_pages", "growth_pages"}
        first = collected.json_lines("watch_json")[0]
        self.assertEqual(list(rows[0]), list(first))
        self.assert_growth(
            "watch_csv",
            "grow_csv",
            [
                {k: int(v) if k in numbers else float(v) if k == "time" else v or None
                 for k, v in row.items()}
                for row in rows
            ],
        )

    def test_text(self):
        self.assertEqual(collected.status("watch_text"), 0, collected.err("watch_text"))
        text = collected.out("watch_text").decode()
        looks = text.split("\n\n")
        self.assertEqual(looks.pop(), "")
        self.assertEqual(len(looks), 3)
        for look in looks:
            self.assertRegex(
                look,
                r"\A\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  every 0\.5 s  by comm  sorted by growth\n"
                r"PAGES +SIZE +ALLOCS +SHARE +AGE +CHANGE +GROWTH +COMM\n",
            )
        self.assertRegex(looks[2].splitlines()[2], r" \+16\.[0-2]M +grow_text$")
        self.assertNotIn("\x1b", text)


@on_one_kernel
class Terminal(unittest.TestCase):
    def screens(self, name: str) -> list[str]:
        text = collected.out(name).decode()
        screens = text.split("\x1b[J")
        for screen in screens[:-1]:
            self.assertTrue(screen.startswith("\x1b[H"), screen)
            lines = screen.removeprefix("\x1b[H").split("\x1b[K\r\n")
            self.assertEqual(lines.pop(), "")
            # the screen is 24 lines of 100 columns, and a newline in the last one would scroll
            self.assertLess(len(lines), 24)
            self.assertTrue(all(len(line) <= 100 for line in lines))
        return screens

    def title(self, screen: str) -> tuple[str, str]:
        found = re.match(r"\x1b\[H[-: 0-9]{19}  every \S+ s  by (\S+)  sorted by (\S+)  ", screen)
        assert found, screen
        return found[1], found[2]

    def assert_restored(self, name: str) -> None:
        run = collected.run_of(name)
        self.assertIsNotNone(run["before"])
        self.assertNotEqual(run["during"], run["before"])
        self.assertEqual(run["after"], run["before"])

    def test_keys(self):
        *screens, end = self.screens("keys")
        self.assertEqual(end, "")
        self.assertEqual(
            [self.title(screen) for screen in screens],
            [("stack", "pages"), ("function", "pages"), ("function", "allocs"),
             ("function", "allocs")],
        )
        self.assertRegex(screens[1], r"GROWTH  FUNCTION")
        # at once, not after the interval of a minute
        self.assertLess(max(collected.run_of("keys")["seconds"]), 20)
        self.assertEqual(collected.status("keys"), 0)
        self.assert_restored("keys")

    def test_screens_come_at_the_interval(self):
        *screens, _ = self.screens("redrawn")
        # one may come before the key is seen
        self.assertIn(len(screens), (3, 4))
        self.assertGreater(max(collected.run_of("redrawn")["seconds"][:2]), 0.5)
        self.assertIn("early boot", screens[-1])
        self.assertEqual(collected.status("redrawn"), 0)
        self.assert_restored("redrawn")

    def test_ctrl_c_restores_the_terminal(self):
        self.assertEqual(collected.status("ctrl_c"), SIGINT)
        self.assert_restored("ctrl_c")

    def test_one_look_is_a_plain_table(self):
        text = collected.out("not_watching").decode()
        self.assertEqual(collected.status("not_watching"), 0, text)
        self.assertNotIn("\x1b[H", text)
        not_watching = collected.run_of("not_watching")
        self.assertEqual(not_watching["after"], not_watching["before"])


@on_one_kernel
class Interrupted(unittest.TestCase):
    def test_ends_by_the_signal_and_says_nothing(self):
        statuses = collected.run_of("interrupted")["statuses"]
        for status, err, is_watching in statuses:
            # a single look may have ended before
            self.assertIn(status, (SIGINT,) if is_watching else (SIGINT, 0))
            self.assertEqual(err, "")
        self.assertGreater(sum(status == SIGINT for status, _, _ in statuses), 4)

    def test_nothing_is_left(self):
        self.assertEqual(collected.run_of("interrupted")["left"], [])
        self.assertEqual(collected.status("pins"), 0)
        self.assertEqual(collected.out("pins"), b"")


@on_one_kernel
class Many(unittest.TestCase):
    def test_all_groups_are_there(self):
        """Rows are compared in Rows; here that the map has grown for them."""
        for name in ("many_groups", "many_groups_threads"):
            rows = collected.json_lines(name)
            self.assertGreater(sum(r["kind"] == "group" for r in rows), GROUPS_FIRST)
            self.assertEqual({r["kind"] for r in rows}, {"group", "total"})

    def test_groups_without_room_are_one_row(self):
        case = Case("many_groups")
        one, two = (
            top_oracle.sums_of(case.seen(turn), case.fields, facts_of(turn)) for turn in ("1", "2")
        )
        settled = {key: row for key, row in one.items() if two.get(key) == row}
        moved = sum(sums[k].pages for sums in (one, two) for k in sums if k not in settled)
        self.assertGreater(len(settled), 17000)
        self.assertLess(moved, COME_AND_GO)
        for groups_max in (1000, 17000, 20000):
            with self.subTest(groups_max):
                name = f"max_groups_{groups_max}"
                rows = collected.json_lines(name)
                groups = top_oracle.sums_of_rows(rows, case.fields)
                wrong = {k: (v, settled[k]) for k, v in groups.items() if settled.get(k, v) != v}
                self.assertEqual(wrong, {}, "what has a row has all of it there")
                if groups_max > len(one | two):
                    self.assertEqual(collected.status(name), 0, collected.err(name))
                    self.assertEqual(settled.keys() - groups.keys(), set())
                    continue
                self.assertEqual(collected.status(name), 4, collected.err(name))
                self.assertIn("--max-groups", collected.err(name))
                self.assertEqual(len(groups), groups_max)
                other, total = rows[-2:]
                self.assertEqual((other["kind"], total["kind"]), ("other", "total"))
                self.assertEqual(total["allocations"], stats_of(name)["emitted"])
                for of in ("pages", "allocations"):
                    self.assertEqual(sum(row[of] for row in rows[:-1]), total[of])
                    left = sum(getattr(row, of) for k, row in settled.items() if k not in groups)
                    self.assertGreaterEqual(other[of], left)
                    self.assertLessEqual(other[of], left + moved)


class Cgroups(unittest.TestCase):
    def test_pages_of_a_removed_cgroup_say_so(self):
        rows = {r.get("memcg"): r["pages"] for r in collected.json_lines("charged_memcg")}
        self.assertGreaterEqual(rows["/pobpf_outer/pobpf inner"], 256)
        gone = [path for path in rows if path and path.startswith("/pobpf_gone")]
        if collected.series("has_offline_memcg_pages", True):
            (path,) = gone
            self.assertRegex(path, r"^/pobpf_gone \(offline, id \d+\)$")
            self.assertGreaterEqual(rows[path], 256)
        else:
            self.assertEqual(gone, [])

    def test_a_removed_cgroup_is_selected_by_its_old_path_and_its_id(self):
        if not collected.series("has_offline_memcg_pages", True):
            self.assertEqual(collected.status("gone_by_path"), 2)
            self.assertIn("there is no cgroup /pobpf_gone", collected.err("gone_by_path"))
            return
        for name in ("gone_by_path", "gone_by_id", "gone_report_id", "gone_report_path"):
            with self.subTest(name):
                self.assertEqual(collected.status(name), 0, collected.err(name))
                (row, _) = collected.json_lines(name)
                self.assertRegex(row["memcg"], r"^/pobpf_gone \(offline, id \d+\)$")
                self.assertGreaterEqual(row["pages"], 256)

    def test_cgroups_of_one_name_are_apart(self):
        rows = {r.get("memcg"): r["pages"] for r in collected.json_lines("charged_memcg")}
        for user in ("pobpf-1000", "pobpf-1001"):
            self.assertGreaterEqual(rows[f"/{user}/app.slice"], 256)


if __name__ == "__main__":
    main(__doc__, "top.py")
