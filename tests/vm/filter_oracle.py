#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The filters of pobpf over the text of debugfs page_owner, knowing nothing of pobpf but the
meaning of its options.

filter_oracle.py [--facts FILE] FILTERS... < page_owner    prints the records that pass

Facts are what the text does not say: a JSON object of the fields of Facts.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import records  # noqa: E402

# True, False, or None: the facts do not tell, because something changed meanwhile.
Verdict = bool | None
Test = Callable[[records.Record], Verdict]

# The order in which filters are tested: a record is counted under the first that it does not pass.
ORDER = (
    "nid zone flags order block_migratetype handle time gfp migratetype mixed tgid pid comm dead "
    "memcg stack pfn"
).split()
# (option, filter, whether there is a --not- form)
VALUE_OPTIONS = (
    ("nid", "nid", False),
    ("zone", "zone", True),
    ("pid", "pid", True),
    ("tgid", "tgid", True),
    ("comm", "comm", True),
    ("order", "order", True),
    ("age", "time", False),
    ("since", "time", False),
    ("until", "time", False),
    ("gfp", "gfp", False),
    ("flags", "flags", False),
    ("migratetype", "migratetype", True),
    ("block-migratetype", "block_migratetype", True),
    ("handle", "handle", True),
    ("symbol", "stack", True),
    ("module", "stack", True),
    ("memcg", "memcg", True),
    ("pfn", "pfn", True),
)
SWITCHES = (("mixed", "mixed"), ("dead", "dead"))

UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
UNITS |= {"d": 24 * UNITS["h"]}
FRAME = re.compile(rb"^ ([^ +]+)\+0x[0-9a-f]+/0x[0-9a-f]+(?: \[([^]]+)\])?$", re.MULTILINE)
MEMCG = re.compile(rb"^Charged (?:\(via objcg\) )?to (?:offline )?memcg (.*)$", re.MULTILINE)


@dataclass
class Facts:
    """Facts that the kernel tells elsewhere."""

    zones: list[str] = field(default_factory=list)  # by number
    living: list[int] = field(default_factory=list)  # tgids alive all the time
    living_once: list[int] = field(default_factory=list)  # tgids alive at some time
    # local_clock() when a process began whose tgid another one had before
    reborn: dict[int, int] = field(default_factory=dict)
    memcgs: dict[str, str] = field(default_factory=dict)  # path by name
    clock: tuple[int, int] = (0, 0)  # ns: local_clock() before and after the run
    handles: dict[tuple[int, int], int] = field(default_factory=dict)  # by PFN and ts
    aliases: dict[str, set[str]] = field(default_factory=dict)  # names at the same address
    gfp_bits: dict[str, int] = field(default_factory=dict)


def solve_gfp_bits(seen: Iterable[records.Record]) -> dict[str, int]:
    """Bits of the gfp names, from the text alone: the names printed for a mask stand for disjoint
    bits that add up to it. So where the names of one mask are among those of another, the other
    names stand for the other bits. Names that this does not reach are left out."""
    sums: dict[frozenset[str], int] = {}
    for record in seen:
        names = frozenset((record.fields["gfp"] or b"").decode().split("|"))
        unnamed = sum(int(name, 16) for name in names if name.startswith("0x"))
        names = frozenset(n for n in names if n and not n.startswith("0x"))
        if names:
            sums[names] = int(record.fields["mask"], 16) - unnamed
    todo = list(sums)
    while todo and len(sums) < 5000:
        one = todo.pop()
        for other in list(sums):
            small, large = (one, other) if one < other else (other, one)
            if small < large and large - small not in sums:
                sums[large - small] = sums[large] - sums[small]
                todo.append(large - small)
    return {next(iter(names)): bits for names, bits in sums.items() if len(names) == 1}


