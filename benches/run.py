"""`make bench`: measures what the design promises and prints it as one table.

Every figure is a ratio, or stands beside what the same machine does without pysurge in the same run, in turn: a shared
machine slows both. Nothing here passes or fails a build; the exit code is 0 unless the benchmark itself is broken.
"""

import argparse
import datetime
import importlib.metadata
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import harness
import machine
import peers
from report import Figure, as_json, loudly, table
from rows import (
    coroutine,
    dispatch,
    evenness,
    exact,
    feeder,
    function,
    http,
    lateness,
    memory,
    models,
    output,
    page,
    pytest_tests,
    startup,
)

ROWS: dict[str, ModuleType] = {
    "dispatch": dispatch,
    "function": function,
    "exact": exact,
    "models": models,
    "coroutine": coroutine,
    "pytest": pytest_tests,
    "lateness": lateness,
    "evenness": evenness,
    "memory": memory,
    "http": http,
    "feeder": feeder,
    "output": output,
    "page": page,
    "startup": startup,
}

RESULTS = harness.BENCHES.parent / "target" / "bench"

BUSY_LOAD = 0.7
"""Above this before the start, figures are not to be trusted."""


def main() -> int:
    """Measure what is asked for, print it, keep it."""
    args = _parse()
    effort = harness.Effort(args.quick)
    started, begin_s, load = datetime.datetime.now(datetime.timezone.utc), time.monotonic(), machine.load_average()
    if load > BUSY_LOAD:
        _say(loudly(f"The load of this machine is {load:.1f} before anything was started: its figures are noisy."))
    measured = peers.measure(effort, RESULTS / "peers") if args.peers else _measure(args.only, effort)
    figures, broken = [], False
    try:
        for figure in measured:
            _say("  ".join(cell.strip() for cell in figure.cells() if cell))
            figures.append(figure)
            broken |= "error" in figure.data
    except KeyboardInterrupt:
        _say("stopped early; what was measured so far:")
    about = {
        "date": started.isoformat(timespec="seconds"),
        "took_s": round(time.monotonic() - begin_s),
        "quick": args.quick,
        "load_before": load,
        "load_after": machine.load_average(),
        "machine": machine.about(),
        "versions": _versions(),
        "commands": harness.commands,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / ("peers.json" if args.peers else "results.json")
    path.write_text(as_json(about, figures), encoding="utf-8")
    print(_heading(about))
    print(table(figures))
    print(f"\nEach measurement by itself: {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
    return 1 if broken else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure pysurge against bare Python loops, or against its peers.")
    parser.add_argument("--only", action="append", choices=ROWS, help="this row alone; may be given more than once")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter measurements: to see that it works")
    parser.add_argument("--peers", action="store_true", help="pysurge 1.0.1, k9-load and locust beside ours")
    return parser.parse_args()


def _measure(only: list[str] | None, effort: harness.Effort) -> Iterator[Figure]:
    for name, row in ROWS.items():
        if only and name not in only:
            continue
        _say(f"-- {name}")
        try:
            yield from row.measure(effort)
        except Exception as error:
            _say(loudly(f"{name}: {error}"))
            _say(traceback.format_exc())
            yield Figure(name, "could not be measured", str(error).splitlines()[0], data={"error": str(error)})


def _versions() -> dict[str, str]:
    versions = {}
    for package in ("pysurge", "pyreqwest", "requests"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "missing"
    return versions


def _heading(about: dict) -> str:
    on, quick = about["machine"], "QUICK: figures are rough" if about["quick"] else ""
    parts = [
        *([quick] if quick else []),
        about["date"],
        f"{on['cpu']}, {on['cores']} cores, Linux {on['kernel']}, {on['python']}",
        *(f"{name} {version}" for name, version in about["versions"].items()),
        f"load before {about['load_before']:.1f}",
        f"took {about['took_s']} s",
    ]
    return "\n" + " · ".join(parts) + "\n"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
