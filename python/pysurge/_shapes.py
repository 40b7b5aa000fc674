"""A load profile by a function ``rate(t_s) -> float`` of the user's: sampled before the start, and never called again."""

import math
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NamedTuple

from ._names import Problem, RefusedError, find, refusal, refuse, similar
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


def sample(function: str, duration_s: float | None, folders: Sequence[str]) -> Samples | Problem:
    """Sample the function from 0 to ``duration_s``, or to where it returns None.

    ``function`` is ``module.function`` or ``file.py:function``; files are looked for in ``folders``.
    """
    try:
        rate = _find(function, folders)
        return _sample(function, rate, duration_s)
    except RefusedError as refused:
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
                raise refuse("shape", f"shape `{name}` returned None at the very start", "return a rate first")
            # It ends here, and nobody knows better than the last sample what the rate was until then.
            rates.append(rates[-1])
            break
        rates.append(value)
    else:
        if duration_s is None:
            hint = "give the test or the run a `duration`, or let the function return None where the load ends"
            raise refuse("shape", f"shape `{name}` has no end", hint)
    return Samples(step_ms * 1_000_000, rates)


def _rate_at(name: str, rate: Callable[[float], Any], t_s: float) -> float | None:
    try:
        value = rate(t_s)
        if value is None:
            return None
        number = float(value)
    except BaseException as error:
        raise refuse("shape", f"shape `{name}` raised {one_line(error)} at t = {t_s:g} s", error=error) from None
    if not (math.isfinite(number) and 0 <= number <= _MAX_RATE):
        hint = f"return the iterations per second at t seconds after the test's start, from 0 to {_MAX_RATE}"
        raise refuse("shape", f"shape `{name}` gave {number:g} at t = {t_s:g} s, which is no rate", hint)
    return number


def _find(name: str, folders: Sequence[str]) -> Callable[[float], Any]:
    try:
        found = find(name, folders, kind="function")
    except RefusedError as refused:
        owner, _, attribute = name.rpartition(".")
        module = sys.modules.get(owner)
        if module is None or hasattr(module, attribute):
            raise
        raise RefusedError(refused.problem._replace(hint=_similar_function(attribute, module))) from None
    if not callable(found):
        hint = "name a function that takes the seconds since the test's start and returns iterations per second"
        raise refuse("shape", f"shape `{name}` is no function but {type(found).__name__}", hint)
    reason = refusal(found, 0.0)
    if reason is not None:
        hint = "give it one parameter: the seconds since the test's start"
        raise refuse("shape", f"shape `{name}` cannot be called: {reason}", hint)
    return found  # type: ignore[no-any-return]


def _similar_function(attribute: str, module: ModuleType) -> str | None:
    functions = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
    return similar(attribute, functions)
