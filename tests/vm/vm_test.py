#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""pobpf against the kernel's own debugfs files, on a real kernel in the VM.

One boot collects the output of everything (guest/vm.py); further boots with other boot
arguments or kernels collect how pobpf refuses. The tests here compare on the host.
"""

import functools
import json
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import records  # noqa: E402
import sort_oracle  # noqa: E402
from collection import ACCOUNT_REASONS, collected, main, on_one_kernel, run_vm  # noqa: E402

# The share of records that both readings of debugfs agree on; a guest that is not quiet would make
# the comparison say little.
STABLE_SHARE_MIN = 0.9
# Page flags change all the time: SLUB moves slabs on and off its partial lists (shown as
# `workingset`), pages are referenced. Where both readings show the same flags, they may differ in few
# records; nothing else may differ in any.
FLIPPED_SHARE_MAX = 0.01


@functools.cache
def stable() -> dict[int, records.Record]:
    return collected.stable("debugfs.1", "debugfs.2")


@functools.cache
def marker_ts() -> int:
    """When the first reading of debugfs had not begun yet."""
    return max(r.ts for r in collected.parsed("debugfs.1").values() if r.comm == b"pobpf_marker")


def comparable(record: records.Record, *absent: str) -> bytes:
    """The text that must be identical, but for parts of the first line (comm, tgid)."""
    text = record.without(*absent)
    return text if collected.has_sound_debugfs_memcg else records.MEMCG_LINE.sub(b"", text)


def with_handle(record: records.Record, handle: int, keep_stack: bool) -> bytes:
    """The text of a mode=stack record in another mode, made from the kernel's own lines."""
    text = comparable(record)
    stack = record.stack
    assert stack and text.count(stack) == 1
    line = f"handle: {handle}\n".encode()
    return text.replace(stack, (stack if keep_stack else b"") + line)


def json_lines(name: str) -> list[dict]:
    return [json.loads(line) for line in collected.out(name).splitlines()]


@functools.cache
def report(recording: str, *arguments: str) -> str:
    """Shows on the host a snapshot of the guest; returns the name of that view."""
    assert collected.status(recording) == 0, collected.err(recording)
    name = "-".join(("report", recording, *(a.strip("-") for a in arguments)))
    with (
        open(collected.directory / f"{name}.out", "wb") as view,
        open(collected.directory / f"{name}.err", "wb") as errors,
    ):
        status = subprocess.run(
            [str(collected.build / "pobpf"), "report"]
            + [str(collected.directory / f"{recording}.pobpf"), *arguments],
            stdout=view, stderr=errors, check=False,
        ).returncode
    collected.results["runs"][name] = {"status": status}
    return name


class ViewTest(unittest.TestCase):
    """Against debugfs page_owner of this very kernel."""

    def assert_view(self, name: str, nodes: set[int], text_of=comparable) -> None:
        """The view holds exactly the stable records of these nodes, text and all, and nothing else
        that was allocated before the first reading."""
        self.assertEqual(collected.status(name), 0, collected.err(name))
        view = collected.parsed(name)
        wanted = {pfn: r for pfn, r in stable().items() if r.nid in nodes}
        self.assertGreater(len(wanted), 1000)
        missing = [hex(pfn) for pfn in wanted if pfn not in view]
        self.assertEqual(missing, [], f"{name}: records of the kernel's that pobpf lacks")
        flipped = 0
        for pfn, record in wanted.items():
            theirs, ours = text_of(record), comparable(view[pfn])
            if theirs != ours and text_of(collected.parsed("debugfs.2")[pfn]) != ours:
                flipped += record.text == collected.parsed("debugfs.2")[pfn].text
                theirs, ours = records.steady(theirs), records.steady(ours)
                self.assertEqual(
                    theirs.decode(errors="backslashreplace"), ours.decode(errors="backslashreplace")
                )
        self.assertLess(flipped / len(wanted), FLIPPED_SHARE_MAX)
        known = collected.parsed("debugfs.1").keys()
        unexplained = [
            r.text
            for pfn, r in view.items()
            if pfn not in known and r.ts <= marker_ts() and not r.is_migrated
        ]
        self.assertEqual(unexplained, [], f"{name}: records that the kernel does not have")
        foreign = [r.text for r in view.values() if r.nid not in nodes]
        self.assertEqual(foreign, [], f"{name}: records of other nodes")


