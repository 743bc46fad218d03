#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""pobpf list, diff --latest and snapshot --dry-run over directories of made-up snapshots.

archive_test.py --pobpf POBPF --make-snapshot PROGRAM [unittest arguments]

Runs on any machine. What takes snapshots of a kernel is in tests/vm/archive_test.py.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
import cli_test  # noqa: E402
import runner  # noqa: E402
from cli_test import BOOT_ID, TIMEOUT_SECONDS, archived_name, pobpf, write_archive  # noqa: E402

HOUR, DAY = 3600, 86400
# seconds after the first one in write_archive()
NOW_AND_THEN = [int(time.time()) - 1_700_000_000 - ago for ago in (7000, 6000, 5000)]
# runs a command on a machine whose name it may change; who is not root here is root there
TAKE_NAME = ["unshare", "--uts", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]


class Archive(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.folder = pathlib.Path(self.directory.name) / "history"

    def listed(self, status: int = 0) -> list[dict]:
        result = pobpf("list", str(self.folder), "--format", "json")
        self.assertEqual(result.returncode, status, result.stderr)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def refused(self, *arguments: str) -> str:
        result = pobpf(*arguments)
        self.assertEqual((result.returncode, result.stdout), (1, b""), result.stderr)
        self.assertEqual(result.stderr.count(b"\n"), 1, result.stderr)
        return result.stderr.decode()


class List(Archive):
    def test_json_says_what_is_there(self):
        write_archive(self.folder, [HOUR, 0], nr_records=50)
        first, second = self.listed()
        self.assertEqual(
            first,
            {
                "file": archived_name(0),
                "directory": str(self.folder),
                "time": "2023-11-14T22:13:20.000000000Z",
                "time_ns": 1_700_000_000 * 10**9,
                "host": "made-up",
                "boot_id": BOOT_ID,
                "kernel_release": "6.12.0-made-up",
                "filters": "",
                "bytes": (self.folder / archived_name(0)).stat().st_size,
                "nr_records": 50,
                "state": "complete",
                "is_removable": True,
            },
        )
        self.assertEqual(second["file"], archived_name(HOUR))

    def test_text_has_a_line_each(self):
        write_archive(self.folder, [0, DAY])
        result = pobpf("list", str(self.folder))
        lines = result.stdout.decode().splitlines()
        self.assertEqual(lines[0].split(), "TIME AGE HOST BOOT KERNEL SIZE RECORDS STATE FILE".split())
        self.assertEqual(len(lines), 4)
        fields = lines[2].split()
        self.assertEqual(fields[0], "2023-11-15T22:13:20Z")
        self.assertEqual(fields[2:5], ["made-up", "00000000", "6.12.0-made-up"])
        self.assertEqual(fields[6:], ["100", "complete", archived_name(DAY)])
        self.assertIn("(2 snapshots)", lines[3])
        self.assertEqual(result.stderr, b"")

    def test_each_damage_has_its_name(self):
        write_archive(self.folder, [0])
        whole = (self.folder / archived_name(0)).read_bytes()
        (self.folder / archived_name(1)).write_bytes(whole[:-5])
        (self.folder / archived_name(2)).write_bytes(whole[:50])
        (self.folder / archived_name(3)).write_bytes(b"")
        (self.folder / "copy.pobpf").write_bytes(whole)
        states = {s["file"]: (s["state"], s["is_removable"]) for s in self.listed()}
        self.assertEqual(
            states,
            {
                archived_name(0): ("complete", True),
                archived_name(1): ("incomplete", False),
                archived_name(2): ("damaged", False),
                archived_name(3): ("damaged", False),
                "copy.pobpf": ("complete", False),
            },
        )
        for snapshot in self.listed():
            self.assertEqual("why" in snapshot, snapshot["state"] != "complete", snapshot)

    def test_all_else_is_counted(self):
        write_archive(self.folder, [0])
        (self.folder / "core").write_bytes(b"")
        (self.folder / "folder.pobpf").mkdir()
        os.mkfifo(self.folder / archived_name(5))
        (self.folder / archived_name(6)).symlink_to(archived_name(0))
        (self.folder / ".pobpf.lock").write_bytes(b"")
        (self.folder / ".pobpf-snapshot.abcdef").write_bytes(b"half")
        result = pobpf("list", str(self.folder))
        self.assertEqual(result.returncode, 0)
        self.assertIn(b"(1 snapshot)", result.stdout)
        self.assertEqual(
            result.stderr.decode().splitlines(),
            [
                f"pobpf: warning: {self.folder} has 1 unfinished snapshot, still written or left by "
                "a killed run",
                f"pobpf: warning: {self.folder} has 4 other files, not shown",
            ],
        )

    def test_hostile_names_stay_names(self):
        write_archive(self.folder, [0])
        name = b"\x1b[2J\xff\n.pobpf"
        with open(os.fsencode(self.folder) + b"/" + name, "wb") as file:
            file.write(b"x")
        result = pobpf("list", str(self.folder))
        self.assertNotIn(b"\x1b", result.stdout + result.stderr)
        self.assertEqual(len(result.stdout.splitlines()), 4)
        self.assertEqual(len(self.listed()), 2)

    def test_what_may_not_be_read_is_said(self):
        write_archive(self.folder, [0])
        # not even its owner may
        os.chmod(self.folder / archived_name(0), 0)
        result = cli_test.as_nobody(self.directory.name, "list", str(self.folder))
        self.assertEqual(result.returncode, 4, result.stderr)
        self.assertIn(b"unreadable", result.stdout)
        self.assertIn(b"Permission denied", result.stderr)
        # the listing is of no use to another user, and the directory to nobody
        self.addCleanup(self.folder.chmod, 0o700)
        self.folder.chmod(0)
        result = cli_test.as_nobody(self.directory.name, "list", str(self.folder))
        self.assertEqual(result.returncode, 1, result.stderr)

    def test_no_directory(self):
        self.assertIn("No such file or directory", self.refused("list", str(self.folder)))
        self.folder.write_bytes(b"")
        self.assertIn("Not a directory", self.refused("list", str(self.folder)))

    def test_nothing_is_nothing(self):
        self.folder.mkdir()
        result = pobpf("list", str(self.folder))
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b"", b""))


