#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Exports of a snapshot that this test describes, read by Python's csv and sqlite3: what is
expected is computed from the description."""

import argparse
import collections
import contextlib
import csv
import functools
import io
import json
import pathlib
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
import runner  # noqa: E402

ARGUMENTS = argparse.Namespace()
TIMEOUT_SECONDS = 120
NEVER_MIGRATED = -1
ANON = 1  # POBPF_MAPPING_ANON
UNMOVABLE = 0  # of the gfp bits 3 and 4
MODULES = {10: "ext4", 11: "ext4", 12: "nvidia", 13: "we\nird"}
COMMS = ["init", "a,b", 'say "hi"', "line\r\nline", "=1+1", "caf\u00e9", "\u001b[2J", "x;y", ""]


def module_suffix(handle: int) -> str:
    return f" [{MODULES[handle]}]" if handle in MODULES else ""


def stacks() -> dict[int, list[str]]:
    """Frames by handle; an allocator's function is innermost."""
    return {
        handle: ["__alloc_pages+0x1/0x2"]
        + [f"caller{handle}+0x1f/0x200{module_suffix(handle)}", "main,+0x3/0x4"]
        for handle in range(1, 16)
    }


def pages() -> list[dict]:
    chance = random.Random(2)
    made = []
    pfn = 0x1000
    for i in range(4000):
        tgid = chance.choice(range(1, 40))
        made.append(
            {
                "page": pfn,
                "order": chance.choice([0] * 10 + [1, 2, 3, 4, 9]),
                "handle": int(15 * chance.random() ** 2) + 1,
                "gfp_mask": chance.choice([0xCC0, 0x140CC8, 0xC50, 0x2000000]),
                "pid": tgid + chance.choice([0, 0, 1000]),
                "tgid": tgid,
                "comm": COMMS[tgid % len(COMMS)],
                "ts_nsec": 10**9 * (i + 1) + 7,
                "free_ts_nsec": chance.choice([0, 10**9 * i]),
                "flags": chance.getrandbits(64),
                "pageblock_migratetype": chance.randrange(8),
                "last_migrate_reason": chance.choice([NEVER_MIGRATED, 0, 2, 77]),
                "memcg_flags": chance.choice([0, 0, 1, 2, 6, 10]),
                "cgroup_id": chance.choice([3, 4]),
                "mapping": chance.choice([0, ANON, ANON, 4]),
                "free_handle": chance.choice([0, 5]),
                "free_pid": 8,
                "free_tgid": 9,
            }
        )
        pfn += 1 << made[-1]["order"]
    return made


CGROUPS = {3: "user.slice", 4: "a\"b,c\n"}
STACKS = stacks()
PAGES = pages()


@functools.cache
def snapshot() -> bytes:
    lines = [{"stack": handle, "frames": frames} for handle, frames in STACKS.items()]
    lines += [{"cgroup": number, "name": name} for number, name in CGROUPS.items()]
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "snapshot"
        subprocess.run(
            [ARGUMENTS.make_snapshot, str(path)],
            input="\n".join(json.dumps(l, ensure_ascii=False) for l in lines + PAGES).encode(),
            check=True,
            timeout=TIMEOUT_SECONDS,
        )
        return path.read_bytes()


def escaped(text: str) -> str:
    """As docs/export.md has it; a character of the description is a byte."""
    return "".join(
        "\\\\" if c == "\\" else c if " " <= c <= "~" else f"\\x{ord(c):02x}" for c in text
    )


def nr_pages(page: dict) -> int:
    return 1 << page["order"]


class ExportTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = pathlib.Path(temporary.name)
        self.snapshot = self.directory / "snapshot"
        self.snapshot.write_bytes(snapshot())

    def report(self, *arguments: str, status: int = 0) -> bytes:
        result = subprocess.run(
            [ARGUMENTS.pobpf, "report", str(self.snapshot), *arguments],
            capture_output=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
        )
        self.assertEqual(result.returncode, status, result.stderr)
        self.stderr = result.stderr.decode()
        return result.stdout


