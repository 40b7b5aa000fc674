"""pytest tests as load: collects them, sets up their wide fixtures once, and makes iterations of them.

``Adapter`` is all that the rest of the package knows. pytest itself is imported when an adapter is first asked for something,
never before: without pytest everything else of pysurge works, and installing pysurge changes nothing for pytest.
"""

from .adapter import Adapter
from .model import Collected, Entry, Failure, Item, Wanted

__all__ = ["Adapter", "Collected", "Entry", "Failure", "Item", "Wanted"]
