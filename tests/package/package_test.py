#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The Debian package: lintian, what is in it, hardening, and that purge leaves nothing.

It is installed into an empty directory; a Debian system in a virtual machine is tests/vm's.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
import help_text  # noqa: E402
import installed_pages  # noqa: E402
import runner  # noqa: E402

POBPF = ""
BUILD = pathlib.Path()
TOP = pathlib.Path(__file__).resolve().parent.parent.parent


def output(*command: str, **options) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, **options).stdout


@runner.needs("cpack", "dpkg-deb", "dpkg-shlibdeps")
class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.package = output(str(TOP / "scripts/package"), "deb", str(BUILD)).strip()
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.root = pathlib.Path(cls.folder.name) / "content"
        output("dpkg-deb", "-x", cls.package, str(cls.root))

    def field(self, name: str) -> str:
        return output("dpkg-deb", "-f", self.package, name).strip()

    @runner.needs("lintian")
    def test_lintian_has_nothing_to_say(self):
        # an override that is no longer needed is information only, which changes with compilers
        result = subprocess.run(["lintian", "--allow-root", "--display-info", "--pedantic",
                                 "--fail-on", "error,warning,pedantic", self.package],
                                capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_every_override_has_a_reason(self):
        lines = (TOP / "packaging/debian/lintian-overrides").read_text("utf-8").splitlines()
        self.assertLess(len(lines), 20)
        for before, line in zip(["", *lines], lines):
            if not line.startswith("#"):
                self.assertTrue(before.startswith("# "), line)

    def test_modes_and_owners(self):
        rows = output("dpkg-deb", "-c", self.package).splitlines()
        self.assertGreater(len(rows), 30)
        for row in rows:
            mode, owner, *_rest, path = row.split()
            expected = "drwxr-xr-x" if path.endswith("/") else "-rw-r--r--"
            if path == "./usr/bin/pobpf":
                expected = "-rwxr-xr-x"
            self.assertEqual((mode, owner), (expected, "root/root"), row)

    def test_content(self):
        found = {str(path.relative_to(self.root)) for path in self.root.rglob("*")
                 if not path.is_dir()}
        share = "usr/share"
        expected = {"usr/bin/pobpf", f"{share}/doc/pobpf/changelog.gz", f"{share}/doc/pobpf/copyright",
                    f"{share}/lintian/overrides/pobpf",
                    f"{share}/bash-completion/completions/pobpf",
                    f"{share}/fish/vendor_completions.d/pobpf.fish",
                    f"{share}/zsh/vendor-completions/_pobpf"}
        pages = ["-".join(("pobpf", *command[:1])) for command in help_text.read_all(POBPF)]
        expected |= {f"{share}/man/man1/{page}.1.gz" for page in pages}
        expected |= {f"{share}/doc/pobpf/{path}" for path in installed_pages.expected()}
        systemd = TOP / "systemd"
        for pattern, folder in (("*.service", "usr/lib/systemd/system"),
                                ("*.timer", "usr/lib/systemd/system"),
                                ("*.slice", "usr/lib/systemd/system"),
                                ("*.path", "usr/lib/systemd/system"),
                                ("sysusers.d/*.conf", "usr/lib/sysusers.d"),
                                ("tmpfiles.d/*.conf", "usr/lib/tmpfiles.d"),
                                ("pobpf.conf", "etc/pobpf")):
            expected |= {f"{folder}/{path.name}" for path in systemd.glob(pattern)}
        self.assertEqual(found, expected)

    def test_no_page_has_a_dead_link(self):
        self.assertEqual(installed_pages.dead_links(self.root / "usr/share/doc/pobpf"), [])

    def test_control(self):
        self.assertEqual(self.field("Package"), "pobpf")
        self.assertEqual(self.field("Section"), "admin")
        self.assertEqual(self.field("Architecture"), output("dpkg", "--print-architecture").strip())
        version = self.field("Version")
        changelog = (TOP / "packaging/debian/changelog").read_text("utf-8")
        self.assertEqual(re.match(r"pobpf \((.*?)\)", changelog)[1], version)
        self.assertTrue(output(POBPF, "--version").startswith(f"pobpf {version}\n"))
        depends = self.field("Depends")
        # each library of the program comes from one of them
        for library in ("libbpf1", "libc6", "libprotobuf", "libsqlite3", "libzstd1"):
            self.assertIn(library, depends)
        # nothing of the machine that built it
        self.assertNotIn(str(BUILD), output("strings", str(self.root / "usr/bin/pobpf")))

    def test_configuration_is_kept(self):
        shipped = sorted(f"/{path.relative_to(self.root)}" for path in self.root.glob("etc/**/*")
                         if path.is_file())
        control = pathlib.Path(self.folder.name) / "control"
        output("dpkg-deb", "-e", self.package, str(control))
        named = control / "conffiles"
        self.assertEqual(named.read_text().split() if named.exists() else [], shipped)

    @runner.needs("readelf")
    def test_program_is_stripped_and_hardened(self):
        program = str(self.root / "usr/bin/pobpf")
        self.assertIn("Type:                              DYN", output("readelf", "-h", program))
        dynamic = output("readelf", "-d", program)
        self.assertRegex(dynamic, r"FLAGS_1.*NOW.*PIE")
        self.assertNotIn("RUNPATH", dynamic)
        self.assertNotIn("RPATH", dynamic)
        self.assertRegex(output("readelf", "-lW", program), r"GNU_RELRO")
        stack = re.search(r"GNU_STACK.*", output("readelf", "-lW", program))[0]
        self.assertNotIn("RWE", stack)
        sections = output("readelf", "-SW", program)
        self.assertNotIn(".symtab", sections)
        self.assertNotIn(".debug_info", sections)
        symbols = output("readelf", "--dyn-syms", "-W", program)
        # fortified, and with stack protector
        self.assertIn("_chk@", symbols)
        self.assertIn("__stack_chk_fail", symbols)

    @runner.needs("dpkg", "systemd-sysusers", "deb-systemd-helper")
    def test_install_upgrade_remove_and_purge(self):
        if os.geteuid() != 0:
            self.skipTest("dpkg needs root")
        root = pathlib.Path(self.folder.name) / "machine"
        for folder in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers",
                       "var/lib/systemd/timers", "etc/systemd/system", "usr/bin"):
            (root / folder).mkdir(parents=True)
        for file in ("var/lib/dpkg/status", "var/lib/dpkg/available", "etc/passwd", "etc/group",
                     "etc/shadow", "etc/gshadow"):
            (root / file).touch()

        def content() -> set[str]:
            # what passwd keeps beside its own files, and dpkg's
            return {str(path.relative_to(root)) for path in root.rglob("*")
                    if not re.search(r"/dpkg/|/etc/(passwd-|shadow-|group-|gshadow-|\.pwd\.lock)$",
                                     str(path))}

        def dpkg(*arguments: str):
            result = subprocess.run(
                ["dpkg", f"--root={root}", "--force-script-chrootless", "--force-depends",
                 *arguments], capture_output=True, text=True, check=False)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

        before = content()
        dpkg("-i", self.package)
        self.assertTrue((root / "usr/bin/pobpf").exists())
        timers = [path.name for path in (self.root / "usr/lib/systemd/system").glob("*.timer")]
        wanted = root / "etc/systemd/system/timers.target.wants"
        for timer in timers:
            self.assertTrue((wanted / timer).is_symlink())
        users = list((self.root / "usr/lib/sysusers.d").glob("*.conf"))
        self.assertEqual(bool(users), "pobpf:" in (root / "etc/passwd").read_text())
        # an upgrade leaves alone what the administrator has switched off
        for timer in timers:
            (wanted / timer).unlink()
        dpkg("-i", self.package)
        for timer in timers:
            self.assertFalse((wanted / timer).is_symlink())
        snapshots = root / "var/lib/pobpf"
        snapshots.mkdir(exist_ok=True)
        (snapshots / "one.pobpf").touch()
        for timer in timers:
            (root / "etc/systemd/system" / f"{timer}.d").mkdir()
            (root / "var/lib/systemd/timers" / f"stamp-{timer}").touch()
        dpkg("-r", "pobpf")
        self.assertFalse((root / "usr/bin/pobpf").exists())
        self.assertTrue((snapshots / "one.pobpf").exists())
        dpkg("-P", "pobpf")
        # dpkg takes directories away that hold nothing any more
        self.assertLessEqual(content(), before)
        self.assertNotIn("pobpf", (root / "etc/passwd").read_text())
        self.assertNotIn("pobpf", (root / "etc/group").read_text())


if __name__ == "__main__":
    OPTIONS = runner.parse(__doc__, "build")
    POBPF, BUILD = str(OPTIONS.pobpf), OPTIONS.build
    sys.exit(runner.run())
