"""One item on one thread: its clone, its fixtures of function scope, and the phases of an iteration.

What is the same for all threads is the item's ``Plan``, made once per worker and hardly written to under load. Everything else
here belongs to one thread. pytest's hooks are called where a plugin or a conftest takes part in them, and cost nothing where
none does.
"""

import copy
import unittest
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from _pytest.fixtures import FuncFixtureInfo
from _pytest.mark.structures import NodeKeywords
from _pytest.outcomes import Exit, OutcomeException, Skipped, XFailed, fail
from _pytest.python import Class, Function
from _pytest.runner import CallInfo
from _pytest.skipping import Xfail, evaluate_xfail_marks
from _pytest.stash import Stash

from . import alone
from .fixtures import Definitions, StandIn, Top, wide_names
from .gate import Gate, Place
from .grouped import raise_all
from .prepare import Registry

if TYPE_CHECKING:
    from _pytest.nodes import Item

    from .iteration import Iteration

Finalizer = Callable[[], object]


class Worker:
    """What all items of a worker share."""

    def __init__(self, plugin: object, per_thread: bool) -> None:
        self.plugin = plugin
        self.per_thread = per_thread
        self.gate = Gate()
        self.registry = Registry()
        self.alone_names = alone.FIXTURES


class Thread:
    """What all items of a thread share."""

    def __init__(self, worker: Worker) -> None:
        self.place: Place = worker.gate.place()
        self.registry = Registry() if worker.per_thread else worker.registry
        self.runners: dict[Plan, Runner] = {}

    def runner(self, plan: "Plan") -> "Runner":
        """The runner of an item."""
        found = self.runners.get(plan)
        if found is None:
            found = self.runners[plan] = Runner(plan, self)
        return found


class Hooks:
    """The hooks in which somebody else than we takes part, for the place of an item; None where nobody does."""

    __slots__ = ("call", "fixture_post", "fixture_setup", "makereport", "pyfunc_call", "setup", "teardown")

    def __init__(self, item: "Item", plugin: object) -> None:
        relay = item.ihook

        def of_others(name: str) -> Any:
            caller = getattr(relay, name)
            others = [each for each in caller.get_hookimpls() if each.plugin is not plugin and not is_builtin(each.plugin)]
            return caller if others else None

        self.setup = of_others("pytest_runtest_setup")
        self.call = of_others("pytest_runtest_call")
        self.teardown = of_others("pytest_runtest_teardown")
        self.fixture_setup = of_others("pytest_fixture_setup")
        self.fixture_post = of_others("pytest_fixture_post_finalizer")
        self.pyfunc_call = of_others("pytest_pyfunc_call")
        self.makereport = of_others("pytest_runtest_makereport")


def is_builtin(plugin: object) -> bool:
    """Whether a plugin is part of pytest."""
    name = getattr(plugin, "__name__", None) or type(plugin).__module__
    return str(name).startswith("_pytest.")


class Plan:
    """What is known of an item before the load."""

    def __init__(self, item: Any, worker: Worker) -> None:
        self.item = item
        self.worker = worker
        self.hooks = Hooks(item, worker.plugin)
        self.alone = alone.reason(item)
        self.nodes_are_set_up = False
        info = getattr(item, "_fixtureinfo", None)
        self.definitions: dict[str, Any] = {} if info is None else dict(info.name2fixturedefs)
        callspec = getattr(item, "callspec", None)
        self.scopes: dict[str, Any] = {}
        if callspec is not None:
            self.scopes = {name: callspec._arg2scope[name] for name in callspec.params if name in callspec._arg2scope}
        self.expects_failure: Xfail | None = evaluate_xfail_marks(item)
        self.runs_as_if_fine: bool = item.config.option.runxfail
        self.argnames: tuple[str, ...] = () if info is None else tuple(info.argnames)
        kind = type(item)
        hooks = self.hooks
        self.plain_setup = kind.setup is Function.setup
        self.plain_call = kind.runtest is Function.runtest and hooks.call is None and hooks.pyfunc_call is None
        self.plain_teardown = kind.teardown is Function.teardown
        in_class = isinstance(item, Function) and isinstance(item.parent, Class)
        self.in_class = in_class
        self.plain_class = in_class and kind._getobj is Function._getobj and type(item.parent).newinstance is Class.newinstance
        self.clone_type = _clone_type(kind)


