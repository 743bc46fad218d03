#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""pobpf as a user meets it: the cases of cases.toml, and what a table cannot say.

Runs on any machine. What the machine can do is found out here and not asked of pobpf; nothing is
left out where it can do less.
"""

import argparse
import concurrent.futures
import contextlib
import datetime
import errno
import fcntl
import functools
import gzip
import itertools
import json
import lzma
import os
import pathlib
import re
import select
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import tomllib
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
import help_text  # noqa: E402
import runner  # noqa: E402

POBPF = ""
MAKE_SNAPSHOT = ""
TIMEOUT_SECONDS = 120
# what this machine's own are is none of the tests' business
os.environ["POBPF_CONFIG"] = "/dev/null"
BOOT_ID = "00000000-0000-0000-0000-000000000000"
CAP_SYS_ADMIN, CAP_PERFMON, CAP_BPF = 21, 38, 39


@functools.cache
def machine_kind() -> str:
    """As documented in cases.toml. The function exists in kernels with CONFIG_PAGE_OWNER only, and
    functions are in every kernel's symbol table, which takes a tenth of a second to read."""
    symbols = pathlib.Path("/proc/kallsyms").read_text(encoding="utf-8", errors="replace")
    if not re.search(r" T __set_page_owner$", symbols, re.MULTILINE):
        return "absent"
    switches = re.findall(r"\bpage_owner=(\S+)", pathlib.Path("/proc/cmdline").read_text("utf-8"))
    if not switches or not re.match(r"[yt1]|on", switches[-1], re.IGNORECASE):
        return "off"
    status = pathlib.Path("/proc/self/status").read_text("utf-8")
    capabilities = int(re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)[1], 16)
    if capabilities >> CAP_SYS_ADMIN & 1:
        return "usable"
    return "usable" if capabilities >> CAP_PERFMON & capabilities >> CAP_BPF & 1 else "unprivileged"


def pobpf(*arguments: str, **options) -> subprocess.CompletedProcess:
    settings = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": TIMEOUT_SECONDS}
    return subprocess.run([POBPF, *arguments], check=False, **(settings | options))


TABLE = tomllib.loads(pathlib.Path(__file__).with_name("cases.toml").read_text("utf-8"))


def words_of_table() -> dict[str, list[str]]:
    known: dict[str, str] = {}
    for name, text in TABLE["words"].items():
        known[name] = text.format_map(known)
    return {name: text.split() for name, text in known.items()}


WORDS = words_of_table()


def expanded(line: str, said: str = "") -> list[tuple[str, str]]:
    """The command lines that one of the table stands for, each with what is said of it."""
    names = [name for name in WORDS if f"{{{name}}}" in line]
    choices = [dict(zip(names, chosen)) for chosen in itertools.product(*map(WORDS.get, names))]
    return [(line.format_map(c), said.format_map(TABLE["hints"] | c)) for c in choices]


def refused(line: str, said: str, status: int = 2) -> dict:
    return {"args": line, "status": status, "stderr": f"pobpf: {said}\n"}


def cases_of_table() -> list[dict]:
    cases = []
    for kind, status in (("wrong", 2), ("failed", 1)):
        for lines in TABLE[kind].values():
            for line in lines.items():
                cases += [refused(*one, status) for one in expanded(*line)]
    for case in TABLE["case"]:
        cases += [case | {"args": line} for line, _ in expanded(case["args"])]
    return cases


class Cases(unittest.TestCase):
    KEYS = {"name", "args", "status", "stdout", "stderr", "stdout_re", "stderr_re", "on"}
    KINDS = {"absent", "off", "unprivileged", "usable"}

    def check(self, case: dict, result: subprocess.CompletedProcess):
        # a misspelt key would be an expectation that nobody checks
        self.assertLessEqual(case.keys(), self.KEYS)
        overrides = case.get("on", {})
        self.assertLessEqual(overrides.keys(), self.KINDS)
        expected = case | overrides.get(machine_kind(), {})
        self.assertLessEqual(expected.keys(), self.KEYS)

        said = {"stdout": result.stdout.decode(), "stderr": result.stderr.decode()}
        for stream, text in said.items():
            if f"{stream}_re" in expected:
                flags = re.MULTILINE
                self.assertTrue(re.fullmatch(expected[f"{stream}_re"], text, flags), text[:1000])
            else:
                self.assertEqual(text, expected.get(stream, ""))
        self.assertEqual(result.returncode, expected["status"], said["stderr"])

    def check_all(self, cases: list[dict]):
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            results = pool.map(lambda case: pobpf(*shlex.split(case["args"])), cases)
            for case, result in zip(cases, results):
                with self.subTest(case["args"], name=case.get("name")):
                    self.check(case, result)


