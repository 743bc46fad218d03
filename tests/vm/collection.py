# SPDX-License-Identifier: GPL-2.0-only
"""Runs tests on the host of what a script in the guest has left in a directory."""

import argparse
import contextlib
import functools
import json
import pathlib
import subprocess
import sys
import tempfile
import time
import tomllib
import unittest
from typing import NoReturn

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import records  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
TABLE = tomllib.loads((HERE / "kernels.toml").read_text(encoding="utf-8"))
# The rows of --stats that add up to "pages".
ACCOUNT_REASONS = (
    "emitted absent offline free unowned freed tail no_handle filtered torn errors"
).split()


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
    """Outputs by name, as Collector of guest/collector.py has written them. There is one, `collected`,
    which main() tells where it is."""

    directory: pathlib.Path
    build: pathlib.Path
    kernel: str
    flavour: str

    def boot(self, script: str, arguments: list[str], vm: tuple[str, ...]) -> None:
        """Runs guest/SCRIPT in the guest, which is to succeed. `vm` are options of scripts/vm."""
        if not self.has_sound_debugfs_memcg:
            arguments = [*arguments, "--no-child-memcg"]
        if self.is_whole:
            arguments = [*arguments, "--whole"]
        result = run_vm(
            self.kernel, self.directory, "--flavour", self.flavour, *vm, "--", sys.executable,
            str(HERE / "guest" / script), str(self.directory), str(self.build), *arguments,
            timeout=1500,
        )
        if result.returncode != 0:
            raise RuntimeError(
                f"collecting in the guest failed with {result.returncode}\n"
                + result.stdout.decode(errors="replace")
                + result.stderr.decode(errors="replace")
            )

    @property
    def is_whole(self) -> bool:
        """Whether this is the kernel on which everything is shown; on the others that is left out
        which does not depend on the kernel."""
        return self.kernel == TABLE["default_series"]

    def series(self, key: str, default: bool) -> bool:
        """Returns what kernels.toml says of this kernel."""
        return TABLE["series"][self.kernel].get(key, default)

    @property
    def has_sound_debugfs_memcg(self) -> bool:
        """Whether this kernel's own file prints memcg lines as it should: 6.12.114 and later print
        none for LRU pages and oops on child memcgs (docs/limitations.md)."""
        return self.series("sound_debugfs_memcg", True)

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
            if pfn in two
            and (
                r.text == two[pfn].text
                or records.without_flags(r.text) == records.without_flags(two[pfn].text)
            )
        }


collected = Collection()


def on_one_kernel(tested):
    """Marks a test or a class of tests whose outcome does not depend on the kernel."""
    tested.is_for_one_kernel = True
    return tested


class _Loader(unittest.TestLoader):
    def getTestCaseNames(self, testCaseClass):  # pylint: disable=invalid-name
        return [
            name
            for name in super().getTestCaseNames(testCaseClass)
            if collected.is_whole
            or not any(
                getattr(tested, "is_for_one_kernel", False)
                for tested in (testCaseClass, getattr(testCaseClass, name))
            )
        ]


def main(
    description: str | None, script: str, vm: tuple[str, ...] = ("--memory", "1G"), seed: int | None = None
) -> NoReturn:
    """Boots one guest, which collects with guest/SCRIPT, and runs the tests of the calling script. With
    --keep DIRECTORY that was filled before, and --no-boot, only the comparison is done again."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Further arguments are unittest's, such as the names of tests.",
    )  # fmt: skip
    parser.add_argument("--build", required=True, type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--kernel", required=True, choices=sorted(TABLE["series"]))
    parser.add_argument("--flavour", default="default", help="which build of that kernel")
    parser.add_argument("--keep", type=pathlib.Path, help="collect into this directory and leave it")
    parser.add_argument("--no-boot", action="store_true", help="compare what --keep holds")
    if seed is not None:
        parser.add_argument("--seed", type=int, default=seed, help="decides what is left to chance")
    options, rest = parser.parse_known_args()
    arguments = []
    if seed is not None:
        print(f"seed {options.seed}", file=sys.stderr)
        arguments = ["--seed", str(options.seed)]
    collected.build, collected.kernel = options.build, options.kernel
    collected.flavour = options.flavour
    with contextlib.ExitStack() as until_the_end:
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
            collected.directory = options.keep.resolve()
        else:
            scratch = tempfile.TemporaryDirectory(prefix="pobpf-vm-")
            collected.directory = pathlib.Path(until_the_end.enter_context(scratch))
        started = time.monotonic()
        if not options.no_boot:
            collected.boot(script, arguments, vm)
        booted = time.monotonic()
        program = unittest.main(
            argv=[sys.argv[0], *rest], testLoader=_Loader(), verbosity=2, exit=False
        )
        print(f"guest {booted - started:.0f} s, comparing {time.monotonic() - booted:.0f} s")
        sys.exit(not program.result.wasSuccessful())
