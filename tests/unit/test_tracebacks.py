"""What is shown of an exception: the user's frames, its causes, and text that can always be sent."""

import builtins
import json
import sys
import types
from collections.abc import Callable

import pytest

from pysurge import _paths, _tracebacks
from pysurge._tracebacks import describe, one_line, render

HERE = __file__


def caught(raiser: Callable[[], object]) -> BaseException:
    try:
        raiser()
    except BaseException as error:
        # The frame of this helper is not part of what is tested.
        assert error.__traceback__ is not None
        return error.with_traceback(error.__traceback__.tb_next)
    raise AssertionError("nothing was raised")


def line_of(error: BaseException) -> int:
    assert error.__traceback__ is not None
    return error.__traceback__.tb_lineno


def divide() -> None:
    1 / 0  # noqa: B018


def parse() -> None:
    json.loads("{")


class TestDescribe:
    def test_type_message_and_line(self) -> None:
        error = caught(divide)
        kind, message, frame = describe(error)
        assert (kind, message) == ("ZeroDivisionError", "division by zero")
        assert frame == f"{_paths.shown(HERE)}:{line_of(error)} in divide"

    def test_the_line_is_the_users_nearest_to_the_error(self) -> None:
        error = caught(parse)
        kind, _, frame = describe(error)
        assert kind == "json.decoder.JSONDecodeError"
        assert frame == f"{_paths.shown(HERE)}:{line_of(error)} in parse"

    def test_without_frames_there_is_no_line(self) -> None:
        assert describe(ValueError("x")) == ("ValueError", "x", "")

    def test_ours_is_never_the_users(self) -> None:
        from pysurge import TestRunner

        _, _, frame = describe(caught(lambda: TestRunner(None, {}, 1)))  # type: ignore[arg-type]
        assert "_runner.py" not in frame
        assert frame.endswith("in <lambda>")


def installed(name: str, source: str) -> types.ModuleType:
    """A module that looks as if it were an installed package's."""
    module = types.ModuleType(name)
    exec(compile(source, f"/opt/lib/site-packages/{name}.py", "exec"), module.__dict__)
    return module


class TestInstalledTestCases:
    """A test case that is itself in an installed package: nothing is the user's, so it is where we entered."""

    def test_the_entry_stands_for_the_user(self) -> None:
        client = installed("client", "def get():\n    raise OSError('refused')\n")
        case = installed("case", "def run(get):\n    go(get)\ndef go(get):\n    get()\n")
        error = caught(lambda: case.run(client.get))
        assert error.__traceback__ is not None
        error = error.with_traceback(error.__traceback__.tb_next)  # without the lambda, which is ours to call
        assert describe(error)[2] == "/opt/lib/site-packages/case.py:4 in go"
        text = render(error)
        assert "in run" in text
        assert "client.py" not in text

    def test_a_users_frame_stands_before_the_packages(self) -> None:
        client = installed("client", "def get():\n    raise OSError('refused')\n")
        text = render(caught(lambda: [client.get()]))
        assert "test_tracebacks.py" in text
        assert "client.py" not in text


class TestRender:
    def test_frames_then_the_error(self) -> None:
        error = caught(divide)
        lines = render(error).splitlines()
        assert lines[0] == f'  File "{_paths.shown(HERE)}", line {line_of(error)}, in divide'
        assert lines[-1] == "ZeroDivisionError: division by zero"

    def test_library_frames_are_left_out(self) -> None:
        text = render(caught(parse))
        assert "in parse" in text
        assert "decoder.py" not in text

    def test_causes_take_a_line_each(self) -> None:
        def chained() -> None:
            try:
                try:
                    divide()
                except ZeroDivisionError:
                    raise KeyError("a\nb")  # noqa: B904 - its context is what is tested
            except KeyError as error:
                raise RuntimeError("top") from error

        assert render(caught(chained)).splitlines()[-3:] == [
            "RuntimeError: top",
            "caused by KeyError: 'a\\nb'",
            "caused by ZeroDivisionError: division by zero",
        ]

    def test_from_none_hides_the_context(self) -> None:
        def hidden() -> None:
            try:
                divide()
            except ZeroDivisionError:
                raise RuntimeError("top") from None

        assert "caused by" not in render(caught(hidden))

    def test_causes_in_a_circle_end(self) -> None:
        one, two = ValueError("one"), ValueError("two")
        one.__cause__, two.__cause__ = two, one
        assert render(one).splitlines() == ["ValueError: one", "caused by ValueError: two"]

    def test_long_chains_are_cut(self) -> None:
        top = error = ValueError("0")
        for number in range(1, 50):
            error.__cause__ = ValueError(str(number))
            error = error.__cause__
        assert len(render(top).splitlines()) == 1 + _tracebacks._MAX_CAUSES

    def test_a_syntax_error_shows_its_line(self) -> None:
        text = render(caught(lambda: compile("a = = b", "config.py", "exec")))
        assert 'File "config.py", line 1' in text
        assert "a = = b" in text

    @pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups came with Python 3.11")
    def test_groups_and_notes(self) -> None:
        group = vars(builtins)["ExceptionGroup"]("two", [ValueError("a"), TypeError("b")])
        group.add_note("seen twice")
        assert render(group).splitlines() == [
            "ExceptionGroup: two (2 sub-exceptions)",
            "seen twice",
            "  with ValueError: a",
            "  with TypeError: b",
        ]


