"""How long it takes until something happens."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from harness import PYSURGE, Effort, median, note, pysurge
from report import Figure, ns

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "python -c 'import pysurge'": [sys.executable, "-c", "import pysurge"],
    "pysurge --version": [PYSURGE, "--version"],
}


def measure(effort: Effort) -> Iterator[Figure]:
    """Wall time of the short commands in turn, then of whole runs until their first iteration."""
    walls: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for command in COMMANDS.values():
        _wall_s(command)
    for _ in range(5 if effort.quick else 20):
        for name, command in COMMANDS.items():
            walls[name].append(_wall_s(command))
    medians = {name: median(times) for name, times in walls.items()}
    plain, *others = medians
    for name in others:
        yield Figure(
            "startup",
            f"{name} ({plain})",
            f"{ns(medians[name] * 1e9)} ({ns(medians[plain] * 1e9)})",
            data={"wall_s": walls[name], "plain_wall_s": walls[plain]},
        )
    for workers in (1, None):
        times = [_first_start_s(workers) for _ in range(effort.pairs)]
        yield Figure(
            "startup",
            f"pysurge run to the first iteration, {'one worker' if workers else 'as many workers as cores'}",
            ns(median(times) * 1e9),
            "< 0.4 s",
            median(times) < 0.4,
            {"wall_s": times},
        )


def _wall_s(command: list[str]) -> float:
    note(command)
    begin_s = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begin_s


def _first_start_s(workers: int | None) -> float:
    with tempfile.TemporaryDirectory(prefix="pysurge-bench-") as folder:
        path = Path(folder, "first")
        run = pysurge("FirstStart", 100, "500ms", workers=workers, kwargs={"path": str(path)})
        return min(float(line) for line in path.read_text(encoding="ascii").split()) - run.started_wall_s
