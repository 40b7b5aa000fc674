"""What the engine calls: one adapter per worker process, on its main thread but for the iterations themselves.

| step | where |
|---|---|
| ``collect`` | in the one worker that looks what there is; the session is closed again |
| ``open``, ``prepare`` for each item, ``case`` for each item | in each worker, before the load |
| iterations, ``thread_ended`` | on pool threads |
| ``finish`` | on the main thread, after the load, whatever has happened |

pytest is imported by the first of these that is called.
"""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from .._names import Problem, RefusedError
from .._tracebacks import one_line, render
from .model import Collected, Entry, Failure, Wanted
from .versions import require

if TYPE_CHECKING:
    from .iteration import Case, Threads
    from .plugin import Plugin
    from .runner import Plan, Worker
    from .session import Session


class Adapter:
    """pytest in one worker process.

    Args:
        args: Further options for pytest, as on its command line.
        worker_index: Which worker this is, from 0.
        worker_count: How many there are.
        run_id: What all workers of a run share.
        fixtures: Whether fixtures wider than function scope are made once per worker, or once per pool thread.
    """

    def __init__(
        self,
        args: Sequence[str] = (),
        worker_index: int = 0,
        worker_count: int = 1,
        run_id: str = "",
        fixtures: Literal["worker", "thread"] = "worker",
    ) -> None:
        self._args = list(args)
        self._place = (worker_index, worker_count, run_id)
        self._per_thread = fixtures == "thread"
        self._session: Session | None = None
        self._worker: Worker
        self._threads: Threads
        self._plans: dict[str, Plan] = {}
        self._cases: dict[str, Case] = {}

    # -- collecting ----------------------------------------------------------------------------------------------------

    def collect(self, entries: Sequence[Entry]) -> Collected | Problem:
        """What each entry names; nothing is run."""
        try:
            require()
            from . import collect

            collect.check_paths(entries)
        except RefusedError as refused:
            return refused.problem
        paths = collect.widest([entry.path for entry in entries])
        answer: Collected | Problem = self._guarded(lambda: self._collect(entries, paths))
        return answer

    def _collect(self, entries: Sequence[Entry], paths: Sequence[str]) -> Collected:
        from . import collect
        from .plugin import Plugin

        session = self._new_session(paths, Plugin())
        try:
            return collect.collect(session, entries)
        finally:
            session.close()

    def _new_session(self, paths: Sequence[str], plugin: "Plugin") -> "Session":
        from .session import Session

        return Session([*self._args, "--capture=no", *paths], *self._place, plugin)

    @staticmethod
    def _guarded(do: Callable[[], Any]) -> Any:
        from . import collect

        try:
            return do()
        except BaseException as error:
            return collect.problem(error)

    # -- a worker ------------------------------------------------------------------------------------------------------

    def open(self, items: Sequence[Wanted], rootdir: str | None = None, inifile: str | None = None) -> Problem | None:
        """Collect the items of this worker; ``rootdir`` and ``inifile`` are those that ``collect`` gave."""
        try:
            require()
        except RefusedError as refused:
            return refused.problem
        from .plugin import Plugin

        plugin = Plugin({item.node_id: place for place, item in enumerate(items)})
        problem: Problem | None = self._guarded(lambda: self._open(items, rootdir, inifile, plugin))
        if problem is not None:
            self._close()
        return problem

    def _open(self, items: Sequence[Wanted], rootdir: str | None, inifile: str | None, plugin: "Plugin") -> None:
        from . import collect
        from .iteration import Threads
        from .prepare import SetupState
        from .runner import Plan, Worker

        where = [] if rootdir is None else [f"--rootdir={rootdir}"]
        where += [] if inifile is None else ["-c", inifile]
        files = list(dict.fromkeys(item.file for item in items))
        session = self._session = self._new_session([*where, *files], plugin)
        session.config.option.keyword = session.config.option.markexpr = ""
        found = {item.nodeid: item for item in session.collect()}
        collect.check_collected(plugin)
        for item in items:
            if item.node_id not in found:
                raise collect.gone(item)
        self._worker = Worker(plugin, self._per_thread)
        self._threads = Threads()
        session.begin(SetupState(self._worker.registry))
        self._plans = {name: Plan(item, self._worker) for name, item in found.items()}

    def prepare(self, node_id: str) -> Failure | None:
        """Make the fixtures of an item that are wider than function scope; what it tells is why the item cannot run."""
        if self._per_thread:
            return None
        error = self.case(node_id).runner().prepare()
        return None if error is None else Failure(one_line(error), render(error))

    def case(self, node_id: str) -> "Case":
        """What makes the iterations of an item."""
        from .iteration import Case

        found = self._cases.get(node_id)
        if found is None:
            found = self._cases[node_id] = Case(self._plans[node_id], self._worker, self._threads)
        return found

    def thread_ended(self) -> list[Failure]:
        """Forget the current thread, and end the fixtures that are its own."""
        thread, self._threads.thread = self._threads.thread, None
        if thread is None or not self._per_thread:
            return []
        return [_failure(name, error) for name, error in thread.registry.finish()]

    def finish(self) -> list[Failure]:
        """End all fixtures and the session; what went wrong on the way."""
        failures: list[Failure] = []
        if self._session is not None:
            os.chdir(self._session.config.invocation_params.dir)
            failures += self.thread_ended()
            if self._plans:
                failures += [_failure(name, error) for name, error in self._worker.registry.finish()]
            failures += self._close()
        return failures

    def _close(self) -> list[Failure]:
        session, self._session = self._session, None
        self._plans, self._cases = {}, {}
        if session is None:
            return []
        try:
            session.close()
        except BaseException as error:
            return [_failure("the end of the pytest session", error)]
        return []


def _failure(name: str, error: BaseException) -> Failure:
    return Failure(f"{name}: {one_line(error)}", render(error))
