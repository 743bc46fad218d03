"""The root file system of a Debian machine with systemd, for tests of the package: made once, kept.

It has everything that the package depends on, as nothing can be fetched in the machine, but not the
package: another build of pobpf needs no other root unless it depends on other packages.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from . import apt, guest
from .cache import cache_root, locked
from .errors import VmError

# Part of every key.  Increase it when the code below makes something else of the same tables.
RECIPE = 1

PACKAGES = (
    "dbus",  # systemctl of other users, and what is on real machines
    "python3",  # the tests
    "systemd",
    "systemd-sysv",
    "udev",  # mount units wait for their devices
)

# Sparse: what is not used takes no space.
IMAGE_SIZE = "1536M"

# Timers that would go off at each step of a clock that is moved through a month.
MASKED = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "systemd-tmpfiles-clean.timer",
)

AGENT = "/usr/local/sbin/vm-agent"

# The machine runs the program `start` of its shared directory, which is the host's.
FILES = {
    "/etc/hostname": "pobpf-vm\n",
    # A machine without one asks on its console for everything that a first boot may ask.
    "/etc/machine-id": "6f62706676" + "0" * 21 + "1\n",
    AGENT: f"""\
#!/bin/sh
set -e
mkdir /run/vm
mount -t 9p -o trans=virtio,version=9p2000.L,msize={guest.MSIZE},cache=none \\
    {guest.SHARE_TAG} /run/vm
exec /run/vm/start
""",
    "/etc/systemd/system/vm-agent.service": f"""\
[Unit]
Description=What the host wants to run

[Service]
Type=exec
ExecStart={AGENT}
# tests that exhaust the memory outlive it, and go on when the processes that did it are killed
OOMScoreAdjust=-1000
OOMPolicy=continue

[Install]
WantedBy=multi-user.target
""",
}

# Roots that no test has used for so long belong to a state of the sources that is gone.
UNUSED_SECONDS = 30 * 24 * 3600


def roots_dir() -> Path:
    return cache_root() / "roots"


def find_root(depends: str) -> Path | None:
    """The image for a package with these dependencies, without any network."""
    image = _image(depends)
    try:
        # so that it is known to be in use
        os.utime(image)
    except FileNotFoundError:
        return None
    return image


def require_root(depends: str) -> Path:
    """The same; makes it if it is missing, which takes a minute or two and Debian's mirror."""
    image = find_root(depends)
    if image is not None:
        return image
    with locked(roots_dir() / "lock", "making a Debian root"):
        image = find_root(depends)
        if image is None:
            image = _image(depends)
            _make(image, depends)
            _forget_unused()
    return image


def depends_of(package: Path) -> str:
    """dpkg wants these to be there before it configures a .deb file."""
    result = subprocess.run(
        ["dpkg-deb", "--field", str(package), "Depends"],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise VmError(f"{package} is no Debian package: {result.stderr.strip()}")
    # The order is that in which a build found its libraries.
    return ", ".join(sorted(part.strip() for part in result.stdout.split(",") if part.strip()))


def _image(depends: str) -> Path:
    recipe = [RECIPE, _suite(), depends, PACKAGES, IMAGE_SIZE, MASKED, FILES]
    key = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:12]
    return roots_dir() / f"debian-{_suite()}-{key}.ext4"


def _suite() -> str:
    """That of this machine: a package installs on the release that it was built on."""
    codename = apt.os_release().get("VERSION_CODENAME")
    if not codename:
        raise VmError("this is no release of Debian, so there is no package to install on one")
    return codename


def _make(image: Path, depends: str) -> None:
    if os.geteuid() != 0:
        raise VmError("a Debian root can be made by root only: run scripts/debian-root as root")
    with tempfile.TemporaryDirectory(dir=roots_dir(), prefix="unfinished-") as scratch:
        root = Path(scratch) / "root"
        sources = Path(scratch) / "mirror.sources"
        sources.write_text("\n".join(_sources()))
        _run(
            "mmdebstrap",
            "--mode=root",
            "--variant=minbase",
            f"--include={','.join(PACKAGES)}",
            # Alternatives and versions are apt's to decide, not those of a list in this file.
            "--customize-hook=APT_CONFIG=$MMDEBSTRAP_APT_CONFIG "
            'apt-get --yes -oDPkg::Chroot-Directory="$1" satisfy "$POBPF_DEPENDS"',
            _suite(),
            str(root),
            str(sources),
            environment={"POBPF_DEPENDS": depends},
        )
        _write_files(root)
        unfinished = Path(scratch) / "image"
        _run("mkfs.ext4", "-q", "-L", "root", "-d", str(root), str(unfinished), IMAGE_SIZE)
        unfinished.rename(image)


def _sources() -> list[str]:
    stanzas = [apt.source_stanza(_suite())]
    try:
        # Libraries of the machine that built the package may come from there.
        stanzas.append(apt.source_stanza(f"{_suite()}-security"))
    except VmError:
        # This machine does not use it, so the package needs nothing of it.
        pass
    return stanzas


def _write_files(root: Path) -> None:
    for name, text in FILES.items():
        path = root / name.lstrip("/")
        path.write_text(text)
        path.chmod(0o755 if name == AGENT else 0o644)
    units = root / "etc" / "systemd" / "system"
    for unit in MASKED:
        link = units / unit
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
    wanted = units / "multi-user.target.wants"
    wanted.mkdir(exist_ok=True)
    (wanted / "vm-agent.service").symlink_to("../vm-agent.service")


def _forget_unused() -> None:
    for image in roots_dir().glob("*.ext4"):
        if time.time() - image.stat().st_mtime > UNUSED_SECONDS:
            image.unlink()


def _run(*command: str, environment: dict[str, str] | None = None) -> None:
    if shutil.which(command[0]) is None:
        raise VmError(f"not installed: {command[0]}; run scripts/setup vm")
    result = subprocess.run(
        command,
        env=os.environ | {"LC_ALL": "C.UTF-8"} | (environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if result.returncode != 0:
        end = "\n".join(result.stdout.splitlines()[-20:])
        raise VmError(f"{command[0]} failed with {result.returncode}:\n{end}")
