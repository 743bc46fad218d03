#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs in the guest: the sums of `pobpf top` between two readings of the kernel's own file, and while
memory grows by known amounts, in pipes and on a terminal. All output goes to a directory shared with
the host, which compares (top_test.py). Nothing is judged here."""

import fcntl
import json
import mmap
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import workload  # noqa: E402
from collector import DEBUGFS, Collector, bpf_ids  # noqa: E402
from workload import (  # noqa: E402
    CGROUPS, GONE_MEMCG, PAGE, Workload, anonymous, charge_and_go, hold_in_memcg, hold_in_thread,
    hold_pages, set_comm,
)

FIELDS = (
    "function module allocator tgid pid comm order gfp migratetype nid zone memcg"
).split()
COMBINATIONS = (
    "tgid,comm", "nid,zone", "order,gfp,migratetype", "allocator,function", "module,stack",
)
# what processes that are held have is known to the page
WITH_COMM = (
    "comm,stack", "comm,function", "comm,module", "comm,allocator", "comm,tgid,pid", "comm,order",
    "comm,order,gfp,migratetype", "comm,nid,zone",
)
FILTERS = {
    "nid": ("--nid", "1"),
    "order": ("--order", "1-"),
    "gfp": ("--gfp", "__GFP_COMP"),
    "symbol": ("--symbol", "vfs_write"),
}
OUTER, INNER = "pobpf_outer", "pobpf inner"
USERS, NAMESAKE = ("pobpf-1000", "pobpf-1001"), "app.slice"
# more groups of these fields than the kernel's map has room for at first
MANY = "comm,pid,order,gfp,stack"
MANY_COMM = b"pobpf_many"
MANY_THREADS = 1900
# below what the map begins with, between that and what is there, above
GROUPS_MAX = (1000, 17000, 20000)
MADV_POPULATE_WRITE = 23
MAP_NORESERVE = 0x4000  # x86-64
IGNORED = "# what writes to files\nshmem_*\n\n  alloc_pipe_inf[ao]\n"
WATCH = ("--watch", "0.5", "--count", "3", "--sort", "growth", "--by", "comm")
GROWTH_PAGES = 4096
MIB = 1 << 20
SCREEN = (24, 100)


def hold_files() -> list:
    """Pages of a file in memory, with slab and page tables of their own."""
    set_comm(b"pobpf_files")
    path = pathlib.Path("/run/pobpf-held")
    path.write_bytes(b"x" * (512 * PAGE))
    with open(path, "r+b") as file:
        area = mmap.mmap(file.fileno(), 0)
    return [area, area[:: 16 * PAGE], [os.pipe() for _ in range(64)]]


def hold_many() -> list:
    """Many tasks, each of which owns a page by each of nine ways that memory is asked for."""
    set_comm(MANY_COMM)
    nr_bytes = 2 * MANY_THREADS * PAGE
    area = mmap.mmap(-1, nr_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    files = [os.open(f"/run/pobpf-many-{n}", os.O_RDWR | os.O_CREAT) for n in range(6)]
    for file in files[:3]:
        os.ftruncate(file, nr_bytes)
    mapped = mmap.mmap(files[0], nr_bytes)
    held: list = [area, files, mapped]
    page = b"x" * PAGE

    def touch(index: int) -> None:
        first, second = 2 * index * PAGE, (2 * index + 1) * PAGE
        area[first] = 1
        area.madvise(MADV_POPULATE_WRITE, second, PAGE)
        mapped[first] = 1
        mapped.madvise(MADV_POPULATE_WRITE, second, PAGE)
        os.pwrite(files[1], page, first)
        os.posix_fallocate(files[2], first, PAGE)
        os.write(files[3], page)
        os.writev(files[4], [page])
        os.pwritev(files[5], [page], first)

    for index in range(MANY_THREADS):
        thread = threading.Thread(target=touch, args=(index,))
        thread.start()
        thread.join()
    return held


class Quiet:
    """Runs between readings of the kernel's file; which rows and filters each is about."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self.cases: dict[str, dict] = {}

    def fields(self) -> list[str]:
        """Those that the kernel's file tells."""
        return [by for by in FIELDS if by != "memcg" or self._collector.has_sound_memcg_text]

    def reading(self, phase: str, turn: str, needs_pobpf: bool = False) -> None:
        if needs_pobpf and not self._collector.has_sound_memcg_text:
            self._collector.run_pobpf(f"{phase}.{turn}")
        else:
            self._collector.copy(f"{phase}.{turn}", DEBUGFS / "page_owner")

    def case(self, phase: str, name: str, by: str, *arguments: str, filters=()) -> None:
        self._collector.run_pobpf(
            name, "top", "--by", by, "--format", "json", "--stats", *filters, *arguments
        )
        self.cases[name] = {"phase": phase, "by": by.split(","), "filters": filters}
        if "--depth" in arguments:
            self.cases[name]["depth"] = int(arguments[arguments.index("--depth") + 1])


