#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The owner that pobpf blockers names first is what keeps memory from being free or movable: operations
that need whole blocks fail while it is there, and succeed once it is gone, in the VM.

One boot collects the output of everything (guest/blockers.py)."""

import csv
import io
import json
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from collection import collected, main  # noqa: E402

STATES = ("free", "movable", "one_owner", "several_owners", "unusable")
# Other pages may stand in blocks that were had before: a kernel takes some itself meanwhile.
HUGE_SHARE_MIN = 0.8


class Answer:
    """The JSON of a run."""

    def __init__(self, name: str) -> None:
        if collected.status(name) not in (0, 4):
            raise AssertionError(f"{name}: {collected.err(name)}")
        lines = collected.json_lines(name)
        self.blocks = lines[0]
        self.total = lines[-1]
        self.owners = lines[1:-1]
        assert self.blocks["kind"] == "blocks" and self.total["kind"] == "total"
        assert sum(self.blocks[state] for state in STATES) == self.blocks["blocks"], self.blocks

    def of(self, comm: str) -> list[dict]:
        return [row for row in self.owners if row.get("comm") == comm]


class Case(unittest.TestCase):
    @staticmethod
    def facts(name: str) -> dict:
        return collected.results["facts"][name]


class Failures(Case):
    """Real operations."""

    def test_cma(self):
        facts = self.facts("cma")
        self.assertTrue(facts["held"], "no page of the area was had")
        self.assertTrue(facts["before"])
        self.assertFalse(facts["pinned"], "one pinned page keeps all of the area from being had")
        answer = Answer("cma.pinned")
        first = answer.owners[0]
        self.assertEqual((first["comm"], first["why"]), ("pobpf_pin", "pinned"), answer.owners)
        self.assertEqual(first["first_pfn"], facts["held"]["pfn"])
        self.assertEqual(first["alone"], 1)
        self.assertTrue(facts["after"], "what was named first is gone")
        self.assertEqual(Answer("cma.after").of("pobpf_pin"), [])
        self.assertEqual(Answer("cma.named").blocks["blocks"], answer.blocks["blocks"])
        self.assertEqual(answer.blocks["blocks"] << answer.blocks["order"], facts["nr_pages"])

    def test_offline(self):
        facts = self.facts("offline")
        self.assertTrue(facts["held"], "no page of the block was had")
        self.assertFalse(facts["pinned"], "the block went offline with a pinned page in it")
        answer = Answer("offline.pinned")
        self.assertEqual(answer.blocks["blocks"], 1)
        self.assertEqual(answer.blocks["one_owner"], 1, answer.owners)
        first = answer.owners[0]
        self.assertEqual((first["comm"], first["why"], first["pages"]), ("pobpf_pin", "pinned", 1))
        self.assertEqual(first["first_pfn"], facts["held"]["pfn"])
        self.assertTrue(facts["after"], "what was named first is gone")
        after = Answer("offline.after").blocks
        self.assertEqual(after["free"] + after["movable"], 1)

    def test_huge_pages(self):
        facts = self.facts("huge")
        nr_pinned = len(facts["held"]["pfns"])
        self.assertGreater(nr_pinned, 10)
        answer = Answer("huge.pinned")
        self.assertEqual(answer.blocks["blocks"], nr_pinned)
        first = answer.owners[0]
        self.assertEqual((first["comm"], first["why"]), ("pobpf_pin", "pinned"), answer.owners)
        self.assertEqual(first["blocks"], nr_pinned)
        self.assertEqual(first["pages"], nr_pinned)
        alone = first["alone"]
        self.assertGreater(alone, nr_pinned // 2)
        after = Answer("huge.after")
        self.assertEqual(after.of("pobpf_pin"), [])
        self.assertGreaterEqual(after.blocks["free"] + after.blocks["movable"], alone)
        self.assertGreaterEqual(facts["after"] - facts["pinned"], HUGE_SHARE_MIN * alone)


class Kinds(Case):
    def test_slab_is_named(self):
        # what is given back may stay in its cache
        rows = [row for row in Answer("slab.held").of("pobpf_slab") if "slab" in row["why"]]
        self.assertGreater(sum(row["pages"] for row in rows), 20)

    def test_reserved_pages_are_those_of_the_kernel(self):
        answer = Answer("reserved")
        pages = sum(r["pages"] for r in answer.owners if r["comm"] == "(reserved)")
        wanted = self.facts("reserved")["pages"]
        # not those in blocks that are memory in part
        self.assertLessEqual(pages, wanted)
        self.assertGreater(pages, 0.9 * wanted)

    def test_own_pages_are_told_apart(self):
        self.assertEqual(len(Answer("huge.pinned.all").of("(pobpf itself)")), 1)


class Views(Case):
    def test_nothing_is_lost(self):
        for name in ("huge.pinned.all", "reserved", "cma.pinned", "offline.pinned", "slab.held"):
            with self.subTest(name):
                lines = [json.loads(line) for line in collected.err(name).splitlines()]
                stats = next(line["stats"] for line in lines if "stats" in line)
                self.assertEqual(stats["errors"], 0)
                self.assertLess(stats["torn"], 10)

    def test_places_are_selected(self):
        everything = Answer("huge.pinned.all").blocks
        zone, node = Answer("zone").blocks, Answer("nid").blocks
        # 16 MiB
        self.assertLessEqual(zone["blocks"], 8)
        self.assertGreater(zone["blocks"], 0)
        self.assertLess(node["blocks"], everything["blocks"])
        self.assertGreater(node["blocks"], everything["blocks"] / 4)

    def test_text_and_csv(self):
        text = collected.out("text").decode()
        self.assertRegex(text, r"(?m)\A\d+ blocks of order 9 \(2\.0M\): \d+ free, \d+ movable only, "
                               r"\d+ held by one owner, \d+ by several, \d+ unusable\n"
                               r"largest free order: \d+\n\nBLOCKS ")  # fmt: skip
        self.assertEqual(len(text.splitlines()), 3 + 1 + 3 + 2)
        self.assertIn("\n        ", collected.out("stack").decode())
        rows = list(csv.DictReader(io.StringIO(collected.out("csv").decode())))
        self.assertEqual([row["kind"] for row in rows[:5]], list(STATES))
        self.assertEqual([row["kind"] for row in rows[5:]], ["group"] * 3 + ["rest", "total"])

    def test_each_way_of_reading_says_the_same(self):
        answers = [Answer(f"no.{f}") for f in ("may-goto", "rdonly-cast", "bpf-loop", "task-name")]
        blocks = [answer.blocks["blocks"] for answer in answers]
        self.assertEqual(len(set(blocks)), 1)
        held = [answer.total["blocks"] for answer in answers]
        self.assertLess(max(held) - min(held), 0.1 * max(held), held)

    def test_what_is_refused(self):
        self.assertEqual(collected.status("no_area"), 2)
        self.assertRegex(collected.err("no_area"), "there is no area of CMA 'nonsense': this machine has")
        self.assertEqual(collected.status("no_block"), 2)
        self.assertIn("there is no memory block 9999", collected.err("no_block"))

    def test_a_snapshot_says_what_it_can(self):
        result = subprocess.run(
            [str(collected.build / "pobpf"), "report", "blockers",
             str(collected.directory / "record.pobpf"), "--format", "json", "--by", "comm"],
            capture_output=True, check=True, text=True,
        )  # fmt: skip
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        live = Answer("slab.held")
        rows = [row for row in lines if row.get("comm") == "pobpf_slab"]
        self.assertEqual(len(rows), 1)
        of_live = live.of("pobpf_slab")[0]
        self.assertIn("slab", rows[0]["why"])
        self.assertLess(abs(rows[0]["pages"] - of_live["pages"]), 0.2 * of_live["pages"])
        self.assertIsNone(re.search("pinned", result.stdout))
        self.assertNotIn("free", lines[0])


if __name__ == "__main__":
    main(__doc__, "blockers.py", ("--memory", "1G", "--append", "movablecore=60%"))
