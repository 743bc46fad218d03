#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs in the guest: the kernel's own text twice, and in between pobpf's, live, through a pin and as
a snapshot; at the end an import of the kernel's text. Leaves all output in a directory shared with
the host, which compares (layout_test.py). Nothing is judged here."""

import os
import pathlib
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from collector import DEBUGFS, Collector  # noqa: E402


def views(collector: Collector) -> None:
    page_owner = DEBUGFS / "page_owner"
    directory = collector.directory
    collector.run_pobpf("make_pin", "pin", "layout")
    # everything that will run has run once: its files are in the page cache
    collector.run_pobpf("warm_up", "-o", "/dev/null")
    collector.run_pobpf("warm_up", "record", "-o", "/dev/null")
    collector.copy("warm_up", pathlib.Path("/proc/self/status"))

    collector.copy("debugfs.1", page_owner)
    collector.run_pobpf("live")
    collector.copy("pin", pathlib.Path("/sys/fs/bpf/pobpf/layout"))
    collector.run_pobpf("record", "record", "-o", str(directory / "record.pobpf"))
    collector.copy("debugfs.2", page_owner)
    text, snapshot = directory / "debugfs.1.out", directory / "import.pobpf"
    collector.run_pobpf("import", "import", str(text), "-o", str(snapshot))


def main() -> None:
    collector = Collector()
    workload = collector.start_workload()
    views(collector)
    workload.stop()
    collector.save(made=workload.made)


if __name__ == "__main__":
    main()
