#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs in the guest: makes the workload, lets the kernel and pobpf print it, and leaves all output
in a directory shared with the host, which compares (vm_test.py). Nothing is judged here.

collect.py DIRECTORY BUILD [--no-child-memcg]
"""

import contextlib
import ctypes
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from workload import Workload, libc  # noqa: E402

DEBUGFS = pathlib.Path("/sys/kernel/debug")
# Of one request of the file system that is shared with the host (scripts/vmlib/guest.py).
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
    """What cat does, but cat would wake the relay for each record."""
    return ["dd", f"if={source}", "ibs=128k", f"obs={REQUEST_BYTES}", "status=none"]


class Collector:
    def __init__(self, directory: str, build: str) -> None:
        self.directory = pathlib.Path(directory)
        self.pobpf = str(pathlib.Path(build) / "pobpf")
        self.results: dict[str, dict] = {}
        # the host's, whose root this is
        os.environ["POBPF_CONFIG"] = "/dev/null"

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


def write_sysctl(name: str, value: str) -> None:
    pathlib.Path("/proc/sys", name).write_text(value)


def views(collector: Collector) -> None:
    """All views between two readings of the kernel's own file: what both readings agree on must be
    in each of them."""
    page_owner = DEBUGFS / "page_owner"
    # everything that will run has run once: its files are in the page cache
    subprocess.run([collector.pobpf, "--stats", "-o", "/dev/null"], check=False)
    subprocess.run([collector.pobpf, "stacks", "-o", "/dev/null"], check=False)
    subprocess.run([collector.pobpf, "record", "-o", "/dev/null"], check=False)
    subprocess.run(["cat", str(DEBUGFS / "page_owner")], stdout=subprocess.DEVNULL, check=False)

    collector.copy("debugfs.1", page_owner)
    collector.run_pobpf("stack", "--stats")
    collector.run_pobpf("handle", "--mode", "handle")
    collector.run_pobpf("handles", "--handles")
    collector.run_pobpf("stack_handle", "--mode", "stack_handle")
    for nodes in ("0", "1", "0-1"):
        collector.run_pobpf(f"nid_{nodes}", "--nid", nodes, "--stats")
        collector.run_pobpf(f"nid_{nodes}_handle", "--nid", nodes, "--handles")
    collector.run_pobpf("nid_empty", "--nid", "")
    collector.run_pobpf("json", "--format", "json")
    collector.run_pobpf("probe_read", "--no-feature", "rdonly-cast")
    collector.run_pobpf("bpf_loop", "--no-feature", "may-goto")
    collector.run_pobpf("ksym_iterator", "--no-feature", "kallsyms-lookup")
    write_sysctl("kernel/kptr_restrict", "1")
    collector.run_pobpf("kptr_1")
    write_sysctl("kernel/kptr_restrict", "2")
    collector.run_pobpf("kptr_2")
    collector.run_pobpf("check_kptr_2", "check")
    write_sysctl("kernel/kptr_restrict", "0")
    with_capabilities(collector, "least_privilege", "+bpf,+perfmon")
    with_capabilities(collector, "three_capabilities", "+bpf,+perfmon,+syslog")
    recordings(collector)

    # the sums between two readings of what the kernel counts itself
    stacks = DEBUGFS / "page_owner_stacks"
    for turn in ("1", "2"):
        if (stacks / "show_stacks").exists():
            collector.copy(f"show_stacks.{turn}", stacks / "show_stacks")
        if turn == "1":
            collector.run_pobpf("stacks", "stacks")
            collector.run_pobpf("stacks_json", "stacks", "--format", "json")
            collector.run_pobpf("stacks_nid_1", "stacks", "--nid", "1", "--format", "json")
    if (stacks / "show_stacks_handles").exists():
        collector.copy("show_stacks_handles", stacks / "show_stacks_handles")

    collector.copy("debugfs.2", page_owner)

    page_owner_filter = pathlib.Path(os.environ.get("POBPF_VM_TOOLS", ""), "page_owner_filter")
    if page_owner_filter.exists():
        for mode in ("stack", "handle", "stack_handle"):
            for nodes in ("0", "1", "0-1"):
                collector.run(
                    f"filter_{mode}_{nodes}", [str(page_owner_filter), "-m", mode, "-n", nodes]
                )
        collector.copy("debugfs.3", page_owner)


def recordings(collector: Collector) -> None:
    """Snapshots, which the host reports from."""
    for name, arguments in {
        "record": ("--stats",),
        "record_free": ("--free",),
        "record_nid_1": ("--nid", "1"),
        "record_probe_read": ("--no-feature", "rdonly-cast"),
        "record_bpf_loop": ("--no-feature", "may-goto"),
    }.items():
        path = collector.directory / f"{name}.pobpf"
        collector.run_pobpf(name, "record", *arguments, "-o", str(path))


def as_nobody(capabilities: str) -> list[str]:
    """What runs a command as nobody with these capabilities and no other."""
    return [
        *("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"),
        *("--inh-caps", f"-all,{capabilities}", "--ambient-caps", f"-all,{capabilities}"),
        *("--bounding-set", f"-all,{capabilities}"),
    ]


def with_capabilities(collector: Collector, name: str, capabilities: str, *arguments: str) -> None:
    collector.run(name, [*as_nobody(capabilities), collector.pobpf, *arguments])


def held_privileges(collector: Collector) -> None:
    """What processes may still do once they print: lines of /proc/PID/status."""
    two = as_nobody("+bpf,+perfmon")
    for name, argv in {
        "pages": [*two, collector.pobpf],
        "record": [*two, collector.pobpf, "record", "-o", "-"],
        "stacks": [*two, collector.pobpf, "stacks"],
        "top_watch": [*two, collector.pobpf, "top", "--watch", "1"],
        "root": [collector.pobpf],
    }.items():
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            # what follows fills the pipe, so it is still printing
            seen = process.stdout.read1(1)
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
            process.kill()
        collector.results[f"held_{name}"] = {
            "has_printed": len(seen) == 1,
            "lines": dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line),
        }


def bad_places(collector: Collector) -> None:
    """Wrong usage, missing privileges, full disks, readers that leave."""
    collector.run_pobpf("nid_7", "--nid", "7")
    collector.run_pobpf("nid_0_7", "--nid", "0,7")
    collector.run_pobpf("nid_bad", "--nid", "0-")
    collector.run_pobpf("nid_abc", "--nid", "abc")
    collector.run(
        "unprivileged",
        ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", collector.pobpf],
    )
    collector.run(
        "unprivileged_check",
        ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        + [collector.pobpf, "check"],
    )
    with_capabilities(collector, "bpf_only", "+bpf")
    with_capabilities(collector, "perfmon_only", "+perfmon,+syslog")
    held_privileges(collector)
    collector.run_pobpf("check", "check")
    collector.run_pobpf("check_json", "check", "--format", "json")
    collector.run(
        "head", ["bash", "-c", 'set -o pipefail; "$0" | head -n 1; exit $?', collector.pobpf]
    )
    full = pathlib.Path("/run/full")
    full.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "full", str(full)], check=True)
    collector.run_pobpf("disk_full", "-o", str(full / "out"))
    collector.results["disk_full"]["left_behind"] = sorted(os.listdir(full))
    collector.run("dev_full", ["bash", "-c", '"$0" > /dev/full', collector.pobpf])
    file = pathlib.Path("/run/to_file")
    collector.run_pobpf("to_file", "-o", str(file))
    collector.copy("to_file_text", file)
    file.unlink()
    interrupt(collector)


def interrupt(collector: Collector) -> None:
    """Ctrl-C while the reader of our standard output does not read."""
    reader, writer = os.pipe()
    with subprocess.Popen([collector.pobpf], stdout=writer, stderr=subprocess.PIPE) as process:
        os.close(writer)
        # the pipe is full by then: 64 KiB are printed long before
        time.sleep(3)
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        collector.results["interrupted"] = {
            "status": process.returncode,
            "seconds": time.monotonic() - started,
        }
    os.close(reader)


def churn(collector: Collector) -> None:
    """Memory that is allocated, freed and taken offline under the walk."""
    script = (
        "import mmap,os,sys\n"
        "while True:\n"
        "  a = mmap.mmap(-1, 8 << 20)\n"
        "  for at in range(0, 8 << 20, 4096): a[at] = 1\n"
        "  a.close()\n"
        "  pid = os.fork()\n"
        "  if pid == 0: os._exit(0)\n"
        "  os.waitpid(pid, 0)\n"
    )
    churners = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(2)]
    blocks = removable_blocks()
    toggled: list[str] = []
    walker = subprocess.Popen(
        [sys.executable, "-c", TOGGLE, *[str(block) for block in blocks]],
        stdout=subprocess.PIPE,
        text=True,
    )
    for turn in range(6):
        collector.run_pobpf(f"churn_{turn}", "--handles", "--stats")
    walker.send_signal(signal.SIGTERM)
    toggled = walker.communicate()[0].split()
    for churner in churners:
        churner.kill()
        churner.wait()
    # a node's last block may hold reserved pages, and then never goes
    offline = next((block for block in blocks if put_block(block, "offline")), None)
    if offline is not None:
        collector.run_pobpf("offline_block", "--handles", "--stats")
        put_block(offline, "online_movable")
    collector.results["churn"] = {
        "blocks": [block.name for block in blocks],
        "toggled": len(toggled),
    }


# Takes one memory block offline and online again, until it is told to stop.
TOGGLE = """
import pathlib, signal, sys
stop = False
def on_term(*_):
    global stop
    stop = True
