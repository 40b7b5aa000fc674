"""What a config's `test` comes to: any class with a run(), functions, files; and what is said where it comes to nothing."""

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pysurge._loader import Loaded, Problem, load

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes files into the current folder; what was imported of them is forgotten afterwards, and so is the path to them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    before = set(sys.modules)

    def write(source: str, name: str = "jobs.py") -> None:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(source))

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def load_object(path: str, kwargs: dict[str, Any] | None = None, data: dict[str, Any] | None = None) -> Loaded | Problem:
    return load(path, kwargs or {}, (".",), None, data, test_case=False)


def loaded(path: str, kwargs: dict[str, Any] | None = None, data: dict[str, Any] | None = None) -> Loaded:
    answer = load_object(path, kwargs, data)
    assert isinstance(answer, Loaded), answer
    return answer


def refused(path: str, kwargs: dict[str, Any] | None = None, data: dict[str, Any] | None = None) -> Problem:
    answer = load_object(path, kwargs, data)
    assert isinstance(answer, Problem), answer
    return answer


def test_a_function_is_called_with_its_kwargs(write: Write) -> None:
    write(
        '''
        def buy(item, count=1):
            """Buys something.

            More.
            """
        '''
    )
    answer = loaded("jobs.buy", {"item": "tea"})
    assert answer.is_function
    assert not answer.is_coroutine
    assert (answer.name, answer.label, answer.summary) == ("buy", "buy(item='tea')", "Buys something.")


@pytest.mark.parametrize(
    "path", ["jobs.Shop.buy", "jobs.partly", "jobs.called", "jobs.made", "jobs.py:Shop.buy", "./jobs.py:made"]
)
def test_whatever_can_be_called_is_a_function(write: Write, path: str) -> None:
    write(
        """
        import functools
        class Shop:
            @staticmethod
            def buy(): pass
        class Called:
            def __call__(self): pass
        def two(a, b=1): pass
        partly = functools.partial(two, 1)
        called = Called()
        made = lambda: None
        """
    )
    assert loaded(path).is_function


@pytest.mark.parametrize(
    ("path", "coroutine"), [("jobs.one", True), ("jobs.Two", True), ("jobs.three", True), ("jobs.Four", False)]
)
def test_coroutines_are_told_apart(write: Write, path: str, coroutine: bool) -> None:
    write(
        """
        async def one(): pass
        class Two:
            async def run(self): pass
            def setup(self): pass
            @classmethod
            async def startup(cls): pass
        class Three:
            async def __call__(self): pass
        three = Three()
        class Four:
            def run(self): pass
        """
    )
    assert loaded(path).is_coroutine == coroutine


def test_any_class_with_a_run_is_a_test_case(write: Write) -> None:
    write(
        """
        class Plain:
            def run(self): pass
        class Full:
            "Does it all."
            max_duration = 2
            def __init__(self, size): self.size = size
            def setup(self): pass
            def run(self): pass
            def teardown(self): pass
        class Named(Plain):
            summary = "short"
            def __str__(self): return "named"
        """
    )
    plain = loaded("jobs.Plain")
    assert (plain.label, plain.summary, plain.max_duration_s) == ("<Plain kwargs={}>", "Plain", None)
    assert (plain.has_setup, plain.has_teardown, plain.own_metrics) == (False, False, True)
    full = loaded("jobs.Full", {"size": 3})
    assert (full.label, full.summary, full.max_duration_s) == ("<Full kwargs={'size': 3}>", "Does it all.", 2.0)
    assert (full.has_setup, full.has_teardown) == (True, True)
    named = loaded("jobs.Named")
    assert (named.label, named.summary) == ("named", "short")


def test_a_test_case_is_one_here_too(write: Write) -> None:
    write("from pysurge import TestCase\nclass Case(TestCase):\n    def run(self): pass\n    def setup(self): pass\n")
    case = loaded("jobs.Case")
    assert (case.has_setup, case.has_teardown, case.own_metrics) == (True, False, False)


def test_a_file_is_the_module_that_it_is(write: Write) -> None:
    write("", "shop/__init__.py")
    write("TAX = 2", "shop/rules.py")
    write("from .rules import TAX\nimport beside\ndef pay(): return TAX", "shop/pay.py")
    write("", "beside.py")
    assert loaded("shop/pay.py:pay").make is loaded("shop.pay.pay").make


def test_a_file_with_the_name_of_another_module_is_imported_all_the_same(write: Write) -> None:
    write("def run_it(): return 'this'", "deep/json.py")
    assert loaded("deep/json.py:run_it").make() == "this"
    assert sys.modules["json"].__name__ == "json"


