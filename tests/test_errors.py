"""What is wrong with a config or a command line is said at once, in plain words, and nothing is fired."""

import re

import pytest
from support import config

CASES = """
import os

from pysurge import TestCase


class Upload(TestCase):
    def run(self):
        open("fired", "w").close()


class Sized(Upload):
    def __init__(self, size, unit="kB"):
        super().__init__(size=size, unit=unit)


class Broken(Upload):
    def __init__(self, **kwargs):
        raise RuntimeError("no luck with init")


class NoDuration(Upload):
    max_duration = -1


class BadSummary(Upload):
    def summary(self):
        return "a property was forgotten"


class Lazy(TestCase):
    pass


class HalfCoroutine(TestCase):
    async def setup(self):
        pass

    def run(self):
        pass


class Ordinary:
    def run(self):
        pass


def function():
    pass
"""


def entry(lines):
    return f"tests:\n- test_class: cases.Upload\n  {lines}\n"


def test_class(path):
    return f"tests:\n- test_class: {path}\n  rate: 1\n"


test_class.__test__ = False

# Name: the config, the line that is named, what is said of it.
CONFIGS = {
    "empty": ("", None, "the config is empty"),
    "only a comment": ("# nothing\n", None, "the config is empty"),
    "a list": ("- test_class: cases.Upload\n  rate: 1\n", 1, "put the list under a key `tests:`"),
    "a text": ("hello\n", 1, "where a mapping must be"),
    "no tests": ("x-mine: 1\n", None, "tests"),
    "empty tests": ("tests: []\n", 1, "tests"),
    "tests without value": ("tests:\n", 1, "tests"),
    "a typo in tests": ("test:\n- test_class: cases.Upload\n  rate: 1\n", 1, "did you mean `tests`?"),
    "an unknown key": (entry("rate: 1\n  rat: 2"), 4, "unknown key `rat`"),
    "a typo in a key": (entry("rates: 1"), 3, "did you mean `rate`?"),
    "no test_class": ("tests:\n- rate: 1\n", 2, "test_class"),
    "test_class is a number": ("tests:\n- test_class: 5\n  rate: 1\n", 2, "test_class"),
    "no rate": ("tests:\n- test_class: cases.Upload\n", 2, "rate"),
    "rate of nothing": (entry("rate:"), 3, "rate"),
    "rate 0": (entry("rate: 0"), 3, "must be greater than 0"),
    "negative rate": (entry("rate: -0.5"), 3, "must be greater than 0"),
    "rate is a word": (entry("rate: fast"), 3, "rate"),
    "rate in quotes": (entry('rate: "10"'), 3, "rate"),
    "rate not a number": (entry("rate: .nan"), 3, "rate"),
    "rate without end": (entry("rate: .inf"), 3, "rate"),
    "rate is true": (entry("rate: yes"), 3, "rate"),
    "kwargs is a list": (entry("rate: 1\n  kwargs: [1]"), 4, "kwargs"),
    "kwargs with a number": (entry("rate: 1\n  kwargs: {1: 2}"), 4, "1"),
    "a variable not set": (entry("rate: 1\n  kwargs:\n    token: ${NO_SUCH_VARIABLE}"), 5, "NO_SUCH_VARIABLE"),
    "a tab": ("tests:\n- test_class: cases.Upload\n\trate: 1\n", 3, "spaces"),
    "no end": (entry("rate: 1\n  kwargs: {a: 1"), 4, "close it with `}`"),
    "a wrong colon": (entry("rate: 1\n  kwargs:\n    a: b: c"), 5, "quotes"),
    "two documents": ("tests: []\n---\ntests: []\n", 2, "more than one YAML document"),
    "no module": (test_class("nowhere.Upload"), 2, "there is no module `nowhere`"),
    "a typo in the module": (test_class("case.Upload"), 2, "did you mean `cases`?"),
    "no class": (test_class("cases.Download"), 2, "has no `Download`"),
    "a typo in the class": (test_class("cases.Uplod"), 2, "did you mean `Upload`?"),
    "no dotted path": (test_class("Upload"), 2, "package.module.ClassName"),
    "a path of a file": (test_class("cases.py:Upload"), 2, "did you mean `cases.Upload`?"),
    "a class that is no TestCase": (test_class("cases.Ordinary"), 2, "class Ordinary(pysurge.TestCase)"),
    "a function": (test_class("cases.function"), 2, "not a class"),
    "a class without run": (test_class("cases.Lazy"), 2, "has no run()"),
    "a coroutine before a plain run": (test_class("cases.HalfCoroutine"), 2, "is a coroutine function, and run() is not"),
    "TestCase itself": (test_class("pysurge.TestCase"), 2, "has no run()"),
    "kwargs that are missing": (test_class("cases.Sized"), 2, "missing a required argument: 'size'"),
    "kwargs that are refused": (test_class("cases.Sized") + "  kwargs: {size: 1, unti: MB}\n", 4, "did you mean `unit`?"),
    "__init__ raises": (test_class("cases.Broken"), 2, "RuntimeError: no luck with init"),
    "summary is a method": (test_class("cases.BadSummary"), 2, "put @property above it"),
    "max_duration below 0": (test_class("cases.NoDuration"), 2, "max_duration must be a number above 0"),
}


