# SPDX-License-Identifier: GPL-2.0-only
"""What a script in the guest has left in a directory, for the tests on the host."""

import functools
import json
import pathlib
import subprocess
import sys
import tomllib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import records  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
TABLE = tomllib.loads((HERE / "kernels.toml").read_text(encoding="utf-8"))


class Collection:
    """Outputs by name, as Collector of guest/collect.py has written them."""

    def __init__(self, directory: pathlib.Path, kernel: str) -> None:
        self.directory = directory
        self.kernel = kernel

    def boot(self, script: str, build: str, *arguments: str, timeout: int = 1500) -> None:
        """Runs guest/SCRIPT DIRECTORY BUILD ARGUMENTS in the guest, which is to succeed."""
        result = subprocess.run(
            [str(TOP / "scripts" / "vm"), "--kernel", self.kernel]
            + ["--share-rw", str(self.directory), "--timeout", str(timeout)]
            + ["--profile", "default", "--", "python3", str(HERE / "guest" / script)]
            + [str(self.directory), str(build), *arguments],
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
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

    @functools.cached_property
    def results(self) -> dict:
        return json.loads((self.directory / "results.json").read_text(encoding="utf-8"))

    def status(self, name: str) -> int:
        return self.results["runs"][name]["status"]

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
