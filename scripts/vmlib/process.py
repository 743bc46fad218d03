"""Child processes that do not outlive this one."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable

PR_SET_PDEATHSIG = 1


def dies_with_parent(number: signal.Signals) -> Callable[[], None]:
    """A preexec_fn for subprocess: the kernel sends that signal to the child when this process ends,
    however it ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def ask_the_kernel() -> None:
        libc.prctl(PR_SET_PDEATHSIG, number)
        # The parent may have died before the call.
        if os.getppid() != parent:
            os._exit(1)

    return ask_the_kernel
