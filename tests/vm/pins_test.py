#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Pins against pobpf itself (which vm_test.py compares with the kernel), on a real kernel in the VM.

One boot collects all output (guest/pins.py); the tests here compare on the host.
"""

import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import records  # noqa: E402
from collection import collected, main, on_one_kernel  # noqa: E402

STABLE_SHARE_MIN = 0.8
# flags change all the time (vm_test.py)
FLIPPED_SHARE_MAX = 0.01
NODE_VIEWS = ("nid0-stack", "nid1-handle", "nid1-stack_handle")
VIEWS = ["handle", "longest", *NODE_VIEWS]
NOTHING = ("nothing_order", "nothing_comm", "nothing_tgid", "nothing_symbol")


class PinTest(unittest.TestCase):
    def assert_status(self, name: str, status: int) -> None:
        self.assertEqual(collected.status(name), status, collected.err(name))

    def assert_says(self, name: str, status: int, text: str) -> None:
        self.assert_status(name, status)
        self.assertEqual((collected.out(name), collected.err(name)), (b"", f"pobpf: {text}\n"))

    def assert_view(self, name: str, view: str) -> None:
        """Expects that what pobpf printed alike before and after was read in between."""
        self.assert_status(name, 0)
        self.assertEqual(collected.err(name), "")
        before, after, pin = map(collected.parsed, (f"before_{view}", f"after_{view}", name))
        stable = collected.stable(f"before_{view}", f"after_{view}")
        self.assertGreater(len(stable), 1000)
        self.assertGreater(len(stable) / len(before.keys() | after.keys()), STABLE_SHARE_MIN)
        missing = [pfn for pfn in stable if pfn not in pin and before[pfn].comm != records.BOOT_COMM]
        self.assertEqual([before[pfn].text for pfn in missing], [])
        flipped = 0
        for pfn in stable:
            if pfn not in pin or pin[pfn].text in (before[pfn].text, after[pfn].text):
                continue
            flipped += before[pfn].text == after[pfn].text
            self.assertEqual(
                records.without_flags(before[pfn].text).decode(errors="backslashreplace"),
                records.without_flags(pin[pfn].text).decode(errors="backslashreplace"),
            )
        self.assertLess(flipped / len(stable), FLIPPED_SHARE_MAX)
        # in the order of memory, as pobpf has it
        self.assertEqual(list(pin), sorted(pin))
        # Nothing that was there all the while and is not in the view. What is younger may have been
        # allocated behind the place that the first reading had come to.
        newest = max(record.ts for record in collected.parsed("horizon").values())
        strangers = [
            r.text
            for pfn, r in pin.items()
            if r.ts <= newest and pfn not in before and r.comm != records.BOOT_COMM
            and not r.is_migrated
        ]
        self.assertEqual(strangers, [])


class Text(PinTest):
    def test_every_view_is_what_pobpf_prints(self):
        for view in VIEWS:
            with self.subTest(view):
                self.assert_status(f"pin_{view}", 0)
                self.assert_view(f"cat_{view}", view)

    def test_nodes_hold_their_own_pages_only(self):
        for view in NODE_VIEWS:
            nids = {record.nid for record in collected.parsed(f"cat_{view}").values()}
            self.assertEqual(nids, {int(view[len("nid")])})

    def test_ways_of_older_kernels_print_the_same(self):
        for way, loops in (("probe", "bpf_loop"), ("each", "bpf_for_each_map_elem")):
            with self.subTest(way):
                lines = collected.err(f"pin_{way}").splitlines()
                self.assertIn("pobpf: debug: kernel reads: bpf_probe_read_kernel", lines)
                self.assertIn(f"pobpf: debug: loops: {loops}", lines)
                self.assert_view(f"cat_{way}", "nid1-stack_handle")

    def test_every_kind_of_record_was_there(self):
        text = collected.out("cat_nid0-stack") + collected.out("cat_nid1-stack_handle")
        self.assertIn(b"(anon\n\x1b[31mred)", text)
        self.assertIn(b"Page has been migrated, last migrate reason: syscall_or_cpuset\n", text)
        self.assertIn(b" [brd]\n", text)
        self.assertIn(b"\nCharged to memcg /\n", text)
        self.assertIn(b"\nCharged to memcg pobpf child\n", text)
        self.assertIn(b"\nSlab cache page\n", text)
        self.assertIn(b"Charged (via objcg) to memcg pobpf child\n", text)

    def test_records_that_nearly_fill_the_buffer(self):
        self.assert_view("cat_tight", "nid1-stack_handle")

    def test_records_that_no_buffer_holds_show_their_number(self):
        self.assert_status("cat_overlong", 0)
        pin, view = collected.parsed("cat_overlong"), collected.parsed("before_longest")
        numbered = [pfn for pfn in pin if pfn in view and pin[pfn].ts == view[pfn].ts]
        self.assertGreater(len(numbered), 1000)
        for pfn in numbered:
            self.assertEqual(pin[pfn].stack, b"")
            self.assertEqual(pin[pfn].handle, view[pfn].handle)

    def test_a_filter_that_matches_nothing_is_an_empty_file(self):
        for name in NOTHING:
            with self.subTest(name):
                self.assert_status(f"pin_{name}", 0)
                self.assert_status(f"cat_{name}", 0)
                self.assertEqual((collected.out(f"cat_{name}"), collected.err(f"cat_{name}")), (b"", ""))

    def test_the_longest_records_there_can_be(self):
        """Deep stacks, a cgroup whose name is cut, eight flags; read in small pieces as well."""
        self.assert_view("longest_small", "longest")
        longest = max(collected.parsed("cat_longest").values(), key=lambda record: len(record.text))
        self.assertGreater(len(longest.text), 800, longest.text)
        self.assertIn(b" memcg pobpf-" + b"m" * 73 + b"\n", longest.text)
        self.assertGreaterEqual(longest.stack.count(b"\n"), 14)
        self.assertEqual(longest.comm, b"fifteen\nbytes\t!")
        flags = max(
            len(record.fields["flag_names"].split(b"|"))
            for record in collected.parsed("cat_longest").values()
        )
        self.assertGreater(flags, 9)

    def test_small_reads(self):
        self.assert_view("small_reads", "nid1-stack_handle")

    def test_one_file_read_by_two_processes(self):
        self.assert_view("two_processes", "nid1-stack_handle")

    def test_several_at_once_are_each_complete(self):
        for i in range(5):
            with self.subTest(i):
                self.assert_view(f"at_once_{i}", collected.run_of(f"at_once_{i}")["view"])


class Delegation(PinTest):
    def test_a_pin_is_private_at_first(self):
        self.assert_status("nobody_private", 1)
        self.assertIn("Permission denied", collected.err("nobody_private"))

    def test_a_closed_way_is_told(self):
        self.assert_status("pin_given", 0)
        self.assertIn("warning: /sys/fs/bpf is closed to other users", collected.err("pin_given"))
        self.assert_status("nobody_behind_closed_door", 1)

    def test_nobody_reads_that_view_and_nothing_else(self):
        self.assert_view("nobody_given", "given")
        self.assert_status("nobody_group", 0)
        self.assertGreater(len(collected.parsed("nobody_group")), 1000)
        self.assert_status("nobody_pobpf", 3)
        pins = collected.out("pins_given").decode()
        self.assertRegex(pins, r"(?m)^given +nobody:root +400 +stack +--nid 1$")
        self.assertRegex(pins, r"(?m)^group +root:nogroup +440 +handle +all")


class Listing(PinTest):
    def test_pins_are_listed_with_their_parameters(self):
        self.assert_status("pins", 0)
        lines = collected.out("pins").decode().splitlines()
        self.assertRegex(lines[0], r"^NAME +OWNER +PERM +MODE +VIEW$")
        self.assertEqual(len(lines), 1 + len(VIEWS) + 4)
        self.assertTrue(
            any(line.split() == "nid1-handle root:root 600 handle --nid 1".split() for line in lines)
        )
        pins = json.loads(collected.out("pins_json"))
        self.assertEqual(pins["directory"], "/sys/fs/bpf/pobpf")
        by_name = {pin["name"]: pin for pin in pins["pins"]}
        self.assertEqual(by_name["nid0-stack"]["nodes"], "0")
        self.assertIsNone(by_name["handle"]["nodes"])
        self.assertEqual(by_name["nid1-stack_handle"]["mode"], "stack_handle")
        self.assertEqual({pin["kind"] for pin in pins["pins"]}, {"pin"})

    def test_what_is_not_ours_is_told_and_left_alone(self):
        by_name = {pin["name"]: pin for pin in json.loads(collected.out("pins_foreign_json"))["pins"]}
        self.assertEqual(by_name["a_map"]["kind"], "foreign")
        self.assertEqual(by_name["a_map"]["what"], "map")
        self.assertEqual(by_name["a_directory"]["what"], "directory")
        others = [pin for pin in by_name.values() if pin["kind"] == "other_version"]
        self.assertEqual([pin["version"] for pin in others], ["9.9.9"])
        self.assertNotIn("mode", others[0])
        self.assertIn("made by another version, pobpf 9.9.9", collected.out("pins_foreign").decode())
        hint = "remove it with rm if that is what you want"
        self.assert_says("unpin_a_map", 2, f"a_map is not a pin of pobpf but a map: {hint}")
        self.assert_says(
            "unpin_a_directory", 2, f"a_directory is not a pin of pobpf but a directory: {hint}"
        )
        self.assert_says("unpin_nothing", 2, "there is no pin nothing: pobpf pins lists them")
        self.assert_says(
            "replace_a_map", 2, "a_map is not a pin of pobpf but a map: choose another name"
        )


@on_one_kernel
class Names(PinTest):
    def test_bad_names_are_refused(self):
        for i in range(9):
            with self.subTest(i):
                self.assert_status(f"bad_name_{i}", 2)
                self.assertRegex(collected.err(f"bad_name_{i}"), r"\Apobpf: a pin's name must [^\n]*\n\Z")
        self.assert_status("longest_name", 0)

    def test_no_place_for_pins(self):
        for name in ("no_bpffs", "no_parent", "unmounted"):
            with self.subTest(name):
                self.assert_status(name, 1)
                self.assertIn("BPF file system", collected.err(name))
        self.assertIn("mount -t bpf -o mode=755 bpf /sys/fs/bpf", collected.err("unmounted"))
        self.assert_status("pins_unmounted", 0)

    def test_a_failed_pin_leaves_no_directory(self):
        self.assert_says(
            "no_node", 2, "this machine has no memory on node 7: nodes with memory are 0-1"
        )
        self.assertNotIn("other", collected.run_of("no_node")["left_behind"])


@on_one_kernel
class Replacing(PinTest):
    def test_only_when_asked_for(self):
        self.assert_says(
            "taken", 2, "there is a pin changing already: give --replace, or unpin it first"
        )

    def test_there_is_always_one(self):
        for turn in range(6):
            self.assert_status(f"replace_{turn}", 0)
        self.assertEqual(collected.run_of("watched")["missing"], "")
        self.assertEqual({r.nid for r in collected.parsed("cat_changing").values()}, {0})
        names = [pin["name"] for pin in json.loads(collected.out("pins_replaced"))["pins"]]
        self.assertEqual([name for name in names if "~" in name], [])


class Removal(PinTest):
    def test_unpin_removes_what_is_named(self):
        self.assert_status("unpin_stack", 0)
        names = collected.run_of("after_unpin")["names"]
        self.assertNotIn("handle", names)
        self.assertNotIn("nid1-handle", names)
        self.assertIn("nid1-stack_handle", names)

    def test_unpin_all_leaves_what_is_not_ours(self):
        self.assert_status("unpin_all", 0)
        self.assertEqual(collected.run_of("after_unpin_all")["names"], ["a_directory", "a_map"])

    def test_the_directory_goes_with_the_last_pin_and_open_files_stay(self):
        self.assertEqual(collected.run_of("unpinned_while_open"), {"directory": False, "more": True})

    def test_nothing_is_left_in_the_kernel(self):
        for kind, ids in collected.results["during"].items():
            self.assertGreater(len(ids), len(collected.results["before"][kind]) + 10)
        self.assertEqual(collected.results["before"], collected.results["after"])


if __name__ == "__main__":
    main(__doc__, "pins.py")
