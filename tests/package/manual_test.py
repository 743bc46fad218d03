#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Man pages, as mandoc prints them, say of every option what --help does, and nothing else."""

import gzip
import pathlib
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
import help_text  # noqa: E402
import runner  # noqa: E402

POBPF = ""
PAGES = pathlib.Path()


def source(page: str) -> bytes:
    return gzip.decompress((PAGES / f"{page}.1.gz").read_bytes())


def printed(page: str) -> str:
    """On a terminal so wide that no paragraph is broken."""
    result = subprocess.run(["mandoc", "-T", "utf8", "-O", "width=1000"], input=source(page),
                            capture_output=True, check=True)
    return re.sub(".\b", "", result.stdout.decode())


def sections(page: str) -> dict[str, str]:
    parts = re.split(r"^(?=\S)", printed(page), flags=re.MULTILINE)
    return {part.split("\n")[0].strip(): part.split("\n", 1)[-1] for part in parts}


TAG = re.compile(r" {7}(-[^\s,]+(?: [][A-Z:]+)?(?:, -[^\s,]+(?: [][A-Z:]+)?)*)(?: +(\S.*))?")


def options(text: str) -> dict[str, tuple[str, str]]:
    """As Help.options."""
    found = {}
    waiting: list[tuple[list[str], str]] = []
    for line in text.split("\n"):
        tag = TAG.fullmatch(line)
        body = tag[2] if tag else line
        if tag:
            waiting.append(help_text.split_tag(tag[1]))
        elif not line.startswith(" " * 14):
            continue
        if body:
            for names, value in waiting:
                found |= {name: (value, help_text.joined(body)) for name in names}
            waiting = []
    return found


@runner.needs("mandoc", "groff")
class ManPages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.commands = help_text.read_all(POBPF)

    def test_every_command_has_a_page_and_every_page_a_command(self):
        expected = {"-".join(("pobpf", *command[:1])) for command in self.commands}
        self.assertGreater(len(expected), 10)
        self.assertEqual({path.name for path in PAGES.iterdir()}, {f"{p}.1.gz" for p in expected})

    def test_options_are_those_of_help(self):
        for command, said in self.commands.items():
            page = sections("-".join(("pobpf", *command[:1])))
            name = "OPTIONS" if len(command) < 2 else " ".join(("POBPF", *command)).upper()
            with self.subTest(command=" ".join(command)):
                found = options(page[name])
                opposites = {o for o in found if o.startswith("--not-")}
                self.assertEqual(opposites, said.opposites)
                for opposite in opposites:
                    same = found["--" + opposite.removeprefix("--not-")]
                    self.assertEqual(found.pop(opposite), same)
                self.assertGreater(len(found), 2)
                self.assertEqual(found, said.options)
                self.assertEqual(re.findall(r"^ {7}([A-Z]+)  ", page[name], re.MULTILINE),
                                 said.positionals)

    def test_commands_examples_and_exit_status_are_those_of_help(self):
        for command, said in self.commands.items():
            if len(command) > 1:
                continue
            page = sections("-".join(("pobpf", *command)))
            with self.subTest(command=" ".join(command)):
                examples = re.findall(r"^ {7}(pobpf.*?)(?:  .*)?$", page["EXAMPLES"], re.MULTILINE)
                self.assertEqual(examples, said.examples)
                statuses = re.findall(r"^ {7}(\d .*)$", page["EXIT STATUS"], re.MULTILINE)
                self.assertEqual([help_text.joined(s) for s in statuses], said.statuses)
                self.assertEqual(len(statuses), 5)
                if not command:
                    listed = re.findall(r"^ {7}pobpf-(\S+)\(1\)", page["COMMANDS"], re.MULTILINE)
                    self.assertEqual(listed, said.commands)

    def test_every_page_refers_to_pages_that_exist(self):
        for path in PAGES.iterdir():
            for name in re.findall(r"(pobpf[a-z-]*)\(1\)", printed(path.name.split(".")[0])):
                self.assertTrue((PAGES / f"{name}.1.gz").exists(), f"{path.name}: {name}")

    def test_formatters_have_nothing_to_say(self):
        checks = (["mandoc", "-T", "lint", "-W", "style"],
                  ["groff", "-ww", "-z", "-man", "-T", "utf8"])
        for path in PAGES.iterdir():
            text = source(path.name.split(".")[0])
            for check in checks:
                with self.subTest(path.name, check=check[0]):
                    result = subprocess.run(check, input=text, capture_output=True, check=False)
                    said = (result.stdout + result.stderr).decode()
                    self.assertEqual(said, "")

    def test_nothing_but_ascii_and_no_hyphen_that_copies_as_another(self):
        for path in PAGES.iterdir():
            text = source(path.name.split(".")[0]).decode("ascii")
            self.assertNotRegex(text, r"(?<!\\)--[a-z]", path.name)


if __name__ == "__main__":
    OPTIONS = runner.parse(__doc__, "pages")
    POBPF, PAGES = str(OPTIONS.pobpf), OPTIONS.pages
    sys.exit(runner.run())