signal.signal(signal.SIGTERM, on_term)
blocks = [pathlib.Path(p) for p in sys.argv[1:]]
while not stop and blocks:
    for block in blocks:
        for state in ("offline", "online_movable"):
            try:
                (block / "state").write_text(state)
                print(state, flush=True)
            except OSError:
                pass
        if stop: break
"""


def removable_blocks() -> list[pathlib.Path]:
    """The last three blocks of the movable zone, which can mostly be emptied."""
    blocks = []
    for block in pathlib.Path("/sys/devices/system/memory").glob("memory*"):
        try:
            if (block / "valid_zones").read_text().split()[0] == "Movable":
                blocks.append(block)
        except (OSError, IndexError):
            continue
    blocks.sort(key=lambda block: int(block.name[len("memory") :]))
    return blocks[-3:]


def put_block(block: pathlib.Path, state: str) -> bool:
    for _ in range(6):
        try:
            # a state that it has already is an error to the kernel
            if (block / "state").read_text().strip() != state:
                (block / "state").write_text(state)
            return True
        except OSError as error:
            print(f"{block.name} {state}: {error}", file=sys.stderr)
            time.sleep(0.5)
    return False


def main() -> None:
    directory, build, *flags = sys.argv[1:]
    collector = Collector(directory, build)
    workload = Workload("--no-child-memcg" not in flags, os.environ["POBPF_VM_MODULES"])
    workload.start()
    # what the workload set off has ended
    time.sleep(1)
    workload.marker()
    views(collector)
    bad_places(collector)
    isolation = pathlib.Path(build) / "tests" / "vm" / "pobpf_isolation_test"
    collector.run("isolation", [str(isolation)])
    churn(collector)
    workload.stop()
    collector.save(made=workload.made, release=os.uname().release)


if __name__ == "__main__":
    main()
