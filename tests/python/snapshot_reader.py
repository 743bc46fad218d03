#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A reader of snapshots that knows docs/snapshots.md and snapshot.proto alone: of a recording that is
whole it prints what `pobpf report --format json FILE` does. Arguments: the schema, and the file."""

import functools
import itertools
import json
import re
import subprocess
import sys
from pathlib import Path

SLAB, CHARGED, OBJCG, OFFLINE, UNKNOWN = 1, 2, 4, 8, 16  # enum ChargeFlags
WORD = (1 << 64) - 1


def read_schema(text: str) -> dict:
    """Messages by name: number of a field to its name, type, and whether it is repeated."""
    text = re.sub(r"//.*", "", text)
    schema = {}
    for name, body in re.findall(r"message (\w+) \{((?:[^{}]|\{[^{}]*\})*)\}", text):
        fields = re.findall(r"(repeated |optional )?(\w+) (\w+) = (\d+);", body)
        schema[name] = {int(n): (field, kind, bool(label) and label[0] == "r")
                        for label, kind, field, n in fields}
    return schema


def unzigzag(code: int) -> int:
    return code >> 1 ^ -(code & 1)


def scalar(kind: str, data: bytes, at: int) -> tuple[int, int]:
    """A number, and where it ends."""
    if kind in ("fixed32", "fixed64"):
        size = 4 if kind == "fixed32" else 8
        return int.from_bytes(data[at : at + size], "little"), at + size
    end = next(end for end in range(at, len(data)) if data[end] < 0x80)
    value = sum((byte & 0x7F) << 7 * i for i, byte in enumerate(data[at : end + 1])) & WORD
    return (unzigzag(value) if kind == "sint32" else value), end + 1


def decode(schema: dict, name: str, data: bytes) -> dict:
    """The fields that a message of Protocol Buffers has, by their names."""
    message, at = {}, 0
    while at < len(data):
        key, at = scalar("uint64", data, at)
        field, kind, is_repeated = schema[name].get(key >> 3, ("unknown", "bytes", False))
        if key & 7 != 2:
            value, at = scalar({1: "fixed64", 5: "fixed32"}.get(key & 7, kind), data, at)
            values = [value]
        else:
            length, at = scalar("uint64", data, at)
            part, at = data[at : at + length], at + length
            values, end = [decode(schema, kind, part) if kind in schema else part], 0
            if kind not in schema and kind != "bytes":
                values = []
                while end < length:
                    value, end = scalar(kind, part, end)
                    values.append(value)
        message[field] = message.get(field, []) + values if is_repeated else values[-1]
    return message


def texts(field: bytes) -> list[bytes]:
    """A List."""
    return field.split(b"\0")[:-1]


def names(message: dict, *keys: str) -> list[tuple]:
    """Numbers of a table, and the name behind them."""
    shown = (text.decode(errors="replace") for text in texts(message.get("name", b"")))
    return list(zip(*(message.get(key, []) for key in keys), shown))


def numbers(field: bytes, count: int) -> list[int]:
    """Numbers."""
    planes = [field[at : at + count] for at in range(0, len(field), count)] if count else []
    return [unzigzag(int.from_bytes(code, "little")) for code in zip(*planes)]


def sums(differences: list[int]) -> list[int]:
    return [value & WORD for value in itertools.accumulate(differences)]


def column(message: dict) -> list[int]:
    values = message.get("value", [])
    return [*itertools.chain(*map(itertools.repeat, values, message.get("run", [1] * len(values))))]


def flag_names(flags: int, table: list[tuple]) -> list[str]:
    found = []
    for mask, name in table:
        if flags and flags & mask == mask:
            found.append(name)
            flags &= ~mask
    return found + ([hex(flags)] if flags else [])


class Reader:
    """The pages of a file, and what stands before them."""

    def __init__(self, schema: dict):
        self.schema, self.stacks, self.locations, self.cgroups = schema, {}, {}, {}

    def records(self, content: bytes):
        items = decode(self.schema, "Snapshot", content)["item"]
        for index, item in enumerate(items):
            assert item.get("index", 0) == index, "a part of the file is missing"
            if "header" in item:
                self.take_header(item["header"])
            elif "stacks" in item:
                self.take_stacks(item["stacks"])
            elif "cgroups" in item:
                self.cgroups |= zip(item["cgroups"]["id"], texts(item["cgroups"]["path"]))
            elif "pages" in item:
                yield from self.pages(item["pages"])
            elif "unknown" in item:
                print("a part of the file is of a newer pobpf and is not shown", file=sys.stderr)
        assert "footer" in items[-1], "the file has no end"

    def take_header(self, header: dict):
        assert header["format_version"] in (4, 5)
        self.tables = tables = header["tables"]
        self.gfp, self.flags = (names(tables[key], "mask") for key in ("gfp_flag", "page_flag"))
        self.fields = names(tables["page_flag_field"], "width", "shift", "mask")
        self.migratetypes = dict(names(tables["migratetype"], "number"))
        self.reasons = dict(names(tables["migrate_reason"], "number"))

    def take_stacks(self, stacks: dict):
        symbols = texts(stacks.get("symbol", b""))
        addresses = sums(numbers(stacks.get("address", b""), len(symbols))) or [0] * len(symbols)
        first = stacks.get("first_location", 0)
        for number, (address, symbol) in enumerate(zip(addresses, symbols), first):
            known = {"address": hex(address)} if address else {}
            self.locations[number] = known | {"symbol": symbol.decode(errors="replace")}
        frames = iter(stacks.get("location", []))
        for handle, depth in zip(stacks["handle"], stacks["nr_frames"]):
            self.stacks[handle] = [self.locations[next(frames)] for _ in range(depth)]

    def pages(self, block: dict):
        rows = [{} for _ in range(block["nr_pages"])]
        for table, index in {"sites": "site", "tasks": "task", "charges": "charge",
                             "free_sides": "free_side"}.items():
            for key, values in block.get(table, {}).items():
                values = texts(values) if key == "comm" else values
                for row, at in zip(rows, column(block[index])):
                    row["free_" + key if table == "free_sides" else key] = values[at]
        for key in ("pageblock_migratetype", "last_migrate_reason", "was_freed", "flags"):
            for row, value in zip(rows, column(block.get(key, {}))):
                row["page_" + key] = value
        freed = [row for row in rows if row.get("page_was_freed")]
        for row, time in zip(freed, sums(numbers(block.get("free_ts_nsec", b""), len(freed)))):
            row["free_ts_nsec"] = time
        end, times = 0, sums(numbers(block["ts_nsec"], len(rows)))
        for row, gap, time in zip(rows, numbers(block["gap"], len(rows)), times):
            row |= {"pfn": end + gap & WORD, "ts_nsec": time}
            end = row["pfn"] + (1 << row["order"])
            yield self.as_json(row, block["flag_words"][row["page_flags"]], row["flags"])

    def as_json(self, row: dict, flags: int, bits: int) -> dict:
        same = ("pfn", "order", "handle", "pid", "tgid", "ts_nsec", "gfp_mask")
        kept = {key: row[key] for key in same} | {"nr_pages": 1 << row["order"], "nid": 0}
        kept["comm"] = row["comm"].decode(errors="replace")
        if kept["comm"].encode() != row["comm"]:
            kept["comm_hex"] = row["comm"].hex()
        kept["gfp_flags"] = flag_names(row["gfp_mask"], self.gfp)
        shift, mask = (self.tables.get("gfp_migratetype_" + key, 0) for key in ("shift", "mask"))
        mask = 0 if self.tables.get("is_mobility_grouping_disabled") else mask
        kept["migratetype"] = self.migratetypes.get(row["gfp_mask"] >> shift & mask)
        kept["pageblock"] = row["pfn"] >> self.tables["pageblock_order"]
        kept["pageblock_migratetype"] = self.migratetypes.get(row["page_pageblock_migratetype"])
        named = functools.reduce(int.__or__, (mask for mask, _ in self.flags), 0)
        kept |= {"flags": hex(flags), "page_flags": flag_names(flags & named, self.flags)}
        for width, shift, mask, name in self.fields:
            kept |= {"nid" if name == "node" else name: flags >> shift & mask} if width else {}
        reason = unzigzag(row["page_last_migrate_reason"])
        is_never = reason == self.tables.get("migrate_reason_never", 0)
        kept["last_migrate_reason"] = None if is_never else self.reasons.get(reason)
        kept |= dict(slab_memcg=bool(bits & SLAB), memcg={"name": None} if bits & UNKNOWN else None)
        if bits & CHARGED:
            path = self.cgroups[row["cgroup_id"]]
            name = path.split(b"/")[-1][:79] if len(path) > 1 and path[:1] == b"/" else path
            kept["memcg"] = {"name": name.decode(errors="replace"),
                             "path": path.decode(errors="replace") if path[:1] == b"/" else None,
                             "id": row["cgroup_id"],
                             "online": not bits & OFFLINE, "via_objcg": bool(bits & OBJCG)}
        kept["stack"] = self.stacks[row["handle"]]
        kept |= {"free_ts_nsec": row.get("free_ts_nsec", 0)} if "page_was_freed" in row else {}
        if row.get("free_handle"):
            kept["free_stack"] = self.stacks[row["free_handle"]]
            kept |= {key: row[key] for key in ("free_pid", "free_tgid") if key in row}
        return kept | {key: row[key] for key in ("free_handle",) if key in row}


def read(schema: str, file: str):
    content = subprocess.run(["zstd", "-dc", file], check=True, capture_output=True).stdout
    return Reader(read_schema(Path(schema).read_text(encoding="utf-8"))).records(content)


if __name__ == "__main__":
    sys.stdout.writelines(json.dumps(record) + "\n" for record in read(*sys.argv[1:]))
