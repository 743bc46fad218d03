"""The QEMU command line of a test machine."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from . import guest
from .emulator import find_emulator
from .errors import VmError

# A node boundary inside a memory section (128 MiB on x86-64) would make a section of two nodes.
NODE_ALIGN_MIB = 128


@dataclasses.dataclass(frozen=True)
class Machine:
    """Size and kind of a test machine."""

    memory_mib: int = 2048
    cpus: int = 2
    nodes: int = 2
    icount: bool = False


def parse_memory(text: str) -> int:
    """MiB of "512M", "2G" or a plain number of MiB."""
    match = re.fullmatch(r"(\d+)([MG]?)", text)
    if not match:
        raise VmError(f"wrong memory size {text!r}: write it like 512M or 2G")
    return int(match[1]) << (10 if match[2] == "G" else 0)


@dataclasses.dataclass(frozen=True)
class Channels:
    """File descriptors of sockets that QEMU inherits, and the file for the kernel's console."""

    stdout: int
    stderr: int
    status: int
    console: Path


def command_line(
    machine: Machine,
    accelerator: str,
    image: Path,
    initramfs: Path,
    kernel_arguments: list[str],
    channels: Channels,
    share: str | None,
) -> list[str]:
    line = begin_line(machine, accelerator, image, kernel_arguments, channels.console)
    line += ["-initrd", str(initramfs)]
    line += ["-device", "virtio-serial-pci,max_ports=4"]
    ports = (
        (guest.STDOUT_PORT, channels.stdout),
        (guest.STDERR_PORT, channels.stderr),
        (guest.STATUS_PORT, channels.status),
    )
    for number, (name, descriptor) in enumerate(ports, start=1):
        line += ["-chardev", f"socket,id=port{number},fd={descriptor}"]
        line += ["-device", f"virtserialport,chardev=port{number},name={name},nr={number}"]
    line += share_directory("root", "/", guest.ROOT_TAG, ",readonly=on,multidevs=remap")
    if share is not None:
        line += share_directory("share", share, guest.SHARE_TAG, ",multidevs=remap")
        line += share_directory("stream", share, guest.STREAM_TAG, ",multidevs=remap")
    return line


def begin_line(
    machine: Machine, accelerator: str, image: Path, kernel_arguments: list[str], console: Path
) -> list[str]:
    """All machines have these: CPUs, memory, kernel, and a console that is a file."""
    line = [find_emulator(accelerator), "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]
    line += ["-machine", "q35"]
    line += _accelerator(machine, accelerator)
    line += _memory(machine)
    line += ["-kernel", str(image), "-append", " ".join(kernel_arguments)]
    line += ["-chardev", f"file,id=console,path={escape(console)}"]
    line += ["-serial", "chardev:console"]
    return line


def _accelerator(machine: Machine, accelerator: str) -> list[str]:
    if machine.icount:
        # One instruction is one nanosecond of the guest's clock, and nothing depends on the host.
        return [
            *("-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"),
            *("-cpu", "max,la57=off"),
        ]
    if accelerator == "kvm":
        return ["-accel", "kvm", "-cpu", "host"]
    # Without la57 all kernels have the same four levels of page tables; without erms and fsrm they copy
    # and clear memory by words, where the emulator takes as long for each byte: a sixth of all time.
    # Without monitor an idle CPU halts, where the emulator would go round and round in mwait.
    return ["-accel", "tcg,thread=multi", "-cpu", "max,la57=off,erms=off,fsrm=off,monitor=off"]


def _memory(machine: Machine) -> list[str]:
    line = ["-m", f"{machine.memory_mib}M"]
    # A socket for each CPU, so that any CPU can be on any node.
    line += ["-smp", f"{machine.cpus},sockets={machine.cpus},cores=1,threads=1"]
    share = machine.memory_mib // machine.nodes // NODE_ALIGN_MIB * NODE_ALIGN_MIB
    if share == 0:
        raise VmError(
            f"{machine.memory_mib} MiB are too little for {machine.nodes} nodes: "
            f"each needs {NODE_ALIGN_MIB}"
        )
    for node in range(machine.nodes):
        is_last = node == machine.nodes - 1
        size = machine.memory_mib - share * node if is_last else share
        line += ["-object", f"memory-backend-ram,id=memory{node},size={size}M"]
        line += ["-numa", f"node,nodeid={node},memdev=memory{node}"]
    for cpu in range(machine.cpus):
        node = cpu * machine.nodes // machine.cpus
        line += ["-numa", f"cpu,node-id={node},socket-id={cpu}"]
    return line


def share_directory(name: str, path: str, tag: str, options: str) -> list[str]:
    """A directory of the host, as a 9p file system."""
    return [
        *("-fsdev", f"local,id={name},path={escape(path)},security_model=none{options}"),
        *("-device", f"virtio-9p-pci,fsdev={name},mount_tag={tag}"),
    ]


def escape(value: object) -> str:
    """QEMU ends an option's value at a comma unless it is doubled."""
    return str(value).replace(",", ",,")