def read_aliases(kallsyms: str) -> dict[str, set[str]]:
    """Names that stand at the same address as another, of the text of /proc/kallsyms."""
    at: dict[str, set[str]] = {}
    for line in kallsyms.splitlines():
        address, kind, name = line.split()[:3]
        if kind in "tTwW":
            at.setdefault(address, set()).add(name)
    aliases: dict[str, set[str]] = {}
    for names in at.values():
        for name in names:
            aliases.setdefault(name, set()).update(names)
    return aliases


def split_list(text: str) -> list[str]:
    """At commas without a backslash in front."""
    return re.findall(r"(?:\\.|[^,\\])+", text, re.DOTALL)


def glob_regex(pattern: str) -> re.Pattern[bytes]:
    """glob(7) over bytes."""
    source = pattern.encode("utf-8", "surrogateescape")
    result, at = b"", 0
    while at < len(source):
        char = source[at : at + 1]
        at += 1
        if char == b"*":
            result += b".*"
        elif char == b"?":
            result += b"."
        elif char == b"\\" and at < len(source):
            result += re.escape(source[at : at + 1])
            at += 1
        elif char == b"[" and source.find(b"]", at + 2) >= 0:
            negated = source[at : at + 1] == b"!"
            at += negated
            end = source.find(b"]", at + 1)
            members = re.sub(rb"([\\^\]])", rb"\\\1", source[at:end])
            result += b"[" + (b"^" if negated else b"") + members + b"]"
            at = end + 1
        else:
            result += re.escape(char)
    return re.compile(result, re.DOTALL)


def number_ranges(text: str, largest: int) -> list[tuple[int, int]]:
    """Inclusive ranges: N, N-M, N-, N+COUNT."""
    ranges = []
    for word in text.split(","):
        found = re.fullmatch(r"(0x[0-9a-fA-F]+|\d+)(?:([-+])(0x[0-9a-fA-F]+|\d*))?", word.strip())
        if not found:
            raise ValueError(f"no number or range: {word!r}")
        first = int(found[1], 0)
        if found[2] == "+":
            ranges.append((first, first + int(found[3], 0) - 1))
        elif found[2] == "-":
            ranges.append((first, int(found[3], 0) if found[3] else largest))
        else:
            ranges.append((first, first))
    return ranges


def duration_ns(text: str) -> int:
    parts = re.findall(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h|d)", text)
    if not parts or "".join(a + b for a, b in parts) != text:
        raise ValueError(f"no duration: {text!r}")
    return sum(round(float(number) * UNITS[unit]) for number, unit in parts)


def within(ranges: list[tuple[int, int]], value: int) -> bool:
    return any(first <= value <= last for first, last in ranges)


def at_least(lowest: int, highest: int, limit: int) -> Verdict:
    """Whether a number that lies between lowest and highest is at least limit."""
    if lowest >= limit:
        return True
    return None if highest >= limit else False


def opposite(verdict: Verdict) -> Verdict:
    return None if verdict is None else not verdict


