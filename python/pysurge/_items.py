"""Tests of pytest in a worker: what the engine asks, put to the adapter in ``pysurge._pytest``."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

from ._loader import Loaded
from ._names import Problem
from ._pytest import Adapter, Entry, Failure, Item, Wanted
from ._units import Await, StartupError

log = logging.getLogger("pysurge")


class CollectedItem(NamedTuple):
    """A test that was collected, as the engine takes it."""

    node_id: str
    file: str
    rootdir: str
    inifile: str | None
    weight: float
    rate: float | None
    skipped: str | None


class Items:
    """The one pytest session of this worker, and its tests."""

    def __init__(self, args: Sequence[str], worker: int, workers: int) -> None:
        self._adapter = Adapter(args, worker, workers)
        self._problem: Problem | None = None

    def collect(self, entries: Sequence[Entry]) -> list[list[CollectedItem] | Problem]:
        """Find the tests of each entry, or say what is wrong with it."""
        collected = self._adapter.collect(entries)
        if not isinstance(collected, Problem):
            rootdir, inifile = collected.rootdir, collected.inifile
            return [[_collected(item, rootdir, inifile) for item in items] for items in collected.items]
        if len(entries) == 1:
            return [collected]
        # Which of them it is about shows where each is collected by itself.
        answers: list[list[CollectedItem] | Problem] = [self.collect([entry])[0] for entry in entries]
        if not any(isinstance(answer, Problem) for answer in answers):
            answers[0] = collected
        return answers

    def open(self, wanted: Sequence[Wanted], rootdir: str, inifile: str | None) -> None:
        """Open the session for these tests."""
        self._problem = self._adapter.open(wanted, rootdir, inifile)

    def load(self, node_id: str, data: bool) -> Loaded | Problem:
        """Get a test ready; ``data`` says whether its iterations are fed with rows."""
        if self._problem is not None:
            return self._problem
        case = self._adapter.case(node_id)
        return Loaded(
            make=case,
            is_function=False,
            is_coroutine=False,
            name=node_id.partition("[")[0].rpartition("::")[2],
            label=node_id,
            summary=case.summary,
            max_duration_s=None,
            has_setup=True,
            has_teardown=True,
            columns=[],
            row_as="attribute" if data else "nowhere",
            of_pytest=True,
            notes=[case.alone] if case.alone else [],
        )

    def unit(self, node_id: str) -> "ItemUnit":
        """The fixtures of a test that are wider than the function."""
        return ItemUnit(self._adapter, node_id)

    def thread_ended(self) -> None:
        """Tear down what the calling thread has of its own; called as it ends."""
        _tell(self._adapter.thread_ended())

    def finish(self) -> None:
        """Tear down what is left and close the session; once all iterations are over."""
        _tell(self._adapter.finish())


class ItemUnit:
    """The fixtures of a test that are wider than the function; torn down with the session."""

    def __init__(self, adapter: Adapter, node_id: str) -> None:
        self._adapter = adapter
        self._node_id = node_id

    @property
    def key(self) -> object:
        """The test."""
        return self._node_id

    def start_up(self, await_: Await) -> StartupError | None:
        """Set them up."""
        failure = self._adapter.prepare(self._node_id)
        if failure is None:
            return None
        log.error("Fixtures of %s failed! Not running this test.\n%s", self._node_id, failure.traceback or failure.message)
        return StartupError(self._node_id, failure.message, failure.traceback)

    def shut_down(self, await_: Await) -> None:
        """Do nothing: the session tears down all of them together, in its order."""


def _collected(item: Item, rootdir: str, inifile: str | None) -> CollectedItem:
    return CollectedItem(item.node_id, item.file, rootdir, inifile, item.weight, item.rate, item.skip)


def _tell(failures: Sequence[Failure]) -> None:
    for failure in failures:
        log.error("a fixture failed in its teardown: %s\n%s", failure.message, failure.traceback)
