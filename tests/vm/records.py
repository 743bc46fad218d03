# SPDX-License-Identifier: GPL-2.0-only
"""Page_owner text cut into records, for comparing; independent of pobpf's own code."""

import functools
import re
from dataclasses import dataclass

FIRST_LINE = re.compile(
    rb"Page allocated via order (?P<order>\d+), mask 0x(?P<mask>[0-9a-f]+)\((?P<gfp>[^)]*)\), "
    rb"pid (?P<pid>-?\d+)(?P<in_tgid>, tgid (?P<tgid>-?\d+))?(?P<in_comm> \((?P<comm>.{0,15})\))?, "
    rb"ts (?P<ts>\d+) ns"
    rb"(?:, free_ts (?P<free_ts>\d+) ns)?\n"
    rb"PFN (?P<pfn>(?:0x[0-9a-f]+|\d+)) type (?P<type>\w+) Block (?P<block>\d+) type "
    rb"(?P<block_type>\w+) Flags 0x(?P<flags>[0-9a-f]+)\((?P<flag_names>[^)\n]*)\)\n",
    re.DOTALL,
)
NODE = re.compile(rb"node=(\d+)")
HANDLE = re.compile(rb"^handle: (\d+)$", re.MULTILINE)
# The kernel takes pages that lay on a CPU's free list at boot for swapper's until they are allocated:
# they show while no free block is around them.
BOOT_COMM = b"swapper/0"
# Who prints and copies what is compared.
READER_COMMS = (b"pobpf", b"cat", b"dd")
MEMCG_LINE = re.compile(
    rb"^(?:Slab cache page|Charged (?:\(via objcg\) )?to (?:offline )?memcg .*)\n", re.MULTILINE
)


# The lines after the two header lines are the same in many records, and looked at many times.
@functools.cache
def handle_in(rest: bytes) -> int | None:
    found = HANDLE.search(rest)
    return int(found.group(1)) if found else None


@functools.cache
def stack_in(rest: bytes) -> bytes:
    return b"".join(line for line in rest.splitlines(keepends=True) if line.startswith(b" "))


@dataclass(slots=True)
class Record:
    """One record; `text` is its bytes without the closing empty line, `fields` has those of its two
    header lines by name, and `rest` is what follows them."""

    text: bytes
    pfn: int
    order: int
    ts: int
    nid: int
    comm: bytes
    fields: re.Match[bytes]
    rest: bytes

    @property
    def handle(self) -> int | None:
        """The number in the `handle:` line, or None."""
        return handle_in(self.rest)

    @property
    def stack(self) -> bytes:
        """The stack lines."""
        return stack_in(self.rest)

    @property
    def is_migrated(self) -> bool:
        """Whether it was copied from another page, and its time of allocation with it."""
        return b"\nPage has been migrated, last migrate reason: " in self.text

    def without(self, *parts: str) -> bytes:
        """The text without these parts of the first line: comm, tgid."""
        text = self.text
        # the last one first, as what follows it moves
        for begin, end in sorted((self.fields.span(f"in_{part}") for part in parts), reverse=True):
            text = text[:begin] + text[end:]
        return text

    @property
    def before_v518(self) -> bytes:
        """The text as kernels before 5.18 print it."""
        return MEMCG_LINE.sub(b"", self.without("comm", "tgid"))


def parse(text: bytes) -> dict[int, Record]:
    """Records by PFN. ValueError for anything that is not a whole record, or a PFN seen twice."""
    records: dict[int, Record] = {}
    if not text:
        return records
    if not text.endswith(b"\n\n"):
        raise ValueError(f"the text ends inside a record: {text[-200:]!r}")
    # a task name may hold newlines: only this is a border
    for piece in re.split(rb"\n\n(?=Page allocated via order )", text[:-2]):
        piece += b"\n"
        match = FIRST_LINE.match(piece)
        if not match:
            raise ValueError(f"not a record: {piece[:300]!r}")
        pfn = int(match["pfn"], 0)
        if pfn in records:
            raise ValueError(f"PFN {pfn:#x} stands twice")
        node = NODE.search(match["flag_names"])
        records[pfn] = Record(
            text=piece,
            pfn=pfn,
            order=int(match["order"]),
            ts=int(match["ts"]),
            nid=int(node.group(1)) if node else 0,
            comm=match["comm"] or b"",
            fields=match,
            rest=piece[match.end() :],
        )
    return records


def without_flags(text: bytes) -> bytes:
    """A record's text with the page flags cut out."""
    return re.sub(rb" Flags 0x[0-9a-f]+\([^)\n]*\)\n", b"\n", text, count=1)


def steady(text: bytes) -> bytes:
    """A record's text without what changes while the record stays: the page flags, and the name of code
    that is gone (that of a module's init), as a BPF program may have come to lie there."""
    return re.sub(rb"^ (?:0x[0-9a-f]{16}|bpf_prog_\S+)$", b" (gone)", without_flags(text), flags=re.MULTILINE)


def parse_stacks(text: bytes, value: bytes) -> dict[bytes, int]:
    """show_stacks and its like: stack text to the number in the line `value: N`, added up, as the
    same frames can stand twice."""
    sums: dict[bytes, int] = {}
    for piece in text.split(b"\n\n"):
        if not piece.strip():
            continue
        stack = b"".join(
            line + b"\n" for line in piece.split(b"\n") if line.startswith(b" ")
        )
        found = re.search(rb"^" + value + rb": (-?\d+)$", piece, re.MULTILINE)
        if not found:
            raise ValueError(f"no {value!r} in {piece!r}")
        sums[stack] = sums.get(stack, 0) + int(found.group(1))
    return sums
