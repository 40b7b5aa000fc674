"""``TestRunner``: one class, fired in this process, as in pysurge 1.0.1."""

import atexit
import logging
import threading
import weakref
from collections.abc import Callable
from typing import Any

from . import _engine

log = logging.getLogger(__name__)


class TestRunner:
    """Fires a test case at a rate from threads of this process, and keeps count.

    It calls neither ``startup`` nor ``shutdown``, and keeps every metric value in memory: for a load test, use
    ``Manager`` or the command line. Where the interpreter ends while it fires, it is stopped first, and running
    iterations finish.

    Attributes:
        test_cls: The class it fires.
        test_cls_kwargs: What each instance is made with.
        test_instance: An instance that is never run, to be asked for its ``summary``.
        rate: Iterations per second.
        metrics: Every value of each metric of the iterations that passed, by name.

    Args:
        test_cls: The TestCase class to fire.
        test_cls_kwargs: Keyword arguments for its ``__init__``.
        rate: Iterations per second; fractions are allowed.
        debug: Whether each step of an iteration is logged at debug level.

    Raises:
        ValueError: The rate is not above 0, or ``max_duration`` is not.
    """

    __test__ = False  # its name would have pytest collect it

    def __init__(
        self, test_cls: type[_engine.TestCase], test_cls_kwargs: dict[str, Any], rate: float, debug: bool = False
    ) -> None:
        self.test_cls = test_cls
        self.test_cls_kwargs = test_cls_kwargs
        self.test_instance = test_cls(**test_cls_kwargs)
        self.rate = rate
        self.debug = debug
        self.metrics: dict[str, list[float]] = {}
        self._firing = self._new_firing()

    def run(self) -> None:
        """Start firing; returns at once. Counts and metrics begin anew."""
        if not self._firing.engine.stopped:
            return
        self.metrics = {}
        self._firing = self._new_firing()
        self._firing.start()

    def stop(self) -> None:
        """Start nothing more; running iterations finish, and ``running`` turns false when they have."""
        if not self._firing.engine.stopped:
            active = self._firing.engine.active
            log.info("TestRunner stopping for %s... %d active threads need to finish", self.test_cls, active)
            self._firing.engine.stop()

    @property
    def running(self) -> bool:
        """Whether iterations are still started or running."""
        return self._firing.engine.running

    @property
    def active_tests(self) -> int:
        """Iterations running now."""
        return self._firing.engine.active

    @property
    def successes(self) -> int:
        """Iterations that passed so far."""
        return self._firing.engine.passed

    @property
    def failures(self) -> int:
        """Iterations that failed so far."""
        return self._firing.engine.failed

    def _new_firing(self) -> "_Firing":
        max_duration = float(self.test_instance.max_duration)
        kwargs, keep = dict(self.test_cls_kwargs), _keeper(self.metrics)
        engine = _engine.Runner(self.test_cls, kwargs, self.rate, max_duration, self.debug, log.log, keep)
        return _Firing(engine, self.test_cls.__name__)


def _keeper(kept: dict[str, list[float]]) -> Callable[[dict[str, float]], None]:
    # It knows the dict alone: through a runner, the engine would hold itself, and never be freed.
    def keep(metrics: dict[str, float]) -> None:
        for name, value in metrics.items():
            kept.setdefault(name, []).append(value)

    return keep


class _Firing:
    """One run of a runner: its engine and the engine's threads."""

    def __init__(self, engine: _engine.Runner, name: str) -> None:
        self.engine = engine
        self._name = name
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        _firings.add(self)
        for handle in self.engine.start():
            self._spawn(handle)
        maker = threading.Thread(target=self._spawn_on_demand, name=f"{self._name}-threads", daemon=True)
        self._threads.append(maker)
        maker.start()

    def _spawn(self, handle: _engine.PoolThread) -> None:
        thread = threading.Thread(target=handle.run, name=f"{self._name}-{self.engine.next_thread_number()}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self.engine.thread_refused()
            log.error("unable to start a new thread (%s); desired rate won't be achieved", error)
        else:
            self._threads.append(thread)

    def _spawn_on_demand(self) -> None:
        while (handle := self.engine.wait_for_request()) is not None:
            self._spawn(handle)

    def end(self) -> None:
        """Stop, and wait for the threads."""
        self.engine.stop()
        for thread in list(self._threads):
            thread.join()


_firings: weakref.WeakSet[_Firing] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    # A thread that wakes up in the engine when the interpreter is gone crashes the process.
    firings = list(_firings)
    for firing in firings:
        firing.engine.stop()
    for firing in firings:
        firing.end()
