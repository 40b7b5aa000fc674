"""What ``pysurge.run`` gives back: the summary of a run with types and names, and views of it for people and for data frames.

Figures are computed elsewhere, once, and only named here. Durations are seconds. pandas and polars are imported when they are
asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, overload

from ._errors import PysurgeError, RunFailed

if TYPE_CHECKING:
    import pandas as _pandas
    import polars as _polars


@dataclass(frozen=True)
class Account:
    """How planned iterations ended: ``planned`` is the sum of the others."""

    planned: int
    passed: int
    failed: int
    dropped: int
    interrupted: int
    lost: int


@dataclass(frozen=True)
class Durations:
    """Figures of durations, in seconds; all but ``count`` are None where nothing was counted. Percentiles are within 0.1 %."""

    count: int
    mean: float | None
    min: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    p99_9: float | None
    max: float | None


@dataclass(frozen=True)
class Metric:
    """Figures of a metric over the iterations that passed, in its own unit. Percentiles are within 1 %."""

    count: int
    mean: float
    min: float
    p50: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True)
class Check:
    """How often a check held and how often not."""

    passed: int
    failed: int

    @property
    def share(self) -> float:
        """The share that held, from 0 to 1."""
        made = self.passed + self.failed
        return self.passed / made if made else 0.0


@dataclass(frozen=True)
class Timer:
    """A timed step in iterations that passed, and in those that failed."""

    passed: Durations
    failed: Durations


@dataclass(frozen=True)
class Failure:
    """A kind of failure. ``first`` and ``last`` are seconds since the start; ``fails`` is False for one in ``teardown``."""

    phase: str
    exception: str
    message: str
    frame: str
    count: int
    first: float
    last: float
    traceback: str
    fails: bool


@dataclass(frozen=True)
class Threshold:
    """What came of a threshold. ``test`` is None where it is about all tests; ``actual`` has seconds for durations."""

    expression: str
    test: str | None
    state: Literal["pending", "passed", "failed", "no_data"]
    actual: float | None
    actual_text: str
    abort_on_fail: bool
    aborted: bool

    @property
    def failed(self) -> bool:
        """Whether it fails the run; one of which nothing was measured does."""
        return self.state in ("failed", "no_data")


@dataclass(frozen=True)
class Cause:
    """Why the generator did not keep its schedule."""

    validity: Literal["degraded", "invalid"]
    kind: str
    test: str | None
    text: str
    advice: str | None


@dataclass(frozen=True)
class Verdict:
    """Did the generator keep its schedule? Where it is ``invalid``, the figures are not those of the target."""

    validity: Literal["valid", "degraded", "invalid"]
    causes: tuple[Cause, ...]

    @property
    def is_valid(self) -> bool:
        """Whether there is nothing to complain of."""
        return self.validity == "valid"

    def __str__(self) -> str:
        """``degraded: …, …``."""
        why = "; ".join(cause.text for cause in self.causes)
        return f"{self.validity}: {why}" if why else self.validity


@dataclass(frozen=True, repr=False)
class TestResult:
    """One test's figures. Rates are per second; ``asked_rate`` is None for users, who ask for none."""

    __test__ = False  # its name would have pytest collect it

    name: str
    label: str
    description: str
    target: str
    tags: tuple[str, ...]
    load: str
    not_run: str | None
    account: Account
    asked_rate: float | None
    achieved_rate: float
    response_time: Durations
    service_time: Durations
    lateness: Durations
    setup: Durations
    teardown: Durations
    metrics: Mapping[str, Metric]
    checks: Mapping[str, Check]
    timers: Mapping[str, Timer]
    counts: Mapping[str, float]
    failures: tuple[Failure, ...]
    summary: Mapping[str, Any] = field(compare=False)

    @property
    def planned(self) -> int:
        """Iterations planned."""
        return self.account.planned

    @property
    def passed(self) -> int:
        """Iterations that passed."""
        return self.account.passed

    @property
    def failed(self) -> int:
        """Iterations that failed."""
        return self.account.failed

    def __reduce__(self) -> tuple[Any, ...]:
        """It can be pickled and copied."""
        return _test, (dict(self.summary),)

    def __repr__(self) -> str:
        """Its name and counts."""
        return f"<TestResult {self.name}: {self.passed} of {self.planned} passed, {self.failed} failed>"


