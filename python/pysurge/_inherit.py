"""What the workers of a run that a program started inherit from that program, as if they had been forked from it.

That is ``sys.path``, the script where the run needs it, and what was shipped by value. It travels in one environment variable
of our own, which a worker takes out of its environment before any user code runs.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from importlib.abc import Loader

VARIABLE = "PYSURGE_INHERITED"
MAIN = "__main__"
_IN_WORKER = "__mp_main__"

# The module that holds what was shipped by value.
SHIPPED = "__shipped__"

_worker = False
# What the script's relative imports count from.
_package: str | None = None
# Whether the script came to where it starts a run.
_reached = False


class ReachedRun(SystemExit):
    """A worker came to where a run is started: it is a part of that run and must not start it once more.

    A ``SystemExit``, so that it passes ``except Exception`` and ends a thread without a word.
    """

    def __init__(self) -> None:
        super().__init__(
            "a worker has come to where a run is started: what starts a run must not stand at the top of a module that tests "
            'are imported from, nor in a test; put it into a function, or under `if __name__ == "__main__":`'
        )


def in_worker() -> bool:
    """Whether this process is a worker."""
    return _worker


def stop_in_worker() -> None:
    """In a worker, stop what would start a run."""
    global _reached  # noqa: PLW0603 - it says something of the whole process
    if _worker:
        _reached = True
        raise ReachedRun


def left(wants_main: bool, shipped: str | None = None) -> dict[str, str]:
    """The variables for workers that inherit from this process; ``shipped`` is a file for them."""
    import json

    # The empty entry of an interactive session means the current folder, wherever that is.
    inherited = {
        "path": [path or os.getcwd() for path in sys.path],
        "main": main_file() if wants_main else None,
        "package": getattr(sys.modules[MAIN], "__package__", None) if wants_main else None,
        "shipped": shipped,
    }
    return {VARIABLE: json.dumps(inherited)}


@contextlib.contextmanager
def inheritance(wants_main: bool) -> Iterator[None]:
    """Leave behind, for the workers that are started meanwhile, what they inherit."""
    os.environ.update(left(wants_main))
    try:
        yield
    finally:
        os.environ.pop(VARIABLE, None)


def main_file() -> str | None:
    """The script that this process runs; None in a notebook, at the prompt, for ``python -c`` and the like."""
    file = getattr(sys.modules[MAIN], "__file__", None)
    return os.path.abspath(file) if file and os.path.isfile(file) else None


def has_main() -> bool:
    """In a worker: whether the script was imported."""
    return _IN_WORKER in sys.modules


def inherit() -> tuple[list[str], str | None]:
    """In a worker: where user code is found besides, and the script to be imported."""
    global _worker, _package  # noqa: PLW0603 - a process becomes a worker once and for good
    _worker = True
    text = os.environ.pop(VARIABLE, None)
    if text is None:
        return [], None
    import json

    inherited = json.loads(text)
    _package = inherited["package"]
    if inherited["shipped"]:
        sys.meta_path.insert(0, _ShippedFinder(inherited["shipped"]))
    return inherited["path"], inherited["main"]


def import_main(file: str) -> None:
    """Import the script under the name that pickled objects and the config know it by, without running it as one.

    Where it starts a run at its top, it is imported up to there: the workers need no more of it than what that run had seen.
    """
    global _reached  # noqa: PLW0603 - what is imported later is another matter
    module = ModuleType(_IN_WORKER)
    module.__file__ = file
    module.__package__ = _package
    # It has to be found while it is imported: dataclasses and pickle look for the module of a class.
    sys.modules[MAIN] = sys.modules[_IN_WORKER] = module
    try:
        exec(_code_of(file), module.__dict__)  # noqa: S102 - this is what importing is
    except BaseException:
        # A script may have caught what stopped it, and then come to grief for want of a result.
        if not _reached:
            raise
    finally:
        _reached = False
    module.__name__ = MAIN


def _code_of(file: str) -> Any:
    import io

    with io.open_code(file) as source:
        return compile(source.read(), file, "exec", dont_inherit=True)


class _ShippedFinder:
    """Makes the module of what was shipped when it is first asked for: the path of imports is complete by then."""

    def __init__(self, file: str) -> None:
        self._file = file

    def find_spec(self, fullname: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        """Tell of that one module."""
        return ModuleSpec(fullname, cast("Loader", self)) if fullname == SHIPPED else None

    def create_module(self, _spec: ModuleSpec) -> None:
        """Leave that to Python."""

    def exec_module(self, module: ModuleType) -> None:
        """Fill it."""
        import pickle

        with open(self._file, "rb") as shipped:
            vars(module).update(pickle.load(shipped))  # noqa: S301 - our own manager wrote it, for nobody else to write
