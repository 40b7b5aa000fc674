"""From what a config names to something that can be fired, or to what is wrong with it.

Three forms are taken: a class derived from ``TestCase``; any class with a ``run`` method, of which the other hooks are used
where they are there; a callable. User code runs here: imports, ``__init__``, properties. Whatever it raises, ``SystemExit``
included, becomes a ``Problem``.
"""

import contextlib
import inspect
import logging
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from . import _inherit
from ._engine import TestCase
from ._names import Problem, RefusedError, candidates, find, import_failed, refusal, refuse, short_name, signature, similar
from ._paths import shown
from ._tracebacks import one_line, sendable

log = logging.getLogger("pysurge")

_CLASS_HOOKS = ("startup", "shutdown")
_HOOKS = ("setup", "run", "teardown")

# The parameter of a function that gets a whole row of data.
_ROW = "data"

# Characters of a label or a summary that are kept.
_MAX_TEXT_CHARS = 1000

# Characters of a value that an error shows.
_MAX_BRIEF_CHARS = 60

# The longest max_duration, as in a config: the grace period may be as long.
_MAX_SECONDS = 3650 * 86_400


class Loaded(NamedTuple):
    """What the engine wants to know of a test."""

    # Called with the kwargs for each iteration: a class, or the function itself.
    make: Callable[..., Any]
    # Whether calling it is the iteration, and not the making of an instance.
    is_function: bool
    # Whether its iterations are coroutines.
    is_coroutine: bool
    # What its threads are called.
    name: str
    label: str
    summary: str
    max_duration_s: float | None
    has_setup: bool = False
    has_teardown: bool = False
    # Whether metrics are an attribute of the instance's own class, and not those of ``TestCase``.
    own_metrics: bool = False
    # Which columns of a row of data are given as kwargs; all where None.
    columns: list[str] | None = None
    # Where the whole row goes: "attribute", "argument" or "nowhere".
    row_as: str = "nowhere"
    # Whether it is one of pytest, whose iterations tell more: ``waited_ns``, ``skipped``, ``xfailed``.
    of_pytest: bool = False
    # What the user should know of how it is run.
    notes: Sequence[str] = ()


def load(
    path: str,
    kwargs: dict[str, Any],
    folders: Sequence[str] = (),
    row: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    test_case: bool = True,
) -> Loaded | Problem:
    """Import what is to be run, make one instance of a class, and ask it for what the report shows.

    ``folders`` are those where user code is looked for before and after Python's own path; they stand in hints. ``row`` are
    kwargs that one iteration gets beside those that all have, ``data`` is a row that one iteration is fed with. ``test_case``
    says that nothing but a class derived from ``TestCase`` is meant, as in pysurge 1.0.1.
    """
    try:
        found = find(path, folders, kind="class" if test_case else "class or function")
        if test_case:
            _check_is_test_case(path, found)
        loaded = _load_class if inspect.isclass(found) else _load_function
        return loaded(path, found, kwargs, row or {}, data)
    except RefusedError as refused:
        return refused.problem
    except BaseException as error:
        # A metaclass or a descriptor that raises where nobody expects user code.
        return refuse("instance", f"`{path}` cannot be examined: {one_line(error)}", error=error).problem


def import_script(file: str) -> Problem | None:
    """Import the script that made the ``Manager``, whose classes a config names ``__main__.Class``."""
    try:
        _inherit.import_main(file)
    except BaseException as error:
        return import_failed(shown(file), error).problem
    return None


# -- a class -----------------------------------------------------------------------------------------------------------


