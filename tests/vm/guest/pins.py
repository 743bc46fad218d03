#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs in the guest: pins, what cat reads of them, and what pobpf says of the same views. Leaves all
output in a directory shared with the host, which compares (pins_test.py). Nothing is judged here."""

import contextlib
import ctypes
import mmap
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from collector import Collector, bpf_ids, in_large_writes  # noqa: E402
from workload import CGROUPS, Workload, set_comm  # noqa: E402

# as long as a name can be, and longer than the kernel prints
LONG_MEMCG = "pobpf-" + "m" * 200
LONG_COMM = b"fifteen\nbytes\t!"
PINS = pathlib.Path("/sys/fs/bpf/pobpf")
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
NOBODY += ["--inh-caps=-all", "--bounding-set=-all"]
# Each name is a view: the arguments of pobpf and of pobpf pin. All of the machine is read in the mode
# that prints least, and each mode and node once more.
VIEWS = {
    "handle": ["--mode", "handle"],
    "longest": ["--memcg", f"/{LONG_MEMCG}", "--mode", "stack_handle"],
    **{
        f"nid{n}-{mode}": ["--nid", n, "--mode", mode]
        for n, mode in (("0", "stack"), ("1", "handle"), ("1", "stack_handle"))
    },
}
# each rejects every page of the machine at another place of the filter
NOTHING = {
    "nothing_order": ["--order", "10-", "--migratetype", "Reclaimable"],
    "nothing_comm": ["--comm", "no_such_task"],
    "nothing_tgid": ["--tgid", "4194303", "--mode", "stack_handle"],
    "nothing_symbol": ["--symbol", "panic"],
}
# the same views, made in another way: what pobpf pin takes and pobpf does not
VARIANTS = {
    "probe": ("nid1-stack_handle", ["-v", "--no-feature", "rdonly-cast"]),
    "each": ("nid1-stack_handle", ["-v", "--no-feature", "bpf-loop"]),
    # one or two records a call, so that positions are kept many thousand times
    "tight": ("nid1-stack_handle", ["--frame-bytes", "1850"]),
    # no record with a stack fits: numbers in their place
    "overlong": ("longest", ["--frame-bytes", "100000"]),
}


def hold_longest() -> int:
    """A process whose pages have the longest records: deep stacks, many flags, a long cgroup."""
    (CGROUPS / LONG_MEMCG).mkdir()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        os.read(reader, 1)
        return pid
    (CGROUPS / LONG_MEMCG / "cgroup.procs").write_text(str(os.getpid()))
    set_comm(LONG_COMM)
    path = pathlib.Path("/run/pobpf-longest")
    path.write_bytes(b"x" * (5 << 20))
    with open(path, "r+b") as file:
        area = mmap.mmap(file.fileno(), 5 << 20)
    ctypes.CDLL(None).mlockall(1)  # MCL_CURRENT
    for at in range(0, 5 << 20, mmap.PAGESIZE):
        area[at] = 2
    # pages of the overlay and of what is below it, from the depth of both file systems
    for path in sorted(pathlib.Path("/usr/bin").iterdir()):
        if path.is_file() and 20_000 < path.stat().st_size < 30_000:
            path.read_bytes()
    os.write(writer, b"x")
    while True:
        signal.pause()


def cat(collector: Collector, name: str, pin: str, prefix: list[str] | None = None) -> None:
    collector.run(name, [*(prefix or []), "cat", str(PINS / pin)])


def views(collector: Collector) -> None:
    for name, arguments in NOTHING.items():
        collector.run_pobpf(f"pin_{name}", "pin", name, *arguments)
        cat(collector, f"cat_{name}", name)
        collector.run_pobpf(f"unpin_{name}", "unpin", name)
    for name, arguments in VIEWS.items():
        collector.run_pobpf(f"pin_{name}", "pin", name, *arguments)
    for name, (view, arguments) in VARIANTS.items():
        collector.run_pobpf(f"pin_{name}", "pin", name, *VIEWS[view], *arguments)
    collector.run_pobpf("pins", "pins")
    collector.run_pobpf("pins_json", "pins", "--format", "json")
    # everything that will run has run once: its files are in the page cache
    collector.run_pobpf("horizon", "--handles")
    for turn in ("before", "after"):
        for name, arguments in VIEWS.items():
            collector.run_pobpf(f"{turn}_{name}", *arguments)
        if turn == "after":
            break
        for name in [*VIEWS, *VARIANTS]:
            cat(collector, f"cat_{name}", name)
        # small reads leave rests in the buffer
        collector.run(
            "longest_small",
            ["dd", f"if={PINS / 'longest'}", "ibs=100", "obs=64k", "status=none"],
        )
        some = PINS / "nid1-stack_handle"
        collector.run("small_reads", ["dd", f"if={some}", "bs=1000", "status=none"])
        # the position is the file's, not the process's
        collector.run(
            "two_processes", ["sh", "-c", f"{{ head -c 100000; cat; }} <{some}"]
        )
        at_once(collector)


def at_once(collector: Collector) -> None:
    """Several cats of one pin and of others; concurrency.py has many on two CPUs."""
    names = ["nid1-handle", "nid1-handle", "nid1-stack_handle", "nid0-stack", "nid1-stack_handle"]
    running = []
    with contextlib.ExitStack() as stack:
        for i, name in enumerate(names):
            out = stack.enter_context(in_large_writes(collector.directory / f"at_once_{i}.out"))
            running.append(
                # pylint: disable-next=consider-using-with
                subprocess.Popen(["cat", str(PINS / name)], stdout=out, stderr=subprocess.PIPE)
            )
        for i, process in enumerate(running):
            error = process.communicate()[1]
            (collector.directory / f"at_once_{i}.err").write_bytes(error)
            collector.results[f"at_once_{i}"] = {"status": process.returncode, "view": names[i]}


def delegation(collector: Collector) -> None:
    collector.run_pobpf("pin_private", "pin", "private", "--handles")
    cat(collector, "nobody_private", "private", NOBODY)
    collector.run_pobpf("pin_given", "pin", "given", "--nid", "1", "--chown", "nobody",
                        "--chmod", "400")
    cat(collector, "nobody_behind_closed_door", "given", NOBODY)
    os.chmod(PINS.parent, 0o711)
    collector.run_pobpf("before_given", "--nid", "1")
    cat(collector, "nobody_given", "given", NOBODY)
    collector.run_pobpf("after_given", "--nid", "1")
    collector.run_pobpf("pin_group", "pin", "group", "--handles", "--chown", ":nogroup", "--chmod", "440")
    cat(collector, "nobody_group", "group", NOBODY)
    collector.run("nobody_pobpf", [*NOBODY, collector.pobpf, "--nid", "1"])
    collector.run_pobpf("pins_given", "pins")


def replacing(collector: Collector) -> None:
    collector.run_pobpf("replace_0", "pin", "changing", "--handles")
    collector.run_pobpf("taken", "pin", "changing", "--nid", "1")
    watcher = subprocess.Popen(
        [sys.executable, "-c", WATCH, str(PINS / "changing")], stdout=subprocess.PIPE, text=True
    )
    for turn in range(5):
        collector.run_pobpf(f"replace_{turn + 1}", "pin", "changing", "--replace", "--nid",
                            str(turn % 2))
    watcher.terminate()
    collector.results["watched"] = {"missing": watcher.communicate()[0]}
    cat(collector, "cat_changing", "changing")
    collector.run_pobpf("pins_replaced", "pins", "--format", "json")


# Says when the file was not there.
WATCH = """
import os, sys
while True:
    try:
        os.close(os.open(sys.argv[1], os.O_RDONLY))
    except FileNotFoundError:
        print("missing", flush=True)