class Oracle(ViewTest):
    """Tests what pobpf prints in the guest."""

    def test_the_guest_was_quiet_enough_to_compare(self):
        union = collected.parsed("debugfs.1").keys() | collected.parsed("debugfs.2").keys()
        self.assertGreater(len(stable()) / len(union), STABLE_SHARE_MIN)

    def test_stack_mode_is_byte_identical(self):
        self.assert_view("stack", {0, 1})

    def test_each_node_alone(self):
        self.assert_view("nid_0", {0})
        self.assert_view("nid_1", {1})

    @on_one_kernel
    def test_all_nodes_are_asked_for_in_two_ways(self):
        self.assert_view("nid_0-1", {0, 1})
        self.assert_view("nid_empty", {0, 1})

    def test_modes_differ_from_the_kernels_text_in_the_stack_only(self):
        handles = {pfn: r.handle for pfn, r in collected.parsed("stack_handle").items()}
        views = {"handle": {0, 1}, "nid_0_handle": {0}, "nid_1_handle": {1}}
        if collected.is_whole:
            views["handles"] = {0, 1}
        for name, nodes in views.items():
            self.assert_view(
                name, nodes, lambda record: with_handle(record, handles[record.pfn], False)
            )
        self.assert_view(
            "stack_handle", {0, 1}, lambda r: with_handle(r, handles[r.pfn], True)
        )

    def test_one_handle_is_one_stack(self):
        stacks: dict[int, bytes] = {}
        for record in collected.parsed("stack_handle").values():
            self.assertEqual(stacks.setdefault(record.handle, record.stack), record.stack)

    def test_fallbacks_print_the_same(self):
        for name in (
            "probe_read", "bpf_loop", "for_each", "ksym_iterator", "proc_kallsyms", "section_macros",
            "format_strings", "kptr_1", "kptr_2",
        ):
            with self.subTest(name):
                self.assert_view(name, {1})

    def test_fallbacks_are_taken(self):
        probe = {"kernel reads": "bpf_probe_read_kernel"}
        for name, said in {
            "probe_read": {**probe, "loops": "bpf_loop"},
            "bpf_loop": {"loops": "bpf_loop"},
            "for_each": {**probe, "loops": "bpf_for_each_map_elem"},
            "record_nid_1_probe_read": {**probe, "loops": "bpf_loop"},
            "record_nid_1_bpf_loop": {"loops": "bpf_loop"},
            "record_nid_1_for_each": {**probe, "loops": "bpf_for_each_map_elem"},
            "ksym_iterator": {"symbols found through": "ksym iterator"},
            "proc_kallsyms": {"symbols found through": "/proc/kallsyms"},
        }.items():
            with self.subTest(name):
                lines = collected.err(name).splitlines()
                for what, way in said.items():
                    self.assertIn(f"pobpf: debug: {what}: {way}", lines)
        self.assertIn("(from the kernel's format strings)", collected.err("format_strings"))
        self.assertIn("text: not looked for", collected.err("sums_without_text"))

    def test_what_a_kernel_does_not_record_is_absent(self):
        for name in ("no_tasks", "no_tasks_cat", report("record_nid_1_no_tasks")):
            with self.subTest(name):
                self.assert_view(name, {1}, lambda record: record.before_v518)
        for name in ("no_comm", "no_tgid"):
            for output in (name, f"{name}_cat"):
                with self.subTest(output):
                    self.assert_view(
                        output, {1}, lambda record, part=name[3:]: comparable(record, part)
                    )
        for name, absent in {
            "no_tasks_json": {"comm", "tgid"},
            "no_comm_json": {"comm"},
            "no_tgid_json": {"tgid"},
        }.items():
            for line in json_lines(name):
                self.assertEqual({"comm", "tgid", "pid"} - line.keys(), absent)

    def test_what_a_kernel_does_not_record_is_refused(self):
        for name, words in {
            "no_tasks_comm": "--comm does not work here, as this kernel's page_owner does not "
            "record the task name: leave it out",
            "no_tasks_dead": "--dead does not work here, as this kernel's page_owner does not "
            "record the tgid: leave it out",
            "no_tasks_by": "this kernel's page_owner does not record what is summed up by: "
            "task name: choose other fields with --by",
        }.items():
            with self.subTest(name):
                self.assertEqual(collected.status(name), 3)
                self.assertEqual(collected.err(name), f"pobpf: {words}\n")

    def test_hidden_addresses_are_refused_where_nothing_else_tells_them(self):
        hidden = "/proc/kallsyms hides the kernel's addresses from this process"
        name = "proc_kallsyms_kptr_2"
        self.assertEqual(collected.status(name), 3, collected.err(name))
        self.assertIn(hidden, collected.err(name))
        self.assertEqual(collected.status(f"check_{name}"), 3)
        self.assertIn(
            f"FAIL  kptr_restrict: {hidden}", collected.out(f"check_{name}").decode()
        )

    def test_only_the_text_is_refused_where_it_is_not_known(self):
        self.assertEqual(collected.status("unknown_layout"), 3)
        self.assertEqual(collected.out("unknown_layout"), b"")
        self.assertIn(
            "how the kernel prints records is not known", collected.err("unknown_layout")
        )
        name = "unknown_layout_json"
        self.assertEqual(collected.status(name), 0, collected.err(name))
        self.assertGreater(len(json_lines(name)), 1000)

    def test_two_capabilities_and_no_user_id_are_enough(self):
        self.assert_view("least_privilege", {1})
        self.assert_view("three_capabilities", {1})

    @on_one_kernel
    def test_capabilities_are_given_up_once_they_are_not_needed(self):
        chown, dac_override, dac_read_search, fowner = (1 << n for n in range(4))
        perfmon, bpf = 1 << 38, 1 << 39
        of_files = chown | dac_override | dac_read_search | fowner
        for name, kept in {
            "pages": 0, "record": 0, "stacks": 0, "top_watch": bpf | perfmon, "root": of_files,
        }.items():
            with self.subTest(name):
                held = collected.run_of(f"held_{name}")
                self.assertTrue(held["has_printed"])
                for row in ("CapPrm", "CapEff"):
                    self.assertEqual(int(held["lines"][row], 16), kept, row)
                for row in ("CapInh", "CapAmb"):
                    self.assertEqual(int(held["lines"][row], 16), 0, row)
                self.assertEqual(held["lines"]["NoNewPrivs"], "1")

    @on_one_kernel
    def test_output_file_holds_the_same(self):
        self.assertEqual(collected.status("to_file"), 0, collected.err("to_file"))
        self.assertEqual(collected.out("to_file"), b"")
        self.assertGreater(len(collected.parsed("to_file_text")), 1000)

    def test_every_kind_of_record_was_there(self):
        """A comparison says nothing of a kind of record that the workload did not make."""
        text = b"\n".join(r.text for r in stable().values())
        comms = {r.comm for r in stable().values()}
        self.assertIn(b"anon\n\x1b[31mred", comms)
        self.assertTrue(any(r.order == 9 and r.comm == b"thp" for r in stable().values()), "THP")
        self.assertTrue(
            any(r.order == 9 and b"hugetlb" in r.stack for r in stable().values()), "hugetlb"
        )
        self.assertTrue(any(0 < r.order < 9 for r in stable().values()), "high orders")
        self.assertIn(b" [brd]\n", text)
        self.assertIn(b"Page has been migrated, last migrate reason: syscall_or_cpuset\n", text)
        # a page flag until 6.10, then a page type that the text does not show
        self.assertRegex(text, rb"[(|]slab[|]" if collected.kernel == "6.1" else rb"kmem_cache_alloc")
        if "cma" in collected.results["made"]:
            self.assertTrue(any(r.fields["block_type"] == b"CMA" for r in stable().values()))
        if collected.has_sound_debugfs_memcg:
            self.assertIn(b"\nCharged to memcg /\n", text)
            self.assertIn(b"\nCharged to memcg pobpf child\n", text)
            self.assertIn(b"\nCharged (via objcg) to memcg pobpf child\n", text)
            if collected.series("has_offline_memcg_pages", True):
                self.assertIn(b"\nCharged to offline memcg pobpf_gone\n", text)
            self.assertIn(b"\nSlab cache page\n", text)
        else:
            self.assertIn(b"\nCharged to memcg /\n", collected.out("stack"))