PROBLEMS: dict[str, tuple[str, str, dict[str, Any], str, str, str]] = {
    "no file": ("", "nowhere.py:f", {}, "not_found", "there is no file `nowhere.py`", "looked in"),
    "nothing in the file": ("def fast(): pass", "jobs.py:fist", {}, "not_found", "(jobs.py) has no `fist`", "`fast`?"),
    "nothing alike": (
        "from time import sleep\nfrom pysurge import check\ndef fast(): pass\ndef slow(): pass",
        "jobs.xyz",
        {},
        "not_found",
        "has no `xyz`",
        "there is `fast`, `slow`",
    ),
    "a module": ("def fast(): pass", "jobs", {}, "not_a_test_case", "`jobs` is a module, which cannot be", "`jobs.fast`?"),
    "a number": ("x = 1", "jobs.x", {}, "not_a_test_case", "`jobs.x` is of type int, which cannot be called", "name a class"),
    "a class without run": ("class A: pass", "jobs.A", {}, "not_a_test_case", "class `jobs.A` has no run()", "must have"),
    "a method of an instance": (
        "class A:\n    def go(self): pass",
        "jobs.A.go",
        {},
        "kwargs",
        "`jobs.A.go` refuses these kwargs: missing a required argument: 'self'",
        "its signature is go(self)",
    ),
    "a generator": ("def f(): yield", "jobs.f", {}, "not_a_test_case", "`jobs.f` is a generator function", "take the yield"),
    "a wrong kwarg": ("def f(size): pass", "jobs.f", {"sice": 1}, "kwargs", "`jobs.f` refuses these kwargs", "mean `size`?"),
    "a missing kwarg": ("def f(size): pass", "jobs.f", {}, "kwargs", "missing a required argument: 'size'", "f(size)"),
    "kwargs of a class that takes none": (
        "class A:\n    def run(self): pass",
        "jobs.A",
        {"x": 1},
        "kwargs",
        "A takes no arguments, but its kwargs are `x`",
        "give A an __init__",
    ),
    "an instance method as startup": (
        "class A:\n    def run(self): pass\n    def startup(self): pass",
        "jobs.A",
        {},
        "not_a_test_case",
        "`jobs.A.startup` cannot be called",
        "`@classmethod` above it",
    ),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_what_cannot_be_loaded_is_explained(write: Write, name: str) -> None:
    source, path, kwargs, fault, message, hint = PROBLEMS[name]
    write(source)
    problem = refused(path, kwargs)
    assert problem.fault == fault
    assert message in problem.message
    assert hint in (problem.hint or "")
    assert problem.traceback == ""


@pytest.mark.parametrize("path", ["jobs.f", "jobs.py:f"])
def test_a_file_that_raises_is_shown_with_its_own_frames(write: Write, path: str) -> None:
    write("1 / 0")
    problem = refused(path)
    assert problem.fault == "import"
    assert "cannot be imported: ZeroDivisionError" in problem.message
    assert "jobs.py" in problem.traceback
    assert "_names.py" not in problem.traceback


ROW = {"user": "ann", "age": "7"}


@pytest.mark.parametrize(
    ("source", "path", "columns", "row_as"),
    [
        ("def f(user): pass", "jobs.f", ["user"], "nowhere"),
        ("def f(user, data): pass", "jobs.f", ["user"], "argument"),
        ("def f(data): pass", "jobs.f", [], "argument"),
        ("def f(**row): pass", "jobs.f", None, "nowhere"),
        ("class A:\n    def run(self): pass", "jobs.A", [], "attribute"),
        ("class A:\n    def __init__(self, age): pass\n    def run(self): pass", "jobs.A", ["age"], "attribute"),
        ("from pysurge import TestCase\nclass A(TestCase):\n    def run(self): pass", "jobs.A", None, "attribute"),
    ],
)
def test_rows_go_where_there_is_a_place(write: Write, source: str, path: str, columns: list[str] | None, row_as: str) -> None:
    write(source)
    answer = loaded(path, {}, ROW)
    assert (answer.columns, answer.row_as) == (columns, row_as)


def test_a_function_that_takes_nothing_of_its_rows_is_refused(write: Write) -> None:
    write("def f(): pass")
    problem = refused("jobs.f", {}, ROW)
    assert problem.fault == "data"
    assert "user, age" in (problem.hint or "")


def test_a_class_whose_data_cannot_be_set_is_refused(write: Write) -> None:
    write("class A:\n    __slots__ = ()\n    def run(self): pass")
    problem = refused("jobs.A", {}, ROW)
    assert problem.fault == "data"
    assert "self.data" in problem.message
