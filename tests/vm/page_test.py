#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""pobpf page against the kernel's own files, on a real kernel in the VM.

One boot collects everything (guest/page.py). Oracles: debugfs page_owner for allocations,
/proc/kpageflags, kpagecount and kpagecgroup for the page, pagemap for addresses; for the last free,
which no file shows, a process that frees its own pages.
"""

import functools
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import records  # noqa: E402
from collection import collected, main, on_one_kernel  # noqa: E402


# include/uapi/linux/kernel-page-flags.h
KPF_BY_FLAG = {
    "locked": 0,
    "referenced": 2,
    "uptodate": 3,
    "dirty": 4,
    "lru": 5,
    "active": 6,
    "writeback": 8,
    "swapbacked": 14,
    "unevictable": 18,
    "reserved": 32,
    "mlocked": 33,
    "mappedtodisk": 34,  # before v6.12
    "owner_2": 34,
    "private": 35,
}
KPF_SLAB, KPF_BUDDY, KPF_ANON = 7, 10, 12
KPF_COMPOUND_HEAD, KPF_COMPOUND_TAIL, KPF_HUGE, KPF_PGTABLE = 15, 16, 17, 26


def facts() -> dict:
    return collected.results["facts"]


@functools.cache
def reports(name: str) -> list[dict]:
    text = (collected.directory / f"{name}.jsonl").read_bytes()
    return [json.loads(line) for line in text.splitlines()]


def symbols(stack: list[dict]) -> list[str]:
    return [frame["symbol"] for frame in stack]


def functions(stack: list[dict]) -> str:
    return " ".join(frame["symbol"].split("+")[0] for frame in stack)


class AgainstDebugfs(unittest.TestCase):
    """Allocations that both readings of the kernel's own file show alike."""

    def steady(self) -> list[tuple[records.Record, dict]]:
        stable = collected.stable("debugfs.1", "debugfs.2")
        return [(stable[r["pfn"]], r) for r in reports("owned") if r["pfn"] in stable]

    def test_every_field_of_the_record(self):
        steady = self.steady()
        self.assertGreater(len(steady), 0.9 * len(reports("owned")))
        for theirs, ours in steady:
            with self.subTest(hex(theirs.pfn)):
                self.assertEqual(ours["state"], "allocated")
                self.assertFalse(ours["changed"])
                owner, fields = ours["allocation"], theirs.fields
                self.assertEqual(owner["order"], theirs.order)
                self.assertEqual(owner["gfp_mask"], int(fields["mask"], 16))
                self.assertEqual("|".join(owner["gfp_flags"]), fields["gfp"].decode())
                self.assertEqual(owner["pid"], int(fields["pid"]))
                self.assertEqual(owner["tgid"], int(fields["tgid"]))
                self.assertEqual(owner["comm"], theirs.comm.decode(errors="replace"))
                self.assertEqual(owner["ts_nsec"], theirs.ts)
                self.assertEqual(owner["migratetype"], fields["type"].decode())
                self.assertEqual(ours["pageblock"], int(fields["block"]))
                self.assertEqual(ours["pageblock_migratetype"], fields["block_type"].decode())
                self.assertEqual(ours["nid"], theirs.nid)
                stack = "".join(f" {symbol}\n" for symbol in symbols(owner["stack"]))
                self.assertEqual(stack.encode(), theirs.stack)
                if fields["free_ts"] is not None and ours["free"]:
                    self.assertEqual(ours["free"]["ts_nsec"], int(fields["free_ts"]))
                if owner["last_migrate_reason"]:
                    self.assertIn(owner["last_migrate_reason"].encode(), theirs.rest)

    def test_every_kind_is_in_the_sample(self):
        kinds = {report["kind"] for report in reports("owned") + reports("blocks")}
        self.assertLessEqual({"anonymous", "file", "slab", "table", "kernel", "free"}, kinds)
        states = {report["state"] for report in reports("blocks")}
        self.assertLessEqual({"allocated", "tail", "free"}, states)
        self.assertTrue(any(report["memcg"] for report in reports("owned")))

    def test_slab_pages_name_their_cache(self):
        slabs = [report for report in reports("owned") if report["kind"] == "slab"]
        self.assertGreater(len(slabs), 10)
        names = {report["slab_cache"] for report in slabs}
        self.assertTrue(any(name and name.startswith("kmalloc-") for name in names), names)