class PageOwnerSort(unittest.TestCase):
    """The real tool's groups of the kernel's own text, and those of that text imported."""

    def test_same_groups(self):
        """Only for records whose task names it can read."""
        text = b"".join(
            record.text + b"\n"
            for record in collected.parsed("debugfs.1").values()
            if re.fullmatch(rb"[\w/:. -]+", record.comm)
        )
        path = collected.directory / "sort.txt"
        path.write_bytes(text)
        snapshot = collected.directory / "sort.pobpf"
        pobpf = str(collected.build / "pobpf")
        sort_oracle.import_text(pobpf, path, snapshot)
        tool = sort_oracle.tool_of(collected.kernel)
        for cull in sort_oracle.CULLS:
            with self.subTest(cull):
                ours = sort_oracle.culled_by_pobpf(pobpf, snapshot, cull)
                self.assertGreater(len(ours), 3)
                self.assertEqual(sort_oracle.culled_by_tool(tool, path, cull), ours)


class Snapshots(ViewTest):
    """Tests what `pobpf record` wrote in the guest, as `pobpf report` shows it on the host."""

    def test_the_text_is_byte_identical(self):
        for recording, nodes in (
            ("record", {0, 1}),
            ("record_free", {0, 1}),
            ("record_nid_1_probe_read", {1}),
            ("record_nid_1_bpf_loop", {1}),
            ("record_nid_1_for_each", {1}),
        ):
            with self.subTest(recording):
                self.assert_view(report(recording), nodes)

    def test_modes_differ_in_the_stack_only(self):
        handles = {pfn: r.handle for pfn, r in collected.parsed("stack_handle").items()}
        for mode in ("handle", "stack_handle"):
            self.assert_view(
                report("record", "--mode", mode), {0, 1},
                lambda r, has_stack=mode == "stack_handle": with_handle(
                    r, handles[r.pfn], has_stack
                ),
            )

    def test_json_and_text_are_of_the_same_pages(self):
        pfns = [o["pfn"] for o in json_lines(report("record", "--format", "json"))]
        self.assertEqual(pfns, list(collected.parsed(report("record"))))

    def test_the_account_is_that_of_the_recording(self):
        name = report("record", "--stats")
        self.assertEqual(Account.table(collected.err(name)), Account.table(collected.err("record")))


