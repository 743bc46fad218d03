#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs in the guest: makes the workload, lets the kernel and pobpf print it, and leaves all output
in a directory shared with the host, which compares (vm_test.py). Nothing is judged here."""

import itertools
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from collector import DEBUGFS, Collector, as_nobody  # noqa: E402

# The kernel's own tool is asked for its modes, and each node.
PAGE_OWNER_FILTER = (
    ("stack", "0"), ("stack", "1"), ("handle", "0"), ("handle", "1"), ("stack_handle", "0-1"),
)
CHURN_TURNS = 3


def write_sysctl(name: str, value: str) -> None:
    pathlib.Path("/proc/sys", name).write_text(value)


def views(collector: Collector) -> None:
    """All views between two readings of the kernel's own file: what both readings agree on must be
    in each of them."""
    page_owner = DEBUGFS / "page_owner"
    # everything that will run has run once: its files are in the page cache
    collector.run_pobpf("warm_up", "--stats", "-o", "/dev/null")
    collector.run_pobpf("warm_up", "stacks", "-o", "/dev/null")
    collector.run_pobpf("warm_up", "record", "-o", "/dev/null")
    collector.copy("warm_up", pathlib.Path("/proc/self/status"))

    collector.copy("debugfs.1", page_owner)
    collector.run_pobpf("stack", "--stats")
    collector.run_pobpf("handle", "--mode", "handle")
    collector.run_pobpf("stack_handle", "--mode", "stack_handle")
    for nid in ("0", "1"):
        collector.run_pobpf(f"nid_{nid}", "--nid", nid, "--stats")
        collector.run_pobpf(f"nid_{nid}_handle", "--nid", nid, "--handles")
    if collector.is_whole:
        collector.run_pobpf("handles", "--handles")
        collector.run_pobpf("nid_0-1", "--nid", "0-1", "--stats")
        collector.run_pobpf("nid_empty", "--nid", "")
        collector.run_pobpf("json", "--format", "json")
    fallbacks(collector)
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

    page_owner_filter = os.environ["POBPF_VM_TOOLS"] + "/page_owner_filter"
    if os.path.exists(page_owner_filter):
        for mode, nodes in PAGE_OWNER_FILTER:
            collector.run(f"filter_{mode}_{nodes}", [page_owner_filter, "-m", mode, "-n", nodes])
        collector.copy("debugfs.3", page_owner)


def fallbacks(collector: Collector) -> None:
    """Other ways to the same text, of one node."""
    node = ("--nid", "1")
    collector.run_pobpf("probe_read", "-v", *node, "--no-feature", "rdonly-cast")
    collector.run_pobpf("bpf_loop", "-v", *node, "--no-feature", "may-goto")
    collector.run_pobpf("for_each", "-v", *node, "--no-feature", "bpf-loop")
    collector.run_pobpf("ksym_iterator", "-v", *node, "--no-feature", "kallsyms-lookup")
    by_proc = ("--no-feature", "kallsyms-lookup", "--no-feature", "ksym-iterator")
    collector.run_pobpf("proc_kallsyms", "-v", *node, *by_proc)
    collector.run_pobpf("section_macros", *node, "--no-feature", "section-enumerators")
    without_tasks(collector, *node)
    no_free_pid = ("--no-feature", "free-pid")
    collector.run_pobpf("format_strings", "-v", *node, *no_free_pid)
    collector.run_pobpf("sums_without_text", "top", "-v", *node, *no_free_pid)
    unknown_layout = (*no_free_pid, "--no-feature", "format-strings")
    collector.run_pobpf("unknown_layout", *node, *unknown_layout)
    collector.run_pobpf("unknown_layout_json", *node, *unknown_layout, "--format", "json")
    write_sysctl("kernel/kptr_restrict", "1")
    collector.run_pobpf("kptr_1", *node)
    write_sysctl("kernel/kptr_restrict", "2")
    collector.run_pobpf("kptr_2", *node)
    collector.run_pobpf("check_kptr_2", "check")
    collector.run_pobpf("check_proc_kallsyms_kptr_2", "check", *by_proc)
    collector.run_pobpf("proc_kallsyms_kptr_2", *node, *by_proc)
    write_sysctl("kernel/kptr_restrict", "0")
    with_capabilities(collector, "least_privilege", "+bpf,+perfmon", *node)
    with_capabilities(collector, "three_capabilities", "+bpf,+perfmon,+syslog", *node)


# As before Linux 5.18.
NO_TASKS = tuple(
    argument
    for feature in ("task-name", "thread-group", "charge-lines")
    for argument in ("--no-feature", feature)
)


def without_tasks(collector: Collector, *node: str) -> None:
    """As on kernels whose records lack a task name, a thread group, or both and more."""
    for name, feature in {
        "no_tasks": NO_TASKS,
        "no_comm": ("--no-feature", "task-name"),
        "no_tgid": ("--no-feature", "thread-group"),
    }.items():
        collector.run_pobpf(name, *node, *feature)
        collector.run_pobpf(f"{name}_json", *node, *feature, "--format", "json")
        collector.run_pobpf(f"{name}_pin", "pin", name, *node, *feature)
        collector.run(f"{name}_cat", ["cat", f"/sys/fs/bpf/pobpf/{name}"])
        collector.run_pobpf(f"{name}_unpin", "unpin", name)
    feature = NO_TASKS
    collector.run_pobpf("no_tasks_comm", "--comm", "pobpf", *feature)
    collector.run_pobpf("no_tasks_dead", "stacks", "--dead", *feature)
    collector.run_pobpf("no_tasks_by", "top", "--by", "comm", *feature)


def recordings(collector: Collector) -> None:
    """Snapshots, which the host reports from."""
    for name, arguments in {
        "record": ("--stats",),
        "record_free": ("--free",),
        "record_nid_1_probe_read": ("-v", "--nid", "1", "--no-feature", "rdonly-cast"),
        "record_nid_1_bpf_loop": ("-v", "--nid", "1", "--no-feature", "may-goto"),
        "record_nid_1_for_each": ("-v", "--nid", "1", "--no-feature", "bpf-loop"),
        "record_nid_1_no_tasks": ("--nid", "1", *NO_TASKS),
    }.items():
        path = collector.directory / f"{name}.pobpf"
        collector.run_pobpf(name, "record", *arguments, "-o", str(path))


def with_capabilities(collector: Collector, name: str, capabilities: str, *arguments: str) -> None:
    collector.run(name, [*as_nobody(capabilities), collector.pobpf, *arguments])


def held_privileges(collector: Collector) -> None:
    """Collects what processes may still do once they print: lines of /proc/PID/status."""
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
    walker = subprocess.Popen(
        [sys.executable, "-c", TOGGLE, *[str(block) for block in blocks]],
        stdout=subprocess.PIPE,
        text=True,
    )
    said: list[str] = []
    for turn in range(CHURN_TURNS):
        # a run may be over before a block goes
        for line in itertools.islice(walker.stdout, 100):
            said.append(line.strip())
            if said[-1] != REFUSED:
                break
        collector.run_pobpf(f"churn_{turn}", "--handles", "--stats")
    walker.send_signal(signal.SIGTERM)
    said += walker.communicate()[0].split()
    for churner in churners:
        churner.kill()
        churner.wait()
    offline = next((block for block in blocks if put_block(block, "offline")), None)
    if offline is not None:
        collector.run_pobpf("offline_block", "--handles", "--stats")
        put_block(offline, "online_movable")
    collector.results["churn"] = {
        "blocks": [block.name for block in blocks],
        "toggled": len(said) - said.count(REFUSED),
    }


REFUSED = "refused"
# Takes one memory block offline and online again, until it is told to stop.
TOGGLE = f"""
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
                print("{REFUSED}", flush=True)
        if stop: break
"""


def removable_blocks() -> list[pathlib.Path]:
    """The blocks of the movable zone, which can mostly be emptied. A node's last one may hold reserved
    pages, and one with huge pages in use needs room for them elsewhere."""
    blocks = []
    for block in pathlib.Path("/sys/devices/system/memory").glob("memory*"):
        try:
            if (block / "valid_zones").read_text().split()[0] == "Movable":
                blocks.append(block)
        except (OSError, IndexError):
            continue
    blocks.sort(key=lambda block: int(block.name[len("memory") :]))
    return blocks


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
    collector = Collector()
    workload = collector.start_workload()
    views(collector)
    collector.run_pobpf("check", "check")
    collector.run_pobpf("check_json", "check", "--format", "json")
    if collector.is_whole:
        bad_places(collector)
    with collector.on_all_cpus():
        collector.run("isolation", [str(collector.build / "tests" / "vm" / "pobpf_isolation_test")])
        churn(collector)
    workload.stop()
    collector.save(made=workload.made)


if __name__ == "__main__":
    main()
