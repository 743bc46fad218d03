#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs in the guest: each command that README.md shows, one after the other in one directory.
Leaves all output in a directory shared with the host (readme_test.py). Nothing is judged here."""

import os
import pathlib
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from collector import Collector  # noqa: E402

README = pathlib.Path(__file__).resolve().parents[3] / "README.md"
# A guest is root, has a kernel of its own, and its time is dear.
REPLACEMENTS = {"sudo ": "", "scripts/run ": "pobpf ", "--watch 3 ": "--watch 1 "}
# These install and test on the host, which other tests do.
LEFT_OUT = ("sudo apt install ", "scripts/test")


def commands(text: str) -> list[tuple[str, list[str]]]:
    """Each command of a console block with the lines that it prints there, and then each command in
    the text."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"(?ms)^```console\n(.*?)^```", text):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found + [(command, []) for command in re.findall(r"`(sudo [^`]+)`", text)]


def main() -> None:
    collector = Collector()
    directory = pathlib.Path("/tmp/pobpf-readme")
    directory.mkdir()
    environment = os.environ | {"PATH": f"{collector.build}/static:{os.environ['PATH']}"}
    shown = {}
    left_out = []
    for number, (command, lines) in enumerate(commands(README.read_text("utf-8"))):
        if command.startswith(LEFT_OUT):
            left_out.append(command)
            continue
        name = f"command.{number}"
        shown[name] = {"command": command, "lines": lines}
        for printed, ours in REPLACEMENTS.items():
            command = command.replace(printed, ours)
        collector.run(name, ["bash", "-o", "pipefail", "-c", command], cwd=directory,
                      env=environment)
    collector.save(shown=shown, left_out=left_out)


if __name__ == "__main__":
    main()
