"""The event loop of a worker, on a thread of its own: the iterations of all its coroutine tests are tasks on it.

The engine says when: a native thread of it wakes the loop whenever an iteration is due. The loop claims what is due, a batch
per turn, and makes a task of each. What is timed and told of an iteration is the engine's business; the drivers below only say
which step it is at.

Nothing here may wait for a coroutine without a limit once the run ends: one that blocks the loop, or swallows its cancellation,
is left behind.
"""

import asyncio
import collections
import concurrent.futures
import contextlib
import contextvars
import importlib
import inspect
import logging
import os
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from types import CodeType, FrameType
from typing import Any, NoReturn

from . import _descriptors, _engine
from ._paths import is_ours
from ._tracebacks import one_line, render

log = logging.getLogger("pysurge")

# User code may put something else in its place.
_Thread = threading.Thread

# How long cancelled iterations may take to finalise. `shutdown` and the rest have what is left of ten seconds.
FINALISE_S = 2.0

# How long each later step of winding up may take: what user code started beside its iterations, async generators, the executor.
_WIND_UP_S = 1.0

# Frames told of a stack.
_MAX_FRAMES = 60

_Driver = Callable[[_engine.TaskIteration], Coroutine[Any, Any, None]]
_Place = tuple[CodeType, int]


class BlockedError(RuntimeError):
    """The event loop does not get to what is asked of it."""

    def __init__(self) -> None:
        super().__init__("a coroutine blocks the event loop")