class Tests(Sequence[TestResult]):
    """The tests of a run in its order, by place or by name: ``tests[0]``, ``tests["upload"]``."""

    __test__ = False

    def __init__(self, tests: Sequence[TestResult]) -> None:
        self._tests = tuple(tests)

    @overload
    def __getitem__(self, key: int | str) -> TestResult: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[TestResult, ...]: ...
    def __getitem__(self, key: int | str | slice) -> TestResult | tuple[TestResult, ...]:
        """The test at a place, or the one of a name, a label, or what it runs."""
        if not isinstance(key, str):
            return self._tests[key]
        for names in (lambda t: (t.name,), lambda t: (t.label, t.target, _short(t.target))):
            found = [test for test in self._tests if key in names(test)]
            if len(found) == 1:
                return found[0]
            if found:
                labels = ", ".join(test.label for test in found)
                raise KeyError(f"{len(found)} tests are called {key!r} ({labels}): take one by its place, or give each a name")
        raise KeyError(f"there is no test {key!r}; there is {', '.join(repr(test.name) for test in self._tests)}")

    def __len__(self) -> int:
        """How many there are."""
        return len(self._tests)

    def __iter__(self) -> Iterator[TestResult]:
        """In the run's order."""
        return iter(self._tests)

    def __repr__(self) -> str:
        """As of a list."""
        return repr(list(self._tests))


@dataclass(frozen=True, repr=False)
class Result:
    """What came of a run.

    ``str(result)`` is the report that the command prints. ``summary`` is all of it as plain data, as ``summary.json`` has it.
    """

    name: str
    verdict: Verdict
    thresholds: tuple[Threshold, ...]
    account: Account
    tests: Tests
    exit_code: int
    stop_cause: str
    started_at: str
    duration: float
    elapsed: float
    folder: Path | None
    summary: Mapping[str, Any] = field(compare=False)
    report: str = field(compare=False)
    messages: str = field(compare=False)
    _json: str = field(compare=False)

    # What is asked for most is at hand.

    @property
    def planned(self) -> int:
        """Iterations planned, of all tests."""
        return self.account.planned

    @property
    def passed(self) -> int:
        """Iterations that passed."""
        return self.account.passed

    @property
    def failed(self) -> int:
        """Iterations that failed."""
        return self.account.failed

    @property
    def dropped(self) -> int:
        """Iterations that were never started."""
        return self.account.dropped

    @property
    def interrupted(self) -> int:
        """Iterations that were abandoned at the hard stop."""
        return self.account.interrupted

    @property
    def lost(self) -> int:
        """Iterations that went with a worker that died."""
        return self.account.lost

    @property
    def ok(self) -> bool:
        """Whether the command would end with 0: thresholds hold, every test ran, something passed. Some may have failed."""
        return self.exit_code == 0

    @property
    def passed_all(self) -> bool:
        """Whether every planned iteration passed, and there was one."""
        return 0 < self.planned == self.passed

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The kinds of failure of all tests, the most frequent first."""
        found = (failure for test in self.tests for failure in test.failures)
        return tuple(sorted(found, key=lambda failure: -failure.count))

    def raise_for_failure(self) -> None:
        """Raise ``RunFailed``, with the report as its message, unless the run is ``ok``."""
        if not self.ok:
            raise RunFailed(f"the run is no success (exit code {self.exit_code})\n\n{self.report}", self)

    def __reduce__(self) -> tuple[Any, ...]:
        """It can be pickled and copied."""
        return result_of, (self._json, self.report, self.folder, self.messages)

    # Data frames.

    def to_pandas(self, timeseries: bool = False) -> _pandas.DataFrame:
        """A row per test; with ``timeseries`` a row per stretch of time, test and measure, in at most 200 stretches.

        Raises:
            ImportError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise ImportError("to_pandas() needs pandas: pip install pandas") from None
        return pandas.DataFrame(self._rows(timeseries))

    def to_polars(self, timeseries: bool = False) -> _polars.DataFrame:
        """As ``to_pandas``, for polars.

        Raises:
            ImportError: polars is not installed.
        """
        try:
            import polars
        except ImportError:
            raise ImportError("to_polars() needs polars: pip install polars") from None
        return polars.DataFrame(self._rows(timeseries), infer_schema_length=None)

    def _rows(self, timeseries: bool) -> list[dict[str, Any]]:
        if not timeseries:
            return [_row(test) for test in self.tests]
        from . import _engine

        names = [test.name for test in self.tests]
        return [{**row, "test": names[row["test"]]} for row in _engine.series(self._json)]

    # For people.

    def __str__(self) -> str:
        """The report."""
        return self.report.rstrip("\n")

    def __repr__(self) -> str:
        """The outcome in a line."""
        counts = f"{self.passed} of {self.planned} passed, {self.failed} failed"
        return f"<Result {self.name}: {counts}, {self.verdict.validity}, exit code {self.exit_code}>"

    def _repr_html_(self) -> str:
        from ._html import result_html

        return result_html(self)