class AgainstProc(unittest.TestCase):
    """Words of /proc/kpage* that are the same before and after."""

    def steady(self, word: str):
        for name in ("owned", "blocks"):
            sample = facts()[f"sample_{name}"]
            self.assertEqual(sample["result"]["status"], 0, sample["result"]["err"])
            ours = reports(name)
            self.assertEqual([report["pfn"] for report in ours], sample["pfns"])
            yield from (
                (report, before)
                for report, before, after in zip(ours, sample[f"{word}.1"], sample[f"{word}.2"])
                if before == after
                and not report["changed"]
                and not self.is_fresh(report, sample["elapsed_ns"])
            )

    @staticmethod
    def is_fresh(report: dict, elapsed_ns: int) -> bool:
        """Allocated or freed since the first reading: most of it by pobpf itself, which ends before
        the second one."""
        ages = [(report.get(side) or {}).get("age_nsec") for side in ("allocation", "free")]
        return any(age is not None and age < elapsed_ns for age in ages)

    def assert_few(self, wrong: list, total: int) -> None:
        """A page may have changed twice between the three readings; a wrong rule shows in more."""
        self.assertGreater(total, 5000)
        self.assertLess(len(wrong), 0.002 * total, wrong[:5])

    def test_flags(self):
        wrong, total = [], 0
        for report, word in self.steady("kpageflags"):
            total += 1
            flags = report["page_flags"]
            # from some version on the kernel shows the flags of the whole in each page
            if report["compound"] and collected.kernel != "6.1":
                flags = report["compound"]["page_flags"]
            expected = {bit for bit in KPF_BY_FLAG.values() if word >> bit & 1}
            if expected != {KPF_BY_FLAG[name] for name in flags if name in KPF_BY_FLAG}:
                wrong.append((report["pfn"], hex(word), flags))
        self.assert_few(wrong, total)

    def test_kinds_and_compound_pages(self):
        wrong, total = [], 0
        for report, word in self.steady("kpageflags"):
            total += 1
            compound = report["compound"]
            is_tail = compound is not None and compound["pfn"] != report["pfn"]
            said = {
                KPF_SLAB: report["kind"] == "slab",
                KPF_PGTABLE: report["kind"] == "table",
                KPF_HUGE: report["kind"] == "hugetlb",
                KPF_COMPOUND_TAIL: is_tail,
                KPF_COMPOUND_HEAD: compound is not None and not is_tail,
            }
            # what lies in a per-CPU list for the moment is not there before and after
            if report["state"] != "freed":
                said[KPF_BUDDY] = report["state"] == "free"
            if report["kind"] != "hugetlb":
                said[KPF_ANON] = report["kind"] in ("anonymous", "ksm")
            if any(word >> bit & 1 != value for bit, value in said.items()):
                wrong.append((report["pfn"], hex(word), report["kind"], report["state"], compound))
        self.assert_few(wrong, total)

    def test_mapcounts(self):
        pairs = list(self.steady("kpagecount"))
        wrong = [
            (r["pfn"], r["kind"], r["mapcount"], n)
            for r, n in pairs
            if r["mapcount"] != n + (1 if self.is_mapped_by_pobpf(r) and r["mapcount"] > n else 0)
        ]
        self.assert_few(wrong, len(pairs))
        self.assertGreater(sum(n > 1 for _, n in pairs), 10)

    @staticmethod
    def is_mapped_by_pobpf(report: dict) -> bool:
        """It is one of the processes that map these pages, but only while it reads: its program
        and libraries, and the kernel's vdso."""
        name = (report["mapping"] or {}).get("file_name") or ""
        return report["kind"] == "kernel" or name == "pobpf" or ".so" in name or "elf" in name

    def test_memcgs(self):
        """The kernel names the nearest ancestor that is online, and tails have no memcg to it."""
        wrong, total, seen = [], 0, set()
        for report, inode in self.steady("kpagecgroup"):
            total += 1
            compound = report["compound"]
            if compound and compound["pfn"] != report["pfn"]:
                continue
            memcg = report["memcg"]
            if memcg and not memcg["online"]:
                continue
            if (memcg["id"] if memcg else 0) != inode:
                wrong.append((report["pfn"], report["kind"], memcg, inode))
            elif memcg:
                seen.add(memcg["name"])
                path = facts()["cgroup_inodes"].get(str(inode), "?")
                name = "/" if path == "." else path.split("/")[-1]
                self.assertEqual(memcg["name"], name)
        self.assert_few(wrong, total)
        self.assertIn("/", seen)
        if collected.has_sound_debugfs_memcg:
            self.assertIn("pobpf child", seen)

    def test_zone_names(self):
        for report in reports("owned"):
            self.assertIn(report["zone_name"], ("DMA", "DMA32", "Normal", "Movable"))