def quiet_machine(collector: Collector, quiet: Quiet, tgid: str) -> None:
    # everything that will run has run once: its files are in the page cache
    for arguments in (("--handles",), ("top",), ("top", "--by", "allocator,memcg", "--nid", "0")):
        collector.run_pobpf("warm_up", *arguments, "--stats", "-o", "/dev/null")
    collector.copy("warm_up", pathlib.Path("/proc/self/status"))
    show_stacks = DEBUGFS / "page_owner_stacks" / "show_stacks"

    quiet.reading("main", "1")
    collector.copy("kpageflags.1", pathlib.Path("/proc/kpageflags"))
    collector.run_pobpf("sample", "--mode", "handle")
    if show_stacks.exists():
        collector.copy("show_stacks.1", show_stacks)
    for by in ("stack", *WITH_COMM):
        quiet.case("main", by, by)
    if show_stacks.exists():
        collector.copy("show_stacks.2", show_stacks)
    with collector.on_all_cpus():
        quiet.case("main", "comm,stack.threads_4", "comm,stack", "--threads", "4")
        quiet.case(
            "main", "filter_threads", "comm,stack", "--threads", "4", filters=("--nid", "0")
        )
    quiet.case("main", "filter_tgid", "comm,function", filters=("--tgid", tgid))
    if collector.is_whole:
        arguments_of_top(collector, quiet, tgid)
    collector.copy("kpageflags.2", pathlib.Path("/proc/kpageflags"))
    quiet.reading("main", "2")


def arguments_of_top(collector: Collector, quiet: Quiet, tgid: str) -> None:
    """Shows what user space makes of the sums, which come from any kernel alike."""
    for by in (*quiet.fields(), *COMBINATIONS):
        quiet.case("main", by, by)
    with collector.on_all_cpus():
        quiet.case("main", "comm,stack.threads_2", "comm,stack", "--threads", "2")
        for nr_threads in ("2", "4"):
            by = "comm,allocator"
            quiet.case("main", f"{by}.threads_{nr_threads}", by, "--threads", nr_threads)
    for name, filters in FILTERS.items():
        quiet.case("main", f"filter_{name}", "comm,order,nid", filters=filters)
    ignore = pathlib.Path("/run/pobpf-ignore")
    ignore.write_text(IGNORED, encoding="ascii")
    quiet.case("main", "ignore", "comm,function", "--ignore", str(ignore))
    quiet.case("main", "ignore_held", "comm", "--ignore", str(ignore), filters=("--tgid", tgid))
    quiet.case("main", "limit", "comm,order", "--limit", "3")
    quiet.case("main", "depth", "comm,stack", "--depth", "2")
    quiet.case("main", "age", "comm", "--sort", "age")
    quiet.case("main", "allocs", "comm,gfp", "--sort", "allocs")
    by_stack = ("--by", "comm,order,stack")
    collector.run_pobpf("json_before_csv", "top", *by_stack, "--format", "json")
    collector.run_pobpf("csv", "top", *by_stack, "--format", "csv")
    collector.run_pobpf("json_after_csv", "top", *by_stack, "--format", "json")
    collector.run_pobpf("table", "top", "--by", "order,migratetype", "--bytes", "--limit", "0")


def many_groups(collector: Collector, load: Workload, quiet: Quiet) -> None:
    load.hold("many", hold_many)
    filters = ("--comm", MANY_COMM.decode())
    # the kernel's file would need minutes here, for groups that are compared above
    collector.run_pobpf("many.1", *filters)
    quiet.case("many", "many_groups", MANY, filters=filters)
    quiet.case("many", "many_groups_threads", MANY, "--threads", "2", filters=filters)
    for groups_max in GROUPS_MAX:
        collector.run_pobpf(
            f"max_groups_{groups_max}", "top", "--by", MANY, "--format", "json", "--stats", *filters,
            "--max-groups", str(groups_max),
        )
    collector.run_pobpf("many.2", *filters)
    for path in pathlib.Path("/run").glob("pobpf-many-*"):
        path.unlink()


