"""A load profile by a function ``rate(t_s) -> float`` of the user's: sampled before the start, and never called again."""

import importlib.util
import math
import os
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

from . import _loader
from ._paths import shown
from ._tracebacks import one_line

# Between two samples, unless the profile is so long that there would be more than _MOST_SAMPLES.
_STEP_MS = 100
_MOST_SAMPLES = 36_000

# A profile whose length nobody says is looked at in these steps and for so long.
_SEARCH_STEP_MS = 1_000
_SEARCH_S = 86_400

# The engine's own limit.
_MAX_RATE = 10_000_000


class Samples(NamedTuple):
    """Rates per second at 0, one step, two steps, …; the profile ends with the last."""

    step_ns: int
    rates: list[float]


def sample(function: str, duration_s: float | None, folders: Sequence[str]) -> Samples | _loader.Problem:
    """Sample the function from 0 to ``duration_s``, or to where it returns None.

    ``function`` is ``module.function`` or ``file.py:function``; files are looked for in ``folders``.
    """
    try:
        rate = _find(function, folders)
        return _sample(function, rate, duration_s)
    except _loader.RefusedError as refused:
        return refused.problem._replace(fault="shape")


def _sample(name: str, rate: Callable[[float], Any], duration_s: float | None) -> Samples:
    if duration_s is None:
        step_ms, count = _SEARCH_STEP_MS, _SEARCH_S * 1_000 // _SEARCH_STEP_MS
    else:
        step_ms = _STEP_MS * max(1, math.ceil(duration_s * 1_000 / _STEP_MS / _MOST_SAMPLES))
        count = math.ceil(duration_s * 1_000 / step_ms)
    rates: list[float] = []
    for number in range(count + 1):
        t_s = number * step_ms / 1_000
        value = _rate_at(name, rate, t_s)
        if value is None:
            if not rates:
                raise _loader.refuse("shape", f"shape `{name}` returned None at the very start", "return a rate first")
            # It ends here, and nobody knows better than the last sample what the rate was until then.
            rates.append(rates[-1])
            break
        rates.append(value)
    else:
        if duration_s is None:
            hint = "give the test or the run a `duration`, or let the function return None where the load ends"
            raise _loader.refuse("shape", f"shape `{name}` has no end", hint)
    return Samples(step_ms * 1_000_000, rates)


def _rate_at(name: str, rate: Callable[[float], Any], t_s: float) -> float | None:
    try:
        value = rate(t_s)
        if value is None:
            return None
        number = float(value)
    except BaseException as error:
        raise _loader.refuse("shape", f"shape `{name}` raised {one_line(error)} at t = {t_s:g} s", error=error) from None
    if not (math.isfinite(number) and 0 <= number <= _MAX_RATE):
        hint = f"return the iterations per second at t seconds after the test's start, from 0 to {_MAX_RATE}"
        raise _loader.refuse("shape", f"shape `{name}` gave {number:g} at t = {t_s:g} s, which is no rate", hint)
    return number


def _find(name: str, folders: Sequence[str]) -> Callable[[float], Any]:
    file, colon, attribute = name.rpartition(":")
    found = _in_file(name, file, attribute, folders) if colon else _in_module(name, folders)
    if not callable(found):
        hint = "name a function that takes the seconds since the test's start and returns iterations per second"
        raise _loader.refuse("shape", f"shape `{name}` is no function but {type(found).__name__}", hint)
    refusal = _loader.refusal(found, 0.0)
    if refusal is not None:
        hint = "give it one parameter: the seconds since the test's start"
        raise _loader.refuse("shape", f"shape `{name}` cannot be called: {refusal}", hint)
    return found  # type: ignore[no-any-return]


def _in_module(name: str, folders: Sequence[str]) -> Any:
    try:
        return _loader.find(name, folders)
    except _loader.RefusedError as refused:
        owner, _, attribute = name.rpartition(".")
        module = sys.modules.get(owner)
        if module is None or hasattr(module, attribute):
            raise
        raise _loader.RefusedError(refused.problem._replace(hint=_similar_function(attribute, module))) from None


def _similar_function(attribute: str, module: ModuleType) -> str | None:
    functions = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
    return _loader.similar(attribute, functions)


def _in_file(name: str, file: str, attribute: str, folders: Sequence[str]) -> Any:
    paths = [os.path.join(folder, file) for folder in folders or ["."]]
    path = next((path for path in paths if os.path.isfile(path)), None)
    if path is None:
        places = " and ".join(shown(folder) or "." for folder in folders or ["."])
        raise _loader.refuse("shape", f"there is no file `{file}`", f"looked in {places}")
    module_name = os.path.splitext(os.path.basename(path))[0]
    module = sys.modules.get(module_name)
    if module is None or not _is_same(getattr(module, "__file__", None), path):
        spec = importlib.util.spec_from_file_location(module_name, path)
        if spec is None or spec.loader is None:
            raise _loader.refuse("shape", f"`{file}` is no Python file", "write file.py:function")
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException as error:
            raise _loader.import_failed(shown(path), error) from None
    try:
        return getattr(module, attribute)
    except AttributeError:
        hint = _similar_function(attribute, module)
        raise _loader.refuse("shape", f"`{file}` has no `{attribute}`", hint) from None


def _is_same(file: str | None, path: str) -> bool:
    return file is not None and os.path.exists(file) and os.path.samefile(file, path)
