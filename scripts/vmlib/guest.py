"""The initramfs and its scripts: what runs inside the guest before and after the command."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

from .errors import VmError

# Names of the virtio-serial ports; the guest finds its ports by them.
STDOUT_PORT = "pobpf.stdout"
STDERR_PORT = "pobpf.stderr"
STATUS_PORT = "pobpf.status"
ROOT_TAG = "pobpf-root"
SHARE_TAG = "pobpf-share"
STREAM_TAG = "pobpf-stream"

# Directories in which the guest has its own files, not the host's.
GUEST_OWN_DIRS = ("/dev", "/proc", "/run", "/sys")

# The virtio transport of 9p takes no more: 125 pages of a request.
MSIZE = 125 * 4096

# First program of the guest, in the initramfs: builds the root file system and switches to it.
# Under an overlay the command may write anywhere; nothing of it reaches the host.
INIT = f"""\
#!/bin/busybox sh
bb=/bin/busybox
new=/newroot
fail() {{ echo "pobpf-vm: $1"; $bb poweroff -f; }}
$bb mkdir /lower /upper $new
$bb mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize={MSIZE},cache=loose \\
    {ROOT_TAG} /lower || fail "cannot mount the host's files"
$bb mount -t tmpfs upper /upper
$bb mkdir /upper/data /upper/work
$bb mount -t overlay -o lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work,volatile \\
    root $new || fail "cannot mount the root file system"
$bb mount -t proc proc $new/proc
$bb mount -t sysfs sys $new/sys
$bb mount -t devtmpfs dev $new/dev
$bb mkdir $new/dev/pts $new/dev/shm
$bb mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts $new/dev/pts
$bb mount -t tmpfs shm $new/dev/shm
$bb mount -t tmpfs -o mode=755 run $new/run
$bb mount -t debugfs debugfs $new/sys/kernel/debug
$bb mount -t securityfs securityfs $new/sys/kernel/security
$bb mount -t bpf -o mode=700 bpf $new/sys/fs/bpf
$bb mount -t cgroup2 cgroup2 $new/sys/fs/cgroup
. /share.sh
$bb mkdir -p $new/run/pobpf-vm
$bb cp /bin/busybox /main.sh $new/run/pobpf-vm/
exec $bb switch_root $new /run/pobpf-vm/busybox sh /run/pobpf-vm/main.sh
"""

# Second part, in the new root.  The command writes into pipes, because a virtio-serial port can be
# opened only once and takes at most 32 KiB in one write; two cat processes move the bytes to the
# ports.  The host's env starts the command: busybox would prefer its own applets to programs of the
# same name.  After the command everything that it left running is killed, or the pipes would never
# end.  The end mark proves to the host that nothing of the output is missing; the host's answer,
# that all has arrived.
MAIN = """\
bb=/run/pobpf-vm/busybox
cd /dev
$bb ln -s /proc/self/fd fd
$bb ln -s fd/0 stdin
$bb ln -s fd/1 stdout
$bb ln -s fd/2 stderr
$bb hostname pobpf-vm
port() {
    while :; do
        for name in /sys/class/virtio-ports/*/name; do
            if [ -e "$name" ] && [ "$($bb cat "$name")" = "$1" ]; then
                name=${name%/name}
                echo "/dev/${name##*/}"
                return
            fi
        done
        $bb usleep 10000
    done
}
exec 3>"$(port @stdout_port@)" 4>"$(port @stderr_port@)" 5<>"$(port @status_port@)"
cd /run/pobpf-vm
$bb mkfifo out err
$bb cat <out >&3 3>&- 4>&- 5>&- &
out_pump=$!
$bb cat <err >&4 3>&- 4>&- 5>&- &
err_pump=$!
(
    exec 3>&- 4>&- 5>&- </dev/null >out 2>err
    cd -- @directory@ || exit 126
    exec $bb setsid /usr/bin/env -i @environment@ @command@
)
status=$?
left=1
while [ $left = 1 ]; do
    left=0
    for process in /proc/[0-9]*; do
        pid=${process#/proc/}
        case $pid in 1 | $out_pump | $err_pump) continue ;; esac
        # Kernel threads and zombies have no program.
        if [ -e $process/exe ] && kill -9 $pid; then left=1; fi
    done
