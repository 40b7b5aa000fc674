"""The Python half of a worker, without an engine: logging, import path, `startup` and `shutdown`."""

import logging
import os
import sys
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import pysurge
from pysurge import _inherit, _loader, _output
from pysurge._worker import Forward, Helpers

Record = tuple[float, str, str, int, str]


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a worker does to its process is undone."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setattr(_inherit, "_worker", False)
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    monkeypatch.setattr(_output, "_installed", [])
    yield
    _output.end()
    root.setLevel(level)
    root.handlers[:] = handlers


class Sent(list[Record]):
    """What a worker sends."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[bool, str, str]] = []

    def __call__(self, *record: Any) -> None:
        self.append(record)

    def print(self, *line: Any) -> None:
        self.lines.append(line)


def prepare(first: tuple[str, ...] = (), last: tuple[str, ...] = (), debug: bool = False) -> tuple[Helpers, Sent]:
    helpers, sent = Helpers(), Sent()
    helpers.prepare("Worker-1", sent, debug, first, last)
    return helpers, sent


class TestLogging:
    def test_records_are_sent_whole(self) -> None:
        _, sent = prepare()
        try:
            1 / 0  # noqa: B018
        except ZeroDivisionError:
            logging.getLogger("user").exception("lost %d", 3)
        [(created, thread, level, number, message)] = sent
        assert created > 0
        assert (thread, level, number) == (threading.current_thread().name, "ERROR", 40)
        assert message.startswith("lost 3\nTraceback")
        assert message.endswith("ZeroDivisionError: division by zero")

    @pytest.mark.parametrize(("debug", "levels"), [(False, ["INFO"]), (True, ["DEBUG", "INFO"])])
    def test_debug_records_are_sent_when_wanted(self, debug: bool, levels: list[str]) -> None:
        _, sent = prepare(debug=debug)
        logging.getLogger("user").debug("a")
        logging.getLogger("user").info("b")
        assert [record[2] for record in sent] == levels

    def test_text_that_utf8_cannot_say_is_sent(self) -> None:
        _, sent = prepare()
        logging.getLogger("user").info("half \udc80")
        assert sent[0][-1] == "half \\udc80"

    def test_filters_are_heeded(self) -> None:
        sent: list[Record] = []
        handler = Forward("Worker-1", lambda *record: sent.append(record))
        handler.addFilter(lambda record: record.levelno > logging.INFO)
        for level in (logging.INFO, logging.ERROR):
            handler.handle(logging.LogRecord("user", level, __file__, 1, "text", None, None))
        assert [record[3] for record in sent] == [logging.ERROR]

    def test_a_record_that_cannot_be_formatted_raises_nothing(self, capsys: pytest.CaptureFixture[str]) -> None:
        sent: list[Record] = []
        handler = Forward("Worker-1", lambda *record: sent.append(record))
        handler.handle(logging.LogRecord("user", logging.INFO, __file__, 1, "%d", ("no number",), None))
        assert sent == []
        assert "Logging error" in capsys.readouterr().err

    @pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
    def test_a_forked_process_prints_what_it_logs(self, capfd: pytest.CaptureFixture[str]) -> None:
        _, sent = prepare()
        pid = os.fork()
        if pid == 0:
            logging.getLogger("user").info("from the child")
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert sent == []
        line = capfd.readouterr().out
        assert line.endswith(f" Worker-1 {threading.current_thread().name} INFO from the child\n")


class TestImportPath:
    def test_the_users_folders_stand_first_and_last_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "path", ["", "/work", "/lib", "/config"])
        prepare(("/work",), ("/config", "/work"))
        assert sys.path == ["/work", "/lib", "/config"]

    def test_the_managers_path_is_inherited(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "path", ["/script", "/lib", "/added"])
        with _inherit.inheritance(wants_main=False):
            monkeypatch.setattr(sys, "path", ["", "/lib"])
            prepare(("/work",))
            assert "PYSURGE_INHERITED" not in os.environ
        assert sys.path == ["/work", "/script", "/lib", "/added"]

    def test_a_worker_makes_no_manager(self) -> None:
        prepare()
        manager = pysurge.Manager({"tests": [{"test_class": "a.B", "rate": 1}]}, 1)
        with pytest.raises(RuntimeError, match="__main__"):
            manager.start()


class Hooks(pysurge.TestCase):
    calls: list[str]

    @classmethod
    def startup(cls) -> None:
        cls.calls.append(f"{cls.__name__}.startup")

    @classmethod
    def shutdown(cls) -> None:
        cls.calls.append(f"{cls.__name__}.shutdown")

    def run(self) -> None:
        pass


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Helpers, list[str]]]:
    """Loads classes made of `Hooks`; what `startup` or `shutdown` raises is given by class name."""

    def load(*names: str, **raising: Any) -> tuple[Helpers, list[str]]:
        module, calls = types.ModuleType("hooked"), list[str]()
        for name in names:
            members: dict[str, Any] = {"calls": calls, "__module__": "hooked"}
            if name in raising:
                hook, error = raising[name]

                def fail(cls: type[Hooks], hook: str = hook, error: BaseException = error) -> None:
                    calls.append(f"{cls.__name__}.{hook}")
                    raise error

                members[hook] = classmethod(fail)
            setattr(module, name, type(name, (Hooks,), members))
        monkeypatch.setitem(sys.modules, "hooked", module)
        helpers = Helpers()
        for name in names:
            assert isinstance(helpers.load(f"hooked.{name}", {}, {}, None, True), _loader.Loaded)
        return helpers, calls

    return load


Hooked = Callable[..., tuple[Helpers, list[str]]]


class TestHooks:
    def test_they_run_once_per_class(self, hooks: Hooked) -> None:
        helpers, calls = hooks("A", "B")
        helpers.load("hooked.A", {"again": True}, {}, None, True)
        assert helpers.startup() == [None, None, None]
        helpers.shutdown()
        assert calls == ["A.startup", "B.startup", "A.shutdown", "B.shutdown"]

    @pytest.mark.parametrize("error", [ValueError("no luck"), SystemExit("no luck")])
    def test_a_startup_that_raises_is_told_for_each_of_its_tests(self, hooks: Hooked, error: BaseException) -> None:
        helpers, calls = hooks("A", "B", A=("startup", error))
        helpers.load("hooked.A", {"again": True}, {}, None, True)
        first, second, third = helpers.startup()
        assert second is None
        assert first is not None
        assert first == third
        assert first[:2] == ("hooked.A", f"{type(error).__name__}: no luck")
        assert "in fail" in first[2]
        helpers.shutdown()
        assert calls == ["A.startup", "B.startup", "A.shutdown", "B.shutdown"]

    def test_a_shutdown_that_raises_is_logged(self, hooks: Hooked, caplog: pytest.LogCaptureFixture) -> None:
        helpers, calls = hooks("A", "B", A=("shutdown", SystemExit("no luck")))
        helpers.startup()
        helpers.shutdown()
        assert calls[2:] == ["A.shutdown", "B.shutdown"]
        assert "SystemExit: no luck" in caplog.text

    def test_a_class_that_cannot_be_loaded_is_left_out(self, hooks: Hooked) -> None:
        helpers, calls = hooks("A")
        assert isinstance(helpers.load("hooked.C", {}, {}, None, True), _loader.Problem)
        assert helpers.startup() == [None, None]
        assert calls == ["A.startup"]


class TestStacks:
    def test_only_pool_threads_in_user_code_are_shown(self, caplog: pytest.LogCaptureFixture) -> None:
        entered, leave = threading.Event(), threading.Event()

        class Stuck:
            def run(self) -> None:
                entered.set()
                leave.wait(20)

        bystander = threading.Thread(target=leave.wait, name="bystander")
        bystander.start()
        helpers = Helpers()
        try:
            helpers.spawn("Stuck-1", Stuck())  # type: ignore[arg-type]
            helpers.spawn("Stuck#2-1", Stuck())  # type: ignore[arg-type]
            assert entered.wait(20)
            helpers.log_stacks(["Stuck"])
        finally:
            leave.set()
            bystander.join()
        assert "thread Stuck-1 still runs after the grace period" in caplog.text
        assert "leave.wait(20)" in caplog.text
        assert "bystander" not in caplog.text
        assert "Stuck#2" not in caplog.text
        assert "_bootstrap" not in caplog.text
