"""Where built kernels are kept, and how a complete one is told from the rest of a killed build."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from .errors import VmError
from .table import KernelTable

# Written last into a kernel's directory.
STAMP = "complete.json"


def cache_root() -> Path:
    """Directory of everything pobpf caches; outside the checkout, which may be read-only."""
    base = os.environ.get("XDG_CACHE_HOME")
    # The base directory specification says that a relative path is to be ignored.
    root = Path(base) if base and os.path.isabs(base) else Path.home() / ".cache"
    return root / "pobpf"


def kernels_dir() -> Path:
    return cache_root() / "kernels"


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A complete kernel in the cache."""

    series: str
    flavour: str
    version: str
    path: Path

    @property
    def image(self) -> Path:
        return self.path / "bzImage"

    @property
    def tools(self) -> Path:
        return self.path / "tools"

    @property
    def modules(self) -> Path:
        return self.path / "modules"


def kernel_dir_name(version: str, flavour: str, config_hash: str) -> str:
    return f"{version}-{flavour}-{config_hash}"


def find_kernel(table: KernelTable, series: str, flavour: str) -> Kernel | None:
    """The newest complete kernel with exactly the table's configuration, without any network."""
    ending = kernel_dir_name("", flavour, table.config_hash(series, flavour))
    stamps = sorted(
        kernels_dir().glob(f"*{ending}/{STAMP}"), key=lambda stamp: stamp.stat().st_mtime
    )
    if not stamps:
        return None
    version = json.loads(stamps[-1].read_text())["version"]
    return Kernel(series, flavour, version, stamps[-1].parent)


def require_kernel(table: KernelTable, series: str, flavour: str) -> Kernel:
    """Like find_kernel(), but a missing kernel is an error that says how to build it."""
    kernel = find_kernel(table, series, flavour)
    if kernel is None:
        raise VmError(
            f"kernel {series} ({flavour}) is not built, or its configuration has changed: "
            f"run scripts/kernel build {series}/{flavour}"
        )
    return kernel


@contextlib.contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Holds an exclusive lock; says so when somebody else has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another process that is {what}", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
