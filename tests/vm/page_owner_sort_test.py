#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tests what docs/page_owner_sort.md says: pobpf gives the groups that the real
tools/mm/page_owner_sort gives, and where that is wrong. Boots nothing; vm_test.py
compares both on texts of real kernels.

page_owner_sort_test.py --build BUILD [unittest arguments]
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import sort_oracle  # noqa: E402
from collection import TABLE  # noqa: E402

RECORDS = 20000
OLD_TEXT = """\
Page allocated via order 1, mask 0x12cc0(GFP_KERNEL), pid 7, ts 100 ns, free_ts 50 ns
PFN 4096 type Unmovable Block 8 type Unmovable Flags 0x0()
 first+0x1/0x2

Page allocated via order 0, mask 0x12cc0(GFP_KERNEL), pid 7, ts 100 ns, free_ts 50 ns
PFN 4099 type Unmovable Block 8 type Unmovable Flags 0x0()
 first+0x1/0x2

"""
RECORD = """\
Page allocated via order 0, mask 0x0(), pid 7, tgid 7 ({comm}), ts {ts} ns
PFN 0x{pfn:x} type Unmovable Block {block} type {block_type} Flags 0x0({flags})
{stack}
"""

options: argparse.Namespace


def record(pfn: int, **fields: str) -> str:
    known = {"comm": "task", "flags": "node=0|zone=1", "stack": " alloc_pages+0x1/0x2\n", "ts": 1}
    known |= {"block_type": "Unmovable"} | fields
    return RECORD.format(pfn=pfn, block=pfn >> 9, **known)


class Case(unittest.TestCase):
    directory: pathlib.Path
    pobpf: str

    @classmethod
    def setUpClass(cls) -> None:
        cls.pobpf = str(options.build / "pobpf")
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="pobpf-sort-"))
        cls.addClassCleanup(lambda: subprocess.run(["rm", "-r", str(cls.directory)], check=True))

    def write(self, text: str) -> pathlib.Path:
        path = self.directory / "text"
        path.write_text(text, encoding="utf-8")
        return path

    def imported(self, text: pathlib.Path) -> pathlib.Path:
        snapshot = self.directory / "snapshot"
        sort_oracle.import_text(self.pobpf, text, snapshot)
        return snapshot

    def pobpf_rows(self, text: pathlib.Path, *arguments: str) -> list[dict]:
        shown = subprocess.run(
            [self.pobpf, "report", "top", str(self.imported(text)), "--format", "json", *arguments],
            capture_output=True, check=True, stdin=subprocess.DEVNULL,
        ).stdout
        return [row for row in map(json.loads, shown.splitlines()) if row["kind"] == "group"]


