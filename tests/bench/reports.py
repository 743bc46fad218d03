#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Measures what reports of a large snapshot cost on this machine, as a Markdown table.

The snapshots are made up (make_snapshot.cpp): one of a machine full of page cache, one of a machine
whose memory is in pieces. Each figure is the best of three. With --page-owner-sort, also what the
kernel's tool takes for the same pages, once.
"""

import argparse
import dataclasses
import os
import pathlib
import subprocess
import sys
import tempfile
import time

RUNS = 3
COMMANDS = (
    ("report top",),
    ("report top --by tgid,comm",),
    ("report top --by allocator",),
    ("report top --order 0-2 --comm task-1* --not-symbol function_1*",),
    ("report stacks",),
    ("report page", "0x1000"),
    ("report --handles",),
    ("report",),
)


@dataclasses.dataclass
class Cost:
    seconds: float  # on the clock
    cpu_seconds: float
    peak_bytes: int


def measured(words: list[str]) -> Cost:
    start = time.monotonic()
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"bench: {' '.join(words)} failed with {process.returncode}")
    return Cost(time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def run(pobpf: pathlib.Path, command: str, file: str, *behind: str) -> Cost:
    words = [str(pobpf), *command.split(), *behind, "-o", "/dev/null"]
    # the file stands behind the names of the view
    words.insert(2 if command.split()[1:2] in ([], ["--handles"]) else 3, file)
    return measured(words)


def text_bytes(pobpf: pathlib.Path, command: str, file: str) -> int:
    words = [str(pobpf), "report", file, *command.split()[1:]]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        buffer = bytearray(1 << 20)
        total = 0
        while size := process.stdout.readinto(buffer):
            total += size
    return total


def beside_page_owner_sort(build: pathlib.Path, tool: str, nr_records: int) -> str:
    """Sums by stack of one set of pages: the kernel's tool of their text, and pobpf."""
    lines = [
        "| records | what | reads | time | of CPUs | peak memory |",
        "| ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    pobpf = str(build / "pobpf")
    with tempfile.TemporaryDirectory() as directory:
        snapshot, text, out = (f"{directory}/{name}" for name in ("snapshot", "text", "out"))
        with open(snapshot, "wb") as output:
            make = str(build / "tests" / "bench" / "pobpf_make_snapshot")
            subprocess.run([make, str(nr_records), "3"], stdout=output, check=True)
        subprocess.run([pobpf, "report", snapshot, "-o", text], check=True)
        for name, file, words in (
            ("page_owner_sort --cull st", text, [tool, "--cull", "st", text, out]),
            ("pobpf import", text, [pobpf, "import", "--quiet", text, "-o", f"{directory}/i"]),
            ("pobpf report top", snapshot, [pobpf, "report", "top", snapshot, "-o", out]),
        ):
            cost = measured(words)
            lines.append(
                f"| {nr_records:,} | `{name}` | {os.path.getsize(file) / 1e6:,.0f} MB "
                f"| {cost.seconds:.1f} s | {cost.cpu_seconds:.1f} s "
                f"| {cost.peak_bytes / 2**20:,.0f} MiB |"
            )
    return "\n".join(lines)


def rows(build: pathlib.Path, nr_records: int, mean_run: int) -> list[str]:
    lines = []
    pobpf = build / "pobpf"
    with tempfile.TemporaryDirectory() as directory:
        file = f"{directory}/made-up.pobpf"
        with open(file, "wb") as output:
            make = build / "tests" / "bench" / "pobpf_make_snapshot"
            subprocess.run([make, str(nr_records), str(mean_run)], stdout=output, check=True)
        size = os.path.getsize(file)
        for command, *behind in COMMANDS:
            costs = [run(pobpf, command, file, *behind) for _ in range(RUNS)]
            best = min(costs, key=lambda cost: cost.seconds)
            cpu_seconds = min(cost.cpu_seconds for cost in costs)
            speed = ""
            if command in ("report", "report --handles"):
                speed = f"{text_bytes(pobpf, command, file) / best.seconds / 1e6:,.0f} MB/s"
            peak = max(cost.peak_bytes for cost in costs) / 2**20
            lines.append(
                f"| {mean_run} | {size / nr_records:.1f} | `{command}` | {best.seconds:.2f} s "
                f"| {cpu_seconds:.2f} s | {peak:.0f} MiB | {speed} |"
            )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=pathlib.Path, help="build folder")
    parser.add_argument("--records", type=int, default=16_000_000)
    parser.add_argument("--page-owner-sort", metavar="TOOL", help="compare with this program only")
    options = parser.parse_args()
    if options.page_owner_sort:
        print(beside_page_owner_sort(options.build, options.page_owner_sort, options.records))
        return
    print(f"{options.records:,} records:\n")
    print("| records in a run | bytes a record | command | time | of CPUs | peak memory | text |")
    print("| ---: | ---: | --- | ---: | ---: | ---: | ---: |")
    for mean_run in (64, 3):
        print("\n".join(rows(options.build, options.records, mean_run)), flush=True)


if __name__ == "__main__":
    main()