class Account(unittest.TestCase):
    """Every page has a reason."""

    def account(self, name: str) -> dict:
        lines = [line for line in collected.err(name).splitlines() if line.startswith("{")]
        return json.loads(lines[-1])["stats"] if lines else self.table(collected.err(name))

    @staticmethod
    def table(text: str) -> dict:
        rows = {}
        for line in text.splitlines():
            words = line.split()
            if len(words) >= 2 and words[1].isdigit():
                rows[words[0]] = int(words[1])
        return rows

    def assert_balanced(self, name: str) -> dict:
        account = self.account(name)
        self.assertEqual(account["pages"], sum(account[reason] for reason in ACCOUNT_REASONS))
        return account

    def test_pages_add_up_and_records_are_counted(self):
        for name in ("stack", "nid_0", "nid_1", *(("nid_0-1",) if collected.is_whole else ())):
            with self.subTest(name):
                account = self.assert_balanced(name)
                self.assertEqual(account["emitted"], len(collected.parsed(name)))
                self.assertEqual(account["torn"], 0)
                self.assertEqual(account["errors"], 0)

    def test_a_node_alone_reads_only_its_own_ranges(self):
        both = self.account("stack")["pages"]
        for name in ("nid_0", "nid_1"):
            self.assertLess(self.account(name)["pages"], 0.6 * both)

    def test_all_memory_is_covered(self):
        account = self.account("stack")
        # 1 GiB of memory, less what firmware keeps
        self.assertGreater(account["pages"], 250_000)


