"""Finds out whether KVM works here, by booting with it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from . import qemu
from .cache import Kernel, cache_root
from .runner import Outcome, Run, run

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
KVM = Path("/dev/kvm")

# A boot takes a second with KVM that works.  Where guests hang, this is what the first run waits.
PROBE_SECONDS = 15


def choose_accelerator(kernel: Kernel, kernel_arguments: list[str]) -> str:
    """ "kvm" or "tcg".  The answer is kept until the host is booted again."""
    if not os.access(KVM, os.R_OK | os.W_OK):
        return "tcg"
    # The device node proves nothing: in nested machines guests may hang or crash at once.
    answer_file = cache_root() / "accelerator" / BOOT_ID.read_text().strip()
    try:
        return answer_file.read_text()
    except FileNotFoundError:
        pass
    answer = "kvm" if _boots_with_kvm(kernel, kernel_arguments) else "tcg"
    answer_file.parent.mkdir(parents=True, exist_ok=True)
    for outdated in answer_file.parent.iterdir():
        outdated.unlink(missing_ok=True)
    # Written under another name first: a second process must not read half of it.
    unfinished = answer_file.with_suffix(f".{os.getpid()}")
    unfinished.write_text(answer)
    unfinished.rename(answer_file)
    return answer


def _boots_with_kvm(kernel: Kernel, kernel_arguments: list[str]) -> bool:
    with tempfile.TemporaryDirectory(prefix="pobpf-vm-") as scratch:
        console = Path(scratch) / "console"
        console.touch()
        job = Run(
            image=kernel.image,
            kernel_arguments=kernel_arguments,
            machine=qemu.Machine(),
            accelerator="kvm",
            command=["true"],
            directory="/",
            environment={"PATH": os.defpath},
            timeout_seconds=PROBE_SECONDS,
            share=None,
            console=console,
            console_allowed=[],
        )
        result = run(job, lambda _: None, lambda _: None)
    return result.outcome is Outcome.FINISHED and result.status == 0
