"""A machine that boots from a disk, with systemd, and whose power can be cut.

It reports through its shared directory: the program `start` of it (debian_root.py) runs in it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from . import qemu
from .errors import VmError
from .guest import SHARE_TAG
from .runner import Outcome, Result, Sink, bad_console_line, spawn_qemu

# Written by `start` last, under another name first.
STATUS_FILE = "status"
OUTPUT_FILE = "output"

POLL_SECONDS = 0.1


@dataclasses.dataclass(frozen=True)
class Disk:
    """A disk of the machine; `log` gets each write to it and each flush (write_log.py)."""

    image: Path
    driver: str = "raw"
    log: Path | None = None

    def arguments(self, name: str) -> list[str]:
        if self.log is None:
            node = f"driver={self.driver},node-name={name},file.driver=file"
            node += f",file.filename={qemu.escape(self.image)}"
        else:
            self.log.touch()
            node = f"driver=blklogwrites,node-name={name},log-super-update-interval=1"
            node += f",file.driver={self.driver},file.file.driver=file"
            node += f",file.file.filename={qemu.escape(self.image)}"
            # the log's own durability is of no use: only QEMU is killed, not this host
            node += f",log.driver=file,log.filename={qemu.escape(self.log)},log.cache.no-flush=on"
        return ["-blockdev", node, "-device", f"virtio-blk-pci,drive={name}"]


@dataclasses.dataclass(frozen=True)
class Boot:
    """The machine to boot. The first disk has the root; `clock` is seconds since 1970."""

    image: Path
    kernel_arguments: list[str]
    machine: qemu.Machine
    accelerator: str
    disks: list[Disk]
    clock: int
    share: Path
    console: Path
    console_allowed: list[str]


class SystemdMachine:
    """One boot. What `start` prints goes to the sink as it comes."""

    def __init__(self, boot: Boot, process: subprocess.Popen[bytes], complaints: Path, sink: Sink):
        self._boot = boot
        self._process = process
        self._complaints = complaints
        self._sink = sink
        self._nr_bytes = 0

    def wait(self, timeout_seconds: float, until: Callable[[], bool] = lambda: False) -> Result:
        """Until `start` has ended, or `until` says so: then the status is missing."""
        deadline = time.monotonic() + timeout_seconds
        status_file = self._boot.share / STATUS_FILE
        while True:
            is_over = self._process.poll() is not None
            status = status_file.read_text().strip() if status_file.exists() else None
            self._pass_on()
            # A kernel in trouble explains a lost machine and a time-out, so it comes first.
            bad_line = bad_console_line(self._boot.console, self._boot.console_allowed)
            if bad_line is not None:
                return Result(Outcome.KERNEL, None, bad_line)
            if status is not None:
                return Result(Outcome.FINISHED, int(status), "")
            if is_over:
                said = self._complaints.read_text(errors="replace").strip()
                detail = said or f"exit status of QEMU {self._process.returncode}, no message"
                return Result(Outcome.LOST, None, detail)
            if until():
                return Result(Outcome.FINISHED, None, "")
            if time.monotonic() > deadline:
                return Result(Outcome.TIMEOUT, None, f"after {timeout_seconds:g} seconds")
            time.sleep(POLL_SECONDS)

    def cut_power(self) -> None:
        """The machine is gone at once, with all that it has not written to its disks."""
        self._process.kill()
        self._process.wait()
        self._pass_on()

    def _pass_on(self) -> None:
        output = self._boot.share / OUTPUT_FILE
        if output.exists():
            with output.open("rb") as file:
                file.seek(self._nr_bytes)
                data = file.read()
            self._nr_bytes += len(data)
            if data:
                self._sink(data)


@contextlib.contextmanager
def booted(boot: Boot, scratch: Path, sink: Sink) -> Iterator[SystemdMachine]:
    """Dead on leaving."""
    boot.console.write_bytes(b"")
    for name in (STATUS_FILE, OUTPUT_FILE):
        (boot.share / name).unlink(missing_ok=True)
    arguments = [*boot.kernel_arguments, "root=/dev/vda", "rw", "rootflags=errors=panic"]
    line = qemu.begin_line(boot.machine, boot.accelerator, boot.image, arguments, boot.console)
    line += ["-rtc", "base=" + time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(boot.clock))]
    for number, disk in enumerate(boot.disks):
        line += disk.arguments(f"disk{number}")
    line += qemu.share_directory("share", str(boot.share), SHARE_TAG, ",multidevs=remap")
    complaints = scratch / "qemu-messages"
    process = spawn_qemu(line, complaints)
    try:
        yield SystemdMachine(boot, process, complaints, sink)
    finally:
        process.kill()
        process.wait()


def make_overlay(base: Path, overlay: Path) -> Disk:
    """A disk with the content of `base`, which stays as it is."""
    _run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(base), str(overlay))
    return Disk(overlay, "qcow2")


def make_ext4(image: Path, nr_blocks: int) -> None:
    """An empty file system of 4 KiB blocks."""
    # mkfs would say that it makes the file, however quiet it is to be
    image.touch()
    # all of it for the user that fills it; nothing that the kernel would still write later
    options = ["-q", "-F", "-b", "4096", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0"]
    _run("mkfs.ext4", *options, str(image), str(nr_blocks))


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    except FileNotFoundError as error:
        raise VmError(f"not installed: {command[0]}; run scripts/setup vm") from error
