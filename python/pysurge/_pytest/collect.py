"""From what a user asks for to the items that pytest collects, or to what is wrong with it.

User code runs here: conftest files, test modules, plugins. Whatever it raises becomes a ``Problem``.
"""

import math
import os
from collections.abc import Sequence
from typing import Any

import pytest
from _pytest.compat import is_async_function
from _pytest.config import ConftestImportFailure
from _pytest.mark import deselect_by_keyword, deselect_by_mark
from _pytest.outcomes import OutcomeException
from _pytest.skipping import evaluate_skip_marks, evaluate_xfail_marks

from .._names import Problem, RefusedError, refuse, similar
from .._paths import shown
from .._tracebacks import one_line
from . import alone
from .model import Collected, Entry, Item, Wanted
from .plugin import Plugin
from .session import Session, cause_of


def problem(error: BaseException) -> Problem:
    """What is wrong, of whatever making a session or collecting raised."""
    if isinstance(error, RefusedError):
        return error.problem
    if isinstance(error, pytest.UsageError):
        return refuse("collect", _usage(error)).problem
    cause = cause_of(error)
    if isinstance(error, ConftestImportFailure):
        return refuse("collect", f"{shown(str(error.path))} cannot be imported: {one_line(cause)}", error=cause).problem
    return refuse("collect", f"pytest cannot collect the tests: {one_line(cause)}", error=cause).problem


def _usage(error: pytest.UsageError) -> str:
    lines = [line.strip() for text in error.args for line in str(text).splitlines()]
    told = [line.partition("error: ")[2] for line in lines if "error: " in line] or [line for line in lines if line]
    return f"pytest says: {'; '.join(told)}"


def check_paths(entries: Sequence[Entry]) -> None:
    """Refuse paths that are not there, before pytest makes a session of it."""
    for entry in entries:
        path = entry.path.partition("::")[0]
        if os.path.exists(path):
            continue
        folder, name = os.path.split(path)
        try:
            hint = similar(name, os.listdir(folder or "."), few=False)
        except OSError:
            hint = None
        raise refuse("collect", f"there is no `{path}`", hint or "name a folder, a file, or file.py::test")


def collect(session: Session, entries: Sequence[Entry]) -> Collected:
    """The items of each entry; raises ``RefusedError``, or what pytest raises."""
    option = session.config.option
    given = (option.keyword, option.markexpr)
    option.keyword = option.markexpr = ""
    items = session.collect()
    check_collected(session.plugin)
    found = []
    for entry in entries:
        option.keyword, option.markexpr = entry.keyword or given[0] or "", entry.markers or given[1] or ""
        found.append([_item(item) for item in _of_entry(session, entry, items)])
    inifile = session.config.inipath
    return Collected(found, str(session.config.rootpath), None if inifile is None else str(inifile))


def check_collected(plugin: Plugin) -> None:
    """Refuse what could not be collected."""
    for node, error in plugin.errors:
        cause = cause_of(error)
        where = shown(str(getattr(node, "path", ""))) or node.nodeid
        if isinstance(error, ConftestImportFailure):
            where = shown(str(error.path))
        verb = "imported" if isinstance(error, pytest.Collector.CollectError) else "collected"
        raise refuse("collect", f"{where} cannot be {verb}: {one_line(cause)}", error=cause)
    for report in plugin.failed_reports:
        raise refuse("collect", f"{report.nodeid} cannot be collected: {report.longreprtext.strip()}")


def gone(wanted: Wanted) -> RefusedError:
    """Say that a worker does not find what was collected before."""
    hint = "do names of tests depend on the time, on chance, or on the order of a set?"
    return refuse("collect", f"{wanted.node_id} is not there any more", hint)


def _of_entry(session: Session, entry: Entry, items: Sequence[Any]) -> list[Any]:
    asked = [item for item in items if _is_asked_for(entry.path, item)]
    kept = list(asked)
    # pytest deselects in place, by the options of the session.
    deselect_by_keyword(kept, session.config)
    deselect_by_mark(kept, session.config)
    if kept:
        return kept
    if asked:
        option = session.config.option
        said = [f"{flag} {value!r}" for flag, value in (("-k", option.keyword), ("-m", option.markexpr)) if value]
        raise refuse("collect", f"{' and '.join(said)} leaves none of the {len(asked)} tests of `{entry.path}`")
    plugin = session.plugin
    hint = None
    if plugin.skipped:
        hint = f"it skips itself: {plugin.skipped[0].removeprefix('Skipped: ')}"
    elif plugin.deselected:
        hint = f"a plugin or conftest.py took out {plugin.deselected} tests"
    raise refuse(
        "collect", f"pytest finds no tests in `{entry.path}`", hint or "files are test_*.py, functions test_*, classes Test*"
    )


