#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs in the guest: processes of all sorts, then pobpf with each filter between two readings of the
kernel's own file. All output goes to a directory shared with the host, which compares
(filters_test.py). Nothing is judged here."""

import os
import pathlib
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from collector import DEBUGFS, Collector  # noqa: E402
from workload import (  # noqa: E402
    CGROUPS, PAGE, Workload, hold_in_memcg, hold_in_thread, hold_pages, set_comm,
)

OUTER, INNER, SIBLING = "pobpf_outer", "pobpf inner", "pobpf_sibling"
COMMS = {
    "plain": b"pobpf plain",
    "star": b"star*name",
    "question": b"quest?on",
    "bracket": b"br[ack]et",
    "backslash": b"back\\slash",
    "comma": b"com,ma",
    "umlaut": "tschüß".encode(),
    "newline": b"new\nline",
    "spaces": b" lead and trail ",
    "longest": b"fifteen_bytes_x",
}
LONG_LIST = 10_000
PINS = pathlib.Path("/sys/fs/bpf/pobpf")
GROUND = "*SymbolTableTest.*:CgroupIdTest.*:LocalClock.*"


def local_clock_ns() -> int:
    """Reads it from the stamp that the kernel gives a message of ours, to the microsecond."""
    log = os.open("/dev/kmsg", os.O_RDWR | os.O_NONBLOCK)
    try:
        os.lseek(log, 0, os.SEEK_END)
        mark = f"pobpf filters {time.monotonic_ns()}"
        os.write(log, f"<7>{mark}\n".encode())
        while True:
            record = os.read(log, 8192).decode(errors="replace")
            if mark in record:
                return int(record.split(",")[2]) * 1000
    finally:
        os.close(log)


def tgids() -> set[int]:
    return {int(name) for name in os.listdir("/proc") if name.isdigit()}


def die_and_leave(comm: bytes, name: str) -> int:
    """A process that ends; page cache of it stays. Its pid."""
    pid = os.fork()
    if pid == 0:
        set_comm(comm)
        pathlib.Path("/run", name).write_bytes(b"x" * (128 * PAGE))
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


class Filters:
    """Runs pobpf with filters; records what it was asked for and when."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self.is_whole = collector.is_whole
        self.cases: dict[str, dict] = {}
        self.refused: dict[str, dict] = {}

    def case(self, phase: str, name: str, *filters: str) -> None:
        """A run whose records the oracle can tell."""
        before = local_clock_ns()
        self._collector.run_pobpf(name, "--mode", "handle", "--stats", *filters)
        # the stamps are cut to microseconds
        after = local_clock_ns() + 1000
        self.cases[name] = {"phase": phase, "filters": filters, "clock": [before, after]}

    def refuse(self, name: str, words: list[str], *filters: str) -> None:
        """A run that must end with a usage error that says all these words."""
        self._collector.run_pobpf(name, *filters)
        self.refused[name] = {"words": words}


def make_children(load: Workload) -> dict[str, int]:
    """Processes of all names; their pids."""
    pids = {kind: load.hold(kind, hold_pages(comm)) for kind, comm in COMMS.items()}
    return pids | {"thread": load.hold("thread", hold_in_thread)}


# Cases of each kind are in two parts: what the kernel decides (its structures, names, clocks and symbols,
# and each filter once, as its programs differ by kernel), and what is decided before that, by how
# pobpf reads the arguments.


