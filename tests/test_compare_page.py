"""`pysurge compare --html` and the page of `find-max` in a browser: they say what the JSON says, and everybody can use them."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import Browsing
from playwright.sync_api import Page
from support import REPOSITORY, Launcher, config, until

HOSTILE = '<img src=x onerror="window.hacked=1">\'\u202e\x1b[31m</script><script>window.hacked=1</script>'

MODULE = """
import random
import time

from pysurge import TestCase


class Ask(TestCase):
    def run(self):
        time.sleep(random.uniform(0.001, 0.002) * self.kwargs.get("times", 1))
        if random.random() < 0.1:
            raise ValueError("one in ten")
"""

# Enough blocks for a difference to be seen, and no more.
DURATION = "12s"

# What a browser asks of everybody.
LOOKS = [(1280, "light"), (1280, "dark"), (390, "light")]


@pytest.fixture(scope="module")
def browsing() -> Iterator[Browsing]:
    """A browser."""
    with Browsing() as browsing:
        yield browsing


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Launcher, Path]]:
    """A folder with two runs at the same time, `base` and `new`, in which one of two tests is slower."""
    folder = tmp_path_factory.mktemp("project")
    launcher = Launcher(folder)
    launcher.write({"ask.py": MODULE})
    runs = []
    for name, times in (("base", 1), ("new", 8)):
        tests = [
            {"test_class": "ask.Ask", "name": HOSTILE, "rate": 50, "kwargs": {"times": times}},
            {"test_class": "ask.Ask", "name": "same", "rate": 50},
        ]
        text = json.dumps({"name": f"{name} {HOSTILE}", "duration": DURATION, "tests": json.loads(config(*tests))["tests"]})
        runs.append(launcher.start(f"run {name}.yml --workers 1 --results {name}", {f"{name}.yml": text}))
    for run in runs:
        assert run.wait() == 0, run.stderr
    for name in ("base", "new"):
        (run_folder,) = (folder / name).iterdir()
        run_folder.rename(folder / f"run-{name}")
    yield launcher, folder
    launcher.close()


@pytest.fixture(scope="module")
def compared(project: tuple[Launcher, Path]) -> tuple[Path, dict[str, Any]]:
    """The page, and the same comparison as JSON."""
    launcher, folder = project
    flags = ["--json", "--html", "compare.html", "--fail-if", "response_time.p50 > +5%"]
    done = launcher.run(["compare", "run-base", "run-new", *flags])
    assert done.returncode == 3, done.stderr
    assert "page: compare.html" in done.stderr
    return folder / "compare.html", json.loads(done.stdout)


def everybody_can_use(browsing: Browsing, path: Path) -> None:
    """No complaint of axe, nothing wider than the window, and nothing that was smuggled in."""
    for width, scheme in LOOKS:
        with browsing.open(path.as_uri(), width=width, scheme=scheme) as page:
            page.wait_for_selector("h2")
            page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
            until(lambda page=page: page.evaluate(ALL_DRAWN), "all charts to be drawn")
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            assert page.evaluate("window.hacked") is None
            assert page.locator("img, iframe, object, embed").count() == 0
            assert page.locator("script").count() == 2


ALL_DRAWN = "document.querySelectorAll('canvas').length === document.querySelectorAll('.drawing').length"


def rows(page: Page, caption: str) -> list[list[str]]:
    """The texts of a table."""
    found = page.get_by_role("group", name=caption, exact=True).locator("tbody tr")
    return [found.nth(at).locator("th, td").all_inner_texts() for at in range(found.count())]


def test_a_comparison_says_what_its_json_says(browsing, compared):
    path, comparison = compared
    marks = {"slower": "▲", "faster": "▼", "higher": "▲", "lower": "▼", "no_difference_seen": "=", "not_enough_data": "?"}
    with browsing.open(path.as_uri()) as page:
        page.wait_for_selector("h2")
        assert rows(page, "Conditions")[0][0] == "response_time.p50 > +5%"
        assert rows(page, "Conditions")[0][1] == "SEEN"
        assert [row[:2] for row in rows(page, "Sides")] == [["base", "run-base"], ["new", "run-new"]]
        slower, same = comparison["tests"]
        assert any(measure["outcome"] == "slower" for measure in slower["measures"])
        assert "▲ response_time.p50" in rows(page, "Tests")[0][1]
        for at, test in enumerate((slower, same)):
            page.locator(".bar select").select_option(str(at))
            shown = {row[0]: row for row in rows(page, "Measures")}
            measured = [one for one in test["measures"] if one["measure"] != "dropped"]
            assert list(shown) == [one["measure"] for one in measured]
            for one in measured:
                assert shown[one["measure"]][5].startswith(marks[one["outcome"]])
                assert shown[one["measure"]][5].removeprefix(marks[one["outcome"]]).strip() == one["outcome"].replace("_", " ")
        # Both sides are in the same chart.
        chart = page.locator("figure", has=page.get_by_role("heading", name="Response times by percentile"))
        chart.get_by_text("Figures").click()
        until(lambda: chart.locator("thead th").count(), "the figures")
        assert chart.locator("thead th").all_inner_texts() == ["percentile", "base", "new"]
        rate = page.locator("figure", has=page.get_by_role("heading", name="Rate", exact=True))
        rate.get_by_text("Figures").click()
        until(lambda: rate.locator("details tbody tr").count() >= 12, "figures of every second")
        shown = [text.split("\t") for text in rate.locator("details tbody tr").all_inner_texts()]
        for side, name in enumerate(("base", "new"), start=1):
            blocks = json.loads((path.parent / f"run-{name}" / "summary.json").read_text())["blocks"]
            ended = [block["tests"][1]["passed"] + block["tests"][1]["failed"] for block in blocks[:10]]
            assert [row[side] for row in shown[:10]] == [f"{count}/s" for count in ended]


def test_everybody_can_use_a_comparison(browsing, compared):
    everybody_can_use(browsing, compared[0])


def test_a_page_that_cannot_be_written_is_told(project):
    launcher, _ = project
    done = launcher.run("compare run-base run-new --html nowhere/compare.html")
    assert done.returncode == 2, done.stderr
    assert "failed to write the page nowhere/compare.html" in done.stderr
    # Nothing is printed, so that nobody takes it for done.
    assert done.stdout == ""


# Searches.


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder of a search, as one might have left it."""
    folder = tmp_path_factory.mktemp("searches") / "search"
    folder.mkdir()
    durations = {f"{name}_s": 0.02 for name in ("mean", "min", "p50", "p90", "p95", "p99", "p99_9", "max")}
    level = {
        "number": 1,
        "rate_per_s": 100.0,
        "purpose": "start",
        "confirmation": False,
        "began_s": 0.0,
        "hold_s": 10.0,
        "ended_early": False,
        "state": "held",
        "signal": None,
        "account": {"planned": 1000, "passed": 990, "failed": 10, "dropped": 0, "interrupted": 0, "lost": 0},
        "response_time": {"count": 1000, **durations},
        "service_time": {"count": 1000, **durations},
        "lateness": {"count": 1000, **durations},
        "verdict": {"validity": "valid", "causes": []},
        "objectives": [],
        "folder": "01-100",
    }
    failed = copy.deepcopy(level)
    signal = {"kind": "objective", "objective": "response_time.p99 < 250ms", "text": f"512 ms {HOSTILE}"}
    slow = {name: seconds * 25.6 for name, seconds in durations.items()}
    failed.update(
        number=2, rate_per_s=200.0, purpose="up", state="failed", signal=signal, ended_early=True, folder="02-200",
        response_time={"count": 1000, **slow},
    )  # fmt: skip
    limited = copy.deepcopy(failed)
    limited.update(number=3, rate_per_s=150.0, purpose="between", state="generator_limited", signal=None, folder=None)
    text = "100/s is the highest rate that held, not confirmed; at 200/s `response_time.p99 < 250ms` failed: 512 ms"
    found = {
        "schema_version": 1,
        "pysurge_version": "2.0.0",
        "name": HOSTILE,
        "started_at": "2026-11-22T16:25:00Z",
        "elapsed_s": 39.0,
        "objectives": ["response_time.p99 < 250ms"],
        "terms": {
            "start_rate_per_s": 100.0, "max_rate_per_s": None, "precision": 0.03, "settle_s": 3.0, "hold_s": 10.0,
            "confirm_s": 30.0, "max_time_s": 900.0, "workers": 2,
        },
        "result": {
            "end": "found", "held_rate_per_s": 100.0, "confirmed": False, "failed_rate_per_s": 200.0, "at_least": False,
            "limit": signal, "text": text, "exit_code": 0,
        },
        "levels": [level, failed, limited],
    }  # fmt: skip
    jsonschema.validate(found, json.loads((REPOSITORY / "docs/schema/find-max.schema.json").read_text()))
    (folder / "find-max.json").write_text(json.dumps(found))
    launcher = Launcher(folder.parent)
    done = launcher.run("report search")
    launcher.close()
    assert done.returncode == 0, done.stderr
    assert text in " ".join(done.stdout.split())
    assert "report: search/report.html" in done.stdout
    return folder, found


