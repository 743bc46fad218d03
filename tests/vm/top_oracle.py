#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The rows of `pobpf top` from the text of debugfs page_owner, knowing nothing of pobpf but the
meaning of its fields.

top_oracle.py FIELDS < page_owner    prints pages, allocations and fields of each row, largest first

Fields that the text does not say need facts: zoneinfo for nid and zone, kpageflags for allocator.
"""

from __future__ import annotations

import array
import functools
import pathlib
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import filter_oracle  # noqa: E402
import records  # noqa: E402

# A value of a field; None where the facts do not tell.
Value = str | int | tuple[str, ...] | None
Key = tuple[Value, ...]

CALL_SITES = pathlib.Path(__file__).resolve().parents[2] / "src" / "sum" / "call_site.cpp"
MEMCG = re.compile(
    rb"^Charged (?:\(via objcg\) )?to (?P<offline>offline )?memcg (?P<name>.*)$", re.MULTILINE
)
# include/uapi/linux/kernel-page-flags.h
KPF_UPTODATE, KPF_LRU, KPF_SLAB, KPF_ANON, KPF_SWAPBACKED = 3, 5, 7, 12, 14
KPF_COMPOUND_HEAD, KPF_COMPOUND_TAIL, KPF_HUGE, KPF_OFFLINE, KPF_PGTABLE, KPF_RESERVED = 15, 16, 17, 23, 26, 32
# Kinds that a stack, not the page, tells: one here, as the rules are the tables of allocator.cpp,
# which this would only repeat. The growth of each is looked at instead.
BY_STACK = "(by stack)"
KINDS_OF_PAGES = (
    "slab", "hugetlb", "offline", "page tables", "reserved", "anonymous", "shmem", "page cache",
    "early boot",
)


@dataclass
class Zone:
    """A line `Node N, zone NAME` of /proc/zoneinfo and its span."""

    nid: int
    name: str
    begin: int
    end: int


@dataclass
class Sum:
    pages: int = 0
    allocations: int = 0

    def add(self, pages: int, allocations: int) -> None:
        self.pages += pages
        self.allocations += allocations


@dataclass
class Facts:
    """Facts that the kernel tells elsewhere."""

    zones: list[Zone] = field(default_factory=list)
    page_flags: array.array = field(default_factory=lambda: array.array("Q"))  # /proc/kpageflags


def read_zones(zoneinfo: str) -> list[Zone]:
    zones = []
    for piece in re.split(r"^(?=Node )", zoneinfo, flags=re.MULTILINE):
        found = re.match(r"Node (\d+), zone +(\S+)\n", piece)
        begin = re.search(r"^ +start_pfn: +(\d+)$", piece, re.MULTILINE)
        spanned = re.search(r"^ +spanned +(\d+)$", piece, re.MULTILINE)
        if found and begin and spanned and int(spanned[1]):
            first = int(begin[1])
            zones.append(Zone(int(found[1]), found[2], first, first + int(spanned[1])))
    return zones


@functools.cache
def allocator_functions() -> list[re.Pattern[bytes]]:
    """Those that are not call sites: a list, not a computation, so it is taken from where it is."""
    text = CALL_SITES.read_text(encoding="utf-8")
    body = re.search(r"patterns = \{(.*?)\n  \};", text, re.DOTALL)
    assert body
    return [filter_oracle.glob_regex(p) for p in re.findall(r'^ +"([^"]+)",$', body[1], re.M)]


@functools.cache
def frames_of(stack: bytes) -> tuple[str, ...]:
    return tuple(line[1:].decode() for line in stack.splitlines())


def name_of(frame: str) -> str:
    """Without what the compiler has made of it (.isra.0)."""
    return re.split(r"[+.]", frame, maxsplit=1)[0]


@functools.cache
def function_of(stack: bytes) -> str:
    name = ""
    for frame in frames_of(stack):
        name = name_of(frame)
        if not any(pattern.fullmatch(name.encode()) for pattern in allocator_functions()):
            break
    return name


@functools.cache
def module_of(stack: bytes) -> str:
    found = re.search(rb" \[([^]]+)\]$", stack, re.MULTILINE)
    return found[1].decode() if found else "(kernel)"


def memcg_of(record: records.Record) -> str:
    found = MEMCG.search(record.rest)
    if not found:
        return "(none)"
    return found["name"].decode() + (" (offline)" if found["offline"] else "")


@functools.cache
def kind_by_stack(stack: bytes) -> str:
    names = [name_of(frame) for frame in frames_of(stack)]
    # of 6.14 and later they have a page type, which kpageflags does not show
    if any("kmalloc_large" in name or name.startswith("kmalloc_order") for name in names):
        return "slab"
    if names and names[0] == "register_early_stack":
        return "early boot"
    # the kernel's own, which have no page type
    if any(re.search(r"(pgd|p4d|pud|pmd|pte)_alloc|change_page_attr|spp_getpage", n) for n in names):
        return "page tables"
    return BY_STACK


def kind_of(record: records.Record, facts: Facts) -> str | None:
    # of the first page: early boot is recorded page by page, further pages of a block too
    pfn = record.pfn
    while facts.page_flags[pfn] >> KPF_COMPOUND_TAIL & 1:
        pfn -= 1
    word = facts.page_flags[pfn]

    def has(bit: int) -> bool:
        return bool(word >> bit & 1)

    for bit, kind in (
        (KPF_SLAB, "slab"),
        (KPF_HUGE, "hugetlb"),
        (KPF_OFFLINE, "offline"),
        (KPF_PGTABLE, "page tables"),
        (KPF_RESERVED, "reserved"),
        (KPF_ANON, "anonymous"),
    ):
        if has(bit):
            return kind
    if has(KPF_LRU):
        return "shmem" if has(KPF_SWAPBACKED) else "page cache"
    if has(KPF_SWAPBACKED) or has(KPF_UPTODATE):
        # on its way to the LRU lists, or a file system's own
        return None
    kind = kind_by_stack(record.stack)
    # a large kmalloc block of early boot: it has a type that kpageflags does not show
    return None if kind == "early boot" and has(KPF_COMPOUND_HEAD) else kind


def place_of(record: records.Record, facts: Facts) -> Zone | None:
    at = [zone for zone in facts.zones if zone.begin <= record.pfn < zone.end]
    return at[0] if len(at) == 1 else None


def nid_of(record: records.Record, facts: Facts) -> int | None:
    place = place_of(record, facts)
    return place.nid if place else None


def zone_of(record: records.Record, facts: Facts) -> str | None:
    place = place_of(record, facts)
    return place.name if place else None


VALUES: dict[str, Callable[[records.Record, Facts], Value]] = {
    "stack": lambda r, _: frames_of(r.stack),
    "function": lambda r, _: function_of(r.stack),
    "module": lambda r, _: module_of(r.stack),
    "allocator": kind_of,
    "tgid": lambda r, _: int(r.fields["tgid"]),
    "pid": lambda r, _: int(r.fields["pid"]),
    "comm": lambda r, _: r.comm.decode(),
    "order": lambda r, _: r.order,
    "gfp": lambda r, _: r.fields["gfp"].decode() or "0",
    "migratetype": lambda r, _: r.fields["type"].decode(),
    "nid": nid_of,
    "zone": zone_of,
    "memcg": lambda r, _: memcg_of(r),
}


# the text alone does not tell these
BY_FACTS = frozenset(("allocator", "nid", "zone"))


def key_of(record: records.Record, fields: list[str], facts: Facts) -> Key:
    return tuple(VALUES[name](record, facts) for name in fields)


def sums_of(seen: Iterable[records.Record], fields: list[str], facts: Facts) -> dict[Key, Sum]:
    """Rows by the values of their fields; without records of which the facts do not tell."""
    sums: dict[Key, Sum] = {}
    for record in seen:
        key = key_of(record, fields, facts)
        if None not in key:
            sums.setdefault(key, Sum()).add(1 << record.order, 1)
    return sums


def row_value(name: str, text: str | int | list[str]) -> Value:
    if name == "allocator" and text not in KINDS_OF_PAGES:
        return BY_STACK
    if name == "memcg":
        # the kernel's text has last names only
        path, offline = re.fullmatch(r"(.*?)( \(offline, id \d+\))?", text).groups()
        return (path.rpartition("/")[2] or path) + (" (offline)" if offline else "")
    return tuple(text) if isinstance(text, list) else text


def sums_of_rows(rows: Iterable[Mapping], fields: list[str]) -> dict[Key, Sum]:
    """Sums up JSON objects of `pobpf top`; stacks of one text are one, whatever their handles."""
    sums: dict[Key, Sum] = {}
    for row in rows:
        if row["kind"] == "group":
            key = tuple(row_value(name, row[name]) for name in fields)
            sums.setdefault(key, Sum()).add(row["pages"], row["allocations"])
    return sums


def main() -> None:
    fields = sys.argv[1].split(",")
    facts = Facts(zones=read_zones(pathlib.Path("/proc/zoneinfo").read_text(encoding="ascii")))
    if "allocator" in fields:
        facts.page_flags.frombytes(pathlib.Path("/proc/kpageflags").read_bytes())
    seen = records.parse(sys.stdin.buffer.read()).values()
    for key, sums in sorted(sums_of(seen, fields, facts).items(), key=lambda e: -e[1].pages):
        print(sums.pages, sums.allocations, *key)


if __name__ == "__main__":
    main()