class Lifetimes(unittest.TestCase):
    """A page that a process allocates, has, and frees."""

    def rounds(self):
        return facts()["lifetimes"]

    def test_the_allocation_is_the_process(self):
        for entry in self.rounds():
            before = entry["before"]
            self.assertEqual(before["pfn"], entry["pfn"])
            self.assertEqual(before["state"], "tail" if entry["kind"] == "thp" else "allocated")
            self.assertEqual(before["kind"], "anonymous")
            self.assertEqual(before["mapcount"], entry["words"]["kpagecount"])
            self.assertEqual(before["mapcount"], 1)
            self.assertEqual(before["memcg"]["id"], entry["words"]["kpagecgroup"] or 1)
            owner = before["allocation"]
            self.assertEqual((owner["tgid"], owner["pid"]), (entry["pid"], entry["pid"]))
            self.assertEqual(owner["comm"], "page_child")
            self.assertIn("asm_exc_page_fault", functions(owner["stack"]))
            self.assertLess(owner["age_nsec"], 60_000_000_000)
            if entry["kind"] == "thp":
                self.assertEqual(owner["order"], 9)
                self.assertEqual(before["first_pfn"], entry["pfn"] - 3)
                self.assertEqual(before["compound"]["pfn"], entry["pfn"] - 3)
                self.assertEqual(before["compound"]["order"], 9)
                self.assertEqual(before["compound"]["entire_mapcount"], 1)
                self.assertEqual(before["head_allocation"]["tgid"], entry["pid"])

    def test_the_free_is_the_process(self):
        found = texts = 0
        for entry in self.rounds():
            after = entry["after"]
            # another process may have taken it at once, and freed it again
            self.assertIn(after["state"], ("free", "freed", "allocated", "tail"))
            if after["state"] not in ("free", "freed"):
                continue
            allocated = entry["before"]["allocation"]["ts_nsec"]
            if after["allocation"]["ts_nsec"] > allocated:
                self.assertGreater(after["free"]["ts_nsec"], after["allocation"]["ts_nsec"])
                continue
            found += 1
            free = after["free"]
            has_pid = collected.kernel != "6.1"
            self.assertEqual(free["pid"], entry["pid"] if has_pid else None)
            self.assertEqual(free["tgid"], entry["pid"] if has_pid else None)
            names = functions(free["stack"])
            self.assertRegex(names, "free")
            self.assertIn("madvise", names)
            # the last owner is still known, and freed what it had
            self.assertEqual(after["allocation"]["tgid"], entry["pid"])
            self.assertEqual(after["allocation"]["ts_nsec"], allocated)
            self.assertGreater(free["ts_nsec"], after["allocation"]["ts_nsec"])
            self.assertLess(free["age_nsec"], after["allocation"]["age_nsec"])
            self.assertEqual(after["kind"], "free")
            self.assertIsNone(after["memcg"])
            if after["state"] == "free":
                self.assertEqual(after["first_pfn"], entry["pfn"] >> after["free_order"] << after["free_order"])
            # a run of its own, which the page may not have lasted to
            text = entry["after_text"]
            if "\n  freed:" in text and f"handle {free['handle']}\n" in text:
                self.assertIn("madvise", text.split("\n  freed:")[1])
                texts += 1
        self.assertGreaterEqual(found, len(facts()["lifetimes"]) // 2)
        self.assertGreater(texts, 0)

    def test_addresses_lead_to_the_same_page(self):
        for entry in self.rounds():
            for way in ("by_address", "by_physical"):
                self.assertEqual(entry[way]["status"], 0, entry[way]["err"])
                answer = json.loads(entry[way]["out"])
                self.assertEqual(answer["pfn"], entry["pfn"])
                self.assertEqual(
                    answer["allocation"]["ts_nsec"], entry["before"]["allocation"]["ts_nsec"]
                )

    def test_a_page_of_a_file(self):
        entry = facts()["file"]
        self.assertEqual(entry["answer"]["status"], 0, entry["answer"]["err"])
        report = json.loads(entry["answer"]["out"])
        self.assertEqual(report["kind"], "file")
        mapping = report["mapping"]
        self.assertEqual(mapping["inode"], entry["inode"])
        self.assertEqual(mapping["index"], 5)
        self.assertEqual(mapping["file_name"], "pobpf-cache")
        self.assertEqual(mapping["filesystem"], "tmpfs")
        self.assertIn('file, "pobpf-cache" on tmpfs (tmpfs), inode ', entry["text"])


class Offline(unittest.TestCase):
    def test_offline_memory(self):
        result = facts()["offline"]
        self.assertEqual(result["status"], 0, result["err"])
        for line in result["out"].splitlines():
            self.assertIn(json.loads(line)["state"], ("offline", "absent"))


class Churn(unittest.TestCase):
    def test_pages_stay_possible(self):
        for run in facts()["churn"]:
            self.assertEqual(run["lines"], 1024)
            self.assertLess(max(run["orders"], default=0), 19)
            self.assertEqual(run["status"], 4 if run["changed"] else 0, run["err"])
            self.assertEqual(len(run["err"].splitlines()), 1 if run["changed"] else 0, run["err"])
            self.assertNotIn("unreadable", run["states"])


@on_one_kernel
class Refusals(unittest.TestCase):
    """One clear sentence and the documented status."""

    EXPECTED = {
        "no_pfn": (2, "this machine has no PFN 0x10000000000: it has 0x0-0x"),
        "no_range": (2, "this machine has no PFNs 0x10000000000-0x1000000000f: it has 0x0-0x"),
        "no_phys": (2, "this machine has no PFN"),
        "no_process": (2, "there is no process 4194304"),
        "kernel_thread": (2, "process 2 has "),
        "unmapped": (2, "has nothing mapped at 0x1000"),
        "kernel_address": (2, "has nothing mapped at 0xffffffff81000000"),
        "untouched": (2, "no page is present at"),
        "hidden": (3, "the kernel hides the PFNs of /proc/PID/pagemap: run pobpf with CAP_SYS_ADMIN"),
        "not_ours": (3, "this process may not look into process"),
        "unprivileged": (3, "CAP_BPF"),
    }

    def test_each(self):
        for name, (status, sentence) in self.EXPECTED.items():
            with self.subTest(name):
                result = facts()["errors"][name]
                self.assertEqual(result["status"], status, result)
                self.assertEqual(result["out"], "")
                self.assertEqual(len(result["err"].splitlines()), 1, result["err"])
                self.assertIn(sentence, result["err"])

    def test_two_capabilities_are_enough(self):
        result = facts()["errors"]["least_privilege"]
        self.assertEqual(result["status"], 0, result["err"])
        json.loads(result["out"])


if __name__ == "__main__":
    # enough of the movable zone for blocks that can be taken offline
    main(__doc__, "page.py", ("--memory", "1G", "--append", "movablecore=60%"))
