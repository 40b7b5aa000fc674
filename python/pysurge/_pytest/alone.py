"""Which tests change the whole process, so that their iterations run alone in their worker, and why.

Fixtures that do so are known by name. Of what a test calls itself only the names in its code can be looked at, and those of its
fixtures of function scope: what hides deeper must be marked by the user.
"""

import dis
import functools
import os
import sys
from collections.abc import Callable, Iterator
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any
from unittest import mock

import _pytest
from _pytest.compat import get_real_func

if TYPE_CHECKING:
    from _pytest.nodes import Item

# Fixtures of pytest and of well-known plugins that patch, capture or move the process, or write files of the project.
_PATCHING = (
    *("monkeypatch", "capsys", "capfd", "capsysbinary", "capfdbinary", "capteesys", "recwarn", "pytester", "testdir"),
    # It keeps what it is told in files of the project, which are read while they are written.
    "cache",
    *("mocker", "requests_mock", "respx_mock", "httpx_mock", "freezer", "time_machine", "fs", "socket_disabled"),
)
# Loops that pytest-asyncio shares among tests.
_LOOPS = tuple(f"_{scope}_scoped_runner" for scope in ("class", "module", "package", "session"))

# By the name of a fixture, a word that fits after "uses".
FIXTURES = {**{name: name for name in _PATCHING}, **dict.fromkeys(_LOOPS, "an event loop for several tests")}

# Marks that say it, ours apart.
_MARKS = ("thread_unsafe", "anyio")

# What is called to change the handlers of loggers, the current folder, or the filters of warnings.
_NAMES = {"assertLogs", "assertNoLogs", "chdir"}
_WARNINGS = {"assertWarns", "assertWarnsRegex", "catch_warnings", "deprecated_call", "warns"}

# Modules that patch the process.
_MODULES = ("freezegun", "httpretty", "moto", "pyfakefs", "requests_mock", "responses", "respx", "time_machine", "vcr")


def reason(item: "Item") -> str | None:
    """Why an item must run alone, as far as can be told before it runs; a word that fits after "uses"."""
    return next(_reasons(item), None)


def note(why: str) -> str:
    """What a user should know of it."""
    return f"uses {why}, which changes the whole process: its iterations run alone in their worker"


def _reasons(item: Any) -> Iterator[str]:
    if any(mark.kwargs.get("alone") or mark.args[2:] == (True,) for mark in item.iter_markers("surge")):
        yield "surge(alone=True)"
    yield from (f"the mark {name}" for name in _MARKS if item.get_closest_marker(name) is not None)
    if hasattr(item, "dtest"):
        yield "doctest"
    filters = [str(each) for mark in item.iter_markers("filterwarnings") for each in mark.args]
    if any(each.partition(":")[0].strip() == "error" for each in filters):
        yield "the mark filterwarnings"
    names = getattr(item, "fixturenames", ())
    yield from (FIXTURES[name] for name in names if name in FIXTURES)
    for function in _functions(item):
        yield from _of_function(function)


def _functions(item: Any) -> Iterator[Callable[..., Any]]:
    """The test and its fixtures of function scope, but for those of pytest itself."""
    if callable(getattr(item, "obj", None)):
        yield item.obj
    info = getattr(item, "_fixtureinfo", None)
    known = () if info is None else info.name2fixturedefs.values()
    yield from (each.func for definitions in known for each in definitions if each.scope == "function")


def _of_function(function: Any) -> Iterator[str]:
    if getattr(function, "patchings", None):
        yield "mock.patch"
    real: Any = get_real_func(function)  # type: ignore[no-untyped-call]
    real = getattr(real, "__func__", real)
    code = getattr(real, "__code__", None)
    if not isinstance(code, CodeType) or code.co_filename.startswith(_PYTEST_FOLDER):
        return
    names, global_names = _named_in(code)
    yield from sorted(names & _watched())
    values = getattr(real, "__globals__", {})
    for name in sorted(global_names & values.keys()):
        yield from _of_value(values[name], names)


def _of_value(value: Any, names: frozenset[str]) -> Iterator[str]:
    if value is mock.patch or (value is mock and "patch" in names):
        yield "mock.patch"
    home = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    package = home.partition(".")[0] if isinstance(home, str) else ""
    if package in _MODULES:
        yield package


def _watched() -> set[str]:
    # Where each thread has filters of its own, only what is done to loggers is left.
    return _NAMES if getattr(sys.flags, "context_aware_warnings", False) else _NAMES | _WARNINGS


@functools.cache
def _named_in(code: CodeType) -> tuple[frozenset[str], frozenset[str]]:
    """The names in a function and in those inside it: all of them, and those that are global."""
    names = set(code.co_names)
    global_names = {each.argval for each in dis.get_instructions(code) if each.opname in {"LOAD_GLOBAL", "LOAD_NAME"}}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            inner, inner_global = _named_in(constant)
            names |= inner
            global_names |= inner_global
    return frozenset(names), frozenset(global_names)


_PYTEST_FOLDER = os.path.join(os.path.dirname(_pytest.__file__), "")