class Table(Cases):
    def test_cases(self):
        cases = cases_of_table()
        # a misspelt table would be one that nobody reads
        self.assertEqual(TABLE.keys(), {"words", "hints", "wrong", "failed", "case"})
        lines = [case["args"] for case in cases]
        self.assertEqual([line for line in set(lines) if lines.count(line) > 1], [])
        self.check_all(cases)

    def test_every_filter_is_in_it(self):
        said = help_text.read(POBPF, [])
        filters = {option.name for option in said.all_options()
                   if option.value and option.section == "Filters"}
        # the syntax of --nid is one of its own
        self.assertEqual(sorted([*WORDS["listed"], *WORDS["paths"], *WORDS["once"], "--nid"]),
                         sorted(filters))


class EveryOption(Cases):
    """Rules that hold for all that --help lists, so that a new option needs no case."""

    # without these a command would lack more than what is shown
    NEEDED = {"record": "-o f", "import": "f -o f", "diff": "a b"}

    @classmethod
    def setUpClass(cls):
        cls.commands = [
            (" ".join(command), said, " ".join(("see pobpf", *command, "--help")))
            for command, said in help_text.read_all(POBPF).items()
        ]

    def test_a_value_that_is_missing(self):
        self.check_all([
            refused(f"{command} {option.name}", f"{option.long} needs a value: {hint}")
            for command, said, hint in self.commands
            for option in said.all_options()
            # the number of --latest may be left out
            if option.value and not option.value.startswith("[")
        ])

    def test_a_value_that_is_none(self):
        self.check_all([
            refused(f"{command} {option.name}=1", f"{option.long} takes no value: {hint}")
            for command, said, hint in self.commands
            for option in said.all_options()
            if not option.value
        ])

    def test_what_is_given_twice(self):
        # their values add up
        several = {*WORDS["listed"], *WORDS["paths"], "--by", "--phys", "--addr"}
        self.check_all([
            refused(" ".join((command, self.NEEDED.get(command, ""), *[option.name, "x"] * 2)),
                    f"{option.long} is given more than once: {hint}")
            for command, said, hint in self.commands
            for option in said.all_options()
            if option.value and option.name not in several
        ])

    def test_an_argument_too_many(self):
        self.check_all([
            refused(f"{command} x", f"unexpected argument 'x': {hint}")
            for command, said, hint in self.commands
            if command and not said.positionals
        ])


DUMPS = pathlib.Path(__file__).parent.parent / "data" / "dumps"


def archived_name(seconds: int, host: str = "made-up") -> str:
    """As pobpf snapshot names what MAKE_SNAPSHOT makes so much later."""
    taken = datetime.datetime.fromtimestamp(1_700_000_000 + seconds, datetime.UTC)
    return f"{host}_{taken:%Y%m%dT%H%M%S}.000000000Z_{BOOT_ID}.pobpf"


def write_archive(folder: pathlib.Path, seconds: list[int], nr_records: int = 100):
    """Snapshots of the made-up machine as pobpf snapshot would have stored them."""
    folder.mkdir()
    for later in seconds:
        with open(folder / archived_name(later), "wb") as file:
            command = [MAKE_SNAPSHOT, str(nr_records), "3", str(later)]
            subprocess.run(command, stdout=file, check=True)


def write_example_files(directory: str):
    """Writes the files that the examples read."""
    folder = pathlib.Path(directory)
    write_archive(folder / "history", [0, 3600, 7200])
    text = (DUMPS / "v5.15-arm64-module-order3.txt").read_bytes()
    for name in ("page_owner.txt", "mail.txt"):
        (folder / name).write_bytes(text)
    (folder / "old.txt.gz").write_bytes(gzip.compress(text))
    for name in ("now.pobpf", "cut.pobpf"):
        with open(folder / name, "wb") as file:
            subprocess.run([MAKE_SNAPSHOT, "100", "3"], stdout=file, check=True)


class Help(unittest.TestCase):
    def test_every_example_is_accepted(self):
        files = tempfile.TemporaryDirectory()
        self.addCleanup(files.cleanup)
        write_example_files(files.name)
        for command, said in help_text.read_all(POBPF).items():
            # views have the examples of their command
            self.assertGreater(len(said.examples), 1, command)
            for example in said.examples if len(command) < 2 else ():
                with self.subTest(example), tempfile.TemporaryDirectory() as directory:
                    shutil.copytree(files.name, directory, dirs_exist_ok=True)
                    self.check_accepted(example, directory)

    def check_accepted(self, example: str, directory: str):
        words = [w for w in shlex.split(example)[1:] if w[0] not in "<>"]
        if "--watch" in words:
            words += ["--count", "1"]
        waits = words[0:1] == ["watch-pressure"] and machine_kind() == "usable"
        try:
            result = pobpf(*words, cwd=directory, timeout=1 if waits else TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            # until memory is short
            self.assertTrue(waits)
            return
        # a node of the example may not be on this machine: that does not count as wrong usage
        self.assertNotIn(b"see pobpf", result.stderr)
        # nor is a snapshot there
        if not any(b"%s: No such file" % w.encode() in result.stderr for w in words):
            self.assertIn(result.returncode, (0, 2, 3), result.stderr)


def as_nobody(directory: str, *arguments: str) -> subprocess.CompletedProcess:
    """Runs pobpf without any privilege; `directory` is a temporary one."""
    # the build folder may be closed to others
    os.chmod(directory, 0o755)
    command = [shutil.copy(POBPF, directory), *arguments]
    # any other user has no privilege to begin with
    if os.geteuid() == 0:
        become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        command = [*become, "--inh-caps=-all", "--bounding-set=-all", *command]
    return subprocess.run(command, capture_output=True, check=False, timeout=TIMEOUT_SECONDS)


class Filters(unittest.TestCase):
    def test_what_needs_no_kernel_is_checked_without_privileges(self):
        wrong = (
            ["--order", "99"],
            ["--pid", "1", "--not-pid", "1"],
            ["stacks", "--comm", "[a"],
            ["--since", "1m", "--until", "2m"],
            ["pin", "a/b"],
            ["pin", "a", "--gfp", "any:a", "--gfp", "any:b"],
        )
        with tempfile.TemporaryDirectory() as directory:
            for arguments in wrong:
                with self.subTest(arguments):
                    result = as_nobody(directory, *arguments)
                    # 3 would say that the machine was looked at first
                    self.assertEqual(result.returncode, 2, result.stderr)
                    self.assertEqual(result.stderr, pobpf(*arguments).stderr)
                    self.assertEqual(result.stdout, b"")
                    self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)


