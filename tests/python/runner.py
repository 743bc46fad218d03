# SPDX-License-Identifier: GPL-2.0-only
"""How tests/cli and tests/package are started: with paths as options, and with no test left out
silently."""

import argparse
import os
import pathlib
import shutil
import sys
import unittest


def parse(description: str, *options: str) -> argparse.Namespace:
    """Takes --pobpf and `options`, all absolute paths then, and leaves what unittest takes."""
    parser = argparse.ArgumentParser(description=description)
    for option in ("pobpf", *options):
        parser.add_argument(f"--{option}", required=True,
                            type=lambda path: pathlib.Path(path).resolve())
    arguments, rest = parser.parse_known_args()
    sys.argv[1:] = rest
    return arguments


def needs(*programs: str):
    """A decorator: skips without these programs, or files where a path is given."""
    missing = [name for name in programs
               if not (os.path.exists(name) if "/" in name else shutil.which(name))]
    return unittest.skipIf(missing, f"needs {', '.join(missing)}")


def run() -> int:
    """Runs the tests of the program. What is skipped is said at the end, and is a failure with
    POBPF_TEST_REQUIRE=1; that there are no tests always is."""
    result = unittest.main(exit=False, verbosity=2).result
    for test, reason in result.skipped:
        print(f"SKIPPED: {test}: {reason}", file=sys.stderr)
    if result.skipped and os.environ.get("POBPF_TEST_REQUIRE") == "1":
        print("POBPF_TEST_REQUIRE=1: a skipped test is a failure", file=sys.stderr)
        return 1
    return 0 if result.wasSuccessful() and result.testsRun else 1
