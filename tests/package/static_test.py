#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The static program runs where nothing else is."""

import gzip
import lzma
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
import runner  # noqa: E402

POBPF = ""
BUILD = pathlib.Path()
TOP = pathlib.Path(__file__).resolve().parent.parent.parent
DUMP = TOP / "tests/data/dumps/v5.10-x86-vm-head.txt"


def run(*command, **options) -> subprocess.CompletedProcess:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False, **options)


def output(*command, **options) -> str:
    result = run(*command, **options)
    if result.returncode != 0:
        raise AssertionError(f"{command}: {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = pathlib.Path(self.folder.name) / "root"
        self.root.mkdir()


class InEmptyRoot(Case):
    """All files there are in these tests are the program and what a test puts beside it."""

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("chroot needs root")
        shutil.copy(BUILD / "static/pobpf", self.root / "pobpf")
        for folder in ("proc", "sys"):
            (self.root / folder).mkdir()

    def pobpf(self, *words, mounts: str = "") -> subprocess.CompletedProcess:
        """In a mount namespace that goes with it."""
        script = (f"mount --rbind /proc '{self.root}/proc'; mount --rbind /sys '{self.root}/sys'; "
                  f"{mounts} exec chroot '{self.root}' /pobpf \"$@\"")
        return run("unshare", "--mount", "sh", "-ec", script, "sh", *words)

    def test_version(self):
        result = self.pobpf("--version")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(result.stdout, output(POBPF, "--version"))

    def test_check_says_what_the_machine_lacks(self):
        result = self.pobpf("check")
        self.assertIn(result.returncode, (0, 3), result.stderr)
        self.assertEqual(result.returncode, run(POBPF, "check").returncode)
        lines = result.stdout.splitlines()
        self.assertRegex(lines[0], r"^OK +kernel: Linux ")
        self.assertEqual(result.returncode == 3, any(line.startswith("FAIL") for line in lines))

    def test_imported_text_is_reported(self):
        text = DUMP.read_bytes()
        zst = subprocess.run(["zstd"], input=text, capture_output=True, check=True).stdout
        outside = pathlib.Path(self.folder.name) / "outside.pobpf"
        output(POBPF, "import", DUMP, "-o", outside)
        for name, bytes_ in {"text": text, "gz": gzip.compress(text), "xz": lzma.compress(text),
                             "zst": zst}.items():
            (self.root / name).write_bytes(bytes_)
            result = self.pobpf("import", f"/{name}", "-o", f"/{name}.pobpf")
            self.assertEqual(result.returncode, 0, result.stderr)
            for view in ([], ["top"], ["stacks"]):
                with self.subTest(name=name, view=view):
                    result = self.pobpf("report", *view, f"/{name}.pobpf")
                    self.assertEqual(result.returncode, 0, result.stderr)
                    self.assertEqual(result.stdout, output(POBPF, "report", *view, outside))
        result = self.pobpf("report", "/text.pobpf", "--format", "sqlite", "-o", "/text.sqlite")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue((self.root / "text.sqlite").read_bytes().startswith(b"SQLite format 3"))

    def test_users_and_groups_are_those_of_its_files(self):
        def refused(owner: str) -> bool:
            result = self.pobpf("pin", "view", "--chown", owner)
            return result.returncode == 2 and "there is no" in result.stderr

        self.assertTrue(refused("mel"))
        self.assertTrue(refused(":memory"))
        self.assertFalse(refused("4711:4712"))
        (self.root / "etc").mkdir()
        (self.root / "etc/passwd").write_text("# users\nroot:x:0:0:::\nnonsense\nmel:x:4711:1:::\n")
        (self.root / "etc/group").write_text("root:x:0:\nmemory:x:4712:mel\n")
        # nobody reads this, as it takes modules
        (self.root / "etc/nsswitch.conf").write_text("passwd: db\ngroup: db\n")
        self.assertFalse(refused("mel:memory"))
        self.assertTrue(refused("memory"))
        self.assertTrue(refused(":mel"))
        self.assertTrue(refused("nonsense"))
        offered = self.pobpf("__complete", "pin", "--chown", "").stdout
        self.assertEqual(re.findall(r"root|mel", offered), ["root", "mel"])
        (self.root / "pins").mkdir()
        pins = f"{self.root}/pins"
        result = self.pobpf("pins", "--dir", "/pins", mounts=(
            f"mount -t bpf bpf '{pins}'; mkdir '{pins}/known' '{pins}/unknown'; "
            f"chown 4711:4712 '{pins}/known'; chown 4712:4711 '{pins}/unknown'; "))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"(?m)^known +mel:memory ")
        self.assertRegex(result.stdout, r"(?m)^unknown +4712:4711 ")


class Program(unittest.TestCase):
    @runner.needs("readelf", "strings")
    def test_needs_no_library_and_is_hardened(self):
        program = BUILD / "static/pobpf"
        headers = output("readelf", "-hlW", program)
        # a position of its own for each run
        self.assertIn("Type:                              DYN", headers)
        self.assertNotIn("INTERP", headers)
        self.assertIn("GNU_RELRO", headers)
        self.assertNotIn("RWE", headers)
        self.assertNotIn("NEEDED", output("readelf", "-dW", program))

    @runner.needs("strings")
    def test_does_not_tell_where_it_was_built(self):
        said = output("strings", BUILD / "static/pobpf")
        for path in (BUILD, TOP):
            self.assertNotIn(str(path), said)


if __name__ == "__main__":
    OPTIONS = runner.parse(__doc__, "build")
    POBPF, BUILD = str(OPTIONS.pobpf), OPTIONS.build
    sys.exit(runner.run())