class PageOwnerFilter(unittest.TestCase):
    """tools/mm/page_owner_filter of the kernel source, where the kernel serves it."""

    def test_every_mode_and_node(self):
        if not (collected.directory / "filter_stack_0.out").exists():
            # a kernel older than the tool: known, listed, and no part of what this one must show
            self.assertFalse(collected.series("has_page_owner_filter", False))
            return
        agreed = collected.stable("debugfs.2", "debugfs.3").keys() & stable().keys()
        for name, view in (
            ("filter_stack_0", "nid_0"),
            ("filter_stack_1", "nid_1"),
            ("filter_handle_0", "nid_0_handle"),
            ("filter_handle_1", "nid_1_handle"),
            ("filter_stack_handle_0-1", "stack_handle"),
        ):
            with self.subTest(name):
                self.assertEqual(collected.status(name), 0, collected.err(name))
                theirs, ours = collected.parsed(name), collected.parsed(view)
                same = [pfn for pfn in theirs if pfn in agreed]
                self.assertGreater(len(same), 1000)
                for pfn in same:
                    self.assertEqual(
                        records.without_flags(theirs[pfn].text),
                        records.without_flags(ours[pfn].text),
                    )
                self.assertEqual([hex(p) for p in ours if p in agreed and p not in theirs], [])


class Json(unittest.TestCase):
    def test_of_a_recording(self):
        self.assert_says_what_the_text_says(report("record", "--format", "json"))

    @on_one_kernel
    def test_of_live_pages(self):
        self.assert_says_what_the_text_says("json")

    def assert_says_what_the_text_says(self, name: str) -> None:
        self.assertEqual(collected.status(name), 0, collected.err(name))
        objects = {o["pfn"]: o for o in json_lines(name)}
        self.assertEqual(len(objects), len(json_lines(name)))
        flipped = 0
        for pfn, record in stable().items():
            got, fields = objects[pfn], record.fields
            self.assertEqual(got["order"], record.order)
            self.assertEqual(got["nr_pages"], 1 << record.order)
            self.assertEqual(got["gfp_mask"], int(fields["mask"], 16))
            names = fields["gfp"].decode()
            self.assertEqual("|".join(got["gfp_flags"]), names)
            self.assertEqual(got["pid"], int(fields["pid"]))
            self.assertEqual(got["tgid"], int(fields["tgid"]))
            self.assertEqual(got["comm"].encode(), record.comm)
            self.assertEqual(got["ts_nsec"], record.ts)
            self.assertEqual(got["migratetype"], fields["type"].decode())
            self.assertEqual(got["pageblock"], int(fields["block"]))
            self.assertEqual(got["pageblock_migratetype"], fields["block_type"].decode())
            if record.text == collected.parsed("debugfs.2")[pfn].text:
                flipped += int(got["flags"], 16) != int(fields["flags"], 16)
            self.assertEqual(got["nid"], record.nid)
            stack = "".join(f" {frame['symbol']}\n" for frame in got["stack"])
            self.assertEqual(stack.encode(), record.stack)
        self.assertLess(flipped / len(stable()), FLIPPED_SHARE_MAX)


