# SPDX-License-Identifier: GPL-2.0-only
"""Makes every kind of page_owner record in the guest, and keeps them until stop()."""

import ctypes
import mmap
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

CGROUPS = pathlib.Path("/sys/fs/cgroup")
SYS_MOVE_PAGES = 279  # x86-64
SYS_CLONE3 = 435
MPOL_MF_MOVE = 2
MADV_HUGEPAGE = 14
PAGE = mmap.PAGESIZE
HUGE = 2 << 20
CHILD_MEMCG = "pobpf child"  # a space: names are printed as they are
GONE_MEMCG = "pobpf_gone"

libc = ctypes.CDLL(None, use_errno=True)


def set_comm(name: bytes) -> None:
    pathlib.Path("/proc/self/comm").write_bytes(name)


def anonymous(nr_bytes: int) -> mmap.mmap:
    area = mmap.mmap(-1, nr_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for at in range(0, nr_bytes, PAGE):
        area[at] = 1
    return area


def _hold_anonymous() -> list:
    """4 MiB of anonymous pages under a task name with a newline and an escape sequence."""
    set_comm(b"anon\n\x1b[31mred")
    return [anonymous(4 << 20)]


def _hold_thp() -> list:
    set_comm(b"thp")
    area = mmap.mmap(-1, 4 * HUGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    area.madvise(MADV_HUGEPAGE)
    for at in range(0, 4 * HUGE, PAGE):
        area[at] = 1
    return [area]


def _hold_migrated() -> list:
    """64 pages moved to another node: reason syscall_or_cpuset."""
    set_comm(b"migrated")
    area = anonymous(64 * PAGE)
    base = ctypes.addressof(ctypes.c_char.from_buffer(area))
    count = 64
    pages = (ctypes.c_void_p * count)(*[base + i * PAGE for i in range(count)])
    status = (ctypes.c_int * count)()
    libc.syscall(SYS_MOVE_PAGES, 0, count, pages, None, status, MPOL_MF_MOVE)
    target = 1 - status[0]
    nodes = (ctypes.c_int * count)(*[target] * count)
    if libc.syscall(SYS_MOVE_PAGES, 0, count, pages, nodes, status, MPOL_MF_MOVE) < 0:
        raise OSError(ctypes.get_errno(), "move_pages")
    return [area]


def _hold_charged() -> list:
    """Anonymous pages, page tables and pipe buffers, charged to a child memcg."""
    (CGROUPS / CHILD_MEMCG / "cgroup.procs").write_text(str(os.getpid()))
    set_comm(b"charged")
    held: list = [anonymous(2 << 20)]
    for _ in range(16):
        reader, writer = os.pipe()
        os.write(writer, b"x" * 4096)
        held += [reader, writer]
    # struct file, dentries and names: accounted slab objects
    held += [open(f"/run/pobpf-slab-{i}", "w", encoding="ascii") for i in range(64)]
    return held


def charge_and_go() -> None:
    """Page cache of a memcg that is removed while the pages stay: an offline memcg."""
    (CGROUPS / GONE_MEMCG / "cgroup.procs").write_text(str(os.getpid()))
    pathlib.Path("/run/pobpf-gone").write_bytes(b"x" * (256 * PAGE))


def hold_pages(comm: bytes, nr_pages: int = 64):
    def make() -> list:
        set_comm(comm)
        return [anonymous(nr_pages * PAGE)]

    return make


def hold_in_thread() -> list:
    """Pages allocated by a thread that is not the first of its process."""
    set_comm(b"pobpf_process")
    held: list = []

    def in_thread() -> None:
        pathlib.Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_bytes(
            b"pobpf_thread"
        )
        held.append(anonymous(128 * PAGE))
        done.set()
        threading.Event().wait()

    done = threading.Event()
    threading.Thread(target=in_thread, daemon=True).start()
    done.wait()
    return held


def hold_in_memcg(path: str, comm: bytes):
    def make() -> list:
        (CGROUPS / path / "cgroup.procs").write_text(str(os.getpid()))
        return hold_pages(comm, 256)()

    return make


def fork_as(pid: int) -> int:
    """os.fork() with a pid that the child gets (struct clone_args with set_tid)."""
    wanted = ctypes.c_int32(pid)
    arguments = (ctypes.c_uint64 * 11)()
    arguments[4] = signal.SIGCHLD
    arguments[8:10] = [ctypes.addressof(wanted), 1]
    child = libc.syscall(SYS_CLONE3, arguments, ctypes.sizeof(arguments))
    if child < 0:
        raise OSError(ctypes.get_errno(), "clone3")
    return child


class Workload:
    """Knows what was made (made: names of kinds) and the processes that hold it (pids)."""

    def __init__(self, with_child_memcg: bool) -> None:
        self.made: list[str] = []
        self.pids: list[int] = []
        self._with_child_memcg = with_child_memcg
        self._modules = pathlib.Path(os.environ["POBPF_VM_MODULES"])

    def hold(self, kind: str, make, pid: int | None = None) -> int:
        """A process that has called make() and keeps what that returned; its pid, which is `pid` if
        that is given."""
        reader, writer = os.pipe()
        pid = os.fork() if pid is None else fork_as(pid)
        if pid == 0:
            held = None
            try:
                held = make()
                os.write(writer, b"ok")
            except BaseException as error:  # pylint: disable=broad-except
                os.write(writer, repr(error).encode())
                os._exit(1)
            while held is not None:
                signal.pause()
        os.close(writer)
        answer = os.read(reader, 4096)
        os.close(reader)
        if answer != b"ok":
            sys.exit(f"workload {kind}: {answer.decode()}")
        self.pids.append(pid)
        self.made.append(kind)
        return pid

    def start(self) -> None:
        pathlib.Path("/run/pobpf-cache").write_bytes(b"x" * (8 << 20))
        self.made.append("page_cache")
        pathlib.Path("/proc/sys/vm/nr_hugepages").write_text("4")
        if int(pathlib.Path("/proc/sys/vm/nr_hugepages").read_text()) != 4:
            sys.exit("workload hugetlb: the kernel gave fewer than 4 huge pages")
        self.made.append("hugetlb")
        subprocess.run(["insmod", str(self._modules / "brd.ko"), "rd_nr=1"], check=True)
        for _ in range(100):
            if os.path.exists("/dev/ram0"):
                break
            time.sleep(0.1)
        with open("/dev/ram0", "wb", buffering=0) as disk:
            disk.write(b"x" * (1 << 20))
            os.fsync(disk.fileno())
        self.made.append("module")
        for cma in sorted(pathlib.Path("/sys/kernel/debug/cma").glob("*/alloc")):
            cma.write_text("16")
            self.made.append("cma")
            break
        (CGROUPS / "cgroup.subtree_control").write_text("+memory")
        self.hold("anonymous", _hold_anonymous)
        self.hold("thp", _hold_thp)
        self.hold("migrated", _hold_migrated)
        if self._with_child_memcg:
            for name in (CHILD_MEMCG, GONE_MEMCG):
                (CGROUPS / name).mkdir()
            self.hold("charged", _hold_charged)
            pid = os.fork()
            if pid == 0:
                charge_and_go()
                os._exit(0)
            os.waitpid(pid, 0)
            (CGROUPS / GONE_MEMCG).rmdir()
            self.made.append("offline_memcg")

    def marker(self) -> None:
        """One more page owner whose timestamp says when all of this was there."""

        def make() -> list:
            set_comm(b"pobpf_marker")
            return [anonymous(PAGE)]

        self.hold("marker", make)

    def let_go(self, nr_left: int) -> None:
        """Ends all processes but the first ones."""
        while len(self.pids) > nr_left:
            pid = self.pids.pop()
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def stop(self) -> None:
        self.let_go(0)
