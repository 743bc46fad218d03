#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs in the guest: makes what needs whole blocks of memory fail, by pages that are planted there,
asks pobpf blockers why, and tries again once they are gone. All output goes to a directory shared with
the host, which judges it (blockers_test.py)."""

import contextlib
import ctypes
import json
import mmap
import os
import pathlib
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from collector import Collector  # noqa: E402
from workload import PAGE, libc, set_comm  # noqa: E402

MADV_POPULATE_WRITE = 23
MADV_DONTNEED = 4
SYS_SET_MEMPOLICY = 238  # x86-64
MPOL_BIND = 2
MEMORY = pathlib.Path("/sys/devices/system/memory")
HUGE_PAGES = 512
CHUNK = 4 << 20
OFFLINE_SECONDS = 15
PFN_MASK = (1 << 55) - 1
KPF_RESERVED = 1 << 32
PINNED_BLOCKS = 24

libc.vmsplice.restype = ctypes.c_ssize_t


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def address_of(area: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(area))


def pin(address: int) -> tuple[int, int]:
    """A reference to the page as long as the pipe lives: nothing that its mappings explain."""
    reader, writer = os.pipe()
    if libc.vmsplice(writer, ctypes.byref(Iovec(address, PAGE)), 1, 0) != PAGE:
        raise OSError(ctypes.get_errno(), "vmsplice")
    return reader, writer


def pfns_at(address: int, nr_pages: int) -> list[int]:
    with open("/proc/self/pagemap", "rb", buffering=0) as file:
        words = os.pread(file.fileno(), 8 * nr_pages, address // PAGE * 8)
    return [word & PFN_MASK for word in struct.unpack(f"{nr_pages}Q", words)]


def bind_to_node(nid: int) -> None:
    mask = ctypes.c_ulong(1 << nid)
    if libc.syscall(SYS_SET_MEMPOLICY, MPOL_BIND, ctypes.byref(mask), 64) != 0:
        raise OSError(ctypes.get_errno(), "set_mempolicy")


def free_bytes(nid: int) -> int:
    text = pathlib.Path(f"/sys/devices/system/node/node{nid}/meminfo").read_text("ascii")
    return next(int(line.split()[3]) << 10 for line in text.splitlines() if "MemFree:" in line)


def pin_one_in(first: int, end: int, nid: int) -> dict:
    """Takes memory of the node until a page of it is among these PFNs, pins that, and gives the rest
    back."""
    bind_to_node(nid)
    chunks = []
    while free_bytes(nid) > 2 * CHUNK:
        area = mmap.mmap(-1, CHUNK, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        area.madvise(MADV_POPULATE_WRITE)
        chunks.append(area)
        base = address_of(area)
        for index, pfn in enumerate(pfns_at(base, CHUNK // PAGE)):
            if not first <= pfn < end:
                continue
            held = pin(base + index * PAGE)
            for chunk in chunks:
                chunk.madvise(MADV_DONTNEED)
            return {"pfn": pfn, "held": held}
    return {}


def pin_in_many_blocks() -> dict:
    """Pins a page in each of some pageblocks, and frees all that is around it."""
    area = mmap.mmap(-1, 4 * PINNED_BLOCKS << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    area.madvise(MADV_POPULATE_WRITE)
    base = address_of(area)
    blocks: dict[int, list] = {}
    for index, pfn in enumerate(pfns_at(base, len(area) // PAGE)):
        if pfn and pfn // HUGE_PAGES not in blocks and len(blocks) < PINNED_BLOCKS:
            blocks[pfn // HUGE_PAGES] = [pfn, pin(base + index * PAGE)]
    area.madvise(MADV_DONTNEED)
    return {"pfns": [pfn for pfn, _ in blocks.values()], "held": list(blocks.values())}


def hold_slab() -> dict:
    """Memory of the kernel that cannot be moved, until it is given back."""
    return {"held": [os.pipe() for _ in range(400)] + [os.memfd_create("a") for _ in range(400)]}


@contextlib.contextmanager
def holding(comm: bytes, hold: Callable[[], dict]) -> Iterator[dict]:
    """A process of that name says what it holds meanwhile."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        set_comm(comm)
        try:
            facts = hold()
            os.write(writer, json.dumps({k: v for k, v in facts.items() if k != "held"}).encode())
        finally:
            os.close(writer)
        signal.pause()
    os.close(writer)
    with open(reader, "rb") as pipe:
        facts = json.loads(pipe.read() or b"{}")
    try:
        yield facts
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def node_of_block(block: pathlib.Path) -> int:
    return next(int(node.name[4:]) for node in block.glob("node*"))


def block_pages() -> int:
    return int((MEMORY / "block_size_bytes").read_text("ascii"), 16) // PAGE