def identity_cases(run: Filters, pids: dict[str, int], dead: int) -> None:
    plain, star = str(pids["plain"]), str(pids["star"])
    thread = int(max(os.listdir(f"/proc/{pids['thread']}/task"), key=int))
    long_list = ",".join(str(n) for n in range(1_000_001, 1_000_001 + 2 * LONG_LIST, 2))
    run.case("main", "pid_of_thread", "--pid", str(thread))
    run.case("main", "pid_and_not", "--pid", f"1,{plain}-{star}", "--not-pid", star)
    run.case("main", "pid_long", "--pid", f"{long_list},{plain}")
    run.case("main", "tgid_not_pid", "--tgid", str(pids["thread"]), "--not-pid", str(thread))
    run.case("main", "tgid_dead", "--tgid", str(dead))
    run.case("main", "not_tgid", "--not-tgid", f"0,{pids['thread']}")
    run.case("main", "dead", "--dead")
    run.case("main", "dead_of_name", "--dead", "--comm", "pobpf*")
    run.case("main", "comm", "--comm", "pobpf plain")
    run.case("main", "comm_class", "--comm", "[a-cq]*")
    run.case("main", "comm_and_not", "--comm", "pobpf*", "--not-comm", "*plain")
    if not run.is_whole:
        return
    run.case("main", "pid", "--pid", plain)
    run.case("main", "pid_range", "--pid", f"1,{plain}-{star}")
    run.case("main", "pid_twice", "--pid", plain, "--pid", star)
    run.case("main", "not_pid", "--not-pid", f"0-1,{plain}")
    run.case("main", "not_pid_long", "--not-pid", f"{long_list},{plain}")
    run.case("main", "tgid", "--tgid", str(pids["thread"]))
    run.case("main", "tgid_long", "--tgid", f"{long_list},{plain}")
    run.case("main", "not_dead", "--not-dead")
    run.case("main", "comm_all", "--comm", "*", "--not-comm", "swapper*")
    run.case("main", "comm_glob", "--comm", "pobpf*")
    run.case("main", "comm_of_thread", "--comm", "pobpf_thread")
    run.case("main", "comm_inner_star", "--comm", "*p*f*d")
    run.case("main", "comm_escaped_star", "--comm", "star\\*name")
    run.case("main", "comm_question", "--comm", "quest??n,star?name")
    run.case("main", "comm_bracket", "--comm", "br\\[ack\\]et")
    run.case("main", "comm_negated_class", "--comm", "[!a-zA-Z]*")
    run.case("main", "comm_backslash", "--comm", "back\\\\slash")
    run.case("main", "comm_comma", "--comm", "com\\,ma,nobody")
    run.case("main", "comm_umlaut", "--comm", "tschüß")
    run.case("main", "comm_newline", "--comm", "new*line")
    run.case("main", "comm_newline_itself", "--comm", "new\nline")
    run.case("main", "comm_spaces", "--comm", " lead*")
    run.case("main", "comm_longest", "--comm", "fifteen_bytes_x")
    run.case("main", "comm_repeated", "--comm", "star*", "--comm", "quest*")
    run.case("main", "not_comm", "--not-comm", "swapper*,pobpf*")
    many = ",".join(f"no_{n}*x" for n in range(20))
    run.case("main", "comm_many", "--comm", f"{many},pobpf*")


def reused_number(run: Filters, collector: Collector, reused: int) -> None:
    """A process that has gone left pages, and another one has its number: seen in all ways."""
    of_it = ("--tgid", str(reused))
    by_process = ("--by", "tgid", "--format", "json")
    run.case("main", "reused", "--dead", *of_it)
    run.case("main", "reborn", "--not-dead", *of_it)
    collector.run_pobpf("reused_top", "top", *by_process, *of_it)
    # their pages are those of the live runs
    file = "/run/reused.pobpf"
    collector.run_pobpf("reused_record", "record", "-o", file, *of_it)
    for name, option in (("reused", "--dead"), ("reborn", "--not-dead")):
        collector.run_pobpf(f"{name}_report", "report", file, "--mode", "handle", option)
        collector.run_pobpf(f"{name}_pin", "pin", name, "--mode", "handle", option, *of_it)
        collector.run(f"{name}_pinned", ["cat", str(PINS / name)])
        collector.run_pobpf(f"{name}_unpin", "unpin", name)
    collector.run_pobpf("reused_report_top", "report", "top", file, *by_process)
    os.unlink(file)


