#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs in the guest: makes pages of every kind, lets pobpf page and the kernel's own files describe
them, and leaves it all in a directory shared with the host, which compares (page_test.py)."""

import json
import mmap
import os
import pathlib
import re
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Sequence

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import workload  # noqa: E402
from collector import DEBUGFS, Collector, as_nobody  # noqa: E402
from workload import PAGE, Workload  # noqa: E402

PROC = pathlib.Path("/proc")
PFN_MASK = (1 << 55) - 1
SAMPLE = 4096  # pages of one run of pobpf page
CHURN = 1024


def read_words(name: str, pfns: Sequence[int]) -> list[int]:
    with open(PROC / name, "rb", buffering=0) as file:
        return [struct.unpack("Q", os.pread(file.fileno(), 8, 8 * pfn))[0] for pfn in pfns]


def pagemap_of(pid: int, address: int) -> int:
    with open(PROC / str(pid) / "pagemap", "rb", buffering=0) as file:
        return struct.unpack("Q", os.pread(file.fileno(), 8, address // PAGE * 8))[0]


class Pages:
    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self.facts: dict = {}

    def run(self, *arguments: str, prefix: Sequence[str] = ()) -> dict:
        result = subprocess.run(
            [*prefix, self._collector.pobpf, "page", *arguments],
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return {
            "status": result.returncode,
            "out": result.stdout.decode(),
            "err": result.stderr.decode(),
        }

    def one(self, pfn: int) -> dict:
        result = self.run(hex(pfn), "--format", "json")
        if result["status"] != 0:
            sys.exit(f"pobpf page {pfn:#x}: {result}")
        return json.loads(result["out"])

    def lifetimes(self) -> None:
        """A page before and after its process frees it, with what /proc says of it meanwhile."""
        rounds = []
        for _ in range(2):
            # the second is freed as one
            for kind in ("base", "thp"):
                rounds.append(self.lifetime(kind))
        self.facts["lifetimes"] = rounds

    def lifetime(self, kind: str) -> dict:
        parent, child = os.pipe(), os.pipe()
        pid = os.fork()
        if pid == 0:
            workload.set_comm(b"page_child")
            # more than the per-CPU lists keep for whoever comes next
            size = 8 * workload.HUGE
            area = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            if kind == "thp":
                area.madvise(workload.MADV_HUGEPAGE)
            base = workload.ctypes.addressof(workload.ctypes.c_char.from_buffer(area))
            address = (base + 2 * workload.HUGE) // workload.HUGE * workload.HUGE
            for at in range(0, size, PAGE):
                area[at] = 1
            os.write(parent[1], struct.pack("Q", address))
            os.read(child[0], 1)
            # freed by this process, through madvise(), while it lives
            area.madvise(mmap.MADV_DONTNEED)
            os.write(parent[1], b"freed")
            os.read(child[0], 1)
            os._exit(0)
        address = struct.unpack("Q", os.read(parent[0], 8))[0]
        # page 3 of a huge page is a tail
        wanted = address + (3 * PAGE if kind == "thp" else 0)
        entry = pagemap_of(pid, wanted)
        pfn = entry & PFN_MASK
        before = self.one(pfn)
        by_address = self.run("--pid", str(pid), "--addr", hex(wanted), "--format", "json")
        by_physical = self.run("--phys", hex(pfn * PAGE + 123), "--format", "json")
        words = {
            name: read_words(name, [pfn])[0] for name in ("kpageflags", "kpagecount", "kpagecgroup")
        }
        os.write(child[1], b"x")
        os.read(parent[0], 5)
        after = self.one(pfn)
        text = self.run(hex(pfn))
        os.write(child[1], b"x")
        os.waitpid(pid, 0)
        for fd in (*parent, *child):
            os.close(fd)
        return {
            "kind": kind,
            "pid": pid,
            "pfn": pfn,
            "before": before,
            "by_address": by_address,
            "by_physical": by_physical,
            "words": words,
            "after": after,
            "after_text": text["out"],
        }

    def file(self) -> None:
        """A page of a file's, mapped."""
        path = pathlib.Path("/run/pobpf-cache")
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as area:
            byte = area[5 * PAGE]
            # the address: ctypes does not give that of a read-only mapping
            begin = int(
                re.search(
                    rf"^([0-9a-f]+)-.*{path}$", (PROC / "self/maps").read_text(), re.M
                )[1],
                16,
            )
            answer = self.run(
                "--pid", str(os.getpid()), "--addr", hex(begin + 5 * PAGE), "--format", "json"
            )
            text = self.run("--pid", str(os.getpid()), "--addr", hex(begin + 5 * PAGE))
        self.facts["file"] = {
            "byte": byte,
            "inode": path.stat().st_ino,
            "answer": answer,
            "text": text["out"],
        }

    def sample(self, name: str, pfns: list[int]) -> None:
        """Pages of the workload, with the kernel's words read before and after."""
        words = {}
        started = time.monotonic_ns()
        kinds = ("kpageflags", "kpagecount", "kpagecgroup")
        for turn in ("1", "2"):
            for kind in kinds:
                words[f"{kind}.{turn}"] = read_words(kind, pfns)
            if turn == "1":
                result = self.run(*[hex(pfn) for pfn in pfns], "--format", "json", "-o",
                                  str(self._collector.directory / f"{name}.jsonl"))
                elapsed = time.monotonic_ns() - started
        self.facts[f"sample_{name}"] = {
            "pfns": pfns,
            "result": result,
            "elapsed_ns": elapsed,
            **words,
        }

    def debugfs(self, name: str) -> list[int]:
        """A reading of the kernel's own file; the PFNs in it."""
        self._collector.copy(name, DEBUGFS / "page_owner")
        data = (self._collector.directory / f"{name}.out").read_bytes()
        return [int(text, 0) for text in re.findall(rb"^PFN (0x[0-9a-f]+|\d+) type", data, re.M)]

    def errors(self) -> None:
        beyond = 1 << 40
        unprivileged = as_nobody("+bpf,+perfmon")
        # writes its own name when it runs and all of it is mapped
        holder = subprocess.Popen(
            [*unprivileged, "sh", "-c", "echo ready; read line"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        holder.stdout.readline()
        stack = re.search(
            r"^([0-9a-f]+)-", (PROC / str(holder.pid) / "maps").read_text(), re.M
        )[1]
        untouched = mmap.mmap(-1, 64 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        base = workload.ctypes.addressof(workload.ctypes.c_char.from_buffer(untouched))
        self.facts["errors"] = {
            "no_pfn": self.run(hex(beyond)),
            "no_range": self.run(f"{beyond:#x}+16"),
            "no_phys": self.run("--phys", hex(beyond * PAGE)),
            "no_process": self.run("--pid", "4194304", "--addr", "0x1000"),
            "kernel_thread": self.run("--pid", "2", "--addr", "0x1000"),
            "unmapped": self.run("--pid", str(os.getpid()), "--addr", "0x1000"),
            "kernel_address": self.run("--pid", str(os.getpid()), "--addr", "0xffffffff81000000"),
            "untouched": self.run("--pid", str(os.getpid()), "--addr", hex(base + 32 * PAGE)),
            # may trace itself and its like, but has no CAP_SYS_ADMIN
            "hidden": self.run(
                "--pid", str(holder.pid), "--addr", "0x" + stack, prefix=unprivileged
            ),
            "not_ours": self.run(
                "--pid", str(os.getpid()), "--addr", hex(base), prefix=unprivileged
            ),
            "unprivileged": self.run(
                "0x1000", prefix=("setpriv", "--reuid", "65534", "--clear-groups")
            ),
            "least_privilege": self.run("0x1000", "--format", "json", prefix=unprivileged),
        }
        del untouched
        holder.kill()
        holder.wait()

    def churn(self) -> None:
        """Pages that change all the time: nothing impossible, and status 4 if a page says so."""
        script = (
            "import mmap\n"
            "while True:\n"
            "  a = mmap.mmap(-1, 4 << 20)\n"
            "  for at in range(0, 4 << 20, 4096): a[at] = 1\n"
            "  a.close()\n"
        )
        churners = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(2)]
        time.sleep(0.5)
        entry = 0
        maps = (PROC / str(churners[0].pid) / "maps").read_text()
        for line in maps.splitlines():
            begin = int(line.split("-")[0], 16)
            if "rw" in line and begin < 1 << 47:
                entry = max(entry, pagemap_of(churners[0].pid, begin) & PFN_MASK)
        first = max(entry - CHURN // 2, 0)
        runs = []
        for _ in range(4):
            result = self.run(f"{first}+{CHURN}", "--format", "json")
            runs.append({k: result[k] for k in ("status", "err")})
            runs[-1]["lines"] = result["out"].count("\n")
            pages = [json.loads(line) for line in result["out"].splitlines()]
            runs[-1]["changed"] = sum(page["changed"] for page in pages)
            runs[-1]["states"] = sorted({page["state"] for page in pages})
            runs[-1]["orders"] = sorted(
                {page["allocation"]["order"] for page in pages if page.get("allocation")}
            )
        for churner in churners:
            churner.kill()
            churner.wait()
        self.facts["churn"] = runs

    def offline(self) -> None:
        """A memory block that is offline."""
        blocks = sorted(
            pathlib.Path("/sys/devices/system/memory").glob("memory[0-9]*"),
            key=lambda block: -int(block.name[len("memory") :]),
        )
        size = int(pathlib.Path("/sys/devices/system/memory/block_size_bytes").read_text(), 16)
        for block in blocks:
            try:
                if "Movable" not in (block / "valid_zones").read_text():
                    continue
                (block / "state").write_text("offline")
            except OSError:
                continue
            pfn = int(block.name[len("memory") :]) * size // PAGE
            self.facts["offline"] = self.run(f"{pfn}+2", "--format", "json")
            self.facts["offline_text"] = self.run(f"{pfn}")
            (block / "state").write_text("online_movable")
            return


def main() -> None:
    collector = Collector()
    pages = Pages(collector)
    load = Workload(collector.has_sound_memcg_text)
    # what processes allocate is on the nodes of their CPUs
    with collector.on_all_cpus():
        load.start()
    time.sleep(1)
    pages.lifetimes()
    pages.file()
    collector.run_pobpf("warm_up", "page", "1")
    owned = pages.debugfs("debugfs.1")
    pages.sample("owned", owned[:: max(1, len(owned) // SAMPLE) ][:SAMPLE])
    pages.debugfs("debugfs.2")
    # all pages of some blocks: tails, free pages, what nobody owns
    owned_blocks = sorted({pfn // 512 for pfn in owned})
    everything = [
        block * 512 + i
        for block in owned_blocks[:: max(1, len(owned_blocks) // 16)]
        for i in range(0, 512, 2)
    ]
    pages.sample("blocks", everything[:SAMPLE])
    if collector.is_whole:
        pages.errors()
    with collector.on_all_cpus():
        pages.churn()
    pages.offline()
    load.stop()
    pages.facts["cgroup_inodes"] = {
        str(os.stat(path).st_ino): os.path.relpath(path, workload.CGROUPS)
        for path in [workload.CGROUPS, *workload.CGROUPS.rglob("*/")]
        if path.is_dir()
    }
    collector.save(facts=pages.facts)


if __name__ == "__main__":
    # workers of the workload end by signals; nobody waits for them in a signal handler
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    main()
