"""What the engine runs: a case makes iterations, and an iteration finds the runner of its thread."""

import threading
from typing import Any

from .alone import note
from .runner import Plan, Runner, Thread, Worker


class Threads(threading.local):
    """What the current thread has of a worker."""

    thread: Thread | None = None


class Iteration:
    """One life of a test, on one thread: ``setup()``, ``run()``, and ``teardown()`` whenever ``setup()`` was tried.

    Attributes:
        data: The row of a data feeder, for the fixture ``surge_data``; set before ``setup()``.
        skipped: Why the test skipped itself; the iteration then counts as passed.
        xfailed: Why the test may fail, where it did; the iteration then counts as passed.
        waited_ns: How long it waited to be alone, or for one that was alone. It is in none of the phases' own work.
    """

    __slots__ = ("_case", "_runner", "data", "ended", "over", "skipped", "waited_ns", "xfailed")

    max_duration: float | None = None

    def __init__(self, case: "Case") -> None:
        self._case = case
        self._runner: Runner | None = None
        self.data: dict[str, Any] | None = None
        self.skipped: str | None = None
        self.xfailed: str | None = None
        self.waited_ns = 0
        self.over = False
        self.ended = False

    @property
    def description(self) -> str:
        """The node id."""
        return self._case.node_id

    @property
    def summary(self) -> str:
        """The first line of the test's docstring, else its name."""
        return self._case.summary

    def setup(self) -> None:
        """Make the fixtures of function scope."""
        runner = self._runner = self._case.runner()
        runner.setup(self)

    def run(self) -> None:
        """Run the test function."""
        if self._runner is not None:
            self._runner.run(self)

    def teardown(self) -> None:
        """End the fixtures of function scope."""
        runner = self._runner
        if runner is not None:
            self._runner = None
            runner.teardown(self)


class Case:
    """One item of a worker; called for each iteration."""

    def __init__(self, plan: Plan, worker: Worker, threads: Threads) -> None:
        item = plan.item
        self.node_id: str = item.nodeid
        lines = (getattr(getattr(item, "obj", None), "__doc__", None) or "").strip().splitlines()
        self.summary: str = lines[0].strip() if lines else item.name
        self._plan = plan
        self._worker = worker
        self._threads = threads

    def __call__(self) -> Iteration:
        return Iteration(self)

    @property
    def alone(self) -> str | None:
        """What a user should know where its iterations run alone in their worker, as far as is known by now."""
        return None if self._plan.alone is None else note(self._plan.alone)

    def runner(self) -> Runner:
        """The runner of the current thread."""
        thread = self._threads.thread
        if thread is None:
            thread = self._threads.thread = Thread(self._worker)
        return thread.runners.get(self._plan) or thread.runner(self._plan)
