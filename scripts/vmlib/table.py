"""The table of kernels, tests/vm/kernels.toml: what each one is configured and booted with."""

from __future__ import annotations

import dataclasses
import hashlib
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .errors import VmError

TABLE_PATH = Path(__file__).resolve().parents[2] / "tests" / "vm" / "kernels.toml"

# Part of every cache key.  Increase it when kbuild.py puts other things into the cache.
RECIPE = 1

DEFAULT = "default"


@dataclasses.dataclass(frozen=True)
class Series:
    """One kernel series and the Debian package that has its source."""

    name: str
    package: str
    suites: tuple[str, ...]
    or_newer: bool


@dataclasses.dataclass(frozen=True)
class Edit:
    """A change of a source file of the kernel, as a script of `sed -zE`."""

    name: str
    file: str
    sed: str


class KernelTable:
    """Contents of kernels.toml, checked: each option, edit and boot argument has a reason."""

    def __init__(self, path: Path = TABLE_PATH) -> None:
        try:
            with path.open("rb") as file:
                table = tomllib.load(file)
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise VmError(f"cannot read the table of kernels {path}: {error}") from error
        self._options: dict[str, dict[str, Any]] = table["options"]
        self._flavours: dict[str, dict[str, Any]] = table["flavours"]
        self._edits: dict[str, dict[str, Any]] = table.get("edits", {})
        self._boot: dict[str, dict[str, Any]] = table["boot"]
        self._profiles: dict[str, dict[str, Any]] = table["profiles"]
        self._console_allowed: list[dict[str, Any]] = table.get("console_allowed", [])
        self.default_series: str = table["default_series"]
        self.series: dict[str, Series] = {
            name: Series(
                name, entry["package"], tuple(entry["suites"]), entry.get("or_newer", False)
            )
            for name, entry in table["series"].items()
        }
        self._check_reasons(table)

    def _check_reasons(self, table: dict[str, Any]) -> None:
        entries = [("options", self._options), ("edits", self._edits), ("boot", self._boot)]
        entries += [(section, table[section]) for section in ("series", "flavours", "profiles")]
        for kind, group in (("flavours", self._flavours), ("profiles", self._profiles)):
            for name, member in group.items():
                for part in ("options", "boot"):
                    entries.append((f"{kind}.{name}.{part}", member.get(part, {})))
        for section, members in entries:
            for name, member in members.items():
                if not member.get("reason"):
                    raise VmError(f"kernels.toml: [{section}] {name} has no reason")
        for number, member in enumerate(self._console_allowed, start=1):
            if not member.get("reason"):
                raise VmError(f"kernels.toml: console_allowed number {number} has no reason")

    def get_series(self, name: str) -> Series:
        return self.series[_known("kernel series", name, self.series)]

    def flavours_of(self, series: str) -> list[str]:
        """All flavours that exist for a series, the default one first."""
        names = [
            name
            for name, entry in self._flavours.items()
            if series in entry.get("series", self.series)
        ]
        return sorted(names, key=lambda name: name != DEFAULT)

    def check_flavour(self, series: str, flavour: str) -> None:
        _known(f"flavour of {series}", flavour, self.flavours_of(series))

    @property
    def profiles(self) -> list[str]:
        return list(self._profiles)

    def options(self, series: str, flavour: str) -> dict[str, str]:
        """Configuration options and their values ("n" is off), in the order of the table."""
        self.check_flavour(series, flavour)
        merged = dict(self._options)
        merged.update(self._flavours[flavour].get("options", {}))
        return {
            name: option["value"]
            for name, option in merged.items()
            if series in option.get("series", self.series)
        }

    def config_fragment(self, series: str, flavour: str) -> str:
        """The options in the syntax of a kernel .config file."""
        lines = []
        for name, value in self.options(series, flavour).items():
            lines.append(
                f"# CONFIG_{name} is not set\n" if value == "n" else f"CONFIG_{name}={value}\n"
            )
        return "".join(lines)

    def edits(self, series: str, flavour: str) -> list[Edit]:
        """Changes of the source, in the order in which they are made."""
        self.check_flavour(series, flavour)
        names = self._flavours[flavour].get("edits", [])
        entries = {name: self._edits[_known("edit", name, self._edits)] for name in names}
        return [Edit(name, entry["file"], entry["sed"]) for name, entry in entries.items()]

    def config_hash(self, series: str, flavour: str) -> str:
        """Names a build: same hash, same options and edits, whatever the version of the source."""
        text = f"{RECIPE}\n{series}\n{self.config_fragment(series, flavour)}"
        text += "".join(f"{edit.file}\n{edit.sed}\n" for edit in self.edits(series, flavour))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def boot_arguments(self, series: str, flavour: str, profile: str) -> list[str]:
        """Kernel command line of a boot profile; the reasons stay in the table."""
        self.check_flavour(series, flavour)
        _known("boot profile", profile, self._profiles)
        merged = dict(self._boot)
        merged.update(self._flavours[flavour].get("boot", {}))
        merged.update(self._profiles[profile].get("boot", {}))
        return [
            f"{name}={argument['value']}" if argument["value"] else name
            for name, argument in merged.items()
            if argument["value"] != "-" and series in argument.get("series", self.series)
        ]

    def console_allowed(self) -> list[str]:
        """Regular expressions of console lines that look bad and are not."""
        return [entry["pattern"] for entry in self._console_allowed]


def _known(what: str, name: str, names: Iterable[str]) -> str:
    if name not in names:
        raise VmError(f"unknown {what} {name!r}; the table has: {', '.join(names)}")
    return name