class Latest(Archive):
    def diff(self, *arguments: str) -> subprocess.CompletedProcess:
        result = pobpf("diff", *arguments, "--format", "json")
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def test_are_what_naming_them_gives(self):
        write_archive(self.folder, [0, 10, 20, 30])
        paths = [str(self.folder / archived_name(s)) for s in (0, 10, 20, 30)]
        where = ["--dir", str(self.folder)]
        with open(self.folder / "z.pobpf", "wb") as file:
            subprocess.run([cli_test.MAKE_SNAPSHOT, "7", "3", "99"], stdout=file, check=True)
        for arguments, named in (
            (["--latest"], paths[2:]),
            (["--latest", "2"], paths[2:]),
            (["--latest", "4"], [paths[0], paths[3]]),
            (["--leaks", "--latest"], ["--leaks", *paths[1:]]),
            (["--leaks", "--latest", "4"], ["--leaks", *paths]),
        ):
            with self.subTest(arguments):
                shown = self.diff(*arguments, *where, "--by", "tgid", "-v")
                compared = [p for p in paths if f"compares {p}" in shown.stderr.decode()]
                self.assertEqual(compared, [n for n in named if n != "--leaks"])
                self.assertEqual(shown.stdout, self.diff(*named, "--by", "tgid").stdout)

    def test_too_few(self):
        write_archive(self.folder, [0])
        sentence = self.refused("diff", "--latest", "--dir", str(self.folder))
        self.assertIn("has 1 complete snapshot of host 'made-up'", sentence)
        (self.folder / archived_name(0)).unlink()
        sentence = self.refused("diff", "--latest", "--dir", str(self.folder))
        self.assertIn("has no whole snapshot", sentence)


