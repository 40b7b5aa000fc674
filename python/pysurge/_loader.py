"""From ``package.module.Class`` in a config to a class that can be fired, or to what is wrong with it.

User code runs here: imports, ``__init__``, properties. Whatever it raises, ``SystemExit`` included, becomes a
``Problem``.
"""

import contextlib
import difflib
import importlib
import inspect
import logging
import math
import pkgutil
import sys
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType, TracebackType
from typing import Any, NamedTuple

from . import _inherit
from ._engine import TestCase
from ._paths import is_ours, shown
from ._tracebacks import one_line, render, sendable

log = logging.getLogger("pysurge")

_CLASS_HOOKS = ("startup", "shutdown")
_HOOKS = ("setup", "run", "teardown")

# More names than these are no help in a hint.
_MANY_NAMES = 8


class Problem(NamedTuple):
    """Why a test cannot be loaded; ``fault`` is a name of the engine's ``LoadFault`` in snake case."""

    fault: str
    message: str
    hint: str | None
    traceback: str


class Loaded(NamedTuple):
    """What the engine wants to know of a test."""

    cls: type[TestCase]
    label: str
    summary: str
    max_duration_s: float | None


class RefusedError(Exception):
    """What is wrong, on its way to whoever asked."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def load(path: str, kwargs: dict[str, Any], folders: Sequence[str] = (), row: dict[str, Any] | None = None) -> Loaded | Problem:
    """Import a class, instantiate it once, and ask it for what the report shows.

    ``folders`` are those where user code is looked for before and after Python's own path; they stand in hints. ``row`` are the
    kwargs that one iteration gets beside those that all have.
    """
    try:
        cls = find(path, folders)
        _check_class(path, cls)
        instance = _instantiate(cls, {**kwargs, **(row or {})})
        if row:
            # The label stands for all iterations.
            with contextlib.suppress(Exception):
                instance.kwargs = kwargs
        for hook in (*_CLASS_HOOKS, *_HOOKS):
            _check_hook(path, instance, hook)
        return Loaded(cls, _label(instance), _summary(instance), _max_duration(instance))
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


def refuse(fault: str, message: str, hint: str | None = None, error: BaseException | None = None) -> RefusedError:
    """Say what is wrong, with the user's part of the traceback of an error."""
    traceback = "" if error is None else render(error)
    return RefusedError(Problem(fault, sendable(message), hint and sendable(hint), traceback))


# -- the class ---------------------------------------------------------------------------------------------------------


def find(path: str, folders: Sequence[str]) -> Any:
    """Import what a dotted path names."""
    parts = path.split(".")
    if not all(part.isidentifier() for part in parts):
        raise refuse("not_found", f"`{path}` is no dotted path to a class", "write package.module.ClassName")
    module, rest = _import_longest(path, parts, folders)
    found: Any = module
    for place, part in enumerate(rest):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise _no_attribute(".".join(parts[: len(parts) - len(rest) + place]), part, found, module) from None
        except BaseException as error:
            raise refuse("import", f"`{path}` cannot be looked up: {one_line(error)}", error=error) from None
    return found


def _import_longest(path: str, parts: list[str], folders: Sequence[str]) -> tuple[ModuleType, list[str]]:
    """Import as many leading parts as are modules."""
    module = _import(parts[0])
    if module is None:
        raise _no_module(path, parts[0], folders)
    for place, part in enumerate(parts[1:], start=1):
        is_last = place == len(parts) - 1
        if "__path__" not in vars(module) or (is_last and part in vars(module)):
            return module, parts[place:]
        submodule = _import(".".join(parts[: place + 1]))
        if submodule is None:
            return module, parts[place:]
        module = submodule
    return module, []


