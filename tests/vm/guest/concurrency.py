#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs in the guest: many readers at once, and readers that are killed. Leaves all output in a
directory shared with the host, which judges (concurrency_test.py)."""

from __future__ import annotations

import mmap
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from collector import Collector, bpf_ids, in_large_writes  # noqa: E402
from workload import CGROUPS, CHILD_MEMCG, PAGE, Workload, set_comm  # noqa: E402

PINS = pathlib.Path("/sys/fs/bpf/pobpf")
# tmpfs: on 6.1 the root file system has no O_TMPFILE
FILES = pathlib.Path("/run/pobpf-files")
CHURN_BYTES = 4 << 20
CHURN_PAUSE_SECONDS = 0.1
# cats of each view's pin: 24 of 10 pins
CATS = {"all": 2, "nid0": 3, "nid1": 3, "orders": 3, "churn_a": 3, "churn_b": 3, "not_churn": 2,
        "unmovable": 2, "memcg": 1, "handles": 2}  # fmt: skip
# Where the kernel is not the one that shows everything, a thread, a process and a cat of each of these.
FEW_VIEWS = "all nid1 orders churn_a churn_b not_churn handles memcg".split()
CROWDED_CPU = "0"
# processes that are killed, two at a time
KILLS = 36
# an eighth of 1 GiB, of both nodes and all zones, so that views are small enough to judge many
SLICE = "0x0-0x1fff,0x14000-0x15fff,0x20000-0x21fff,0x34000-0x35fff"
KINDS = "text stacks file new_file pin delegated_pin replace cat threads".split()


def churn(comm: bytes) -> int:
    """A process that allocates and frees until SIGUSR1 stops it, with all it has: its pid. All churners have the same
    stacks, so that a page that goes from one to the other changes nothing but its owner."""
    pid = os.fork()
    if pid:
        return pid
    set_comm(comm)
    must_stop = threading.Event()
    signal.signal(signal.SIGUSR1, lambda *_: must_stop.set())
    while True:
        area = mmap.mmap(-1, CHURN_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        for at in range(0, CHURN_BYTES, PAGE):
            area[at] = 1
        if must_stop.is_set():
            os.kill(os.getpid(), signal.SIGSTOP)
        area.close()
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        # the readers are to have CPU time as well
        time.sleep(CHURN_PAUSE_SECONDS)


def zones() -> list[str]:
    """Names by number; every node lists all of them."""
    found = re.findall(r"zone +(\w+)", pathlib.Path("/proc/zoneinfo").read_text(encoding="ascii"))
    return list(dict.fromkeys(found))


def common_handles(collector: Collector) -> str:
    """Those of the stacks that own most, and of some that own little."""
    text = subprocess.run(
        [collector.pobpf, "stacks"], capture_output=True, check=True
    ).stdout.decode(errors="replace")
    handles = re.findall(r"^handle: (\d+)$", text, re.MULTILINE)
    return ",".join(handles[2:6] + handles[50:150:10])


def make_views(collector: Collector, tgid: int) -> dict[str, list[str]]:
    """20 views, or FEW_VIEWS of them: other nodes, modes and filters each."""
    sliced = ["--pfn", SLICE]
    views = {
        "all": [],
        "nid0": ["--nid", "0", *sliced],
        "nid1": ["--nid", "1", "--comm", "churn_*,anon*,thp"],
        "orders": ["--order", "1-"],
        "order0_nid1": ["--order", "0", "--nid", "1", *sliced],
        "tgid": ["--tgid", str(tgid)],
        "not_tgid": ["--not-tgid", f"0,{tgid}", *sliced],
        "unmovable": ["--migratetype", "Unmovable", *sliced],
        "movable_nid0": ["--migratetype", "Movable", "--nid", "0", "--comm", "[!p]*"],
        "reclaimable": ["--migratetype", "Reclaimable"],
        "pfn": sliced,
        "zone": ["--zone", "Movable", "--not-comm", "p*"],
        "churn_a": ["--comm", "churn_a"],
        "churn_b": ["--comm", "churn_b"],
        "churns_nid1": ["--comm", "churn_?", "--nid", "1"],
        "not_churn": ["--not-comm", "churn_*,p*", *sliced],
        "handles": ["--handle", common_handles(collector)],
        "symbol": ["--symbol", "*_fork,copy_process"],
        "memcg": ["--memcg", f"/{CHILD_MEMCG}"],
        "flags": ["--flags", "lru,uptodate", *sliced],
    }
    modes = ("handle", "stack", "stack_handle")
    for i, name in enumerate(views):
        views[name] += ["--mode", modes[i % 3]]
    # records without a stack could not be judged by it
    views["symbol"][-1] = "stack"
    if not collector.is_whole:
        views = {name: views[name] for name in FEW_VIEWS}
    return views


@dataclass
class Running:
    name: str
    view: str
    process: subprocess.Popen


class Readers:
    """Starts all of them at once: 64, or 24."""

    def __init__(self, collector: Collector, views: dict[str, list[str]]) -> None:
        self._collector = collector
        self._views = views
        self._cats = CATS if collector.is_whole else dict.fromkeys(FEW_VIEWS, 1)
        self._threads = str(collector.build / "tests" / "vm" / "pobpf_reader_threads")

    def _start(self, name: str, view: str, argv: list[str], until: ExitStack) -> Running:
        """Its output is complete when `until` is closed."""
        out = until.enter_context(in_large_writes(self._collector.directory / f"{name}.out"))
        with open(self._collector.directory / f"{name}.err", "wb") as err:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        return Running(name, view, process)

    def threads(self, phase: str, *flags: str, views: list[str] | None = None) -> list[str]:
        """The command line of one process with a thread a view."""
        chosen = views or list(self._views)
        path = self._collector.directory / f"{phase}.list"
        path.write_text(
            "".join("\t".join([f"{phase}_{n}", *self._views[n]]) + "\n" for n in chosen),
            encoding="utf-8",
        )
        return [self._threads, str(self._collector.directory), str(path), *flags]

    def at_once(self, phase: str) -> None:
        with ExitStack() as until:
            running = [
                self._start(
                    f"{phase}_threads", "", self.threads(f"{phase}_thread", "--cpu", CROWDED_CPU), until
                )
            ]
            for view, arguments in self._views.items():
                argv = [self._collector.pobpf, *arguments]
                running.append(self._start(f"{phase}_process_{view}", view, argv, until))
            for view, count in self._cats.items():
                for i in range(count):
                    argv = ["cat", str(PINS / view)]
                    running.append(self._start(f"{phase}_cat{i}_{view}", view, argv, until))
            for reader in running:
                self._collector.results[reader.name] = {
                    "status": reader.process.wait(), "view": reader.view
                }  # fmt: skip

    def alone(self, phase: str) -> None:
        """Each view by a reader of one object, nobody else reading."""
        subprocess.run(self.threads(phase, "--alone"), check=True)


class Bystander(threading.Thread):
    """Runs a command again and again; every output has to be whole."""

    def __init__(self, collector: Collector, name: str, argv: Callable[[str], list[str]]) -> None:
        super().__init__()
        self._collector = collector
        self._name = name
        self._argv = argv
        self._must_end = threading.Event()
        self.count = 0

    def run(self) -> None:
        while not self._must_end.is_set():
            name = f"beside_{self._name}_{self.count}"
            self._collector.run(name, self._argv(name))
            self.count += 1
            time.sleep(0.3)

    def end(self) -> None:
        self._must_end.set()
        self.join()


class Killing:
    """Starts a process of some kind and kills it at a moment of its life."""

    def __init__(self, collector: Collector, readers: Readers) -> None:
        self._collector = collector
        self._random = random.Random(collector.seed)
        pobpf = collector.pobpf
        self._argv = {
            "text": [pobpf, "--mode", "stack"],
            "stacks": [pobpf, "stacks", "--nid", "0"],
            "file": [pobpf, "--handles", "--nid", "1", "-o", str(FILES / "old")],
            "new_file": [pobpf, "--handles", "--nid", "1", "-o", str(FILES / "new")],
            "pin": [pobpf, "pin", "killed", "--nid", "1", "--handles"],
            "delegated_pin": [pobpf, "pin", "killed", "--nid", "1", "--chown", "nobody:nogroup"]
            + ["--chmod", "440"],
            "replace": [pobpf, "pin", "replaced", "--replace", "--nid", "1", "--chmod", "444"],
            "cat": ["cat", str(PINS / "all")],
            "threads": readers.threads("victim", views=["nid0", "nid1", "orders", "churn_a"]),
        }
        self._seconds: dict[str, float] = {}
        self.kills: list[dict] = []

    def _start(self, kind: str) -> subprocess.Popen:
        return subprocess.Popen(
            self._argv[kind], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def measure(self) -> None:
        """How long each kind lives if it is let live."""
        for kind in self._argv:
            self._prepare()
            started = time.monotonic()
            status = self._start(kind).wait()
            self._seconds[kind] = time.monotonic() - started
            self._collector.results[f"unkilled_{kind}"] = {"status": status}
            self._look({})

    def _prepare(self) -> None:
        if not (FILES / "old").exists():
            (FILES / "old").write_bytes(b"old\n")
        (FILES / "new").unlink(missing_ok=True)

    def _look(self, kill: dict) -> None:
        """Notes what is there now, and goes back to what was before."""
        kill["files"] = sorted(os.listdir(FILES))
        for name in kill["files"]:
            text = (FILES / name).read_bytes()
            # one record is as good as any to tell whole from cut
            kill[f"file_{name}"] = {"bytes": len(text), "ends": text[-2:].decode(errors="replace")}
        kill["pins"] = {}
        for name in os.listdir(PINS):
            info = os.stat(PINS / name)
            kill["pins"][name] = [info.st_uid, info.st_gid, oct(info.st_mode & 0o777)]
        (PINS / "killed").unlink(missing_ok=True)

    def go_on(self) -> None:
        for i in range(KILLS // 2):
            self._prepare()
            pair = []
            for kind in (KINDS[i % len(KINDS)], KINDS[(i + 4) % len(KINDS)]):
                delay = self._random.uniform(0, 1.5 * self._seconds[kind])
                pair.append((delay, kind, self._start(kind)))
            started = time.monotonic()
            kill: dict = {"victims": []}
            for delay, kind, process in sorted(pair, key=lambda victim: victim[0]):
                time.sleep(max(0.0, started + delay - time.monotonic()))
                process.kill()
                kill["victims"].append([kind, round(delay, 3), process.wait()])
            self._look(kill)
            self.kills.append(kill)


def settled(wanted: dict[str, list[str]] | None = None) -> dict[str, list[str]]:
    """bpf_ids() as soon as they are those wanted, or no longer change: maps go after a grace
    period."""
    last = None
    for _ in range(40):
        now = bpf_ids()
        if now == (wanted or last):
            break
        last = now
        time.sleep(0.25)
    return now


def read_slowly(pin: pathlib.Path, collector: Collector, must_end: threading.Event) -> None:
    """One reading of a pin that goes on all the while."""
    with (
        open(pin, "rb", buffering=0) as source,
        open(collector.directory / "slow.out", "wb") as out,
    ):
        while text := source.read(4096):
            out.write(text)
            if not must_end.is_set():
                time.sleep(0.1)
    collector.results["slow"] = {"status": 0}


def leave_leftovers(collector: Collector) -> None:
    """Makes what a kill between pinning and renaming leaves behind, which hardly ever happens, and
    what a process leaves that is still at it."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    names = {"dead": f"{gone.pid}~", "living": f"{os.getpid()}~"}
    # in this order: the second pin would take the first one's leftover away
    for kind in ("living", "dead"):
        collector.run_pobpf("pin_planted", "pin", "planted", "--nid", "1")
        os.rename(PINS / "planted", PINS / names[kind])
    before = sorted(os.listdir(PINS))
    collector.run_pobpf("pin_next", "pin", "next", "--handles")
    collector.results["planted"] = {**names, "before": before, "after": sorted(os.listdir(PINS))}
    collector.run_pobpf("unpin_living", "unpin", names["living"])
    collector.results["pins_next"] = {"names": sorted(os.listdir(PINS))}