"""


def foreign(collector: Collector) -> None:
    """Puts files into the directory that are not ours, or not of this version."""
    subprocess.run(
        ["bpftool", "map", "create", str(PINS / "a_map"), "type", "array", "key", "4", "value", "4",
         "entries", "1", "name", "other"], check=True,
    )  # fmt: skip
    (PINS / "a_directory").mkdir()
    # another version's: the number behind the magic and the version's name
    pin_map = next(
        line.split(":")[0]
        for line in subprocess.run(
            ["bpftool", "map", "show", "name", "pobpf_pin"], capture_output=True, text=True,
            check=True,
        ).stdout.splitlines()
        if line[:1].isdigit()
    )  # fmt: skip
    value = bytearray(64 + 128 + 1024)
    value[0:8] = (0x6E6970667062706F).to_bytes(8, "little")
    value[8:13] = b"9.9.9"
    value[40] = 99
    subprocess.run(
        ["bpftool", "map", "update", "id", pin_map, "key", "hex", "00", "00", "00", "00", "value",
         "hex", *[f"{byte:02x}" for byte in value]], check=True,
    )  # fmt: skip
    collector.run_pobpf("pins_foreign", "pins")
    collector.run_pobpf("pins_foreign_json", "pins", "--format", "json")
    for name in ("a_map", "a_directory", "nothing"):
        collector.run_pobpf(f"unpin_{name}", "unpin", name)
    collector.run_pobpf("replace_a_map", "pin", "a_map", "--replace")


def bad_names(collector: Collector) -> None:
    for i, name in enumerate(("", "a/b", "..", ".", "a.b", "a\nb", "a\x7f", "a~", "a" * 255)):
        collector.run_pobpf(f"bad_name_{i}", "pin", name)
    collector.run_pobpf("longest_name", "pin", "a" * 254)
    collector.run_pobpf("no_bpffs", "pin", "a", "--dir", "/run/pins")
    collector.run_pobpf("no_parent", "pin", "a", "--dir", "/sys/fs/bpf/no/pins")
    collector.run_pobpf("no_node", "pin", "a", "--nid", "7", "--dir", "/sys/fs/bpf/other")
    collector.results["no_node"]["left_behind"] = sorted(os.listdir("/sys/fs/bpf"))


def removal(collector: Collector) -> None:
    collector.run_pobpf("unpin_stack", "unpin", "handle", "nid1-handle")
    collector.results["after_unpin"] = {"names": sorted(os.listdir(PINS))}
    collector.run_pobpf("unpin_all", "unpin", "--all")
    collector.results["after_unpin_all"] = {"names": sorted(os.listdir(PINS))}
    os.unlink(PINS / "a_map")
    os.rmdir(PINS / "a_directory")
    collector.run_pobpf("pin_last", "pin", "last")
    # a file that is open keeps its view
    with open(PINS / "last", "rb", buffering=0) as pin:
        first = pin.read(100)
        collector.run_pobpf("unpin_last", "unpin", "last")
        collector.results["unpinned_while_open"] = {
            "directory": PINS.exists(), "more": len(first) == 100 and len(pin.read(100)) == 100
        }  # fmt: skip
    subprocess.run(["umount", "/sys/fs/bpf"], check=True)
    collector.run_pobpf("unmounted", "pin", "a")
    collector.run_pobpf("pins_unmounted", "pins")
    subprocess.run(["mount", "-t", "bpf", "bpf", "/sys/fs/bpf"], check=True)


def main() -> None:
    collector = Collector()
    workload = Workload(True)
    before = bpf_ids()
    # what processes allocate is on the nodes of their CPUs
    with collector.on_all_cpus():
        workload.start()
        longest = hold_longest()
    time.sleep(1)
    views(collector)
    delegation(collector)
    foreign(collector)
    if collector.is_whole:
        replacing(collector)
        bad_names(collector)
    during = bpf_ids()
    removal(collector)
    # maps and programs are freed after a grace period
    for _ in range(50):
        if (after := bpf_ids()) == before:
            break
        time.sleep(0.1)
    os.kill(longest, signal.SIGKILL)
    os.waitpid(longest, 0)
    workload.stop()
    collector.save(before=before, during=during, after=after)


if __name__ == "__main__":
    main()
