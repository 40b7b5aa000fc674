"""One run, told by everything that tells of a run: the same numbers stand everywhere."""

import csv
import itertools
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from browsing import Browsing
from exported import RUN_NAME, LastFigures, Samples, key, pushed
from support import Launcher, checked_summary, report_in, run_folder, until

# What happens depends on the number of an iteration in its worker, and on nothing else. `look` is asked for more than its one
# thread can do: it drops some.
MODULE = """
import itertools
import time

from pysurge import TestCase

numbers = itertools.count()


class Buy(TestCase):
    def run(self):
        n = next(numbers)
        with self.timer("pay"):
            time.sleep(0.002 * (n % 10))
        self.check("even", n % 2 == 0)
        self.count("bytes", n)
        self.metrics["size"] = 1.5 * n
        if n % 7 == 0:
            raise ValueError("seven")


class Look(TestCase):
    def run(self):
        time.sleep(0.06)
"""

CONFIG = {
    "name": RUN_NAME,
    "duration": "3s",
    "workers": 2,
    "thresholds": ["failures < 1%"],
    "tests": [
        {"test_class": "shop.Buy", "name": "buy", "rate": 60, "thresholds": ["response_time.p95 < 50s"]},
        {"test_class": "shop.Look", "name": "look", "rate": 50, "late": "drop", "max_lateness": "50ms", "max_threads": 2},
    ],
}

# Of `buy` each worker has half.
OF_A_WORKER = range(90)

ENDS = ("planned", "passed", "failed", "dropped")
QUANTILES = ("p50", "p95", "p99")

# A figure of three digits is off by half of the third at most: by 1 in 200.
THREE_DIGITS = 6e-3

# By test and what it is.
Figures = dict[tuple[str, str], float]


@dataclass
class Told:
    """All that one run has told."""

    folder: Path
    terminal: str
    junit: ET.Element
    summary: dict[str, Any]
    page: Samples
    push: Samples


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    project = tmp_path_factory.mktemp("project")
    launcher, receiver = Launcher(project), LastFigures()
    files = {"shop.py": MODULE, "c.yml": json.dumps(CONFIG)}
    receiver.running = running = launcher.start(
        f"run c.yml --junit junit.xml --prometheus 0 --otlp {receiver.url}", files, env={"COLUMNS": "120"}
    )
    code = running.wait()
    launcher.close()
    receiver.close()
    assert code == 3, running.stderr
    folder = run_folder(project)
    (page,) = receiver.pages
    return Told(
        folder,
        report_in(running.stdout),
        ET.parse(project / "junit.xml").getroot(),
        checked_summary(folder / "summary.json"),
        page,
        pushed(receiver.messages[-1]),
    )


@pytest.fixture(scope="module")
def figures(told: Told) -> Figures:
    """All figures, as summary.json has them: durations in seconds."""
    found: Figures = {}
    for test in told.summary["tests"]:
        name = test["name"]
        found |= {(name, end): test["account"][end] for end in ENDS}
        found |= {(name, p): test["response_time"][f"{p}_s"] for p in QUANTILES}
        found[name, "ended"] = test["response_time"]["count"]
        for check, ends in test["checks"].items():
            found |= {(name, f"check {check} {end}"): count for end, count in ends.items()}
        for metric, values in test["metrics"].items():
            found |= {(name, f"metric {metric} {what}"): values[what] for what in ("count", "mean")}
        for timer, ends in test["timers"].items():
            found |= {(name, f"timer {timer} {end}"): durations["count"] for end, durations in ends.items()}
        found |= {(name, f"count {count}"): total for count, total in test["counts"].items()}
    return found


def assert_same(found: Figures, figures: Figures, *, without: str = "^$", rel: float = 1e-9) -> None:
    """Whether it has all figures, but for those without, and they are the same."""
    wanted = {at: value for at, value in figures.items() if not re.search(without, at[1])}
    assert found == {at: pytest.approx(value, rel=rel, abs=1e-12) for at, value in wanted.items()}


# Numbers and tables as a person reads them.


