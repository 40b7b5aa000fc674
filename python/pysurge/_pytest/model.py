"""What the adapter and the engine tell each other. Knows nothing of pytest."""

from typing import NamedTuple


class Entry(NamedTuple):
    """What a user asks for: a path or node id, and what ``-k`` and ``-m`` say."""

    path: str
    keyword: str | None = None
    markers: str | None = None


class Item(NamedTuple):
    """One collected test. ``note`` is for the user to know; ``skip`` is why it need not be run at all."""

    node_id: str
    file: str
    weight: float
    rate: float | None
    skip: str | None
    note: str | None


class Collected(NamedTuple):
    """The items of each entry, in order, and what a worker needs to find the same ones again."""

    items: list[list[Item]]
    rootdir: str
    inifile: str | None


class Wanted(NamedTuple):
    """An item that a worker runs."""

    node_id: str
    file: str


class Failure(NamedTuple):
    """What the user's code raised outside iterations: one line, and the user's part of the traceback."""

    message: str
    traceback: str