def kill_readers(collector: Collector, readers: Readers, views: dict[str, list[str]]) -> dict:
    """Kills readers beside others that are let live; what the host judges."""
    with_pins = settled()
    collector.run_pobpf("pin_replaced", "pin", "replaced", "--nid", "1", "--chmod", "444")
    collector.results["pins_before_kills"] = {"names": sorted(os.listdir(PINS))}
    killing = Killing(collector, readers)
    killing.measure()
    must_end = threading.Event()
    slow = threading.Thread(target=read_slowly, args=(PINS / "nid0", collector, must_end))
    bystanders = {
        "process": Bystander(collector, "process", lambda name: [collector.pobpf, *views["orders"]]),
        "cat": Bystander(collector, "cat", lambda name: ["cat", str(PINS / "orders")]),
    }
    for thread in (slow, *bystanders.values()):
        thread.start()
    killing.go_on()
    must_end.set()
    for bystander in bystanders.values():
        bystander.end()
    slow.join()
    leave_leftovers(collector)
    collector.run_pobpf("unpin_next", "unpin", "next", "replaced")
    return {
        "kills": killing.kills,
        "beside": {name: bystander.count for name, bystander in bystanders.items()},
        "with_pins": with_pins,
        "after_kills": settled(with_pins),
    }


def main() -> None:
    collector = Collector(is_on_one_cpu=False)
    workload = Workload(True)
    FILES.mkdir()
    workload.start()
    views = make_views(collector, workload.pids[0])
    before = bpf_ids()
    for view in CATS.keys() & views.keys():
        collector.run_pobpf(f"pin_{view}", "pin", view, *views[view])
    readers = Readers(collector, views)

    churners = [churn(comm) for comm in (b"churn_a", b"churn_b")]
    for pid in churners:
        # one CPU has most readers, these get their share of the other one
        os.setpriority(os.PRIO_PROCESS, pid, -5)
    seconds = {"began": time.monotonic()}
    readers.at_once("churn")
    # they keep what they have
    for pid in churners:
        os.kill(pid, signal.SIGUSR1)
        os.waitpid(pid, os.WUNTRACED)
    seconds["churn"] = time.monotonic()

    killed = kill_readers(collector, readers, views) if collector.is_whole else {}
    seconds["killed"] = time.monotonic()

    collector.run_pobpf("horizon", "--handles")
    readers.alone("before")
    seconds["before"] = time.monotonic()
    readers.at_once("quiet")
    seconds["quiet"] = time.monotonic()
    readers.alone("after")
    seconds["after"] = time.monotonic()
    for pid in churners:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    collector.run_pobpf("unpin_all", "unpin", "--all")
    after = settled(before)
    workload.stop()
    collector.save(
        views=views,
        seconds=seconds,
        zones=zones(),
        memcg=CHILD_MEMCG,
        cgroups=str(CGROUPS),
        before=before,
        after=after,
        **killed,
    )


if __name__ == "__main__":
    main()
