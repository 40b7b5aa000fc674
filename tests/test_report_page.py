"""report.html in a browser: it shows what the run's other files say, nothing goes out, and everybody can use it."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import Browsing
from playwright.sync_api import Page
from support import Launcher, config, run_folder, until

HOSTILE = '<img src=x onerror="window.hacked=1">\'\u202e\x1b[31m</script><script>window.hacked=1</script>'

MODULE = f"""
import time

import pysurge
from pysurge import TestCase

HOSTILE = {HOSTILE!r}


class Shop(TestCase):
    def run(self):
        with self.timer("search"):
            time.sleep(0.002)
        self.metrics["size"] = 500.0
        self.metrics[HOSTILE] = 1.0
        self.check("small", True)
        self.check(HOSTILE, False)
        self.count("bytes", 10)
        if pysurge.__name__ and self.kwargs.get("fails"):
            raise ValueError(HOSTILE)

    def __str__(self):
        return HOSTILE if self.kwargs.get("fails") else "<Shop>"


def user():
    time.sleep(0.001)
"""

TESTS = [
    {"test_class": "shop.Shop", "name": "checkout", "rate": 60, "thresholds": ["response_time.p95 < 10s"]},
    {"test_class": "shop.Shop", "rate": 20, "kwargs": {"fails": True}, "thresholds": ["failures < 1%"]},
    {"test": "shop.py:user", "name": HOSTILE, "users": 2, "think_time": "50ms"},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with everything that a page can show."""
    project = tmp_path_factory.mktemp("project")
    launcher = Launcher(project)
    tests = json.loads(config(*TESTS))["tests"]
    files = {"shop.py": MODULE, "c.yml": json.dumps({"name": HOSTILE, "duration": "4s", "tests": tests})}
    done = launcher.run("run c.yml --workers 2", files)
    launcher.close()
    assert done.returncode == 3, done.stdout + done.stderr
    return run_folder(project)


@pytest.fixture(scope="module")
def browsing() -> Iterator[Browsing]:
    """A browser."""
    with Browsing() as browsing:
        yield browsing


@pytest.fixture
def page(browsing: Browsing, folder: Path) -> Iterator[Page]:
    """The page of the run. Whatever else it asks for, or complains of, fails the test."""
    with browsing.open((folder / "report.html").as_uri()) as page:
        page.wait_for_selector("h2")
        yield page


@pytest.fixture(scope="module")
def result(folder: Path) -> dict[str, Any]:
    """summary.json of the run."""
    loaded: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return loaded


def series(folder: Path, test: str, measure: str) -> list[dict[str, str]]:
    """The lines of a measure in timeseries.csv."""
    with (folder / "timeseries.csv").open() as lines:
        return [line for line in csv.DictReader(lines) if (line["test"], line["measure"]) == (test, measure)]


def cells(page: Page, section: str, row: int) -> list[str]:
    """The text of a table's row."""
    return page.locator(f"{section} table >> nth=0").locator("tbody tr").nth(row).locator("th, td").all_inner_texts()


def seconds(text: str) -> float:
    """What a duration on the page says."""
    value, unit = text.split()
    return float(value.replace(",", "")) * {"s": 1, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}[unit]


def test_the_figures_are_those_of_the_summary(page, result):
    tiles = dict(
        page.locator(".tile").evaluate_all(
            "all => all.map(e => [e.querySelector('dt').innerText, e.querySelector('dd').innerText])"
        )
    )
    for end in ("planned", "passed", "failed"):
        assert int(tiles[end].split()[0].replace(",", "")) == result["account"][end]
    for at, test in enumerate(result["tests"]):
        _, asked, achieved, passed, failed, *percentiles = cells(page, "#tests", at)
        assert int(passed.replace(",", "")) == test["account"]["passed"]
        assert int(failed.split()[0]) == test["account"]["failed"]
        assert (not asked.endswith("/s")) == (test["asked_rate_per_s"] is None)
        assert float(achieved.removesuffix("/s")) == pytest.approx(test["achieved_rate_per_s"], rel=1e-3)
        for text, name in zip(percentiles, ("p50_s", "p95_s", "p99_s", "max_s"), strict=True):
            assert seconds(text) == pytest.approx(test["response_time"][name], rel=6e-3)
    assert page.locator(".badge").first.inner_text() == result["verdict"]["validity"]
    states = page.locator("#verdict table .state").all_inner_texts()
    assert states == [{"passed": "passed", "failed": "FAILED"}[one["state"]] for one in result["thresholds"]]


def test_charts_are_drawn_from_the_time_series(page, folder):
    lines = series(folder, "checkout", "response_time")
    chart = page.locator("figure", has=page.get_by_role("heading", name="Response time", exact=True))
    chart.scroll_into_view_if_needed()
    drawn = "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(value => value > 0)"
    assert chart.locator("canvas").evaluate(drawn)
    # What the cursor says is what the chart has drawn there.
    chart.get_by_role("application").focus()
    for line in lines[:3]:
        page.keyboard.press("ArrowRight")
        shown = dict(
            chart.locator(".u-series").evaluate_all("all => all.map(e => [...e.children].map(c => c.innerText.trim()))")
        )
        for name in ("p50", "p95", "p99", "max"):
            assert seconds(shown[f"{name}:" if f"{name}:" in shown else name]) == pytest.approx(float(line[name]), rel=6e-3)
    # And so does the table.
    chart.get_by_text("Figures").click()
    rows = chart.locator("details tbody tr")
    until(lambda: rows.count() == len(lines), "a row for each second")
    for at, line in enumerate(lines):
        texts = rows.nth(at).locator("td").all_inner_texts()
        for text, name in zip(texts[1:], ("p50", "p95", "p99", "max"), strict=True):
            assert seconds(text) == pytest.approx(float(line[name]), rel=6e-3)


