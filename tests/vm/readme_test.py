#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The commands of README.md work as they are printed there, with the static program.

One boot runs them (guest/readme.py); what they left is looked at here.
"""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from collection import TOP, collected, main  # noqa: E402


class Readme(unittest.TestCase):
    def test_every_command_works_and_prints_what_it_should(self):
        for name, shown in collected.results["shown"].items():
            command = shown["command"]
            with self.subTest(command):
                self.assertEqual((collected.status(name), collected.err(name)), (0, ""))
                lines = collected.out(name).decode().splitlines()
                # what goes into a file is read by a later command
                self.assertEqual(bool(lines), " -o " not in command)
                # the columns; numbers and names are those of the moment
                if shown["lines"] and shown["lines"][0].isupper():
                    self.assertEqual(lines[0].split(), shown["lines"][0].split())

    def test_no_command_was_overlooked(self):
        text = (TOP / "README.md").read_text("utf-8")
        left_out = collected.results["left_out"]
        self.assertEqual(len(left_out), 2, left_out)
        self.assertEqual(len(collected.results["shown"]) + len(left_out),
                         text.count("\n$ ") + text.count("`sudo "))


if __name__ == "__main__":
    main(__doc__, "readme.py")
