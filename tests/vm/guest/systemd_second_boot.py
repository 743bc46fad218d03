#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs in the machine with systemd, after its power was cut: until the package is purged.

systemd_second_boot.py SEED [STEP...]
"""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
from collections.abc import Callable

import listing
import systemd_tools as tools
from systemd_tools import DIRECTORY, ERROR, PRESSURE, SERVICE, names, run, show, start

PRESSURE_DIRECTORY = pathlib.Path("/var/lib/pobpf-pressure")
CGROUP = pathlib.Path("/sys/fs/cgroup/system.slice") / SERVICE
LOW_MIB = 100
NR_HOGS_MAX = 5

# Takes what there is, and stops once when as little is left as it is told, to be sent on at the right
# moment. The kernel is to judge it as it judges any process. Its code stays in memory: reading it again
# and again, as the kernel throws it out for lack of others, would take minutes.
HOG = """\
import ctypes, os, re, signal, sys
if ctypes.CDLL(None).mlockall(1) != 0:
    raise SystemExit("mlockall has failed")
open("/proc/self/oom_score_adj", "w").write("0")
open("/proc/self/comm", "w").write("memory-hog")
taken = []
low_mib = int(sys.argv[1])
while True:
    if low_mib:
        available = re.search(r"MemAvailable: +([0-9]+) kB", open("/proc/meminfo").read())
        if int(available[1]) >> 10 < low_mib:
            low_mib = 0
            os.kill(os.getpid(), signal.SIGSTOP)
    taken.append(b"x" * (4 << 20))