def test_the_data_of_all_charts_adds_up_to_the_summary(page, result):
    data = json.loads(page.locator("#data").text_content())
    for test, rows, curves in zip(result["tests"], data["rows"]["tests"], data["curves"], strict=True):
        for end in ("passed", "failed", "planned"):
            assert sum(rows[end]["count"]) == test["account"][end]
        counted = sum(sum(column[1::2]) for column in curves["heat"]["columns"])
        assert counted == test["response_time"]["count"]
        distribution = dict(zip(curves["response_time"]["shares"], curves["response_time"]["values"], strict=True))
        assert distribution[0.5] == pytest.approx(test["response_time"]["p50_s"], rel=2e-3)
        assert max(distribution.values()) == pytest.approx(test["response_time"]["max_s"], rel=1e-3)


def test_every_test_has_its_charts_and_hostile_names_are_inert(page, result):
    for at, test in enumerate(result["tests"]):
        page.locator(".bar select").select_option(str(at))
        name = test["name"] or test["label"]
        heading = page.locator("#test h2").inner_text()
        assert "\x1b" not in heading
        assert heading.startswith(re.split("[\x1b\u202e]", name)[0])
        assert page.locator("#test figure").count() >= 5
    page.locator(".bar select").select_option("1")
    assert "ValueError" in page.locator("#test .failures").inner_text()
    page.locator("#test .failures summary").click()
    assert "shop.py" in page.locator("#test .failures pre").inner_text()
    assert page.evaluate("window.hacked") is None
    assert page.locator("img, iframe, object, embed").count() == 0
    assert page.locator("script").count() == 2


def test_charts_are_zoomed_together(page):
    page.locator("#test figure").nth(1).scroll_into_view_if_needed()
    button = page.get_by_role("button", name="Whole run")
    assert button.is_disabled()
    drawing = page.locator("#test .drawing").nth(0)
    drawing.focus()
    page.keyboard.press("Home")
    page.keyboard.press("+")
    assert button.is_enabled()
    # In another chart the cursor cannot leave what is shown.
    other = page.locator("#test .drawing").nth(1)
    other.focus()
    page.keyboard.press("End")
    time = other.locator(".u-series").first.inner_text()
    assert "0:02" in time or "0:01" in time, time
    button.click()
    assert button.is_disabled()


def test_light_and_dark_and_a_logarithmic_axis(page):
    theme = "document.documentElement.dataset.theme"
    chart = page.locator("figure", has=page.get_by_role("heading", name="Response time", exact=True))
    chart.scroll_into_view_if_needed()

    def picture() -> str:
        return chart.locator("canvas").evaluate("canvas => canvas.toDataURL()")

    until(lambda: chart.locator("canvas").count(), "the chart")
    pictures = [picture()]
    assert page.evaluate(theme) == "light"
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate(theme) == "dark"
    for change in (lambda: None, page.get_by_label("logarithmic durations").check):
        change()
        # It is drawn anew, in other colours and on another axis.
        until(lambda: chart.locator("canvas").count() and picture() not in pictures, "another picture")
        pictures.append(picture())
    page.get_by_label("logarithmic durations").uncheck()
    page.get_by_role("button", name="Light").click()
    until(lambda: chart.locator("canvas").count() and picture() == pictures[0], "the first picture again")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_everybody_can_use_it(browsing, folder, width, scheme):
    with browsing.open((folder / "report.html").as_uri(), width=width, scheme=scheme) as page:
        page.wait_for_selector("h2")
        # All that is drawn once it is seen is looked at, too.
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        drawn = "document.querySelectorAll('canvas').length === document.querySelectorAll('.drawing').length"
        until(lambda: page.evaluate(drawn), "all charts to be drawn")
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_without_scripts_it_says_where_the_figures_are(browsing, folder):
    with browsing.open((folder / "report.html").as_uri(), scripts=False) as page:
        assert "summary.json" in page.locator("main").inner_text()


def test_it_is_made_anew_from_the_folder(folder):
    page = folder / "report.html"
    before = page.read_bytes()
    page.unlink()
    launcher = Launcher(folder.parent)
    done = launcher.run(["report", folder.name])
    launcher.close()
    assert done.returncode == 0, done.stderr
    assert f"report: {folder.name}/report.html" in done.stdout
    assert page.read_bytes() == before
    # One that cannot be written is told, and the report is shown all the same.
    blocker = folder / ".report.html.new"
    blocker.mkdir()
    launcher = Launcher(folder.parent)
    done = launcher.run(["report", folder.name])
    launcher.close()
    blocker.rmdir()
    assert done.returncode == 0
    assert f"cannot write {folder.name}/report.html" in done.stderr
    assert "checkout" in done.stdout
    assert page.read_bytes() == before
    # The page itself, beside its data, which grows with the run.
    data = re.search(rb'<script id="data" type="application/json">(.*?)</script>', before, re.S)
    assert len(before) - len(data[1]) < 1_000_000
