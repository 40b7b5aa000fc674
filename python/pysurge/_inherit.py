"""What the workers of a ``Manager`` inherit from the process that made it, as if they had been forked from it.

That is ``sys.path``, and the script itself where the config needs it. It travels in one environment variable of our
own, which a worker takes out of its environment before any user code runs.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from types import ModuleType

_VARIABLE = "PYSURGE_INHERITED"
_MAIN = "__main__"
_worker = False


def in_worker() -> bool:
    """Whether this process is a worker."""
    return _worker


@contextlib.contextmanager
def inheritance(wants_main: bool) -> Iterator[None]:
    """Leave behind, for the workers that are started meanwhile, what they inherit."""
    import json

    main = _main_file() if wants_main else None
    # The empty entry of an interactive session means the current folder, wherever that is.
    os.environ[_VARIABLE] = json.dumps({"path": [path or os.getcwd() for path in sys.path], "main": main})
    try:
        yield
    finally:
        os.environ.pop(_VARIABLE, None)


def _main_file() -> str | None:
    file = getattr(sys.modules[_MAIN], "__file__", None)
    return os.path.abspath(file) if file else None


def has_main() -> bool:
    """In a worker: whether the script was imported."""
    return "__mp_main__" in sys.modules


def inherit() -> tuple[list[str], str | None]:
    """In a worker: where user code is found besides, and the script to be imported."""
    global _worker  # noqa: PLW0603 - a process becomes a worker once and for good
    _worker = True
    left = os.environ.pop(_VARIABLE, None)
    if left is None:
        return [], None
    import json

    inherited = json.loads(left)
    return inherited["path"], inherited["main"]


def import_main(file: str) -> None:
    """Import the script under the name that pickled objects and the config know it by, without running it as one."""
    import runpy

    module = ModuleType("__mp_main__")
    module.__dict__.update(runpy.run_path(file, run_name="__mp_main__"))
    module.__name__ = _MAIN
    sys.modules[_MAIN] = sys.modules["__mp_main__"] = module
