"""pysurge runs existing Python code as a load test, at an exact rate, from every core.

``TestCase`` is the base class of what is run, ``Manager`` runs a config with worker processes, ``TestRunner`` fires one
class in this process. The command ``pysurge`` runs a config that is a YAML file.
"""

from typing import TYPE_CHECKING, Any

from ._engine import TestCase, __version__

if TYPE_CHECKING:
    from ._manager import Manager
    from ._runner import TestRunner

__all__ = ["Manager", "TestCase", "TestRunner", "__version__"]


def __getattr__(name: str) -> Any:
    # Imported when asked for: the command and its workers need neither, and start sooner.
    homes = {"Manager": "._manager", "TestRunner": "._runner"}
    if name not in homes:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(homes[name], __name__), name)
