"""Configs, values and names that mean harm, or come from a program that went wrong.

Each works as documented or gives one clear error.
"""

import csv
import re
import sys
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


class OfAClass(dict):

    def items(self):
        raise RuntimeError("no")

    __iter__ = keys = values = __len__ = copy = items


class Derived(TestCase):
    def run(self):
        self.metrics = OfAClass(a=1)


class Nothing(TestCase):
    def run(self):
        self.metrics = None


# Its values change the dict while they are read.
class Changing(TestCase):
    def run(self):
        metrics = self.metrics

        class Grows:
            def __float__(self):
                metrics[f"more{len(metrics)}"] = 1
                metrics.pop("b", None)
                return 1.5

        metrics.update({f"m{n}": Grows() for n in range(10)}, b=Grows())


class Named(TestCase):
    class Name:
        def __init__(self, text):
            self.text = text

        def __str__(self):
            if isinstance(self.text, Exception):
                raise self.text
            return self.text

    def run(self):
        self.metrics = {self.Name("a name"): 1, self.Name(RuntimeError("no")): 2, self.Name(5): 3, b"x": 4}


class Numpy(TestCase):
    def run(self):
        import numpy as np

        self.metrics = {
            "float32": np.float32(1.5), "float64": np.float64(1.5), "int64": np.int64(3), "bool_": np.bool_(True),
            "0-d": np.array(2.5), "array": np.array([1, 2]), "nan": np.float32("nan"), "text": np.str_("5"),
        }


class Counts(TestCase):
    def run(self):
        self.count("rows", float("nan"))
        self.count("rows", 1e308)
        self.count("rows", 1e308)


class Strict(TestCase):
    def run(self):
        for wrong in ("5", None, 10**400):
            try:
                self.count("rows", wrong)
            except (TypeError, OverflowError):
                self.count("refused")
        for tell in (self.count, self.timer):
            try:
                tell(5)
            except TypeError:
                self.count("refused")


class Circle(Exception):
    pass


class Fails(TestCase):
    n = 0

    def endless(self):
        self.endless()

    def run(self):
        Fails.n += 1
        letters = "".join(chr(97 + int(digit)) for digit in str(Fails.n))
        kinds = [
            lambda: ValueError("x" * 10_000_000),
            lambda: ValueError(f"a kind of its own: {letters}"),
            lambda: type("N" * 1_000_000, (Exception,), {})("a long name"),
            lambda: ValueError("\\x1b]0;title\\x07\\x1b[2J\\u202e\\ud800 steers"),
            lambda: type("Odd", (Exception,), {"__str__": lambda self: 5})(),
            lambda: type("Endless", (Exception,), {"__str__": lambda self: str(self)})(),
            lambda: type("Mute", (Exception,), {"__str__": lambda self: exec("raise SystemExit")})(),
        ]
        if Fails.n % 8 == 0:
            self.endless()
        error = kinds[Fails.n % 8 - 1]()
        error.__cause__ = Circle("a cause of itself")
        error.__cause__.__cause__ = error
        raise error


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


def test_metrics_that_cannot_be_read_are_told_of_once(fired: Fire) -> None:
    said, test = fired("Derived")
    assert test["metrics_refused"] == 20
    assert said.count("OfAClass cannot be read, it raised RuntimeError; give a dict of numbers (said once)") == 1


def test_metrics_that_are_nothing_are_told_of_once(fired: Fire) -> None:
    said, test = fired("Nothing")
    assert said.count("NoneType is no dict; give a dict of numbers (said once)") == 1
    assert test["metrics_refused"] == 20


def test_metrics_that_change_while_they_are_read_are_those_of_before(fired: Fire) -> None:
    _, test = fired("Changing")
    assert set(test["metrics"]) == {f"m{n}" for n in range(10)} | {"b"}
    assert {figures["count"] for figures in test["metrics"].values()} == {20}


def test_names_that_are_no_texts(fired: Fire) -> None:
    said, test = fired("Named")
    assert set(test["metrics"]) == {"a name", "b'x'"}
    assert test["metrics_refused"] == 2 * 20
    assert said.count("its name has no text; name it by a string (said once)") == 1