done 2>/dev/null
wait $out_pump $err_pump
printf %s @mark@ >&3
printf %s @mark@ >&4
printf '%s\\n' $status >&5
read -r _ <&5
$bb poweroff -f
"""

# Where the guest has the shared directory once more; POBPF_VM_STREAM tells.
STREAM_DIRECTORY = "/run/pobpf-vm/stream"

# Without a cache the host has each write at once, but memory cannot be mapped shared and writable.
# From Linux 6.8 on it sends each page by itself then, so there is a second way for what is long: with
# a cache, which whoever writes has to empty.
MOUNT_SHARE = """\
$bb mkdir -p "$new"@directory@ $new@stream_directory@
$bb mount -t 9p -o rw,trans=virtio,version=9p2000.L,msize=@msize@,cache=none \\
    @tag@ "$new"@directory@ || fail "cannot mount the shared directory"
$bb mount -t 9p -o rw,trans=virtio,version=9p2000.L,msize=@msize@,cache=loose \\
    @stream_tag@ $new@stream_directory@ || fail "cannot mount the shared directory twice"
"""


def make_initramfs(
    command: list[str],
    directory: str,
    environment: dict[str, str],
    mark: str,
    share: str | None,
) -> bytes:
    """A cpio archive whose /init runs the command and reports about it."""
    mount_share = ""
    if share is not None:
        mount_share = _fill(
            MOUNT_SHARE,
            msize=str(MSIZE),
            tag=SHARE_TAG,
            directory=shlex.quote(share),
            stream_tag=STREAM_TAG,
            stream_directory=STREAM_DIRECTORY,
        )
    main = _fill(
        MAIN,
        stdout_port=STDOUT_PORT,
        stderr_port=STDERR_PORT,
        status_port=STATUS_PORT,
        directory=shlex.quote(directory),
        environment=shlex.join(f"{name}={value}" for name, value in environment.items()),
        command=shlex.join(command),
        mark=mark,
    )
    archive = _Newc()
    archive.directory("dev")
    archive.character_device("dev/console", 5, 1)
    archive.directory("bin")
    archive.file("bin/busybox", _static_busybox().read_bytes(), 0o755)
    archive.file("init", INIT.encode(), 0o755)
    archive.file("share.sh", _encode(mount_share), 0o644)
    archive.file("main.sh", _encode(main), 0o644)
    return archive.finish()


def _fill(template: str, **values: str) -> str:
    """Replaces @name@; shell text has too many braces and dollars for the usual ways."""
    return re.sub(r"@(\w+)@", lambda match: values[match[1]], template)


def _encode(text: str) -> bytes:
    # Arguments and file names are bytes; Python keeps undecodable ones as surrogates.
    return text.encode(errors="surrogateescape")


def _static_busybox() -> Path:
    found = shutil.which("busybox", path="/bin:/usr/bin")
    if found is None:
        raise VmError("not installed: busybox; run scripts/setup vm")
    path = Path(found)
    # The dynamic linker's name stands near the start of a program that needs it.
    if b"/ld-linux" in path.read_bytes()[:4096]:
        raise VmError("busybox is not static; run scripts/setup vm")
    return path


class _Newc:
    """Writes the archive format that the kernel unpacks (initramfs buffer format)."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._inode = 0

    def directory(self, name: str) -> None:
        self._entry(name, 0o040755)

    def character_device(self, name: str, major: int, minor: int) -> None:
        self._entry(name, 0o020600, device=(major, minor))

    def file(self, name: str, content: bytes, mode: int) -> None:
        self._entry(name, 0o100000 | mode, content)

    def finish(self) -> bytes:
        self._entry("TRAILER!!!", 0)
        return bytes(self._data)

    def _entry(
        self, name: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)
    ) -> None:
        self._inode += 1
        encoded = name.encode() + b"\0"
        # inode, mode, uid, gid, links, mtime, size, device of the file (2), device (2), name, check
        fields = (
            *(self._inode, mode, 0, 0, 1, 0, len(content), 0, 0),
            *(*device, len(encoded), 0),
        )
        self._data += b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
        self._pad()
        self._data += content
        self._pad()

    def _pad(self) -> None:
        self._data += bytes(-len(self._data) % 4)
