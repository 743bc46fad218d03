# SPDX-License-Identifier: GPL-2.0-only
"""Reads what `pobpf COMMAND --help` says, as a user does: the oracle of man pages,
completion and refusals."""

import dataclasses
import re
import subprocess


@dataclasses.dataclass
class Option:
    name: str
    # as pobpf itself names it
    long: str
    # what stands for the value, "" without one
    value: str
    section: str


@dataclasses.dataclass
class Help:
    commands: list[str] = dataclasses.field(default_factory=list)
    # by each of their names: what stands for the value ("" without one), and the description
    options: dict[str, tuple[str, str]] = dataclasses.field(default_factory=dict)
    positionals: list[str] = dataclasses.field(default_factory=list)
    opposites: set[str] = dataclasses.field(default_factory=set)
    examples: list[str] = dataclasses.field(default_factory=list)
    statuses: list[str] = dataclasses.field(default_factory=list)
    # of `options`
    sections: dict[str, str] = dataclasses.field(default_factory=dict)

    def all_options(self) -> list[Option]:
        """By each of their names, with those that the help names only as opposites of others."""
        found = []
        for name, row in self.options.items():
            long = next(n for n in self.options if n.startswith("--") and self.options[n] == row)
            found.append(Option(name, long, row[0], self.sections[name]))
            opposite = name.replace("--", "--not-", 1)
            if opposite in self.opposites:
                found.append(Option(opposite, opposite, row[0], self.sections[name]))
        return found


def joined(text: str) -> str:
    return " ".join(text.split())


def split_tag(tag: str) -> tuple[list[str], str]:
    """'-o, --output FILE' or '-o,--output FILE': names and what stands for the value."""
    names = re.findall(r"(?<![\w-])--?[a-z][a-z-]*", tag)
    value = re.search(r" ([][A-Z:]+)$", tag)
    return names, value[1] if value else ""


def parse(text: str) -> Help:
    found = Help()
    # a row is indented by two, what belongs to it by more
    rows = re.sub(r"\n {10,}", " ", text)
    for section in re.split(r"\n(?=\S)", rows):
        title, *lines = section.split("\n")
        lines = [line for line in lines if line.startswith("  ")]
        if title.startswith("A page must pass"):
            found.opposites = set(re.findall(r"--not-[a-z-]+", section))
            continue
        for line in lines:
            # a long name has its text in the next line
            row = re.fullmatch(r"  (\S+(?: [][A-Z:]+)?)(?: +(.*))?", line)
            if title == "Examples:":
                found.examples.append(re.split(r"   *", line.strip())[0])
            elif title == "Exit status:":
                found.statuses.append(joined(line))
            elif title == "Positionals:":
                found.positionals.append(line.split()[0])
            elif title in ("Commands:", "Views:"):
                found.commands.append(line.split()[0])
            elif line.startswith("  -"):
                names, value = split_tag(row[1])
                for name in names:
                    found.options[name] = (value, joined(row[2]))
                    found.sections[name] = title.rstrip(":")
    return found


def read(pobpf: str, command: list[str]) -> Help:
    result = subprocess.run([pobpf, *command, "--help"], capture_output=True, text=True, check=True)
    return parse(result.stdout)


def read_all(pobpf: str) -> dict[tuple[str, ...], Help]:
    """By command: () is the program itself, ("report", "top") a view of a command."""
    found: dict[tuple[str, ...], Help] = {}
    waiting: list[tuple[str, ...]] = [()]
    while waiting:
        command = waiting.pop()
        found[command] = read(pobpf, list(command))
        waiting += [(*command, below) for below in found[command].commands]
    return found
