"""Rows of data from a Python iterable of the user's: read once in each worker, before the start, and kept."""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any, NamedTuple

from ._names import Problem, RefusedError, find, refusal, refuse, similar
from ._tracebacks import one_line

# Rows are kept as dicts, at some hundreds of bytes each, by every worker.
_MOST_ROWS = 1_000_000


class Rows(NamedTuple):
    """What an iterable gave, in its order; each test that names it gets the same dicts, and each iteration a copy of one."""

    rows: list[dict[str, Any]]


# By name. A generator gives its rows once, and several tests may be fed from it.
_known: dict[str, Rows] = {}


def read(name: str, folders: Sequence[str] = ()) -> Rows | Problem:
    """Read all rows of what ``module.name`` or ``file.py:name`` stands for.

    That is an iterable, or a function without parameters that gives one. Files are looked for in ``folders``.
    """
    known = _known.get(name)
    if known is not None:
        return known
    try:
        rows = Rows(_read(name, _find(name, folders)))
    except RefusedError as refused:
        return refused.problem._replace(fault="data")
    _known[name] = rows
    return rows


def _find(name: str, folders: Sequence[str]) -> Any:
    try:
        return find(name, folders, kind="Python iterable")
    except RefusedError as refused:
        file, colon, attribute = name.rpartition(":" if ":" in name else ".")
        module = sys.modules.get(os.path.splitext(os.path.basename(file))[0] if colon == ":" else file)
        if module is None or hasattr(module, attribute):
            raise
        # Rows are in variables, too, which no test can be.
        given = [key for key, value in vars(module).items() if not (key.startswith("_") or isinstance(value, ModuleType))]
        raise RefusedError(refused.problem._replace(hint=similar(attribute, given))) from None


def _read(name: str, found: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    try:
        for row in _iterable(name, found):
            if len(rows) == _MOST_ROWS:
                hint = "write them to a file (.csv, .jsonl) and name it: files are not kept in memory"
                raise refuse("data", f"data `{name}` gives more than {_MOST_ROWS:,} rows", hint)
            rows.append(_row(name, len(rows) + 1, row))
    except RefusedError:
        raise
    except BaseException as error:
        raise refuse("data", f"data `{name}` raised {one_line(error)} at row {len(rows) + 1:,}", error=error) from None
    if not rows:
        raise refuse("data", f"data `{name}` gives no rows", "each row feeds one iteration: give at least one")
    return rows


def _iterable(name: str, found: Any) -> Iterable[Any]:
    given = f"data `{name}`"
    if callable(found) and not isinstance(found, Iterable):
        reason = refusal(found)
        if reason is not None:
            raise refuse("data", f"{given} cannot be called: {reason}", "name a function without parameters")
        try:
            found = found()
        except BaseException as error:
            raise refuse("data", f"{given} raised {one_line(error)}", error=error) from None
        given = f"what data `{name}` returns"
    if isinstance(found, Mapping):
        raise refuse("data", f"{given} is one mapping, not a list of them", "give a list with a dict for each row")
    if not isinstance(found, Iterable) and not hasattr(found, "__getitem__"):
        close = getattr(found, "close", None)
        if callable(close):
            # A coroutine that nobody will ever wait for.
            close()
        hint = "name a list of dicts, a generator, or a plain function that gives one"
        raise refuse("data", f"{given} is of type {type(found).__name__} and no iterable", hint)
    return found  # type: ignore[no-any-return]


def _row(name: str, number: int, row: Any) -> dict[str, Any]:
    what = f"row {number:,} of data `{name}`"
    if not isinstance(row, Mapping):
        hint = 'a row is a dict whose keys name its values, such as {"user": "ann"}'
        raise refuse("data", f"{what} is of type {type(row).__name__} and no mapping", hint)
    plain = dict(row)
    for key in plain:
        if not isinstance(key, str):
            raise refuse("data", f"{what} has the key {key!r}, which is no string", "use strings as keys")
    return plain