class Stacks(unittest.TestCase):
    def sums(self, name: str) -> dict[int, dict]:
        return {o["handle"]: o for o in json_lines(name)}

    def test_sums_are_those_of_the_listing(self):
        """Only for stacks whose pages did not change between the readings of the kernel's file."""
        pages: dict[int, int] = {}
        settled: dict[int, bool] = {}
        for pfn, record in collected.parsed("stack_handle").items():
            pages[record.handle] = pages.get(record.handle, 0) + (1 << record.order)
            settled[record.handle] = settled.get(record.handle, True) and pfn in stable()
        # a stack is only settled if no page of it came or went: same total in the kernel's readings
        sums = self.sums("stacks_json")
        checked = [h for h in pages if settled[h] and self.same_in_both_readings(h)]
        self.assertGreater(len(checked), 50)
        different = {
            h: (sums[h]["nr_base_pages"], pages[h])
            for h in checked
            if sums[h]["nr_base_pages"] != pages[h]
        }
        # what pobpf itself allocates while it runs comes and goes between the readings;
        # isolation_test.cpp compares sums and listing of one moment
        self.assertLess(len(different) / len(checked), 0.05, different)

    @functools.cache
    def stack_totals(self, name: str) -> dict[bytes, int]:
        totals: dict[bytes, int] = {}
        for record in collected.parsed(name).values():
            totals[record.stack] = totals.get(record.stack, 0) + (1 << record.order)
        return totals

    @functools.cache
    def stack_of(self) -> dict[int, bytes]:
        return {r.handle: r.stack for r in collected.parsed("stack_handle").values()}

    def same_in_both_readings(self, handle: int) -> bool:
        stack = self.stack_of()[handle]
        return self.stack_totals("debugfs.1").get(stack) == self.stack_totals("debugfs.2").get(
            stack
        )

    def test_sorted_by_pages(self):
        totals = [o["nr_base_pages"] for o in json_lines("stacks_json")]
        self.assertEqual(totals, sorted(totals, reverse=True))
        self.assertGreater(len(totals), 50)

    def test_text_and_json_are_the_same_list(self):
        text = records.parse_stacks(collected.out("stacks"), b"nr_base_pages")
        self.assertGreater(len(text), 50)
        listed = json_lines("stacks_json")
        stable_text = {
            "".join(f" {frame['symbol']}\n" for frame in o["stack"]).encode() for o in listed
        }
        self.assertGreater(len(stable_text & text.keys()) / len(text), 0.95)

    def test_node_sums_are_smaller(self):
        one = self.sums("stacks_nid_1")
        self.assertGreater(len(one), 10)
        everywhere = self.sums("stacks_json")
        larger = [
            handle
            for handle, o in one.items()
            if o["nr_base_pages"] > everywhere.get(handle, {"nr_base_pages": 0})["nr_base_pages"]
        ]
        # the two runs are seconds apart; isolation_test.cpp adds nodes up at one moment
        self.assertLess(len(larger) / len(one), 0.05, larger)
        total = sum(o["nr_base_pages"] for o in one.values())
        self.assertLess(total, sum(o["nr_base_pages"] for o in everywhere.values()))

    def test_against_show_stacks(self):
        """The kernel counts base pages as they come and go, from when page_owner started; pages of
        early boot are in the records only. Stacks with the same number in both of its readings
        must have it here too, unless early pages or a migration moved pages between stacks."""
        if not (collected.directory / "show_stacks.1.out").exists():
            self.assertFalse(collected.series("has_show_stacks", False))
            return
        first = records.parse_stacks(collected.out("show_stacks.1"), b"nr_base_pages")
        second = records.parse_stacks(collected.out("show_stacks.2"), b"nr_base_pages")
        ours = records.parse_stacks(collected.out("stacks"), b"nr_base_pages")
        steady = {s: n for s, n in first.items() if second.get(s) == n and s}
        self.assertGreater(len(steady), 50)
        different = {s: (n, ours.get(s)) for s, n in steady.items() if ours.get(s) != n}
        self.assertLess(len(different) / len(steady), 0.1, different)

    def test_handles_are_the_kernels(self):
        if not (collected.directory / "show_stacks_handles.out").exists():
            self.assertFalse(
                collected.series("has_show_stacks_handles", False)
            )
            return
        theirs: dict[int, bytes] = {}
        for piece in collected.out("show_stacks_handles").split(b"\n\n"):
            lines = piece.split(b"\n")
            handle = [line for line in lines if line.startswith(b"handle: ")]
            if handle:
                stack = b"".join(line + b"\n" for line in lines if line.startswith(b" "))
                theirs[int(handle[0].split()[1])] = stack
        ours = {
            o["handle"]: "".join(f" {f['symbol']}\n" for f in o["stack"]).encode()
            for o in json_lines("stacks_json")
        }
        shared = ours.keys() & theirs.keys()
        self.assertGreater(len(shared), 50)
        for handle in shared:
            self.assertEqual(ours[handle], theirs[handle])


