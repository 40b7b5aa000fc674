"""Lets iterations that change the whole process run alone in their worker. Knows nothing of pytest.

A readers-writer lock whose readers pay for it only while somebody wants to be alone: each thread says in a flag of its own
that it is inside, and whoever wants to be alone closes the gate and waits until no flag is up.

| a thread is | it becomes |
|---|---|
| outside | inside, where the gate is open; else it waits, or is alone once everybody else has left |
| inside | outside, or alone: it lets go first, so that two that want it do not wait for each other |
| alone | outside; those that waited go first, so that nobody is shut out for ever |
"""

import threading
import time
import weakref


class Place:
    """Where one thread stands."""

    __slots__ = ("__weakref__", "inside")

    def __init__(self) -> None:
        self.inside = False


class Gate:
    """The gate of one worker."""

    def __init__(self) -> None:
        self.closed = False
        self._changed = threading.Condition()
        self._places: weakref.WeakSet[Place] = weakref.WeakSet()
        self._alone: Place | None = None
        self._waiting = 0
        self._going_first = 0

    def place(self) -> Place:
        """A place for a thread that is new."""
        place = Place()
        with self._changed:
            self._places.add(place)
        return place

    def enter(self, place: Place) -> int:
        """Go inside with others; the nanoseconds that this waited."""
        place.inside = True
        return self._wait_for_others(place) if self.closed else 0

    def leave(self, place: Place) -> None:
        """Go outside, from wherever the thread is."""
        place.inside = False
        if self.closed:
            self._left(place)

    def enter_alone(self, place: Place) -> int:
        """Go inside when nobody else is; the nanoseconds that this waited."""
        if self._alone is place:
            return 0
        started = time.monotonic_ns()
        with self._changed:
            place.inside = False
            self._changed.notify_all()
            while self._alone is not None or self._going_first:
                self._changed.wait()
            self._alone = place
            self.closed = True
            while any(other.inside for other in self._places):
                self._changed.wait()
            place.inside = True
        return time.monotonic_ns() - started

    def _wait_for_others(self, place: Place) -> int:
        started = time.monotonic_ns()
        with self._changed:
            place.inside = False
            self._changed.notify_all()
            if self._alone is not None:
                self._waiting += 1
                while self._alone is not None:
                    self._changed.wait()
                self._going_first -= 1
                self._changed.notify_all()
            place.inside = True
        return time.monotonic_ns() - started

    def _left(self, place: Place) -> None:
        with self._changed:
            if self._alone is place:
                self._alone = None
                self.closed = False
                self._going_first += self._waiting
                self._waiting = 0
            self._changed.notify_all()