class SameGroups(Case):
    """A made-up machine of many stacks, tasks, orders and cgroups, as text."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        make = options.build / "tests" / "bench" / "pobpf_make_snapshot"
        cls.snapshot = cls.directory / "machine"
        with cls.snapshot.open("wb") as file:
            subprocess.run([str(make), str(RECORDS), "3"], stdout=file, check=True)
        cls.text = cls.directory / "machine.txt"
        subprocess.run(
            [cls.pobpf, "report", str(cls.snapshot), "-o", str(cls.text)], check=True
        )

    def assert_same(self, cull: str, tool_options: list[str], our_options: list[str]) -> None:
        ours = sort_oracle.culled_by_pobpf(self.pobpf, self.snapshot, cull, *our_options)
        self.assertGreater(len(ours), 1)
        for series in TABLE["series"]:
            with self.subTest(cull=cull, series=series, options=our_options):
                tool = sort_oracle.tool_of(series)
                theirs = sort_oracle.culled_by_tool(tool, self.text, cull, *tool_options)
                self.assertEqual(theirs, ours)

    def test_every_cull_rule(self):
        for cull in sort_oracle.CULLS:
            self.assert_same(cull, [], [])

    def test_every_filter(self):
        tasks = sort_oracle.culled_by_pobpf(self.pobpf, self.snapshot, "pid,tgid,name")
        chosen = sorted(tasks)[:: max(1, len(tasks) // 5)]
        for option, ours, at in (("--pid", "--pid", 0), ("--tgid", "--tgid", 1),
                                 ("--name", "--comm", 2)):
            wanted = ",".join(sorted({str(task[at]) for task in chosen}))
            for cull in ("pid,tgid,name", "stacktrace"):
                self.assert_same(cull, [option, wanted], [ours, wanted])

    def test_orders_of_rows(self):
        """-m, -t, -p, -P, -n and -s of the tool: the values by which it sorts, in its order."""
        tool = sort_oracle.tool_of("7.3")
        for option, sort, by in (("-m", "pages", "pages"), ("-t", "allocs", "allocations"),
                                 ("-p", "fields", "pid"), ("-P", "fields", "tgid"),
                                 ("-n", "fields", "comm")):
            with self.subTest(option):
                rule = {"-p": "pid", "-n": "name"}.get(option, "tgid")
                _, shown, _ = sort_oracle.run_tool(tool, self.text, option, "--cull", rule)
                theirs = []
                for line in shown.splitlines():
                    head = sort_oracle.HEAD.match(line + "\n")
                    theirs.append({"allocations": int(head[1]), "pages": int(head[2]),
                                   "pid": head[3] and int(head[3]),
                                   "tgid": head[4] and int(head[4]), "comm": head[5]}[by])
                field = sort_oracle.RULES[rule]
                shown = subprocess.run(
                    [self.pobpf, "report", "top", str(self.snapshot), "--by", field]
                    + ["--sort", sort, "--format", "json"], capture_output=True, check=True,
                ).stdout
                ours = [json.loads(line) for line in shown.splitlines()]
                self.assertEqual([row[by] for row in ours if row["kind"] == "group"], theirs)

    def test_without_a_rule_equal_records_are_a_row(self):
        """From 6.3 on, without their time; by what of the text is not the page's own."""
        ours = subprocess.run(
            [self.pobpf, "report", "top", str(self.snapshot), "--format", "json"]
            + ["--by", "order,gfp,pid,tgid,comm,stack"], capture_output=True, check=True,
        ).stdout
        rows = [json.loads(line) for line in ours.splitlines()]
        expected: dict[tuple, list[int]] = {}
        for row in rows:
            if row["kind"] != "group":
                continue
            key = (row["order"], row["gfp"], row["pid"], row["tgid"], row["comm"], *row["stack"])
            sums = expected.setdefault(key, [0, 0])
            sums[0] += row["allocations"]
            sums[1] += row["pages"]
        head = re.compile(
            r"(\d+) times, (\d+) pages, allocated by \w+ :\nPage allocated via order (\d+), "
            r"mask 0x\w+\((.*?)\), pid (\d+), tgid (\d+) \((.*?)\), ts  ns\n"
        )
        for series in ("6.12", "7.3"):
            _, shown, _ = sort_oracle.run_tool(sort_oracle.tool_of(series), self.text)
            found: dict[tuple, list[int]] = {}
            for block in shown.split("\n\n"):
                if not block.strip():
                    continue
                match = head.match(block + "\n")
                self.assertTrue(match, block)
                frames = [l[1:] for l in block.splitlines() if l.startswith(" ")]
                key = (int(match[3]), match[4], int(match[5]), int(match[6]), match[7], *frames)
                sums = found.setdefault(key, [0, 0])
                sums[0] += int(match[1])
                sums[1] += int(match[2])
            self.assertEqual(found, expected, series)