class Isolation(unittest.TestCase):
    def test_two_links_of_one_object_keep_their_views(self):
        self.assertEqual(
            collected.status("isolation"), 0,
            collected.out("isolation").decode() + collected.err("isolation"),
        )
        self.assertIn(b"[  PASSED  ]", collected.out("isolation"))
        self.assertNotIn(b"SKIPPED", collected.out("isolation"))


class Churn(unittest.TestCase):
    """Memory that changes under the walk: nothing impossible, nothing unaccounted for."""

    def test_records_stay_possible(self):
        seen = 0
        for turn in range(3):
            name = f"churn_{turn}"
            self.assertIn(collected.status(name), (0, 4), collected.err(name))
            for record in collected.parsed(name).values():
                self.assertEqual(record.pfn % (1 << record.order), 0)
                self.assertLess(record.order, 19)
                self.assertIsNotNone(record.handle)
                # early in boot the clock stands at 0
                self.assertTrue(record.ts > 0 or record.fields["pid"] == b"0", record.text)
                seen += 1
        self.assertGreater(seen, 10_000)

    def test_accounts_balance_and_incomplete_runs_say_so(self):
        for turn in range(3):
            name = f"churn_{turn}"
            account = Account("assert_balanced").assert_balanced(name)
            lost = account["torn"] + account["errors"] + account["cgroup_errors"]
            self.assertEqual(collected.status(name), 4 if lost else 0, collected.err(name))

    def test_memory_went_offline_and_online_meanwhile(self):
        self.assertGreater(collected.run_of("churn")["toggled"], 2, collected.run_of("churn"))

    def test_an_offline_block_is_counted_as_such(self):
        self.assertIn("offline_block", list(collected.results["runs"]))
        account = Account("assert_balanced").assert_balanced("offline_block")
        self.assertGreaterEqual(account["offline"] + account["absent"] + account["outside"], 32768)


class Check(unittest.TestCase):
    def test_passes_here(self):
        for name in ("check", "check_kptr_2", "check_json"):
            self.assertEqual(collected.status(name), 0, collected.out(name).decode())
        json.loads(collected.out("check_json"))


@on_one_kernel
class BadPlaces(unittest.TestCase):
    """One clear sentence, the documented status, nothing on stdout."""

    def assert_refused(self, name: str, status: int, *words: str) -> None:
        self.assertEqual(collected.status(name), status, collected.err(name))
        self.assertEqual(collected.out(name), b"", name)
        lines = collected.err(name).strip().splitlines()
        self.assertEqual(len(lines), 1, collected.err(name))
        for word in words:
            self.assertIn(word, lines[0])

    def test_nodes_that_do_not_exist(self):
        self.assert_refused("nid_7", 2, "7", "0-1")
        self.assert_refused("nid_0_7", 2, "7", "0-1")

    def test_nodelists_that_are_none(self):
        self.assert_refused("nid_bad", 2, "0-")
        self.assert_refused("nid_abc", 2, "abc")

    def test_missing_privileges_are_named(self):
        self.assert_refused("unprivileged", 3, "CAP_BPF", "CAP_PERFMON")
        self.assert_refused("bpf_only", 3, "CAP_PERFMON")
        self.assertNotIn("CAP_BPF", collected.err("bpf_only"))
        self.assert_refused("perfmon_only", 3, "no CAP_BPF")
        self.assertNotIn("no CAP_PERFMON", collected.err("perfmon_only"))

    def test_check_fails_without_privileges(self):
        self.assertEqual(collected.status("unprivileged_check"), 3)
        self.assertIn(b"CAP_PERFMON", collected.out("unprivileged_check"))

    def test_a_reader_that_leaves_is_no_failure(self):
        self.assertEqual(collected.status("head"), 0, collected.err("head"))
        self.assertEqual(collected.err("head"), "")
        self.assertTrue(collected.out("head").startswith(b"Page allocated via order "))

    def test_a_full_disk_is_a_failure_and_leaves_no_file(self):
        self.assert_refused("disk_full", 1, "No space left on device")
        self.assertEqual(collected.run_of("disk_full")["left_behind"], [])
        self.assert_refused("dev_full", 1, "No space left on device")

    def test_ctrl_c_ends_at_once(self):
        self.assertEqual(collected.status("interrupted"), -2)
        # milliseconds on a machine; this one is emulated and may share its host with other work
        self.assertLess(collected.run_of("interrupted")["seconds"], 3)


