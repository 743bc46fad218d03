# SPDX-License-Identifier: GPL-2.0-only
"""The scripts in the guest have this in common: they run commands and leave what those print in a
directory that is shared with the host, which judges it. Nothing is judged in the guest."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import pathlib
import subprocess
import threading
import time
from collections.abc import Iterator

from workload import Workload, libc

DEBUGFS = pathlib.Path("/sys/kernel/debug")
SECOND_CPU = pathlib.Path("/sys/devices/system/cpu/cpu1/online")
# The size of one request of the file system that is shared with the host (scripts/vmlib/guest.py).
REQUEST_BYTES = 125 * 4096
# Whether it sends large pieces without a cache; from Linux 6.8 on only with one.
HAS_LARGE_UNCACHED_WRITES = tuple(map(int, os.uname().release.split(".")[:2])) < (6, 8)
SYNC_FILE_RANGE_ALL = 7  # wait before, write, wait after


def send(file: int, piece: memoryview, at: int) -> None:
    """Writes and leaves nothing in the page cache, which the tests look at."""
    if os.pwrite(file, piece, at) != len(piece):
        raise OSError("short write to the host")
    if HAS_LARGE_UNCACHED_WRITES:
        return
    # not fsync(), which would have the host write to its disk
    where = (ctypes.c_int64(at), ctypes.c_int64(len(piece)))
    if libc.sync_file_range(file, *where, SYNC_FILE_RANGE_ALL) != 0:
        raise OSError(ctypes.get_errno(), "sync_file_range")
    os.posix_fadvise(file, at, len(piece), os.POSIX_FADV_DONTNEED)


def relay(reader: int, path: pathlib.Path) -> None:
    # once, so that the collector's own memory holds still
    buffer = memoryview(bytearray(REQUEST_BYTES))
    at, held = 0, 0
    with open(path, "wb", buffering=0) as file, open(reader, "rb", buffering=0) as pipe:
        while nr_bytes := pipe.readinto(buffer[held:]):
            held += nr_bytes
            if held == REQUEST_BYTES:
                send(file.fileno(), buffer, at)
                at, held = at + held, 0
        if held:
            send(file.fileno(), buffer[:held], at)


@contextlib.contextmanager
def in_large_writes(path: pathlib.Path) -> Iterator[int]:
    """A pipe whose contents go to a file of the shared directory. Each request to it costs a
    millisecond or two, whatever its size, and who copies the kernel's file reads each record by
    itself: written like that, it takes 15 times as long."""
    if not HAS_LARGE_UNCACHED_WRITES:
        path = pathlib.Path(os.environ["POBPF_VM_STREAM"], path.name)
    reader, writer = os.pipe()
    thread = threading.Thread(target=relay, args=(reader, path))
    thread.start()
    try:
        yield writer
    finally:
        os.close(writer)
        thread.join()


def copy_of(source: pathlib.Path) -> list[str]:
    """Does what cat does, but cat would wake the relay for each record."""
    return ["dd", f"if={source}", "ibs=128k", f"obs={REQUEST_BYTES}", "status=none"]


def as_nobody(capabilities: str) -> list[str]:
    """The command that runs another as nobody with these capabilities and no other."""
    return [
        *("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"),
        *("--inh-caps", f"-all,{capabilities}", "--ambient-caps", f"-all,{capabilities}"),
        *("--bounding-set", f"-all,{capabilities}"),
    ]


def bpf_ids() -> dict[str, list[str]]:
    """Ids of everything that BPF has loaded."""
    ids = {}
    for kind in ("link", "prog", "map"):
        shown = subprocess.run(
            ["bpftool", kind, "show"], capture_output=True, text=True, check=False
        ).stdout
        ids[kind] = [line.split(":")[0] for line in shown.splitlines() if line[:1].isdigit()]
    return ids


class Collector:
    """Arguments: DIRECTORY BUILD [--no-child-memcg] [--whole] [--seed N], as collection.py of the
    host gives them."""

    def __init__(self, is_on_one_cpu: bool = True) -> None:
        parser = argparse.ArgumentParser()
        parser.add_argument("directory", type=pathlib.Path)
        parser.add_argument("build", type=pathlib.Path)
        parser.add_argument(
            "--no-child-memcg", action="store_true",
            help="the kernel's own file must not be read once a child memcg is charged",
        )
        parser.add_argument(
            "--whole", action="store_true", help="collect what does not depend on the kernel as well"
        )
        parser.add_argument("--seed", type=int, default=0)
        options = parser.parse_args()
        self.directory: pathlib.Path = options.directory
        self.build: pathlib.Path = options.build
        self.has_sound_memcg_text: bool = not options.no_child_memcg
        self.is_whole: bool = options.whole
        self.seed: int = options.seed
        self.pobpf = str(self.build / "static" / "pobpf")
        self.results: dict[str, dict] = {}
        # the host's, whose root this is
        os.environ["POBPF_CONFIG"] = "/dev/null"
        # Most of what is collected is one process at a time. With a second CPU the emulator would take
        # twice as long for it, as CPUs that wait for each other go on running instructions.
        if is_on_one_cpu:
            SECOND_CPU.write_text("0")

    @contextlib.contextmanager
    def on_all_cpus(self) -> Iterator[None]:
        """For what has to run at once. The clock of a CPU that comes back may be behind at first, and
        with it the times of what is allocated there."""
        SECOND_CPU.write_text("1")
        try:
            yield
        finally:
            SECOND_CPU.write_text("0")

    def start_workload(self) -> Workload:
        """All of it, with its marker, once what it set off has ended."""
        workload = Workload(self.has_sound_memcg_text)
        # what processes allocate is on the nodes of their CPUs
        with self.on_all_cpus():
            workload.start()
        time.sleep(1)
        workload.marker()
        return workload

    def run(self, name: str, argv: list[str], **options) -> int:
        """Runs argv; stdout and stderr to NAME.out and NAME.err. Returns the exit status."""
        started = time.monotonic()
        with (
            in_large_writes(self.directory / f"{name}.out") as out,
            open(self.directory / f"{name}.err", "wb") as err,
        ):
            status = subprocess.run(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, check=False, **options
            ).returncode
        self.results[name] = {
            "argv": argv,
            "status": status,
            "seconds": time.monotonic() - started,
        }
        return status

    def run_pobpf(self, name: str, *arguments: str) -> int:
        return self.run(name, [self.pobpf, *arguments])

    def copy(self, name: str, source: pathlib.Path) -> None:
        self.run(name, copy_of(source))

    def save(self, **facts) -> None:
        with open(self.directory / "results.json", "w", encoding="utf-8") as file:
            json.dump({"runs": self.results, **facts}, file, indent=1)