def _load_class(path: str, cls: Any, kwargs: dict[str, Any], row: dict[str, Any], data: dict[str, Any] | None) -> Loaded:
    if getattr(cls, "run", None) is None or cls.run is getattr(TestCase, "run", None):
        raise refuse("not_a_test_case", f"class `{path}` has no run()", "run() is the one method a test case must have")
    columns = None if data is None else _columns_of_class(cls, data)
    fed = {} if data is None else {name: value for name, value in data.items() if columns is None or name in columns}
    instance = _instantiate(cls, {**kwargs, **row, **fed})
    if row or fed:
        # The label stands for all iterations.
        with contextlib.suppress(Exception):
            instance.kwargs = kwargs
    if data is not None:
        _give_row(path, instance, data)
    is_coroutine = _check_hooks(path, instance)
    is_test_case = isinstance(instance, TestCase)
    return Loaded(
        make=cls,
        is_function=False,
        is_coroutine=is_coroutine,
        name=cls.__name__,
        label=_label(instance, kwargs),
        summary=_summary(instance),
        max_duration_s=_max_duration(instance),
        has_setup=_has_own(cls, "setup"),
        has_teardown=_has_own(cls, "teardown"),
        own_metrics=not is_test_case or _has_own(cls, "metrics"),
        columns=columns,
        row_as="nowhere" if data is None else "attribute",
    )


def _has_own(cls: Any, name: str) -> bool:
    """Whether a class has an attribute that is not ``TestCase``'s."""
    for owner in cls.__mro__:
        if owner is TestCase:
            return False
        if name in vars(owner):
            return True
    return False


def _check_is_test_case(path: str, cls: Any) -> None:
    if not inspect.isclass(cls):
        kind = "a module" if inspect.ismodule(cls) else f"of type {type(cls).__name__}"
        among = candidates(cls, "class") if inspect.ismodule(cls) else []
        if among:
            hint = f"did you mean `{path}.{among[0]}`?"
        elif callable(cls):
            hint = f"name a class that derives from pysurge.TestCase, or write `test: {path}`"
        else:
            hint = "name a class that derives from pysurge.TestCase"
        raise refuse("not_a_test_case", f"`{path}` is {kind}, not a class", hint)
    if not issubclass(cls, TestCase):
        hint = f"write `class {cls.__name__}(pysurge.TestCase)`, or `test: {path}`, which takes any class with a run()"
        raise refuse("not_a_test_case", f"class `{path}` is no TestCase", hint)


def _check_hooks(path: str, instance: Any) -> bool:
    """Whether the hooks can be called, and whether the test is one of coroutines."""
    cls = type(instance)
    for hook in (*_CLASS_HOOKS, *_HOOKS):
        if hook == "run" or isinstance(instance, TestCase) or hasattr(cls, hook):
            _check_hook(path, instance, hook)
    is_coroutine = inspect.iscoroutinefunction(instance.run)
    for hook in (*_CLASS_HOOKS, "setup", "teardown"):
        if not is_coroutine and inspect.iscoroutinefunction(getattr(instance, hook, None)):
            hint = "write `async def run(self)` too, or make this a plain function"
            raise refuse("not_a_test_case", f"`{path}.{hook}` is a coroutine function, and run() is not", hint)
    return is_coroutine


def _check_hook(path: str, instance: Any, hook: str) -> None:
    on_class = hook in _CLASS_HOOKS
    method = getattr(type(instance) if on_class else instance, hook, None)
    what = f"`{path}.{hook}`"
    if not callable(method):
        raise refuse("not_a_test_case", f"{what} is no method", f"write `def {hook}(...)`")
    _check_not_generator(what, hook, method)
    reason = refusal(method)
    if reason is not None:
        needed = "`@classmethod` above it and no parameter but cls" if on_class else "no parameter but self"
        raise refuse("not_a_test_case", f"{what} cannot be called: {reason}", f"give it {needed}")


def _check_not_generator(what: str, name: str, function: Callable[..., Any]) -> None:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        hint = f"take the yield out of {name}()"
        raise refuse("not_a_test_case", f"{what} is a generator function: calling it would do nothing", hint)


def _instantiate(cls: Any, kwargs: dict[str, Any]) -> Any:
    _check_kwargs(cls, kwargs)
    try:
        return cls(**kwargs)
    except BaseException as error:
        raise refuse("instance", f"{cls.__name__}.__init__ raised {one_line(error)}", error=error) from None


