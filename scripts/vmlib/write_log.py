"""Makes what a disk may hold after a power cut at any moment from a log of all writes to it.

A killed QEMU loses what the machine had not yet written. A real disk loses more: of what it has
acknowledged since the last flush it has written some, in any order. The log (QEMU's blklogwrites,
in the format of Linux' dm-log-writes) has all writes and flushes, so each such state can be made.
"""

from __future__ import annotations

import dataclasses
import os
import random
import shutil
import struct
from pathlib import Path

from .errors import VmError

MAGIC = 0x6A736677736872
SUPER = struct.Struct("<QQQI")
ENTRY = struct.Struct("<QQQQ")
FLUSH, FUA, DISCARD = 1, 2, 4
# Entries are numbered in sectors of the log, whose size is QEMU's default.
SECTOR = 512


@dataclasses.dataclass(frozen=True)
class Write:
    """Sectors in order of their arrival; a flush may have none. `data` is an offset in the log."""

    offset: int
    nr_bytes: int
    data: int
    flags: int


class WriteLog:
    """The log of a disk whose machine is no more."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.writes: list[Write] = []
        with path.open("rb") as file:
            magic, version, nr_entries, sector = SUPER.unpack(file.read(SUPER.size))
            if (magic, version, sector) != (MAGIC, 1, SECTOR):
                raise VmError(f"{path} is no log of writes")
            size = os.fstat(file.fileno()).st_size
            position = SECTOR
            for _ in range(nr_entries):
                file.seek(position)
                start, nr_sectors, flags, _ = ENTRY.unpack(file.read(ENTRY.size))
                position += SECTOR
                if flags & DISCARD:
                    raise VmError(f"{path}: what a discarded sector reads as is not known")
                nr_bytes = nr_sectors * SECTOR
                # Entries are counted before they are written, so QEMU was killed in the last.
                if position + nr_bytes > size or (nr_bytes == 0 and not flags & FLUSH):
                    break
                self.writes.append(Write(start * SECTOR, nr_bytes, position, flags))
                position += nr_bytes

    def make_disk(self, before: Path, after: Path, cut: int, rng: random.Random) -> None:
        """The disk `before` after `cut` writes: all that was flushed, and some of the rest."""
        shutil.copyfile(before, after)
        flushes = [i for i, write in enumerate(self.writes[:cut]) if write.flags & FLUSH]
        nr_durable = flushes[-1] + 1 if flushes else 0
        with self._path.open("rb") as log, after.open("r+b") as disk:
            for i, write in enumerate(self.writes[:cut]):
                if i < nr_durable or write.flags & FUA or rng.random() < 0.5:
                    log.seek(write.data)
                    disk.seek(write.offset)
                    disk.write(log.read(write.nr_bytes))
