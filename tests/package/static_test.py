#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The static program, and the packages that bring it to other distributions: it runs where nothing
else is, and what is installed goes without a trace."""

import gzip
import lzma
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
import help_text  # noqa: E402
import installed_pages  # noqa: E402
import runner  # noqa: E402

POBPF = ""
BUILD = pathlib.Path()
TOP = pathlib.Path(__file__).resolve().parent.parent.parent
LIBC_OBJECT = "CMakeFiles/pobpf_static_libc.dir/Unity/unity_0_cxx.cxx.o"
DUMP = TOP / "tests/data/dumps/v5.15-arm64-module-order3.txt"


def run(*command, **options) -> subprocess.CompletedProcess:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False, **options)


def output(*command, **options) -> str:
    result = run(*command, **options)
    if result.returncode != 0:
        raise AssertionError(f"{command}: {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


def content(root: pathlib.Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def files(root: pathlib.Path) -> set[str]:
    return {path for path in content(root) if not (root / path).is_dir()}


def expected_files() -> set[str]:
    """Both packages have these below their prefix."""
    pages = ["-".join(("pobpf", *command[:1])) for command in help_text.read_all(POBPF)]
    return {"bin/pobpf", "share/zsh/site-functions/_pobpf",
            "share/bash-completion/completions/pobpf",
            "share/fish/vendor_completions.d/pobpf.fish",
            *(f"share/man/man1/{page}.1.gz" for page in pages),
            *(f"share/doc/pobpf/{path}" for path in installed_pages.expected())}


def bundled() -> dict[str, list[str]]:
    """The rows of packaging/bundled: by Debian's name of a library its own name, and its licence."""
    lines = (TOP / "packaging/bundled").read_text("utf-8").splitlines()
    rows = [line.split(maxsplit=2) for line in lines if not line.startswith("#")]
    return {row[0]: row[1:] for row in rows}