def _check_kwargs(cls: Any, kwargs: dict[str, Any]) -> None:
    if cls.__init__ is TestCase.__init__ or type(cls).__call__ is not type.__call__:
        return
    if cls.__init__ is object.__init__:
        # Whose signature takes anything, and then refuses it.
        if kwargs and cls.__new__ is object.__new__:
            names = ", ".join(f"`{name}`" for name in kwargs)
            hint = f"give {cls.__name__} an __init__ with parameters of these names"
            raise refuse("kwargs", f"{cls.__name__} takes no arguments, but its kwargs are {names}", hint)
        return
    _refuse_kwargs(f"{cls.__name__}.__init__", "__init__", cls.__init__, (None,), kwargs)


def _refuse_kwargs(what: str, name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Say where a function does not take its kwargs."""
    reason, found = refusal(function, *args, **kwargs), signature(function)
    if reason is None or found is None:
        return
    parameters = list(found.parameters.values())
    named = [p.name for p in parameters[len(args) :] if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    hints = [hint for hint in (similar(name, named) for name in kwargs if name not in named) if hint]
    hint = hints[0] if hints else f"its signature is {name}({', '.join(map(str, parameters))})"
    raise refuse("kwargs", f"{what} refuses these kwargs: {reason}", hint)


def _give_row(path: str, instance: Any, data: dict[str, Any]) -> None:
    try:
        instance.data = data
    except BaseException as error:
        hint = "let it have an attribute `data` that can be set"
        raise refuse("data", f"`{path}` cannot be given its row as self.data: {one_line(error)}", hint) from None


# -- a function --------------------------------------------------------------------------------------------------------


def _load_function(
    path: str, function: Any, kwargs: dict[str, Any], row: dict[str, Any], data: dict[str, Any] | None
) -> Loaded:
    name = short_name(path)
    if not callable(function):
        kind = "a module" if inspect.ismodule(function) else f"of type {type(function).__name__}"
        among = candidates(function) if inspect.ismodule(function) else []
        hint = f"did you mean `{path}.{among[0]}`?" if among else "name a class with a run(), or a function"
        raise refuse("not_a_test_case", f"`{path}` is {kind}, which cannot be called", hint)
    _check_not_generator(f"`{path}`", name, function)
    columns, row_as = ([], "nowhere") if data is None else _columns_of_function(path, function, data)
    fed: dict[str, Any] = {}
    if data is not None:
        fed = {key: value for key, value in data.items() if columns is None or key in columns}
        if row_as == "argument":
            fed[_ROW] = data
    _refuse_kwargs(f"`{path}`", name, function, (), {**kwargs, **row, **fed})
    shown_kwargs = ", ".join(f"{key}={_repr(value)}" for key, value in kwargs.items())
    return Loaded(
        make=function,
        is_function=True,
        is_coroutine=is_coroutine_function(function),
        name=name,
        label=_short(sendable(f"{name}({shown_kwargs})")),
        summary=_short(_first_line(function) or name),
        max_duration_s=None,
        columns=columns,
        row_as=row_as,
    )


def is_coroutine_function(function: Any) -> bool:
    """Whether calling it gives a coroutine; also of an object whose ``__call__`` is such a method."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


def _columns_of_function(path: str, function: Any, data: dict[str, Any]) -> tuple[list[str] | None, str]:
    found = signature(function)
    if found is None:
        return None, "nowhere"
    parameters = found.parameters.values()
    row_as = "argument" if any(p.name == _ROW for p in parameters) and _ROW not in data else "nowhere"
    columns = _taken(found, data)
    if columns == [] and row_as == "nowhere":
        hint = f"give it a parameter named like a column ({', '.join(map(str, data))}), or `{_ROW}`, which gets the whole row"
        raise refuse("data", f"`{path}` takes nothing of its data", hint)
    return columns, row_as


def _columns_of_class(cls: Any, data: dict[str, Any]) -> list[str] | None:
    if cls.__init__ is object.__init__:
        return []
    if cls.__init__ is TestCase.__init__:
        return None
    found = signature(cls.__init__)
    return None if found is None else _taken(found, data)


def _taken(found: inspect.Signature, data: dict[str, Any]) -> list[str] | None:
    """Which columns are parameters; None where all are taken, whatever they are called."""
    parameters = found.parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name in data]