def number(text: str) -> float:
    """A number with or without a unit: `8,010`, `9.44 ms`, `26 (14.4 %)`."""
    value, _, unit = text.partition(" (")[0].partition(" ")
    return float(value.replace(",", "")) * {"": 1, "s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}[unit]


def rows_of(table: list[list[str]]) -> dict[str, dict[str, str]]:
    """The rows of a table by their first cell, each cell by its head."""
    head, *rows = table
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


def user_figures(name: str, tables: dict[str, dict[str, dict[str, str]]], held: str, not_held: str) -> Figures:
    """What the tables of checks, metrics and counts say, each under its first head."""
    found: Figures = {}
    for check, row in tables.get("check", {}).items():
        found |= {(name, f"check {check} passed"): number(row[held]), (name, f"check {check} failed"): number(row[not_held])}
    for metric, row in tables.get("metric", {}).items():
        found |= {(name, f"metric {metric} {what}"): number(row[what]) for what in ("count", "mean")}
    for count, row in tables.get("count", {}).items():
        found[name, f"count {count}"] = number(row["sum"])
    return found


# Each source.


def test_the_summary_says_what_happened(figures: Figures, told: Told) -> None:
    failed = sum(n % 7 == 0 for n in OF_A_WORKER)
    sizes = [1.5 * n for n in OF_A_WORKER if n % 7]
    truth = {
        "planned": 2 * len(OF_A_WORKER),
        "ended": 2 * len(OF_A_WORKER),
        "passed": 2 * (len(OF_A_WORKER) - failed),
        "failed": 2 * failed,
        "dropped": 0,
        "check even passed": len(OF_A_WORKER),
        "check even failed": len(OF_A_WORKER),
        "metric size count": 2 * len(sizes),
        "metric size mean": sum(sizes) / len(sizes),
        "timer pay passed": 2 * len(sizes),
        "timer pay failed": 2 * failed,
        "count bytes": 2 * sum(OF_A_WORKER),
    }
    assert {what: value for (name, what), value in figures.items() if name == "buy" and what not in QUANTILES} == pytest.approx(
        truth
    )
    assert figures["look", "planned"] == 150
    # As many as it takes for a test of agreement to be one.
    assert figures["look", "dropped"] > 10 and figures["look", "passed"] > 10
    assert [threshold["state"] for threshold in told.summary["thresholds"]] == ["failed", "passed"]


def test_the_report_on_the_terminal(told: Told, figures: Figures) -> None:
    sections = re.split(r"^(\w+) ─+$", told.terminal, flags=re.M)
    found: Figures = {}
    for name, section in zip(sections[1::2], sections[2::2], strict=True):
        # Cells are two spaces apart; a paragraph of lines with as many cells is a table.
        paragraphs = [
            [re.split(" {2,}", line.strip()) for line in part.splitlines()] for part in section.split("\n\n") if part.strip()
        ]
        tables = {part[0][0]: part for part in paragraphs if len(part) > 1}
        (account,) = (dict(zip(*part, strict=True)) for part in paragraphs if part[0][0] == "planned")
        found |= {(name, end): number(account[end]) for end in ENDS}
        (durations,) = (dict(zip(part[0], part[1][1:], strict=True)) for part in paragraphs if part[0][0] == "mean")
        found |= {(name, p): number(durations[p]) for p in QUANTILES}
        measured = {head: rows_of(tables[head]) for head in ("check", "metric", "count") if head in tables}
        found |= user_figures(name, measured, "passed", "failed")
        for timer, row in rows_of(tables["timer"]).items() if "timer" in tables else ():
            what, _, failed = timer.partition(", ")
            found[name, f"timer {what} {failed or 'passed'}"] = number(row["count"])
    exact = {at: value for at, value in found.items() if not is_rounded(at[1])}
    assert exact == {at: figures[at] for at in exact}
    assert_same(found, figures, without="^ended$", rel=THREE_DIGITS)
    # The table of all tests above them says the same again.
    overview = next(part for part in sections[0].split("\n\n") if part.startswith("response times, per test"))
    for name, row in rows_of([re.split(" {2,}", line) for line in overview.splitlines()[1:]]).items():
        for what in ("planned", "failed", "dropped", *QUANTILES):
            assert number(row[what]) == pytest.approx(found[name, what]), (name, what)
    total = [sum(figures[name, end] for name in ("buy", "look")) for end in ENDS]
    assert f"{total[1]} passed, {total[2]} failed" in sections[0]
    assert f"{total[1] + total[2]} of {total[0]} planned iterations were started" in sections[0]
    for threshold in told.summary["thresholds"]:
        assert re.search(re.escape(threshold["expression"]) + " +" + re.escape(threshold["actual_text"]), sections[0])


def is_rounded(what: str) -> bool:
    """Whether people are shown three or four digits of it."""
    return what in QUANTILES or what.endswith(" mean")


def test_the_rows_of_the_time_series_add_up(told: Told, figures: Figures) -> None:
    with (told.folder / "timeseries.csv").open() as file:
        rows = list(csv.DictReader(file))
    columns = ("count", "sum")
    totals: dict[tuple[str, str], dict[str, float]] = {}
    for row in rows:
        of_measure = totals.setdefault((row["test"], row["measure"]), dict.fromkeys(columns, 0.0))
        for column in columns:
            of_measure[column] += float(row[column] or 0)
    found: Figures = {}
    for (name, measure), total in totals.items():
        kind, _, what = measure.partition(".")
        if measure in ENDS:
            found[name, measure] = total["count"]
        elif measure == "response_time":
            found[name, "ended"] = total["count"]
        elif kind == "checks":
            found[name, f"check {what} passed"] = total["sum"]
            found[name, f"check {what} failed"] = total["count"] - total["sum"]
        elif kind == "metrics":
            found[name, f"metric {what} count"] = total["count"]
            found[name, f"metric {what} mean"] = total["sum"] / total["count"]
        elif kind in {"timers", "timers_failed"}:
            found[name, f"timer {what} {'passed' if kind == 'timers' else 'failed'}"] = total["count"]
        elif kind == "counts":
            found[name, f"count {what}"] = total["sum"]
    # Percentiles do not add up: those of a row are of its second.
    assert_same(found, figures, without=r"^p\d")


def test_the_data_of_the_page(told: Told, figures: Figures) -> None:
    page = (told.folder / "report.html").read_text()
    data = json.loads(re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.S)[1])
    # Heat maps stand in the place of the blocks that they are drawn from.
    assert data["summary"] == {**told.summary, "blocks": []}
    found: Figures = {}
    for test, rows, curves in zip(told.summary["tests"], data["rows"]["tests"], data["curves"], strict=True):
        name = test["name"]
        found |= {(name, end): sum(rows[end]["count"]) for end in ENDS}
        found[name, "ended"] = sum(sum(column[1::2]) for column in curves["heat"]["columns"])
        curve = list(zip(curves["response_time"]["shares"], curves["response_time"]["values"], strict=True))
        for p in QUANTILES:
            # Between the points before and behind it, which have five digits.
            before = max(value for share, value in curve if share <= int(p[1:]) / 100)
            behind = min(value for share, value in curve if share >= int(p[1:]) / 100)
            assert before * 0.999 <= figures[name, p] <= behind * 1.001, (name, p)
        for measure, columns in rows.items():
            if measure.startswith("counts."):
                found[name, f"count {measure.removeprefix('counts.')}"] = sum(columns["sum"])
    assert_same(found, figures, without=r"^((check|metric|timer) |p\d)")