class Case(unittest.TestCase):
    def assert_licenses(self, folder: pathlib.Path):
        """All texts are there, and those that texts refer to."""
        common = folder / "common-licenses"
        named = set()
        for name in {name for name, _ in bundled().values()}:
            text = (folder / name).read_text("utf-8")
            self.assertNotIn("/usr/share/common-licenses", text, name)
            named |= set(re.findall(r"common-licenses/([\w.-]*\w)", text))
        self.assertLess({"GPL-2", "LGPL-2.1", "GPL-3"}, named)
        self.assertEqual({path.name for path in common.iterdir()}, named)
        texts = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
        self.assertEqual(len(set(texts)), len(texts))
        self.assertEqual({path.name for path in folder.iterdir()},
                         {"LICENSE", common.name, *(name for name, _ in bundled().values())})

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
        pins = self.root / "pins"
        pins.mkdir()
        bpffs = f"mount -t bpf bpf '{pins}'; "

        def pin(*words) -> tuple[int, str]:
            result = self.pobpf("pin", "view", "--dir", "/pins", *words, mounts=bpffs)
            return result.returncode, result.stderr

        def takes(owner: str):
            """Who then has the pin is seen in a guest (tests/vm/pins_test.py)."""
            self.assertEqual(pin("--chown", owner), without_owner)

        def refuses(owner: str, reason: str):
            status, said = pin("--chown", owner)
            self.assertEqual(status, 2, said)
            self.assertIn(f"--chown: there is no {reason}: ", said)

        # a machine whose kernel has no page_owner says that it makes no pin
        without_owner = pin()
        self.assertIn(without_owner[0], (0, 3), without_owner[1])
        refuses("mel", "user 'mel'")
        refuses(":memory", "group 'memory'")
        takes("4711:4712")
        (self.root / "etc").mkdir()
        (self.root / "etc/passwd").write_text(
            "# users\n+nis:x:0:0:::\nroot:x:0:0:::\nnonsense\nmel:x:4711:1:::\n")
        (self.root / "etc/group").write_text("root:x:0:\nmemory:x:4712:mel\n")
        # nobody reads this, as it takes modules
        (self.root / "etc/nsswitch.conf").write_text("passwd: db\ngroup: db\n")
        takes("mel:memory")
        refuses("memory", "user 'memory'")
        refuses(":mel", "group 'mel'")
        refuses("nonsense", "user 'nonsense'")
        # NIS, which is not asked
        refuses("+nis", "user '+nis'")
        offered = self.pobpf("__complete", "pin", "--chown", "").stdout
        self.assertEqual(re.findall(r"root|mel", offered), ["root", "mel"])
        result = self.pobpf("pins", "--dir", "/pins", mounts=bpffs + (
            f"mkdir '{pins}/known' '{pins}/unknown'; "
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

    @runner.needs("ninja")
    def test_does_not_tell_where_it_was_built(self):
        program = (BUILD / "static/pobpf").read_bytes()
        # a source without headers of which compilers have made something before
        compiled = output("ninja", "-C", BUILD, "-t", "commands", "-s", LIBC_OBJECT).strip()
        with tempfile.TemporaryDirectory() as folder:
            made = pathlib.Path(folder) / "made.o"
            compiled = re.sub(r" -MD -MT \S+ -MF \S+ -o \S+ ", f" -g -o '{made}' ", compiled)
            output("sh", "-c", compiled, cwd=BUILD)
            debug_information = made.read_bytes()
        self.assertIn(b"/usr/src/pobpf", debug_information)
        for path in (BUILD, TOP):
            self.assertNotIn(bytes(path), program)
            self.assertNotIn(bytes(path), debug_information)

    @runner.needs("dpkg", "ninja", "c++")
    def test_licences_are_those_of_all_that_it_contains(self):
        """Libraries by the linker's list, and headers by that of the compilers."""
        link = output("ninja", "-C", BUILD, "-t", "commands", "-s", "static/pobpf").strip()
        with tempfile.TemporaryDirectory() as folder:
            link = link.replace("-o static/pobpf", f"-Wl,--trace -o {folder}/pobpf")
            read = output("sh", "-c", link, cwd=BUILD).splitlines()
        used = {os.path.realpath(path) for path in read if path.startswith("/")}
        deps = output("ninja", "-C", BUILD, "-t", "deps")
        for target in re.split(r"\n\n", deps):
            if re.match(r"src/|CMakeFiles/pobpf_static", target):
                used |= set(re.findall(r"(?m)^ +(/usr/.*)", target))
        found = output("dpkg", "-S", *used)
        packages = {line.split(":")[0] for line in found.splitlines()}
        # constants of the kernel's interface
        self.assertEqual(packages - {"linux-libc-dev"}, set(bundled()))


@runner.needs("cmake", "ninja")
class Preset(unittest.TestCase):
    """`cmake --preset static`, of a copy of the sources, gives the program that the release build
    has: it would be made by the same commands, and the same bytes come out of those that are quick."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.source = pathlib.Path(folder.name) / "source"
        shutil.copytree(TOP, cls.source,
                        ignore=shutil.ignore_patterns(".*", "build", "build-*", "tests"))
        output("cmake", "-S", cls.source, "--preset", "static")
        cls.build = cls.source / "build-static"

    def commands(self, target: str) -> list[str]:
        """Those that make the target here, as they would stand in the release build."""
        found = output("ninja", "-C", self.build, "-t", "commands", target)
        found = found.replace(str(self.build), str(BUILD)).replace(str(self.source), str(TOP))
        return self.words(found)

    @staticmethod
    def words(commands: str) -> list[str]:
        """One space between words, no cache before compilers, and no number made of a path."""
        for what, instead in ((" +", " "), ("(?m)^ccache ", ""), ("/CMakeFiles/d/[0-9a-f]+", "")):
            commands = re.sub(what, instead, commands)
        return commands.splitlines()

    def test_it_is_compiled_and_linked_as_in_the_release_build(self):
        expected = output("ninja", "-C", BUILD, "-t", "commands", "static/pobpf")
        # libraries do not know which program they are for, and these matter on Windows alone
        expected = re.sub(r"-D(FMT_SHARED|SPDLOG_SHARED_LIB) ", "", expected)
        expected = expected.replace("pobpf_static.dir", "pobpf.dir")
        expected = expected.replace("static/pobpf", "pobpf")
        found = self.commands("pobpf")
        self.assertGreater(len(found), 50)
        self.assertEqual(set(found) ^ set(self.words(expected)), set())

    def test_the_same_bytes_come_out(self):
        messages = "src/snapshot/CMakeFiles/pobpf_snapshot_messages.dir/generated/snapshot.pb.cc.o"
        names = (LIBC_OBJECT, messages, "bpf/facts.skel.h")
        output("ninja", "-C", self.build, *names)
        for name in names:
            self.assertEqual((self.build / name).read_bytes(), (BUILD / name).read_bytes(), name)


@runner.needs("rpmbuild", "rpmlint", "cmake", "ninja")
class Spec(Case):
    """A distribution would take these steps; they end where compilers would begin."""

    SPEC = "packaging/pobpf.spec"

    def test_sources_are_unpacked_and_configured(self):
        name = f"pobpf-{output(POBPF, '--version').split()[1]}"
        (self.root / "SOURCES").mkdir()
        output("tar", "-C", TOP, "--create", "--gzip", "--exclude-vcs", "--exclude=./build*",
               "--exclude=./tests", f"--transform=s,^[.],{name},",
               "--file", self.root / f"SOURCES/{name}.tar.gz", ".")
        # as Fedora's, which are longer; the last would compile
        macros = (f"_topdir {self.root}", "__cmake_builddir redhat-linux-build",
                  "cmake cmake -G Ninja -S . -B %{__cmake_builddir}"
                  " -DCMAKE_INSTALL_PREFIX:PATH=%{_prefix}",
                  "cmake_build ninja -C %{__cmake_builddir} -t commands")
        said = output("rpmbuild", "-bc", "--nodeps", "--load", TOP / "packaging/rpm/macros",
                      *(f"--define={macro}" for macro in macros), BUILD / self.SPEC)
        self.assertIn(" -o pobpf ", said)
        self.assertNotIn("static/pobpf", said)
        cache = (self.root / f"BUILD/{name}/redhat-linux-build/CMakeCache.txt").read_text("utf-8")
        for line in ("CMAKE_INSTALL_PREFIX:PATH=/usr", "POBPF_WERROR:BOOL=OFF"):
            self.assertIn(f"\n{line}\n", cache)

    def test_rpmlint_has_nothing_to_say(self):
        result = run("rpmlint", "--config", TOP / "packaging/rpm/rpmlint.toml", BUILD / self.SPEC)
        self.assertRegex(result.stdout, r" 0 errors, 0 warnings", result.stderr)


class Made:
    """A package that is made twice, in circumstances that must not matter."""

    @classmethod
    def setUpClass(cls):
        command = (TOP / "scripts/package", cls.FORMAT, BUILD)
        cls.package = pathlib.Path(output(*command).strip())
        cls.bytes = cls.package.read_bytes()
        cls.again = output(*command, cwd="/", umask=0o077, env=os.environ | {
            "TZ": "Asia/Tokyo", "LC_ALL": "C", "TMPDIR": "/var/tmp", "HOME": "/nonexistent"})

    def test_two_packages_are_the_same_bytes(self):
        self.assertEqual(self.again.strip(), str(self.package))
        self.assertEqual(self.package.read_bytes(), self.bytes)


@runner.needs("rpmbuild", "rpm")
class Rpm(Made, Case):
    FORMAT = "rpm"

    def rpm(self, *words) -> str:
        result = run("rpm", "--root", self.root, *words)
        self.assertEqual((result.returncode, result.stderr), (0, ""), words)
        return result.stdout

    def change(self, *words):
        # Debian's rpm would say that dpkg is what to use
        self.rpm("--force-debian", *words)

    @runner.needs("rpmlint")
    def test_rpmlint_finds_no_errors(self):
        result = run("rpmlint", "--config", TOP / "packaging/rpm/rpmlint.toml", self.package)
        self.assertRegex(result.stdout, r" 0 errors, 0 warnings", result.stderr)
        self.assertEqual(result.returncode, 0)

    def test_every_filter_has_a_reason(self):
        text = (TOP / "packaging/rpm/rpmlint.toml").read_text("utf-8")
        filters = tomllib.loads(text)["Filters"]
        self.assertEqual(len(re.findall(r"(?m)^  # .*\n  '", text)), len(filters))

    def test_content(self):
        self.assertEqual(self.package.name, f"pobpf-{self.version()}-1.{os.uname().machine}.rpm")
        listed = self.rpm("-qp", "--qf", "[%{FILENAMES}\\t%{FILEMODES:perms}\\t%{FILEUSERNAME}\\n]",
                          self.package).splitlines()
        rows = dict((line.split("\t")[0], line.split("\t")[1:]) for line in listed)
        expected = {f"/usr/{path}" for path in expected_files()}
        expected |= {"/etc/pobpf/pobpf.conf"}
        for pattern, folder in (("*.service", "/usr/lib/systemd/system"),
                                ("*.timer", "/usr/lib/systemd/system"),
                                ("sysusers.d/*.conf", "/usr/lib/sysusers.d")):
            expected |= {f"{folder}/{path.name}" for path in (TOP / "systemd").glob(pattern)}
        found = {path for path, (mode, _) in rows.items() if not mode.startswith("d")}
        self.assertEqual({path for path in found if "/licenses/pobpf/" not in path}, expected)
        # none of another package, and none that this one should not take away
        self.assertEqual({path for path, (mode, _) in rows.items() if mode.startswith("d")},
                         {"/etc/pobpf", "/usr/share/licenses/pobpf",
                          "/usr/share/licenses/pobpf/common-licenses", "/usr/share/doc/pobpf",
                          *(f"/usr/share/doc/pobpf/{path}" for path in (
                              "docs", "src", "src/snapshot", "tests", "tests/python"))})
        for path, (mode, owner) in rows.items():
            executable = path == "/usr/bin/pobpf"
            self.assertIn(mode, ("drwxr-xr-x", "-rwxr-xr-x" if executable else "-rw-r--r--"), path)
            self.assertEqual(owner, "root")
        self.assertEqual(self.rpm("-qpc", self.package), "/etc/pobpf/pobpf.conf\n")
        self.assertEqual(set(self.rpm("-qp", "--licensefiles", self.package).split()),
                         {path for path in found if "/licenses/pobpf/" in path})
        self.assertNotIn("/usr/bin", self.rpm("-qpd", self.package))
        # a static program needs no libraries, and any systemd will do
        needed = self.rpm("-qpR", self.package).splitlines()
        self.assertEqual({line for line in needed if not line.startswith("rpmlib(")},
                         {"/bin/sh", f"config(pobpf) = {self.version()}-1"})

    def version(self) -> str:
        return output(POBPF, "--version").split()[1]

    def test_it_says_what_is_bundled_and_under_which_licences(self):
        provided = self.rpm("-qp", "--provides", self.package)
        for name, license_ in bundled().values():
            self.assertRegex(provided, rf"(?m)^bundled\({re.escape(name)}\) = [0-9.]+$")
        (whole,) = self.rpm("-qp", "--qf", "%{LICENSE}\n", self.package).splitlines()
        parts = whole.split(" AND ")
        self.assertEqual(parts[0], "GPL-2.0-only")
        expected = {part if " OR " not in part else f"({part})"
                    for _, license_ in bundled().values() for part in license_.split(" AND ")}
        self.assertEqual(sorted(parts[1:]), sorted(expected))

    def test_installs_into_an_empty_root_and_goes_without_a_trace(self):
        if os.geteuid() != 0:
            self.skipTest("rpm needs root")
        self.rpm("--initdb")
        # an empty root has no shell for the scriptlets
        self.change("--install", "--nodeps", "--noscripts", self.package)
        self.assertTrue((self.root / "usr/bin/pobpf").exists())
        self.assertEqual(self.rpm("--verify", "--nodeps", "pobpf"), "")
        self.assertEqual(installed_pages.dead_links(self.root / "usr/share/doc/pobpf"), [])
        self.assert_licenses(self.root / "usr/share/licenses/pobpf")
        self.change("--erase", "--noscripts", "pobpf")
        # directories that rpm made for it are of no package, and stay
        self.assertEqual({path for path in files(self.root) if "/.rpmdb/" not in path}, set())
        self.assertEqual({path for path in content(self.root) if "pobpf" in path}, set())

    def assert_scriptlets(self, *programs: str, call: dict[str, list[list[str]]]):
        """Installs, upgrades and removes where `programs` only say how they were called. `call` is
        what they must say, but for the user, and without the units at the end."""
        if os.geteuid() != 0:
            self.skipTest("rpm needs root")
        for folder in ("bin", "usr/bin", "usr/lib/systemd", "run/systemd/system"):
            (self.root / folder).mkdir(parents=True)
        shutil.copy("/bin/busybox", self.root / "bin/sh")
        for program in ("usr/bin/systemd-sysusers", *programs):
            script = self.root / program
            script.write_text('#!/bin/sh\necho "${0##*/} $*" >>/calls\n')
            script.chmod(0o755)
        units = {path.name for path in (TOP / "systemd").glob("*.service")}
        timers = {path.name for path in (TOP / "systemd").glob("*.timer")}
        named = {"install": {*timers, "pobpf-pressure.service"},
                 "upgrade": {"pobpf-pressure.service"}, "erase": timers | units}
        self.rpm("--initdb")
        for verb, words in (("install", [self.package]),
                            ("upgrade", ["--replacepkgs", self.package]), ("erase", ["pobpf"])):
            self.change(f"--{verb}", "--nodeps", *words)
            calls = [line.split() for line in (self.root / "calls").read_text().splitlines()]
            (self.root / "calls").unlink()
            if verb != "erase":
                self.assertEqual(calls.pop(0), ["systemd-sysusers", "pobpf.conf"])
            last = len(call[verb][-1])
            self.assertEqual([*calls[:-1], calls[-1][:last]], call[verb])
            self.assertEqual(set(calls[-1][last:]), named[verb])
        # timers first, as they start others
        self.assertIn(calls[-1][last], timers)

    @runner.needs("/bin/busybox")
    def test_scriptlets_call_the_helper_of_systemd(self):
        self.assert_scriptlets("usr/lib/systemd/systemd-update-helper", "usr/bin/systemctl", call={
            "install": [["systemd-update-helper", "install-system-units"]],
            # it restarts what runs once systemd's own trigger has read the new units
            "upgrade": [["systemd-update-helper", "mark-restart-system-units"]],
            "erase": [["systemd-update-helper", "remove-system-units"]]})

    @runner.needs("/bin/busybox")
    def test_scriptlets_call_systemctl_where_there_is_no_helper(self):
        self.assert_scriptlets("usr/bin/systemctl", call={
            "install": [["systemctl", "--no-reload", "preset"]],
            # what is restarted is what was installed
            "upgrade": [["systemctl", "daemon-reload"], ["systemctl", "try-restart"]],
            "erase": [["systemctl", "--no-reload", "disable", "--now"]]})


@runner.needs("zstd", "tar")
class Tar(Made, Case):
    FORMAT = "tar"

    def setUp(self):
        super().setUp()
        folder = pathlib.Path(self.folder.name)
        output("tar", "-C", folder, "--extract", "--same-permissions", "--file", self.package)
        (self.tree,) = (path for path in folder.iterdir() if path != self.root)
        self.script = self.tree / "install.sh"

    def install(self, *words, root=None) -> subprocess.CompletedProcess:
        return run(self.script, *words, env=os.environ | {"DESTDIR": str(root or self.root)})

    def test_content(self):
        version = output(POBPF, "--version").split()[1]
        self.assertEqual(self.tree.name, f"pobpf-{version}-{os.uname().machine}")
        self.assertEqual({path.name for path in self.tree.iterdir()},
                         {"files", "install.sh"})
        found = {path for path in files(self.tree / "files") if "/licenses/pobpf/" not in path}
        self.assertEqual(found, expected_files())
        rows = output("tar", "--list", "--verbose", "--numeric-owner", "--file", self.package)
        rows = [line.split() for line in rows.splitlines()]
        self.assertEqual({row[1] for row in rows}, {"0/0"})
        # modes and dates that hang on nothing
        self.assertLessEqual({row[0] for row in rows}, {"drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--"})
        self.assertEqual(len({tuple(row[3:5]) for row in rows}), 1)

    def test_goes_without_a_trace(self):
        for words, prefix in ((), "usr/local"), (("--prefix", "/opt/pobpf"), "opt/pobpf"), (
                ("--prefix=/usr/",), "usr"), (("--prefix", "/"), "."):
            with self.subTest(prefix):
                result = self.install(*words)
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                prefix = self.root / prefix
                found = {path for path in files(prefix) if "/licenses/pobpf/" not in path}
                self.assertEqual(found, expected_files() | {"share/pobpf/installed"})
                self.assertEqual(output(prefix / "bin/pobpf", "--version"),
                                 output(POBPF, "--version"))
                self.assertEqual(installed_pages.dead_links(prefix / "share/doc/pobpf"), [])
                self.assert_licenses(prefix / "share/licenses/pobpf")
                result = self.install("uninstall", *words)
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                self.assertEqual(content(self.root), set())

    def test_leaves_alone_what_is_not_its_own(self):
        (self.root / "usr/local/bin").mkdir(parents=True)
        self.assertEqual(self.install().returncode, 0)
        self.assertEqual(self.install("uninstall").returncode, 0)
        self.assertEqual(content(self.root), {"usr", "usr/local", "usr/local/bin"})
        foreign = self.root / "usr/local/bin/pobpf"
        foreign.write_text("other")
        result = self.install()
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"^install.sh: \S+bin/pobpf is there and not from here: ")
        self.assertEqual(files(self.root), {"usr/local/bin/pobpf"})

    def test_an_upgrade_leaves_nothing_of_the_version_before(self):
        extra = self.tree / "files/share/pobpf-old/table"
        extra.parent.mkdir()
        extra.write_text("old")
        self.assertEqual(self.install().returncode, 0)
        self.assertTrue((self.root / "usr/local/share/pobpf-old/table").exists())
        shutil.rmtree(extra.parent)
        result = self.install()
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertFalse((self.root / "usr/local/share/pobpf-old").exists())
        # directories that the version before made are known
        self.assertEqual(self.install("uninstall").returncode, 0)
        self.assertEqual(content(self.root), set())

    def test_an_upgrade_that_fails_leaves_a_program_and_can_be_undone(self):
        self.assertEqual(self.install().returncode, 0)
        program = self.root / "usr/local/bin/pobpf"
        before = program.read_bytes()
        tools = self.tree / "tools"
        tools.mkdir()
        cp = tools / "cp"
        cp.write_text('#!/bin/sh\ncase $2 in */bin/pobpf) exit 1 ;; *) exec /bin/cp "$@" ;; esac\n')
        cp.chmod(0o755)
        (self.tree / "files/share/new").write_text("new")
        result = run(self.script, env=os.environ | {
            "DESTDIR": str(self.root), "PATH": f"{tools}:{os.environ['PATH']}"})
        self.assertEqual(result.returncode, 1)
        self.assertEqual(program.read_bytes(), before)
        self.assertEqual(self.install("uninstall").returncode, 0)
        self.assertEqual(content(self.root), set())

    def test_a_program_that_runs_is_upgraded(self):
        self.assertEqual(self.install().returncode, 0)
        program = self.root / "usr/local/bin/pobpf"
        with subprocess.Popen([program, "import", "-", "-o", "/dev/null"], stdin=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as running:
            result = self.install()
            self.assertIsNone(running.poll())
            running.stdin.close()
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(program.read_bytes(), (self.tree / "files/bin/pobpf").read_bytes())

    def test_names_may_have_spaces(self):
        self.tree = self.tree.rename(self.tree.parent / "a  tree")
        self.script = self.tree / "install.sh"
        (self.tree / "files/share/doc/a  page").write_text("page")
        root = self.root / "a  root"
        root.mkdir()
        for _ in ("install", "upgrade"):
            result = self.install(root=root)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual((root / "usr/local/share/doc/a  page").read_text(), "page")
        self.assertEqual(self.install("uninstall", root=root).returncode, 0)
        self.assertEqual(content(root), set())

    def test_refusals_are_one_sentence(self):
        for words, status, message in (
                (("uninstall",), 1, "nothing is installed below"),
                (("remove",), 2, "unknown argument remove"),
                (("--prefix",), 2, "--prefix needs a directory"),
                (("--prefix", "here"), 2, "--prefix has to begin with /"),
                (("--prefix", "/a b"), 2, "--prefix takes letters")):
            with self.subTest(words):
                result = self.install(*words)
                self.assertEqual(result.returncode, status)
                self.assertTrue(result.stderr.startswith(f"install.sh: {message}"), result.stderr)
                self.assertEqual(result.stderr.count("\n"), 1)
                self.assertEqual(content(self.root), set())
        self.assertIn("no directory", self.install(root="/nonexistent").stderr)
        self.assertIn("usage: ./install.sh", self.install("--help").stdout)
        if os.geteuid() == 0:
            self.root.parent.chmod(0o755)
            self.root.chmod(0o755)
            result = run(self.script, user=65534, group=65534, extra_groups=[],
                         env=os.environ | {"DESTDIR": str(self.root)})
            self.assertEqual(result.returncode, 1)
            self.assertRegex(result.stderr, r"^install.sh: cannot make \S+: run this as root, or ")

    def test_a_program_of_another_machine_is_refused(self):
        tools = self.tree / "tools"
        tools.mkdir()
        (tools / "uname").write_text("#!/bin/sh\necho Linux aarch64\n")
        (tools / "uname").chmod(0o755)
        result = run(self.script, env=os.environ | {
            "DESTDIR": str(self.root), "PATH": f"{tools}:{os.environ['PATH']}"})
        self.assertEqual(result.returncode, 1)
        self.assertEqual(
            result.stderr,
            f"install.sh: this pobpf is for Linux on {os.uname().machine}, and this is Linux aarch64\n",
        )
        self.assertEqual(content(self.root), set())


if __name__ == "__main__":
    OPTIONS = runner.parse(__doc__, "build")
    POBPF, BUILD = str(OPTIONS.pobpf), OPTIONS.build
    sys.exit(runner.run())