# -- what the report shows ---------------------------------------------------------------------------------------------


def _label(instance: Any, kwargs: dict[str, Any]) -> str:
    cls: Any = type(instance)
    default = f"<{cls.__name__} kwargs={_repr(kwargs)}>"
    if cls.__str__ is object.__str__ and cls.__repr__ is object.__repr__:
        return _short(sendable(default))
    return _text(instance, "__str__", str, lambda: f"<{cls.__name__}>")


def _summary(instance: Any) -> str:
    cls: Any = type(instance)
    if isinstance(instance, TestCase):
        default: str = TestCase.summary.__get__(instance)
        return _text(instance, "summary", lambda case: case.summary, lambda: default)
    default = _first_line(cls) or cls.__name__
    return _text(instance, "summary", lambda case: case.summary, lambda: default) if hasattr(cls, "summary") else default


def _first_line(documented: Any) -> str:
    # Not inherited, and not that of the type of a callable object.
    doc = vars(documented).get("__doc__") if inspect.isclass(documented) else getattr(documented, "__doc__", None)
    if not isinstance(doc, str) or (not inspect.isclass(documented) and not inspect.isroutine(documented)):
        return ""
    return next((line.strip() for line in doc.splitlines() if line.strip()), "")


def _text(instance: Any, name: str, get: Callable[[Any], Any], default: Callable[[], str]) -> str:
    """A text for the report. It may need what only ``startup`` will make, so that raising here is no fault."""
    what = f"{type(instance).__name__}.{name}"
    try:
        value = get(instance)
        if not callable(value):
            return _short(sendable(str(value)))
    except BaseException as error:
        log.debug("%s cannot be shown in the report: it raised %s before startup()", what, one_line(error))
        return default()
    raise refuse("instance", f"{what} must be a string, not a method", "put @property above it")


def _short(text: str) -> str:
    """Cut a text that goes into every summary: a label of 10 MB would cost the run its results."""
    return text if len(text) <= _MAX_TEXT_CHARS else f"{text[:_MAX_TEXT_CHARS]}…"


def _max_duration(instance: Any) -> float | None:
    cls = type(instance)
    own = "max_duration" in getattr(instance, "__dict__", {})
    if not own and not _has_own(cls, "max_duration"):
        return None
    try:
        value: Any = instance.max_duration
    except BaseException as error:
        raise refuse("instance", f"{cls.__name__}.max_duration raised {one_line(error)}", error=error) from None
    try:
        seconds = float(value)
    except BaseException:
        # A number that is too large for a float, or whatever its class raises.
        seconds = math.nan
    if math.isfinite(seconds) and seconds > _MAX_SECONDS:
        raise refuse("instance", f"{cls.__name__}.max_duration must be at most ten years, not {_brief(value)} seconds")
    if not (math.isfinite(seconds) and seconds > 0):
        hint = "put @property above it" if callable(value) else "give the seconds that one iteration may take"
        raise refuse("instance", f"{cls.__name__}.max_duration must be a number above 0, not {_brief(value)}", hint)
    return seconds


def _brief(value: Any) -> str:
    text = _repr(value)
    return text if len(text) <= _MAX_BRIEF_CHARS else f"{text[:_MAX_BRIEF_CHARS]}…"


def _repr(value: Any) -> str:
    if inspect.ismethod(value):
        return "a method"
    try:
        return repr(value)
    except BaseException:
        return f"a {type(value).__name__}"
