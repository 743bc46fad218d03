"""The QEMU that guests run on. Debian 12 has 7.2, which takes nearly twice as long to emulate what the
tests do as 10.0, which its backports have. So where the machine's own is old, that one is fetched, and
laid beside the kernels; the machine's stays as it is.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from . import apt
from .cache import cache_root, locked
from .errors import VmError

NAME = "qemu-system-x86_64"
# Between this version and 7.2 none was measured.
GOOD_SINCE = (10, 0)
# The program, its modules, and the firmware that it boots with.
PACKAGES = ("qemu-system-x86", "qemu-system-common", "qemu-system-data", "seabios")


def find_emulator(accelerator: str) -> str:
    """The program to run. With KVM nothing is emulated, and any version is as good."""
    if accelerator == "tcg" and (fetched := _fetched()) is not None:
        return str(fetched)
    return NAME


def fetch_emulator() -> None:
    """Makes find_emulator() find a good one; uses the network only if it must."""
    if _fetched() is not None or _version(NAME) >= GOOD_SINCE:
        return
    with locked(_directory() / "lock", "fetching QEMU"):
        if _fetched() is None:
            _fetch()


def _directory() -> Path:
    return cache_root() / "qemu"


def _fetched() -> Path | None:
    return next(_directory().glob(f"complete/usr/bin/{NAME}"), None)


def _fetch() -> None:
    suite = f"{apt.os_release().get('VERSION_CODENAME', '')}-backports"
    source = apt.PrivateApt(_directory() / "apt", [suite])
    with tempfile.TemporaryDirectory(dir=_directory(), prefix="unfinished-") as scratch:
        root = Path(scratch) / "root"
        for package in PACKAGES:
            version = source.candidate(package)
            if version is None:
                raise VmError(f"no package {package} in {suite}")
            download = Path(scratch) / package
            download.mkdir()
            deb = source.download(package, version, download)
            subprocess.run(["dpkg-deb", "--extract", str(deb), str(root)], check=True)
        # Its libraries are those of the machine's own QEMU.
        if _version(str(root / "usr" / "bin" / NAME)) < GOOD_SINCE:
            raise VmError(f"{suite} has no QEMU that is newer, or it does not run here")
        root.rename(_directory() / "complete")
    shutil.rmtree(_directory() / "apt")


def _version(program: str) -> tuple[int, int]:
    """(0, 0) if it does not run."""
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return (0, 0)
    match = re.match(r"QEMU emulator version (\d+)\.(\d+)", said)
    return (int(match[1]), int(match[2])) if match else (0, 0)


if __name__ == "__main__":
    try:
        fetch_emulator()
    except VmError as problem:
        print(f"guests will be slow, as there is no newer QEMU for them: {problem}", file=sys.stderr)
