"""The evil hand: at random moments it kills, stops, slows and starves the workers of a run, all as one seed says."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from support import is_alive, processes, stat, workers_of

BURN = "import time; until = time.monotonic() + 1.5\nwhile time.monotonic() < until: pass"

# How often each is done, in comparison.
WEIGHTS = {
    "kill": 5,
    "stop for a while": 4,
    "stop for good": 2,
    "terminate": 1,
    "slow": 2,
    "kill a grandchild": 2,
    "close": 2,
    "crash": 2,
    "exit": 2,
    "burn": 2,
    "hold": 2,
    "descriptors": 2,
    "starve": 1,
    "leak": 1,
}


class EvilHand:
    """What it does to a run of so many workers follows from its seed; whom it meets follows from the run."""

    def __init__(self, seed: int, folder: Path, span_s: float) -> None:
        self._random = random.Random(seed)
        self._folder = folder
        count = self._random.randint(1, 5)
        moments = sorted(self._random.uniform(0.2, span_s) for _ in range(count))
        names = self._random.choices(list(WEIGHTS), list(WEIGHTS.values()), k=count)
        self.plan = list(zip(moments, names, strict=True))
        # Ctrl+C at one of them, sometimes twice.
        self.stops_at = self._random.uniform(0.5, span_s) if self._random.random() < 0.2 else None
        self.stops = self._random.randint(1, 2)
        self._helpers: list[subprocess.Popen[bytes]] = []
        self._over = threading.Event()
        self.told: list[str] = []

    def go(self, manager: int) -> None:
        """Do it all, from now on; returns when it is done or the run is over."""
        begun = time.monotonic()
        deeds: list[tuple[float, Callable[[], None]]] = []
        for at, name in self.plan:
            deeds.append((at, lambda name=name: self._do(name, manager)))  # type: ignore[misc]
        if self.stops_at is not None:
            for number in range(self.stops):
                deeds.append((self.stops_at + number * 0.3, lambda: self._stop(manager)))
        for at, deed in sorted(deeds, key=lambda one: one[0]):
            if self._over.wait(max(0.0, begun + at - time.monotonic())):
                return
            with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                deed()

    def end(self) -> None:
        """Do nothing more, and take its own processes away."""
        self._over.set()
        for helper in self._helpers:
            helper.kill()
            helper.wait()

    def _stop(self, manager: int) -> None:
        self._note("Ctrl+C")
        os.kill(manager, signal.SIGINT)

    def _note(self, what: str) -> None:
        self.told.append(what)

    def _do(self, name: str, manager: int) -> None:
        workers = workers_of(manager)
        if not workers:
            self._note(f"{name}: nobody there")
            return
        victim = self._random.choice(workers)
        self._note(f"{name}: {victim}")
        if name == "kill":
            os.kill(victim, signal.SIGKILL)
        elif name == "terminate":
            os.kill(victim, signal.SIGTERM)
        elif name == "stop for good":
            os.kill(victim, signal.SIGSTOP)
        elif name == "stop for a while":
            os.kill(victim, signal.SIGSTOP)
            timer = threading.Timer(self._random.uniform(0.1, 2.0), self._continue, (victim,))
            timer.daemon = True
            timer.start()
        elif name == "slow":
            os.setpriority(os.PRIO_PROCESS, victim, 19)
            self._helpers += [subprocess.Popen([sys.executable, "-SIc", BURN]) for _ in range(2)]
        elif name == "kill a grandchild":
            children = [pid for pid in processes() if (found := stat(pid)) and found.parent == victim]
            for child in children[:1]:
                os.kill(child, signal.SIGKILL)
        else:
            # Whole or not at all: the worker reads it the moment it is there.
            order = self._folder / f"order-{victim}"
            order.write_text(name)
            order.rename(self._folder / "evil" / str(victim))

    def _continue(self, pid: int) -> None:
        if is_alive(pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
