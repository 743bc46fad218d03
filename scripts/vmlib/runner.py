"""Runs a command in a test machine and tells apart the ways in which that can end."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import os
import re
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from . import guest, qemu
from .errors import VmError
from .process import dies_with_parent

# QEMU 10.0 dies of this now and then (one boot of fifty) while the kernel gives PCI devices their
# addresses and another CPU is running. Nothing of the command has happened by then.
EMULATOR_CRASH = "iotlb_to_section: Assertion"
BOOTS_MAX = 4

# How long the guest may take to switch itself off after its work is done.
POWER_OFF_SECONDS = 10

# Console lines that mean a damaged kernel, after an optional time stamp.
BAD_CONSOLE_LINE = re.compile(
    r"^(?:\[[^\]]*\]\s*)*.*?(?:\bOops:|\bBUG:|kernel BUG at|Kernel panic|\bWARNING:)", re.MULTILINE
)


class Outcome(enum.Enum):
    """The ways in which a run ends."""

    FINISHED = "the command ended"
    LOST = "QEMU ended without the command's exit status"
    TIMEOUT = "the time is over"
    KERNEL = "the guest's kernel complained"


@dataclasses.dataclass(frozen=True)
class Run:
    """The command to run, and where.  The console file must exist; an empty one is right."""

    image: Path
    kernel_arguments: list[str]
    machine: qemu.Machine
    accelerator: str
    command: list[str]
    directory: str
    environment: dict[str, str]
    timeout_seconds: float
    share: str | None
    console: Path
    console_allowed: list[str]


@dataclasses.dataclass(frozen=True)
class Result:
    """How it ended.  status is the command's, if there is one; detail is a line for the user."""

    outcome: Outcome
    status: int | None
    detail: str


Sink = Callable[[bytes], None]


def run(job: Run, stdout: Sink, stderr: Sink) -> Result:
    """Boots, hands the command's output to the sinks as it comes, and returns when QEMU is gone."""
    for boots_left in range(BOOTS_MAX - 1, -1, -1):
        result, has_begun = _run_once(job, stdout, stderr)
        if has_begun or EMULATOR_CRASH not in result.detail or boots_left == 0:
            break
        print(f"booting again, as QEMU crashed: {result.detail}", file=sys.stderr)
        job.console.write_bytes(b"")
    return result


def _run_once(job: Run, stdout: Sink, stderr: Sink) -> tuple[Result, bool]:
    """How it ended, and whether anything came from the guest."""
    mark = secrets.token_hex(16)
    initramfs = guest.make_initramfs(job.command, job.directory, job.environment, mark, job.share)
    with tempfile.TemporaryDirectory(prefix="pobpf-vm-") as scratch:
        initramfs_file = Path(scratch) / "initramfs"
        initramfs_file.write_bytes(initramfs)
        complaints = Path(scratch) / "qemu-messages"
        with _started_qemu(job, initramfs_file, complaints) as (process, ports):
            streams = _Streams(ports, mark.encode(), stdout, stderr)
            timed_out = streams.pump(process, job.timeout_seconds)
            if streams.is_complete and not timed_out:
                streams.acknowledge()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(POWER_OFF_SECONDS)
        qemu_says = complaints.read_text(errors="replace").strip()
    return _judge(job, streams, timed_out, process.returncode, qemu_says), streams.has_begun


def _judge(
    job: Run, streams: _Streams, timed_out: bool, qemu_status: int, qemu_says: str
) -> Result:
    # A kernel in trouble explains a lost machine and a time-out, so it comes first.
    bad_line = bad_console_line(job.console, job.console_allowed)
    if bad_line is not None:
        return Result(Outcome.KERNEL, streams.status, bad_line)
    if timed_out:
        return Result(Outcome.TIMEOUT, None, f"after {job.timeout_seconds:g} seconds")
    if not streams.is_complete:
        detail = qemu_says or f"exit status of QEMU {qemu_status}, no message"
        return Result(Outcome.LOST, None, detail)
    return Result(Outcome.FINISHED, streams.status, "")


def bad_console_line(console: Path, allowed: list[str]) -> str | None:
    """The first line of the kernel that is bad news, and is not known to be none."""
    text = console.read_text(errors="replace")
    for match in BAD_CONSOLE_LINE.finditer(text):
        end = text.find("\n", match.end())
        line = text[match.start() : end if end >= 0 else None].strip()
        if not any(re.search(pattern, line) for pattern in allowed):
            return line
    return None


