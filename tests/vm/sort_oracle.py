# SPDX-License-Identifier: GPL-2.0-only
"""Groups of a text by tools/mm/page_owner_sort of the kernel source, and by pobpf."""

import json
import pathlib
import re
import subprocess
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
# The tool's names and those of pobpf top. The tool does not take `comm`, which its help has.
RULES = {"pid": "pid", "tgid": "tgid", "name": "comm", "stacktrace": "stack"}
# Cull rules that the tool and pobpf understand alike.
CULLS = (
    "pid", "tgid", "name", "stacktrace", "pid,tgid", "tgid,name", "pid,tgid,name",
    "tgid,stacktrace", "name,stacktrace", "pid,tgid,name,stacktrace",
)
HEAD = re.compile(
    r"(\d+) times, (\d+) pages(?:, PID (-?\d+))?(?:, TGID (-?\d+))?"
    r"(?:, task_comm_name: (.*?))?(:?)\n"
)

# By key: allocations and pages.
Groups = dict[tuple, tuple[int, int]]


def tool_of(series: str) -> pathlib.Path:
    """The real tool of that kernel, which scripts/kernel has built."""
    result = subprocess.run(
        [str(TOP / "scripts" / "kernel"), "path", series],
        capture_output=True, text=True, check=False,
    )
    if result.returncode != 0:
        raise RuntimeError(result.stderr + "page_owner_sort comes with it")
    return pathlib.Path(result.stdout.strip()) / "tools" / "page_owner_sort"


def run_tool(tool: pathlib.Path, text: pathlib.Path, *options: str) -> tuple[int, str, str]:
    """Exit status, output file, and stderr."""
    with tempfile.TemporaryDirectory() as directory:
        out = pathlib.Path(directory) / "out"
        result = subprocess.run(
            [str(tool), *options, str(text), str(out)],
            capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=300,
        )
        shown = out.read_text(encoding="utf-8", errors="surrogateescape") if out.exists() else ""
        return result.returncode, shown, result.stderr.decode(errors="replace")


def culled_by_tool(tool: pathlib.Path, text: pathlib.Path, cull: str, *options: str) -> Groups:
    status, shown, err = run_tool(tool, text, "--cull", cull, *options)
    if status != 0 or err:
        raise RuntimeError(f"page_owner_sort failed with {status}: {err}")
    sums: dict[tuple, list[int]] = {}
    for block in shown.split("\n\n") if "stacktrace" in cull else shown.splitlines():
        if not block.strip():
            continue
        head = HEAD.match(block + "\n")
        assert head, block
        frames = tuple(
            # the tool takes all lines of a record for its stack, but for the one with the PFN
            line[1:] for line in (block + "\n")[head.end():].splitlines() if line.startswith(" ")
        )
        pid, tgid, comm = head[3], head[4], head[5]
        values = {"pid": pid and int(pid), "tgid": tgid and int(tgid), "name": comm}
        values["stacktrace"] = frames
        key = tuple(values[rule] for rule in cull.split(","))
        row = sums.setdefault(key, [0, 0])
        row[0] += int(head[1])
        row[1] += int(head[2])
    return {key: (row[0], row[1]) for key, row in sums.items()}


def culled_by_pobpf(pobpf: str, snapshot: pathlib.Path, cull: str, *options: str) -> Groups:
    fields = [RULES[rule] for rule in cull.split(",")]
    result = subprocess.run(
        [pobpf, "report", "top", str(snapshot), "--by", ",".join(fields), "--format", "json"]
        + list(options),
        capture_output=True, check=False, stdin=subprocess.DEVNULL,
    )
    if result.returncode != 0:
        raise RuntimeError(result.stderr.decode(errors="replace"))
    groups: dict[tuple, list[int]] = {}
    for row in map(json.loads, result.stdout.splitlines()):
        if row["kind"] != "group":
            continue
        key = tuple(tuple(row[f]) if f == "stack" else row[f] for f in fields)
        # two handles may have one text
        total = groups.setdefault(key, [0, 0])
        total[0] += row["allocations"]
        total[1] += row["pages"]
    return {key: (row[0], row[1]) for key, row in groups.items()}


def import_text(pobpf: str, text: pathlib.Path, snapshot: pathlib.Path) -> None:
    subprocess.run(
        [pobpf, "import", "--quiet", str(text), "-o", str(snapshot)],
        check=True, stdin=subprocess.DEVNULL,
    )