class Filter:
    """Parsed options: tests by the filter they belong to."""

    def __init__(self, argv: list[str], facts: Facts) -> None:
        self._facts = facts
        self._tests: list[tuple[str, Test]] = []
        parser = argparse.ArgumentParser(allow_abbrev=False)
        for option, _, has_not in VALUE_OPTIONS:
            parser.add_argument(f"--{option}", action="append")
            if has_not:
                parser.add_argument(f"--not-{option}", action="append")
        for option, _ in SWITCHES:
            parser.add_argument(f"--{option}", action="store_true")
            parser.add_argument(f"--not-{option}", action="store_true")
        options = vars(parser.parse_args(argv))
        for option, filter_name, _ in VALUE_OPTIONS:
            key = option.replace("-", "_")
            make = getattr(self, "_" + key)
            if options[key]:
                self._tests.append((filter_name, make(options[key])))
            if options.get("not_" + key):
                wanted = make(options["not_" + key])
                self._tests.append((filter_name, lambda r, w=wanted: opposite(w(r))))
        for option, filter_name in SWITCHES:
            test = getattr(self, "_" + option)
            if options[option]:
                self._tests.append((filter_name, test))
            if options["not_" + option]:
                self._tests.append((filter_name, lambda r, t=test: opposite(t(r))))
        self._tests.sort(key=lambda entry: ORDER.index(entry[0]))

    @property
    def names(self) -> set[str]:
        """The filters in use."""
        return {name for name, _ in self._tests}

    def judge(self, record: records.Record) -> tuple[Verdict, str | None]:
        """Whether the record passes all filters, and the first that it surely does not pass."""
        verdict: Verdict = True
        for name, test in self._tests:
            passes = test(record)
            if passes is False:
                return False, name
            if passes is None:
                verdict = None
        return verdict, None

    def verdict(self, record: records.Record) -> Verdict:
        return self.judge(record)[0]

    # each makes the test of an option's values, which are alternatives

    def _numbers(self, values: list[str], of: Callable[[records.Record], int]) -> Test:
        ranges = [r for value in values for r in number_ranges(value, 1 << 64)]
        singles = {first for first, last in ranges if first == last}
        wide = [(first, last) for first, last in ranges if first != last]
        return lambda r: of(r) in singles or within(wide, of(r))

    def _nid(self, values: list[str]) -> Test:
        return self._numbers(values, lambda r: r.nid)

    def _pid(self, values: list[str]) -> Test:
        return self._numbers(values, lambda r: int(r.fields["pid"]))

    def _tgid(self, values: list[str]) -> Test:
        return self._numbers(values, lambda r: int(r.fields["tgid"]))

    def _order(self, values: list[str]) -> Test:
        return self._numbers(values, lambda r: r.order)

    def _pfn(self, values: list[str]) -> Test:
        return self._numbers(values, lambda r: r.pfn)

    def _handle(self, values: list[str]) -> Test:
        by_number = self._numbers(values, lambda r: self._facts.handles[(r.pfn, r.ts)])
        return lambda r: by_number(r) if (r.pfn, r.ts) in self._facts.handles else None

    def _names(self, values: list[str], of: Callable[[records.Record], str]) -> Test:
        wanted = {name.strip() for value in values for name in value.split(",")}
        return lambda r: of(r) in wanted

    def _zone(self, values: list[str]) -> Test:
        def zone_of(record: records.Record) -> str:
            found = re.search(rb"\bzone=(\d+)", record.fields["flag_names"])
            return self._facts.zones[int(found[1]) if found else 0]

        return self._names(values, zone_of)

    def _migratetype(self, values: list[str]) -> Test:
        return self._names(values, lambda r: r.fields["type"].decode())

    def _block_migratetype(self, values: list[str]) -> Test:
        return self._names(values, lambda r: r.fields["block_type"].decode())

    @staticmethod
    def _mixed(record: records.Record) -> Verdict:
        return record.fields["type"] != record.fields["block_type"]

    def _dead(self, record: records.Record) -> Verdict:
        tgid = int(record.fields["tgid"])
        # 0 is the idle task's, which always exists: /proc does not list it
        if tgid == 0 or tgid in self._facts.living:
            return record.ts < self._facts.reborn.get(tgid, 0)
        return None if tgid in self._facts.living_once else True

    @staticmethod
    def _comm(values: list[str]) -> Test:
        patterns = [glob_regex(p) for value in values for p in split_list(value)]
        return lambda r: any(p.fullmatch(r.comm) for p in patterns)

    # local_clock() of the moment that counts lies between the two readings of facts.clock

    def _limit(self, text: str) -> tuple[int, int]:
        if text.isdigit():
            return int(text), int(text)
        before, after = self._facts.clock
        return before - duration_ns(text), after - duration_ns(text)

    def _since(self, values: list[str]) -> Test:
        earliest, latest = self._limit(values[-1])
        return lambda r: True if r.ts >= latest else None if r.ts >= earliest else False

    def _until(self, values: list[str]) -> Test:
        earliest, latest = self._limit(values[-1])
        return lambda r: True if r.ts <= earliest else None if r.ts <= latest else False

    def _age(self, values: list[str]) -> Test:
        lowest, dots, highest = values[-1].partition("..")
        before, after = self._facts.clock

        def test(record: records.Record) -> Verdict:
            verdicts = []
            if lowest:
                verdicts.append(
                    at_least(before - record.ts, after - record.ts, duration_ns(lowest))
                )
            if dots and highest:
                verdicts.append(
                    opposite(
                        at_least(before - record.ts, after - record.ts, duration_ns(highest) + 1)
                    )
                )
            return False if False in verdicts else None if None in verdicts else True

        return test

    def _bits(
        self, values: list[str], has: Callable[[records.Record, str], bool]
    ) -> Test:
        groups = []
        for value in values:
            kind, colon, rest = value.partition(":")
            groups.append((kind if colon else "all", re.split(r"[,|]", rest if colon else value)))

        def test(record: records.Record) -> Verdict:
            for kind, names in groups:
                answers = [has(record, name.strip()) for name in names]
                if not {"all": all(answers), "any": any(answers), "none": not any(answers)}[kind]:
                    return False
            return True

        return test

    def _gfp(self, values: list[str]) -> Test:
        kinds = {v.partition(":")[0] if ":" in v else "all" for v in values}

        def has(record: records.Record, name: str) -> bool:
            bits = int(name, 16) if name.startswith("0x") else self._facts.gfp_bits[name]
            mask = int(record.fields["mask"], 16)
            # of a composite, "none:" and "any:" are about each of its bits
            return mask & bits == bits if kinds == {"all"} else mask & bits != 0

        if len(kinds) > 1:
            tests = [self._gfp([value]) for value in values]
            return lambda r: all(test(r) for test in tests)
        return self._bits(values, has)

    def _flags(self, values: list[str]) -> Test:
        def has(record: records.Record, name: str) -> bool:
            if name.startswith("0x"):
                bits = int(name, 16)
                return int(record.fields["flags"], 16) & bits == bits
            return name.encode() in record.fields["flag_names"].split(b"|")

        return self._bits(values, has)

    def _frames(self, values: list[str], of: Callable[[bytes, bytes], set[bytes]]) -> Test:
        patterns = [glob_regex(p) for value in values for p in split_list(value)]
        by_stack: dict[bytes, bool] = {}

        def test(record: records.Record) -> Verdict:
            stack = record.stack
            if stack not in by_stack:
                by_stack[stack] = any(
                    pattern.fullmatch(name)
                    for symbol, module in FRAME.findall(stack)
                    for name in of(symbol, module)
                    for pattern in patterns
                )
            return by_stack[stack]

        return test

    def _symbol(self, values: list[str]) -> Test:
        def names_of(symbol: bytes, _module: bytes) -> set[bytes]:
            others = self._facts.aliases.get(symbol.decode(errors="surrogateescape"), set())
            return {symbol} | {name.encode() for name in others}

        return self._frames(values, names_of)

    def _module(self, values: list[str]) -> Test:
        return self._frames(values, lambda _symbol, module: {module} if module else set())

    def _memcg(self, values: list[str]) -> Test:
        roots = [value.removeprefix("/sys/fs/cgroup").strip("/") for value in values]
        roots = [f"/{root}" if root else "" for root in roots]

        def test(record: records.Record) -> Verdict:
            # the line stands between the header and the stack
            found = MEMCG.search(record.rest)
            if not found:
                return False
            path = self._facts.memcgs[found[1].decode()].rstrip("/")
            return any(path == root or path.startswith(root + "/") for root in roots)

        return test


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--facts")
    options, argv = parser.parse_known_args()
    facts = Facts()
    if options.facts:
        facts = Facts(**json.loads(pathlib.Path(options.facts).read_text(encoding="utf-8")))
    everything = records.parse(sys.stdin.buffer.read())
    facts.gfp_bits = facts.gfp_bits or solve_gfp_bits(everything.values())
    wanted = Filter(argv, facts)
    for record in everything.values():
        if wanted.verdict(record):
            sys.stdout.buffer.write(record.text + b"\n")


if __name__ == "__main__":
    main()
