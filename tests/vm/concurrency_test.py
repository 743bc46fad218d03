#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Isolation of readers, on a real kernel with full preemption in the VM: many of them at once, under
churn and on a quiet machine, most of them crowded on one CPU, and readers that are killed.

One boot collects all output (guest/concurrency.py); the tests here judge it on the host.
"""

import functools
import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import filter_oracle  # noqa: E402
import records  # noqa: E402
from collection import collected, main, on_one_kernel  # noqa: E402

# The share of the records of one of the two lone readings that both have alike; without the
# pages of the readers themselves, which come and go.
STABLE_SHARE_MIN = 0.85
READER_COMMS = (*records.READER_COMMS, b"python3", b"kworker", b"rcu")
# Slabs that 64 readers use move on and off their lists, which page flags show (vm_test.py).
FLIPPED_SHARE_MAX = 0.25
# Filters whose verdict on a page may change without a new allocation.
CHANGING = {"flags"}
SIGKILL = -9
TEMPORARY_PIN = re.compile(r"\d+~")
# the only warning that is none of a failure
TORN = re.compile(
    r"\Apobpf: finished, but not complete because of \d+ pages? that changed while (?:it was|they "
    r"were) read: run pobpf again if this matters\n\Z"
)


def filters_of(view: str) -> tuple[list[str], str]:
    """The filters of a view and its mode."""
    arguments = collected.results["views"][view]
    at = arguments.index("--mode")
    return arguments[:at] + arguments[at + 2 :], arguments[at + 1]


@functools.cache
def facts() -> filter_oracle.Facts:
    memcg = collected.results["memcg"]
    return filter_oracle.Facts(
        zones=collected.results["zones"],
        memcgs={memcg: f"/{memcg}", "/": "/", "pobpf_gone": "/pobpf_gone"},
    )


def readers_of(phase: str) -> dict[str, str]:
    """Names of all outputs of a phase, and what view each is of."""
    found = {f"{phase}_thread_{view}": view for view in collected.results["views"]}
    for name, run in collected.results["runs"].items():
        if name.startswith(f"{phase}_process_") or name.startswith(f"{phase}_cat"):
            found[name] = run["view"]
    return found


class ConcurrencyTest(unittest.TestCase):
    def assert_ended_well(self, name: str, may_be_torn: bool) -> None:
        status = collected.status(name)
        if may_be_torn and status == 4:
            self.assertRegex(collected.err(name), TORN)
            return
        self.assertEqual((status, collected.err(name)), (0, ""), name)

    def assert_phase_ended_well(self, phase: str, may_be_torn: bool) -> None:
        self.assertEqual(len(readers_of(phase)), 64 if collected.is_whole else 24)
        names = [name for name in readers_of(phase) if f"{phase}_thread" not in name]
        for name in [*names, f"{phase}_threads"]:
            with self.subTest(name):
                self.assert_ended_well(name, may_be_torn)

    def assert_own_view(self, name: str, view: str) -> None:
        """Whole records, in the order of memory, in this mode, and all of this view."""
        filters, mode = filters_of(view)
        found = collected.parsed(name)
        self.assertEqual(list(found), sorted(found))
        oracle = filter_oracle.Filter(filters, facts_with_handles(name, mode))
        for record in found.values():
            is_right = (
                record.pfn % (1 << record.order) == 0
                and int(record.fields["block"]) == record.pfn >> 9
                and (record.stack == b"") == (mode == "handle")
                and (record.handle is None) == (mode == "stack")
                and oracle.verdict(record) is not False
            )
            # a message for each of a million records would take longer than all else
            if not is_right:
                self.fail(f"{name}: {record.text.decode(errors='backslashreplace')}")


def facts_with_handles(name: str, mode: str) -> filter_oracle.Facts:
    if mode == "stack":
        return facts()
    known = facts()
    return filter_oracle.Facts(
        zones=known.zones,
        memcgs=known.memcgs,
        handles={(r.pfn, r.ts): r.handle or 0 for r in collected.parsed(name).values()},
    )


class UnderChurn(ConcurrencyTest):
    def test_all_end_well(self):
        self.assert_phase_ended_well("churn", may_be_torn=True)

    def test_each_has_its_own_view_only(self):
        for name, view in readers_of("churn").items():
            with self.subTest(name):
                self.assert_own_view(name, view)

    def test_there_was_churn(self):
        """A page that two readers of one view saw in different hands."""
        one, other = collected.parsed("churn_process_all"), collected.parsed("churn_thread_all")
        self.assertGreater(sum(1 for p in one if p in other and one[p].ts != other[p].ts), 100)
        self.assertGreater(len(collected.parsed("churn_process_churn_a")), 100)

    def test_one_handle_is_one_stack(self):
        stacks: dict[int, bytes] = {}
        for name, view in readers_of("churn").items():
            if filters_of(view)[1] != "stack_handle":
                continue
            for record in collected.parsed(name).values():
                self.assertEqual(
                    stacks.setdefault(record.handle, record.stack), record.stack, name
                )
        self.assertGreater(len(stacks), 25 if collected.is_whole else 10)


class OnAQuietMachine(ConcurrencyTest):
    def test_all_end_well(self):
        self.assert_phase_ended_well("quiet", may_be_torn=False)

    def test_each_has_its_own_view_only(self):
        for name, view in readers_of("quiet").items():
            with self.subTest(name):
                self.assert_own_view(name, view)

    def test_each_prints_what_it_prints_alone(self):
        for name, view in readers_of("quiet").items():
            with self.subTest(name):
                self.assert_as_alone(name, view)

    def assert_as_alone(self, name: str, view: str) -> None:
        before, after = collected.parsed(f"before_{view}"), collected.parsed(f"after_{view}")
        found = collected.parsed(name)
        stable = collected.stable(f"before_{view}", f"after_{view}")
        self.assertGreater(len(stable), 50)
        others = [
            {p for p, r in reading.items() if not r.comm.startswith(READER_COMMS)}
            for reading in (before, after)
        ]
        self.assertGreater(
            len(others[0].intersection(stable)) / len(others[0] | others[1]), STABLE_SHARE_MIN
        )
        missing = [hex(p) for p in stable if p not in found]
        flipped = 0
        for pfn in stable:
            if pfn not in found or found[pfn].text in (before[pfn].text, after[pfn].text):
                continue
            flipped += before[pfn].text == after[pfn].text
            self.assertEqual(
                records.without_flags(before[pfn].text).decode(errors="backslashreplace"),
                records.without_flags(found[pfn].text).decode(errors="backslashreplace"),
            )
        # what is younger may have been allocated behind the place that the first reading had come to
        newest = max(r.ts for r in collected.parsed("horizon").values())
        strangers = [
            p for p, r in found.items() if r.ts <= newest and p not in before and not r.is_migrated
        ]
        if CHANGING & filter_oracle.Filter(filters_of(view)[0], facts()).names:
            flipped += len(missing) + len(strangers)
        else:
            self.assertEqual(
                [p for p in missing if before[int(p, 16)].comm != records.BOOT_COMM], []
            )
            # what is not in `after` was allocated for the lone reading itself, behind its back
            self.assertEqual(
                [hex(p) for p in strangers if p in after and found[p].comm != records.BOOT_COMM], []
            )
        self.assertLessEqual(flipped / len(stable), FLIPPED_SHARE_MAX)

    def test_nothing_is_left_in_the_kernel(self):
        self.assertEqual(collected.results["before"], collected.results["after"])


@on_one_kernel
class Killed(ConcurrencyTest):
    def test_unkilled_they_would_have_done_their_work(self):
        for kind in ("text", "stacks", "file", "new_file", "pin", "delegated_pin", "replace"):
            with self.subTest(kind):
                self.assertEqual(collected.status(f"unkilled_{kind}"), 0)

    def test_many_were_killed_in_the_middle(self):
        statuses = [v[2] for kill in collected.results["kills"] for v in kill["victims"]]
        self.assertGreater(statuses.count(SIGKILL), 25)
        self.assertLessEqual(set(statuses), {SIGKILL, 0, 4})

    def test_files_are_whole_and_nothing_is_beside_them(self):
        for kill in collected.results["kills"]:
            self.assertLessEqual(set(kill["files"]), {"old", "new"}, kill)
            self.assertIn("old", kill["files"], kill)
            for name in kill["files"]:
                file = kill[f"file_{name}"]
                if name == "old" and file["bytes"] == len("old\n"):
                    continue
                self.assertGreater(file["bytes"], 1000, kill)
                self.assertEqual(file["ends"], "\n\n", kill)

    def test_pins_are_whole_or_not_there(self):
        leftovers = 0
        pins = {*collected.run_of("pins_before_kills")["names"], "killed"}
        for kill in collected.results["kills"]:
            for name, (uid, gid, mode) in kill["pins"].items():
                if TEMPORARY_PIN.fullmatch(name):
                    leftovers += 1
                    continue
                self.assertIn(name, pins, kill)
                if name == "replaced":
                    self.assertEqual(mode, "0o444", kill)
                elif name == "killed" and uid:
                    self.assertEqual((uid, gid != 0, mode), (65534, True, "0o440"), kill)
                else:
                    self.assertEqual((uid, gid, mode), (0, 0, "0o600"), kill)
            self.assertIn("replaced", kill["pins"], kill)
        # a few instructions of a run's billions; each goes with the next pin
        self.assertLessEqual(leftovers, 1)

    def test_leftovers_go_with_the_next_pin(self):
        self.assertEqual(collected.status("pin_next"), 0)
        names = set(collected.run_of("pins_next")["names"])
        self.assertEqual(names, {*collected.run_of("pins_before_kills")["names"], "next"})

    def test_a_dead_process_leaves_a_pin_that_goes_with_the_next(self):
        """The test puts there what a kill between pinning and renaming leaves."""
        planted = collected.run_of("planted")
        self.assertIn(planted["dead"], planted["before"])
        self.assertNotIn(planted["dead"], planted["after"])
        self.assertIn(planted["living"], planted["after"])

    def test_nobody_else_is_disturbed(self):
        for kind, count in collected.results["beside"].items():
            self.assertGreater(count, 5)
            for i in range(count):
                name = f"beside_{kind}_{i}"
                with self.subTest(name):
                    self.assert_ended_well(name, may_be_torn=True)
                    self.assertGreater(len(collected.parsed(name)), 50)
                    self.assert_own_view(name, "orders")
        self.assertGreater(len(collected.parsed("slow")), 50)
        self.assert_own_view("slow", "nid0")

    def test_nothing_is_left_in_the_kernel(self):
        self.assertEqual(collected.results["with_pins"], collected.results["after_kills"])
        self.assertGreater(
            len(collected.results["with_pins"]["map"]), len(collected.results["before"]["map"])
        )


if __name__ == "__main__":
    main(__doc__, "concurrency.py", ("--profile", "preempt", "--memory", "1G"), seed=3)
