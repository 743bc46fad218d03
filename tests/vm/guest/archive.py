#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs in the guest: pobpf snapshot, as timers and operators run it, and as power cuts and full
disks end it.

archive.py SHARED BUILD SEED [unittest arguments]

SHARED is a directory of a file system that knows no files without a name.
"""

import os
import pathlib
import random
import re
import signal
import stat
import subprocess
import sys
import time
import unittest

POBPF = ""
SHARED = pathlib.Path()
MOUNT = pathlib.Path("/run/pobpf-archive")
TIMEOUT_SECONDS = 120
NAME = re.compile(r"[A-Za-z0-9.%-]+_\d{8}T\d{6}\.\d{9}Z_[0-9a-f-]{36}\.pobpf")
KILLS = 8
CAPABILITIES = "-all,+bpf,+perfmon"
UNPRIVILEGED = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
UNPRIVILEGED += ["--inh-caps", CAPABILITIES, "--ambient-caps", CAPABILITIES]
UNPRIVILEGED += ["--bounding-set", CAPABILITIES]

rng = random.Random()


def pobpf(*arguments: str, prefix: list[str] | None = None) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*(prefix or []), POBPF, *arguments],
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )


def contents(directory: pathlib.Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.glob("*.pobpf")}


def free_bytes(directory: pathlib.Path) -> int:
    system = os.statvfs(directory)
    return system.f_bavail * system.f_frsize


class Archive(unittest.TestCase):
    """Each test has a small file system of its own."""

    def setUp(self):
        MOUNT.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=755", "none", MOUNT], check=True)
        self.addCleanup(subprocess.run, ["umount", MOUNT], check=True)
        self.directory = MOUNT / "history"

    def start(self, *arguments: str, directory: pathlib.Path | None = None) -> subprocess.Popen:
        return subprocess.Popen(
            [POBPF, "snapshot", "--dir", directory or self.directory, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def take(self, *arguments: str, status: int = 0, prefix: list[str] | None = None):
        result = pobpf("snapshot", "--dir", str(self.directory), *arguments, prefix=prefix)
        self.assertEqual(result.returncode, status, result.stderr)
        if status != 0:
            self.assertEqual(result.stdout, "")
            self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
            return result.stderr
        path = pathlib.Path(result.stdout.removesuffix("\n"))
        self.assertEqual(path.parent, self.directory)
        self.assertRegex(path.name, NAME)
        return path, result.stderr

    def assert_whole(self, directory: pathlib.Path):
        for path in directory.glob("*.pobpf"):
            result = pobpf("report", "top", str(path), "--by", "nid")
            self.assertEqual((result.returncode, result.stderr), (0, ""), path)

    def test_the_last_ones_stay(self):
        taken = [self.take("--keep", "2") for _ in range(3)]
        paths = [path for path, _ in taken]
        self.assertEqual(sorted(self.directory.glob("*.pobpf")), paths[1:])
        self.assertEqual([said for _, said in taken[:2]], ["", ""])
        self.assertEqual(
            taken[2][1],
            f"pobpf: info: removed {paths[0].name}: there are enough younger ones (--keep)\n",
        )
        self.assertEqual(stat.S_IMODE(paths[1].stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(self.directory.stat().st_mode) & ~0o750, 0)
        host = os.uname().nodename
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        self.assertTrue(paths[1].name.startswith(host + "_"))
        self.assertTrue(paths[1].name.endswith(f"_{boot}.pobpf"))
        self.assert_whole(self.directory)
        listed = pobpf("list", str(self.directory)).stdout.splitlines()
        self.assertEqual([line.split()[-1] for line in listed[1:3]], [p.name for p in paths[1:]])
        self.assertIn(" complete ", listed[1])
        compared = pobpf("diff", "--latest", "--dir", str(self.directory), "--by", "comm")
        self.assertEqual(compared.returncode, 0, compared.stderr)
        self.assertIn("STAYED", compared.stdout)

    def test_at_once_they_wait_or_leave(self):
        runs = [self.start("--wait", "100") for _ in range(4)]
        for run in runs:
            _, said = run.communicate(timeout=TIMEOUT_SECONDS)
            self.assertEqual(run.returncode, 0, said)
        self.assertEqual(len(contents(self.directory)), 4)
        runs = [self.start() for _ in range(4)]
        ends = []
        for run in runs:
            out, said = run.communicate(timeout=TIMEOUT_SECONDS)
            ends.append(run.returncode)
            if run.returncode != 0:
                self.assertEqual(out, "")
                self.assertRegex(said, r"\Apobpf: another pobpf( \(process \d+\))? takes a snapshot ")
        self.assertLessEqual(set(ends), {0, 1})
        self.assertIn(0, ends)
        self.assertIn(1, ends)
        self.assertEqual(len(contents(self.directory)), 4 + ends.count(0))
        self.assert_whole(self.directory)

    def fill(self, left: int) -> pathlib.Path:
        """Takes all but `left` bytes."""
        path = MOUNT / "filler"
        with open(path, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, free_bytes(MOUNT) - left)
        return path

    def test_a_full_disk_leaves_what_was_there(self):
        for _ in range(2):
            self.take()
        before = contents(self.directory)
        filler = self.fill(16384)
        self.assertIn("No space left on device", self.take("--keep", "1", status=1))
        self.assertEqual(contents(self.directory), before)
        self.assertIn("are to stay free", self.take("--min-free", "60M", status=1))
        self.assertIn("are to stay free", self.take("--min-free", "99%", status=1))
        self.assertEqual(contents(self.directory), before)
        self.assertEqual(
            sorted(os.listdir(self.directory)), sorted([*before, ".pobpf.lock"])
        )
        filler.unlink()
        path, _ = self.take("--keep", "1")
        self.assertEqual(list(contents(self.directory)), [path.name])

    def test_old_ones_make_room(self):
        paths = [self.take()[0] for _ in range(3)]
        size = paths[2].stat().st_blocks * 512
        floor = 8 << 20
        # room for the new one, but then the floor is not held
        self.fill(floor + size // 2)
        path, said = self.take("--min-free", str(floor))
        self.assertGreaterEqual(free_bytes(MOUNT), floor)
        self.assertIn(f"removed {paths[0].name}: the file system is to have more free", said)
        left = sorted(self.directory.glob("*.pobpf"))
        self.assertEqual(left[-1], path)
        self.assertIn(paths[2], left)
        self.assert_whole(self.directory)

    def test_a_disk_that_fills_meanwhile(self):
        """The floor is watched while pages are written, and older ones stay."""
        self.take()
        before = contents(self.directory)
        # an estimate of nothing: the last one is tiny
        self.take("--pfn", "0x1000")
        (small,) = contents(self.directory).keys() - before.keys()
        before[small] = (self.directory / small).read_bytes()
        self.fill((8 << 20) + (64 << 10))
        room = sum((self.directory / name).stat().st_blocks * 512 for name in before)
        refused = self.take("--min-free", str((8 << 20) + room), status=1)
        self.assertIn("and a new one takes more", refused)
        self.assertEqual(contents(self.directory), before)

    def test_a_disk_that_is_read_only(self):
        self.take()
        before = contents(self.directory)
        subprocess.run(["mount", "-o", "remount,ro", MOUNT], check=True)
        self.assertIn("Read-only file system", self.take("--keep", "1", status=1))
        self.assertEqual(contents(self.directory), before)
        self.assertEqual(pobpf("list", str(self.directory)).returncode, 0)

    def test_without_permission(self):
        self.assertIn("Permission denied", self.take(status=1, prefix=UNPRIVILEGED))
        self.take()
        before = contents(self.directory)
        self.assertIn("Permission denied", self.take(status=1, prefix=UNPRIVILEGED))
        self.assertEqual(contents(self.directory), before)
        own = MOUNT / "own"
        own.mkdir()
        os.chown(own, 65534, 65534)
        self.directory = own
        self.take(prefix=UNPRIVILEGED)

    def test_a_clock_that_goes_back(self):
        for _ in range(2):
            self.take()
        now = time.time()
        time.clock_settime(time.CLOCK_REALTIME, 1_500_000_000)
        try:
            path, said = self.take("--keep", "2", "--max-age", "1h", "--thin")
            self.assertTrue(path.exists())
            self.assertIn("_20170714T", path.name)
            self.assertEqual(said.count("removed"), 1)
            second, said = self.take("--keep", "2", "--max-age", "1h", "--thin")
            self.assertTrue(second.exists())
            self.assertTrue(path.exists())
        finally:
            time.clock_settime(time.CLOCK_REALTIME, now)
        # so many at once could be the clock's fault, until there are as many new ones
        result = pobpf("snapshot", "--dir", str(self.directory), "--max-age", "1h")
        self.assertEqual(result.returncode, 4, result.stderr)
        self.assertIn("2 of 2 older snapshots would go at once for their age", result.stderr)
        self.assertEqual(len(contents(self.directory)), 3)
        self.take()
        _, said = self.take("--max-age", "1h")
        self.assertEqual(len(contents(self.directory)), 3)
        self.assertEqual(said.count("too old (--max-age)"), 2)

    def kill_runs(self, directory: pathlib.Path):
        begin = time.monotonic()
        self.take()
        duration = time.monotonic() - begin
        nr_left = 0
        for i in range(KILLS):
            before = contents(directory)
            run = self.start(directory=directory)
            time.sleep(rng.uniform(0, duration))
            how = signal.SIGTERM if i % 4 == 3 else signal.SIGKILL
            run.send_signal(how)
            run.communicate(timeout=TIMEOUT_SECONDS)
            self.assertIn(run.returncode, (0, -how))
            after = contents(directory)
            self.assertEqual({name: after[name] for name in before}, before)
            self.assertLessEqual(len(after), len(before) + 1)
            self.assert_whole(directory)
            nr_left += len([n for n in os.listdir(directory) if n.startswith(".pobpf-snapshot.")])
        nr_before = len(contents(directory))
        _, said = self.take()
        self.assertEqual(len(contents(directory)), nr_before + 1)
        names = os.listdir(directory)
        self.assertFalse([name for name in names if name.startswith(".pobpf-snapshot.")], said)
        self.assertEqual(len(names), nr_before + 2)
        return nr_left

    def test_killed_runs_leave_nothing(self):
        self.assertEqual(self.kill_runs(self.directory), 0)

    def test_what_killed_runs_leave_goes_with_the_next(self):
        self.directory = SHARED / "history"
        self.kill_runs(self.directory)
        # one for certain
        (self.directory / ".pobpf-snapshot.abcdef").write_bytes(b"half")
        _, said = self.take()
        self.assertIn("removed .pobpf-snapshot.abcdef: begun by a run that was killed", said)


def main() -> None:
    global POBPF, SHARED  # pylint: disable=global-statement
    shared, build, seed, *rest = sys.argv[1:]
    SHARED = pathlib.Path(shared)
    POBPF = str(pathlib.Path(build) / "static" / "pobpf")
    rng.seed(int(seed))
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)


if __name__ == "__main__":
    main()
