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


def measure(argv: list[str]) -> dict:
    """Instructions and peak memory of a command that writes to /dev/null, from fork to its end."""
    sink = os.open("/dev/null", os.O_WRONLY)
    messages_read, messages = os.pipe()
    started = time.monotonic_ns()
    pid = os.fork()
    if pid == 0:
        os.dup2(sink, 1)
        os.dup2(messages, 2)
        os.execv(argv[0], argv)
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


def best_of(argv: list[str], runs: int = 3) -> dict:
    """The cheapest of some runs: what the guest's other CPU does meanwhile counts too."""
    return min((measure(argv) for _ in range(runs)), key=lambda row: row["instructions"])


def in_memory(program: str) -> list[str]:
    """A command that runs a copy of the program with its libraries from tmpfs: waiting for the host's
    file system would count as instructions."""
    directory = pathlib.Path("/run/pobpf-bench.d") / pathlib.Path(program).name
    directory.mkdir(parents=True)
    listing = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    libraries = re.findall(r"(/\S+) \(0x", listing)
    for file in [program, *libraries]:
        shutil.copy(file, directory)
    loader = next(name for name in map(os.path.basename, libraries) if name.startswith("ld-"))
    return [
        str(directory / loader),
        "--library-path",
        str(directory),
        str(directory / pathlib.Path(program).name),
    ]


def main() -> None:
    build, cache_mib = sys.argv[1], int(sys.argv[2])
    pobpf = in_memory(str(pathlib.Path(build) / "pobpf"))
    block = b"x" * (1 << 20)
    with open("/run/pobpf-bench", "wb", buffering=0) as file:
        for _ in range(cache_mib):
            file.write(block)
    commands = {
        "cat page_owner": [*in_memory("/bin/cat"), PAGE_OWNER],
        "pobpf": [*pobpf],
        "pobpf --handles": [*pobpf, "--handles"],
        "pobpf --handles --nid 1": [*pobpf, "--handles", "--nid", "1"],
        "pobpf --format json": [*pobpf, "--format", "json"],
        "pobpf stacks": [*pobpf, "stacks"],
        "pobpf --handles, probe reads": [*pobpf, "--handles", "--no-feature", "rdonly-cast"],
    }
    tool = pathlib.Path(os.environ.get("POBPF_VM_TOOLS", ""), "page_owner_filter")
    if tool.exists():
        page_owner_filter = in_memory(str(tool))
        commands["page_owner_filter -m stack"] = [*page_owner_filter, "-m", "stack"]
        commands["page_owner_filter -m handle"] = [*page_owner_filter, "-m", "handle"]
    # once to have the program in the page cache, as it would be on any machine that uses it
    measure([*pobpf, "--handles"])
    rows = {name: best_of(argv) for name, argv in commands.items()}
    # in runs of their own, as looking at the clock costs as well
    for name, argv in commands.items():
        if argv[: len(pobpf)] == pobpf:
            rows[name]["longest_read"] = measure([*argv, "--stats"])["longest_read"]
    with open(PAGE_OWNER, "rb") as file:
        count = size = 0
        while piece := os.read(file.fileno(), 4096):
            size += len(piece)
            count += 1
    json.dump(
        {
            "release": os.uname().release,
            "records": count,
            "bytes": size,
            "rows": rows,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
