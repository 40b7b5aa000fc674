"""What a config's `test_class` and `kwargs` come to, and what is said where they come to nothing."""

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import pysurge
from pysurge._loader import Loaded, Problem, load

Write = Callable[..., None]

HEAD = "from pysurge import TestCase\n"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes modules into the folder that the loader looks in first; they are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def write(source: str, name: str = "cases.py") -> None:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(HEAD + textwrap.dedent(source))

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def loaded(path: str, kwargs: dict[str, Any] | None = None) -> Loaded:
    answer = load(path, kwargs or {})
    assert isinstance(answer, Loaded), answer
    return answer


def refused(path: str, kwargs: dict[str, Any] | None = None) -> Problem:
    answer = load(path, kwargs or {})
    assert isinstance(answer, Problem), answer
    return answer


def test_a_class_is_found_and_asked(write: Write) -> None:
    write(
        '''
        class Upload(TestCase):
            """Uploads a file.

            More of it.
            """
            max_duration = 3
            def run(self): pass
        '''
    )
    answer = loaded("cases.Upload", {"legacy": True})
    assert issubclass(answer.make, pysurge.TestCase)  # type: ignore[arg-type]
    assert (answer.label, answer.summary, answer.max_duration_s) == ("<Upload kwargs={'legacy': True}>", "Uploads a file.", 3.0)


@pytest.mark.parametrize("path", ["pack.deep.mod.Case", "pack.deep.mod.Outer.Inner", "pack.Case", "pack.mod"])
def test_classes_are_found_in_packages_and_in_classes(write: Write, path: str) -> None:
    write("from pack.deep.mod import Case\nclass mod(Case): pass", "pack/__init__.py")
    write("raise AssertionError('a class of the same name comes first')", "pack/mod.py")
    write("", "pack/deep/__init__.py")
    write(
        """
        class Case(TestCase):
            def run(self): pass
        class Outer:
            class Inner(Case): pass
        """,
        "pack/deep/mod.py",
    )
    assert loaded(path).name == path.rpartition(".")[2]


RUN = "    def run(self): pass\n"

