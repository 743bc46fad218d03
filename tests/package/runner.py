# SPDX-License-Identifier: GPL-2.0-only
"""How the tests here are started: with paths as options, and with no test left out silently."""

import argparse
import os
import pathlib
import sys
import unittest


def parse(description: str, *options: str) -> argparse.Namespace:
    """Takes `options` and --pobpf, all of them absolute paths then, and leaves what unittest takes."""
    parser = argparse.ArgumentParser(description=description)
    for option in ("pobpf", *options):
        parser.add_argument(f"--{option}", required=True,
                            type=lambda path: pathlib.Path(path).resolve())
    arguments, rest = parser.parse_known_args()
    sys.argv[1:] = rest
    return arguments


def run() -> int:
    """The tests of the program. POBPF_TEST_REQUIRE=1 makes a failure of a skipped one."""
    result = unittest.main(exit=False).result
    if result.skipped and os.environ.get("POBPF_TEST_REQUIRE"):
        print("skipped, but POBPF_TEST_REQUIRE is set:", result.skipped, file=sys.stderr)
        return 1
    return 0 if result.wasSuccessful() else 1
