"""Fetches packages with an apt state of our own; the machine's apt stays as it is.

Mirror addresses and keys are those that the machine's apt uses; none is written down here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .cache import kernels_dir, locked
from .errors import VmError
from .table import Series


def source_package(series: Series, refresh: bool) -> tuple[str, Path]:
    """Full version and .deb file of the series' source; asks the network only if it must."""
    directory = kernels_dir() / "sources" / series.name
    with locked(kernels_dir() / "sources" / f"{series.name}.lock", "fetching kernel sources"):
        debs = sorted(directory.glob("*.deb"), key=lambda deb: deb.stat().st_mtime)
        if not debs or refresh:
            debs = [_fetch(series, directory)]
        return _run(["dpkg-deb", "--field", str(debs[-1]), "Version"]).strip(), debs[-1]


def _fetch(series: Series, directory: Path) -> Path:
    apt = PrivateApt(kernels_dir() / "apt" / series.name, series.suites)
    package, version = _candidate(series, apt)
    present = list(directory.glob(f"{package}_{version.replace(':', '%3a')}_*.deb"))
    if present:
        # Newest by time is what source_package() takes.
        present[0].touch()
        return present[0]
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        downloaded = apt.download(package, version, Path(scratch))
        old = list(directory.glob("*.deb"))
        result = downloaded.rename(directory / downloaded.name)
    for deb in old:
        deb.unlink()
    return result


def _candidate(series: Series, apt: PrivateApt) -> tuple[str, str]:
    version = apt.candidate(series.package)
    if version:
        return series.package, version
    if series.or_newer:
        major, minor = (int(number) for number in series.name.split("."))
        minors = [
            int(match[1])
            for name in apt.names(f"linux-source-{major}.")
            if (match := re.fullmatch(rf"linux-source-{major}\.(\d+)", name))
        ]
        if minors and max(minors) >= minor:
            package = f"linux-source-{major}.{max(minors)}"
            version = apt.candidate(package)
            if version:
                return package, version
    raise VmError(
        f"no package {series.package} in {' or '.join(series.suites)}: "
        "change its entry in tests/vm/kernels.toml"
    )


class PrivateApt:
    """An apt that knows these suites and nothing else, and installs nothing."""

    def __init__(self, state: Path, suites: Sequence[str]) -> None:
        for part in ("etc", "state/lists/partial", "cache/archives/partial"):
            (state / part).mkdir(parents=True, exist_ok=True)
        sources = state / "etc" / "pobpf.sources"
        sources.write_text("\n".join(source_stanza(suite) for suite in suites))
        self._options = [
            f"-oDir::State={state / 'state'}",
            "-oDir::State::status=/dev/null",
            f"-oDir::Cache={state / 'cache'}",
            f"-oDir::Etc::sourcelist={sources}",
            "-oDir::Etc::sourceparts=/dev/null",
            # The machine's pins are about the packages it installs.
            "-oDir::Etc::preferences=/dev/null",
            "-oDir::Etc::preferencesparts=/dev/null",
            # The cache may be below a home directory that apt's download user cannot enter.
            "-oAPT::Sandbox::User=root",
            "-oAPT::Update::Error-Mode=any",
        ]
        self._run("apt-get", "--quiet=2", "update")

    def candidate(self, package: str) -> str | None:
        """The version that would be taken."""
        match = re.search(
            r"^  Candidate: (\d\S*)$", self._run("apt-cache", "policy", package), re.MULTILINE
        )
        return match[1] if match else None

    def names(self, beginning: str) -> list[str]:
        return self._run("apt-cache", "pkgnames", beginning).split()

    def download(self, package: str, version: str, directory: Path) -> Path:
        """The .deb file, in a directory in which there is no other."""
        self._run("apt-get", "--quiet=2", "download", f"{package}={version}", cwd=directory)
        (downloaded,) = directory.glob("*.deb")
        return downloaded

    def _run(self, program: str, *arguments: str, cwd: Path | None = None) -> str:
        return _run([program, *self._options, *arguments], cwd=cwd)


def source_stanza(suite: str) -> str:
    """An apt source for one suite, on the mirror that the machine uses for such suites."""
    is_security = suite.endswith("-security")
    own_codename = os_release().get("VERSION_CODENAME", "")
    own_suites = [f"{own_codename}-security"] if is_security else [own_codename]
    targets = _run(
        ["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI) $(SOURCESENTRY)"]
    )
    for line in targets.splitlines():
        release, uri, entry = line.split(" ", 2)
        if release in own_suites:
            return (
                f"Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: main\n"
                f"{_signed_by(entry, uri)}"
            )
    raise VmError(
        f"this machine's apt has no source for {' or '.join(own_suites)}, so there is no mirror "
        f"to ask for {suite}: that works on Debian only"
    )


def _signed_by(entry: str, uri: str) -> str:
    """The key of a source entry ("file:line"), as a deb822 field; empty if it names none."""
    path, _, line = entry.rpartition(":")
    text = Path(path).read_text()
    if path.endswith(".list"):
        match = re.search(r"signed-by=([^\]\s]+)", text.splitlines()[int(line) - 1])
        return f"Signed-By: {match[1]}\n" if match else ""
    for stanza in re.split(r"\n\s*\n", text):
        # The field can be a whole key, which goes on over indented lines.
        match = re.search(r"^Signed-By:.*(?:\n[ \t].*)*", stanza, re.MULTILINE | re.IGNORECASE)
        if match and uri.rstrip("/") in stanza:
            return f"{match[0]}\n"
    return ""


def os_release() -> dict[str, str]:
    fields = {}
    for line in Path("/etc/os-release").read_text().splitlines():
        name, _, value = line.partition("=")
        fields[name] = value.strip("\"'")
    return fields


def _run(command: list[str], cwd: Path | None = None) -> str:
    """Output of a command; its complaint is the error."""
    if shutil.which(command[0]) is None:
        raise VmError(f"{command[0]} is missing: packages can be fetched on Debian only")
    result = subprocess.run(
        command,
        cwd=cwd,
        # Messages are parsed, so they must not be translated.
        env=os.environ | {"LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        name = " ".join(word for word in command[:2] if not word.startswith("-"))
        raise VmError(f"{name} failed: {result.stderr.strip() or result.stdout.strip()}")
    return result.stdout
