"""Configures and compiles a kernel and puts what the tests need of it into the cache."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .apt import source_package
from .cache import STAMP, find_kernel, kernel_dir_name, kernels_dir, locked
from .errors import VmError
from .process import dies_with_parent
from .table import Edit, KernelTable

# Measured: 3.0 GB of source and objects for 6.12; the rest is for newer kernels and the package.
NEEDED_BYTES = 6 << 30
NEEDED_PROGRAMS = (
    *("ar", "bc", "bison", "cpio", "dpkg-deb", "flex", "gcc", "ld", "make", "objcopy"),
    *("openssl", "pahole", "strip", "tar", "xz"),
)
LOG_TAIL_LINES = 30


def build(table: KernelTable, series_name: str, flavours: list[str], refresh: bool) -> None:
    """Makes sure that the flavours are in the cache; one source tree serves all missing ones."""
    series = table.get_series(series_name)
    with locked(kernels_dir() / f"{series_name}.lock", f"building kernel {series_name}"):
        if refresh:
            version, _ = source_package(series, refresh=True)
        missing = []
        for flavour in flavours:
            kernel = find_kernel(table, series_name, flavour)
            if kernel is not None and (not refresh or kernel.version == version):
                _say(f"{series_name} {flavour}: {kernel.version} is in the cache")
            else:
                missing.append(flavour)
        if not missing:
            return
        _check_machine()
        version, deb = source_package(series, refresh=False)
        _say(f"{series_name}: unpacking linux {version}")
        with _source_tree(series_name, deb) as tree:
            for flavour in missing:
                _build_flavour(table, series_name, flavour, version, tree)


def _build_flavour(table: KernelTable, series: str, flavour: str, version: str, tree: Path) -> None:
    started = time.monotonic()
    name = kernel_dir_name(version, flavour, table.config_hash(series, flavour))
    log = kernels_dir() / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    _say(
        f"{series} {flavour}: building linux {version}, 6 to 9 minutes on two CPUs "
        f"or less after another flavour, log in {log}"
    )
    with log.open("wb") as output, edited(tree, table.edits(series, flavour)):
        make = _Make(tree, log, output.fileno())
        _configure(make, table, series, flavour)
        make.run(f"-j{len(os.sched_getaffinity(0))}", "bzImage", "modules")
        scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=kernels_dir()))
        try:
            _collect(make, scratch)
            stamp = {"series": series, "flavour": flavour, "version": version}
            (scratch / STAMP).write_text(json.dumps(stamp) + "\n")
            scratch.chmod(0o755)
            target = kernels_dir() / name
            shutil.rmtree(target, ignore_errors=True)
            scratch.rename(target)
        except OSError as error:
            shutil.rmtree(scratch, ignore_errors=True)
            raise VmError(f"cannot put the kernel into the cache: {error}") from error
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
    minutes, seconds = divmod(int(time.monotonic() - started), 60)
    _say(f"{series} {flavour}: done in {minutes} min {seconds} s")


def _check_machine() -> None:
    if platform.machine() != "x86_64":
        raise VmError("test kernels can be built on x86-64 only")
    missing = [program for program in NEEDED_PROGRAMS if shutil.which(program) is None]
    if missing:
        raise VmError(f"not installed: {', '.join(missing)}; run scripts/setup vm")
    if re.search(r"[\s:]", str(kernels_dir())):
        raise VmError(
            f"kernels cannot be built below {kernels_dir()}: make does not work in directories "
            "with spaces or colons; set XDG_CACHE_HOME to another place"
        )
    free = shutil.disk_usage(kernels_dir()).free
    if free < NEEDED_BYTES:
        raise VmError(
            f"building a kernel needs {NEEDED_BYTES >> 30} GB below {kernels_dir()}, "
            f"and {free / (1 << 30):.1f} GB are free"
        )


@contextmanager
def _source_tree(series: str, deb: Path) -> Iterator[Path]:
    """An unpacked source tree, deleted afterwards.  The caller holds the lock of the series."""
    scratch = kernels_dir() / "build" / series
    # A killed build leaves files of unknown state.
    shutil.rmtree(scratch, ignore_errors=True)
    tree = scratch / "linux"
    try:
        tree.mkdir(parents=True)
        _extract(["dpkg-deb", "--extract", str(deb), str(scratch / "package")])
        (archive,) = (scratch / "package" / "usr" / "src").glob("linux-source-*.tar.xz")
        _extract(
            ["tar", "--extract", "--strip-components=1", f"--file={archive}", f"--directory={tree}"]
        )
        shutil.rmtree(scratch / "package")
        yield tree
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def edited(tree: Path, edits: list[Edit]) -> Iterator[None]:
    """A source tree with the edits of a flavour, which the next flavour does not see."""
    originals: dict[Path, bytes] = {}
    try:
        for edit in edits:
            path = tree / edit.file
            text = path.read_bytes()
            originals.setdefault(path, text)
            sed = subprocess.run(
                ["sed", "-zE", edit.sed], input=text, capture_output=True, check=False
            )
            if sed.returncode != 0:
                complaint = sed.stderr.decode().strip()
                raise VmError(f"edit {edit.name} of tests/vm/kernels.toml: {complaint}")
            if sed.stdout == text:
                raise VmError(
                    f"edit {edit.name} of tests/vm/kernels.toml changes nothing in {edit.file}: "
                    "adapt it to this source"
                )
            path.write_bytes(sed.stdout)
        yield
    finally:
        # Not with their old times: make is to compile them again.
        for path, text in originals.items():
            path.write_bytes(text)


def _extract(command: list[str]) -> None:
    result = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode != 0:
        raise VmError(f"cannot unpack the kernel source: {result.stderr.strip()}")


class _Make:
    """Runs the programs of a build in its tree; all their output goes to the log."""

    def __init__(self, tree: Path, log: Path, output: int) -> None:
        self.tree = tree
        self._log = log
        self._output = output
        # Nothing of the caller's build settings may change the kernel.
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "LC_ALL": "C",
            "KBUILD_BUILD_USER": "pobpf",
            "KBUILD_BUILD_HOST": "pobpf",
        }

    def run(self, *arguments: str) -> None:
        self.command("make", *arguments)

    def command(self, *command: str) -> None:
        result = subprocess.run(
            command,
            cwd=self.tree,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            check=False,
            # make then ends what it has started, where SIGKILL would leave that running
            preexec_fn=dies_with_parent(signal.SIGTERM),
        )
        if result.returncode == 0:
            return
        text = self._log.read_text(errors="replace")
        if "No space left on device" in text:
            raise VmError(f"the disk that holds {kernels_dir()} is full")
        tail = "\n".join(text.splitlines()[-LOG_TAIL_LINES:])
        raise VmError(
            f"{tail}\nbuilding the kernel failed in {' '.join(command)}; "
            f"the whole log is {self._log}"
        )


def _configure(make: _Make, table: KernelTable, series: str, flavour: str) -> None:
    fragment = make.tree / "pobpf.config"
    fragment.write_text(table.config_fragment(series, flavour))
    make.run("tinyconfig")
    # -n: what is asked for by nobody stays off, instead of taking its default.
    make.command("scripts/kconfig/merge_config.sh", "-n", ".config", str(fragment))
    actual = _read_config(make.tree / ".config")
    wrong = [
        f"  {name}: wanted {value}, got {actual.get(name, 'n')}"
        for name, value in table.options(series, flavour).items()
        if actual.get(name, "n") != value
    ]
    if wrong:
        raise VmError(
            f"kernel {series} ({flavour}) does not take these options of tests/vm/kernels.toml:\n"
            + "\n".join(wrong)
        )


def _read_config(path: Path) -> dict[str, str]:
    pairs = re.findall(r"^CONFIG_(\w+)=(.*)$", path.read_text(), re.MULTILINE)
    return dict(pairs)


def _collect(make: _Make, target: Path) -> None:
    """Copies what the tests need from the tree."""
    tree = make.tree
    shutil.copy(tree / "arch/x86/boot/bzImage", target / "bzImage")
    shutil.copy(tree / "System.map", target / "System.map")
    shutil.copy(tree / ".config", target / "config")
    # In two steps: one step would have to write a second vmlinux.
    scratch = tree / "btf.o"
    make.command("objcopy", "--only-section=.BTF", "--strip-all", "vmlinux", str(scratch))
    make.command("objcopy", f"--dump-section=.BTF={target / 'vmlinux.btf'}", str(scratch))
    (target / "modules").mkdir()
    config = _read_config(tree / ".config")
    for module in sorted(tree.rglob("*.ko")):
        copy = target / "modules" / module.name
        make.command("strip", "--strip-debug", "-o", str(copy), str(module))
        # Stripping removes the signature, and a locked-down kernel loads signed modules only.
        make.command(
            *("scripts/sign-file", config["MODULE_SIG_HASH"].strip('"')),
            *("certs/signing_key.pem", "certs/signing_key.x509", str(copy)),
        )
    (target / "tools").mkdir()
    for name in ("page_owner_sort", "page_owner_filter"):
        # tools/vm was renamed to tools/mm in 6.3; page_owner_filter is new in 7.3.
        for source in tree.glob(f"tools/[vm]m/{name}.c"):
            make.command("gcc", "-O2", "-o", str(target / "tools" / name), str(source))


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
