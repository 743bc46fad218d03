#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs in the machine with systemd: from the installation to a power cut, which ends it.

systemd_first_boot.py SEED [STEP...]
"""

import contextlib
import fcntl
import json
import os
import pathlib
import re
import signal
import stat
import time

import listing
import systemd_tools as tools
from retention_oracle import DAY, HOUR, YEAR, thinned, time_of
from systemd_tools import DIRECTORY, ERROR, INFO, PRESSURE, SERVICE, TIMER, names, run, show, start

# Hours to the next snapshot of the timer, and how many are taken by hand right after it. First
# often enough for a day to have several in an hour, then for hours and for days.
MONTH = [(1, 2), (1, 0), (2, 1), (3, 1), (1, 0)]
MONTH += [(7, 0), (5, 1), (12, 0)] * 2
MONTH += [(11, 0), (25, 1), (36, 0)] * 3
MONTH += [(26, 1), (7, 0), (76, 0)] * 4
MONTH += [(2, 1), (1, 0)]
NR_MONTH_DAYS_MIN = 29

EXACT_TIMER = """\
[Timer]
RandomizedDelaySec=0
AccuracySec=1s
"""

# A month goes by in a minute or two: to systemd, a unit that fails again and again.
OFTEN = """\
[Unit]
StartLimitIntervalSec=0
"""


class FirstBoot(tools.Machine):
    STEPS = (
        "the_machine_is_up",
        "dpkg_installs_it",
        "units_are_sound_and_confined",
        "a_snapshot_is_taken_on_a_disk_that_is_mounted_for_it",
        "the_process_is_nobody_with_two_capabilities",
        "settings_are_used",
        "the_timer_fires_on_the_hour",
        "a_year_ends",
        "a_month_is_thinned",
        "a_floor_of_free_space_holds",
        "a_full_disk_loses_nothing",
        "the_power_is_cut_in_the_middle_of_a_write",
    )

    def the_machine_is_up(self):
        self.assert_up()

    def dpkg_installs_it(self):
        listing.write(tools.SHARED / "before-installation")
        run("dpkg", "--install", tools.PACKAGE)
        self.assertEqual(
            show(TIMER, "ActiveState", "SubState", "UnitFileState"),
            ["active", "waiting", "enabled"],
        )
        self.assertEqual(show(SERVICE, "ActiveState", "UnitFileState"), ["inactive", "static"])
        # left to the administrator
        self.assertEqual(show(PRESSURE, "ActiveState", "UnitFileState"), ["inactive", "disabled"])
        self.assertIn("/usr/sbin/nologin", run("getent", "passwd", "pobpf"))
        self.assert_up()

    def units_are_sound_and_confined(self):
        units = [f"/usr/lib/systemd/system/{unit}" for unit in (SERVICE, TIMER, PRESSURE)]
        said = run("systemd-analyze", "verify", "--man=no", *units, errors=True)
        self.assertEqual(said, "")
        for unit in (SERVICE, PRESSURE):
            with self.subTest(unit):
                said = run("systemd-analyze", "security", "--no-pager", unit)
                exposure = float(re.search(r"exposure level for \S+: (\d+\.\d+)", said)[1])
                print(f"{unit}: exposure {exposure}")
                self.assertLess(exposure, tools.EXPOSURE_BELOW, said)

    def a_snapshot_is_taken_on_a_disk_that_is_mounted_for_it(self):
        tools.write_unit(
            tools.MOUNT,
            # what the file system finds wrong with itself is a failure of the test
            f"[Mount]\nWhat={tools.DISK}\nWhere={DIRECTORY}\nType=ext4\nOptions=errors=panic\n",
        )
        tools.write_unit(f"{SERVICE}.d/often.conf", OFTEN)
        invocation = start()
        self.assertTrue(DIRECTORY.is_mount())
        (name,) = names()
        path = DIRECTORY / name
        for item, mode in ((DIRECTORY, 0o750), (path, 0o600)):
            self.assertEqual(stat.S_IMODE(item.stat().st_mode), mode)
            self.assertEqual((item.owner(), item.group()), ("pobpf", "pobpf"))
        self.assertLess(abs(time_of(name) - time.time()), 60)
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        self.assertIn(boot, name)
        self.assertEqual(tools.messages(invocation), [(INFO, str(path))])
        self.assert_whole()
        print(f"{path.stat().st_size} bytes")

    def the_process_is_nobody_with_two_capabilities(self):
        # it waits for the lock of its directory, so that there is time to look at it
        with open(DIRECTORY / ".pobpf.lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            run("systemctl", "start", "--no-block", SERVICE)
            capabilities = self.confined(SERVICE)
        for which in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(capabilities[which], tools.THE_TWO, which)
        tools.wait_for("the end", lambda: not tools.is_busy(SERVICE))
        self.assertEqual(show(SERVICE, "Result"), ["success"])
        self.assertEqual(len(names()), 2)

    def settings_are_used(self):
        text = tools.SETTINGS.read_text("utf-8")
        line = text.splitlines().index("[snapshot]") + 2
        before = names()
        with tools.settings(lambda text: text.replace("[snapshot]\n", "[snapshot]\nkepp = 3\n")):
            invocation = start(status=1)
        self.assertEqual(
            show(SERVICE, "ActiveState", "Result", "ExecMainStatus"), ["failed", "exit-code", "2"]
        )
        ((priority, said),) = tools.messages(invocation)
        self.assertEqual(priority, ERROR)
        self.assertIn(f"{tools.SETTINGS}:{line}: ", said)
        self.assertIn("'kepp'", said)
        self.assertEqual(names(), before)
        with tools.settings(lambda text: text.replace("[snapshot]\n", "[snapshot]\nkeep = 1\n")):
            invocation = start()
        (left,) = names()
        self.assertEqual(
            sorted(tools.messages(invocation)),
            sorted(
                [(INFO, str(DIRECTORY / left))]
                + [
                    (INFO, f"pobpf: info: removed {name}: there are enough younger ones (--keep)")
                    for name in before
                ]
            ),
        )

    def the_timer_fires_on_the_hour(self):
        tools.write_unit(f"{TIMER}.d/exact.conf", EXACT_TIMER)
        for _ in range(2):
            before = names()
            hour = tools.next_hour()
            tools.set_clock(hour - 4)
            time.sleep(2)
            self.assertEqual(names(), before, "before its time")
            (new,) = tools.wait_for_new(before, 60)
            self.assertGreaterEqual(time_of(new), hour)
            self.assertLess(time_of(new), hour + 60)

    def step(self, hours: float, nr_by_hand: int = 0) -> None:
        """Lets the timer find that its time has come, and compares what is there then."""
        before = names()
        target = time.time() + hours * HOUR
        # no second run at the full hour, and never quite the edge of a tier
        tools.set_clock(target // HOUR * HOUR + tools.rng.uniform(300, 3000))
        (new,) = tools.wait_for_new(before)
        self.ever.add(new)
        for _ in range(nr_by_hand):
            before = names()
            begin = time.time()
            start()
            self.ever |= names() - before
            self.assert_thinned(begin)
        self.assert_thinned(time_of(new))

    def assert_thinned(self, begin: float) -> None:
        """`begin`: a moment before the run decided; what is an edge between it and now may stay."""
        self.assertIn(names(), (thinned(self.ever, begin), thinned(self.ever, time.time())))

    def a_year_ends(self):
        start()
        old = names()
        self.assertGreaterEqual(len(old), 3)
        tools.set_clock(time.time() + YEAR + DAY)
        (new,) = tools.wait_for_new(old)
        # a clock that jumped does the same
        self.assertEqual(names(), {*old, new})
        said = run("journalctl", "--output=cat", f"--unit={SERVICE}", "--identifier=pobpf")
        self.assertIn(f"{len(old)} of {len(old)} older snapshots would go at once", said)
        for name in old:
            (DIRECTORY / name).unlink()

    def a_month_is_thinned(self):
        begin = time.time()
        self.ever = names()
        for hours, nr_by_hand in MONTH:
            self.step(hours, nr_by_hand)
        left = names()
        nr_days = (time.time() - begin) / DAY
        print(f"{len(self.ever)} snapshots in {nr_days:.1f} days, {len(left)} left")
        self.assertGreater(nr_days, NR_MONTH_DAYS_MIN)
        # or the month has tried nothing
        now = time.time()
        for low, high in ((0, DAY), (DAY, 7 * DAY), (7 * DAY, YEAR)):
            taken = {name for name in self.ever if low < now - time_of(name) <= high}
            self.assertTrue(taken & left)
            self.assertEqual(taken <= left, low == 0, f"older than {low} s")
        said = run("journalctl", "--output=cat", f"--unit={SERVICE}", "--identifier=pobpf")
        for name in self.ever - left:
            why = "an earlier one of the same interval stays (--thin)"
            self.assertIn(f"removed {name}: {why}", said)
        self.assert_whole()

    @contextlib.contextmanager
    def filled(self, nr_bytes_left: int):
        system = os.statvfs(DIRECTORY)
        filler = DIRECTORY / "filler"
        try:
            with open(filler, "wb") as file:
                nr_bytes = system.f_bavail * system.f_frsize - nr_bytes_left
                os.posix_fallocate(file.fileno(), 0, nr_bytes)
            yield
        finally:
            filler.unlink()

    def refused(self, why: str) -> None:
        """A run fails for this reason, says so, and leaves all as it was."""
        before = tools.contents()
        invocation = start(status=1)
        self.assertEqual(
            show(SERVICE, "ActiveState", "Result", "ExecMainStatus"), ["failed", "exit-code", "1"]
        )
        ((priority, said),) = tools.messages(invocation)
        self.assertEqual(priority, ERROR)
        self.assertIn(why, said)
        self.assertEqual(tools.contents(), before)
        self.assertEqual(tools.begun(), [])

    def a_floor_of_free_space_holds(self):
        floor = 'min-free = "10%"\n'
        self.assertIn(floor, tools.SETTINGS.read_text("utf-8"))
        with tools.settings(lambda text: text.replace(floor, 'min-free = "99%"\n')):
            self.refused("are to stay free")

    def a_full_disk_loses_nothing(self):
        with tools.settings(lambda text: text.replace('min-free = "10%"\n', "")):
            with self.filled(16 << 10):
                self.refused("No space left on device")
            before = names()
            start()
            self.assertEqual(len(names() - before), 1)
        self.assert_whole()

    def the_power_is_cut_in_the_middle_of_a_write(self):
        # the host cuts it when it sees the file `cut`
        acknowledged = tools.Acknowledged(DIRECTORY)
        acknowledged.prepare()
        acknowledged.write(names())
        (tools.SHARED / "cut-from-here").touch()
        for _ in range(4):
            start()
            acknowledged.write(names())
        pid = tools.wait_for("one is stopped in the middle of its write", stopped_while_writing)
        # half of it is on the disk, the worst that can be there
        os.sync()
        (tools.SHARED / "clock").write_text(str(int(time.time())), "ascii")
        (tools.SHARED / "safe").write_text(json.dumps(sorted(names())), "ascii")
        # renamed: it is whole when the host sees it
        unfinished = tools.SHARED / "cut.unfinished"
        unfinished.write_text(json.dumps(tools.failed_steps()), "ascii")
        unfinished.rename(tools.SHARED / "cut")
        time.sleep(tools.TIMEOUT_SECONDS)
        self.fail("the power was not cut")


def stopped_while_writing() -> int | None:
    """Takes a snapshot and stops the process when the file has no name yet, but something in it."""
    run("systemctl", "start", "--no-block", SERVICE)
    pid = 0
    while pid != 0 or tools.is_busy(SERVICE):
        pid = int(show(SERVICE, "MainPID")[0])
        while pid != 0 and pathlib.Path(f"/proc/{pid}").exists():
            if is_writing(pid):
                os.kill(pid, signal.SIGSTOP)
                # it may have been faster
                if is_writing(pid):
                    return pid
                os.kill(pid, signal.SIGCONT)
    return None


def is_writing(pid: int) -> bool:
    device = DIRECTORY.stat().st_dev
    try:
        files = [os.stat(file) for file in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        # it has ended, or has closed one of them
        return False
    return any(
        stat.S_ISREG(file.st_mode) and file.st_dev == device and file.st_nlink == 0
        and file.st_size > 0 for file in files
    )


if __name__ == "__main__":
    tools.main(FirstBoot)