def widest(paths: Sequence[str]) -> list[str]:
    """The paths without those that lie in others: versions of pytest differ in what they make of such."""
    asked = {path: _parts(path) for path in paths}
    return [
        path
        for path, (file, names) in asked.items()
        if not any(
            other != path and _lies_in(file, names, *wide) and not (path < other and _lies_in(*wide, file, names))
            for other, wide in asked.items()
        )
    ]


def _is_asked_for(path: str, item: Any) -> bool:
    inside = [node for node in item.listchain() if node.path == item.path and not isinstance(node, pytest.File)]
    names = [node.name for node in inside]
    file, wanted = _parts(path)
    return _lies_in(os.path.realpath(item.path), names, file, wanted)


def _parts(path: str) -> tuple[str, list[str]]:
    # A parameter may hold anything.
    head, bracket, parameter = path.partition("[")
    file, *names = head.split("::")
    if not names:
        return os.path.realpath(path), []
    names[-1] += bracket + parameter
    return os.path.realpath(file), names


def _lies_in(file: str, names: Sequence[str], wide_file: str, wide_names: Sequence[str]) -> bool:
    if file != wide_file:
        return not wide_names and file.startswith(os.path.join(wide_file, ""))
    return len(wide_names) <= len(names) and all(
        wide in (name, name.partition("[")[0]) for wide, name in zip(wide_names, names, strict=False)
    )


def _item(item: Any) -> Item:
    skip = _skip(item)
    if skip is None:
        _check_fixtures(item)
        _check_async(item)
    weight, rate = _share(item)
    reason = alone.reason(item)
    note = None if reason is None else alone.note(reason)
    return Item(item.nodeid, os.path.abspath(item.path), weight, rate, skip, note)


def _skip(item: Any) -> str | None:
    try:
        skip = evaluate_skip_marks(item)
        if skip is not None:
            return skip.reason or "skipped"
        expected = evaluate_xfail_marks(item)
    except (Exception, OutcomeException) as error:
        raise refuse("collect", f"a mark of {item.nodeid} cannot be read: {one_line(error)}", error=error) from None
    if expected is not None and not expected.run and not item.config.option.runxfail:
        return f"xfail, not to be run: {expected.reason}".rstrip(": ")
    for each in (getattr(item, "obj", None), getattr(item, "cls", None)):
        if getattr(each, "__unittest_skip__", False) is True:
            return str(getattr(each, "__unittest_skip_why__", "")) or "skipped"
    return None


def _check_fixtures(item: Any) -> None:
    info = getattr(item, "_fixtureinfo", None)
    if info is None:
        return
    callspec = getattr(item, "callspec", None)
    params = {} if callspec is None else callspec.params
    for name in info.names_closure:
        if name != "request" and name not in params and not info.name2fixturedefs.get(name):
            hint = similar(name, _fixture_names(item), few=False)
            raise refuse("collect", f"{item.nodeid} asks for the fixture `{name}`, which does not exist", hint)


def _fixture_names(item: Any) -> list[str]:
    manager = item.session._fixturemanager
    known = getattr(manager, "_arg2node2fixturedefs", None) or getattr(manager, "_arg2fixturedefs", {})
    return [name for name in known if not name.startswith("_")]


def _check_async(item: Any) -> None:
    if type(item) is not pytest.Function or not is_async_function(item.obj):
        return
    others = [each for each in item.ihook.pytest_pyfunc_call.get_hookimpls() if not isinstance(each.plugin, Plugin)]
    if all(getattr(each.plugin, "__name__", "").startswith("_pytest.") for each in others):
        hint = "install pytest-asyncio or anyio and mark the test, or name the coroutine function itself: file.py:function"
        raise refuse("collect", f"{item.nodeid} is `async def`, which pytest runs only with a plugin", hint)


def _share(item: Any) -> tuple[float, float | None]:
    values: dict[str, Any] = {}
    for mark in item.iter_markers("surge"):
        given = {**dict(zip(("weight", "rate", "alone"), mark.args, strict=False)), **mark.kwargs}
        unknown = sorted(given.keys() - {"weight", "rate", "alone"})
        if unknown:
            hint = similar(unknown[0], ("weight", "rate", "alone")) or "it takes weight, rate and alone"
            raise refuse("collect", f"the mark surge of {item.nodeid} takes no `{unknown[0]}`", hint)
        values = {**given, **values}
    weight, rate = values.get("weight", 1), values.get("rate")
    return _number(item, "weight", weight), None if rate is None else _number(item, "rate", rate)


def _number(item: Any, name: str, value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0:
        return float(value)
    raise refuse("collect", f"the mark surge of {item.nodeid} has {name}={value!r}", f"{name} is a number above 0")
