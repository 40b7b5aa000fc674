"""Fixture definitions as one thread sees them: its own for function scope, stand-ins for wider scopes.

pytest keeps the value of a fixture in its definition, which all tests share, and tells each definition of every fixture that
was made from it. Under load both would be shared by threads and would grow for ever. So no definition of pytest's own is ever
executed or written to: each thread has copies. The classes that derive from pytest's are final there only for type checkers.
"""

import functools
import inspect
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from _pytest.fixtures import FixtureDef, FixtureLookupError, SubRequest, TopRequest, resolve_fixture_function
from _pytest.outcomes import OutcomeException, fail
from _pytest.scope import Scope

from .grouped import raise_all

if TYPE_CHECKING:
    from .prepare import Instance, Registry
    from .runner import Runner

Result = tuple[Any, Any, tuple[BaseException, TracebackType | None] | None]


# -- requests ----------------------------------------------------------------------------------------------------------


class _Active:
    """How a request finds the definition of a name, and makes its value where there is none yet."""

    fixturename: str | None
    _fixture_defs: dict[str, Any]
    _arg2fixturedefs: "Definitions"
    _pyfuncitem: Any
    _scope: Any

    def _get_active_fixturedef(self, argname: str) -> Any:
        found = self._fixture_defs.get(argname)
        if found is not None:
            if self._scope is not Scope.Function:
                _check_scope(self, found)
                found.used()
            return found
        if argname == "request":
            return Itself(self)
        found = self._definition(argname)
        found.execute(self._request_for(found))
        self._fixture_defs[argname] = found
        return found

    def _definition(self, argname: str) -> Any:
        """The definition that is nearest to the test; for one that overrides another of its name, the next one."""
        definitions = self._arg2fixturedefs.get(argname)
        if definitions and len(definitions) == 1 and self.fixturename != argname:
            return definitions[0]
        depth, request = 1, self
        while isinstance(request, SubRequest):
            depth += request.fixturename == argname
            request = request._parent_request
        if not definitions or depth > len(definitions):
            raise MissingFixtureError(argname, self)  # type: ignore[arg-type]
        return definitions[-depth]

    def _request_for(self, definition: Any) -> Any:
        if self._scope is not Scope.Function:
            _check_scope(self, definition)
        template = definition.template
        if template is None:
            template = definition.template = self._template(definition)
        request = Sub.__new__(Sub)
        request.__dict__.update(template)
        request.__dict__["_fixture_defs"] = self._fixture_defs
        request.__dict__["_parent_request"] = self
        return request

    def _template(self, definition: Any) -> dict[str, Any]:
        """What all requests for a definition have in common."""
        item, name = self._pyfuncitem, definition.argname
        param, index = _no_param, 0
        callspec = getattr(item, "callspec", None)
        if callspec is not None and name in callspec.params:
            param, index = callspec.params[name], callspec.indices[name]
        elif definition.params is not None:
            fail(f"{item.nodeid} asks for the parametrized fixture '{name}', but has no parameter for it", pytrace=False)
        request = Sub(self, definition.scope_here, param, index, definition, _ispytest=True)  # type: ignore[arg-type]
        if param is _no_param:
            del request.param
        return dict(request.__dict__)


_no_param = object()


class Top(_Active, TopRequest):  # type: ignore[misc]
    """``request`` of a test."""

    def _fillfixtures(self) -> None:
        item = self._pyfuncitem
        values = item.funcargs
        for name in item.fixturenames:
            if name not in values:
                values[name] = self._get_active_fixturedef(name).cached_result[0]


class Sub(_Active, SubRequest):  # type: ignore[misc]
    """``request`` of a fixture."""


class Itself:
    """What ``request`` is to a request."""

    argname = "request"
    scope = "function"
    _scope = Scope.Function

    def __init__(self, request: Any) -> None:
        self.cached_result = (request, None, None)

    def addfinalizer(self, finalizer: Callable[[], object]) -> None:
        """Nothing is made from it that would have to end."""


class MissingFixtureError(FixtureLookupError):  # type: ignore[misc]
    """pytest shows such an error in a way of its own, which nobody sees here."""

    def __str__(self) -> str:
        return f"fixture '{self.argname}' not found"


def _check_scope(request: Any, definition: Any) -> None:
    if request._scope > definition._scope:
        fail(
            f"ScopeMismatch: the {request._scope.value}-scoped fixture '{request.fixturename}' asks for "
            f"the {definition._scope.value}-scoped fixture '{definition.argname}'",
            pytrace=False,
        )


# -- definitions -------------------------------------------------------------------------------------------------------


_RETURNS, _YIELDS, _ASYNC = "returns", "yields", "async"


def _kind(function: Any) -> str:
    if inspect.isgeneratorfunction(function):
        return _YIELDS
    return _ASYNC if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function) else _RETURNS