class Cases:
    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self.facts: dict[str, dict] = {}

    def ask(self, name: str, *arguments: str) -> None:
        self._collector.run_pobpf(name, "blockers", "--format", "json", "--stats", *arguments)

    def cma(self) -> None:
        """All of an area of CMA at once."""
        area = next(iter(sorted(pathlib.Path("/sys/kernel/debug/cma").iterdir())))
        first = int((area / "base_pfn").read_text("ascii"))
        nr_pages = int((area / "count").read_text("ascii"))
        memory_block = MEMORY / f"memory{first // block_pages()}"

        def allocate() -> bool:
            try:
                (area / "alloc").write_text(str(nr_pages))
            except OSError:
                return False
            (area / "free").write_text(str(nr_pages))
            return True

        facts: dict = {"name": area.name, "first": first, "nr_pages": nr_pages}
        facts["before"] = allocate()
        self.ask("cma.before", "--cma")
        nid = node_of_block(memory_block)
        with holding(b"pobpf_pin", lambda: pin_one_in(first, first + nr_pages, nid)) as held:
            facts["held"] = held
            facts["pinned"] = allocate()
            self.ask("cma.pinned", "--cma")
            self.ask("cma.named", "--cma", area.name.removeprefix("cma-"))
        facts["after"] = allocate()
        self.ask("cma.after", "--cma")
        self.facts["cma"] = facts

    def offline(self) -> None:
        """A block of memory that goes offline, but for a page."""

        def put(block: pathlib.Path, state: str) -> bool:
            # the kernel tries again and again until a signal comes
            script = f"import pathlib; pathlib.Path({str(block / 'state')!r}).write_text({state!r})"
            try:
                return (
                    subprocess.run(
                        [sys.executable, "-c", script], check=False, timeout=OFFLINE_SECONDS,
                        stderr=subprocess.DEVNULL,
                    ).returncode
                    == 0
                )
            except subprocess.TimeoutExpired:
                return False

        def zones(block: pathlib.Path) -> str:
            try:
                return (block / "valid_zones").read_text("ascii")
            except OSError:
                return ""

        for block in sorted(MEMORY.glob("memory[0-9]*")):
            if not zones(block).startswith("Movable") or not put(block, "offline"):
                continue
            put(block, "online_movable")
            number = int(block.name[6:])
            first = number * block_pages()
            facts: dict = {"number": number}
            held_in = lambda: pin_one_in(first, first + block_pages(), node_of_block(block))  # noqa: E731
            with holding(b"pobpf_pin", held_in) as held:
                facts["held"] = held
                self.ask("offline.pinned", "--memory-block", str(number))
                facts["pinned"] = put(block, "offline")
            self.ask("offline.after", "--memory-block", str(number))
            facts["after"] = put(block, "offline")
            put(block, "online_movable")
            self.facts["offline"] = facts
            return

    def huge_pages(self) -> None:
        """As many huge pages as there can be."""
        limit = pathlib.Path("/proc/sys/vm/nr_hugepages")

        def most() -> int:
            """A request ends at the first page that cannot be had at once, so it is made again."""
            number = 0
            for _ in range(4):
                pathlib.Path("/proc/sys/vm/compact_memory").write_text("1")
                limit.write_text("1000")
                number = int(limit.read_text("ascii"))
            limit.write_text("0")
            return number

        facts: dict = {}
        with holding(b"pobpf_pin", pin_in_many_blocks) as held:
            facts["held"] = held
            blocks = ",".join(f"{pfn:#x}" for pfn in held["pfns"])
            self.ask("huge.pinned", "--pfn", blocks)
            self.ask("huge.pinned.all")
            facts["pinned"] = most()
        self.ask("huge.after", "--pfn", blocks)
        facts["after"] = most()
        self.facts["huge"] = facts

    def slab(self) -> None:
        with holding(b"pobpf_slab", hold_slab):
            self._collector.run(
                "record", [self._collector.pobpf, "record", "-o",
                           str(self._collector.directory / "record.pobpf")],
            )  # fmt: skip
            # what the process gave back at its beginning has gone by then
            self.ask("slab.held", "--by", "comm")

    def reserved(self) -> None:
        """The smallest blocks, so that few of them are partly memory."""
        self.ask("reserved", "--order", "1", "--by", "comm")
        pages = 0
        with open("/proc/kpageflags", "rb", buffering=0) as file:
            # whole words only
            while words := file.read(1 << 20):
                pages += sum(1 for word in memoryview(words).cast("Q") if word & KPF_RESERVED)
        self.facts["reserved"] = {"pages": pages}

    def others(self) -> None:
        """Formats, and what is refused."""
        run = self._collector.run_pobpf
        run("text", "blockers", "--limit", "3")
        run("csv", "blockers", "--limit", "3", "--format", "csv")
        run("stack", "blockers", "--by", "stack", "--limit", "2")
        run("zone", "blockers", "--zone", "DMA", "--format", "json")
        run("nid", "blockers", "--nid", "1", "--format", "json")
        run("no_area", "blockers", "--cma", "nonsense")
        run("no_block", "blockers", "--memory-block", "9999")
        for feature in ("may-goto", "rdonly-cast", "bpf-loop", "task-name"):
            run(f"no.{feature}", "blockers", "--no-feature", feature, "--by", "function",
                "--format", "json")  # fmt: skip


def main() -> None:
    collector = Collector()
    cases = Cases(collector)
    # before memory is filled and emptied
    cases.reserved()
    cases.slab()
    cases.huge_pages()
    cases.cma()
    cases.offline()
    cases.others()
    collector.save(facts=cases.facts)


if __name__ == "__main__":
    main()