class Snapshots(unittest.TestCase):
    """Snapshots of a made-up machine, as tests/bench/make_snapshot.cpp writes them."""

    # few, as each is parsed dozens of times; and enough for filters to split
    NR_RECORDS = 800

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.directory.cleanup)
        cls.file = f"{cls.directory.name}/now.pobpf"
        with open(cls.file, "wb") as file:
            subprocess.run([MAKE_SNAPSHOT, str(cls.NR_RECORDS), "3"], stdout=file, check=True)
        cls.records = cls.parse(pobpf("report", cls.file, "--format", "json"))

    @staticmethod
    def parse(result: subprocess.CompletedProcess) -> list[dict]:
        if result.returncode != 0:
            raise AssertionError(result.stderr)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def report(self, *arguments: str) -> list[dict]:
        return self.parse(pobpf("report", *arguments, "--format", "json"))

    def refused(self, *arguments: str) -> str:
        result = pobpf("report", *arguments)
        self.assertEqual((result.returncode, result.stdout), (2, b""), result.stderr)
        return result.stderr.decode()

    def test_text_and_json_have_all_records(self):
        self.assertEqual(len(self.records), self.NR_RECORDS)
        text = pobpf("report", self.file, "--mode", "stack_handle").stdout.decode()
        self.assertEqual(
            [int(pfn, 16) for pfn in re.findall(r"^PFN (0x[0-9a-f]+) ", text, re.MULTILINE)],
            [record["pfn"] for record in self.records],
        )
        self.assertEqual(
            [int(handle) for handle in re.findall(r"^handle: (\d+)$", text, re.MULTILINE)],
            [record["handle"] for record in self.records],
        )

    def test_filters(self):
        def has_frame(record: dict, part: str) -> bool:
            return any(part in frame["symbol"] for frame in record["stack"])

        tgid, memcg = self.records[9]["tgid"], self.records[0]["memcg"]["name"]
        cases = {
            ("--tgid", f"{tgid}-{tgid + 50}"): lambda r: tgid <= r["tgid"] <= tgid + 50,
            ("--comm", "task-1*"): lambda r: r["comm"].startswith("task-1"),
            ("--order", "1-"): lambda r: r["order"] >= 1,
            ("--zone", "DMA32"): lambda r: r["zone"] == 0,
            ("--migratetype", "Movable"): lambda r: r["migratetype"] == "Movable",
            ("--memcg", memcg): lambda r: r["memcg"] is not None and r["memcg"]["name"] == memcg,
            ("--module", "module"): lambda r: has_frame(r, " [module]"),
            ("--symbol", "function_1*"): lambda r: has_frame(r, "function_1"),
            ("--pfn", "0x1000-0x13ff"): lambda r: 0x1000 <= r["pfn"] <= 0x13FF,
        }
        for (option, value), passes in cases.items():
            with self.subTest(option):
                wanted = [record for record in self.records if passes(record)]
                # all that is made up is in one zone
                self.assertTrue(0 < len(wanted) < self.NR_RECORDS + (option == "--zone"))
                self.assertEqual(self.report(self.file, option, value), wanted)
                others = self.report(self.file, option.replace("--", "--not-"), value)
                self.assertEqual(len(wanted) + len(others), self.NR_RECORDS)
        old = self.report(self.file, "--age", "10h", "--gfp", "none:0x2000", "--nid", "0")
        age = (86400 - 36000) * 10**9
        wanted = [r for r in self.records if r["ts_nsec"] <= age and not r["gfp_mask"] & 0x2000]
        self.assertTrue(0 < len(wanted) < self.NR_RECORDS, len(wanted))
        self.assertEqual(old, wanted)

    def test_what_filters_keep_out_is_counted(self):
        result = pobpf("report", self.file, "--tgid", "100-200", "--order", "0", "--stats")
        stats = dict(re.findall(r"^(\w+) +(\d+) ", result.stderr.decode(), re.MULTILINE))
        passing = [r for r in self.records if r["order"] == 0]
        shown = [r for r in passing if 100 <= r["tgid"] <= 200]
        self.assertEqual(int(stats["emitted"]), len(shown))
        # the first filter that a page does not pass, orders being the first
        self.assertEqual(int(stats["filtered_order"]), self.NR_RECORDS - len(passing))
        self.assertEqual(int(stats["filtered_tgid"]), len(passing) - len(shown))
        parts = "emitted tail free freed unowned no_handle filtered absent offline torn errors"
        self.assertEqual(int(stats["pages"]), sum(int(stats[part]) for part in parts.split()))

    def test_top_and_stacks_add_up_what_the_listing_has(self):
        for by, key in (
            ("tgid", lambda r: r["tgid"]),
            ("comm", lambda r: r["comm"]),
            ("order", lambda r: r["order"]),
            ("memcg", lambda r: r["memcg"]["name"] if r["memcg"] else "(none)"),
            ("stack", lambda r: r["handle"]),
        ):
            with self.subTest(by):
                sums = {}
                for record in self.records:
                    pages, allocations = sums.get(key(record), (0, 0))
                    sums[key(record)] = (pages + record["nr_pages"], allocations + 1)
                rows = self.report("top", self.file, "--by", by)
                name = "handle" if by == "stack" else by
                groups = [row for row in rows if row["kind"] == "group"]
                self.assertEqual(
                    {row[name]: (row["pages"], row["allocations"]) for row in groups}, sums
                )
                self.assertEqual(rows[-1]["allocations"], self.NR_RECORDS)
        stacks = self.report("stacks", self.file)
        self.assertEqual(
            {s["handle"]: (s["nr_base_pages"], s["nr_allocations"]) for s in stacks}, sums
        )
        self.assertEqual(pobpf("report", "top", self.file, "--format", "csv").returncode, 0)

    def test_the_same_file_gives_the_same_answer(self):
        for command in (["top", self.file], ["top", self.file, "--by", "pid,gfp", "--limit", "0"]):
            self.assertEqual(pobpf("report", *command).stdout, pobpf("report", *command).stdout)

    def test_pages(self):
        large = next(r for r in self.records if r["order"] >= 3)
        single = self.records[0]
        wanted = [large["pfn"], large["pfn"] + 5, 0xFFF]
        arguments = [*map(str, wanted), "--phys", str(single["pfn"] * 4096 + 77)]
        first, tail, none, physical = self.report("page", self.file, *arguments)
        self.assertEqual((first["pfn"], first["state"]), (large["pfn"], "allocated"))
        self.assertEqual(first["allocation"]["stack"], large["stack"])
        self.assertEqual((tail["pfn"], tail["state"]), (large["pfn"] + 5, "tail"))
        self.assertEqual(tail["first_pfn"], large["pfn"])
        self.assertEqual(none, {"pfn": 0xFFF, "state": "unrecorded", "changed": False})
        self.assertEqual(physical["allocation"]["pid"], single["pid"])
        text = pobpf("report", "page", self.file, str(single["pfn"])).stdout.decode()
        self.assertIn(f"tgid {single['tgid']} ({single['comm']})\n", text)

    def test_a_file_that_does_not_say_which_processes_had_ended(self):
        result = pobpf("report", "stacks", self.file, "--dead")
        self.assertEqual((result.returncode, result.stdout), (1, b""))
        self.assertIn(b"lack what is filtered by: fate of the process", result.stderr)

    def test_what_is_wrong_is_said(self):
        self.assertIn(
            "no memory on node 2: nodes with memory are 0-1", self.refused(self.file, "--nid", "2")
        )
        self.assertIn("there are DMA32, Normal", self.refused("top", self.file, "--zone", "Norml"))
        self.assertIn("did you mean 'GFP_KERNEL'?", self.refused(self.file, "--gfp", "GFP_KERNAL"))
        self.assertIn("no page is named", self.refused("page", self.file))
        self.assertIn("unknown option '--pid'", self.refused("page", self.file, "--pid", "1"))
        self.assertIn(
            "--nid is not an option of pobpf report page",
            self.refused("--nid", "0", "page", self.file, "1"),
        )

    def test_damage(self):
        cut = f"{self.directory.name}/cut"
        pathlib.Path(cut).write_bytes(pathlib.Path(self.file).read_bytes()[:-100])
        for view in (["top"], ["stacks"], [], ["page"]):
            with self.subTest(view):
                pfn = [str(self.records[0]["pfn"])] if view == ["page"] else []
                refused = pobpf("report", *view, cut, *pfn)
                self.assertEqual(refused.returncode, 1)
                self.assertIn(b"is damaged at byte", refused.stderr)
                salvaged = pobpf("report", *view, cut, *pfn, "--salvage")
                self.assertEqual(salvaged.returncode, 4)
                self.assertIn(b"finished, but not complete", salvaged.stderr)

    def test_names_of_views_and_pipes(self):
        with tempfile.TemporaryDirectory() as directory:
            shutil.copy(self.file, f"{directory}/top")
            result = pobpf("report", "./top", "--handles", cwd=directory)
            self.assertEqual(result.stdout, pobpf("report", self.file, "--handles").stdout)
        with open(self.file, "rb") as file:
            result = pobpf("report", "top", "/dev/stdin", stdin=file)
            self.assertEqual(result.stdout, pobpf("report", "top", self.file).stdout)


