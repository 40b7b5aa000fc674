"""``pysurge.run``: a run from a script, a test or a notebook, that gives its result back.

What is asked for becomes the dict of a config, and the engine runs it in this process, which lets go of the interpreter
meanwhile. Workers are new processes. Nothing is printed unless it is asked for, standard input is left alone, and every error
is an exception.
"""

from __future__ import annotations

import datetime
import math
import numbers
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from . import _engine, _inherit
from ._errors import ConfigError, LoadError, RehearsalFailed, RunAborted, RunInterrupted
from ._paths import demo_folder
from ._result import Result, result_of
from ._ship import Shipment
from ._signals import told_to_engine

Seconds = float | str | datetime.timedelta
Kwargs = Mapping[str, Any]
Thresholds = str | Sequence[str | Mapping[str, Any]]

# Where nobody says what load there is to be.
DEFAULT_RATE = 1
DEFAULT_DURATION = "30s"

_LOADS = ("rate", "users", "stages", "shape", "replay")
_ENDS = ("stages", "shape", "replay", "iterations", "duration")
_TIMES = frozenset(
    ("duration", "warmup", "start_delay", "ramp_up", "pacing", "think_time", "max_duration", "max_lateness", "graceful_stop")
)

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

_last: Result | None = None


class Test:
    """A test of a run of several: what it runs and its own load; all keys of a test of the config.

    Args:
        test: A class, a function, a coroutine function, or the text that names one or tests of pytest.
        rate: Iterations per second.
        users: So many users who take turns with the service, in place of a rate.
        name: What it is called in the result.
        kwargs: Keyword arguments for it.
        data: Rows that its iterations are fed with: a file, a list of dicts, a function that gives them, or a mapping.
        thresholds: What it must keep to.
        keys: Further keys of a test: ``stages``, ``iterations``, ``warmup``, ``tags``, …
    """

    __test__ = False  # its name would have pytest collect it

    def __init__(
        self,
        test: str | Callable[..., Any],
        *,
        rate: float | str | None = None,
        users: int | None = None,
        name: str | None = None,
        kwargs: Kwargs | None = None,
        data: Any = None,
        thresholds: Thresholds | None = None,
        **keys: Any,
    ) -> None:
        self.test = test
        given = dict(rate=rate, users=users, name=name, kwargs=kwargs, data=data, thresholds=thresholds, **keys)
        self.keys = {name: value for name, value in given.items() if value is not None}

    def __repr__(self) -> str:
        """As it was written."""
        keys = "".join(f", {name}={value!r}" for name, value in self.keys.items())
        return f"Test({getattr(self.test, '__qualname__', self.test)}{keys})"


def run(
    test: str | Callable[..., Any] | Sequence[Test | str | Callable[..., Any]] | Test | Mapping[str, Any],
    *,
    rate: float | str | None = None,
    users: int | None = None,
    duration: Seconds | None = None,
    kwargs: Kwargs | None = None,
    data: Any = None,
    thresholds: Thresholds | None = None,
    workers: int | None = None,
    name: str | None = None,
    results: str | os.PathLike[str] | None = None,
    rehearsal: bool = True,
    show: bool = False,
    debug: bool = False,
    require_valid: bool = False,
    **keys: Any,
) -> Result:
    """Run a load test and give its result.

    Where no load is given the rate is 1 per second; where nothing ends the load it lasts 30 seconds. A script needs no
    ``if __name__ == "__main__":``: workers import it up to its first ``pysurge.run``.

    Args:
        test: A class with a ``run`` method, a function, a coroutine function; the text that names one
            (``"shop.load.Upload"``, ``"load.py:upload"``) or tests of pytest (``"tests/test_api.py"``); a list of
            ``pysurge.Test`` for several at once; or a whole config as a dict.
        rate: Iterations per second, over all workers.
        users: So many users who take turns with the service, in place of a rate.
        duration: How long iterations are started: seconds, a text such as ``"30s"`` or ``"5m"``, a timedelta, or ``math.inf``
            for until Ctrl+C.
        kwargs: Keyword arguments for the test.
        data: Rows that iterations are fed with: a file, a list of dicts, a function that gives them, or a mapping as in the
            config.
        thresholds: What the run must keep to, such as ``"response_time.p95 < 250ms"``; see ``Result.ok``.
        workers: How many worker processes; one per CPU unless the config says otherwise.
        name: What the run is called.
        results: The folder in which the run's folder is made; none is made where it is None.
        rehearsal: Whether each test is run once before the load, which stops the run where it fails.
        show: Whether log lines, progress and the report are printed, as the command does.
        debug: Whether debug log records of the tests are wanted.
        require_valid: Whether a run whose verdict is invalid is not ``ok``.
        keys: Further keys of a test of the config: ``stages``, ``iterations``, ``warmup``, ``arrivals``, … With several tests
            they hold for those that do not have them.

    Raises:
        ConfigError: What was asked for is wrong.
        LoadError: A worker cannot load a test.
        RehearsalFailed: A test failed when it was run once.
        RunAborted: The run could not be carried out.
        RunInterrupted: Ctrl+C, a ``KeyboardInterrupt``. The run was ended cleanly before; its ``result`` has what was measured.
    """
    _inherit.stop_in_worker()
    shipment = Shipment()
    test_keys = {"rate": rate, "users": users, "kwargs": kwargs, "data": data, **keys}
    asked = _Asked(shipment, {key: value for key, value in test_keys.items() if value is not None}, duration)
    config = asked.config(test)
    run_keys = {"name": name, "workers": workers, "thresholds": thresholds}
    config.update({key: _plain(value) for key, value in run_keys.items() if value is not None})
    config.setdefault("name", "run")
    wishes = {
        "duration": None,
        "workers": None,
        "results": None if results is None else os.fspath(results),
        "rehearsal": rehearsal,
        "show": show,
        "debug": debug,
        "require_valid": require_valid,
    }
    return _run(config, wishes, shipment)


