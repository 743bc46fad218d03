# SPDX-License-Identifier: GPL-2.0-only
"""What a script in the guest has left in a directory, for the tests on the host."""

import argparse
import functools
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import tomllib
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import records  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
TABLE = tomllib.loads((HERE / "kernels.toml").read_text(encoding="utf-8"))


def run_vm(
    kernel: str, share: pathlib.Path, *arguments: str, timeout: int = 900
) -> subprocess.CompletedProcess:
    """scripts/vm with options and a command: exit status, stdout and stderr."""
    return subprocess.run(
        [str(TOP / "scripts" / "vm"), "--kernel", kernel, "--share-rw", str(share)]
        + ["--timeout", str(timeout), *arguments],
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


class Collection:
    """Outputs by name, as Collector of guest/collect.py has written them."""

    def __init__(self, directory: pathlib.Path, kernel: str) -> None:
        self.directory = directory
        self.kernel = kernel

    def boot(self, script: str, build: str, *arguments: str, vm: tuple[str, ...] = ()) -> None:
        """Runs guest/SCRIPT DIRECTORY BUILD ARGUMENTS in the guest, which is to succeed. `vm` are
        options of scripts/vm."""
        result = run_vm(
            self.kernel, self.directory, *vm, "--", "python3", str(HERE / "guest" / script),
            str(self.directory), str(build), *arguments, timeout=1500,
        )
        if result.returncode != 0:
            raise RuntimeError(
                f"collecting in the guest failed with {result.returncode}\n"
                + result.stdout.decode(errors="replace")
                + result.stderr.decode(errors="replace")
            )

    def series(self, key: str, default: bool) -> bool:
        """What kernels.toml says of this kernel."""
        return TABLE["series"][self.kernel].get(key, default)

    @property
    def has_sound_debugfs_memcg(self) -> bool:
        """Whether this kernel's own file prints memcg lines as it should: 6.12.114 and later print
        none for LRU pages and oops on child memcgs (docs/limitations.md)."""
        return self.series("sound_debugfs_memcg", True)

    @property
    def memcg_flags(self) -> list[str]:
        """What scripts in the guest are told about that."""
        return [] if self.has_sound_debugfs_memcg else ["--no-child-memcg"]

    @functools.cached_property
    def results(self) -> dict:
        return json.loads((self.directory / "results.json").read_text(encoding="utf-8"))

    def run_of(self, name: str) -> dict:
        return self.results["runs"][name]

    def status(self, name: str) -> int:
        return self.run_of(name)["status"]

    @functools.cache  # pylint: disable=method-cache-max-size-none
    def out(self, name: str) -> bytes:
        return (self.directory / f"{name}.out").read_bytes()

    def err(self, name: str) -> str:
        return (self.directory / f"{name}.err").read_text(encoding="utf-8", errors="replace")

    def json_lines(self, name: str) -> list[dict]:
        return [json.loads(line) for line in self.out(name).splitlines()]

    @functools.cache  # pylint: disable=method-cache-max-size-none
    def parsed(self, name: str) -> dict[int, records.Record]:
        return records.parse(self.out(name))

    @functools.cache  # pylint: disable=method-cache-max-size-none
    def stable(self, first: str, second: str) -> dict[int, records.Record]:
        """Records that both readings show alike, but for the page flags, which change without the
        allocation changing."""
        one, two = self.parsed(first), self.parsed(second)
        return {
            pfn: r
            for pfn, r in one.items()
            if pfn in two and records.without_flags(two[pfn].text) == records.without_flags(r.text)
        }


def open_collection(options: argparse.Namespace) -> Collection:
    """For setUpModule(): in the directory of --keep, or in one that goes with the tests."""
    if options.keep:
        directory = pathlib.Path(options.keep).resolve()
        directory.mkdir(parents=True, exist_ok=True)
    else:
        directory = pathlib.Path(tempfile.mkdtemp(prefix="pobpf-vm-"))
        unittest.addModuleCleanup(shutil.rmtree, directory)
    return Collection(directory, options.kernel)


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """The arguments that all tests in the VM have; what they do not know is unittest's."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--build", required=True, type=lambda p: pathlib.Path(p).resolve())
    parser.add_argument("--kernel", required=True, choices=sorted(TABLE["series"]))
    parser.add_argument("--keep", help="collect into this directory and leave it")
    parser.add_argument("--no-boot", action="store_true", help="compare what --keep holds")
    return parser