class WhereTheToolIsWrong(Case):
    """Each of these is in docs/page_owner_sort.md; when the tool is mended, a test here fails."""

    def rows(self, series: str, text: str, *arguments: str) -> list[str]:
        status, shown, _ = sort_oracle.run_tool(
            sort_oracle.tool_of(series), self.write(text), *arguments
        )
        self.assertEqual(status, 0)
        return [line for line in shown.splitlines() if " times, " in line]

    def test_sort_has_no_effect(self):
        text = record(1) + "".join(
            record(2 + i, comm="many").replace("pid 7", "pid 9") for i in range(3)
        )
        for series, first in (("6.1", 7), ("6.12", 9), ("7.3", 9)):
            rows = self.rows(series, text, "--cull", "pid", "--sort", "pid")
            self.assertIn(f"PID {first}", rows[0], series)
        rows = self.pobpf_rows(self.write(text), "--by", "pid", "--sort", "fields")
        self.assertEqual([row["pid"] for row in rows], [7, 9])

    def test_the_last_record_needs_an_empty_line(self):
        text = record(1) + record(2).rstrip("\n") + "\n"
        for series in TABLE["series"]:
            self.assertEqual(self.rows(series, text, "--cull", "pid"), ["1 times, 1 pages, PID 7"])
        rows = self.pobpf_rows(self.write(text), "--by", "pid")
        self.assertEqual([row["allocations"] for row in rows], [2])

    def test_slab_is_no_page_flag_any_more(self):
        stack = " alloc_pages+0x1/0x2\n allocate_slab+0x1/0x2\n ___slab_alloc+0x1/0x2\n"
        text = record(1, stack=stack) + record(2, ts="2", flags="slab|node=0|zone=1", stack=stack)
        for series in TABLE["series"]:
            rows = self.rows(series, text, "--cull", "allocator")
            self.assertEqual(
                sorted(rows),
                ["1 times, 1 pages, allocated by OTHERS ", "1 times, 1 pages, allocated by SLAB "],
            )

    def test_a_page_in_a_cma_block_is_not_allocated_by_cma(self):
        text = record(1, block_type="CMA", stack=" alloc_pages+0x1/0x2\n filemap_fault+0x1/0x2\n")
        for series in TABLE["series"]:
            rows = self.rows(series, text, "--cull", "allocator")
            self.assertEqual(rows, ["1 times, 1 pages, allocated by CMA "])

    def test_a_cgroup_makes_another_stack(self):
        text = record(1) + record(2, stack=" alloc_pages+0x1/0x2\nCharged to memcg one\n")
        for series in TABLE["series"]:
            self.assertEqual(len(self.rows(series, text, "--cull", "stacktrace")), 2)
        self.assertEqual(len(self.pobpf_rows(self.write(text), "--by", "stack")), 1)

    def test_stdin_cannot_be_read(self):
        text = record(1)
        for series in TABLE["series"]:
            with tempfile.TemporaryDirectory() as directory:
                out = pathlib.Path(directory) / "out"
                result = subprocess.run(
                    [str(sort_oracle.tool_of(series)), "/dev/stdin", str(out)],
                    input=text.encode(), capture_output=True, check=False,
                )
                self.assertIn(b"max_size too small", result.stderr)
                self.assertEqual(out.read_text("utf-8") if out.exists() else "", "")
        result = subprocess.run(
            [self.pobpf, "import", "-", "-o", str(self.directory / "piped")],
            input=text.encode(), capture_output=True, check=False,
        )
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_headers_before_5_18(self):
        """7.3's tool wants a task name, says that it has no memory, and that all went well."""
        status, shown, err = sort_oracle.run_tool(
            sort_oracle.tool_of("7.3"), self.write(OLD_TEXT), "--cull", "pid"
        )
        self.assertEqual((status, shown, err), (0, "", "Out of memory\n"))
        rows = self.pobpf_rows(self.write(OLD_TEXT), "--by", "pid")
        self.assertEqual([(r["pid"], r["allocations"], r["pages"]) for r in rows], [(7, 2, 3)])

    def test_a_task_name_with_a_newline_ends_it_all(self):
        """Any process may call itself so."""
        text = record(1) + record(2, comm="new\nline") + record(3)
        status, shown, err = sort_oracle.run_tool(
            sort_oracle.tool_of("7.3"), self.write(text), "--cull", "tgid"
        )
        self.assertEqual((status, shown, err), (0, "", "Out of memory\n"))
        rows = self.pobpf_rows(self.write(text), "--by", "tgid")
        self.assertEqual([row["allocations"] for row in rows], [3])


def main() -> None:
    global options  # pylint: disable=global-statement
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, type=lambda p: pathlib.Path(p).resolve())
    options, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)


if __name__ == "__main__":
    main()