def refused(done, folder, fired=False):
    """What every refusal has in common."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert "panicked" not in done.stderr
    assert not re.search(r'File ".*/pysurge/(_\w+|__init__)\.py"', done.stderr), done.stderr
    assert "\x1b" not in done.stderr
    assert (folder / "fired").exists() is fired
    assert not list((folder / "pysurge-results").glob("*"))


@pytest.mark.parametrize("command", ["run load.yml -d 60s", "-c load.yml -d 1"])
@pytest.mark.parametrize("name", ["empty tests", "a typo in a key", "a typo in the class", "__init__ raises"])
def test_each_form_of_the_command_refuses(run_pysurge, tmp_path, command, name):
    text, line, said = CONFIGS[name]
    done = run_pysurge(command, {"cases.py": CASES, "load.yml": text})
    refused(done, tmp_path)
    assert f"load.yml:{line}:" in done.stderr
    assert said in done.stderr


@pytest.mark.parametrize("name", CONFIGS)
def test_a_wrong_config_is_refused_with_file_line_and_hint(run_pysurge, tmp_path, name):
    text, line, said = CONFIGS[name]
    done = run_pysurge("check load.yml", {"cases.py": CASES, "load.yml": text})
    refused(done, tmp_path)
    assert (f"load.yml:{line}:" if line else "load.yml") in done.stderr
    unwrapped = re.sub(r"\s+", " ", done.stderr)
    assert said in unwrapped, done.stderr


def test_errors_in_the_text_are_told_all_at_once(run_pysurge, tmp_path):
    text = "tests:\n- test_class: Upload\n  rate: 0\n- rate: fast\n  kwargs: 5\n- test_class: cases.Upload\n  rats: 1\n"
    done = run_pysurge("run load.yml", {"cases.py": CASES, "load.yml": text})
    refused(done, tmp_path)
    lines = [int(line) for line in re.findall(r"--> load\.yml:(\d+):", done.stderr)]
    assert lines == sorted(lines)
    assert {2, 3, 4, 5, 7} <= set(lines)


def test_errors_in_classes_are_told_all_at_once(run_pysurge, tmp_path):
    paths = ("cases.Uplod", "cases.Ordinary", "cases.Upload", "nowhere.Upload", "cases.Broken")
    text = "tests:\n" + "".join(f"- test_class: {path}\n  rate: 5\n" for path in paths)
    done = run_pysurge("run load.yml", {"cases.py": CASES, "load.yml": text})
    refused(done, tmp_path)
    assert re.findall(r"--> load\.yml:(\d+):", done.stderr) == ["2", "4", "8", "10"]
    assert "in __init__\n" in done.stderr, "the user's own frames are shown"


def test_a_class_that_only_some_workers_can_load(run_pysurge, tmp_path):
    module = "import os\nos.close(os.open('taken', os.O_CREAT | os.O_EXCL))\n" + CASES
    done = run_pysurge("run load.yml -d 60s --workers 2", {"cases.py": module, "load.yml": config(("cases.Upload", 5))})
    refused(done, tmp_path)
    assert "FileExistsError" in done.stderr


FILES = {
    "not there": ("nowhere.yml", None, "config file not found: nowhere.yml"),
    "a folder": (".", None, "is a folder"),
    "not text": ("load.yml", b"tests:\n- test_class: \xff\xfe\n", "not UTF-8"),
    "binary": ("load.yml", bytes(range(256)), "error: "),
    "zeros": ("load.yml", bytes(1000), "error: "),
    "empty": ("load.yml", b"", "the config is empty"),
}


# For `run` and `check` a folder holds tests of pytest.
NO_TEXT = [(name, command) for name in FILES for command in ("run", "check", "-c") if name != "a folder" or command == "-c"]


@pytest.mark.parametrize(("name", "command"), NO_TEXT)
def test_a_config_that_is_no_text_file(run_pysurge, tmp_path, name, command):
    path, content, said = FILES[name]
    done = run_pysurge([command, path], {} if content is None else {path: content})
    refused(done, tmp_path)
    assert said in done.stderr


def test_a_config_that_may_not_be_read(run_pysurge, tmp_path):
    (tmp_path / "loop.yml").symlink_to("loop.yml")
    done = run_pysurge("run loop.yml")
    refused(done, tmp_path)
    assert "loop.yml" in done.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("rnu load.yml", "rnu"),
        ("run", "<TARGET>"),
        ("run load.yml extra", "extra"),
        ("run load.yml -d 5x", "write 90s, 5m or 1h30m"),
        ("run load.yml -d -5", "-5"),
        ("run load.yml -d soon", "soon"),
        ("run load.yml --workers 0", "from 1"),
        ("run load.yml --workers many", "many"),
        ("run load.yml --wrokers 2", "--workers"),
        ("run load.yml --no-results --results here", "--no-results"),
        ("-c", "--config"),
        ("-d 5", "-c CONFIG"),
        ("-c load.yml -d 1 --quiett", "--quiett"),
        ("completions klingon", "klingon"),
        ("target --port 99999", "99999"),
        ("demo --rate 0", "rate"),
    ],
)
def test_a_wrong_command_line(run_pysurge, tmp_path, args, said):
    done = run_pysurge(args, {"cases.py": CASES, "load.yml": config(("cases.Upload", 5))})
    refused(done, tmp_path)
    assert said in done.stderr