class DryRun(Archive):
    @classmethod
    def setUpClass(cls):
        if subprocess.run([*TAKE_NAME, "true"], capture_output=True, check=False).returncode != 0:
            raise unittest.SkipTest("this user may have no namespaces")

    def plan(self, *arguments: str, status: int = 0) -> list[str]:
        """Plans for the made-up machine, whose name this one takes meanwhile."""
        before = sorted(os.listdir(self.folder))
        command = [*TAKE_NAME, "sh", "-c", 'hostname made-up && exec "$@"', "sh"]
        command += [cli_test.POBPF, "snapshot", "--dry-run", "--dir", str(self.folder), *arguments]
        result = subprocess.run(command, capture_output=True, check=False, timeout=TIMEOUT_SECONDS)
        self.assertEqual((result.returncode, result.stdout), (status, b""), result.stderr)
        self.assertEqual(sorted(os.listdir(self.folder)), before)
        return result.stderr.decode().splitlines()

    def test_each_limit_has_its_reason(self):
        write_archive(self.folder, [0, 10, 20, *NOW_AND_THEN])
        size = (self.folder / archived_name(20)).stat().st_size
        reasons = {
            ("--keep", "6"): ([0], "there are enough younger ones (--keep)"),
            ("--max-age", "1d"): ([0, 10, 20], "too old (--max-age)"),
            ("--max-size", f"{6.5 * size:.0f}"): (
                [0],
                "younger ones take all that they may (--max-size)",
            ),
            ("--thin",): ([0, 10, 20], "older than all that stays (--thin)"),
            ("--thin-tiers", "1d:all,200w:1d"): (
                [10, 20],
                "an earlier one of the same interval stays (--thin)",
            ),
        }
        for arguments, (gone, reason) in reasons.items():
            with self.subTest(arguments):
                self.assertEqual(
                    self.plan(*arguments),
                    [f"pobpf: info: would remove {archived_name(s)}: {reason}" for s in gone],
                )
        self.assertEqual(self.plan(), [])
        self.assertEqual(self.plan("--keep", "7"), [])
        self.assertEqual(self.plan("--keep", "1", "-q"), [])

    def test_more_than_half_for_their_age_are_refused(self):
        write_archive(self.folder, [0, 10, 20])
        for arguments, nr_refused in (
            (["--max-age", "1d"], 3),
            (["--thin"], 3),
            (["--thin-tiers", "200w:1d"], 2),
        ):
            with self.subTest(arguments):
                self.assertEqual(
                    self.plan(*arguments, status=4),
                    [
                        f"pobpf: finished, but {nr_refused} of 3 older snapshots would go at once for "
                        "their age, so none of them does: check the clock, and remove them yourself "
                        "if it is right"
                    ],
                )
        (line, _) = self.plan("--max-age", "1d", "--keep", "3", status=4)
        self.assertEqual(
            line,
            f"pobpf: info: would remove {archived_name(0)}: there are enough younger ones (--keep)",
        )

    def test_what_is_no_snapshot_is_not_removed(self):
        write_archive(self.folder, [0])
        (self.folder / archived_name(-10)).write_bytes(b"x")
        first, second = sorted(self.plan("--keep", "1"))
        self.assertEqual(
            first,
            f"pobpf: info: would remove {archived_name(0)}: there are enough younger ones (--keep)",
        )
        self.assertIn(f"{archived_name(-10)} does not begin like a snapshot", second)

    def test_other_hosts_are_left_alone(self):
        write_archive(self.folder, [0, 10])
        result = pobpf("snapshot", "--dry-run", "--dir", str(self.folder), "--keep", "1")
        self.assertEqual((result.returncode, result.stderr), (0, b""))

    def test_makes_no_directory(self):
        self.assertIn(
            "No such file", self.refused("snapshot", "--dry-run", "--dir", str(self.folder))
        )
        self.assertFalse(self.folder.exists())


if __name__ == "__main__":
    cli_test.take_programs(runner.parse(__doc__, "make-snapshot"))
    sys.exit(runner.run())
