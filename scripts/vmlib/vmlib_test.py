"""Tests of the parts that need no kernel: cd scripts && python3 -m unittest vmlib.vmlib_test"""

from __future__ import annotations

import os
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from . import apt, emulator, guest, kbuild, qemu, runner
from .errors import VmError
from .table import Edit, KernelTable

MARK = b"0123456789abcdef"

TABLE = """
default_series = "1.0"
[series."1.0"]
package = "linux-source-1.0"
suites = ["stable"]
reason = "first"
[series."2.0"]
package = "linux-source-2.0"
suites = ["stable"]
reason = "second"
[options]
ON = { value = "y", reason = "r" }
OFF = { value = "n", reason = "r" }
NEW = { value = "7", reason = "r", series = ["2.0"] }
[flavours.default]
reason = "r"
[flavours.small]
reason = "r"
series = ["1.0"]
[flavours.small.options]
ON = { value = "n", reason = "r" }
[boot]
a = { value = "1", reason = "r" }
b = { value = "2", reason = "r" }
[profiles.default]
reason = "r"
[profiles.other]
reason = "r"
[profiles.other.boot]
a = { value = "-", reason = "r" }
b = { value = "3", reason = "r" }
"""


def make_table(text: str) -> KernelTable:
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(text)
        file.flush()
        return KernelTable(Path(file.name))


class TableTest(unittest.TestCase):
    def test_the_real_table_is_valid(self) -> None:
        table = KernelTable()
        for series in table.series:
            for flavour in table.flavours_of(series):
                table.config_hash(series, flavour)
                for profile in table.profiles:
                    table.boot_arguments(series, flavour, profile)

    def test_writes_config_fragment_of_series_and_flavour(self) -> None:
        table = make_table(TABLE)
        self.assertEqual(
            table.config_fragment("1.0", "default"), "CONFIG_ON=y\n# CONFIG_OFF is not set\n"
        )
        self.assertIn("CONFIG_NEW=7\n", table.config_fragment("2.0", "default"))
        self.assertIn("# CONFIG_ON is not set\n", table.config_fragment("1.0", "small"))

    def test_hash_depends_on_options_and_not_on_reasons(self) -> None:
        table = make_table(TABLE)
        default = table.config_hash("1.0", "default")
        self.assertNotEqual(default, table.config_hash("1.0", "small"))
        same = make_table(TABLE.replace('reason = "r"', 'reason = "s"'))
        self.assertEqual(default, same.config_hash("1.0", "default"))

    def test_hash_depends_on_the_edits_of_the_flavour(self) -> None:
        edited = TABLE.replace('series = ["1.0"]\n', 'series = ["1.0"]\nedits = ["a"]\n')
        edited += '[edits.a]\nfile = "f"\nsed = "s/x/y/"\nreason = "r"\n'
        table = make_table(edited)
        self.assertEqual(table.edits("1.0", "small"), [Edit("a", "f", "s/x/y/")])
        hashes = [make_table(TABLE).config_hash("1.0", "small")]
        for text in (edited, edited.replace("s/x/y/", "s/x/z/"), edited.replace('"f"', '"g"')):
            hashes.append(make_table(text).config_hash("1.0", "small"))
        self.assertEqual(len(set(hashes)), len(hashes))
        for series in ("1.0", "2.0"):
            self.assertEqual(table.edits(series, "default"), [])
            without = make_table(TABLE).config_hash(series, "default")
            self.assertEqual(table.config_hash(series, "default"), without)

    def test_unknown_edit_is_an_error(self) -> None:
        with self.assertRaisesRegex(VmError, "unknown edit 'a'"):
            make_table(TABLE.replace("[flavours.small.", 'edits = ["a"]\n[flavours.small.')).edits(
                "1.0", "small"
            )

    def test_profile_replaces_and_removes_boot_arguments(self) -> None:
        table = make_table(TABLE)
        self.assertEqual(table.boot_arguments("1.0", "default", "default"), ["a=1", "b=2"])
        self.assertEqual(table.boot_arguments("1.0", "default", "other"), ["b=3"])

    def test_flavour_of_another_series_is_an_error(self) -> None:
        with self.assertRaisesRegex(VmError, "unknown flavour of 2.0 'small'"):
            make_table(TABLE).options("2.0", "small")

    def test_missing_reason_is_an_error(self) -> None:
        with self.assertRaisesRegex(VmError, r"\[options\] OFF has no reason"):
            make_table(TABLE.replace('"n", reason = "r"', '"n"'))


class EditTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.tree = Path(directory.name)
        self.file = self.tree / "a.c"
        self.file.write_text("one\ntwo\n")

    def test_holds_for_one_flavour(self) -> None:
        edits = [Edit("x", "a.c", r"s/e\nt/e,t/"), Edit("y", "a.c", "s/one,/three /")]
        with kbuild.edited(self.tree, edits):
            self.assertEqual(self.file.read_text(), "three two\n")
            # as old as if it had been compiled long ago
            os.utime(self.file, (1, 1))
        self.assertEqual(self.file.read_text(), "one\ntwo\n")
        self.assertGreater(self.file.stat().st_mtime, 1)

    def test_ends_with_a_build_that_fails(self) -> None:
        with self.assertRaisesRegex(VmError, "disk"):
            with kbuild.edited(self.tree, [Edit("x", "a.c", "s/one/1/")]):
                raise VmError("disk full")
        self.assertEqual(self.file.read_text(), "one\ntwo\n")

    def test_without_effect_is_an_error(self) -> None:
        edits = [Edit("x", "a.c", "s/one/1/"), Edit("y", "a.c", "s/three/3/")]
        with self.assertRaisesRegex(VmError, r"^edit y .* changes nothing in a\.c: "):
            with kbuild.edited(self.tree, edits):
                self.fail("built all the same")
        self.assertEqual(self.file.read_text(), "one\ntwo\n")

    def test_wrong_script_is_an_error(self) -> None:
        with self.assertRaisesRegex(VmError, "^edit x .*: sed: "):
            with kbuild.edited(self.tree, [Edit("x", "a.c", "s/one/1")]):
                self.fail("built all the same")


class MarkedStreamTest(unittest.TestCase):
    def feed(self, *pieces: bytes) -> tuple[bytes, bool]:
        received = bytearray()
        stream = runner._MarkedStream(MARK, received.extend)
        for piece in pieces:
            stream.feed(piece)
        return bytes(received), stream.is_ended

    def test_mark_may_be_cut_anywhere(self) -> None:
        whole = b"text" + MARK
        for cut in range(len(whole) + 1):
            self.assertEqual(self.feed(whole[:cut], whole[cut:]), (b"text", True))

    def test_starts_of_the_mark_are_text(self) -> None:
        self.assertEqual(
            self.feed(b"0123", b"0123456789abcde", b"x" + MARK)[0], b"01230123456789abcdex"
        )

    def test_nothing_after_the_mark_counts(self) -> None:
        self.assertEqual(self.feed(b"a" + MARK + b"b", b"c"), (b"a", True))

    def test_output_is_handed_on_before_the_mark_comes(self) -> None:
        self.assertEqual(self.feed(b"line\n"), (b"line\n", False))


class ConsoleTest(unittest.TestCase):
    def test_finds_a_kernel_in_trouble(self) -> None:
        for line in (
            "[    1.975827] Kernel panic - not syncing: sysrq triggered crash",
            "[    1.0][  T100] Oops: 0002 [#1] SMP",
            "BUG: kernel NULL pointer dereference, address: 0000000000000010",
            "[    2.0] kernel BUG at mm/slub.c:1!",
            "[    2.0] WARNING: CPU: 0 PID: 1 at mm/page_alloc.c:1 f+0x1/0x2",
        ):
            self.assertRegex(f"[    0.1] fine\n{line}\n", runner.BAD_CONSOLE_LINE)

    def test_ordinary_lines_are_no_trouble(self) -> None:
        for line in ("[    0.0] ACPI BIOS Warning (bug): x", "[    0.0] DEBUG: x", "warning: y"):
            self.assertNotRegex(line, runner.BAD_CONSOLE_LINE)


class CrashTest(unittest.TestCase):
    """A crash of the emulator's own, before the guest has said anything, is not the command's."""

    LOST = runner.Result(runner.Outcome.LOST, None, f"qemu: physmem.c: {runner.EMULATOR_CRASH} failed")
    FINE = runner.Result(runner.Outcome.FINISHED, 0, "")

    def run_with(self, *results: tuple[runner.Result, bool]) -> tuple[runner.Result, int]:
        with (
            tempfile.NamedTemporaryFile() as console,
            mock.patch.object(runner, "_run_once", side_effect=results) as boots,
            mock.patch("sys.stderr"),
        ):
            job = mock.Mock(console=Path(console.name))
            return runner.run(job, lambda _: None, lambda _: None), boots.call_count

    def test_it_is_booted_again(self) -> None:
        self.assertEqual(self.run_with((self.LOST, False), (self.FINE, True)), (self.FINE, 2))

    def test_not_for_ever(self) -> None:
        self.assertEqual(self.run_with(*[(self.LOST, False)] * 9), (self.LOST, runner.BOOTS_MAX))

    def test_not_if_the_command_may_have_begun_or_for_another_reason(self) -> None:
        self.assertEqual(self.run_with((self.LOST, True)), (self.LOST, 1))
        other = runner.Result(runner.Outcome.LOST, None, "out of memory")
        self.assertEqual(self.run_with((other, False)), (other, 1))