class Check(unittest.TestCase):
    def test_json_says_what_text_says(self):
        text = pobpf("check")
        parsed = pobpf("check", "--format", "json")
        self.assertEqual(text.returncode, parsed.returncode)
        checks = json.loads(parsed.stdout)
        self.assertEqual(checks["can_run"], parsed.returncode == 0)
        words = {"ok": "OK", "missing": "FAIL", "unknown": "?"}
        lines = [
            f"{words[c['state']]:<5} {c['name']}: {c['detail']}"
            + (f"; {c['hint']}" if c["hint"] else "")
            for c in checks["checks"]
        ]
        self.assertEqual(text.stdout.decode().splitlines(), lines)

    def test_tells_page_owner_as_the_symbol_table_does(self):
        checks = json.loads(pobpf("check", "--format", "json").stdout)["checks"]
        state = {c["name"]: c["state"] for c in checks}
        kind = machine_kind()
        self.assertEqual(state["page_owner"], "missing" if kind == "absent" else "ok")
        if kind != "absent":
            self.assertEqual(state["page_owner_on"], "missing" if kind == "off" else "ok")

    def test_tries_what_each_command_loads(self):
        checks = json.loads(pobpf("check", "--format", "json").stdout)["checks"]
        state = {c["name"]: c["state"] for c in checks}
        commands = ["facts", "pages", "text", "sums", "blockers", "recordings", "filters", "page"]
        commands += ["pins", "filtered_pins"]
        surroundings = ["ages", "pressure", "pin_directory"]
        names = [c["name"] for c in checks]
        self.assertEqual(names[-len(commands + surroundings) :], commands + surroundings)
        others = [state[name] for name in state if name not in commands + surroundings]
        if "missing" in others:
            self.assertEqual({state[name] for name in commands}, {"unknown"})
        else:
            self.assertEqual({state[name] for name in commands}, {"ok"})

    def test_works_without_privileges(self):
        with tempfile.TemporaryDirectory() as directory:
            result = as_nobody(directory, "check")
            self.assertEqual(result.returncode, 3, result.stderr)
            self.assertEqual(result.stderr, b"")
            self.assertRegex(result.stdout, b"(?m)^FAIL  capabilities: .*CAP_BPF.*CAP_PERFMON")
            self.assertEqual(
                len(result.stdout.splitlines()), len(pobpf("check").stdout.splitlines())
            )
            default = as_nobody(directory)
            self.assertEqual(default.returncode, 3)
            self.assertEqual(default.stdout, b"")
            self.assertEqual(len(default.stderr.splitlines()), 1, default.stderr)