"""


def start_hog(low_mib: int = 0) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", HOG, str(low_mib)], stdin=subprocess.DEVNULL)


def programs() -> set[str]:
    """The programs of all processes, without their folders."""
    found = set()
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        # kernel threads have none, and a process may end meanwhile
        with contextlib.suppress(OSError):
            found.add(os.path.basename(os.readlink(process / "exe")))
    return found


class SecondBoot(tools.Machine):
    STEPS = (
        "what_was_safe_is_there_and_the_timer_makes_up_for_the_run_that_was_missed",
        "each_moment_of_a_power_cut_leaves_what_was_safe",
        "the_timer_goes_on",
        "memory_runs_out_during_a_snapshot",
        "pressure_is_recorded",
        "purging_leaves_nothing",
    )

    def what_was_safe_is_there_and_the_timer_makes_up_for_the_run_that_was_missed(self):
        self.assert_up()
        self.assertIn("recovery complete", run("dmesg"))
        self.assertTrue(DIRECTORY.is_mount())
        safe = set(json.loads((tools.SHARED / "safe").read_text("ascii")))
        self.assertGreater(len(safe), 4)
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        new = tools.wait_for("a snapshot of this boot", lambda: {n for n in names() if boot in n})
        tools.wait_for("the end", lambda: not tools.is_busy(SERVICE))
        self.assertEqual(len(new), 1)
        self.assertEqual(show(SERVICE, "Result"), ["success"])
        # the run that was cut had not given its file a name, so it has left nothing
        self.assertEqual(names() - new, safe)
        self.assertEqual(tools.begun(), [])
        self.assertEqual(list((DIRECTORY / "lost+found").iterdir()), [])
        self.assert_whole()

    def each_moment_of_a_power_cut_leaves_what_was_safe(self):
        disks = sorted(pathlib.Path("/sys/class/block").glob("vd[c-z]"))
        self.assertGreaterEqual(len(disks), 4)
        mount = pathlib.Path("/run/cut")
        mount.mkdir()
        for disk in disks:
            with self.subTest(disk.name):
                run("mount", "-t", "ext4", "-o", "errors=panic", f"/dev/{disk.name}", mount)
                try:
                    safe = tools.Acknowledged(mount).read()
                    found = names(mount)
                    print(f"{disk.name}: {len(safe)} safe, {len(found - safe)} more")
                    self.assertLessEqual(safe, found)
                    # that one was just over, and its end not yet known
                    self.assertLessEqual(len(found - safe), 1)
                    self.assertEqual(tools.begun(mount), [])
                    self.assert_whole(mount, known=DIRECTORY)
                finally:
                    run("umount", mount)

    def the_timer_goes_on(self):
        before = names()
        hour = tools.next_hour()
        tools.set_clock(hour - 2)
        self.assertEqual(len(tools.wait_for_new(before, 60)), 1)
        self.assertEqual(show(SERVICE, "Result"), ["success"])

    def memory_runs_out_during_a_snapshot(self):
        for _ in range(NR_HOGS_MAX):
            nr_killed = len(tools.killed_for_memory())
            hog = start_hog(LOW_MIB)
            os.waitid(os.P_PID, hog.pid, os.WSTOPPED)
            begin, end = self.one_run(lambda: hog.send_signal(signal.SIGCONT))
            self.assertEqual(hog.wait(tools.TIMEOUT_SECONDS), -signal.SIGKILL)
            # the kernel has not taken another one for the large one
            killed = tools.killed_for_memory()[nr_killed:]
            self.assertEqual([name for name, _ in killed], ["memory-hog"])
            if begin < killed[0][1] < end:
                break
        else:
            self.fail("memory never ran out during a snapshot")
        self.assert_whole()
        start()

    @staticmethod
    def is_running() -> bool:
        try:
            return (CGROUP / "cgroup.procs").read_text("ascii") != ""
        except FileNotFoundError:
            return False

    def one_run(self, when_it_runs: Callable[[], None]) -> tuple[float, float]:
        """Succeeds or fails cleanly; when it began and ended."""
        before = names()
        run("systemctl", "start", "--no-block", SERVICE)
        tools.wait_for("its process", self.is_running)
        when_it_runs()
        tools.wait_for("the end", lambda: not tools.is_busy(SERVICE))
        result, status, invocation, begin, end = show(
            *(SERVICE, "Result", "ExecMainStatus", "InvocationID"),
            *("ExecMainStartTimestampMonotonic", "ExecMainExitTimestampMonotonic"),
        )
        new = names() - before
        said = tools.messages(invocation)
        span = (int(begin) / 1e6, int(end) / 1e6)
        print(f"{result} after {span[1] - span[0]:.1f} s, {len(new)} new")
        self.assertLessEqual(before, names())
        self.assertEqual(tools.begun(), [])
        if result == "success":
            self.assertEqual(len(new), 1)
        else:
            self.assertEqual((result, status), ("exit-code", "1"), said)
            self.assertEqual(new, set())
            self.assertIn(ERROR, [priority for priority, _ in said])
        return span

    def pressure_is_recorded(self):
        run("systemctl", "enable", "--now", PRESSURE)
        self.assertEqual(show(PRESSURE, "ActiveState"), ["active"])
        capabilities = self.confined(PRESSURE)
        for which in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            self.assertEqual(capabilities[which] & ~tools.THE_TWO, 0, which)
        pid, invocation = show(PRESSURE, "MainPID", "InvocationID")
        nr_killed = len(tools.killed_for_memory())
        self.assertEqual(start_hog().wait(tools.TIMEOUT_SECONDS), -signal.SIGKILL)
        tools.wait_for("a snapshot", lambda: names(PRESSURE_DIRECTORY), 60)
        self.assert_whole(PRESSURE_DIRECTORY)
        # the one who has the most anonymous memory is told
        largest = [
            self.largest_owner(PRESSURE_DIRECTORY / name) for name in names(PRESSURE_DIRECTORY)
        ]
        self.assertIn("memory-hog", largest)
        said = tools.messages(invocation)
        print(said)
        for name in names(PRESSURE_DIRECTORY):
            self.assertEqual(len([text for _, text in said if name in text]), 1, name)
        self.assertNotIn(ERROR, [priority for priority, _ in said])
        self.assertEqual(
            show(PRESSURE, "MainPID", "NRestarts", "ActiveState"), [pid, "0", "active"]
        )
        killed = tools.killed_for_memory()[nr_killed:]
        self.assertEqual([name for name, _ in killed], ["memory-hog"])
        self.assertEqual(tools.begun(PRESSURE_DIRECTORY), [])

    def largest_owner(self, snapshot: pathlib.Path) -> str:
        said = run(
            *("pobpf", "report", "top", snapshot, "--by", "allocator,comm", "--format", "json")
        )
        rows = [json.loads(line) for line in said.splitlines()]
        anonymous = [row for row in rows if row.get("allocator") == "anonymous"]
        return max(anonymous, key=lambda row: row["pages"])["comm"]

    def purging_leaves_nothing(self):
        start()
        self.assertTrue(names())
        run("dpkg", "--purge", "pobpf")
        # the mount point stays, as it is the administrator's
        self.assertEqual(list(DIRECTORY.iterdir()), [])
        run("umount", DIRECTORY)
        DIRECTORY.rmdir()
        (tools.UNITS / tools.MOUNT).unlink()
        run("systemctl", "daemon-reload")
        before = listing.read(tools.SHARED / "before-installation")
        after = listing.take()
        changed = {
            path: (before.get(path), after.get(path))
            for path in before.keys() | after.keys()
            if before.get(path) != after.get(path)
        }
        # made by systemd for the first timer that remembers when it fired, empty now
        changed.pop("/var/lib/systemd/timers", None)
        self.assertEqual(changed, {})
        for database in ("passwd", "group"):
            self.assertNotIn("pobpf", run("getent", database))
        units = run("systemctl", "list-units", "--all", "--plain", "--no-legend", "pobpf*")
        self.assertEqual(units.strip(), "")
        self.assertEqual(programs() & {"pobpf", "pobpf (deleted)"}, set())
        self.assert_up()


if __name__ == "__main__":
    tools.main(SecondBoot)