@contextlib.contextmanager
def _started_qemu(
    job: Run, initramfs: Path, complaints: Path
) -> Iterator[tuple[subprocess.Popen[bytes], list[socket.socket]]]:
    """A QEMU process that is dead on leaving, and our ends of its three ports."""
    pairs = [socket.socketpair() for _ in range(3)]
    theirs = [pair[1].fileno() for pair in pairs]
    line = qemu.command_line(
        job.machine,
        job.accelerator,
        job.image,
        initramfs,
        job.kernel_arguments,
        qemu.Channels(theirs[0], theirs[1], theirs[2], job.console),
        job.share,
    )
    try:
        process = spawn_qemu(line, complaints, theirs)
    finally:
        for _, their_end in pairs:
            their_end.close()
    try:
        yield process, [pair[0] for pair in pairs]
    finally:
        process.kill()
        process.wait()
        for our_end, _ in pairs:
            our_end.close()


def spawn_qemu(
    line: list[str], complaints: Path, descriptors: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """QEMU, which dies with this process; what it says goes to a file."""
    try:
        with complaints.open("wb") as output:
            return subprocess.Popen(
                line,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=descriptors,
                preexec_fn=dies_with_parent(signal.SIGKILL),
            )
    except FileNotFoundError as error:
        raise VmError(f"not installed: {line[0]}; run scripts/setup vm") from error


class _Streams:
    """The three ports: output on its way to the sinks, and the exit status."""

    def __init__(self, ports: list[socket.socket], mark: bytes, stdout: Sink, stderr: Sink) -> None:
        self._status_port = ports[2]
        self._status = bytearray()
        self.has_begun = False
        self._outputs = [_MarkedStream(mark, stdout), _MarkedStream(mark, stderr)]
        self._selector = selectors.DefaultSelector()
        sinks: list[Sink] = [self._outputs[0].feed, self._outputs[1].feed, self._status.extend]
        for port, sink in zip(ports, sinks, strict=True):
            self._selector.register(port, selectors.EVENT_READ, sink)

    @property
    def status(self) -> int | None:
        """The command's exit status; anything but digits and a newline is none."""
        match = re.fullmatch(rb"(\d{1,3})\n", self._status)
        return int(match[1]) if match else None

    @property
    def is_complete(self) -> bool:
        return self.status is not None and all(output.is_ended for output in self._outputs)

    def pump(self, process: subprocess.Popen[bytes], timeout_seconds: float) -> bool:
        """Moves output until it is complete or QEMU has ended; true if the time was over first."""
        deadline = time.monotonic() + timeout_seconds
        while not self.is_complete and self._selector.get_map():
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return True
            for key, _ in self._selector.select(remaining):
                try:
                    data = os.read(key.fd, 1 << 18)
                except ConnectionResetError:
                    data = b""
                if data:
                    self.has_begun = True
                    key.data(data)
                else:
                    # QEMU has closed its end: it has ended.
                    self._selector.unregister(key.fileobj)
        self._selector.close()
        if not self.is_complete:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(POWER_OFF_SECONDS)
        return False

    def acknowledge(self) -> None:
        """Lets the guest switch itself off."""
        with contextlib.suppress(BrokenPipeError):
            self._status_port.sendall(b"\n")


class _MarkedStream:
    """Hands on all bytes before the end mark, at once, except a tail that may be part of it."""

    def __init__(self, mark: bytes, sink: Sink) -> None:
        self._mark = mark
        self._sink = sink
        self._held = b""
        self.is_ended = False

    def feed(self, data: bytes) -> None:
        if self.is_ended:
            return
        data = self._held + data
        position = data.find(self._mark)
        if position >= 0:
            self.is_ended = True
            self._held = b""
            self._write(data[:position])
            return
        keep = next(
            length
            for length in range(min(len(self._mark) - 1, len(data)), -1, -1)
            if data.endswith(self._mark[:length])
        )
        self._held = data[len(data) - keep :]
        self._write(data[: len(data) - keep])

    def _write(self, data: bytes) -> None:
        if data:
            self._sink(data)
