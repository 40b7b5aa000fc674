"""How what a program hands to ``pysurge.run`` reaches the workers: by name where a worker can import it, else by value.

By name: ``module.Class``, ``/path/file.py:Class`` or, of the script, ``__main__.Class``. By value, with cloudpickle: what no
worker could import, such as a class of a notebook, a function inside a function, a lambda. It is pickled once, into a file that
nobody else can read and that is gone when the run is over. Nothing of the program is run here but what pickling runs.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import tempfile
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from . import _inherit
from ._errors import ConfigError
from ._inherit import MAIN, SHIPPED
from ._tracebacks import one_line

# What is shipped is code and small data; more belongs into a file that the workers read.
MAX_SHIPPED_BYTES = 64 * 1024 * 1024

# What stood in the script when it started its first run: a worker imports it up to there.
_seen_by_workers: dict[str, Any] | None = None


class Shipment:
    """What a run's tests are, by name or by value."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self.wants_main = False
        remember_main()

    def target(self, of: Any) -> str:
        """What a class, a function or another callable is to be called in the config of a run."""
        module, name = getattr(of, "__module__", None), getattr(of, "__qualname__", None)
        if not isinstance(module, str) or not isinstance(name, str) or not _is_at(module, name, of):
            return self._by_value(of, name)
        if module == MAIN:
            if _inherit.main_file() is None or not _is_in_main(name):
                return self._by_value(of, name)
            self.wants_main = True
            return f"{MAIN}.{name}"
        if _is_being_imported(module):
            raise ConfigError(
                f"module `{module}` starts a run while it is still being imported, and a worker that imports `{name}` from it "
                'would start one, too: put what starts the run into a function, or under `if __name__ == "__main__":`'
            )
        file = getattr(sys.modules[module], "__file__", None)
        if _can_be_imported(module, file):
            return f"{module}.{name}"
        if file and os.path.isfile(file) and file.endswith(".py"):
            return f"{os.path.abspath(file)}:{name}"
        return self._by_value(of, name)

    def data(self, rows: Any) -> str:
        """What rows, or a function that gives them, are to be called in the config of a run."""
        if callable(rows):
            return self.target(rows)
        return self._keep(list(rows), "data")

    def _by_value(self, of: Any, qualname: Any) -> str:
        """Keep it as it is, under a name that no other has."""
        if not callable(of):
            raise ConfigError(f"a test is a class, a function, or the text that names one, not {_article(type(of).__name__)}")
        last = qualname.rpartition(".")[2] if isinstance(qualname, str) else type(of).__name__
        _check_can_ship(of, last)
        return self._keep(of, last.strip("<>"))

    def _keep(self, of: Any, name: str) -> str:
        name = name if name.isidentifier() else "test"
        for known, value in self._values.items():
            if value is of:
                return f"{SHIPPED}.{known}"
        unique, number = name, 2
        while unique in self._values:
            unique, number = f"{name}_{number}", number + 1
        self._values[unique] = of
        return f"{SHIPPED}.{unique}"

    @contextlib.contextmanager
    def sent(self, wants_main: bool) -> Iterator[dict[str, str]]:
        """The variables for workers; what was kept by value is in a file until this context is left."""
        if not self._values:
            yield _inherit.left(wants_main or self.wants_main)
            return
        pickled = _pickled(self._values)
        # Made so that nobody but this user can open it.
        handle, path = tempfile.mkstemp(prefix="pysurge-", suffix=".pickle")
        try:
            with open(handle, "wb") as file:
                file.write(pickled)
            yield _inherit.left(wants_main or self.wants_main, path)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(path)


def remember_main() -> None:
    """Note, when a program starts its first run, what its script holds by then."""
    global _seen_by_workers  # noqa: PLW0603 - of the one script that this process runs
    if _seen_by_workers is None and _inherit.main_file() is not None:
        # Nothing but what can be a test: large data must not live on because of this.
        _seen_by_workers = {name: value for name, value in vars(sys.modules[MAIN]).items() if callable(value)}


def _is_at(module: str, qualname: str, of: Any) -> bool:
    """Whether it is what its own name says it is."""
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found is of


def _is_in_main(qualname: str) -> bool:
    """Whether the workers, who import the script up to its first run, have it."""
    first = qualname.partition(".")[0]
    return _seen_by_workers is not None and _seen_by_workers.get(first) is getattr(sys.modules[MAIN], first, None)