def in_cgroups(load: Workload, quiet: Quiet) -> None:
    (CGROUPS / OUTER).mkdir()
    (CGROUPS / OUTER / "cgroup.subtree_control").write_text("+memory")
    (CGROUPS / OUTER / INNER).mkdir()
    (CGROUPS / GONE_MEMCG).mkdir()
    for user in USERS:
        (CGROUPS / user).mkdir()
        (CGROUPS / user / "cgroup.subtree_control").write_text("+memory")
        (CGROUPS / user / NAMESAKE).mkdir()
        load.hold(user, hold_in_memcg(f"{user}/{NAMESAKE}", b"in_namesake"))
    load.hold("inner", hold_in_memcg(f"{OUTER}/{INNER}", b"in_inner"))
    pid = os.fork()
    if pid == 0:
        set_comm(b"in_gone")
        charge_and_go()
        os._exit(0)
    os.waitpid(pid, 0)
    (CGROUPS / GONE_MEMCG).rmdir()
    time.sleep(1)
    quiet.reading("memcg", "1", True)
    for by in ("memcg", "memcg,comm", "comm,memcg,order"):
        quiet.case("memcg", f"charged_{by}", by)
    quiet.case("memcg", "charged_below", "comm,memcg", filters=("--memcg", f"/{OUTER}"))
    quiet.reading("memcg", "2", True)


def removed_cgroup(collector: Collector) -> None:
    """One whose pages are still there is selected by its old path and by its id, live and later."""
    by_cgroup = ("--by", "memcg", "--format", "json")
    collector.run_pobpf("gone_by_path", "top", *by_cgroup, "--memcg", f"/{GONE_MEMCG}")
    found = re.search(r"/pobpf_gone \(offline, id (\d+)\)",
                      (collector.directory / "charged_memcg.out").read_text(encoding="ascii"))
    if not found:
        return
    of_it = ("--memcg", f"id:{found[1]}")
    collector.run_pobpf("gone_by_id", "top", *by_cgroup, *of_it)
    file = "/run/gone.pobpf"
    collector.run_pobpf("gone_record", "record", "-o", file, "--memcg", "/", "--not-memcg", f"/{OUTER}")
    collector.run_pobpf("gone_report_id", "report", "top", file, *by_cgroup, *of_it)
    collector.run_pobpf("gone_report_path", "report", "top", file, *by_cgroup, "--memcg", f"/{GONE_MEMCG}")
    os.unlink(file)


def meminfo() -> dict[str, int]:
    """kB, but for the counts of huge pages."""
    lines = pathlib.Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return {line.split(":")[0]: int(line.split()[1]) for line in lines}


def look(collector: Collector, name: str) -> None:
    """The allocators, between two readings of the kernel's counters."""
    before = meminfo()
    collector.run_pobpf(name, "top", "--by", "allocator,comm", "--format", "json")
    collector.results[name]["meminfo"] = [before, meminfo()]


def hold_threads(nr_threads: int):
    def make() -> list:
        threads = [
            threading.Thread(target=threading.Event().wait, daemon=True) for _ in range(nr_threads)
        ]
        for thread in threads:
            thread.start()
        return threads

    return make


def hold_pipes() -> list:
    held = []
    for _ in range(64):
        reader, writer = os.pipe()
        held += [reader, writer, os.write(writer, b"x" * (16 * PAGE))]
    return held


def hold_page_tables() -> list:
    """A page in each of 512 areas that have a page table of their own."""
    # a gigabyte of addresses, which is all the memory that there is
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE
    area = mmap.mmap(-1, 513 * workload.HUGE, flags=flags)
    for at in range(0, 512 * workload.HUGE, workload.HUGE):
        area[at] = 1
    return [area]


