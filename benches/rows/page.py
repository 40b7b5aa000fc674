"""How long a browser takes to open the report of an hour with ten tests, and how large that page is."""

import copy
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from harness import BENCHES, PYSURGE, Effort, median, note
from report import Figure, ns

TESTS = 10
HOUR_S = 3_600
ROW_S = 8
"""A series keeps 4,800 rows of all tests together: of ten tests an hour is 450 rows of eight seconds."""

BLOCKS = 200

LOAD = """
import random
import time


def wait():
    time.sleep(random.expovariate(50))
    return {"size": random.random()}
"""

EMPTY = "<!doctype html><title>empty</title><h2>empty</h2>"

sys.path.insert(0, str(BENCHES.parent / "tests"))


def measure(effort: Effort) -> Iterator[Figure]:
    """The report and an empty page in turn, each in a context of its own."""
    from browsing import Browsing

    with tempfile.TemporaryDirectory(prefix="pysurge-bench-") as folder:
        project = Path(folder)
        page = _an_hour(project)
        empty = project / "empty.html"
        empty.write_text(EMPTY)
        opened: dict[Path, list[float]] = {page: [], empty: []}
        with Browsing() as browsing:
            for _ in range(3 if effort.quick else 10):
                for file, times in opened.items():
                    times.append(_open_s(browsing, file))
        size = page.stat().st_size
    report_s, empty_s = median(opened[page]), median(opened[empty])
    yield Figure(
        "page",
        "open the report of an hour with ten tests, all charts in sight drawn (an empty page)",
        f"{ns(report_s * 1e9)} ({ns(empty_s * 1e9)})",
        "< 1 s",
        report_s < 1,
        {"wall_s": opened[page], "empty_wall_s": opened[empty]},
    )
    yield Figure("page", "size of that page", f"{size / 1e6:.3g} MB", data={"bytes": size})


def _open_s(browsing: object, file: Path) -> float:
    note(["chromium", file.name])
    wanted = 2 if file.name == "report.html" else 0
    begin_s = time.perf_counter()
    with browsing.open(file.as_uri()) as page:
        page.wait_for_selector("h2")
        while page.evaluate("document.querySelectorAll('canvas').length") < wanted:
            time.sleep(0.005)
        return time.perf_counter() - begin_s


def _an_hour(project: Path) -> Path:
    """The report of a run that is made of a short one: its tests, rows and blocks again and again."""
    run = project / "run"
    (project / "load.py").write_text(LOAD)
    command = [PYSURGE, "run", "load.py:wait", "--rate", "300", "-d", "4s", "--quiet", "--results", "short"]
    note(command)
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    (short,) = (project / "short").iterdir()
    summary = json.loads((short / "summary.json").read_text())
    (test,), block = summary["tests"], summary["blocks"][1]
    summary["tests"] = [{**copy.deepcopy(test), "name": f"test {at}"} for at in range(TESTS)]
    span_s = HOUR_S / BLOCKS
    of_all = block["tests"] * TESTS
    summary["blocks"] = [{"from_s": at * span_s, "to_s": (at + 1) * span_s, "tests": of_all} for at in range(BLOCKS)]
    head, *lines = (short / "timeseries.csv").read_text().splitlines()
    of_second = [line.split(",", 3) for line in lines if line.startswith("1,2,")]
    of_test = [rest for _, _, name, rest in of_second if name]
    of_run = [rest for _, _, name, rest in of_second if not name]
    rows = [head]
    for from_s in range(0, HOUR_S, ROW_S):
        lead = f"{from_s},{from_s + ROW_S}"
        rows += [f"{lead},test {at},{rest}" for at in range(TESTS) for rest in of_test]
        rows += [f"{lead},,{rest}" for rest in of_run]
    run.mkdir()
    (run / "summary.json").write_text(json.dumps(summary))
    (run / "timeseries.csv").write_text("\n".join(rows) + "\n")
    (run / "config.yml").write_text((short / "config.yml").read_text())
    subprocess.run([PYSURGE, "report", str(run)], check=True, capture_output=True)
    return run / "report.html"