def _import(name: str) -> ModuleType | None:
    """Import a module; None where there is none of that name."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name:
            return None
        hint = f"is `{error.name}` installed for {sys.executable}?" if error.name else None
        raise import_failed(f"module `{name}`", error, hint) from None
    except BaseException as error:
        raise import_failed(f"module `{name}`", error) from None


def import_failed(what: str, error: BaseException, hint: str | None = None) -> RefusedError:
    """Say that user code raised while it was imported."""
    error.__traceback__ = _without_import_machinery(error.__traceback__)
    return refuse("import", f"{what} cannot be imported: {one_line(error)}", hint, error)


def _without_import_machinery(tb: TracebackType | None) -> TracebackType | None:
    machinery = (importlib.__file__, "<frozen importlib", "<frozen runpy")
    while tb is not None:
        filename = tb.tb_frame.f_code.co_filename
        if not (is_ours(filename) or filename.startswith(machinery)):
            break
        tb = tb.tb_next
    return tb


def _no_module(path: str, name: str, folders: Sequence[str]) -> RefusedError:
    message = f"there is no module `{name}`"
    if name == path:
        return refuse("not_found", message, "write the module and the class, module.ClassName")
    places = [shown(folder) for folder in folders] or [shown(sys.path[0]) or "."]
    hint = f"looked in {' and '.join(places)} and on Python's path; run pysurge from the folder that holds `{name}`"
    alike = similar(name, _modules_in(folders or sys.path[:1]), few=False)
    return refuse("not_found", message, f"{alike}; {hint}" if alike else hint)


def _no_attribute(owner: str, part: str, found: Any, module: ModuleType) -> RefusedError:
    if owner == "__main__" and not _inherit.has_main():
        hint = "`__main__` means the script that makes a Manager; elsewhere write the module's own name"
        return refuse("not_found", f"there is no script that could hold `{part}`", hint)
    file = getattr(module, "__file__", None)
    where = f" ({shown(file)})" if file else ""
    kind = "module" if found is module else "class"
    among = _test_cases(found) + _modules_in(getattr(found, "__path__", ()))
    return refuse("not_found", f"{kind} `{owner}`{where} has no `{part}`", similar(part, among))


def _modules_in(folders: Iterable[str]) -> list[str]:
    return [module.name for module in pkgutil.iter_modules(list(folders))]


def _test_cases(owner: Any) -> list[str]:
    """Names of the test cases in a module or class; of all its classes, where none is a test case."""
    members = getattr(owner, "__dict__", {})
    classes = [name for name, value in members.items() if inspect.isclass(value) and value is not TestCase]
    cases = [name for name in classes if issubclass(members[name], TestCase)]
    return cases or classes


def similar(name: str, among: Sequence[str], few: bool = True) -> str | None:
    """A hint to a name that is alike, or, if there are ``few``, to all there are."""
    close = difflib.get_close_matches(name, among, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    if few and 0 < len(among) <= _MANY_NAMES:
        return "there is " + ", ".join(f"`{each}`" for each in sorted(among))
    return None


def _check_class(path: str, cls: Any) -> None:
    if not inspect.isclass(cls):
        kind = "a module" if inspect.ismodule(cls) else f"of type {type(cls).__name__}"
        cases = _test_cases(cls) if inspect.ismodule(cls) else []
        hint = f"did you mean `{path}.{cases[0]}`?" if cases else "name a class that derives from pysurge.TestCase"
        raise refuse("not_a_test_case", f"`{path}` is {kind}, not a class", hint)
    if not issubclass(cls, TestCase):
        hint = f"write `class {cls.__name__}(pysurge.TestCase)`"
        raise refuse("not_a_test_case", f"class `{path}` is no TestCase", hint)
    if cls.run is TestCase.run:
        raise refuse("not_a_test_case", f"class `{path}` has no run()", "run() is the one method a test case must have")


def _check_hook(path: str, instance: TestCase, hook: str) -> None:
    on_class = hook in _CLASS_HOOKS
    method = getattr(type(instance) if on_class else instance, hook, None)
    what = f"`{path}.{hook}`"
    if not callable(method):
        raise refuse("not_a_test_case", f"{what} is no method", f"write `def {hook}(...)`")
    if inspect.iscoroutinefunction(method):
        hint = f"make {hook}() a plain function that calls asyncio.run(...)"
        raise refuse("not_a_test_case", f"{what} is a coroutine function, which pysurge does not run yet", hint)
    if inspect.isgeneratorfunction(method) or inspect.isasyncgenfunction(method):
        hint = f"take the yield out of {hook}()"
        raise refuse("not_a_test_case", f"{what} is a generator function: calling it would do nothing", hint)
    reason = refusal(method)
    if reason is not None:
        needed = "`@classmethod` above it and no parameter but cls" if on_class else "no parameter but self"
        raise refuse("not_a_test_case", f"{what} cannot be called: {reason}", f"give it {needed}")


def refusal(function: Callable[..., Any], *args: Any, **kwargs: Any) -> str | None:
    """Why a function does not take these arguments, told without calling it; None where it does or nobody knows."""
    signature = _signature(function)
    if signature is None:
        return None
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        return str(error)
    return None


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        # What a decorator wraps is its own business: it may well provide an argument.
        return inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        return None


# -- the instance ------------------------------------------------------------------------------------------------------


def _instantiate(cls: type[TestCase], kwargs: dict[str, Any]) -> TestCase:
    _check_kwargs(cls, kwargs)
    try:
        return cls(**kwargs)
    except BaseException as error:
        raise refuse("instance", f"{cls.__name__}.__init__ raised {one_line(error)}", error=error) from None


def _check_kwargs(cls: type[TestCase], kwargs: dict[str, Any]) -> None:
    if cls.__init__ is TestCase.__init__ or type(cls).__call__ is not type.__call__:
        return
    reason, signature = refusal(cls.__init__, None, **kwargs), _signature(cls.__init__)
    if reason is None or signature is None:
        return
    parameters = list(signature.parameters.values())
    named = [p.name for p in parameters[1:] if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    hints = [hint for hint in (similar(name, named) for name in kwargs if name not in named) if hint]
    hint = hints[0] if hints else f"its signature is __init__({', '.join(map(str, parameters))})"
    raise refuse("kwargs", f"{cls.__name__}.__init__ refuses these kwargs: {reason}", hint)


def _label(instance: TestCase) -> str:
    return _text(instance, "__str__", str, lambda: f"<{type(instance).__name__}>")


def _summary(instance: TestCase) -> str:
    default = TestCase.summary.__get__(instance)
    return _text(instance, "summary", lambda case: case.summary, lambda: default)


def _text(instance: TestCase, name: str, get: Callable[[Any], Any], default: Callable[[], str]) -> str:
    """A text for the report. It may need what only ``startup`` will make, so that raising here is no fault."""
    what = f"{type(instance).__name__}.{name}"
    try:
        value = get(instance)
        if not callable(value):
            return sendable(str(value))
    except BaseException as error:
        log.debug("%s cannot be shown in the report: it raised %s before startup()", what, one_line(error))
        return default()
    raise refuse("instance", f"{what} must be a string, not a method", "put @property above it")


def _max_duration(instance: TestCase) -> float | None:
    cls = type(instance)
    own = "max_duration" in getattr(instance, "__dict__", {})
    if not own and getattr(cls, "max_duration", None) is TestCase.max_duration:
        return None
    try:
        value: Any = instance.max_duration
    except BaseException as error:
        raise refuse("instance", f"{cls.__name__}.max_duration raised {one_line(error)}", error=error) from None
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        hint = "put @property above it" if callable(value) else "give the seconds that one iteration may take"
        raise refuse("instance", f"{cls.__name__}.max_duration must be a number above 0, not {_repr(value)}", hint)
    return seconds


def _repr(value: Any) -> str:
    if inspect.ismethod(value):
        return "a method"
    try:
        return repr(value)
    except Exception:
        return f"a {type(value).__name__}"