class Csv(ExportTest):
    def rows(self, *arguments: str) -> list[dict]:
        # strict, and bytes as they are
        text = self.report("--format", "csv", *arguments).decode("latin-1")
        self.assertTrue(text.endswith("\r\n"))
        with contextlib.closing(io.StringIO(text, newline="")) as lines:
            table = list(csv.reader(lines, strict=True))
        header, *rows = table
        for row in rows:
            self.assertEqual(len(row), len(header))
        return [dict(zip(header, row)) for row in rows]

    def test_holds_what_was_recorded(self):
        rows = self.rows()
        self.assertEqual(len(rows), len(PAGES))
        for row, page in zip(rows, PAGES):
            expected = {
                "pfn": str(page["page"]),
                "nr_pages": str(nr_pages(page)),
                "flags": f"{page['flags']:#x}",
                "stack": ";".join(STACKS[page["handle"]]),
                "memcg_name": CGROUPS[page["cgroup_id"]] if page["memcg_flags"] & 2 else "",
            }
            was_freed = page["free_handle"] != 0
            expected["free_handle"] = str(page["free_handle"])
            expected["free_pid"] = str(page["free_pid"]) if was_freed else ""
            expected["free_tgid"] = str(page["free_tgid"]) if was_freed else ""
            expected["free_stack"] = ";".join(STACKS[page["free_handle"]]) if was_freed else ""
            same = "order handle gfp_mask pid tgid comm ts_nsec free_ts_nsec".split()
            expected |= {name: str(page[name]) for name in same}
            self.assertEqual({name: row[name] for name in expected}, expected)

    def test_names_what_json_names(self):
        objects = [json.loads(line) for line in self.report("--format", "json").splitlines()]
        for row, item in zip(self.rows(), objects, strict=True):
            memcg = item["memcg"] or {}
            expected = {
                "gfp_flags": "|".join(item["gfp_flags"]),
                "page_flags": "|".join(item["page_flags"]),
                "migratetype": item["migratetype"],
                "pageblock": item["pageblock"],
                "nid": item["nid"],
                "zone": item["zone"],
                "slab_memcg": item["slab_memcg"],
                "memcg_id": memcg.get("id", ""),
                "memcg_path": memcg.get("path") or "",
                "free_handle": item["free_handle"],
                "free_pid": item.get("free_pid", ""),
                "free_tgid": item.get("free_tgid", ""),
                "free_stack": ";".join(f["symbol"] for f in item.get("free_stack", [])),
                "memcg_online": memcg.get("online", ""),
                "memcg_via_objcg": memcg.get("via_objcg", ""),
                "lastcpupid": "",
                "section": "",
                "kasantag": "",
            }
            for name in ("pageblock_migratetype", "last_migrate_reason"):
                if item[name] is None:
                    self.assertRegex(row[name], r"\A(unknown\(\d+\))?\Z")
                else:
                    expected[name] = item[name]
            texts = {
                name: str(value).lower() if isinstance(value, bool) else str(value)
                for name, value in expected.items()
            }
            self.assertEqual({name: row[name] for name in texts}, texts)

    def test_has_no_stack_in_handle_mode(self):
        with_stack, without = self.rows(), self.rows("--handles")
        for row in with_stack:
            del row["stack"], row["free_stack"]
        self.assertEqual(with_stack, without)


