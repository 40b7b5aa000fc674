"""Whether there is a pytest that the adapter works with. Imports pytest only when asked."""

import sys
from importlib import metadata
from typing import Any

from .._names import refuse
from .._tracebacks import one_line

# Of the current major version and the one before; 8.2 is the first whose fixtures do not know of unittest.
OLDEST = (8, 2)
_OLDEST = ".".join(map(str, OLDEST))


def require() -> Any:
    """The pytest module; raises ``RefusedError`` where it is missing or too old."""
    hint = f"install it beside pysurge: {sys.executable} -m pip install 'pytest>={_OLDEST}'"
    try:
        version = metadata.version("pytest")
        import pytest
    except ImportError:
        raise refuse("collect", f"pytest is not installed for {sys.executable}", hint) from None
    except Exception as error:
        raise refuse("collect", f"pytest cannot be imported: {one_line(error)}", error=error) from None
    if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < OLDEST:
        raise refuse("collect", f"pytest {version} is too old: pysurge needs {_OLDEST} or newer", hint)
    return pytest
