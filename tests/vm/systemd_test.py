#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The Debian package in a machine with systemd: timers, a month, full disks, power cuts, memory
that runs out, purge.

systemd_test.py --build BUILD --kernel SERIES [--package DEB] [--seed N] [--keep DIRECTORY]
                [--step NAME]... [--no-boot]

Two boots of a Debian root (scripts/vmlib/debian_root.py), with the steps of
guest/systemd_first_boot.py and guest/systemd_second_boot.py; between them the power is cut.
"""

import argparse
import contextlib
import json
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path.insert(0, str(TOP / "scripts"))
import retention_oracle  # noqa: E402
from vmlib import debian_root, qemu, systemd_machine  # noqa: E402
from vmlib.accelerator import choose_accelerator  # noqa: E402
from vmlib.cache import require_kernel  # noqa: E402
from vmlib.errors import VmError  # noqa: E402
from vmlib.runner import Outcome, Result  # noqa: E402
from vmlib.table import DEFAULT, KernelTable  # noqa: E402
from vmlib.write_log import MAGIC, WriteLog  # noqa: E402

OPTIONS = argparse.Namespace()
PACKAGE = ROOT = DIRECTORY = pathlib.Path()
BOOT_SECONDS = 900
GUEST_FILES = ("listing.py", "systemd_tools.py", "systemd_first_boot.py", "systemd_second_boot.py")
# Little memory is exhausted soon.
MACHINE = qemu.Machine(memory_mib=768, cpus=1, nodes=1)
# 4 KiB each: small, so that it fills, and enough for a month.
DISK_BLOCKS = 16384
NR_CUTS = 6

START = """\
#!/bin/sh
cd /run/vm
export LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
python3 -u {script} {seed} {steps} >{output} 2>&1
echo $? >{status}.unfinished
mv {status}.unfinished {status}
"""


def package() -> pathlib.Path:
    if OPTIONS.package is not None:
        return OPTIONS.package
    made = subprocess.run(
        [str(TOP / "scripts" / "package"), "deb", str(OPTIONS.build)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return pathlib.Path(made.stdout.strip())


class OracleTest(unittest.TestCase):
    """Judges what the guest is judged by."""

    @staticmethod
    def name(day: int, hour: int = 0, minute: int = 0) -> str:
        return f"h_202701{day:02}T{hour:02}{minute:02}00.000000000Z_{'0' * 36}.pobpf"

    def test_what_stays_is_written_down_by_hand(self):
        stays = [
            *(self.name(30, 11, 10), self.name(30, 11, 50), self.name(31, 11, 0)),  # of the day
            *(self.name(30, 9, 5), self.name(30, 10, 1), self.name(24, 13, 2)),  # hours
            *(self.name(24, 11), self.name(23, 0, 1), self.name(1, 23)),  # days
        ]
        # 24 January, 11 h is the first of its day, 12 h not, and both are older than a week
        goes = [self.name(30, 9, 55), self.name(24, 13, 3), self.name(24, 11, 59)]
        goes += [self.name(23, 0, 2), self.name(23, 23), self.name(1, 23, 59)]
        goes += [self.name(31).replace("2027", "2025")]
        now = retention_oracle.time_of(self.name(31, 11, 5))
        self.assertEqual(retention_oracle.thinned({*stays, *goes}, now), set(stays))


class WriteLogTest(unittest.TestCase):
    """A log of made-up writes."""

    def test_disks_after_a_cut(self):
        entries = [(0, 1, 0, b"a"), (1, 1, 0, b"b"), (0, 0, 1, b"")]
        entries += [(0, 1, 0, b"c"), (2, 1, 2, b"d")]
        log = struct.pack("<QQQI", MAGIC, 1, len(entries), 512).ljust(512, b"\0")
        for sector, nr_sectors, flags, data in entries:
            log += struct.pack("<QQQQ", sector, nr_sectors, flags, 0).ljust(512, b"\0")
            log += data * 512 * nr_sectors
        with tempfile.TemporaryDirectory() as scratch:
            paths = [pathlib.Path(scratch) / name for name in ("log", "before", "after")]
            paths[0].write_bytes(log)
            paths[1].write_bytes(b"-" * 2048)

            def states(cut: int) -> set[bytes]:
                found = set()
                for seed in range(40):
                    WriteLog(paths[0]).make_disk(paths[1], paths[2], cut, random.Random(seed))
                    found.add(paths[2].read_bytes()[::512])
                return found

            self.assertEqual(states(0), {b"----"})
            # in any order, until there is a flush; what is written with FUA is there
            self.assertEqual(states(2), {b"----", b"a---", b"-b--", b"ab--"})
            self.assertEqual(states(3), {b"ab--"})
            self.assertEqual(states(5), {b"abd-", b"cbd-"})


class RootTest(unittest.TestCase):
    def test_the_root_depends_on_what_the_package_needs_only(self):
        depends = debian_root.depends_of(PACKAGE)
        self.assertEqual(debian_root.find_root(depends), ROOT)
        self.assertIsNone(debian_root.find_root(depends + ", sl"))


class MachineTest(unittest.TestCase):
    """The first test ends with the power cut that the second one begins with."""

    @classmethod
    def setUpClass(cls):
        table = KernelTable()
        kernel = require_kernel(table, OPTIONS.kernel, DEFAULT)
        cls.kernel_arguments = table.boot_arguments(OPTIONS.kernel, DEFAULT, DEFAULT)
        cls.accelerator = choose_accelerator(kernel, cls.kernel_arguments)
        cls.kernel_image = kernel.image
        cls.console_allowed = table.console_allowed()
        cls.share = DIRECTORY / "share"
        cls.share.mkdir()
        shutil.copy(PACKAGE, cls.share / "pobpf.deb")
        for path in [HERE / "guest" / name for name in GUEST_FILES]:
            shutil.copy(path, cls.share)
        shutil.copy(HERE / "retention_oracle.py", cls.share)
        cls.root = systemd_machine.make_overlay(ROOT, DIRECTORY / "root.qcow2")
        cls.empty = DIRECTORY / "empty"
        systemd_machine.make_ext4(cls.empty, DISK_BLOCKS)
        # file systems distrust a clock that is behind their own times
        cls.first_clock = (int(time.time()) // 86400 + 1) * 86400 + 10 * 3600 + 20 * 60

    @contextlib.contextmanager
    def boot(self, name: str, disks: list[systemd_machine.Disk], clock: int):
        start = self.share / "start"
        start.write_text(
            START.format(
                script=f"systemd_{name}_boot.py",
                seed=OPTIONS.seed,
                steps=" ".join(OPTIONS.step),
                output=systemd_machine.OUTPUT_FILE,
                status=systemd_machine.STATUS_FILE,
            )
        )
        start.chmod(0o755)
        boot = systemd_machine.Boot(
            image=self.kernel_image,
            kernel_arguments=self.kernel_arguments,
            machine=MACHINE,
            accelerator=self.accelerator,
            disks=[self.root, *disks],
            clock=clock,
            share=self.share,
            console=DIRECTORY / f"console-{name}",
            console_allowed=self.console_allowed,
        )
        begin = time.monotonic()
        try:
            with systemd_machine.booted(boot, DIRECTORY, show) as machine:
                yield machine
        finally:
            print(f"{name} boot, {self.accelerator}: {time.monotonic() - begin:.0f} s", flush=True)

    def assert_good(self, result: Result, name: str):
        """Whatever ends otherwise is told apart: lost, late, a kernel in trouble, a failed step."""
        if result.outcome is not Outcome.FINISHED:
            text = (DIRECTORY / f"console-{name}").read_text(errors="replace")
            print("\n".join(text.splitlines()[-60:]))
            self.fail(f"{result.outcome.value}: {result.detail}")
        self.assertIn(result.status, (None, 0), "steps have failed in the guest, see above")

    def test_1_until_the_power_is_cut(self):
        disk, log = DIRECTORY / "disk", DIRECTORY / "writes"
        shutil.copyfile(self.empty, disk)
        from_here = self.share / "cut-from-here"
        # how many writes there were when the guest began the part in which power may be cut
        nr_writes_before = []

        def is_to_be_cut() -> bool:
            if from_here.exists() and not nr_writes_before:
                nr_writes_before.append(len(WriteLog(log).writes))
            return (self.share / "cut").exists()

        with self.boot("first", [systemd_machine.Disk(disk, log=log)], self.first_clock) as machine:
            result = machine.wait(BOOT_SECONDS, until=is_to_be_cut)
            machine.cut_power()
        self.assert_good(result, "first")
        self.assertIsNone(result.status, "the guest ended before its power was cut")
        writes = WriteLog(log)
        self.assertGreater(len(writes.writes), nr_writes_before[0] + 5 * NR_CUTS)
        rng = random.Random(OPTIONS.seed)
        cuts = sorted(rng.sample(range(nr_writes_before[0], len(writes.writes)), NR_CUTS))
        for number, cut in enumerate([len(writes.writes), *cuts]):
            writes.make_disk(self.empty, DIRECTORY / f"cut-{number}", cut, rng)
        print(f"cut after {cuts} of {len(writes.writes)} writes")
        # last, as the second boot can tell its part all the same
        failed = json.loads((self.share / "cut").read_text())
        self.assertEqual(failed, [], "steps have failed in the guest, see above")

    def test_2_after_the_power_was_cut(self):
        clock = self.share / "clock"
        self.assertTrue((DIRECTORY / "cut-0").exists(), "no power was cut")
        # more than an hour, so that a run was missed
        later = int(clock.read_text()) + 2 * 3600
        disks = [systemd_machine.Disk(DIRECTORY / f"cut-{i}") for i in range(1 + NR_CUTS)]
        with self.boot("second", disks, later) as machine:
            result = machine.wait(BOOT_SECONDS)
        self.assert_good(result, "second")
        self.assertEqual(result.status, 0)


def show(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def main() -> int:
    global OPTIONS, DIRECTORY, PACKAGE, ROOT  # pylint: disable=global-statement
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--build", required=True, type=lambda p: pathlib.Path(p).resolve())
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--package", type=pathlib.Path, help="instead of that of BUILD")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--step", action="append", default=[], help="only these steps of the guest")
    parser.add_argument("--keep", type=pathlib.Path, help="leaves disks and consoles here")
    parser.add_argument("--no-boot", action="store_true", help="only what needs no machine")
    OPTIONS = parser.parse_args()
    print(f"seed {OPTIONS.seed}", flush=True)
    with contextlib.ExitStack() as stack:
        if OPTIONS.keep is not None:
            OPTIONS.keep.mkdir(parents=True)
            DIRECTORY = OPTIONS.keep.resolve()
        else:
            scratch = tempfile.TemporaryDirectory(prefix="pobpf-systemd-")
            DIRECTORY = pathlib.Path(stack.enter_context(scratch))
        try:
            PACKAGE = package()
            ROOT = debian_root.require_root(debian_root.depends_of(PACKAGE))
        except (VmError, OSError, subprocess.CalledProcessError) as error:
            print(f"systemd_test: {error}", file=sys.stderr)
            return 1
        loader = unittest.TestLoader()
        cases = [OracleTest, WriteLogTest, RootTest]
        if not OPTIONS.no_boot:
            cases.append(MachineTest)
        suite = unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in cases)
        result = unittest.TextTestRunner(verbosity=2).run(suite)
        return 0 if result.wasSuccessful() and not result.skipped else 1


if __name__ == "__main__":
    sys.exit(main())