@pytest.fixture(scope="module")
def browsing() -> Iterator[Browsing]:
    with Browsing() as browsing:
        yield browsing


def test_the_page_as_it_is_read(told: Told, figures: Figures, browsing: Browsing) -> None:
    found: Figures = {}
    with browsing.open((told.folder / "report.html").as_uri()) as page:
        page.wait_for_selector("h2")
        tiles = page.locator(".tile")
        shown = dict(tiles.evaluate_all("all => all.map(e => ['dt', 'dd'].map(part => e.querySelector(part).innerText))"))
        for end in ("planned", "passed", "failed", "dropped"):
            assert number(shown[end].splitlines()[0]) == figures["buy", end] + figures["look", end], end
        for at, test in enumerate(told.summary["tests"]):
            name = test["name"]
            page.locator(".bar select").select_option(str(at))
            until(lambda name=name: page.locator("#test h2").inner_text() == name, "the test to be shown")
            tables = {table[0][0]: rows_of(table) for table in tables_in(page, "#tests, #test") if len(table[0]) > 1}
            row = tables["test"][name]
            found |= {(name, what): number(row[what]) for what in ("passed", "failed", "dropped", *QUANTILES)}
            durations = tables["of"]
            found[name, "ended"] = number(durations["response time"]["count"])
            for p in QUANTILES:
                assert number(durations["response time"][p]) == found[name, p]
            found |= user_figures(name, tables, "held", "did not")
            for of, row in durations.items():
                if step := re.match(r"step (\w+)(, in failed iterations)?$", of):
                    found[name, f"timer {step[1]} {'failed' if step[2] else 'passed'}"] = number(row["count"])
    exact = {at: value for at, value in found.items() if not is_rounded(at[1])}
    assert exact == {at: figures[at] for at in exact}
    assert_same(found, figures, without="^planned$", rel=THREE_DIGITS)