def _short(target: str) -> str:
    """The last part of what is run; a parameter of pytest's may hold anything."""
    name, bracket, parameter = target.partition("[")
    tail = name.rpartition("::")[2] if "::" in name else name.rpartition(":")[2].rpartition(".")[2]
    return f"{tail}{bracket}{parameter}" if tail else target


_DURATIONS = ("response_time", "service_time", "lateness")
_FIGURES = ("mean", "min", "p50", "p90", "p95", "p99", "p99_9", "max")


def _row(test: TestResult) -> dict[str, Any]:
    row: dict[str, Any] = {"test": test.name, "target": test.target, "load": test.load}
    row.update(vars(test.account))
    row.update(asked_rate=test.asked_rate, achieved_rate=test.achieved_rate)
    for name in _DURATIONS:
        durations = getattr(test, name)
        row.update({f"{name}_{figure}": getattr(durations, figure) for figure in _FIGURES})
    return row


# -- from a summary ----------------------------------------------------------------------------------------------------


def result_of(summary_json: str, report: str, folder: str | Path | None, messages: str) -> Result:
    """A result of the text of a ``summary.json``."""
    import json

    summary = json.loads(summary_json)
    version = summary["schema_version"]
    if version != 1:
        raise PysurgeError(f"a summary of version {version} cannot be read")
    return Result(
        name=summary["name"],
        verdict=_verdict(summary["verdict"]),
        thresholds=tuple(Threshold(**_known(Threshold, each)) for each in summary["thresholds"]),
        account=Account(**_known(Account, summary["account"])),
        tests=Tests([_test(each) for each in summary["tests"]]),
        exit_code=summary["exit_code"],
        stop_cause=summary["stop_cause"],
        started_at=summary["started_at"],
        duration=summary["duration_s"],
        elapsed=summary["elapsed_s"],
        folder=None if folder is None else Path(folder),
        summary=MappingProxyType(summary),
        report=report,
        messages=messages,
        _json=summary_json,
    )


def _known(cls: type[Any], values: dict[str, Any]) -> dict[str, Any]:
    """The values that a class has a place for: keys may be added to a summary."""
    return {name: values[name] for name in cls.__dataclass_fields__}


def _verdict(of: dict[str, Any]) -> Verdict:
    return Verdict(of["validity"], tuple(Cause(**_known(Cause, cause)) for cause in of["causes"]))


def _durations(of: dict[str, Any]) -> Durations:
    return Durations(of["count"], *(of[f"{name}_s"] for name in _FIGURES))


def _test(of: dict[str, Any]) -> TestResult:
    return TestResult(
        name=of["name"] or _short(of["test_class"]),
        label=of["label"],
        description=of["summary"],
        target=of["test_class"],
        tags=tuple(of["tags"]),
        load=of["load"],
        not_run=of["not_run"],
        account=Account(**_known(Account, of["account"])),
        asked_rate=of["asked_rate_per_s"],
        achieved_rate=of["achieved_rate_per_s"],
        response_time=_durations(of["response_time"]),
        service_time=_durations(of["service_time"]),
        lateness=_durations(of["lateness"]),
        setup=_durations(of["setup"]),
        teardown=_durations(of["teardown"]),
        metrics=_each(of["metrics"], lambda each: Metric(**_known(Metric, each))),
        checks=_each(of["checks"], lambda each: Check(**_known(Check, each))),
        timers=_each(of["timers"], lambda each: Timer(_durations(each["passed"]), _durations(each["failed"]))),
        counts=_each(of["counts"], float),
        failures=tuple(_failure(each) for each in of["failures"]),
        summary=MappingProxyType(of),
    )


def _each(values: dict[str, Any], make: Any) -> Mapping[str, Any]:
    return MappingProxyType({name: make(value) for name, value in values.items()})


def _failure(of: dict[str, Any]) -> Failure:
    return Failure(
        phase=of["phase"],
        exception=of["exception"],
        message=of["message"],
        frame=of["frame"],
        count=of["count"],
        first=of["first_s"],
        last=of["last_s"],
        traceback=of["traceback"],
        fails=of["fails"],
    )
