#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The format of snapshots stays: a file that is years old shows what it showed, and whoever reads
docs/snapshots.md reads what pobpf reads."""

import json
import pathlib
import subprocess
import sys
import unittest

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS / "python"))
import runner  # noqa: E402
import snapshot_reader  # noqa: E402

import export_test  # noqa: E402

SCHEMA = str(TESTS.parent / "src" / "snapshot" / "snapshot.proto")
# made once, of the version that froze the format, and never again: a recording, and an import
FIXTURE = TESTS / "data" / "snapshots" / "format-4.pobpf"
FIXTURES = [FIXTURE, FIXTURE.with_name("format-4-import.pobpf")]
READER_LINES_MAX = 210


def without_new_keys(value, old):
    """Keys may be added, at any depth."""
    if isinstance(value, dict) and isinstance(old, dict):
        return {key: without_new_keys(value.get(key), old[key]) for key in old}
    return value


class SnapshotFormat(export_test.ExportTest):
    def reported(self) -> list[dict]:
        return [json.loads(line) for line in self.report("--format", "json").splitlines()]

    def read(self) -> list[dict]:
        # as it would be printed
        records = snapshot_reader.read(SCHEMA, str(self.snapshot))
        return [json.loads(json.dumps(record)) for record in records]

    def test_a_file_of_this_format_shows_what_it_showed(self):
        for self.snapshot in FIXTURES:
            shown = self.snapshot.with_suffix(".jsonl").read_text("utf-8")
            expected = [json.loads(line) for line in shown.splitlines()]
            reported = self.reported()
            self.assertEqual(len(reported), len(expected))
            for record, old in zip(reported, expected):
                self.assertEqual(without_new_keys(record, old), old)

    def test_a_stranger_reads_what_pobpf_reads(self):
        for snapshot in (self.snapshot, FIXTURE):
            self.snapshot = snapshot
            self.assertEqual(self.read(), self.reported())

    def test_a_stranger_writes_a_reader_in_an_afternoon(self):
        lines = pathlib.Path(snapshot_reader.__file__).read_text("utf-8").splitlines()
        self.assertLessEqual(len(lines), READER_LINES_MAX)

    def test_a_stranger_sees_that_something_is_missing(self):
        content = subprocess.run(
            ["zstd", "-dc", str(FIXTURE)], check=True, capture_output=True
        ).stdout
        with open(SCHEMA, encoding="utf-8") as schema:
            reader = snapshot_reader.Reader(snapshot_reader.read_schema(schema.read()))
        # a message may end behind any of its items
        items = snapshot_reader.decode({"Snapshot": {1: ("item", "bytes", True)}}, "Snapshot", content)
        end = len(content) - len(items["item"][-1]) - 2
        with self.assertRaises(AssertionError):
            list(reader.records(content[:end]))


if __name__ == "__main__":
    export_test.ARGUMENTS = runner.parse(__doc__, "make-snapshot")
    sys.exit(runner.run())