class Runner:
    """One item on one thread."""

    def __init__(self, plan: Plan, thread: Thread) -> None:
        self.plan = plan
        self.hooks = plan.hooks
        self.iteration: Any = None
        self.finalizers: list[Finalizer] = []
        self.subtest_failures: list[BaseException] = []
        self._place = thread.place
        self._gate = plan.worker.gate
        self._item = self._clone()
        self._own_markers = len(self._item.own_markers)
        self._has_request = hasattr(plan.item, "_request")
        if self._has_request:
            self._definitions = self._bind(thread.registry)
            self._top = dict(Top(self._item, _ispytest=True).__dict__)
        self._wide: dict[str, Any] = {}
        self._wide_values: dict[str, Any] = {}
        self._is_new = True

    def _clone(self) -> Any:
        original = self.plan.item
        item = copy.copy(original)
        item.__class__ = self.plan.clone_type
        item.__dict__["_surge"] = self
        item.__dict__["_surge_hooks"] = original.ihook
        item.user_properties = list(original.user_properties)
        item._report_sections = []
        if hasattr(original, "fixturenames"):
            item.fixturenames = list(original.fixturenames)
        self._fresh_markers(item)
        self._fresh_stash(item)
        return item

    def _bind(self, registry: Registry) -> Definitions:
        definitions = Definitions(self, registry)
        info = self.plan.item._fixtureinfo
        names = self._item.fixturenames
        self._item._fixtureinfo = FuncFixtureInfo(info.argnames, info.initialnames, names, definitions)
        return definitions

    def _fresh_markers(self, item: Any) -> None:
        original = self.plan.item
        item.own_markers = list(original.own_markers)
        item.keywords = NodeKeywords(item)
        item.keywords._markers = dict(original.keywords._markers)

    @staticmethod
    def _fresh_stash(item: Any) -> None:
        item.stash = item._store = Stash()

    def prepare(self) -> BaseException | None:
        """Make the wide fixtures of the item, in the order of pytest; what was raised, unless it skips the item."""
        plan = self.plan
        try:
            plan.worker.registry.set_up_nodes(plan.item)
            plan.nodes_are_set_up = True
            if self._has_request:
                request: Any = Top(self._item, _ispytest=True)
                for name in wide_names(self._item.fixturenames, self._definitions):
                    request._get_active_fixturedef(name)
        except (Skipped, unittest.SkipTest):
            return None
        except (Exception, OutcomeException) as error:
            return error
        return None

    # -- what the engine calls -----------------------------------------------------------------------------------------

    def setup(self, iteration: "Iteration") -> None:
        """Make the fixtures of function scope."""
        self.iteration = iteration
        place = self._place
        if self.plan.alone is None:
            place.inside = True
            if self._gate.closed:
                iteration.waited_ns = self._gate.enter(place)
        else:
            iteration.waited_ns = self._gate.enter_alone(place)
        hooks = self.hooks
        if hooks.makereport is not None:
            self._reported("setup", self._setup)
            return
        try:
            self._setup()
        except BaseException as error:
            iteration.over = True
            if not self._is_expected(error):
                raise

    def run(self, iteration: "Iteration") -> None:
        """Run the test alone."""
        if iteration.over:
            return
        if self.hooks.makereport is not None:
            self._reported("call", self._call)
            return
        try:
            self._call()
        except BaseException as error:
            if not self._is_expected(error):
                raise
        else:
            if self.plan.expects_failure is not None or self._has_new_markers():
                self._check_unexpected_pass()

    def teardown(self, iteration: "Iteration") -> None:
        """End the fixtures of function scope."""
        try:
            if self.hooks.makereport is not None:
                self._reported("teardown", self._teardown)
                return
            try:
                self._teardown()
            except BaseException as error:
                if not self._is_expected(error):
                    raise
        finally:
            self._reset()
            self._gate.leave(self._place)

    def be_alone(self, why: str) -> None:
        """From here to its end the iteration must be alone, and all further ones of the item from their start."""
        plan = self.plan
        plan.alone = plan.alone or why
        if self.iteration is not None:
            self.iteration.waited_ns += self._gate.enter_alone(self._place)

    # -- phases --------------------------------------------------------------------------------------------------------

    def _setup(self) -> None:
        item, plan = self._item, self.plan
        if self._has_request:
            item.funcargs = self._wide_values.copy()
            request = Top.__new__(Top)
            request.__dict__.update(self._top)
            request.__dict__["_fixture_defs"] = self._wide.copy()
            item._request = request
        if plan.plain_class:
            instance = item._instance = item.parent.obj()
            item._obj = getattr(instance, item.originalname)
        elif plan.in_class:
            item.__dict__.pop("_instance", None)
            item.__dict__.pop("_obj", None)
        elif hasattr(item, "dtest"):
            item.dtest = copy.copy(plan.item.dtest)
            item.dtest.globs = plan.item.dtest.globs.copy()
        if self.hooks.setup is None:
            self.set_up_item()
        else:
            self.hooks.setup(item=item)

    def set_up_item(self) -> None:
        """What pytest's own hook does for a set-up."""
        plan, item = self.plan, self._item
        if not plan.nodes_are_set_up:
            plan.worker.registry.set_up_nodes(plan.item)
            plan.nodes_are_set_up = True
        if plan.plain_setup:
            item._request._fillfixtures()
        else:
            item.setup()
        if self._is_new and self._has_request:
            self._is_new = False
            active = item._request._fixture_defs
            self._wide = {name: found for name, found in active.items() if isinstance(found, StandIn)}
            self._wide_values = {name: item.funcargs[name] for name in self._wide if name in item.funcargs}

    def _call(self) -> None:
        if self.plan.plain_call:
            self.call_function()
        elif self.hooks.call is None:
            self._item.runtest()
        else:
            self.hooks.call(item=self._item)
        self._raise_kept()

    def call_function(self) -> None:
        """What pytest's own hook does for a call."""
        item = self._item
        values = item.funcargs
        result = item.obj(**{name: values[name] for name in self.plan.argnames})
        if result is not None and (hasattr(result, "__await__") or hasattr(result, "__aiter__")):
            close = getattr(result, "close", None)
            if close is not None:
                close()
            fail("this test is `async def`, and no plugin of pytest runs it", pytrace=False)

    def _raise_kept(self) -> None:
        """Raise what did not come out of the test by itself."""
        if self.subtest_failures:
            raise_all("errors in subtests", self.subtest_failures[::-1])
        kept = self._item.__dict__.pop("_excinfo", None)
        if kept:
            # pytest reports the first: what failed before the teardown of the TestCase.
            error = kept[0].value
            raise error.with_traceback(error.__traceback__)

    def _teardown(self) -> None:
        if self.hooks.teardown is None:
            self.tear_down_item()
            return
        try:
            # With None for the next item, plugins would end what is not to end.
            self.hooks.teardown(item=self._item, nextitem=self.plan.item)
        finally:
            self.tear_down_item()

    def tear_down_item(self) -> None:
        """What pytest's own hook does for a teardown."""
        errors: list[BaseException] = []
        finalizers = self.finalizers
        while finalizers:
            try:
                finalizers.pop()()
            except BaseException as error:
                errors.append(error)
        if not self.plan.plain_teardown and not self.iteration.ended:
            self.iteration.ended = True
            try:
                self._item.teardown()
            except BaseException as error:
                errors.append(error)
        if errors:
            raise_all("errors during test teardown", errors)

    def _reset(self) -> None:
        item = self._item
        self.iteration = None
        # What was kept for the end of a test that did not get there.
        self.subtest_failures.clear()
        item.__dict__.pop("_excinfo", None)
        if self._has_request:
            item.funcargs = {}
            item._request = None
        if self.plan.plain_class:
            item._instance = item._obj = None
        if self._has_new_markers():
            self._fresh_markers(item)
        if len(item.stash):
            self._fresh_stash(item)
        if item.user_properties:
            item.user_properties = list(self.plan.item.user_properties)
        if item._report_sections:
            item._report_sections = []

    # -- outcomes ------------------------------------------------------------------------------------------------------

    def _has_new_markers(self) -> bool:
        return len(self._item.own_markers) != self._own_markers

    def _expected_failure(self) -> Xfail | None:
        return evaluate_xfail_marks(self._item) if self._has_new_markers() else self.plan.expects_failure

    def _is_expected(self, error: BaseException) -> bool:
        """Whether a test may raise this: it skips, or it fails as is expected of it."""
        iteration = self.iteration
        if isinstance(error, Skipped | unittest.SkipTest):
            iteration.skipped = str(error) or "skipped"
            return True
        if self.plan.runs_as_if_fine or isinstance(error, KeyboardInterrupt | Exit):
            return False
        if isinstance(error, XFailed):
            iteration.xfailed = str(error) or "xfail"
            return True
        expected = self._expected_failure()
        if expected is None:
            return False
        raises: Any = expected.raises
        matches = getattr(raises, "matches", None)
        if raises is None or (matches(error) if matches is not None else isinstance(error, raises)):
            iteration.xfailed = expected.reason or "xfail"
            return True
        return False

    def _check_unexpected_pass(self) -> None:
        expected = self._expected_failure()
        if expected is not None and expected.strict and not self.plan.runs_as_if_fine and self.iteration.xfailed is None:
            fail(f"[XPASS(strict)] {expected.reason}", pytrace=False)

    def _reported(self, when: Any, phase: Callable[[], None]) -> None:
        """Run a phase for plugins that want a report of it."""
        iteration = self.iteration
        call = CallInfo.from_call(phase, when=when)
        error = None if call.excinfo is None else call.excinfo.value
        self.hooks.makereport(item=self._item, call=call)
        if error is None:
            if when == "call":
                self._check_unexpected_pass()
            return
        if when == "setup":
            iteration.over = True
        if not self._is_expected(error):
            raise error.with_traceback(error.__traceback__)


