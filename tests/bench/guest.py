#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs in the guest under -icount, where a nanosecond is an instruction: what each way to read the
page owners costs. Prints one JSON object.

guest.py BUILD PAGE_CACHE_MIB
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

PAGE_OWNER = "/sys/kernel/debug/page_owner"

# A locale is a dozen files on the host, and waiting for them would count as instructions.
ENVIRONMENT = {**os.environ, "LC_ALL": "C"}


def measure(argv: list[str]) -> dict:
    """Instructions and peak memory of a command that writes to /dev/null, from its start to its end. The
    memory is at least that of this process, as which it begins."""
    sink = os.open("/dev/null", os.O_WRONLY)
    messages_read, messages = os.pipe()
    started = time.monotonic_ns()
    # no fork: this process is large, and a copy of its page tables is not the command's doing
    actions = [(os.POSIX_SPAWN_DUP2, sink, 1), (os.POSIX_SPAWN_DUP2, messages, 2)]
    pid = os.posix_spawn(argv[0], argv, ENVIRONMENT, file_actions=actions)
    os.close(messages)
    _, status, usage = os.wait4(pid, 0)
    spent = time.monotonic_ns() - started
    with os.fdopen(messages_read, encoding="utf-8") as file:
        said = file.read()
    os.close(sink)
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"{argv} failed: {said}")
    result = {"instructions": spent, "max_rss_kib": usage.ru_maxrss}
    longest = re.search(r"longest_read_ns\D+(\d+)", said)
    if longest:
        result["longest_read"] = int(longest.group(1))
    return result


def count_bytes(argv: list[str]) -> int:
    """Bytes that a command prints."""
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        total = 0
        while piece := os.read(process.stdout.fileno(), 65536):
            total += len(piece)
    return total


def best_of(argv: list[str], runs: int = 3) -> dict:
    """The cheapest of some runs: what the guest's other CPU does meanwhile counts too."""
    return min((measure(argv) for _ in range(runs)), key=lambda row: row["instructions"])


def in_memory(program: str) -> list[str]:
    """A command that runs a copy of the program with its libraries from tmpfs: waiting for the host's
    file system would count as instructions."""
    directory = pathlib.Path(f"/run/pobpf-bench.d{os.path.abspath(program)}")
    directory.mkdir(parents=True, exist_ok=True)
    listing = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    libraries = re.findall(r"(/\S+) \(0x", listing)
    for file in [program, *libraries]:
        shutil.copy(file, directory)
    if not libraries:
        return [str(directory / pathlib.Path(program).name)]
    loader = next(name for name in map(os.path.basename, libraries) if name.startswith("ld-"))
    return [
        str(directory / loader),
        "--library-path",
        str(directory),
        str(directory / pathlib.Path(program).name),
    ]


# Nothing but start and end: a view of one page.
START_UP = ["--pfn", "4096+1"]


