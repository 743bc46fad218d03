# SPDX-License-Identifier: GPL-2.0-only
"""The tests of the package in a machine with systemd have this in common."""

import contextlib
import json
import mmap
import os
import pathlib
import random
import re
import subprocess
import sys
import time
import unittest
from collections.abc import Callable

import retention_oracle

SHARED = pathlib.Path(__file__).resolve().parent
PACKAGE = SHARED / "pobpf.deb"
SERVICE = "pobpf-snapshot.service"
TIMER = "pobpf-snapshot.timer"
PRESSURE = "pobpf-pressure.service"
DIRECTORY = pathlib.Path("/var/lib/pobpf")
SETTINGS = pathlib.Path("/etc/pobpf/pobpf.conf")
UNITS = pathlib.Path("/etc/systemd/system")
MOUNT = "var-lib-pobpf.mount"
DISK = "/dev/vdb"
EXPOSURE_BELOW = 2.0
# Emulated, and on a busy host.
TIMEOUT_SECONDS = 120
ERROR, INFO = "3", "6"

CAP_PERFMON, CAP_BPF = 38, 39
THE_TWO = 1 << CAP_PERFMON | 1 << CAP_BPF

rng = random.Random()
_result: unittest.TestResult | None = None


def run(*command: object, status: int | None = 0, errors: bool = False) -> str:
    """Output, that to stderr too if `errors`, of a command that is to end with `status`; None:
    with any."""
    result = subprocess.run(
        [str(word) for word in command],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    said = result.stdout + result.stderr
    if status is not None and result.returncode != status:
        raise AssertionError(f"{command}: status {result.returncode}:\n{said}")
    return said if errors else result.stdout


def show(unit: str, *properties: str) -> list[str]:
    """Values of properties of a unit, in this order."""
    lines = run("systemctl", "show", unit, f"--property={','.join(properties)}").splitlines()
    values = dict(line.split("=", 1) for line in lines)
    return [values[name] for name in properties]


def wait_for(what: str, condition: Callable[[], object], seconds: float = TIMEOUT_SECONDS):
    """The first value that is true."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds} s still not: {what}")
        time.sleep(0.03)


def names(directory: pathlib.Path = DIRECTORY) -> set[str]:
    return {name for name in os.listdir(directory) if name.endswith(".pobpf")}


def begun(directory: pathlib.Path = DIRECTORY) -> list[str]:
    """The files that a killed command may leave behind."""
    return [name for name in os.listdir(directory) if name.startswith(".pobpf-snapshot.")]


def contents(directory: pathlib.Path = DIRECTORY) -> dict[str, bytes]:
    return {name: (directory / name).read_bytes() for name in names(directory)}


def start(status: int = 0) -> str:
    """Takes a snapshot as the timer does; the invocation."""
    try:
        run("systemctl", "start", SERVICE, status=status)
    except AssertionError as error:
        # "see journalctl" helps nobody: the machine will be gone
        said = run("journalctl", "--no-pager", "--lines=20", f"--unit={SERVICE}")
        raise AssertionError(f"{error}\n{said}") from None
    return show(SERVICE, "InvocationID")[0]


def program_of(unit: str) -> int | None:
    """The process of a unit once it is pobpf: between fork and exec it is systemd, with all that
    systemd has."""
    pid = int(show(unit, "MainPID")[0])
    with contextlib.suppress(OSError):
        if pid != 0 and os.readlink(f"/proc/{pid}/exe") == "/usr/bin/pobpf":
            return pid
    return None


def is_busy(unit: str) -> bool:
    """A oneshot service runs, or is about to."""
    state, job = show(unit, "ActiveState", "Job")
    return state not in ("inactive", "failed") or job != ""


def wait_for_new(before: set[str], seconds: float = TIMEOUT_SECONDS) -> set[str]:
    """Snapshots that somebody else takes, once that is over."""
    wait_for("a new snapshot", lambda: names() - before, seconds)
    wait_for("the end of the run", lambda: not is_busy(SERVICE))
    return names() - before


def messages(invocation: str) -> list[tuple[str, str]]:
    """Priority and text of what one run of a service, not systemd of it, has said."""
    run("journalctl", "--sync")
    lines = run("journalctl", "--output=json", f"_SYSTEMD_INVOCATION_ID={invocation}").splitlines()
    entries = [json.loads(line) for line in lines]
    return [
        (entry["PRIORITY"], entry["MESSAGE"])
        for entry in entries
        if entry.get("SYSLOG_IDENTIFIER") == "pobpf"
    ]


def set_clock(seconds: float) -> None:
    time.clock_settime(time.CLOCK_REALTIME, seconds)


def next_hour() -> int:
    return (int(time.time()) // retention_oracle.HOUR + 1) * retention_oracle.HOUR


def write_unit(name: str, text: str) -> None:
    path = UNITS / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="ascii")
    run("systemctl", "daemon-reload")


def killed_for_memory() -> list[tuple[str, float]]:
    """All processes that the kernel has killed for lack of memory, and seconds since boot."""
    pattern = re.compile(r"^\[ *([\d.]+)\].*Killed process \d+ \((.*?)\)", re.MULTILINE)
    return [(name, float(seconds)) for seconds, name in pattern.findall(run("dmesg"))]


@contextlib.contextmanager
def settings(change: Callable[[str], str]):
    """Other settings for a while."""
    text = SETTINGS.read_text(encoding="utf-8")
    SETTINGS.write_text(change(text), encoding="utf-8")
    try:
        yield
    finally:
        SETTINGS.write_text(text, encoding="utf-8")


class Acknowledged:
    """Keeps what is known to be safe in a file beside it, written in place and past all caches: so
    each state that a disk was ever in has the list of its moment."""

    NAME = "acknowledged"
    SIZE = 16 << 10

    def __init__(self, directory: pathlib.Path) -> None:
        self._path = directory / self.NAME

    def prepare(self) -> None:
        """All that is not content is on the disk from now on."""
        self._path.write_bytes(b"[]".ljust(self.SIZE, b"\0"))
        os.sync()

    def write(self, safe: set[str]) -> None:
        # what O_DIRECT takes lies on whole pages
        with mmap.mmap(-1, self.SIZE) as memory:
            memory.write(json.dumps(sorted(safe)).encode("ascii"))
            file = os.open(self._path, os.O_WRONLY | os.O_DIRECT | os.O_DSYNC)
            try:
                if os.pwrite(file, memory, 0) != self.SIZE:
                    raise AssertionError("written in part")
            finally:
                os.close(file)

    def read(self) -> set[str]:
        return set(json.loads(self._path.read_bytes().rstrip(b"\0")))


class Machine(unittest.TestCase):
    """Tests that are steps of one story: they run in the order of `STEPS`, and each says how long
    it took. One that fails lets the others run, which tell more of what is wrong."""

    STEPS: tuple[str, ...] = ()
    maxDiff = None

    def setUp(self):
        begin = time.monotonic()
        self.addCleanup(lambda: print(f"({time.monotonic() - begin:.1f} s) ", end="", flush=True))

    def assert_up(self):
        """Nothing that the machine or its administrator wants to run has failed."""
        state = run("systemctl", "is-system-running", "--wait", status=None).strip()
        self.assertEqual(state, "running", run("systemctl", "list-units", "--failed"))

    def assert_whole(self, directory: pathlib.Path = DIRECTORY, known: pathlib.Path | None = None):
        """Each snapshot can be read from beginning to end, or is the same as that of a directory
        where it can."""
        lines = run("pobpf", "list", directory, "--format", "json").splitlines()
        states = {row["file"]: row["state"] for row in map(json.loads, lines)}
        self.assertEqual(states, dict.fromkeys(names(directory), "complete"))
        for name in names(directory):
            if known is not None and name in names(known):
                self.assertEqual((directory / name).read_bytes(), (known / name).read_bytes())
            else:
                run("pobpf", "report", "top", directory / name, "--by", "nid")

    def confined(self, unit: str) -> dict[str, int]:
        """The process of a unit is nobody and can gain nothing; its sets of capabilities."""
        pid = wait_for("the program runs", lambda: program_of(unit))
        lines = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
        status = dict(line.split(":", 1) for line in lines)
        status = {key: value.strip() for key, value in status.items()}
        print({key: value for key, value in status.items() if key.startswith(("Cap", "NoNew"))})
        uid, gid = run("id", "-u", "pobpf").strip(), run("id", "-g", "pobpf").strip()
        self.assertNotEqual(uid, "0")
        self.assertEqual(status["Uid"].split(), [uid] * 4)
        self.assertEqual(status["Gid"].split(), [gid] * 4)
        self.assertEqual(status["Groups"].split(), [gid])
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual(status["Seccomp"], "2")
        self.assertEqual(int(status["CapBnd"], 16), THE_TWO)
        return {key: int(value, 16) for key, value in status.items() if key.startswith("Cap")}


class TellsAtOnce(unittest.TextTestResult):
    """Failures, when they happen: the machine may be gone before the end."""

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.stream.writeln(self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self.stream.writeln(self.errors[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.stream.writeln((self.failures + self.errors)[-1][1])

def failed_steps() -> list[str]:
    """So far: for a story that does not come to its end."""
    if _result is None:
        raise AssertionError("no story is being told")
    return [str(step) for step, _ in _result.failures + _result.errors + _result.skipped]


def main(story: type[Machine]) -> None:
    """Runs a story; arguments are a seed and the names of steps, all if there is none."""
    global _result  # pylint: disable=global-statement
    seed, *steps = sys.argv[1:]
    rng.seed(int(seed))
    suite = unittest.TestSuite(story(step) for step in story.STEPS if not steps or step in steps)
    _result = TellsAtOnce(unittest.runner._WritelnDecorator(sys.stdout), True, 2)
    suite.run(_result)
    print(f"{_result.testsRun} steps, failed: {failed_steps()}", flush=True)
    sys.exit(0 if _result.testsRun > 0 and not failed_steps() else 1)
