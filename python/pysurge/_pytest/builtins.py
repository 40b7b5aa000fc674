"""Fixtures in place of pytest's own, where those are made for one test at a time; registered as a plugin."""

import contextlib
import itertools
import logging
import os
import re
import shutil
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.logging import LogCaptureFixture, LogCaptureHandler, caplog_handler_key, caplog_records_key

from .runner import add_note

_NAME_LENGTH = 30
# pytest's root logger lets these through where nobody asked for another level.
_PYTEST_LEVEL = logging.WARNING


# -- data --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def surge_data(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The row of the data feeder that this iteration got."""
    data: dict[str, Any] | None = request.node._surge.iteration.data
    if data is None:
        pytest.fail("surge_data has no row: give this test data, with `data: FILE` in its entry of the config", pytrace=False)
    return data


# -- files -------------------------------------------------------------------------------------------------------------

_numbers = itertools.count()


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, _surge_tmp: str) -> Iterator[Path]:
    """A folder of this iteration, removed at its end."""
    name = re.sub(r"\W", "_", request.node.name)[:_NAME_LENGTH]
    path = f"{_surge_tmp}{os.sep}{name}{next(_numbers)}"
    os.mkdir(path, 0o700)
    yield Path(path)
    try:
        os.rmdir(path)
    except OSError:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def _surge_tmp(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("iterations"))


# -- logs --------------------------------------------------------------------------------------------------------------


class _OfThread(LogCaptureHandler):
    """The records of one iteration."""

    level_was_set = False

    def takes(self, record: logging.LogRecord) -> bool:
        """Whether pytest would see it: our own processes let more through than pytest does."""
        if self.level_was_set or record.levelno >= _dispatch.root_level:
            return True
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger is not None and logger.parent is not None:
            if logger.level:
                return True
            logger = logger.parent
        return False


class _Dispatch(logging.Handler):
    """One handler for all threads, which gives each record to the iteration on whose thread it was made."""

    def __init__(self) -> None:
        super().__init__()
        self.by_thread: dict[int, _OfThread] = {}
        self.root_level = _PYTEST_LEVEL
        self._attached: list[logging.Logger] = []

    def handle(self, record: logging.LogRecord) -> bool:
        """Without the handler's lock: each thread has a handler of its own."""
        handler = self.by_thread.get(threading.get_ident())
        if handler is not None and record.levelno >= handler.level and handler.takes(record):
            handler.handle(record)
        return True

    def attach(self, config: pytest.Config) -> None:
        """See all loggers."""
        level = config.getoption("log_level", None) or config.getini("log_level")
        root = logging.getLogger()
        if level:
            self.root_level = int(level) if str(level).isdigit() else logging.getLevelName(str(level).upper())
            root.setLevel(min(root.level, self.root_level))
        known = [each for each in root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
        for logger in (root, *(each for each in known if not each.propagate)):
            logger.addHandler(self)
            self._attached.append(logger)

    def detach(self) -> None:
        """See nothing any more."""
        for logger in self._attached:
            logger.removeHandler(self)
        self._attached.clear()
        self.root_level = _PYTEST_LEVEL


_dispatch = _Dispatch()


class _LogCapture(LogCaptureFixture):  # type: ignore[misc]
    """``caplog`` of one iteration. Levels belong to the whole process: whoever sets one runs alone from there on."""

    def set_level(self, level: int | str, logger: str | None = None) -> None:
        """Set the level of a logger until the iteration ends."""
        self._be_alone()
        super().set_level(level, logger)

    @contextlib.contextmanager
    def at_level(self, level: int | str, logger: str | None = None) -> Generator[None]:
        """Set the level of a logger for a while."""
        self._be_alone()
        with super().at_level(level, logger):
            yield

    def _be_alone(self) -> None:
        handler: Any = self.handler
        handler.level_was_set = True
        item: Any = self._item
        item._surge.be_alone("a level set by caplog")


@pytest.fixture(scope="session")
def _surge_logs(request: pytest.FixtureRequest) -> Iterator[logging.Formatter]:
    log_format = request.config.getini("log_format")
    _dispatch.attach(request.config)
    yield logging.Formatter(log_format, request.config.getini("log_date_format"))
    _dispatch.detach()


@pytest.fixture
def caplog(request: pytest.FixtureRequest, _surge_logs: logging.Formatter) -> Iterator[LogCaptureFixture]:
    """The records that are made on the thread of this iteration."""
    handler = _OfThread()
    handler.setFormatter(_surge_logs)
    request.node.stash[caplog_handler_key] = handler
    request.node.stash[caplog_records_key] = {"setup": handler.records, "call": handler.records, "teardown": handler.records}
    capture = _LogCapture(request.node, _ispytest=True)
    ident = threading.get_ident()
    _dispatch.by_thread[ident] = handler
    yield capture
    del _dispatch.by_thread[ident]
    capture._finalize()


# -- subtests ----------------------------------------------------------------------------------------------------------


class _Subtests:
    """``subtests`` of one iteration: a failing one fails the iteration when the test has ended."""

    def __init__(self, failures: list[BaseException]) -> None:
        self._failures = failures

    @contextlib.contextmanager
    def test(self, msg: str | None = None, **kwargs: Any) -> Iterator[None]:
        """Go on after what is raised inside."""
        try:
            yield
        except (pytest.skip.Exception, pytest.xfail.Exception):
            pass
        except (Exception, pytest.fail.Exception) as error:
            shown = [f"[{msg}]"] if msg else []
            shown += [f"{name}={value!r}" for name, value in kwargs.items()]
            add_note(error, f"in subtest {' '.join(shown)}")
            self._failures.append(error)


@pytest.fixture
def subtests(request: pytest.FixtureRequest) -> _Subtests:
    """Steps of a test, of which each may fail."""
    return _Subtests(request.node._surge.subtest_failures)
