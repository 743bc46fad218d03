# SPDX-License-Identifier: GPL-2.0-only
"""All files of a machine, to see what an installation leaves behind."""

import hashlib
import json
import os
import pathlib
import re
import stat

# These change while a machine runs, whatever is installed; dpkg's own records, and passwd's
# copies of what was there before its last change.
NOT_OURS = re.compile(
    r"/(proc|sys|dev|run|tmp|var/tmp|var/log|var/lib/dpkg|lost\+found)"
    r"|/etc/(passwd|group|shadow|gshadow|subuid|subgid)-|/etc/\.pwd\.lock"
    r"|/var/lib/systemd/random-seed|/var/cache/ldconfig/aux-cache"
)


def take() -> dict[str, str]:
    """Each path with its kind, mode and owner, and below /etc its content."""
    found = {}
    for folder, folders, files in os.walk("/"):
        for name in folders + files:
            path = os.path.join(folder, name)
            if NOT_OURS.fullmatch(path):
                continue
            status = os.lstat(path)
            text = f"{stat.filemode(status.st_mode)} {status.st_uid}:{status.st_gid}"
            if stat.S_ISREG(status.st_mode) and path.startswith("/etc/"):
                text += " " + hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
            found[path] = text
        folders[:] = [name for name in folders if os.path.join(folder, name) in found]
    return found


def write(file: pathlib.Path) -> None:
    file.write_text(json.dumps(take()), "utf-8")


def read(file: pathlib.Path) -> dict[str, str]:
    return json.loads(file.read_text("utf-8"))