class Definition(FixtureDef[Any]):
    """A copy of one of pytest's definitions, for one item on one thread."""

    if TYPE_CHECKING:
        alone: str | None
        template: dict[str, Any] | None
        scope_here: Scope
        runner: Runner
        _own_func: Any
        _kind: str
        _is_plain: bool

    def used(self) -> None:
        """It was asked for by a wider fixture."""

    def make(self, request: Any) -> Any:
        """Call the fixture function and keep its value; this is what pytest's own ``pytest_fixture_setup`` does."""
        kwargs = {}
        for name in self.argnames:
            kwargs[name] = request if name == "request" else request._get_active_fixturedef(name).cached_result[0]
        key = getattr(request, "param", None)
        try:
            value = self._call(request, kwargs)
        except (Exception, OutcomeException) as error:
            self.cached_result = (None, key, (error, error.__traceback__))
            raise
        self.cached_result = (value, key, None)
        return value

    def _call(self, request: Any, kwargs: dict[str, Any]) -> Any:
        function: Any = self.func
        kind = self._kind
        if function is not self._own_func:
            # A plugin has put a function of its own in place of the user's.
            function = resolve_fixture_function(self, request)
            kind = _kind(function)
        elif not self._is_plain:
            function = resolve_fixture_function(self, request)
        if kind is _RETURNS:
            return function(**kwargs)
        if kind is _ASYNC:
            fail(f"the fixture '{self.argname}' is async, and no plugin of pytest runs it", pytrace=False)
        generator = function(**kwargs)
        try:
            value = next(generator)
        except StopIteration:
            raise ValueError(f"{self.argname} did not yield a value") from None
        request.addfinalizer(functools.partial(self._resume, generator))
        return value

    def _resume(self, generator: Any) -> None:
        for _ in generator:
            fail(f"fixture '{self.argname}' has more than one 'yield'", pytrace=False)


class OfIteration(Definition):
    """Function scope: made anew in every iteration."""

    def execute(self, request: Any) -> Any:
        """Make the value, once per iteration."""
        known = self.cached_result
        if known is None:
            runner = self.runner
            if self.alone is not None:
                runner.be_alone(self.alone)
            for name in self.argnames:
                if name != "request":
                    request._get_active_fixturedef(name)
            setup = runner.hooks.fixture_setup
            try:
                if setup is None:
                    return self.make(request)
                return setup(fixturedef=self, request=request)
            finally:
                runner.finalizers.append(functools.partial(self.finish, request))
        if known[2] is not None:
            error, traceback = known[2]
            raise error.with_traceback(traceback)
        return known[0]

    def finish(self, request: Any) -> None:
        """End the value."""
        errors: list[BaseException] = []
        finalizers = self._finalizers
        while finalizers:
            try:
                finalizers.pop()()
            except BaseException as error:
                errors.append(error)
        post = self.runner.hooks.fixture_post
        if post is not None:
            try:
                post(fixturedef=self, request=request)
            except BaseException as error:
                errors.append(error)
        self.cached_result = None
        if errors:
            raise_all(f"errors while ending fixture {self.argname!r}", errors)


class StandIn(Definition):
    """A wider scope: made once, by whoever needs it first; its value is the same for all iterations of a registry."""

    if TYPE_CHECKING:
        registry: Registry
        original: FixtureDef[Any]
        instance: Instance | None

    def execute(self, request: Any) -> Any:
        """Find the value, or have it made."""
        if self.alone is not None:
            self.runner.be_alone(self.alone)
        instance = self.instance
        if instance is None:
            instance = self.registry.get(self, request)
            if instance.result is not None:
                self.instance = instance
                self.cached_result = instance.result  # type: ignore[assignment]
        self.used()
        if instance.result is None:
            raise AssertionError("a fixture was made without a result")
        value, _, failed = instance.result
        if failed is not None:
            error, traceback = failed
            raise error.with_traceback(traceback)
        return value

    def used(self) -> None:
        """It was asked for, perhaps by a wider fixture that is being made."""
        if self.instance is not None:
            self.registry.note(self.instance)

    def addfinalizer(self, finalizer: Callable[[], object]) -> None:
        """What the fixture itself asks for is done at the end; what pytest or a plugin adds for each use is not kept."""
        made_from_it = getattr(getattr(finalizer, "func", None), "__self__", None)
        if isinstance(made_from_it, OfIteration):
            return
        self.registry.add_finalizer(self, finalizer)

    def finish(self, request: Any) -> None:
        """Nothing: it lives longer than whoever used it."""


class Definitions(dict[str, Any]):
    """The definitions that an item can ask for, by name: a thread's own copies, made when they are first asked for."""

    def __init__(self, runner: "Runner", registry: "Registry") -> None:
        super().__init__()
        self._runner = runner
        self._registry = registry
        self._known = runner.plan.definitions
        for name in self._known:
            self.get(name)

    def get(self, name: str, default: Any = None) -> Any:
        """The definitions of a name, the nearest last; also of names that nobody knew of at collection."""
        found = super().get(name)
        if found is None:
            item = self._runner.plan.item
            originals = self._known.get(name)
            if originals is None:
                originals = item.session._fixturemanager.getfixturedefs(name, item)
            if not originals:
                return default
            found = self[name] = tuple(self._own(original) for original in originals)
        return found

    def copy(self) -> "Definitions":
        """Itself: requests of some versions of pytest want a copy of their own."""
        return self

    def _own(self, original: FixtureDef[Any]) -> Definition:
        plan, name = self._runner.plan, original.argname
        scope = plan.scopes.get(name, original._scope)
        own: Any
        kind = OfIteration if scope is Scope.Function else StandIn
        own = kind.__new__(kind)
        own.__dict__.update(original.__dict__)
        function = own.func
        own.__dict__.update(
            _finalizers=[],
            cached_result=None,
            alone=plan.worker.alone_names.get(name),
            template=None,
            scope_here=scope,
            runner=self._runner,
            _own_func=function,
            _kind=_kind(function),
            _is_plain=not hasattr(function, "__self__") and not own.__dict__.get("unittest"),
        )
        if scope is not Scope.Function:
            own.__dict__.update(registry=self._registry, original=original, instance=None)
        return own  # type: ignore[no-any-return]


def wide_names(names: Iterable[str], definitions: Definitions) -> list[str]:
    """Those names of a closure that have a wider scope, in order."""
    found = []
    for name in names:
        known = definitions.get(name)
        if known and isinstance(known[-1], StandIn):
            found.append(name)
    return found
