#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""pobpf snapshot on a real kernel in the VM: one boot, whose tests are in guest/archive.py.

archive_test.py --build BUILD --kernel SERIES [--seed N] [unittest arguments]
"""

import argparse
import pathlib
import random
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, type=lambda p: pathlib.Path(p).resolve())
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options, rest = parser.parse_known_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="pobpf-archive-") as shared:
        command = [str(TOP / "scripts" / "vm"), "--kernel", options.kernel, "--share-rw", shared]
        command += ["--timeout", "900", "--memory", "1G", "--cpus", "1", "--"]
        command += [sys.executable, str(HERE / "guest" / "archive.py"), shared]
        command += [str(options.build), str(options.seed), *rest]
        return subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode


if __name__ == "__main__":
    sys.exit(main())
