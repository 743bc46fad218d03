#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Completion: what pobpf offers is what --help lists, and bash, zsh and fish put it on the line.

bash and zsh run on a terminal of their own; there Tab is pressed, and then the line becomes the
arguments of a command that prints them.
"""

import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
import help_text  # noqa: E402
import runner  # noqa: E402

POBPF = ""
SCRIPTS = pathlib.Path()
TIMEOUT_SECONDS = 60
BASH_COMPLETION = "/usr/share/bash-completion/bash_completion"


def offered(*words: str, **options) -> tuple[str, list[str]]:
    """Returns what the shell has to add, and the words."""
    result = subprocess.run([POBPF, "__complete", *words], capture_output=True, text=True,
                            check=True, timeout=TIMEOUT_SECONDS, **options)
    directive, *rows = result.stdout.split("\n")[:-1]
    assert result.stderr == ""
    return directive, [row.split("\t")[0] for row in rows]


class Offered(unittest.TestCase):
    def test_options_and_commands_are_those_of_help(self):
        for command, said in help_text.read_all(POBPF).items():
            with self.subTest(command=" ".join(command)):
                self.assertEqual(sorted(offered(*command, "-")[1]),
                                 sorted({*said.options, *said.opposites}))
                self.assertEqual(sorted(offered(*command, "--")[1]),
                                 sorted(name for name in {*said.options, *said.opposites}
                                        if name.startswith("--")))
                self.assertEqual(offered(*command, "")[1], said.commands)

    def test_every_value_offered_for_a_word_is_taken(self):
        # what is wrong behind the value, and looked at only when the value was taken
        later = {"--format": (["--no-feature", "x"], "unknown feature 'x'"),
                 "--by": (["--depth", "x"], "--depth: 'x' is not a valid number")}
        later |= {"--mode": later["--format"],
                  "--sort": (["--ignore", "/nonexistent"], "reading /nonexistent: No such file")}
        needed = {"report": ["f"], "diff": ["a", "b"]}
        nr_values = 0
        for command, said in help_text.read_all(POBPF).items():
            for option in set(later) & set(said.options):
                values = offered(*command, option, "")[1]
                self.assertGreater(len(values), 1, (command, option))
                for value in [*values, "nonsense"]:
                    words = [*command, option, value, *later[option][0]]
                    words += needed.get("".join(command[:1]), [])
                    if value == "sqlite":
                        words += ["-o", "x"]
                    if value == "growth" and "--watch" in said.options:
                        words += ["--watch", "1"]
                    with self.subTest(words):
                        result = subprocess.run([POBPF, *words], capture_output=True, check=False,
                                                text=True, timeout=TIMEOUT_SECONDS)
                        is_taken = later[option][1] in result.stderr
                        self.assertEqual(is_taken, value in values, result.stderr)
                        nr_values += is_taken
                    # the values are in the text of --help, too
                    self.assertEqual(is_taken, value in said.options[option][1])
        self.assertGreater(nr_values, 40)

    def test_no_page_flag_is_invented(self):
        names = set(offered("--flags", "")[1]) - {"all:", "any:", "none:"}
        types = pathlib.Path("/sys/kernel/btf/vmlinux")
        if not types.exists():
            self.assertEqual(names, set())
            return
        self.assertLessEqual({"locked", "dirty", "lru"}, names)
        raw = types.read_bytes()
        for name in names:
            self.assertIn(b"PG_" + name.encode() + b"\0", raw)

    def test_answers_without_privileges_and_without_a_kernel_that_can(self):
        nobody = {}
        if os.geteuid() == 0:
            nobody = {"user": 65534, "group": 65534, "extra_groups": []}
        with tempfile.TemporaryDirectory() as directory:
            os.chmod(directory, 0o755)
            copy = shutil.copy(POBPF, directory)
            for words in (["--gfp", ""], ["unpin", ""], ["--migratetype", "x"], ["--memcg", "/"],
                          ["--pid", ""], ["report", "/dev/zero", "--gfp", ""], [], ["nonsense", ""]):
                with self.subTest(words):
                    started = time.monotonic()
                    result = subprocess.run([copy, "__complete", *words], capture_output=True,
                                            check=False, timeout=TIMEOUT_SECONDS, **nobody)
                    self.assertEqual((result.returncode, result.stderr), (0, b""))
                    self.assertLess(time.monotonic() - started, 10)

    def test_names_that_mean_something_to_a_shell_are_not_offered(self):
        # a task names itself
        code = ("import ctypes, sys; ctypes.CDLL(None).prctl(15, b'pwn$(id);x'); print(flush=True);"
                "sys.stdin.read()")
        with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as task:
            task.stdout.readline()
            # of tgid the name is only a description
            self.assertIn(str(task.pid), offered("--tgid", "")[1])
            self.assertNotIn("pwn", " ".join(offered("--comm", "")[1]))
            task.stdin.close()


class Terminal:
    """An interactive shell, where keys are pressed."""

    def __init__(self, command: list[str], directory: str, environment: dict[str, str]):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(directory)
            os.execvpe(command[0], command, os.environ | environment)

    def read_until(self, pattern: bytes) -> bytes:
        said = b""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not re.search(pattern, said):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise TimeoutError(said)
            said += os.read(self.fd, 4096)
        return said

    def send(self, keys: bytes):
        os.write(self.fd, keys)

    def run(self, line: str):
        self.send(line.encode() + b"; echo do''ne\r")
        self.read_until(rb"done\r?\n")

    def completed(self, line: str) -> list[str]:
        """The words of the line after Tab, and after "X"."""
        # Home, in front of all that is there
        self.send(line.encode() + b"\tX\x01words_of_line \r")
        said = self.read_until(rb"<END>\r?\n")
        return re.findall(r"<word:(.*?)>", said.decode())

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


WORDS_OF_LINE = r"""words_of_line() { printf '<wo''rd:%s>' "$@"; printf '<E''ND>\n'; }"""


class Shells(unittest.TestCase):
    """Tab, and "X" typed behind it: a word that is complete has a space behind it."""

    CASES = {
        "pobpf dif": ["diff", "X"],
        "pobpf report sta": ["report", "stacks", "X"],
        "pobpf --sta": ["--stats", "X"],
        "pobpf --mode h": ["--mode", "handle", "X"],
        "pobpf --mode=h": ["--mode=handle", "X"],
        "pobpf -q diff --sort shr": ["-q", "diff", "--sort", "shrinkage", "X"],
        "pobpf top --by stack,mod": ["top", "--by", "stack,module", "X"],
        "pobpf --flags none:dirty,workings": ["--flags", "none:dirty,workingset", "X"],
        "pobpf --flags=none:workings": ["--flags=none:workingset", "X"],
        # more has to follow
        "pobpf --gfp non": ["--gfp", "none:X"],
        "pobpf report snap": ["report", "snap shot.pobpf", "X"],
        "pobpf --output=snap": ["--output=snap shot.pobpf", "X"],
        "pobpf unpin --dir pi": ["unpin", "--dir", "pins/X"],
    }

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        root = pathlib.Path(self.directory.name)
        (root / "bin").mkdir()
        (root / "bin/pobpf").symlink_to(pathlib.Path(POBPF).resolve())
        (root / "work/pins").mkdir(parents=True)
        (root / "work/snap shot.pobpf").touch()
        self.environment = {"PATH": f"{root}/bin:{os.environ['PATH']}", "TERM": "dumb",
                            "HOME": str(root), "LC_ALL": "C.UTF-8", "COLUMNS": "500",
                            "INPUTRC": "/dev/null"}
        self.root = root

    def check(self, terminal: Terminal):
        try:
            terminal.run("unset PROMPT_COMMAND; PS1='> '; stty cols 500")
            terminal.run(WORDS_OF_LINE)
            for line, expected in self.CASES.items():
                with self.subTest(line):
                    self.assertEqual(terminal.completed(line), ["pobpf", *expected])
        finally:
            terminal.close()

    @runner.needs(BASH_COMPLETION)
    def test_bash(self):
        # where bash-completion looks for what a command needs, when Tab is pressed
        folder = self.root / "share/bash-completion/completions"
        folder.mkdir(parents=True)
        shutil.copy(SCRIPTS / "pobpf.bash", folder / "pobpf")
        terminal = Terminal(["bash", "--norc", "--noprofile", "-i"], f"{self.root}/work",
                            self.environment | {"XDG_DATA_DIRS": f"{self.root}/share"})
        terminal.run(f"source {BASH_COMPLETION}; bind 'set bell-style none'")
        self.check(terminal)

    @runner.needs("zsh")
    def test_zsh(self):
        shutil.copy(SCRIPTS / "_pobpf", self.root)
        terminal = Terminal(["zsh", "-f", "-i"], f"{self.root}/work", self.environment)
        terminal.run(f"fpath=({self.root} $fpath); autoload -Uz compinit; compinit -u -D; "
                     "bindkey -e; unsetopt beep prompt_sp; setopt interactive_comments")
        self.check(terminal)

    @runner.needs("fish")
    def test_fish(self):
        for line, expected in self.CASES.items():
            # fish offers the word, the space is its own affair
            words = [word.removesuffix("X") for word in expected if word != "X"]
            with self.subTest(line):
                script = f"source {SCRIPTS}/pobpf.fish; complete -C '{line}'"
                result = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True,
                                        text=True, check=True, cwd=self.root / "work",
                                        env=os.environ | self.environment)
                found = [row.split("\t")[0] for row in result.stdout.splitlines()]
                self.assertEqual([word.replace("\\ ", " ") for word in found], words[-1:])


if __name__ == "__main__":
    OPTIONS = runner.parse(__doc__, "scripts")
    POBPF, SCRIPTS = str(OPTIONS.pobpf), OPTIONS.scripts
    sys.exit(runner.run())