def growth(collector: Collector, load: Workload) -> None:
    """A look after each of the steps; what each adds is in top_test.py."""
    ramfs = pathlib.Path("/run/pobpf-ramfs")
    ramfs.mkdir()
    subprocess.run(["mount", "-t", "ramfs", "ramfs", str(ramfs)], check=True)
    # of the host's files one that nothing here has read yet
    to_read = collector.build / "tests" / "unit" / "pobpf_unit_tests"
    read = 'import sys; f = open(sys.argv[1], "rb")\nwhile f.read(1 << 16): pass'

    def nr_hugepages() -> None:
        path = pathlib.Path("/proc/sys/vm/nr_hugepages")
        path.write_text(str(int(path.read_text()) + 4))

    steps = {
        "anonymous": lambda: load.hold("64M", lambda: [anonymous(64 * MIB)]),
        "shmem": lambda: pathlib.Path("/run/pobpf-64M").write_bytes(b"x" * (64 * MIB)),
        "page_cache": lambda: (ramfs / "32M").write_bytes(b"x" * (32 * MIB)),
        "read_file": lambda: subprocess.run(
            [sys.executable, "-c", read, str(to_read)], check=True
        ),
        "kernel_stacks": lambda: load.hold("threads", hold_threads(200)),
        "page_tables": lambda: load.hold("tables", hold_page_tables),
        "hugetlb": nr_hugepages,
        "vmalloc": lambda: subprocess.run(
            ["bpftool", "map", "create", "/sys/fs/bpf/pobpf_8M", "type", "array", "key", "4"]
            + ["value", "8192", "entries", "1024", "name", "pobpf_8M"],
            check=True,
        ),
        "unaccounted": lambda: load.hold("pipes", hold_pipes),
    }
    # what the steps need once
    subprocess.run([sys.executable, "-c", read, "/dev/null"], check=True)
    subprocess.run(["bpftool", "map", "show"], check=True, stdout=subprocess.DEVNULL)
    look(collector, "warm_up")
    look(collector, "look.0")
    for number, (name, step) in enumerate(steps.items(), 1):
        step()
        time.sleep(0.2)
        look(collector, f"look.{number}")
        collector.results[f"look.{number}"]["step"] = name
    collector.results["look.4"]["file_pages"] = -(-to_read.stat().st_size // PAGE)
    pathlib.Path("/run/pobpf-64M").unlink()
    subprocess.run(["umount", str(ramfs)], check=True)


class Grower:
    """A process that takes memory when it is told to."""

    def __init__(self, comm: bytes) -> None:
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            set_comm(comm)
            held = []
            while order := os.read(orders, 4):
                held.append(anonymous(struct.unpack("I", order)[0] * PAGE))
                os.write(answers, b"x")
            os._exit(0)
        os.close(orders)
        os.close(answers)

    def grow(self, nr_pages: int) -> None:
        os.write(self._orders, struct.pack("I", nr_pages))
        os.read(self._answers, 1)

    def stop(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._orders)
        os.close(self._answers)


def watch_in_pipe(collector: Collector, form: str, end_of_look: bytes) -> None:
    """Grows between the first look and the second."""
    grower = Grower(f"grow_{form}".encode())
    grower.grow(16)
    name = f"watch_{form}"
    with (
        open(collector.directory / f"{name}.err", "wb") as err,
        subprocess.Popen(
            [collector.pobpf, "top", *WATCH, "--format", form], stdout=subprocess.PIPE, stderr=err
        ) as process,
    ):
        assert process.stdout
        text, has_grown = b"", False
        while piece := os.read(process.stdout.fileno(), 1 << 16):
            text += piece
            if not has_grown and end_of_look in text:
                has_grown = True
                # so that the next look is after it, however busy the machine is
                process.send_signal(signal.SIGSTOP)
                grower.grow(GROWTH_PAGES)
                process.send_signal(signal.SIGCONT)
        process.wait()
    grower.stop()
    (collector.directory / f"{name}.out").write_bytes(text)
    collector.results[name] = {"status": process.returncode, "has_grown": has_grown}


def settings(terminal: int) -> str:
    return repr(termios.tcgetattr(terminal))


def lead_session(slave: int, argv: list[str], report: int) -> None:
    """Runs argv on a terminal of its own, as a shell does, and reports what it has left there."""
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for number in range(3):
        os.dup2(slave, number)
    # a handler, not SIG_IGN, which would be inherited
    signal.signal(signal.SIGINT, lambda *_: None)
    before = settings(0)
    status = subprocess.run(argv, check=False).returncode
    os.write(report, json.dumps([before, settings(0), status]).encode())
    os._exit(0)


def on_terminal(collector: Collector, name: str, keys: list[bytes], *arguments: str) -> None:
    """Each key is pressed when a further screen has been drawn."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", *SCREEN, 0, 0))
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        lead_session(slave, [collector.pobpf, "top", *arguments], writer)
    os.close(slave)
    os.close(writer)
    text, during, pressed = b"", None, 0
    deadline = time.monotonic() + 60
    moments = []
    while time.monotonic() < deadline:
        if not select.select([master], [], [], 1)[0]:
            continue
        try:
            piece = os.read(master, 1 << 16)
        except OSError:
            # the other side is closed
            break
        text += piece
        if pressed < len(keys) and text.count(b"\x1b[J") > pressed:
            during = settings(master)
            moments.append(time.monotonic())
            os.write(master, keys[pressed])
            pressed += 1
    else:
        os.kill(pid, signal.SIGKILL)
    answer = os.read(reader, 1 << 16)
    os.waitpid(pid, 0)
    moments.append(time.monotonic())
    os.close(master)
    os.close(reader)
    before, after, status = json.loads(answer) if answer else (None, None, None)
    (collector.directory / f"{name}.out").write_bytes(text)
    collector.results[name] = {
        "status": status,
        "before": before,
        "during": during,
        "after": after,
        "pressed": pressed,
        "seconds": [b - a for a, b in zip(moments, moments[1:])],
    }


def interrupts(collector: Collector) -> None:
    """SIGINT at all stages of a run, and what is left of them then."""
    before = bpf_ids()
    statuses = []
    watching = ("--watch", "0.1", "--by", "order")
    for step in range(16):
        arguments = ("--threads", "2", *(watching if step % 4 == 3 else ()))
        with subprocess.Popen(
            [collector.pobpf, "top", *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            time.sleep(0.02 + 0.04 * step)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        statuses.append([process.returncode, err, step % 4 == 3])
    # the kernel frees behind our back, and bpftool has maps of its own, others each time
    left = None
    for _ in range(50):
        new = {(kind, number) for kind, ids in bpf_ids().items() for number in ids}
        new -= {(kind, number) for kind, ids in before.items() for number in ids}
        left = new if left is None else left & new
        if not left:
            break
        time.sleep(0.1)
    collector.results["interrupted"] = {"statuses": statuses, "left": sorted(left or ())}
    collector.run_pobpf("pins", "pins")


def main() -> None:
    collector = Collector()
    quiet = Quiet(collector)
    load = Workload(False)
    # what processes allocate is on the nodes of their CPUs
    with collector.on_all_cpus():
        load.start()
        load.hold("plain", hold_pages(b"pobpf plain"))
        load.hold("thread", hold_in_thread)
        tgid = load.hold("files", hold_files)
    collector.copy("zoneinfo", pathlib.Path("/proc/zoneinfo"))
    nr_held = len(load.pids)
    time.sleep(1)
    quiet_machine(collector, quiet, str(tgid))
    growth(collector, load)
    load.let_go(nr_held)
    if collector.is_whole:
        with collector.on_all_cpus():
            many_groups(collector, load, quiet)
        load.let_go(nr_held)
        for form, end in (("json", b'"kind":"total"'), ("csv", b",total,"), ("text", b"(total)")):
            watch_in_pipe(collector, form, end)
        on_terminal(collector, "keys", [b"f", b"s", b" ", b"q"], "--watch", "60")
        on_terminal(collector, "ctrl_c", [b"\x03"], "--watch", "60", "--by", "comm")
        on_terminal(collector, "redrawn", [b"", b"", b"q"], "--watch", "1", "--by", "allocator")
        on_terminal(collector, "not_watching", [], "--by", "order")
        with collector.on_all_cpus():
            interrupts(collector)
    in_cgroups(load, quiet)
    removed_cgroup(collector)
    load.stop()
    memcgs = {"/": "", OUTER: OUTER, INNER: f"{OUTER}/{INNER}", GONE_MEMCG: GONE_MEMCG}
    # the kernel's text does not tell them apart
    memcgs[NAMESAKE] = f"{USERS[0]}/{NAMESAKE}"
    collector.save(cases=quiet.cases, page_bytes=PAGE, memcgs=memcgs)


if __name__ == "__main__":
    main()
