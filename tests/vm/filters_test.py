#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Each filter of pobpf against the kernel's own file filtered by filter_oracle.py, in the VM.

One boot collects the output of everything (guest/filters.py)."""

import collections
import functools
import json
import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import filter_oracle  # noqa: E402
import records  # noqa: E402
from collection import ACCOUNT_REASONS, collected, main, on_one_kernel  # noqa: E402

# The share of records that both readings of the kernel's file agree on.
STABLE_SHARE_MIN = 0.9
# The share of the stable records that the oracle must be able to judge for a case.
JUDGED_SHARE_MIN = 0.9
# Page flags change without the allocation changing: see vm_test.py.
FLIPPED_SHARE_MAX = 0.01
# Counts of one run and of a reading some seconds away.
COUNT_SHARE = 0.05
COUNT_SLACK = 100
# Cases in which nothing, or everything, is the right answer.
MAY_MATCH_NOTHING = {"nothing"}
MAY_REJECT_NOTHING = {"since_mixed_units"}


def stable(phase: str) -> dict[int, records.Record]:
    """Records that both readings of a phase show alike, but for the page flags."""
    return collected.stable(f"{phase}.1", f"{phase}.2")


@functools.cache
def shared_facts() -> filter_oracle.Facts:
    found = collected.results
    return filter_oracle.Facts(
        zones=found["zones"],
        living=found["living"],
        living_once=found["living_once"],
        reborn={int(tgid): ns for tgid, ns in found["reborn"].items()},
        memcgs=found["memcgs"],
        handles={(r.pfn, r.ts): r.handle for r in collected.parsed("sample").values()},
        aliases=filter_oracle.read_aliases(collected.out("kallsyms").decode()),
        gfp_bits=filter_oracle.solve_gfp_bits(collected.parsed("main.1").values()),
    )


def oracle_of(name: str) -> filter_oracle.Filter:
    case = collected.results["cases"][name]
    facts = filter_oracle.Facts(**vars(shared_facts()) | {"clock": tuple(case["clock"])})
    return filter_oracle.Filter(case["filters"], facts)


@functools.cache
def judged(name: str, reading: str) -> dict[int, tuple[filter_oracle.Verdict, str | None]]:
    """Returns what the filters of a case say of each record of a reading, by PFN."""
    oracle = oracle_of(name)
    return {pfn: oracle.judge(record) for pfn, record in collected.parsed(reading).items()}


class Filters(unittest.TestCase):
    def test_the_guest_was_quiet_enough_to_compare(self):
        for phase in ("main", "memcg"):
            # a reader's own memory is not there before and after it
            union = {
                pfn
                for turn in ("1", "2")
                for pfn, record in collected.parsed(f"{phase}.{turn}").items()
                if record.comm not in records.READER_COMMS
            }
            self.assertGreater(len(stable(phase)) / len(union), STABLE_SHARE_MIN, phase)

    def test_the_workload_made_what_the_filters_look_for(self):
        seen = list(stable("main").values())
        comms = {r.comm for r in seen}
        for comm in (b"pobpf plain", b"star*name", b"new\nline", "tschüß".encode(), b"pobpf_dead"):
            self.assertIn(comm, comms)
        threads = [r for r in seen if r.comm == b"pobpf_thread"]
        self.assertTrue(any(r.fields["pid"] != r.fields["tgid"] for r in threads))
        self.assertTrue(any(r.order == 9 and r.comm == b"thp" for r in seen), "huge pages")
        self.assertTrue(any(b" [brd]\n" in r.text for r in seen), "module")
        self.assertTrue(any(r.fields["type"] != r.fields["block_type"] for r in seen), "mixed")
        charged = b"".join(r.text for r in stable("memcg").values())
        self.assertIn(b"memcg pobpf inner\n", charged)
        self.assertIn(b"memcg pobpf_sibling\n", charged)

    def test_completion_offers_the_names_of_this_kernel(self):
        printed: dict[str, set[bytes]] = {"gfp": set(), "flags": set(), "migratetype": set()}
        for record in collected.parsed("main.1").values():
            printed["gfp"].update((record.fields["gfp"] or b"").split(b"|"))
            printed["flags"].update((record.fields["flag_names"] or b"").split(b"|"))
            printed["migratetype"] |= {record.fields["type"], record.fields["block_type"]}
        printed["zone"] = {zone.encode() for zone in collected.results["zones"]}
        for option, names in printed.items():
            # bits without a name, and numbers among the page flags
            names = {n for n in names if n and b"=" not in n and not n.startswith(b"0x")}
            rows = collected.out(f"complete_{option}").splitlines()[1:]
            self.assertGreater(len(names), 1, option)
            self.assertLessEqual(names, {row.split(b"\t")[0] for row in rows}, option)

    def test_each_case(self):
        for name, case in collected.results["cases"].items():
            with self.subTest(name, filters=" ".join(case["filters"])[:200]):
                self.assert_case(name, case["phase"])

    def assert_case(self, name: str, phase: str) -> None:
        self.assertEqual(collected.results["runs"][name]["status"], 0, collected.err(name))
        oracle, view, base = oracle_of(name), collected.parsed(name), stable(phase)
        first = judged(name, f"{phase}.1")
        verdicts = {pfn: first[pfn][0] for pfn in base}
        if "flags" in oracle.names:
            again = judged(name, f"{phase}.2")
            verdicts = {pfn: v if v == again[pfn][0] else None for pfn, v in verdicts.items()}
        wanted = [pfn for pfn, verdict in verdicts.items() if verdict is True]
        rejected = [pfn for pfn, verdict in verdicts.items() if verdict is False]
        if "dead" not in oracle.names:
            self.assertGreater(len(wanted) + len(rejected), JUDGED_SHARE_MIN * len(base))
        if name not in MAY_MATCH_NOTHING:
            self.assertTrue(wanted, "the case says nothing: the oracle finds no record")
        if name not in MAY_REJECT_NOTHING:
            self.assertTrue(rejected, "the case says nothing: the oracle rejects no record")
        missing = [p for p in wanted if p not in view or view[p].ts != base[p].ts]
        foreign = [p for p in rejected if p in view and view[p].ts == base[p].ts]
        flips = len(base) * FLIPPED_SHARE_MAX if "flags" in oracle.names else 0
        self.assertLessEqual(len(missing), flips, self.shown("lacks", missing, base))
        self.assertLessEqual(len(foreign), flips, self.shown("should not have", foreign, base))
        # what came and went meanwhile must match by its own text, where that says enough
        if not oracle.names & {"stack", "memcg", "handle", "dead"}:
            wrong = [p for p, r in view.items() if p not in base and oracle.verdict(r) is False]
            self.assertEqual(wrong, [], self.shown("should not have", wrong, view))

    @staticmethod
    def shown(what: str, pfns: list[int], source: dict[int, records.Record]) -> str:
        texts = [source[pfn].text.decode(errors="backslashreplace") for pfn in pfns[:3]]
        return f"pobpf {what} {len(pfns)} records, such as\n" + "\n".join(texts)

    @staticmethod
    def account(name: str) -> tuple[dict[str, int], dict[str, int]]:
        """Rows of the account by name, and what each filter rejected."""
        rows: dict[str, int] = {}
        for line in collected.err(name).splitlines():
            words = line.split()
            if len(words) >= 2 and words[1].isdigit():
                rows.setdefault(words[0], int(words[1]))
        by_filter = {
            found[1]: int(found[2])
            for found in re.finditer(r"^filtered_(\w+) +(\d+) ", collected.err(name), re.MULTILINE)
        }
        return rows, by_filter

    def test_accounts_add_up(self):
        for name in collected.results["cases"]:
            with self.subTest(name):
                rows, by_filter = self.account(name)
                self.assertEqual(rows["pages"], sum(rows[r] for r in ACCOUNT_REASONS))
                self.assertEqual(rows["filtered"], sum(by_filter.values()))
                self.assertEqual(rows["emitted"], len(collected.parsed(name)))
                self.assertEqual(rows["torn"] + rows["errors"], 0)

    def test_accounts_say_which_filter_rejected(self):
        """A page is counted under the first filter that it does not pass. Nodes and PFNs narrow what
        is walked at all, so that less may be counted."""
        own = 2 * sum(r.comm == b"pobpf" for r in collected.parsed("sample").values())
        for name, case in collected.results["cases"].items():
            with self.subTest(name, filters=" ".join(case["filters"])[:200]):
                oracle = oracle_of(name)
                _, by_filter = self.account(name)
                if oracle.names & {"nid", "pfn"}:
                    self.assertLessEqual(by_filter.keys(), oracle.names)
                    continue
                expected: dict[str, list[int]] = {}
                for turn in ("1", "2"):
                    counts = collections.Counter(
                        first for _, first in judged(name, f"{case['phase']}.{turn}").values()
                    )
                    for filter_name in oracle.names:
                        expected.setdefault(filter_name, []).append(counts[filter_name])
                self.assertLessEqual(by_filter.keys(), oracle.names)
                if "dead" in oracle.names:
                    # the oracle does not know of all tgids
                    continue
                for filter_name, counts_seen in expected.items():
                    if filter_name == "handle":
                        # no handle is known of what came after the sample
                        continue
                    count = by_filter.get(filter_name, 0)
                    lowest, highest = min(counts_seen), max(counts_seen) + own
                    self.assertGreaterEqual(
                        count, lowest * (1 - COUNT_SHARE) - COUNT_SLACK, filter_name
                    )
                    self.assertLessEqual(
                        count, highest * (1 + COUNT_SHARE) + COUNT_SLACK, filter_name
                    )

    def test_a_number_that_another_process_had_is_told_apart(self):
        ((number, _),) = shared_facts().reborn.items()
        comms = {"reused": b"pobpf_reused", "reborn": b"pobpf_reborn"}
        nr_pages = {}
        for name, comm in comms.items():
            held = [pfn for pfn, r in collected.parsed(name).items() if r.comm == comm]
            self.assertGreaterEqual(len(held), 64, name)
            for source in (name, f"{name}_report", f"{name}_pinned"):
                seen = collected.parsed(source)
                found = {r.comm for r in seen.values()} & set(comms.values())
                self.assertEqual(found, {comm}, source)
                self.assertEqual([pfn for pfn, r in seen.items() if r.comm == comm], held, source)
            nr_pages[name] = sum(1 << r.order for r in collected.parsed(name).values())
        for source in ("reused_top", "reused_report_top"):
            rows = [json.loads(line) for line in collected.out(source).splitlines()]
            pages = {row["process"]: row["pages"] for row in rows if row["kind"] == "group"}
            self.assertEqual({row["tgid"] for row in rows if row["kind"] == "group"}, {number})
            self.assertEqual(pages.keys(), {"reused", "living"}, source)
            # what it had of the kernel's own memory may have gone meanwhile
            self.assertAlmostEqual(pages["reused"], nr_pages["reused"], delta=16)
            self.assertAlmostEqual(pages["living"], nr_pages["reborn"], delta=16)

    @on_one_kernel
    def test_long_lists_hold_what_they_should(self):
        for name in ("pid_long", "not_pid_long", "tgid_long"):
            filters = collected.results["cases"][name]["filters"]
            self.assertGreater(filters[1].count(","), collected.results["long_list"] - 1)

    @on_one_kernel
    def test_wrong_filters_are_usage_errors(self):
        for name, refused in collected.results["refused"].items():
            with self.subTest(name):
                self.assertEqual(collected.results["runs"][name]["status"], 2, collected.err(name))
                self.assertEqual(collected.out(name), b"")
                lines = collected.err(name).strip().splitlines()
                self.assertEqual(len(lines), 1, collected.err(name))
                for word in refused["words"]:
                    self.assertIn(word, lines[0])


class Ground(unittest.TestCase):
    def test_symbols_cgroups_and_clock_where_no_test_is_skipped(self):
        self.assertEqual(collected.status("ground"), 0, collected.out("ground").decode())
        passed = re.search(rb"^\[  PASSED  \] (\d+) tests\.$", collected.out("ground"), re.MULTILINE)
        self.assertGreaterEqual(int(passed[1]) if passed else 0, 20)
        self.assertNotIn(b"SKIPPED", collected.out("ground"))


@on_one_kernel
class OracleItself(unittest.TestCase):
    """The oracle's own grammar, so that it and pobpf cannot agree on nonsense."""

    def test_globs(self):
        for pattern, yes, no in (
            ("a*c", b"abbc", b"abb"),
            ("a\\*c", b"a*c", b"abc"),
            ("a?", b"ab", b"a"),
            ("[a-c]x", b"bx", b"dx"),
            ("[!a-c]x", b"dx", b"bx"),
            ("a\\\\b", b"a\\b", b"ab"),
            ("a*b", b"a\nb", b"a\nc"),
            ("[]x]", b"]", b"y"),
        ):
            with self.subTest(pattern):
                self.assertTrue(filter_oracle.glob_regex(pattern).fullmatch(yes))
                self.assertFalse(filter_oracle.glob_regex(pattern).fullmatch(no))
        self.assertEqual(filter_oracle.split_list("a\\,b,c"), ["a\\,b", "c"])

    def test_numbers_and_durations(self):
        self.assertEqual(
            filter_oracle.number_ranges("1,5-10,9-,0x10+4", 99), [(1, 1), (5, 10), (9, 99), (16, 19)]
        )
        self.assertEqual(filter_oracle.duration_ns("1h30m"), 5400 * 10**9)
        self.assertEqual(filter_oracle.duration_ns("1.5h"), 5400 * 10**9)
        self.assertEqual(filter_oracle.duration_ns("500ms"), 500 * 10**6)


if __name__ == "__main__":
    main(__doc__, "filters.py")
