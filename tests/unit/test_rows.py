"""What a Python iterable comes to as rows of data, and what is said where it comes to nothing."""

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from pysurge import _rows
from pysurge._names import Problem

Write = Callable[[str], None]

NAME_A_LIST = "name a list of dicts, a generator, or a plain function that gives one"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes the module `feed`, which is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(_rows, "_known", {})
    before = set(sys.modules)
    yield lambda source: (tmp_path / "feed.py").write_text(textwrap.dedent(source)) and None
    for name in set(sys.modules) - before:
        del sys.modules[name]


def rows(name: str) -> list[dict[str, Any]]:
    answer = _rows.read(name)
    assert isinstance(answer, _rows.Rows), answer
    return answer.rows


def problem(name: str) -> Problem:
    answer = _rows.read(name)
    assert isinstance(answer, Problem), answer
    assert answer.fault == "data"
    return answer


@pytest.mark.parametrize(
    "source",
    [
        "users = [{'user': 'ann'}, {'user': 'bob', 'age': 7}]",
        "users = ({'user': 'ann'}, {'user': 'bob', 'age': 7})",
        "users = (row for row in [{'user': 'ann'}, {'user': 'bob', 'age': 7}])",
        "def users(): return [{'user': 'ann'}, {'user': 'bob', 'age': 7}]",
        """
        def users(most=2):
            yield {'user': 'ann'}
            yield {'user': 'bob', 'age': 7}
        """,
        """
        class Users:
            def __iter__(self): return iter([{'user': 'ann'}, {'user': 'bob', 'age': 7}])
            def __call__(self): raise AssertionError
        users = Users()
        """,
        """
        class Users:
            def __getitem__(self, at): return [{'user': 'ann'}, {'user': 'bob', 'age': 7}][at]
        users = Users()
        """,
        """
        from types import MappingProxyType
        users = [MappingProxyType({'user': 'ann'}), {'user': 'bob', 'age': 7}]
        """,
    ],
)
@pytest.mark.parametrize("name", ["feed.users", "feed.py:users"])
def test_whatever_gives_mappings_is_data(write: Write, source: str, name: str) -> None:
    write(source)
    found = rows(name)
    assert found == [{"user": "ann"}, {"user": "bob", "age": 7}]
    assert all(type(row) is dict for row in found)
    # A generator is spent after the first time; a second test that names it is fed all the same.
    assert rows(name) is found


def test_a_mapping_of_any_kind_is_a_row() -> None:
    assert _rows._row("x", 1, MappingProxyType({"a": 1})) == {"a": 1}


@pytest.mark.parametrize(
    ("source", "message", "hint"),
    [
        ("users = []", "data `feed.users` gives no rows", "each row feeds one iteration: give at least one"),
        (
            "users = 7",
            "data `feed.users` is of type int and no iterable",
            "name a list of dicts, a generator, or a plain function that gives one",
        ),
        ("def users(): return None", "what data `feed.users` returns is of type NoneType and no iterable", None),
        ("async def users(): return []", "what data `feed.users` returns is of type coroutine and no iterable", None),
        ("async def users(): yield {}", "what data `feed.users` returns is of type async_generator and no iterable", None),
        (
            "def users(count): return []",
            "data `feed.users` cannot be called: missing a required argument: 'count'",
            "name a function without parameters",
        ),
        ("def users(): raise ValueError('no db')", "data `feed.users` raised ValueError: no db", None),
        (
            "users = {'user': 'ann'}",
            "data `feed.users` is one mapping, not a list of them",
            "give a list with a dict for each row",
        ),
        ("users = [{'a': 1}, 'bob']", "row 2 of data `feed.users` is of type str and no mapping", None),
        ("users = 'ann'", "row 1 of data `feed.users` is of type str and no mapping", None),
        ("users = [{1: 2}]", "row 1 of data `feed.users` has the key 1, which is no string", "use strings as keys"),
        ("user = []", "module `feed` (feed.py) has no `users`", "did you mean `user`?"),
        ("raise SystemExit(3)", "module `feed` cannot be imported: SystemExit: 3", None),
    ],
)
def test_what_is_no_data_is_told(write: Write, source: str, message: str, hint: str | None) -> None:
    write(source)
    told = problem("feed.users")
    assert told.message == message
    if hint:
        assert told.hint == hint


def test_an_error_half_way_shows_the_users_frames(write: Write) -> None:
    write(
        """
        def users():
            yield {"user": "ann"}
            raise RuntimeError("lost the connection")
        """
    )
    told = problem("feed.users")
    assert told.message == "data `feed.users` raised RuntimeError: lost the connection at row 2"
    assert "feed.py" in told.traceback
    assert "_rows.py" not in told.traceback


def test_an_iterable_without_an_end_is_told(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_rows, "_MOST_ROWS", 1_000)
    write(
        """
        import itertools
        users = ({"n": n} for n in itertools.count())
        thousand = [{"n": n} for n in range(1_000)]
        """
    )
    told = problem("feed.users")
    assert told.message == "data `feed.users` gives more than 1,000 rows"
    assert told.hint == "write them to a file (.csv, .jsonl) and name it: files are not kept in memory"
    assert len(rows("feed.thousand")) == 1_000