def last_result() -> Result | None:
    """The result of the last run of this process, also of one that was ended by Ctrl+C; None where there is none."""
    return _last


# -- what is asked for, as a config ------------------------------------------------------------------------------------


class _Asked:
    """What was asked for, on its way to a config."""

    def __init__(self, shipment: Shipment, keys: dict[str, Any], duration: Seconds | None) -> None:
        self._shipment = shipment
        self._keys = keys
        self._duration = duration

    def config(self, test: Any) -> dict[str, Any]:
        if isinstance(test, Mapping):
            return self._whole(test)
        several = isinstance(test, Sequence) and not isinstance(test, str)
        tests = list(test) if several else [test]
        if not tests:
            raise ConfigError("there is no test to run: the list is empty")
        entries = [self._entry(each) for each in tests]
        config: dict[str, Any] = {"tests": entries}
        if self._is_endless():
            return config
        if self._duration is not None:
            config["duration"] = _time(self._duration)
        return config

    def _is_endless(self) -> bool:
        return isinstance(self._duration, float) and math.isinf(self._duration)

    def _entry(self, test: Any) -> dict[str, Any]:
        own = test.keys if isinstance(test, Test) else {}
        target = test.test if isinstance(test, Test) else test
        shared = dict(self._keys)
        if any(load in own for load in _LOADS):
            # A test with a load of its own takes no other.
            shared = {key: value for key, value in shared.items() if key not in _LOADS}
        keys = {**shared, **own}
        if "kwargs" in shared and "kwargs" in own:
            keys["kwargs"] = {**shared["kwargs"], **own["kwargs"]}
        entry = self._written(keys)
        entry.update(self._target(target))
        if not any(load in entry for load in _LOADS):
            entry["rate"] = DEFAULT_RATE
        if self._duration is None and not any(end in entry for end in _ENDS):
            entry["duration"] = DEFAULT_DURATION
        return entry

    def _target(self, target: Any) -> dict[str, str]:
        if isinstance(target, str | os.PathLike):
            return {"test": os.fspath(target)}
        path = self._shipment.target(target)
        if isinstance(target, type) and issubclass(target, _engine.TestCase) and ":" not in path:
            return {"test_class": path}
        return {"test": path}

    def _whole(self, config: Mapping[str, Any]) -> dict[str, Any]:
        if self._keys:
            names = ", ".join(f"`{name}`" for name in self._keys)
            raise ConfigError(f"{names} cannot be given beside a whole config: write it into the config")
        whole = dict(config)
        tests = whole.get("tests")
        if isinstance(tests, list):
            whole["tests"] = [self._of_config(each) if isinstance(each, dict) else each for each in tests]
        if self._is_endless():
            whole.pop("duration", None)
        elif self._duration is not None:
            whole["duration"] = _time(self._duration)
        return whole

    def _of_config(self, test: dict[str, Any]) -> dict[str, Any]:
        """A test of a whole config, which may hold a class or a function where the config has its name."""
        given = [key for key in ("test", "test_class") if key in test and callable(test[key])]
        changed = {key: value for key, value in test.items() if key not in given}
        for key in given:
            changed.update(self._target(test[key]))
        if "data" in test:
            changed["data"] = self._data(test["data"])
        return changed

    def _written(self, keys: dict[str, Any]) -> dict[str, Any]:
        written: dict[str, Any] = {}
        for key, value in keys.items():
            if key == "kwargs":
                written[key] = dict(value)
            elif key == "data":
                written[key] = self._data(value)
            elif key == "shape" and callable(value):
                written[key] = self._shipment.target(value)
            elif key in _TIMES:
                written[key] = _time(value)
            elif key == "stages":
                written[key] = [_stage(stage) for stage in value]
            else:
                written[key] = _plain(value)
        return written

    def _data(self, data: Any) -> Any:
        if isinstance(data, str | os.PathLike):
            return os.fspath(data)
        if isinstance(data, Mapping):
            return {key: self._data(value) if key == "from" else _plain(value) for key, value in data.items()}
        if callable(data) or isinstance(data, Iterable):
            return self._shipment.data(data)
        return data