class EventLoop:
    """An event loop that runs until it is closed. What is public is called from the main thread."""

    def __init__(self) -> None:
        with _descriptors.none_low():
            self.waker = _engine.LoopWaker()
            self._loop = _new_loop()
        self._tests: list[_Test] = []
        self._looks_soon = False
        self._closing = False
        self._blocked = False
        self._context = contextvars.Context()
        self._thread = _Thread(target=self._live, name="event-loop", daemon=True)
        self._thread.start()

    def wait(self, awaitable: Awaitable[Any]) -> Any:
        """Run something to its end on the loop and give what it gives."""
        if self._blocked:
            if inspect.iscoroutine(awaitable):
                awaitable.close()
            raise BlockedError
        return self._ask(_awaited(awaitable), None)

    def add(self, runner: _engine.TaskRunner) -> None:
        """Let the iterations of a test be run from now on."""
        self._loop.call_soon_threadsafe(self._add, _Test(runner, self._look_soon), context=self._context)

    def finish(self) -> None:
        """Wait until iterations that the hard stop has cancelled have ended, for a short time; then tell which have not."""
        with contextlib.suppress(BlockedError):
            self._ask(self._finalise(), FINALISE_S + _WIND_UP_S)

    def close(self) -> bool:
        """End all that still runs on the loop, and the loop.

        False where something is left that would be in the way of finalizing the interpreter.
        """
        self._closing = True
        is_clean = False
        with contextlib.suppress(BlockedError):
            is_clean = self._ask(self._wind_up(), 4 * _WIND_UP_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_WIND_UP_S)
        return is_clean and not self._thread.is_alive()

    def log_stacks(self, names: list[str]) -> None:
        """Write where the iterations of some tests stand, each place once."""
        for test in list(self._tests):
            if test.name not in names:
                continue
            counts = collections.Counter(tuple(self._places(task)) for task in list(test.running.values()))
            for places, count in counts.items():
                still, are = ("task of %s still runs", "is") if count == 1 else ("tasks of %s still run", "are")
                text = f"%d {still} after the grace period and {are} cancelled:\n%s"
                log.error(text, count, test.name, _formatted(places))

    def stack(self, name: str, started_ns: int) -> str | None:
        """Where the task of a test stands that began then; None where it has ended."""
        for test in list(self._tests):
            if test.name != name:
                continue
            for iteration, task in list(test.running.items()):
                if iteration.started_ns == started_ns:
                    return _formatted(tuple(self._places(task))) or None
        return None

    def _ask(self, coroutine: Coroutine[Any, Any, Any], timeout_s: float | None) -> Any:
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(timeout_s)
        except concurrent.futures.TimeoutError:
            if future.done():
                raise
            self._blocked = True
            future.cancel()
            raise BlockedError from None

    # On the loop's own thread.

    def _live(self) -> None:
        asyncio.set_event_loop(self._loop)
        # Callbacks run in the context they are made in: none of this one's may be an iteration's.
        self._context.run(self._loop.add_reader, self.waker.fileno(), self._woken)
        while not self._closing:
            try:
                self._loop.run_forever()
            except (SystemExit, KeyboardInterrupt) as error:
                # Those of a task that user code made leave the loop.
                log.error("a task on the event loop raised %s\n%s", type(error).__name__, render(error))
            except BaseException as error:
                _end_process(error)
        self._loop.remove_reader(self.waker.fileno())
        self._loop.close()

    def _add(self, test: "_Test") -> None:
        self._tests.append(test)
        # Its first wake-up may have come before it was here.
        self._look_soon()

    def _woken(self) -> None:
        self.waker.drain()
        self._look()

    def _look_soon(self) -> None:
        if not self._looks_soon:
            self._looks_soon = True
            self._loop.call_soon(self._look_again, context=self._context)

    def _look_again(self) -> None:
        self._looks_soon = False
        self._look()

    def _look(self) -> None:
        """Make tasks of what is due.

        A backlog must not keep those that run from going on: the rest comes in the loop's next turn.
        """
        create_task = self._loop.create_task
        is_more_due = False
        for test in self._tests:
            runner, running, drive = test.runner, test.running, test.drive
            iterations, more = runner.claim()
            for iteration in iterations:
                running[iteration] = create_task(drive(iteration))
            is_more_due |= more
            if not iterations and (runner.is_over or runner.is_interrupted):
                self._end(test)
        if is_more_due:
            self._look_soon()

    def _end(self, test: "_Test") -> None:
        """Forget a test that is over, cancel what is left of one that was interrupted."""
        if test.runner.is_interrupted and not test.is_cancelled:
            test.is_cancelled = True
            for iteration, task in test.running.items():
                # One that has not begun sees by itself that it need not.
                if iteration.has_begun:
                    task.cancel()
        if test.runner.is_over:
            self._tests = [other for other in self._tests if other is not test]

    async def _finalise(self) -> None:
        self._look()
        tasks = [task for test in self._tests if test.is_cancelled for task in test.running.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=FINALISE_S)
        for test in self._tests:
            if test.is_cancelled and test.running:
                left = len(test.running)
                log.error("tasks of %s that did not end within %g s of being cancelled: %d", test.name, FINALISE_S, left)

    async def _wind_up(self) -> bool:
        loop = self._loop
        others = asyncio.all_tasks(loop) - {asyncio.current_task()}
        for task in others:
            task.cancel()
        left = await _some_time(others)
        left += await _some_time({loop.create_task(loop.shutdown_asyncgens())})
        left += await _some_time({loop.create_task(loop.shutdown_default_executor())})
        return left == 0

    # From any thread.

    def _places(self, task: "asyncio.Task[None]") -> Iterator[_Place]:
        """The code and lines where a task stands, from the outermost to the innermost."""
        for frame in list(self._frames(task))[-_MAX_FRAMES:]:
            if not is_ours(frame.f_code.co_filename):
                yield frame.f_code, frame.f_lineno

    def _frames(self, task: "asyncio.Task[None]") -> Iterator[FrameType]:
        if asyncio.current_task(self._loop) is task:
            # It is the one that blocks the loop.
            stack, frame = [], sys._current_frames().get(self._thread.ident or 0)
            while frame is not None:
                stack.append(frame)
                frame = frame.f_back
            own = next((at for at, frame in enumerate(stack) if is_ours(frame.f_code.co_filename)), len(stack))
            yield from reversed(stack[:own])
            return
        awaited: Any = task.get_coro()
        while awaited is not None:
            for kind in ("cr", "gi", "ag"):
                frame = getattr(awaited, f"{kind}_frame", None)
                if frame is not None:
                    yield frame
                    awaited = getattr(awaited, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")
                    break
            else:
                return


class _Test:
    """A coroutine test on the loop."""

    def __init__(self, runner: _engine.TaskRunner, look_soon: Callable[[], None]) -> None:
        self.runner = runner
        self.name = runner.name
        # The loop itself keeps tasks by weak references alone.
        self.running: dict[_engine.TaskIteration, asyncio.Task[None]] = {}
        self.is_cancelled = False
        self.drive: _Driver = (_drive_hooks if runner.has_hooks else _drive_one)(runner, self.running, look_soon)


def _drive_one(runner: _engine.TaskRunner, running: dict[_engine.TaskIteration, Any], look_soon: Callable[[], None]) -> _Driver:
    """Drives iterations that are one coroutine."""

    async def drive(iteration: _engine.TaskIteration) -> None:
        try:
            coroutine = iteration.begin()
            if coroutine is not None:
                iteration.ran(await coroutine)
        except BaseException as error:
            _go_if_closed(runner, error)
            iteration.failed("run", error)
        finally:
            del running[iteration]
            if iteration.end():
                look_soon()

    return drive


def _drive_hooks(
    runner: _engine.TaskRunner, running: dict[_engine.TaskIteration, Any], look_soon: Callable[[], None]
) -> _Driver:
    """Drives iterations of a class that has a setup or a teardown, each a coroutine or not."""

    async def drive(iteration: _engine.TaskIteration) -> None:
        try:
            case = iteration.begin()
            if case is not None:
                await set_up_and_run(iteration, case)
                await tear_down(iteration, case)
        finally:
            del running[iteration]
            if iteration.end():
                look_soon()

    async def set_up_and_run(iteration: _engine.TaskIteration, case: Any) -> None:
        phase = "setup"
        try:
            has_setup = iteration.has_setup
            if has_setup:
                answer = case.setup()
                if inspect.isawaitable(answer):
                    await answer
            if iteration.set_up(has_setup):
                phase = "run"
                iteration.ran(await case.run())
        except BaseException as error:
            _go_if_closed(runner, error)
            iteration.failed(phase, error)

    async def tear_down(iteration: _engine.TaskIteration, case: Any) -> None:
        if not iteration.has_teardown:
            return
        iteration.tear_down()
        try:
            answer = case.teardown()
            if inspect.isawaitable(answer):
                await answer
            iteration.torn_down()
        except BaseException as error:
            _go_if_closed(runner, error)
            iteration.failed("teardown", error)

    return drive


def _end_process(error: BaseException) -> NoReturn:
    """End this worker, whose loop is broken for good: user code closed its descriptors, most likely."""
    with contextlib.suppress(OSError):
        os.write(2, f"the event loop cannot go on ({one_line(error)}): this worker ends\n".encode())
    os._exit(1)


def _go_if_closed(runner: _engine.TaskRunner, error: BaseException) -> None:
    """A coroutine that is closed may await nothing more. Before the hard stop nobody closes one: then user code raised this."""
    if isinstance(error, GeneratorExit) and runner.is_interrupted:
        raise error


def _new_loop() -> asyncio.AbstractEventLoop:
    """Make that of uvloop where it is installed, else that of asyncio."""
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


async def _some_time(tasks: "set[asyncio.Task[Any]]") -> int:
    """Wait for tasks for a limited time; how many are left then."""
    if not tasks:
        return 0
    _, left = await asyncio.wait(tasks, timeout=_WIND_UP_S)
    return len(left)


def _formatted(places: tuple[_Place, ...]) -> str:
    frames = [traceback.FrameSummary(code.co_filename, line, code.co_name) for code, line in places]
    return "".join(traceback.format_list(frames)).rstrip("\n")