PROBLEMS = {
    "no dotted path": ("", "cases.1Case", {}, "not_found", "`cases.1Case` is no dotted path", "package.module.Class"),
    "no module": ("", "casse.Case", {}, "not_found", "there is no module `casse`", "did you mean `cases`?; looked in "),
    "no such place": ("", "xyzzy.Case", {}, "not_found", "there is no module `xyzzy`", "run pysurge from the folder"),
    "no class given": ("", "nothing", {}, "not_found", "there is no module `nothing`", "module.name"),
    "no submodule": (
        "",
        "pkg.tset.Case",
        {},
        "not_found",
        "module `pkg` (pkg/__init__.py) has no `tset`",
        "did you mean `test`?",
    ),
    "no class": (
        "class Upload(TestCase): pass\nclass Helper: pass\n",
        "cases.Uplaod",
        {},
        "not_found",
        "module `cases` (cases.py) has no `Uplaod`",
        "did you mean `Upload`?",
    ),
    "no class alike": (
        "class Upload(TestCase): pass\nclass Read(TestCase): pass\n",
        "cases.X",
        {},
        "not_found",
        "has no `X`",
        "there is `Read`, `Upload`",
    ),
    "no inner class": ("class A: pass\n", "cases.A.B", {}, "not_found", "class `cases.A` (cases.py) has no `B`", None),
    "no script": ("", "__main__.Case", {}, "not_found", "no script that could hold `Case`", "that makes a Manager"),
    "a module": (
        "class Upload(TestCase): pass\n",
        "cases",
        {},
        "not_a_test_case",
        "`cases` is a module, not a class",
        "did you mean `cases.Upload`?",
    ),
    "a function": ("def case(): pass\n", "cases.case", {}, "not_a_test_case", "is of type function", "`test: cases.case`"),
    "some other class": (
        "class Case:\n" + RUN,
        "cases.Case",
        {},
        "not_a_test_case",
        "class `cases.Case` is no TestCase",
        "class Case(pysurge.TestCase)",
    ),
    "TestCase itself": ("", "cases.TestCase", {}, "not_a_test_case", "`cases.TestCase` has no run()", "must have"),
    "no run": ("class Case(TestCase): pass\n", "cases.Case", {}, "not_a_test_case", "has no run()", "must have"),
    "async setup of a plain run": (
        "class Case(TestCase):\n    async def setup(self): pass\n" + RUN,
        "cases.Case",
        {},
        "not_a_test_case",
        "`cases.Case.setup` is a coroutine function, and run() is not",
        "write `async def run(self)` too",
    ),
    "run that yields": (
        "class Case(TestCase):\n    def run(self): yield\n",
        "cases.Case",
        {},
        "not_a_test_case",
        "`cases.Case.run` is a generator function: calling it would do nothing",
        "take the yield out",
    ),
    "run with a parameter": (
        "class Case(TestCase):\n    def run(self, url): pass\n",
        "cases.Case",
        {},
        "not_a_test_case",
        "`cases.Case.run` cannot be called: missing a required argument: 'url'",
        "no parameter but self",
    ),
    "run is data": (
        "class Case(TestCase):\n    run = 5\n",
        "cases.Case",
        {},
        "not_a_test_case",
        "`cases.Case.run` is no method",
        "def run",
    ),
    "startup without classmethod": (
        "class Case(TestCase):\n    def startup(self): pass\n" + RUN,
        "cases.Case",
        {},
        "not_a_test_case",
        "`cases.Case.startup` cannot be called",
        "`@classmethod` above it",
    ),
    "unknown kwarg": (
        "class Case(TestCase):\n    def __init__(self, url, path='/'): super().__init__()\n" + RUN,
        "cases.Case",
        {"url": "x", "pth": "y"},
        "kwargs",
        "Case.__init__ refuses these kwargs: got an unexpected keyword argument 'pth'",
        "did you mean `path`?",
    ),
    "missing kwarg": (
        "class Case(TestCase):\n    def __init__(self, url): super().__init__()\n" + RUN,
        "cases.Case",
        {},
        "kwargs",
        "missing a required argument: 'url'",
        "its signature is __init__(self, url)",
    ),
    "max_duration a string": (
        "class Case(TestCase):\n    max_duration = 'long'\n" + RUN,
        "cases.Case",
        {},
        "instance",
        "Case.max_duration must be a number above 0, not 'long'",
        "give the seconds",
    ),
    "max_duration not above 0": (
        "class Case(TestCase):\n    max_duration = 0\n" + RUN,
        "cases.Case",
        {},
        "instance",
        "Case.max_duration must be a number above 0, not 0",
        "give the seconds",
    ),
    "max_duration beyond floats": (
        "class Case(TestCase):\n    max_duration = 10**400\n" + RUN,
        "cases.Case",
        {},
        "instance",
        "Case.max_duration must be a number above 0, not 1000",
        "give the seconds",
    ),
    "max_duration infinite": (
        "class Case(TestCase):\n    max_duration = float('inf')\n" + RUN,
        "cases.Case",
        {},
        "instance",
        "Case.max_duration must be a number above 0, not inf",
        "give the seconds",
    ),
    "max_duration NaN": (
        "class Case(TestCase):\n    max_duration = float('nan')\n" + RUN,
        "cases.Case",
        {},
        "instance",
        "Case.max_duration must be a number above 0, not nan",
        "give the seconds",
    ),
    "max_duration of a class that raises": (
        "class Case(TestCase):\n    max_duration = type('Odd', (), {'__float__': lambda self: exec('raise SystemExit')})()\n"
        + RUN,
        "cases.Case",
        {},
        "instance",
        "Case.max_duration must be a number above 0, not <cases.Odd object",
        "give the seconds",
    ),
    "max_duration of ages": (
        "class Case(TestCase):\n    max_duration = 1e300\n" + RUN,
        "cases.Case",
        {},
        "instance",
        "Case.max_duration must be at most ten years, not 1e+300 seconds",
        None,
    ),
    "max_duration a method": (
        "class Case(TestCase):\n    def max_duration(self): return 5\n" + RUN,
        "cases.Case",
        {},
        "instance",
        "Case.max_duration must be a number above 0, not a method",
        "put @property above it",
    ),
    "summary a method": (
        "class Case(TestCase):\n    def summary(self): return 'x'\n" + RUN,
        "cases.Case",
        {},
        "instance",
        "Case.summary must be a string, not a method",
        "put @property above it",
    ),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_what_cannot_be_loaded_is_explained(write: Write, name: str) -> None:
    source, path, kwargs, fault, message, hint = PROBLEMS[name]
    write("", "pkg/__init__.py")
    write("", "pkg/test.py")
    write(source)
    problem = refused(path, kwargs)
    assert problem.fault == fault
    assert message in problem.message
    assert problem.hint == hint if hint is None else hint in (problem.hint or "")
    assert problem.traceback == ""


RAISING = {
    "import": (
        "import nowhere_at_all\n",
        "import",
        "module `cases` cannot be imported: ModuleNotFoundError: No module",
    ),
    "syntax": ("def (:\n", "import", "module `cases` cannot be imported: SyntaxError:"),
    "exit on import": ("import sys; sys.exit(3)\n", "import", "module `cases` cannot be imported: SystemExit: 3"),
    "lookup": ("def __getattr__(name): 1 / 0\n", "import", "`cases.Case` cannot be looked up: ZeroDivisionError"),
    "init": (
        "class Case(TestCase):\n    def __init__(self): 1 / 0\n" + RUN,
        "instance",
        "Case.__init__ raised ZeroDivisionError: division by zero",
    ),
    "exit in init": (
        "import sys\nclass Case(TestCase):\n    def __init__(self): sys.exit()\n" + RUN,
        "instance",
        "Case.__init__ raised SystemExit",
    ),
    "descriptor": (
        "class Case(TestCase):\n    @property\n    def setup(self): raise OSError('no')\n" + RUN,
        "instance",
        "`cases.Case` cannot be examined: OSError: no",
    ),
    "max_duration": (
        "class Case(TestCase):\n    @property\n    def max_duration(self): raise OSError('no')\n" + RUN,
        "instance",
        "Case.max_duration raised OSError: no",
    ),
}


@pytest.mark.parametrize("name", RAISING)
def test_user_code_that_raises_is_shown_with_its_own_frames(write: Write, name: str) -> None:
    source, fault, message = RAISING[name]
    write(source)
    problem = refused("cases.Case")
    assert problem.fault == fault
    assert problem.message.startswith(message)
    assert "cases.py" in problem.traceback
    for machinery in ("_loader.py", "importlib"):
        assert machinery not in problem.traceback


def test_a_missing_dependency_is_not_taken_for_a_missing_test(write: Write) -> None:
    write("import cases_lib.missing\n")
    write("", "cases_lib/__init__.py")
    problem = refused("cases.Case")
    assert problem.fault == "import"
    assert problem.hint == f"is `cases_lib.missing` installed for {sys.executable}?"


def test_a_text_may_need_what_startup_makes(write: Write) -> None:
    write(
        '''
        class Case(TestCase):
            """Reads."""
            @classmethod
            def startup(cls): cls.token = "t"
            def __str__(self): return self.token
            @property
            def summary(self): return self.token
            @property
            def description(self): raise RuntimeError("not asked before startup")
            def run(self): pass
        '''
    )
    answer = loaded("cases.Case")
    assert (answer.label, answer.summary, answer.max_duration_s) == ("<Case>", "Reads.", None)


def test_a_text_need_not_be_a_string(write: Write) -> None:
    write("class Case(TestCase):\n    summary = 42\n" + RUN)
    assert loaded("cases.Case").summary == "42"


@pytest.mark.parametrize(("text", "seconds"), [("2", 2.0), ("0.25", 0.25), ("True", 1.0), ("'7'", 7.0)])
def test_max_duration_may_be_any_number(write: Write, text: str, seconds: float) -> None:
    write(f"class Case(TestCase):\n    max_duration = {text}\n{RUN}")
    assert loaded("cases.Case").max_duration_s == seconds


def test_decorated_methods_are_not_judged_by_what_they_wrap(write: Write) -> None:
    write(
        """
        import functools
        def with_client(function):
            @functools.wraps(function)
            def wrapper(self, *args, **kwargs): return function(self, "client", *args, **kwargs)
            return wrapper
        class Case(TestCase):
            @with_client
            def __init__(self, client, url): super().__init__(url=url)
            @with_client
            def run(self, client): pass
            @staticmethod
            def startup(): pass
        """
    )
    assert loaded("cases.Case", {"url": "x"}).label == "<Case kwargs={'url': 'x'}>"


def test_text_that_utf8_cannot_say_is_escaped(write: Write) -> None:
    write("class Case(TestCase):\n    def __init__(self): raise ValueError('\\udc80')\n" + RUN)
    problem = refused("cases.Case")
    assert problem.message == "Case.__init__ raised ValueError: \\udc80"
    problem.traceback.encode()