def tables_in(page: Any, sections: str) -> list[list[list[str]]]:
    """The text of the tables that have figures without being asked."""
    rows = "table => [...table.rows].map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    found = page.locator(f":is({sections}) table").evaluate_all(f"all => all.filter(e => e.checkVisibility()).map({rows})")
    # The legends of charts are tables, too.
    return [table for table in found if len({len(row) for row in table}) == 1 and len(table) > 1]


@pytest.mark.parametrize("source", ["page", "push"])
def test_the_last_figures_that_others_get(told: Told, figures: Figures, source: str) -> None:
    samples: Samples = getattr(told, source)
    found: Figures = {}
    for test in told.summary["tests"]:
        name = test["name"]

        def value(what: str, /, title: str = name, **labels: str) -> float:
            return samples[key(f"pysurge_{what}", test=title, **labels)]

        found[name, "planned"] = value("iterations_planned_total")
        found |= {(name, end): value("iterations_total", outcome=end) for end in ENDS[1:]}
        found[name, "ended"] = value("response_time_seconds_count")
        for check, end in itertools.product(test["checks"], ("passed", "failed")):
            found[name, f"check {check} {end}"] = value("checks_total", name=check, result=end)
        for metric in test["metrics"]:
            count = found[name, f"metric {metric} count"] = value("metric_values_total", name=metric)
            found[name, f"metric {metric} mean"] = value("metric", name=metric, stat="mean")
            assert value("metric_sum", name=metric) / count == pytest.approx(value("metric", name=metric, stat="mean"))
        for timer, end in itertools.product(test["timers"], ("passed", "failed")):
            found[name, f"timer {timer} {end}"] = value("step_seconds_count", name=timer, outcome=end)
        found |= {(name, f"count {count}"): value("count", name=count) for count in test["counts"]}
        assert_histogram(samples, name, figures)
    assert_same(found, figures, without=r"^p\d")
    states = {state: samples[key("pysurge_verdict", state=state)] for state in ("valid", "degraded", "invalid")}
    assert [state for state, value in states.items() if value] == [told.summary["verdict"]["validity"]]
    assert samples[key("pysurge_running")] == 0


def assert_histogram(samples: Samples, name: str, figures: Figures) -> None:
    """Whether the buckets of the response time hold all iterations, and each percentile lies in the bucket of its rank."""
    buckets = sorted(
        (float(dict(labels)["le"]), count)
        for (what, labels), count in samples.items()
        if what == "pysurge_response_time_seconds_bucket" and dict(labels)["test"] == name
    )
    counts = [count for _, count in buckets]
    assert counts == sorted(counts)
    assert (buckets[-1][0], counts[-1]) == (float("inf"), figures[name, "ended"])
    for p in QUANTILES:
        rank = int(p[1:]) / 100 * counts[-1]
        below = max((end for end, count in buckets if count < rank), default=0.0)
        above = min(end for end, count in buckets if count >= rank)
        # The histogram behind them has steps of its own.
        assert below * 0.999 <= figures[name, p] <= above * 1.001, (name, p)


def test_junit(told: Told, figures: Figures) -> None:
    found: Figures = {}
    cases = {(case.get("classname"), case.get("name")): case for case in told.junit.iter("testcase")}
    for name in ("buy", "look"):
        text = cases[f"{RUN_NAME}.{name}", "iterations"].findtext("system-out") or ""
        account = {end: int(count) for count, end in re.findall(r"(\d+) (\w+)", text.splitlines()[1])}
        found |= {(name, end): account[end] for end in ENDS}
        found |= {(name, p): number(value) for p, value in re.findall(r"(p\d+) ([\d.]+ \w+)", text)}
    assert_same(found, figures, without="^(ended$|check|metric|timer|count)", rel=THREE_DIGITS)
    failed = [name for (_, name), case in cases.items() if case.find("failure") is not None]
    assert failed == [
        f"threshold: {threshold['expression']}" for threshold in told.summary["thresholds"] if threshold["state"] == "failed"
    ]
    assert told.junit.get("failures") == str(len(failed))