class Bench:
    """The commands of the table, and what each of them costs."""

    def __init__(self, build: str) -> None:
        self.pobpf = in_memory(f"{build}/pobpf")
        self.static = in_memory(f"{build}/static/pobpf")
        self.cat = [*in_memory("/bin/cat"), PAGE_OWNER]
        # something small, whose memory nobody else allocates
        self._small = subprocess.Popen(["/bin/sleep", "100000"])  # pylint: disable=consider-using-with
        time.sleep(1)
        self.rows: dict[str, dict] = {}

    def stop(self) -> None:
        self._small.kill()
        self._small.wait()

    def add(self, name: str, argv: list[str], runs: int = 3) -> None:
        self.rows[name] = best_of(argv, runs)
        self.rows[name]["bytes"] = count_bytes(argv)

    def add_pobpf(self, *options: str, is_filtered: bool = False) -> None:
        """A command of ours, also without what it costs to start it. `options` may end with None."""
        argv = [*self.pobpf, *options]
        name = " ".join(["pobpf", *options]).replace(str(self._small.pid), "PID")
        self.add(name, argv)
        row = self.rows[name]
        # a command that filters loads other programs than one that does not
        start = [*argv, *START_UP]
        row["start_up"] = best_of(start)["instructions"]
        # in a run of its own, as looking at the clock costs as well
        row["longest_read"] = measure([*argv, "--stats"])["longest_read"]
        row["is_filtered"] = is_filtered

    def all(self, page_owner_tools: pathlib.Path) -> None:
        small = str(self._small.pid)
        self.add("cat page_owner", self.cat, 2)
        self._add_pipelines(page_owner_tools, small)
        for options in (["--version"], START_UP):
            name = " ".join(["pobpf", *options])
            self.add(name, [*self.pobpf, *options])
            self.add(f"{name}, static", [*self.static, *options])
        self.add_pobpf()
        self.add_pobpf("--handles")
        self.add_pobpf("--handles", "--nid", "1", is_filtered=True)
        self.add_pobpf("--format", "json")
        self.add_pobpf("--format", "json", "--handles")
        self.add_pobpf("record", "-o", "-")
        self.add_pobpf("stacks")
        self.add_pobpf("top")
        self.add_pobpf("top", "--by", "tgid,comm")
        self.add_pobpf("top", "--by", "allocator")
        self.add_pobpf("--tgid", small, is_filtered=True)
        self._add_pin("--tgid", small)
        self.add_pobpf("--order", "30", is_filtered=True)
        self.add_pobpf("--pid", "4000000", is_filtered=True)
        self.add_pobpf("--comm", "no such*", is_filtered=True)
        self.add_pobpf("--symbol", "vmalloc*", "--not-symbol", "kernel_init*", is_filtered=True)
        self.add_pobpf("--handles", "--no-feature", "rdonly-cast")
        for mode in ("stack", "handle"):
            tool = page_owner_tools / "page_owner_filter"
            if tool.exists():
                self.add(f"page_owner_filter -m {mode}", [*in_memory(str(tool)), "-m", mode], 2)

    def _add_pin(self, *options: str) -> None:
        """A view that is loaded already, as whoever looks again and again has it."""
        subprocess.run([*self.pobpf, "pin", "bench", *options], check=True)
        cat = [*in_memory("/bin/cat"), "/sys/fs/bpf/pobpf/bench"]
        name = " ".join(options).replace(str(self._small.pid), "PID")
        self.add(f"cat of a pin, {name}", cat)
        subprocess.run([*self.pobpf, "unpin", "bench"], check=True)

    def _add_pipelines(self, page_owner_tools: pathlib.Path, small: str) -> None:
        shell = " ".join(in_memory("/bin/dash"))
        cat = " ".join(self.cat)
        grep = " ".join(in_memory("/bin/grep"))
        sort = " ".join(in_memory(str(page_owner_tools / "page_owner_sort")))
        self.add("cat | grep 'tgid PID '", [*shell.split(), "-c", f"{cat} | {grep} 'tgid {small} '"], 1)
        script = f"{cat} >/run/pobpf-text && {sort} /run/pobpf-text /dev/null"
        self.add("cat | page_owner_sort", [*shell.split(), "-c", script], 1)
        os.unlink("/run/pobpf-text")

    def few(self) -> None:
        """Adds the commands that show how costs grow with memory."""
        self.add("cat page_owner", self.cat, 1)
        self.add_pobpf("--handles")
        self.add_pobpf("top")


def main() -> None:
    build, cache_mib, which = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    block = b"x" * (1 << 20)
    with open("/run/pobpf-bench", "wb", buffering=0) as file:
        for _ in range(cache_mib):
            file.write(block)
    bench = Bench(build)
    # once to have the program in the page cache, as it would be on any machine that uses it
    measure([*bench.pobpf, "--handles"])
    if which == "all":
        bench.all(pathlib.Path(os.environ["POBPF_VM_TOOLS"]))
    else:
        bench.few()
    bench.stop()
    with open(PAGE_OWNER, "rb") as file:
        count = size = 0
        while piece := os.read(file.fileno(), 4096):
            size += len(piece)
            count += 1
    json.dump(
        {"release": os.uname().release, "records": count, "bytes": size, "rows": bench.rows},
        sys.stdout,
    )


if __name__ == "__main__":
    main()
