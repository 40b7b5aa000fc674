"""The fixtures wider than function scope: made once, side by side for their parameters, ended in reverse order.

A registry belongs to a worker, or to a thread where the user wants such fixtures per thread. pytest itself ends a
session-scoped fixture when the next test wants another parameter; here all tests run at the same time, so each parameter has
an instance.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from _pytest.outcomes import OutcomeException

from .fixtures import Result, StandIn

if TYPE_CHECKING:
    from _pytest.nodes import Item, Node

Finalizer = Callable[[], object]


class Instance:
    """One value of a fixture: for one node of its scope, and one parameter of it and of each fixture below it."""

    __slots__ = ("finalizers", "name", "params", "result")

    def __init__(self, name: str) -> None:
        self.name = name
        self.params: dict[str, Any] = {}
        self.finalizers: list[Finalizer] = []
        self.result: Result | None = None

    def fits(self, params: dict[str, Any]) -> bool:
        """Whether a test with these parameters means this instance."""
        return all(name in params and _same(value, params[name]) for name, value in self.params.items())


def _same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    try:
        return bool(one == other)
    except Exception:
        return False


class Registry:
    """The wide fixtures and the set-up collectors of one worker or thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._made: dict[tuple[Any, Any], list[Instance]] = {}
        self._making: list[tuple[StandIn, Instance]] = []
        self._maker = 0
        self._stack: list[tuple[str, list[Finalizer]]] = []
        self._nodes: dict[Any, tuple[list[Finalizer], Exception | OutcomeException | None]] = {}

    def get(self, wanted: StandIn, request: Any) -> Instance:
        """The instance of a fixture that fits a request; it is made where there is none yet."""
        with self._lock:
            # What is below comes first, as in pytest.
            for name in wanted.argnames:
                if name != "request":
                    request._get_active_fixturedef(name)
            callspec = getattr(request._pyfuncitem, "callspec", None)
            params = {} if callspec is None else callspec.params
            node = request.node
            if node is request._pyfuncitem:
                # A class-scoped fixture of a function that stands in no class.
                node = wanted.runner.plan.item
            made = self._made.setdefault((wanted.original, node), [])
            for instance in made:
                if instance.fits(params):
                    return instance
            instance = Instance(wanted.argname)
            try:
                self._make(instance, wanted, request)
            finally:
                if instance.result is not None:
                    made.append(instance)
                # Whatever was asked to be done at the end is done, also where making it failed.
                self._stack.append((f"fixture {wanted.argname!r}", instance.finalizers))
            return instance

    def _make(self, instance: Instance, wanted: StandIn, request: Any) -> None:
        if hasattr(request, "param"):
            instance.params[wanted.argname] = request.param
        hooks = wanted.runner.hooks
        if hooks.fixture_post is not None:
            post = hooks.fixture_post
            instance.finalizers.append(lambda: post(fixturedef=wanted, request=request))
        self._making.append((wanted, instance))
        self._maker = threading.get_ident()
        try:
            for name in wanted.argnames:
                if name != "request":
                    request._get_active_fixturedef(name).used()
            if hooks.fixture_setup is None:
                wanted.make(request)
            else:
                hooks.fixture_setup(fixturedef=wanted, request=request)
        except (Exception, OutcomeException) as error:
            wanted.cached_result = (None, None, (error, error.__traceback__))
        finally:
            self._making.pop()
            instance.result = wanted.cached_result

    def note(self, instance: Instance) -> None:
        """A fixture was asked for; where that happens while another is made, the other depends on its parameters too."""
        if self._making and self._maker == threading.get_ident():
            for _, above in self._making:
                for name, value in instance.params.items():
                    above.params.setdefault(name, value)

    def add_finalizer(self, wanted: StandIn, finalizer: Finalizer) -> None:
        """Have something done when a fixture ends."""
        with self._lock:
            making = [instance for definition, instance in self._making if definition is wanted]
            instance = making[-1] if making else wanted.instance
            if instance is not None:
                instance.finalizers.append(finalizer)

    # -- collectors ----------------------------------------------------------------------------------------------------

    def set_up_nodes(self, item: "Item") -> None:
        """Set up the collectors above an item, each once."""
        with self._lock:
            for node in item.listchain()[:-1]:
                if node not in self._nodes:
                    self._set_up(node)
                error = self._nodes[node][1]
                if error is not None:
                    raise error

    def _set_up(self, node: "Node") -> None:
        finalizers: list[Finalizer] = [node.teardown]
        self._nodes[node] = (finalizers, None)
        self._stack.append((str(node), finalizers))
        try:
            node.setup()
        except (Exception, OutcomeException) as error:
            self._nodes[node] = (finalizers, error)

    def add_node_finalizer(self, finalizer: Finalizer, node: "Node") -> None:
        """Have something done when a collector ends."""
        with self._lock:
            if node not in self._nodes:
                self._nodes[node] = ([], None)
                self._stack.append((str(node), self._nodes[node][0]))
            self._nodes[node][0].append(finalizer)

    # -- the end -------------------------------------------------------------------------------------------------------

    def finish(self) -> Iterator[tuple[str, BaseException]]:
        """End everything, what was made last first; yields what went wrong."""
        while self._stack:
            name, finalizers = self._stack.pop()
            while finalizers:
                with contextlib.suppress(IndexError):
                    finalizer = finalizers.pop()
                try:
                    finalizer()
                except BaseException as error:
                    yield name, error
        self._made.clear()
        self._nodes.clear()


class SetupState:
    """What stands in for pytest's stack of set-up nodes, which knows only one test at a time."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.stack = _Everything()

    def is_node_active(self, _node: Any) -> bool:
        """Everything that is asked for is set up."""
        return True

    def addfinalizer(self, finalizer: Finalizer, node: Any) -> None:
        """Have something done when a collector ends."""
        self._registry.add_node_finalizer(finalizer, node)

    def setup(self, item: Any) -> None:
        """Nothing: items are set up by their runner."""

    def teardown_exact(self, nextitem: Any) -> None:
        """Nothing: everything is ended before pytest asks for it."""


class _Everything:
    def __contains__(self, _node: object) -> bool:
        return True