class EmulatorTest(unittest.TestCase):
    def test_a_fetched_one_is_for_what_is_emulated(self) -> None:
        with (
            tempfile.TemporaryDirectory() as cache,
            mock.patch.dict(os.environ, XDG_CACHE_HOME=cache),
        ):
            self.assertEqual(emulator.find_emulator("tcg"), emulator.NAME)
            program = Path(cache, "pobpf", "qemu", "complete", "usr", "bin", emulator.NAME)
            program.parent.mkdir(parents=True)
            program.touch()
            self.assertEqual(emulator.find_emulator("tcg"), str(program))
            self.assertEqual(emulator.find_emulator("kvm"), emulator.NAME)

    def test_versions(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            program = Path(directory) / "qemu"
            for said, version in (
                ("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)", (10, 0)),
                ("QEMU emulator version 7.2.19", (7, 2)),
                ("error while loading shared libraries", (0, 0)),
            ):
                program.write_text(f"#!/bin/sh\necho '{said}'\n")
                program.chmod(0o755)
                self.assertEqual(emulator._version(str(program)), version)
        self.assertEqual(emulator._version("/none"), (0, 0))


class QemuTest(unittest.TestCase):
    def test_commas_in_paths_are_doubled(self) -> None:
        line = qemu.command_line(
            qemu.Machine(),
            "tcg",
            Path("/k"),
            Path("/i"),
            [],
            qemu.Channels(3, 4, 5, Path("/a,b")),
            "/c,d",
        )
        self.assertIn("file,id=console,path=/a,,b", line)
        self.assertIn("local,id=share,path=/c,,d,security_model=none,multidevs=remap", line)

    def test_nodes_are_whole_sections(self) -> None:
        line = qemu._memory(qemu.Machine(memory_mib=1000, cpus=3, nodes=2))
        self.assertIn("memory-backend-ram,id=memory0,size=384M", line)
        self.assertIn("memory-backend-ram,id=memory1,size=616M", line)
        self.assertIn("cpu,node-id=1,socket-id=2", line)

    def test_memory_sizes(self) -> None:
        self.assertEqual([qemu.parse_memory(text) for text in ("2G", "512M", "7")], [2048, 512, 7])
        with self.assertRaisesRegex(VmError, "wrong memory size '2T'"):
            qemu.parse_memory("2T")


class GuestTest(unittest.TestCase):
    def test_archive_is_what_cpio_reads(self) -> None:
        archive = guest.make_initramfs(["a b", "@mark@"], "/x'y", {"N": "v w"}, "M", "/s t")
        names = subprocess.run(["cpio", "-t"], input=archive, capture_output=True, check=True)
        self.assertEqual(
            names.stdout.split(),
            b"dev dev/console bin bin/busybox init share.sh main.sh".split(),
        )
        for text in (b"-i 'N=v w' 'a b' @mark@\n", b"cd -- '/x'\"'\"'y'", b"printf %s M >&3"):
            self.assertIn(text, archive)


class AptTest(unittest.TestCase):
    def test_takes_over_the_key_of_a_source(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            stanzas = Path(directory) / "a.sources"
            stanzas.write_text(
                "Types: deb\nURIs: http://one/\nSigned-By: /k1\n\n"
                "Types: deb\nURIs: http://two\nSigned-By:\n -----\n key\nSuites: s\n"
            )
            self.assertEqual(apt._signed_by(f"{stanzas}:1", "http://one/"), "Signed-By: /k1\n")
            self.assertEqual(
                apt._signed_by(f"{stanzas}:5", "http://two/"), "Signed-By:\n -----\n key\n"
            )
            line = Path(directory) / "b.list"
            line.write_text("# x\ndeb [arch=amd64 signed-by=/k3] http://three s main\n")
            self.assertEqual(apt._signed_by(f"{line}:2", "http://three/"), "Signed-By: /k3\n")


if __name__ == "__main__":
    unittest.main()