def _stage(stage: Any) -> Any:
    if not isinstance(stage, Mapping):
        return _plain(stage)
    return {key: _time(value) if key in _TIMES else _plain(value) for key, value in stage.items()}


def _time(value: Any) -> Any:
    """A span of time as the config has it: a number means seconds."""
    if isinstance(value, datetime.timedelta):
        value = value.total_seconds()
    if isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value):
        seconds = float(value)
        return f"{round(seconds * 1_000_000_000)}ns" if seconds >= 0 else f"{seconds:g}s"
    if isinstance(value, list | tuple):
        return [_time(each) for each in value]
    if isinstance(value, Mapping):
        return {key: _time(each) for key, each in value.items()}
    return value


def _plain(value: Any) -> Any:
    """A value as YAML would give it: no numbers and sequences of other libraries' types."""
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        return int(value) if isinstance(value, numbers.Integral) else float(value)
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(each) for each in value]
    return value


# -- the run -----------------------------------------------------------------------------------------------------------


def _run(config: dict[str, Any], wishes: dict[str, Any], shipment: Shipment) -> Result:
    global _last  # noqa: PLW0603 - what a notebook asks for after Ctrl+C
    signals: list[int] = []
    wants_main = b"__main__" in _sent(config)
    with shipment.sent(wants_main) as env, told_to_engine(signals) as stops:
        wishes = {**wishes, "env": env, "stops": stops, **_streams(bool(wishes["show"]))}
        try:
            told = _engine.run_library(config, wishes, sys.executable, demo_folder())
        except ValueError as error:
            raise ConfigError(str(error)) from None
    kind, text, wrote, complained, finished = told
    result = None
    if finished is not None:
        summary_json, report, folder = finished
        _last = result = result_of(summary_json, report, folder, _without_colours(complained))
    _deliver(signals, result)
    if result is not None:
        return result
    _fail(kind, text, _without_colours(wrote), _without_colours(complained))


def _sent(config: dict[str, Any]) -> bytes:
    """The config in the form in which it can reach another process."""
    import pickle

    try:
        return pickle.dumps(config)
    except Exception as error:
        raise ConfigError(f"the config holds something that cannot be handed to worker processes: {error}") from None


def _fail(kind: str, text: str, wrote: str, complained: str) -> NoReturn:
    said = "\n".join(part.strip("\n") for part in (complained, wrote) if part.strip())
    if kind == "config":
        raise ConfigError(text)
    if kind == "load":
        raise LoadError(text)
    if kind == "rehearsal":
        raise RehearsalFailed(f"a test failed when it was run once before the load; nothing was fired\n\n{said}".rstrip())
    if kind == "stopped":
        raise RunAborted("the run was stopped before anything was fired")
    raise RunAborted(text.strip() or said)


def _without_colours(text: str) -> str:
    return _ESCAPES.sub("", text)


def _deliver(signals: Sequence[int], result: Result | None) -> None:
    """Do what the signals that ended the run would have done without it, now that it was ended cleanly."""
    for number in dict.fromkeys(signals):
        handler = signal.getsignal(number)
        if handler is signal.default_int_handler:
            raise RunInterrupted(_interrupted(result), result)
        if callable(handler):
            handler(number, sys._getframe())
        elif handler == signal.SIG_DFL:
            signal.raise_signal(number)


def _interrupted(result: Result | None) -> str:
    if result is None:
        return "the run was stopped before anything was fired"
    counts = f"{result.passed} passed, {result.failed} failed"
    return f"the run was stopped after {result.duration:.3g} s ({counts}); pysurge.last_result() has what was measured"


def _streams(show: bool) -> dict[str, Any]:
    """Where the run writes: to whatever stands for the standard streams now, a notebook's or pytest's among them."""
    shown: dict[str, Any] = {}
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name) if show else None
        shown[name] = None if stream is None else _writer(stream)
        shown[f"{name}_is_terminal"] = stream is not None and _is_terminal(stream)
    return shown


def _writer(stream: Any) -> Callable[[str], None]:
    def write(text: str) -> None:
        try:
            stream.write(text)
        except UnicodeEncodeError as error:
            stream.write(text.encode(error.encoding, "backslashreplace").decode(error.encoding))
        stream.flush()

    return write


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except Exception:
        return False
