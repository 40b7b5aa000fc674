"""Configs, values and names that mean harm, or come from a program that went wrong.

Each works as documented or gives one clear error.
"""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import run_folder, run_log, summary

# What drives a terminal, and marks that turn the direction of writing.
CONTROL = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069]")


CASE = "def item(**kwargs): pass\n"

Fire = Callable[[str], tuple[str, dict[str, Any]]]


def config_of(extra: str) -> str:
    """A config of one test with more keys."""
    return f"tests:\n- {{test: case.py:item, rate: 20, {extra}}}\n"


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

REFUSED = {
    "bomb": (BOMB + "tests: *i\n", "the config expands to more than 32 MiB"),
    "brackets": ("[" * 10_000, "nested too deep"),
    "braces": ("{a: " * 10_000, "nested too deep"),
    "closed_brackets": ("tests: " + "[" * 10_000 + "]" * 10_000, "nested too deep"),
    "deep_kwargs": (config_of("kwargs: {a: " + "[" * 200 + "]" * 200 + "}"), "nested more than 100 deep"),
    "alias_in_itself": ("tests: &a [*a]\n", "an alias stands inside the value that it refers to"),
    "merge_at_the_top": ("x: &x {rate: 5}\ntests:\n- <<: *x\n  test: case.py:item\n", "unknown key `x`"),
    "python_tag": ("tests: !!python/object/apply:os.system [touch hacked]\n", "cannot be used here"),
    "two_documents": (config_of("tags: [a]") + "---\nb: 2\n", "more than one YAML document"),
    "nul": ('tests:\n- test: "case.py:item\0"\n  rate: 1\n', "load.yml:2:22"),
    "nul_at_the_end": (config_of("tags: [a]") + "\0tests: 5\n", "the file holds a NUL character"),
    "tabs": ("tests:\n\t- test: case.py:item\n", "a tab is used as indentation"),
    "utf_16": (config_of("tags: [a]").encode("utf-16"), "is not UTF-8 text: line 1"),
    "latin_1": (config_of("name: \u00e9").encode("latin-1"), "is not UTF-8 text: line 2"),
    "a_line_of_10_mb": ("name: " + "n" * 10_000_000, "is longer than 8388608 bytes"),
    "many_tests": ("tests:\n" + "- {test: case.py:item, rate: 1}\n" * 100_000, "make it smaller: fewer tests"),
    "rate_beyond_floats": ("tests:\n- {test: case.py:item, rate: 1e400}\n", "`rate` must be a number"),
    "rate_infinite": ("tests:\n- {test: case.py:item, rate: .inf}\n", "`rate` must be a finite number"),
    "rate_nan": ("tests:\n- {test: case.py:item, rate: .nan}\n", "`rate` must be a finite number"),
    "rate_yes": ("tests:\n- {test: case.py:item, rate: yes}\n", "this is a boolean"),
    "rate_date": ("tests:\n- {test: case.py:item, rate: 2026-11-22}\n", "this is a date"),
    "rate_escape": ('tests:\n- {test: case.py:item, rate: "\\e[31m5"}\n', "is a string"),
    "key_escape": ('tests:\n- {test: case.py:item, rate: 5, "\\e]0;x\\a": 1}\n', "unknown key"),
    "key_of_10_kb": (config_of("k" * 10_000 + ": 1"), "unknown key `kkkkkkkkkk"),
    "keyword_5": (config_of("kwargs: {5: 6}"), "a keyword must be a string"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_config_gives_one_clear_error(run_pysurge: Callable[..., Any], tmp_path: Path, name: str) -> None:
    text, words = REFUSED[name]
    files = {"case.py": CASE, "load.yml": text if isinstance(text, bytes) else text.encode()}
    finished = run_pysurge("check load.yml", files=files)
    assert finished.returncode == 2, finished.stderr
    assert words in finished.stderr
    assert "load.yml" in finished.stderr
    assert len(finished.stderr) < 4_000
    assert "Traceback" not in finished.stderr and "panicked" not in finished.stderr
    assert not CONTROL.search(finished.stderr)
    assert not (tmp_path / "hacked").exists()


HARMLESS = {
    "anchors": "tests:\n- &t {test: case.py:item, rate: 20}\n- *t\n",
    "merge": "x-load: &load {rate: 20}\ntests:\n- {<<: *load, test: case.py:item}\n",
    "twice": "tests:\n- test: case.py:item\n  rate: 1\n  rate: 20\n",
    "bom_and_crlf": "\ufefftests:\r\n- test: case.py:item\r\n  rate: 20\r\n",
    "html": config_of('name: "<script>alert(1)</script><img src=x onerror=alert(1)>", tags: ["</td>"]'),
    "escapes": config_of('name: "\\e]0;x\\a\\e[2J\\u202e", tags: ["\\e[1m"], kwargs: {a: "\\e[31m\\n\\r"}'),
    "formula": config_of('name: "=1+1|cmd", kwargs: {a: "@x"}'),
    "long": config_of(f"name: {'n' * 10_000}, kwargs: {{a: {'k' * 10_000}}}"),
    "odd_numbers": config_of(
        "kwargs: {a: .inf, b: .nan, c: -0, d: 0x1F, e: 1_000, f: 1:30, g: 2026-11-22, h: 99999999999999999999999}"
    ),
    "bytes": config_of("kwargs: {a: !!binary aGVsbG8=}"),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_a_strange_config_runs_and_stays_inert_in_every_output(
    run_pysurge: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    files = {"case.py": CASE, "load.yml": HARMLESS[name].encode()}
    finished = run_pysurge("run load.yml -d 0.5s --workers 1 --samples samples.csv --junit junit.xml", files=files)
    assert finished.returncode == 0, finished.stderr
    for text in (finished.stdout, finished.stderr, run_log(tmp_path)):
        assert not CONTROL.search(text), ascii(text)
    for table in (run_folder(tmp_path) / "timeseries.csv", tmp_path / "samples.csv"):
        with table.open(newline="") as rows:
            cells = [cell for row in csv.reader(rows) for cell in row]
        assert not [cell for cell in cells if re.match("[=+@\\t\\r]|-[^0-9.]", cell)]
    assert not CONTROL.search((tmp_path / "junit.xml").read_text())


VALUES = """
from decimal import Decimal
from fractions import Fraction

from pysurge import TestCase


class Raises:
    def __float__(self):
        raise RuntimeError("no")


class Nonsense:
    def __float__(self):
        return "x"


class Whole(int):
    pass


VALUES = {
    "int": 3, "float": 2.5, "bool": True, "decimal": Decimal("1.5"), "fraction": Fraction(1, 2),
    "whole": Whole(4), "large": 2**70,
    "nan": float("nan"), "inf": float("-inf"), "str": "5", "bytes": b"5", "none": None, "huge": 10**400, "complex": 1j,
    "raises": Raises(), "nonsense": Nonsense(), "list": [1],
}


class Values(TestCase):
    def run(self):
        self.metrics.update(VALUES)


class Names(TestCase):
    def run(self):
        self.metrics.update({5: 1, "": 1, "\\x1b[31mred": 1, "a\\nb": 1, "<b>": 1, "x" * 10_000: 1, "\\ud800": 1, None: 1})


class Replaced(TestCase):
    def run(self):
        self.metrics = [1]


class Many(TestCase):
    n = 0

    def run(self):
        for _ in range(100):
            Many.n += 1
            self.metrics[f"m{Many.n}"] = 1
            self.check(f"k{Many.n}", True)
            self.count(f"c{Many.n}", 1)


class Labels(TestCase):
    def __str__(self):
        return "\\x1b[2J" + "x" * 10_000_000

    @property
    def summary(self):
        return "y" * 10_000_000

    def run(self):
        pass
"""


@pytest.fixture
def fired(run_pysurge: Callable[..., Any], tmp_path: Path) -> Fire:
    """Fires a class; gives what the run says, and its figures."""

    def fire(name: str) -> tuple[str, dict[str, Any]]:
        finished = run_pysurge(f"run values.py:{name} --rate 20 -d 1s --workers 1", files={"values.py": VALUES})
        assert finished.returncode == 0, finished.stderr
        assert not CONTROL.search(finished.stdout + finished.stderr)
        return finished.stdout + finished.stderr, summary(tmp_path)["tests"][0]

    return fire


def test_a_value_counts_or_is_told_of_once(fired: Fire) -> None:
    said, test = fired("Values")
    assert set(test["metrics"]) == {"int", "float", "bool", "decimal", "fraction", "whole", "large"}
    refused = ["nan", "inf", "str", "bytes", "none", "huge", "complex", "raises", "nonsense", "list"]
    assert test["metrics_refused"] == 20 * len(refused)
    for name in refused:
        assert said.count(f'the metric "{name}" of') == 1, name
    assert "a value of type str is no finite number; give an int or a float (said once)" in said


def test_names_of_any_kind_are_texts(fired: Fire) -> None:
    _, test = fired("Names")
    names = set(test["metrics"])
    assert {"5", "", "a\nb", "<b>", "None"} <= names
    assert all(len(name) < 300 for name in names)


def test_metrics_that_are_no_dict_are_told_of_once(fired: Fire) -> None:
    said, test = fired("Replaced")
    assert said.count("list is no dict; give a dict of numbers (said once)") == 1
    assert test["metrics_refused"] == 20


def test_names_without_end_have_a_limit(fired: Fire) -> None:
    said, test = fired("Many")
    assert (len(test["metrics"]), len(test["checks"]), len(test["counts"])) == (100, 100, 100)
    assert test["metrics_refused"] == 19 * 100
    assert "too many names" in said


def test_labels_without_end_are_cut(fired: Fire) -> None:
    _, test = fired("Labels")
    assert len(test["label"]) <= 1_001
    assert len(test["summary"]) <= 1_001


DATA = {
    "nul": (b"name\na\0b\n", 0, ""),
    "unclosed": (b'name\n"a\n', 2, "users.csv"),
    "binary": (bytes(range(128, 256)), 2, "users.csv"),
    "no_rows": (b"name\n", 2, "users.csv"),
    "empty": (b"", 2, "users.csv"),
    "ragged": (b"name\na,b,c\n", 2, "users.csv"),
}


@pytest.mark.parametrize("name", DATA)
def test_hostile_data_is_read_or_refused_by_its_name(run_pysurge: Callable[..., Any], name: str) -> None:
    content, code, words = DATA[name]
    files = {"case.py": "def item(name): pass\n", "users.csv": content}
    finished = run_pysurge("run case.py:item --data users.csv --rate 5 -d 0.5s --workers 1 --no-results", files=files)
    assert finished.returncode == code, finished.stdout + finished.stderr
    assert words in finished.stderr
    assert "panicked" not in finished.stderr
    assert not CONTROL.search(finished.stderr)
