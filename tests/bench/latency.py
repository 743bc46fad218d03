#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs in the guest under -icount with one CPU: what a busy process notices of a snapshot. It wakes
each millisecond, as one that serves requests does, and works for a while. Prints one JSON object:
how much later than asked it woke, and how long its work took, in ns (instructions).

latency.py BUILD PAGE_CACHE_MIB
"""

import json
import os
import pathlib
import subprocess
import sys
import time

INTERVAL_NS = 1_000_000
# The kernel's own file takes ten seconds, and the first two are like the others.
LONGEST_NS = 2_000_000_000
# A fifth of an interval: what is left of the CPU is for others.
WORK = b"x" * 200
# what pobpf-snapshot.service asks for; the rest of it is about memory and files
AS_THE_UNIT = ["chrt", "--idle", "0", "nice", "-n", "19", "ionice", "-c", "3"]


def serve(command: list[str] | None) -> dict:
    """Until the command has ended, but not for long."""
    late, work = [], []
    process = None
    if command:
        # pylint: disable-next=consider-using-with
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    started = time.monotonic_ns()
    due = started
    while time.monotonic_ns() - started < LONGEST_NS:
        if process and process.poll() is not None:
            break
        due += INTERVAL_NS
        now = time.monotonic_ns()
        if due > now:
            time.sleep((due - now) / 1e9)
        else:
            due = now
        woke = time.monotonic_ns()
        late.append(woke - due)
        checksum = 0
        for byte in WORK:
            checksum = (checksum * 31 + byte) & 0xFFFFFFFF
        work.append(time.monotonic_ns() - woke)
    lasted = time.monotonic_ns() - started
    if process and process.returncode is None:
        process.kill()
        process.wait()
    elif process and process.returncode != 0:
        sys.exit(f"{command} failed with {process.returncode}")
    return {"late": sorted(late), "work": sorted(work), "lasted": lasted}


def main() -> None:
    build, cache_mib = sys.argv[1], int(sys.argv[2])
    with open("/run/pobpf-bench", "wb", buffering=0) as file:
        for _ in range(cache_mib):
            file.write(b"x" * (1 << 20))
    pobpf = str(pathlib.Path(build) / "pobpf")
    snapshot = [pobpf, "snapshot", "--config", "/dev/null", "--quiet", "--dir", "/run/history"]
    # files in the page cache, as on any machine that does this each hour
    serve(snapshot)
    rows = {
        "nothing": serve(None),
        "`pobpf snapshot`, as the unit runs it": serve([*AS_THE_UNIT, *snapshot]),
        "`pobpf snapshot`": serve(snapshot),
        "`cat page_owner >/dev/null`": serve(["cat", "/sys/kernel/debug/page_owner"]),
    }
    json.dump({"release": os.uname().release, "rows": rows}, sys.stdout)


if __name__ == "__main__":
    main()