@pytest.mark.skipif(sys.version_info < (3, 11), reason="numpy is not installed there")
def test_numbers_of_numpy(fired: Fire) -> None:
    _, test = fired("Numpy")
    assert {name: figures["mean"] for name, figures in test["metrics"].items()} == pytest.approx(
        {"float32": 1.5, "float64": 1.5, "int64": 3, "bool_": 1, "0-d": 2.5}
    )
    assert test["metrics_refused"] == 3 * 20


def test_sums_beyond_floats_stay_numbers(fired: Fire) -> None:
    _, test = fired("Counts")
    assert test["counts"]["rows"] == sys.float_info.max
    assert test["steps_refused"] == 20


def test_counts_and_names_of_another_type_raise_in_the_test(fired: Fire) -> None:
    _, test = fired("Strict")
    assert test["account"]["failed"] == 0
    assert test["counts"]["refused"] == 5 * 20


def test_errors_of_any_kind_are_bounded_and_counted(run_pysurge: Callable[..., Any], tmp_path: Path) -> None:
    command = "run values.py:Fails --rate 100 -d 2s --workers 1 --no-rehearsal"
    finished = run_pysurge(command, files={"values.py": VALUES})
    assert finished.returncode == 3, finished.stderr
    assert not CONTROL.search(finished.stdout + finished.stderr + run_log(tmp_path))
    test = summary(tmp_path)["tests"][0]
    assert test["account"]["failed"] == 200
    assert len(test["failures"]) == 50 or test["failures_overflow"] == 0
    assert sum(kind["count"] for kind in test["failures"]) + test["failures_overflow"] == 200
    for kind in test["failures"]:
        assert len(kind["message"]) <= 1_300
        assert len(kind["exception"]) <= 400
        assert len(kind["traceback"]) <= 17_000
    exceptions = {kind["exception"].rsplit(".", 1)[-1] for kind in test["failures"]}
    assert {"ValueError", "RecursionError", "Odd", "Endless", "Mute"} <= exceptions
    assert (run_folder(tmp_path) / "summary.json").stat().st_size < 2_000_000


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


@pytest.mark.parametrize("name", ["users.csv", "users.jsonl"])
def test_a_row_of_a_gigabyte_is_refused_at_its_beginning(run_pysurge: Callable[..., Any], tmp_path: Path, name: str) -> None:
    # A sparse file: it takes no room.
    with (tmp_path / name).open("wb") as data:
        data.write(b"name\nx" if name.endswith("csv") else b'{"name": "')
        data.truncate(1 << 30)
    files = {"case.py": "def item(name): pass\n"}
    finished = run_pysurge(f"run case.py:item --data {name} --rate 5 -d 0.5s --workers 1 --no-results", files=files)
    assert finished.returncode == 2, finished.stdout + finished.stderr
    assert "the row is longer than 1048576 bytes" in finished.stderr


def test_a_recording_of_more_than_a_gigabyte_is_refused(run_pysurge: Callable[..., Any], tmp_path: Path) -> None:
    with (tmp_path / "log.csv").open("wb") as log:
        log.write(b"time\n1\n")
        log.truncate((1 << 30) + 1)
    files = {"case.py": CASE, "load.yml": "tests:\n- {test: case.py:item, replay: log.csv}\n"}
    finished = run_pysurge("check load.yml", files=files)
    assert finished.returncode == 2, finished.stdout + finished.stderr
    assert "log.csv" in finished.stderr and "load.yml" in finished.stderr


REPLAYS = {
    "nul": b"time\n1\n\0\n",
    "binary": bytes(range(128, 256)),
    "unclosed": b'time,a\n1,"x\n',
    "no_time": b"time\nx\n",
    "infinite": b"time\ninf\n",
    "huge": b"time\n1e400\n",
    "steers": b"time,\x1b]0;x\x07\n1,2\n",
    "empty": b"",
}


@pytest.mark.parametrize("name", REPLAYS)
def test_hostile_recordings_give_one_clear_error(run_pysurge: Callable[..., Any], name: str) -> None:
    files = {"case.py": CASE, "load.yml": "tests:\n- {test: case.py:item, replay: log.csv}\n", "log.csv": REPLAYS[name]}
    finished = run_pysurge("check load.yml", files=files)
    assert finished.returncode == 2, finished.stdout + finished.stderr
    assert "log.csv" in finished.stderr and "load.yml" in finished.stderr
    assert "panicked" not in finished.stderr and "Traceback" not in finished.stderr
    assert not CONTROL.search(finished.stderr)