class Outputs(unittest.TestCase):
    """With `check`, whose output every machine has."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = pathlib.Path(temporary.name)

    def names(self) -> list[str]:
        return sorted(entry.name for entry in self.directory.iterdir())

    def test_file_holds_what_stdout_would(self):
        result = pobpf("check", "-o", str(self.directory / "file"))
        self.assertEqual((result.stdout, result.stderr), (b"", b""))
        self.assertEqual((self.directory / "file").read_bytes(), pobpf("check").stdout)
        self.assertEqual(self.names(), ["file"])
        self.assertEqual((self.directory / "file").stat().st_mode & 0o777, 0o600)

    def test_file_that_cannot_be_made(self):
        result = pobpf("check", "-o", str(self.directory / "missing" / "file"))
        self.assertEqual(result.returncode, 1)
        self.assertEqual(
            result.stderr.decode(),
            f"pobpf: opening {self.directory}/missing/file: No such file or directory\n",
        )

    def test_full_disk(self):
        for arguments in (["check", "-o", "/dev/full"], ["--help"], ["check"]):
            with self.subTest(arguments), open("/dev/full", "wb") as full:
                result = pobpf(
                    *arguments, stdout=full, stderr=subprocess.PIPE, capture_output=False
                )
                self.assertEqual(result.returncode, 1)
                self.assertRegex(
                    result.stderr.decode(),
                    r"\Apobpf: writing [^\n]+: No space left on device: free some space[^\n]*\n\Z",
                )

    def test_full_disk_leaves_no_file(self):
        (self.directory / "file").write_bytes(b"old")
        # the limit of a file's size stands for the disk's
        command = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", POBPF]
        command += ["check", "-o", str(self.directory / "file")]
        result = subprocess.run(command, capture_output=True, check=False, timeout=TIMEOUT_SECONDS)
        self.assertEqual(result.returncode, 1, result)
        self.assertIn(os.strerror(errno.EFBIG).encode(), result.stderr)
        self.assertEqual(self.names(), ["file"])
        self.assertEqual((self.directory / "file").read_bytes(), b"old")

    def test_closed_stdout_is_a_failure(self):
        command = ["sh", "-c", 'exec "$@" >&-', "sh", POBPF, "check"]
        result = subprocess.run(command, capture_output=True, check=False, timeout=TIMEOUT_SECONDS)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"Bad file descriptor", result.stderr)

    def test_reader_that_leaves_is_no_failure(self):
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "wb") as pipe:
            result = pobpf("--help", stdout=pipe, stderr=subprocess.PIPE, capture_output=False)
        self.assertEqual((result.returncode, result.stderr), (0, b""))


class Settings(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.file = pathlib.Path(temporary.name, "a file.conf")

    def check(self, text: str, *arguments: str, **options) -> subprocess.CompletedProcess:
        self.file.write_text(text, encoding="utf-8")
        return pobpf("check", "--config", str(self.file), *arguments, **options)

    def test_what_is_wrong_is_one_line_with_its_place(self):
        for text, what in (
            ("[snapshot]\nkepp = 3\n", ":2: unknown setting 'kepp' of [snapshot]: did you mean 'keep'?"),
            ("[check]\nformat = 'jsn'\n", ":2: unknown format 'jsn'"),
            ("[check]\n\n\"\\u001b[2J\" = 1\n", ":3: unknown setting '\\x1b[2J' of [check]"),
            ("quiet = tru\n", ":1: "),
        ):
            with self.subTest(text):
                result = self.check(text)
                self.assertEqual((result.returncode, result.stdout), (2, b""))
                said = result.stderr.decode()
                self.assertTrue(said.startswith(f"pobpf: {self.file}{what}"), said)
                self.assertEqual(said.count("\n"), 1)

    def test_they_are_options(self):
        text = '[check]\nformat = "json"\noutput = "-"\n'
        result = self.check(text)
        self.assertEqual(result.stdout, pobpf("check", "--format", "json").stdout)
        self.assertEqual(self.check(text, "--format", "text").stdout, pobpf("check").stdout)

    def test_where_they_come_from(self):
        self.check('[check]\nformat = "json"\n')
        environment = os.environ | {"POBPF_CONFIG": str(self.file)}
        as_json = pobpf("check", "--format", "json").stdout
        self.assertEqual(pobpf("check", env=environment).stdout, as_json)
        self.assertNotEqual(pobpf("check", "--config=/dev/null", env=environment).stdout, as_json)
        # the default's absence is none
        environment["POBPF_CONFIG"] = f"{self.file}.missing"
        self.assertEqual(pobpf("check", env=environment).stderr, b"")
        result = pobpf("check", "--config", environment["POBPF_CONFIG"])
        self.assertEqual((result.returncode, result.stdout), (1, b""))
        self.assertIn(b"No such file or directory: --config /dev/null", result.stderr)

    def test_verbose_says_what_they_gave(self):
        said = self.check("[check]\nverbose = true\n").stderr.decode()
        self.assertIn(f"debug: {self.file}:2: --verbose", said)


class Journal(unittest.TestCase):
    """A pipe stands for the journal's socket: both are told by device and inode."""

    def said(self, shift: int, *arguments: str) -> bytes:
        reader, writer = os.pipe()
        with os.fdopen(reader, "rb") as said, os.fdopen(writer, "wb") as journal:
            status = os.fstat(writer)
            stream = f"{status.st_dev}:{status.st_ino + shift}"
            pobpf(
                *arguments, env=os.environ | {"JOURNAL_STREAM": stream},
                stdout=subprocess.DEVNULL, stderr=journal, capture_output=False,
            )
            journal.close()
            return said.read()

    def test_lines_have_priorities(self):
        self.assertRegex(self.said(0, "--nosuch"), rb"\A<3>pobpf: unknown option")
        self.assertRegex(self.said(0, "--nosuch", "--format=json"), rb'\A<3>\{"level":"error"')
        with tempfile.TemporaryDirectory() as directory:
            pathlib.Path(directory, "other").touch()
            self.assertRegex(self.said(0, "list", directory), rb"\A<4>pobpf: warning: .* 1 other file")

    def test_other_streams_have_none(self):
        self.assertRegex(self.said(1, "--nosuch"), rb"\Apobpf: unknown option")