class Sqlite(ExportTest):
    def setUp(self):
        super().setUp()
        self.path = self.directory / "db"

    def database(self) -> sqlite3.Connection:
        self.assertEqual(self.report("--format", "sqlite", "-o", str(self.path)), b"")
        self.assertEqual(self.stderr, "")
        connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        self.addCleanup(connection.close)
        return connection

    def test_is_sound(self):
        connection = self.database()
        self.assertEqual(connection.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
        self.assertEqual(sorted(f.name for f in self.directory.iterdir()), ["db", "snapshot"])

    def test_holds_every_page(self):
        rows = self.database().execute(
            "SELECT pfn, page_order, handle, gfp_mask, pid, tgid, comm, ts_nsec, free_ts_nsec,"
            " flags, pageblock_migratetype, last_migrate_reason, memcg_flags, cgroup_id, mapping,"
            " free_handle, free_pid, free_tgid FROM pages JOIN processes ON process = processes.id"
            " JOIN kinds ON kind = kinds.id ORDER BY pages.id"
        )
        for row, page in zip(rows.fetchall(), PAGES, strict=True):
            page = page | {"comm": escaped(page["comm"])}
            # SQLite's integers are signed
            page["flags"] -= page["flags"] >> 63 << 64
            self.assertEqual(row, tuple(page.values()))

    def test_views_sum_up(self):
        connection = self.database()
        views = {
            "by_order": ("page_order", lambda page: page["order"]),
            "by_gfp": ("gfp_mask", lambda page: page["gfp_mask"]),
            "by_stack": ("handle", lambda page: page["handle"]),
            "by_process": ("tgid", lambda page: page["tgid"]),
            "by_memcg": ("id", lambda p: p["cgroup_id"] if p["memcg_flags"] & 2 else None),
            "by_zone": ("zone", lambda page: page["flags"] >> 62),
            "by_module": ("module", lambda p: escaped(MODULES.get(p["handle"], "(kernel)"))),
            "by_function": ("function", lambda page: f"caller{page['handle']}"),
        }
        for view, (column, key) in views.items():
            with self.subTest(view):
                expected = collections.Counter()
                for page in PAGES:
                    expected[key(page)] += nr_pages(page)
                got = connection.execute(f"SELECT {column}, sum(pages) FROM {view} GROUP BY 1")
                self.assertEqual(dict(got.fetchall()), dict(expected))

    def test_queries_of_the_document(self):
        text = pathlib.Path(ARGUMENTS.document).read_text("utf-8")
        examples = re.findall(r"^```sql\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        expected = [anonymous_stacks(), unmovable_processes(), modules_of_high_orders()]
        self.assertEqual(len(examples), len(expected))
        connection = self.database()
        for example, rows in zip(examples, expected):
            with self.subTest(example):
                self.assertEqual(connection.execute(example).fetchall(), rows)

    def test_damage_is_refused_or_said(self):
        content = self.snapshot.read_bytes()
        self.snapshot.write_bytes(content[:-10])
        arguments = ["--format", "sqlite", "-o", str(self.path)]
        self.report(*arguments, status=1)
        self.assertFalse(self.path.exists())
        self.report(*arguments, "--salvage", status=4)
        self.assertEqual(len(self.stderr.splitlines()), 1)
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            query = "SELECT value FROM snapshot WHERE key = 'is_complete'"
            self.assertEqual(connection.execute(query).fetchone(), (0,))

    def test_what_cannot_be_written(self):
        arguments = ["--format", "sqlite", "-o"]
        self.report(*arguments, str(self.directory / "missing" / "db"), status=1)
        self.assertIn("No such file or directory", self.stderr)
        self.report(*arguments, "/dev/full", status=2)
        self.assertEqual(self.stderr, "pobpf: /dev/full is not a regular file: name a file\n")

    def test_full_disk_leaves_the_old_file(self):
        self.path.write_bytes(b"old")
        # the limit of a file's size stands for the disk's
        command = ["sh", "-c", 'ulimit -f 64; exec "$@"', "sh", ARGUMENTS.pobpf, "report"]
        command += [str(self.snapshot), "--format", "sqlite", "-o", str(self.path)]
        result = subprocess.run(command, capture_output=True, check=False, timeout=TIMEOUT_SECONDS)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(
            result.stderr.decode(),
            f"pobpf: writing {self.path}: File too large: free some space or choose another place\n",
        )
        self.assertEqual(self.path.read_bytes(), b"old")
        self.assertEqual(sorted(f.name for f in self.directory.iterdir()), ["db", "snapshot"])


def sums(wanted: list[dict], key) -> list[tuple]:
    """(key, pages, allocations), most pages first; no two of the data have the same."""
    totals = collections.defaultdict(lambda: [0, 0])
    for page in wanted:
        totals[key(page)][0] += nr_pages(page)
        totals[key(page)][1] += 1
    ordered = sorted(totals.items(), key=lambda item: -item[1][0])
    return [(group, *total) for group, total in ordered]


def anonymous_stacks() -> list[tuple]:
    rows = sums([p for p in PAGES if p["mapping"] == ANON], lambda page: page["handle"])
    return [
        (total, count, ";".join(escaped(frame) for frame in STACKS[handle]))
        for handle, total, count in rows[:3]
    ]


def unmovable_processes() -> list[tuple]:
    wanted = [p for p in PAGES if p["gfp_mask"] >> 3 & 3 == UNMOVABLE]
    return [
        (total, tgid, escaped(COMMS[tgid % len(COMMS)]))
        for tgid, total, _ in sums(wanted, lambda page: page["tgid"])[:3]
    ]


def modules_of_high_orders() -> list[tuple]:
    wanted = [p for p in PAGES if p["order"] >= 3 and p["handle"] in MODULES]
    rows = sums(wanted, lambda page: (escaped(MODULES[page["handle"]]), page["order"]))
    return [(*group, count, total) for group, total, count in rows]


if __name__ == "__main__":
    ARGUMENTS = runner.parse(__doc__, "make-snapshot", "document")
    sys.exit(runner.run())
