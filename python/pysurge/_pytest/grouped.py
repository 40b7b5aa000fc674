"""Several errors as one exception, as pytest does it."""

import builtins
import importlib
from collections.abc import Sequence
from typing import Any, NoReturn

# Before Python 3.11 pytest brings the package.
_Group: Any = getattr(builtins, "BaseExceptionGroup", None) or importlib.import_module("exceptiongroup").BaseExceptionGroup


def raise_all(message: str, errors: Sequence[BaseException]) -> NoReturn:
    """Raise the one error, or all of them, of which the last was raised first, as a group."""
    if len(errors) == 1:
        raise errors[0]
    raise _Group(message, list(reversed(errors)))
