"""A pytest session without its terminal and its runner, made as pytest-xdist makes that of a worker.

The options and the ini file are the user's; what would stop the session, draw on the terminal, start other processes or patch
the process for a single test is turned off.
"""

import contextlib
import io
import os
import uuid
import warnings
from collections.abc import Callable, Generator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from _pytest import assertion
from _pytest._io import TerminalWriter
from _pytest.config import Config, ConftestImportFailure, _prepareconfig, apply_warning_filters, parse_warning_filter

from .._paths import is_users
from . import builtins
from .plugin import Plugin

# Plugins, by the names they are registered under, that are of no use under load, or of harm. Their options stay known.
_OFF = (
    *("terminal", "logging", "threadexception", "unraisableexception", "faulthandler", "setuponly", "setupplan", "stepwise"),
    *("terminalprogress", "pastebin", "lfplugin", "nfplugin"),
    *(
        "timeout",
        "rerunfailures",
        "randomly",
        "pytest_cov",
        "_cov",
        "run-parallel",
        "pytest_run_parallel",
        "repeat",
        "sugar",
        "html",
    ),
)

# Options that would have a session do something else than run its tests, and what they are without being given.
_NEUTRAL = {
    **dict.fromkeys(
        ("usepdb", "trace", "collectonly", "setuponly", "setupshow", "setupplan", "stepwise", "stepwise_skip"), False
    ),
    **dict.fromkeys(("lf", "failedfirst", "newfirst", "looponfail", "distload", "forked", "exitfirst"), False),
    **dict.fromkeys(("numprocesses", "maxprocesses", "xmlpath", "pastebin", "stepwise_reset"), None),
    **dict.fromkeys(("maxfail", "reruns"), 0),
    "dist": "no",
}

_ENVIRONMENT = (
    "PYTEST_XDIST_WORKER",
    "PYTEST_XDIST_WORKER_COUNT",
    "PYTEST_XDIST_TESTRUNUID",
    "PYTEST_CURRENT_TEST",
    "PYTEST_VERSION",
)


class Session:
    """An open session; closed by ``close()``, whatever has happened."""

    def __init__(self, args: Sequence[str], worker_index: int, worker_count: int, run_id: str, plugin: Plugin) -> None:
        self.plugin = plugin
        self._undo = contextlib.ExitStack()
        self.session: Any = None
        worker_id, run_id = f"gw{worker_index}", run_id or uuid.uuid4().hex
        self._set_environment(worker_id, worker_count, run_id)
        try:
            self.config = self._configure(list(args), worker_id, worker_count, run_id)
        except BaseException:
            self._undo.close()
            raise

    def _set_environment(self, worker_id: str, worker_count: int, run_id: str) -> None:
        values = (worker_id, str(worker_count), run_id, "pysurge (call)", pytest.__version__)
        for name, value in zip(_ENVIRONMENT, values, strict=True):
            self._undo.callback(_restore, name, os.environ.get(name))
            os.environ[name] = value

    def _configure(self, args: list[str], worker_id: str, worker_count: int, run_id: str) -> Config:
        config = _prepareconfig(args, [self.plugin, builtins])
        self._undo.callback(config._ensure_unconfigure)
        for name in _OFF:
            plugin = config.pluginmanager.get_plugin(name)
            if plugin is not None:
                config.pluginmanager.unregister(plugin, name)
        for option, value in _NEUTRAL.items():
            if hasattr(config.option, option):
                setattr(config.option, option, value)
        if config.option.basetemp:
            # Each worker empties its folder.
            os.makedirs(config.option.basetemp, exist_ok=True)
            config.option.basetemp = os.path.join(config.option.basetemp, f"surge-{worker_id}")
        worker = {"workerid": worker_id, "workercount": worker_count, "testrunuid": run_id, "mainargv": ["pysurge"]}
        # Some versions ask the terminal how to highlight what an assertion says.
        writer = TerminalWriter(io.StringIO())
        vars(config).update(workerinput=worker, workeroutput={}, get_terminal_writer=lambda: writer)
        return config

    def collect(self) -> list[Any]:
        """Collect what the arguments name; what failed is in the plugin."""
        config = self.config
        session = self.session = pytest.Session.from_config(config)
        session.exitstatus = pytest.ExitCode.OK
        config._do_configure()
        config.hook.pytest_sessionstart(session=session)
        self._undo.callback(config.hook.pytest_sessionfinish, session=session, exitstatus=session.exitstatus)
        config.hook.pytest_collection(session=session)
        return list(session.items)

    def begin(self, setup_state: object) -> None:
        """Get ready to run the items that were collected."""
        config = self.config
        self.session._setupstate = setup_state
        self.plugin.replace_runner(config)
        self._undo.enter_context(_warning_filters(config, self.session.items))
        self._undo.enter_context(_explained_assertions(config))

    def close(self) -> None:
        """End the session as pytest ends it; raises what the hooks of plugins raise."""
        folder = self.config.invocation_params.dir
        try:
            self._undo.close()
        finally:
            with contextlib.suppress(OSError):
                os.chdir(folder)


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


@contextlib.contextmanager
def _warning_filters(config: Config, items: Sequence[Any]) -> Generator[None]:
    """The filters of the ini file and of the marks, for the whole load: they cannot be changed for one thread."""
    with warnings.catch_warnings():
        apply_warning_filters(config.getini("filterwarnings"), config.known_args_namespace.pythonwarnings or [])
        for text in dict.fromkeys(
            str(each) for item in items for mark in item.iter_markers("filterwarnings") for each in mark.args
        ):
            if text.partition(":")[0].strip() != "error":
                warnings.filterwarnings(*parse_warning_filter(text, escape=False))
        yield


def _explained_assertions(config: Config) -> contextlib.AbstractContextManager[None]:
    """What pytest does around each test, done once: have assertions explain themselves by the hook for that."""
    around: Callable[[Any], Generator[None]] = assertion.pytest_runtest_protocol  # type: ignore[assignment]
    return contextlib.contextmanager(around)(SimpleNamespace(ihook=config.hook, config=config))


def cause_of(error: BaseException) -> BaseException:
    """What the user's code raised, of an error in which pytest tells of it, without the way to the user's code."""
    cause = error.cause if isinstance(error, ConftestImportFailure) else error.__cause__ or error
    traceback = cause.__traceback__
    while traceback is not None and not is_users(traceback.tb_frame.f_code.co_filename):
        traceback = traceback.tb_next
    return cause.with_traceback(traceback)