class Import(unittest.TestCase):
    """Dumps that others have collected, from text to snapshot and back."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.snapshot = pathlib.Path(directory.name) / "snapshot"

    def import_text(self, text: bytes, status: int = 0) -> str:
        """Imports it from standard input; what is said on stderr."""
        imported = subprocess.run(
            [POBPF, "import", "-", "-o", self.snapshot],
            input=text, capture_output=True, check=False, timeout=TIMEOUT_SECONDS,
        )
        self.assertEqual(imported.returncode, status, imported.stderr)
        self.assertEqual(imported.stdout, b"")
        return imported.stderr.decode()

    def reported(self, *arguments: str) -> bytes:
        report = pobpf("report", str(self.snapshot), *arguments)
        self.assertEqual(report.returncode, 0, report.stderr)
        return report.stdout

    def test_a_text_comes_back(self):
        text = (DUMPS / "android-6.12-cma-two.txt").read_bytes().replace(b"\n \n", b"\n\n")
        for compress in (bytes, gzip.compress, lzma.compress):
            with self.subTest(compress):
                said = self.import_text(compress(text))
                self.assertEqual(said, "pobpf: 2 records and 2 stacks from 40 lines\n")
                self.assertEqual(self.reported(), text)

    def test_json_has_only_what_the_text_has(self):
        self.import_text((DUMPS / "v2.6.25-ppc64-positional-flags.txt").read_bytes())
        page = json.loads(self.reported("--format", "json", "--handles"))
        self.assertEqual(
            page,
            {
                "pfn": 30625, "order": 0, "nr_pages": 1, "handle": 1, "gfp_mask": 0x120050,
                "pageblock": 7, "pageblock_migratetype": "2", "page_flags": ["lru"],
            },
        )

    def test_what_is_left_out_is_said(self):
        text = (DUMPS / "v4.5-migrate-reason.txt").read_bytes()
        said = self.import_text(b"\x1b[31mhello\n\n" + text + text[:500], 4)
        self.assertIn("warning: line 1: not understood: \\x1b[31mhello\n", said)
        self.assertIn("warning: line 15: it is cut off at the end of the text\n", said)
        self.assertTrue(
            said.endswith("finished, but not complete: 1 record left out, 1 line not understood\n")
        )
        self.assertEqual(self.reported().count(b"Page allocated"), 1)

    def test_what_is_no_text_of_page_owner_leaves_no_file(self):
        text = (DUMPS / "alloc_tag-v6.9-allocinfo-top.txt").read_bytes()
        said = self.import_text(text, 1)
        self.assertIn("pobpf: nothing of page_owner found in 11 lines", said)
        self.assertFalse(self.snapshot.exists())

    def test_a_page_that_is_free_is_no_memory_in_use(self):
        text = (DUMPS / "kasan-6.19-v4l-freed-two-brackets.txt").read_bytes()
        in_use = (DUMPS / "dmesg-two-pages-anonflags.txt").read_bytes()
        said = self.import_text(text + b"\n" + in_use, 4)
        self.assertIn("pobpf: 2 records (1 of a page that is free) and 2 stacks", said)
        self.assertEqual(self.reported().count(b"page_owner tracks the page as freed\n"), 1)
        objects = [json.loads(line) for line in self.reported("--format", "json").splitlines()]
        self.assertEqual([o.get("freed") for o in objects], [True, None])

        for view in (["stacks"], ["top", "--by", "comm"]):
            name, *options = view
            sums = pobpf("report", name, str(self.snapshot), *options, "--stats", "--format=json")
            self.assertNotIn(b"v4l_id", sums.stdout)
            self.assertIn(b'"freed":1,', sums.stderr)
            self.assertIn(b'"emitted":1,', sums.stderr)

        database = self.snapshot.with_name("db")
        self.reported("--format", "sqlite", "-o", str(database))
        with contextlib.closing(sqlite3.connect(database)) as connection:
            freed = connection.execute("SELECT pfn, freed FROM page_list ORDER BY id").fetchall()
            self.assertEqual(freed, [(0x71DAC, 1), (0x22222, 0)])
            for view in ("by_order", "by_stack", "by_task", "by_gfp", "by_module"):
                total = connection.execute(f"SELECT sum(allocations) FROM {view}").fetchone()
                self.assertEqual(total, (1,), view)

    def test_sums_are_no_pages(self):
        self.import_text((DUMPS / "v6.19-mfo-show_stacks.txt").read_bytes())
        report = pobpf("report", str(self.snapshot))
        self.assertEqual(report.returncode, 1)
        self.assertIn(b"the snapshot has only sums (1), and no pages to show", report.stderr)


class Blocked(unittest.TestCase):
    """While pobpf waits: signals end it within a tenth of a second and are seen by the shell as such."""

    # on a machine that has much else to do
    SECONDS_MAX = 1.0

    def end(self, process: subprocess.Popen, number: int):
        self.addCleanup(process.kill)
        start = time.monotonic()
        process.send_signal(number)
        _, stderr = process.communicate(timeout=10)
        self.assertLess(time.monotonic() - start, self.SECONDS_MAX)
        self.assertEqual(process.returncode, -number)
        self.assertEqual(stderr, b"")

    def wait_until_blocked(self, process: subprocess.Popen):
        stat = pathlib.Path(f"/proc/{process.pid}/stat")
        deadline = time.monotonic() + TIMEOUT_SECONDS
        nr_asleep = 0
        while nr_asleep < 5:
            is_asleep = stat.read_text("utf-8").rpartition(")")[2].split()[0] == "S"
            nr_asleep = nr_asleep + 1 if is_asleep else 0
            self.assertLess(time.monotonic(), deadline, "pobpf does not block")
            time.sleep(0.01)

    def test_while_stdout_is_blocked(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number.name):
                reader, writer = os.pipe()
                self.addCleanup(os.close, reader)
                fcntl.fcntl(writer, fcntl.F_SETFL, os.O_NONBLOCK)
                while select.select([], [writer], [], 0)[1]:
                    os.write(writer, bytes(4096))
                fcntl.fcntl(writer, fcntl.F_SETFL, 0)
                process = subprocess.Popen([POBPF, "check"], stdout=writer, stderr=subprocess.PIPE)
                os.close(writer)
                self.wait_until_blocked(process)
                self.end(process, number)

    def test_while_a_fifo_has_no_reader(self):
        with tempfile.TemporaryDirectory() as directory:
            fifo = f"{directory}/fifo"
            os.mkfifo(fifo)
            process = subprocess.Popen([POBPF, "check", "-o", fifo], stderr=subprocess.PIPE)
            self.wait_until_blocked(process)
            self.end(process, signal.SIGINT)

    def test_while_a_file_does_not_come(self):
        """A FIFO that nobody opens for writing, and one into which nothing is written."""
        with tempfile.TemporaryDirectory() as directory:
            folder = pathlib.Path(directory)
            fifo, snapshot, out = folder / "fifo", folder / "snapshot", folder / "out"
            os.mkfifo(fifo)
            with open(snapshot, "wb") as file:
                subprocess.run([MAKE_SNAPSHOT, "10", "3"], stdout=file, check=True)
            commands = [
                ["report", fifo],
                ["report", "stacks", fifo],
                ["report", "top", fifo],
                ["report", "page", fifo, "1"],
                ["report", fifo, "--format", "sqlite", "-o", out],
                ["diff", fifo, snapshot],
                ["diff", snapshot, fifo],
                ["import", fifo, "-o", out],
                ["check", "--config", fifo],
                ["list", folder, "--config", fifo],
            ]
            numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP] * len(commands)
            for has_writer in (False, True):
                # read-write opens a FIFO at once
                writer = os.open(fifo, os.O_RDWR) if has_writer else None
                for command in commands:
                    with self.subTest(command, has_writer=has_writer):
                        process = subprocess.Popen(
                            [POBPF, *map(str, command)],
                            stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE,
                        )
                        self.wait_until_blocked(process)
                        self.end(process, numbers.pop())
                        self.assertEqual(sorted(os.listdir(folder)), ["fifo", "snapshot"])
                if writer is not None:
                    os.close(writer)

    def test_while_a_pipe_has_nothing(self):
        with tempfile.TemporaryDirectory() as directory:
            text = (DUMPS / "v5.15-arm64-module-order3.txt").read_bytes()
            import_it = ["import", "-", "-o", f"{directory}/out"]
            # nothing at all, the beginning of what may be compressed, and half of a text
            for command, begin in (
                (["report", "/dev/stdin"], b""),
                (["check", "--config", "/dev/stdin"], b"[report]\n"),
                (import_it, b""),
                (import_it, b"\x1f\x8b"),
                (import_it, text[: len(text) // 2]),
            ):
                with self.subTest(command, begin=begin[:9]):
                    reader, writer = os.pipe()
                    os.write(writer, begin)
                    process = subprocess.Popen(
                        [POBPF, *command],
                        stdin=reader,
                        stdout=subprocess.DEVNULL,
                        stderr=subprocess.PIPE,
                    )
                    self.wait_until_blocked(process)
                    self.end(process, signal.SIGTERM)
                    self.assertEqual(os.listdir(directory), [])
                    os.close(reader)
                    os.close(writer)

    def test_closed_standard_descriptors_do_not_become_files(self):
        """Else errors would be written into the next file that is opened."""
        with tempfile.TemporaryDirectory() as directory:
            fifo = f"{directory}/fifo"
            os.mkfifo(fifo)
            command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", POBPF, "check", "-o", fifo]
            process = subprocess.Popen(command, stderr=subprocess.PIPE)
            self.wait_until_blocked(process)
            for fd in range(3):
                self.assertEqual(os.readlink(f"/proc/{process.pid}/fd/{fd}"), "/dev/null")
            self.end(process, signal.SIGINT)

    def test_ignored_signals_stay_ignored(self):
        """As nohup and background jobs of a script expect."""
        with tempfile.TemporaryDirectory() as directory:
            fifo = f"{directory}/fifo"
            os.mkfifo(fifo)
            command = ["sh", "-c", 'trap "" INT HUP; exec "$@"', "sh", POBPF, "check", "-o", fifo]
            process = subprocess.Popen(command, stderr=subprocess.PIPE)
            self.wait_until_blocked(process)
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGHUP)
            with self.assertRaises(subprocess.TimeoutExpired):
                process.wait(0.5)
            self.assertIn(b"kernel: ", pathlib.Path(fifo).read_bytes())
            process.communicate(timeout=TIMEOUT_SECONDS)
            self.assertIn(process.returncode, (0, 3))


def take_programs(arguments: argparse.Namespace):
    """For a test that uses what is here."""
    global POBPF, MAKE_SNAPSHOT
    POBPF, MAKE_SNAPSHOT = str(arguments.pobpf), str(arguments.make_snapshot)


if __name__ == "__main__":
    take_programs(runner.parse(__doc__, "make-snapshot"))
    print(f"this machine: page_owner {machine_kind()}", flush=True)
    sys.exit(runner.run())