def page_cases(run: Filters, marks: dict[str, int], sample: dict) -> None:
    pfns, handles = sample["pfns"], sample["handles"]
    low, middle, high = pfns[0], pfns[len(pfns) // 2], pfns[-1]
    run.case("main", "nid_1", "--nid", "1")
    run.case("main", "not_zone", "--not-zone", "Movable")
    run.case("main", "zone_and_nid", "--zone", "Movable", "--nid", "1")
    run.case("main", "order_and_not", "--order", "1-", "--not-order", "2,9-")
    run.case("main", "migratetypes", "--migratetype", "Unmovable,Reclaimable")
    run.case("main", "block_migratetype", "--block-migratetype", "Movable")
    run.case("main", "mixed", "--mixed")
    run.case("main", "gfp_composite", "--gfp", "GFP_KERNEL")
    run.case(
        "main", "gfp_groups", "--gfp", "__GFP_COMP", "--gfp", "none:__GFP_ZERO", "--gfp",
        "any:GFP_KERNEL",
    )
    run.case("main", "flags_any", "--flags", "any:reserved,lru")
    run.case("main", "flags_groups", "--flags", "lru", "--flags", "none:swapbacked")
    run.case("main", "pfn_count", "--pfn", f"{hex(low)}+4096,{middle}+1")
    run.case("main", "handles", "--handle", ",".join(str(h) for h in handles))
    run.case("main", "not_handle", "--not-handle", ",".join(str(h) for h in handles))
    run.case("main", "symbol_glob", "--symbol", "shmem_*")
    run.case("main", "symbol_of_boot", "--symbol", "kernel_init*")
    run.case("main", "symbol_and_not", "--symbol", "vfs_write", "--not-symbol", "shmem_*")
    run.case("main", "symbol_without_module", "--symbol", "vfs_write,blkdev_*", "--not-module", "brd")
    run.case("main", "module", "--module", "brd")
    run.case("main", "between_ns", "--since", str(marks["first"]), "--until", str(marks["middle"]))
    ago = (local_clock_ns() - marks["middle"]) // 1_000_000
    run.case("main", "age_range", "--age", f"500ms..{ago}ms")
    run.case(
        "main", "many", "--nid", "0-1", "--not-zone", "DMA", "--order", "0-3", "--comm",
        "pobpf*,star*", "--migratetype", "Movable", "--gfp", "none:__GFP_RECLAIMABLE", "--not-dead",
        "--since", str(marks["first"]),
    )
    run.case("main", "nothing", "--pid", "4000000")
    if not run.is_whole:
        return
    run.case("main", "nid_0", "--nid", "0")
    run.case("main", "zone", "--zone", "DMA32")
    run.case("main", "zones", "--zone", "Normal,Movable")
    run.case("main", "order", "--order", "0")
    run.case("main", "order_range", "--order", "1-3")
    run.case("main", "order_open", "--order", "9-")
    run.case("main", "order_list", "--order", "0,4-")
    run.case("main", "order_repeated", "--order", "1", "--order", "9")
    run.case("main", "not_order", "--not-order", "0-2")
    run.case("main", "migratetype", "--migratetype", "Movable")
    run.case("main", "not_migratetype", "--not-migratetype", "Unmovable")
    run.case("main", "block_migratetypes", "--block-migratetype", "Unmovable,Reclaimable")
    run.case("main", "not_block_migratetype", "--not-block-migratetype", "Unmovable")
    run.case("main", "not_mixed", "--not-mixed")
    run.case("main", "mixed_small", "--mixed", "--order", "0-8")
    run.case("main", "gfp", "--gfp", "__GFP_COMP")
    run.case("main", "gfp_two", "--gfp", "__GFP_COMP,__GFP_ZERO")
    run.case("main", "gfp_bar", "--gfp", "__GFP_COMP|__GFP_ZERO")
    run.case("main", "gfp_any", "--gfp", "any:__GFP_ZERO,__GFP_RECLAIMABLE")
    run.case("main", "gfp_none", "--gfp", "none:__GFP_COMP")
    run.case("main", "gfp_hex", "--gfp", "0x100")
    run.case("main", "flags", "--flags", "uptodate")
    run.case("main", "flags_two", "--flags", "uptodate,lru")
    run.case("main", "flags_none", "--flags", "none:lru")
    run.case("main", "pfn", "--pfn", str(middle))
    run.case("main", "pfn_hex", "--pfn", hex(middle))
    run.case("main", "pfn_range", "--pfn", f"{middle}-{high}")
    run.case("main", "not_pfn", "--not-pfn", f"{low}-{middle}")
    run.case("main", "handle", "--handle", str(handles[0]))
    run.case("main", "symbol", "--symbol", "vfs_write")
    run.case("main", "symbol_class", "--symbol", "[s-v]*_write*,do_*page*")
    run.case("main", "not_symbol", "--not-symbol", "vfs_write,ksys_*")
    run.case("main", "module_glob", "--module", "b*")
    run.case("main", "not_module", "--not-module", "brd")
    run.case("main", "symbol_of_module", "--symbol", "brd_*")
    run.case("main", "since_ns", "--since", str(marks["middle"]))
    run.case("main", "until_ns", "--until", str(marks["middle"]))
    for name, option in (("since", "--since"), ("until", "--until"), ("age", "--age")):
        ago = (local_clock_ns() - marks["middle"]) // 1_000_000
        run.case("main", name, option, f"{ago}ms")
    ago = (local_clock_ns() - marks["middle"]) / 1e9
    run.case("main", "age_at_most", "--age", f"..{ago:.3f}s")
    run.case("main", "since_mixed_units", "--since", "1h30m")


def memcg_cases(run: Filters) -> None:
    run.case("memcg", "memcg_and_below", "--memcg", f"/{OUTER}")
    run.case("memcg", "memcg_two", "--memcg", f"/{OUTER}/{INNER}", "--memcg", f"/{SIBLING}")
    run.case("memcg", "not_memcg_root", "--not-memcg", "/")
    run.case("memcg", "memcg_and_not", "--memcg", "/", "--not-memcg", f"/{OUTER}/{INNER}")
    if not run.is_whole:
        return
    run.case("memcg", "memcg", "--memcg", f"/{OUTER}/{INNER}")
    run.case("memcg", "memcg_no_slash", "--memcg", f"{OUTER}")
    run.case("memcg", "memcg_by_directory", "--memcg", f"{CGROUPS}/{OUTER}")
    run.case("memcg", "memcg_root", "--memcg", "/")
    run.case("memcg", "not_memcg", "--not-memcg", f"/{OUTER}")
    run.case("memcg", "memcg_of_name", "--memcg", f"/{OUTER}", "--comm", "in_inner")


def refusals(run: Filters) -> None:
    run.refuse("bad_zone", ["Nomal", "Normal"], "--zone", "Nomal")
    run.refuse("bad_gfp", ["GFP_KERNAL", "GFP_KERNEL"], "--gfp", "GFP_KERNAL")
    run.refuse("bad_flags", ["lcoked", "locked"], "--flags", "lcoked")
    run.refuse("bad_migratetype", ["Movabel", "Movable"], "--migratetype", "Movabel")
    run.refuse("bad_module", ["nosuch", "brd"], "--module", "nosuch")
    run.refuse("bad_symbol", ["no_such_function"], "--symbol", "no_such_function")
    run.refuse("bad_memcg", ["/no/such"], "--memcg", "/no/such")
    run.refuse("bad_times", ["since", "until"], "--since", "1m", "--until", "2m")
    run.refuse("bad_times_ns", ["since", "until"], "--since", "20", "--until", "10")
    run.refuse("bad_order", ["order"], "--order", "1", "--not-order", "1")
    run.refuse("bad_mixed", ["mixed"], "--mixed", "--not-mixed")
    run.refuse("bad_any", ["any"], "--gfp", "any:__GFP_COMP", "--gfp", "any:__GFP_ZERO")
    run.refuse("bad_pid", ["pid"], "--pid", "5-1")


def take_sample(collector: Collector) -> dict:
    """PFNs and handles that there are, for filters on them. The text itself has no handles."""
    collector.run_pobpf("sample", "--mode", "handle")
    text = (collector.directory / "sample.out").read_bytes()
    # of processes that hold what they have: a PFN that is looked for must not have gone meanwhile
    held = rb" \((?:pobpf plain|pobpf_thread)\), .*\nPFN (0x[0-9a-f]+|\d+) "
    pfns = sorted(int(n, 0) for n in re.findall(held, text))
    counts: dict[bytes, int] = {}
    for handle in re.findall(rb"^handle: (\d+)$", text, re.MULTILINE):
        counts[handle] = counts.get(handle, 0) + 1
    often = sorted(counts, key=lambda handle: -counts[handle])
    return {"pfns": pfns, "handles": [int(handle) for handle in often[1:6]]}


def time_of_a_run(collector: Collector) -> float:
    """Seconds; of one whose files are in the page cache."""
    for _ in range(2):
        began = time.monotonic()
        collector.run_pobpf("timed", "--mode", "handle", "--stats")
    return time.monotonic() - began


def zones() -> list[str]:
    text = pathlib.Path("/proc/zoneinfo").read_text(encoding="ascii")
    return re.findall(r"^Node 0, zone +(\S+)$", text, re.MULTILINE)


def main() -> None:
    collector = Collector()
    page_owner = DEBUGFS / "page_owner"
    load = Workload(False)
    # what processes allocate is on the nodes of their CPUs
    with collector.on_all_cpus():
        load.start()
        marks = {"first": local_clock_ns()}
        dead = die_and_leave(b"pobpf_dead", "pobpf-dead")
        reused = die_and_leave(b"pobpf_reused", "pobpf-reused")
        pids = make_children(load)
    # The oracle cannot judge what was allocated around "middle" within the time that a run takes, which
    # on a busy host is seconds: the machine holds still that long, and longer.
    quiet_s = 1 + 3 * time_of_a_run(collector)
    time.sleep(quiet_s)
    marks["middle"] = local_clock_ns()
    time.sleep(quiet_s)
    load.hold("late", hold_pages(b"pobpf_late", 256))
    reborn_ns = local_clock_ns()
    load.hold("reborn", hold_pages(b"pobpf_reborn"), reused)
    # everything that will run has run once: its files are in the page cache
    collector.copy("kallsyms", pathlib.Path("/proc/kallsyms"))
    local_clock_ns()
    time.sleep(1)

    run = Filters(collector)
    living = tgids()
    collector.copy("main.1", page_owner)
    sample = take_sample(collector)
    identity_cases(run, pids, dead)
    reused_number(run, collector, reused)
    page_cases(run, marks, sample)
    collector.copy("main.2", page_owner)
    living_after = tgids()
    if collector.is_whole:
        refusals(run)

    (CGROUPS / "cgroup.subtree_control").write_text("+memory")
    (CGROUPS / OUTER).mkdir()
    (CGROUPS / OUTER / "cgroup.subtree_control").write_text("+memory")
    (CGROUPS / OUTER / INNER).mkdir()
    (CGROUPS / SIBLING).mkdir()
    # processes live in leaves only
    load.hold("inner", hold_in_memcg(f"{OUTER}/{INNER}", b"in_inner"))
    load.hold("sibling", hold_in_memcg(SIBLING, b"in_sibling"))
    time.sleep(1)
    for turn in ("1", "2"):
        if collector.has_sound_memcg_text:
            collector.copy(f"memcg.{turn}", page_owner)
        else:
            collector.run_pobpf(f"memcg.{turn}")
        if turn == "1":
            memcg_cases(run)
    for option in ("gfp", "flags", "migratetype", "zone"):
        collector.run_pobpf(f"complete_{option}", "__complete", f"--{option}", "")
    # what the filters stand on, here with a module and a memory controller
    collector.run(
        "ground",
        [str(collector.build / "tests" / "unit" / "pobpf_unit_tests"), f"--gtest_filter={GROUND}"],
    )
    load.stop()
    collector.save(
        cases=run.cases,
        refused=run.refused,
        zones=zones(),
        living=sorted(living & living_after),
        living_once=sorted(living | living_after),
        reborn={reused: reborn_ns},
        memcgs={"/": "/", OUTER: f"/{OUTER}", INNER: f"/{OUTER}/{INNER}", SIBLING: f"/{SIBLING}"},
        long_list=LONG_LIST,
    )


if __name__ == "__main__":
    main()