class Silent(Exception):
    def __str__(self) -> str:
        raise SystemExit("even this")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError(), "ValueError"),
        (ValueError("a\n  b"), "ValueError: a b"),
        (KeyError("k"), "KeyError: 'k'"),
        (ValueError("\udc80"), "ValueError: \\udc80"),
        (Silent(), f"{__name__}.Silent: (its message cannot be shown)"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_one_line(error: BaseException, line: str) -> None:
    assert one_line(error) == line
    assert render(error).encode("utf-8")


@pytest.mark.parametrize(
    ("filename", "users"),
    [
        (HERE, True),
        ("/srv/tests/upload.py", True),
        ("/srv/my-site-packages/upload.py", True),
        (json.__file__, False),
        (pytest.__file__, False),
        (_paths.__file__, False),
        ("/usr/lib/python3/dist-packages/requests/api.py", False),
        ("/home/u/.local/lib/python3.11/site-packages/requests/api.py", False),
        ("<frozen importlib._bootstrap>", False),
        ("<string>", False),
        (_paths.demo_folder() + "/pysurge_demo.py", True),
    ],
)
def test_which_files_are_the_users(filename: str, users: bool) -> None:
    assert _paths.is_users(filename) is users


def test_which_files_are_ours() -> None:
    assert _paths.is_ours(_paths.__file__)
    assert not _paths.is_ours(_paths.demo_folder() + "/pysurge_demo.py")
    assert not _paths.is_ours(HERE)


class TestHostileExceptions:
    """Whatever an exception is, it is told in bounded text, and nothing is raised for it."""

    def test_a_message_of_megabytes_is_cut(self) -> None:
        kind, message, _ = describe(ValueError("x" * 10_000_000))
        assert kind == "ValueError"
        assert len(message) < 70_000
        assert message.endswith("more characters)")
        assert len(render(ValueError("x" * 10_000_000))) < 70_000

    @pytest.mark.parametrize("text", [5, None, b"x", RuntimeError("no"), SystemExit(1), "recursion"])
    def test_a_text_that_is_none(self, text: object) -> None:
        class OddError(Exception):
            def __str__(self) -> str:
                if isinstance(text, BaseException):
                    raise text
                return str(self) if text == "recursion" else text  # type: ignore[return-value]

        assert describe(OddError())[1] == "(its message cannot be shown)"
        assert "OddError: (its message cannot be shown)" in render(OddError())

    def test_causes_in_a_circle(self) -> None:
        first, second = ValueError("a"), ValueError("b")
        first.__cause__, second.__cause__ = second, first
        assert render(first) == "ValueError: a\ncaused by ValueError: b"
        first.__cause__ = first
        assert render(first) == "ValueError: a"

    def test_causes_without_end(self) -> None:
        error: BaseException | None = None
        for n in range(10_000):
            raised = ValueError(str(n))
            raised.__cause__, error = error, raised
        assert error is not None
        assert render(error).count("caused by") == 5

    def test_ten_thousand_frames(self) -> None:
        def deeper(n: int) -> None:
            if n == 0:
                raise RecursionError("too deep")
            (other if n % 2 else deeper)(n - 1)

        def other(n: int) -> None:
            deeper(n - 1) if n > 0 else deeper(0)

        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(20_000)
        try:
            shown = render(caught(lambda: deeper(10_000)))
        finally:
            sys.setrecursionlimit(limit)
        lines = shown.splitlines()
        assert len(lines) < 100
        assert "more frames …" in shown
        assert lines[-1] == "RecursionError: too deep"

    def test_a_group_of_ten_thousand(self) -> None:
        class Group(Exception):
            exceptions = tuple(ValueError(n) for n in range(10_000))

        shown = render(Group("all at once"))
        assert shown.count("  with ValueError") == 10
        assert "and 9990 more" in shown

    def test_attributes_that_raise(self) -> None:
        class OddError(Exception):
            @property
            def exceptions(self) -> object:
                raise RuntimeError("no")

            @property
            def __notes__(self) -> object:
                raise RuntimeError("no")

        assert render(OddError("x")).endswith("OddError: x")

    def test_notes_without_end(self) -> None:
        error = ValueError("x")
        error.__notes__ = ["n" * 1_000_000] * 1_000
        assert len(render(error)) < 1_000_000