def test_a_search_is_shown_with_its_curve(browsing, search):
    folder, found = search
    with browsing.open((folder / "report.html").as_uri()) as page:
        page.wait_for_selector("h2")
        assert page.locator(".sentence").inner_text() == found["result"]["text"] + "."
        assert page.locator(".tile dd").all_inner_texts() == ["100/s", "200/s", "no"]
        levels = rows(page, "Levels")
        assert [(row[0], row[1]) for row in levels] == [("1", "100/s"), ("2", "200/s"), ("3", "150/s")]
        assert [row[2] for row in levels] == ["● held", "✕ failed", "■ limited by the generator"]
        assert [row[5] for row in levels] == ["20 ms", "512 ms", "512 ms"]
        assert "response_time.p99 < 250ms: 512 ms" in levels[1][9]
        links = page.get_by_role("group", name="Levels").locator("a")
        assert [link.get_attribute("href") for link in links.all()] == ["01-100/report.html", "02-200/report.html"]
        chart = page.locator("figure")
        chart.scroll_into_view_if_needed()
        until(lambda: chart.locator("canvas").count(), "the curve")
        chart.get_by_text("Figures").click()
        until(lambda: chart.locator("details tbody tr").count(), "the figures")
        # By rate, whatever the order in which they were fired.
        figures = [row.split("\t") for row in chart.locator("details tbody tr").all_inner_texts()]
        assert [(row[0], row[3], row[4]) for row in figures] == [
            ("100/s", "20 ms", "held"),
            ("150/s", "512 ms", "limited by the generator"),
            ("200/s", "512 ms", "failed"),
        ]
        before = chart.locator("canvas").evaluate("canvas => canvas.toDataURL()")
        page.get_by_label("logarithmic durations").uncheck()
        until(
            lambda: (
                chart.locator("canvas").count() and chart.locator("canvas").evaluate("canvas => canvas.toDataURL()") != before
            ),
            "another axis",
        )


def test_everybody_can_use_a_search(browsing, search):
    everybody_can_use(browsing, search[0] / "report.html")


def test_the_folder_of_a_search_that_is_broken_is_told(search):
    folder, found = search
    launcher = Launcher(folder.parent)
    broken = folder.parent / "broken"
    broken.mkdir()
    for text, told in (
        ('{"schema_version": 1', "is broken JSON: line 1"),
        (json.dumps({**found, "levels": 7}), "is no find-max.json of pysurge"),
    ):
        (broken / "find-max.json").write_text(text)
        done = launcher.run("report broken")
        assert done.returncode == 2, done.stdout
        assert "broken/find-max.json" in done.stderr
        assert told in done.stderr
    done = launcher.run("report search --junit junit.xml")
    assert done.returncode == 2
    assert "of which there is no JUnit XML" in done.stderr
    assert json.loads(launcher.run("report search --json").stdout) == found
    launcher.close()