class OtherBoots(unittest.TestCase):
    """The same kernel with other boot arguments, and kernels built without what pobpf needs. That of
    full preemption is concurrency_test.py's."""

    def boot(self, *arguments: str, command: tuple[str, ...]) -> subprocess.CompletedProcess:
        small = ("--memory", "512M", "--cpus", "1")
        return run_vm(
            collected.kernel, collected.directory, *small, *arguments, "--", *command, timeout=300
        )

    def pobpf(self, *arguments: str, command: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
        return self.boot(*arguments, command=(str(collected.build / "static" / "pobpf"), *command))

    def assert_cannot(self, result: subprocess.CompletedProcess, *words: str) -> None:
        message = result.stderr.decode(errors="replace")
        self.assertEqual(result.returncode, 3, message)
        self.assertEqual(result.stdout, b"")
        self.assertEqual(len(message.strip().splitlines()), 1, message)
        for word in words:
            self.assertIn(word, message)

    @on_one_kernel
    def test_without_page_owner_on(self):
        self.assert_cannot(self.pobpf("--profile", "no-page-owner"), "page_owner=on")

    @on_one_kernel
    def test_without_a_stack_depot(self):
        self.assert_cannot(self.pobpf("--profile", "depot-off"), "stack_depot_disable")

    def test_lockdown_integrity_and_a_second_page_ext_client_are_fine(self):
        """Two boots in one: neither changes what the other is about."""
        result = self.pobpf(
            "--profile", "page-table-check", "--append", "lockdown=integrity", command=("--handles",)
        )
        self.assertEqual(result.returncode, 0, result.stderr.decode(errors="replace"))
        self.assertGreater(len(records.parse(result.stdout)), 1000)

    @on_one_kernel
    def test_lockdown_confidentiality_cannot(self):
        self.assert_cannot(self.pobpf("--profile", "confidentiality"), "confidentiality")

    @on_one_kernel
    def test_a_kernel_built_without(self):
        # what pobpf says, then what it checks
        script = '"$0"; echo "status $?"; "$0" check; echo "status $?"'
        pobpf = str(collected.build / "static" / "pobpf")
        result = self.boot("--flavour", "bare", command=("sh", "-c", script, pobpf))
        said, checked, end = result.stdout.decode().split("status 3\n")
        self.assertEqual((said, end), ("", ""))
        message = result.stderr.decode()
        self.assertEqual(len(message.splitlines()), 1, message)
        for word in ("CONFIG_PAGE_OWNER", "page_owner=on"):
            self.assertIn(word, message)
        failed = [line for line in checked.splitlines() if "OK" not in line.split()]
        for option in ("CONFIG_PAGE_OWNER", "CONFIG_KALLSYMS_ALL"):
            self.assertTrue(any(option in line for line in failed), checked)


if __name__ == "__main__":
    # enough of the movable zone for blocks that can be taken offline
    main(__doc__, "vm.py", ("--memory", "1G", "--append", "movablecore=60%"))