def _is_being_imported(module: str) -> bool:
    return bool(getattr(getattr(sys.modules[module], "__spec__", None), "_initializing", False))


def _can_be_imported(module: str, file: str | None) -> bool:
    """Whether a worker, which has the same ``sys.path``, comes to the same module by its name."""
    path, spec = None, None
    parts = module.split(".")
    for place in range(len(parts)):
        # Not importlib.util.find_spec: that believes sys.modules, which a worker has not.
        finders = (getattr(finder, "find_spec", None) for finder in sys.meta_path)
        name = ".".join(parts[: place + 1])
        try:
            spec = next((found for finder in finders if finder and (found := finder(name, path, None))), None)
        except Exception:
            return False
        if spec is None:
            return False
        path = spec.submodule_search_locations
    origin = getattr(spec, "origin", None)
    if file is None or origin is None or not os.path.exists(origin):
        return True
    return os.path.samefile(origin, file)


# -- by value ----------------------------------------------------------------------------------------------------------


def _check_can_ship(of: Any, name: str) -> None:
    try:
        import cloudpickle  # noqa: F401
    except ImportError:
        raise ConfigError(_how_to_name(of, name)) from None


def _how_to_name(of: Any, name: str) -> str:
    """Why a worker cannot import it, and every way to make it so."""
    qualname = str(getattr(of, "__qualname__", ""))
    install = "`pip install cloudpickle`, and it is sent as it is"
    if name == "<lambda>":
        return f"a lambda has no name that a worker process could import it by: write a function with `def`, or {install}"
    if "<locals>" in qualname:
        where = f"inside `{qualname.partition('.<locals>')[0]}()`, where no worker process can import it from"
        return f"`{name}` is defined {where}: move it to the top of its module, or {install}"
    if getattr(of, "__module__", None) != MAIN:
        return f"no worker process can import `{name}` by its name: put it at the top of a module, or {install}"
    if _inherit.main_file() is None:
        where = "in a notebook or at a prompt, where no worker process can import it from"
        cell = f"write its cell to a file with `%%writefile load.py` and import it with `from load import {name}`"
        return f"`{name}` is defined {where}: {install}; or {cell}"
    where = "below the first `pysurge.run(…)` of this script, and worker processes import the script up to there"
    return f"`{name}` is defined {where}: move it above, or into a module of its own, or {install}"


def _pickled(values: dict[str, Any]) -> bytes:
    """All of it in one text, so that what two tests share is shared by them in a worker, too."""
    try:
        with _modules_by_value(values):
            pickled = _dumps(values)
    except Exception as error:
        made = (
            "What cannot be pickled (a connection, a lock, an open file) must be made in the worker, in `startup` for example"
        )
        raise ConfigError(f"{_names(values)} cannot be sent to worker processes: {one_line(error)}. {made}") from None
    if len(pickled) > MAX_SHIPPED_BYTES:
        size = f"with all that it refers to it has {len(pickled):,} bytes, more than {MAX_SHIPPED_BYTES:,}"
        read = "Have the workers read large data from a file, in `startup` for example"
        raise ConfigError(f"{_names(values)} cannot be sent to worker processes: {size}. {read}")
    return pickled


def _dumps(values: dict[str, Any]) -> bytes:
    try:
        import cloudpickle
    except ImportError:
        return pickle.dumps(values)
    dumped: bytes = cloudpickle.dumps(values)
    return dumped


@contextlib.contextmanager
def _modules_by_value(values: dict[str, Any]) -> Iterator[None]:
    """Have what is shipped take with it what it refers to in a module of its own that no worker can import."""
    modules = {getattr(value, "__module__", None) for value in values.values()} - {MAIN, None}
    found = [module for name in modules if isinstance(module := sys.modules.get(str(name)), ModuleType)]
    hidden = [module for module in found if not _can_be_imported(module.__name__, getattr(module, "__file__", None))]
    if not hidden:
        yield
        return
    import cloudpickle

    for module in hidden:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in hidden:
            cloudpickle.unregister_pickle_by_value(module)


def _names(values: dict[str, Any]) -> str:
    return " and ".join(f"`{name}`" for name in values)


def _article(name: str) -> str:
    return f"an {name}" if name[:1].lower() in set("aeiou") else f"a {name}"
