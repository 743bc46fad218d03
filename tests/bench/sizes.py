#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Runs in a guest: fills its memory in one of two ways and keeps what pobpf records of it in a
directory of the host.

sizes.py BUILD MIX DIRECTORY
"""

import pathlib
import subprocess
import sys
import time

SOURCES = pathlib.Path(__file__).resolve().parent.parent.parent / "src"


def fill_cache() -> list[subprocess.Popen]:
    block = b"x" * (1 << 20)
    with open("/run/pobpf-bench", "wb", buffering=0) as file:
        for _ in range(600):
            file.write(block)
    return []


def start_processes() -> list[subprocess.Popen]:
    """150 programs with memory, files and pipes of their own, and all the headers of a compilation."""
    program = (
        "import mmap, os, sys, time;"
        "keep = [bytearray(os.urandom(4096) * (50 + os.getpid() % 200)) for _ in range(2)];"
        "anon = mmap.mmap(-1, 1 << 20); anon[::4096] = b'x' * 256;"
        "pipes = [os.pipe() for _ in range(4)]; [os.write(w, b'x' * 9000) for _, w in pipes];"
        "file = open(f'/run/file-{os.getpid()}', 'wb', 0); file.write(b'x' * (os.getpid() % 90 << 12));"
        "print('ready', flush=True); time.sleep(1000)"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) for _ in range(150)
    ]
    for process in running:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    compile_one = ["g++", "-std=c++20", "-fsyntax-only", "-I", str(SOURCES), "-x", "c++", "-"]
    compilers = [
        subprocess.Popen(compile_one, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for _ in range(2)
    ]
    for process in compilers:
        assert process.stdin is not None
        process.stdin.write(b"#include <map>\n#include <regex>\n#include <iostream>\n")
    for process in compilers:
        assert process.stdin is not None
        process.stdin.close()
    time.sleep(5)
    return running + compilers


def main() -> None:
    build, mix, directory = sys.argv[1:]
    running = {"cache": fill_cache, "processes": start_processes}[mix]()
    subprocess.run([f"{build}/pobpf", "record", "-o", f"{directory}/snapshot"], check=True)
    for process in running:
        process.kill()


if __name__ == "__main__":
    main()