# -- clones ------------------------------------------------------------------------------------------------------------

_clone_types: dict[type, type] = {}


def _clone_type(kind: type) -> type:
    """The class of a clone: what items ask their session for is asked of the runner."""
    found = _clone_types.get(kind)
    if found is None:
        methods: dict[str, Any] = {
            "__slots__": (),
            "__module__": kind.__module__,
            "__qualname__": kind.__qualname__,
            "__doc__": kind.__doc__,
            "ihook": property(lambda item: item.__dict__["_surge_hooks"]),
            "addfinalizer": lambda item, finalizer: item.__dict__["_surge"].finalizers.append(finalizer),
        }
        if issubclass(kind, Function) and hasattr(kind, "_addexcinfo"):
            methods["addSubTest"] = _add_subtest
        found = _clone_types[kind] = type(kind)(kind.__name__, (kind,), methods)
    return found


def _add_subtest(item: Any, _test_case: object, test: Any, error: Any) -> None:
    """A failing subtest of unittest fails its test; pytest tells such failures by reports."""
    if error is None:
        return
    value = error[1] if isinstance(error, tuple) else error.value
    if not isinstance(value, OutcomeException | unittest.SkipTest) or not isinstance(value, Skipped):
        add_note(value, f"in subtest {test._subDescription()}")
        item._surge.subtest_failures.append(value)


def add_note(error: BaseException, note: str) -> None:
    """Tell more of an error, where this Python can."""
    add = getattr(error, "add_note", None)
    if add is not None:
        add(note)
