"""Takes the pictures of the documentation, of terminal and pages: of a run of a small shop, so that there is something to see.

The machine should have nothing else to do, or the verdict in the pictures says so.
"""

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

IMAGES = Path(__file__).parent
sys.path[:0] = [str(IMAGES), str(IMAGES.parents[1] / "tests")]

from browsing import Browsing  # noqa: E402 - they stand with the tests
from support import Launcher, until  # noqa: E402
from terminal import everything, shown  # noqa: E402
from terminal import page as as_page  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Mapping

    from playwright.sync_api import Page
    from pyte.screens import Char, HistoryScreen

SHOP = '''
import random
import time

from pysurge import TestCase

began = time.monotonic()


class Checkout(TestCase):
    """Buys what is in the basket."""

    def run(self):
        with self.timer("price"):
            time.sleep(random.gammavariate(4, 0.003))
        with self.timer("pay"):
            time.sleep(random.gammavariate(3, 0.004))
        # For a while payments are slow.
        if 20 < time.monotonic() - began < 32 and random.random() < 0.3:
            time.sleep(random.uniform(0.15, 0.3))
        if random.random() < 0.002:
            raise TimeoutError("the bank is silent")
        self.metrics["items"] = float(random.randint(1, 9))
        self.check("receipt is complete", random.random() < 0.998)


class Search(TestCase):
    """Looks for something."""

    def run(self):
        time.sleep(random.gammavariate(2, 0.004))
'''

CONFIG = """
name: shop
duration: 1m
thresholds: ["response_time.p95 < 250ms", "failures < 1%"]
tests:
- {test_class: shop.Checkout, name: checkout, rate: 120}
- {test_class: shop.Search, name: search, stages: [{duration: 30s, rate: 200}, {duration: 30s, rate: 60}], arrivals: poisson}
"""


# What the pictures of a terminal are as wide as.
COLUMNS = 110

# So many lines of the log and of what is live are in a picture.
LIVE_LINES = 16

# So many charts are in the picture of a report.
SEEN_CHARTS = 4

# Until when the run is worth a picture: something has happened, and something is still to come.
MIDDLE_S = 40


def main() -> None:
    """Run it, and take the pictures."""
    with tempfile.TemporaryDirectory() as folder, Browsing() as browsing:
        project = Path(folder)
        launcher = Launcher(project)
        files = {"shop.py": SHOP, "load.yml": CONFIG}
        terminal = launcher.start_on_terminal("run load.yml --web", files, columns=COLUMNS)
        link = terminal.err.wait_for(r"dashboard: \S+\r?\n").split("dashboard: ")[1].split()[0]
        with browsing.open(link) as page:
            page.set_viewport_size({"width": 1280, "height": 1420})
            until(lambda: elapsed(page) >= MIDDLE_S, "the middle of the run", 2 * MIDDLE_S)
            page.screenshot(path=IMAGES / "dashboard.png")
            take_terminal(browsing, shown(terminal.look().screen)[-LIVE_LINES:], "terminal-live.png")
        terminal.wait()
        take_terminal(browsing, report(terminal.look().screen), "terminal-report.png")
        (run,) = (project / "pysurge-results").iterdir()
        with browsing.open((run / "report.html").as_uri()) as page:
            page.set_viewport_size({"width": 1280, "height": 1420})
            until(lambda: page.locator("canvas").count() >= SEEN_CHARTS, "charts to be drawn")
            page.screenshot(path=IMAGES / "report.png")
        launcher.close()


def elapsed(page: "Page") -> int:
    """How long the run of a dashboard goes on, in seconds."""
    text = page.locator(".progress span").inner_text() if page.locator(".progress").count() else "0:00 of"
    minutes, seconds = text.split(" of")[0].split(":")
    return int(minutes) * 60 + int(seconds)


def report(screen: "HistoryScreen") -> "list[Mapping[int, Char]]":
    """The lines of the report, from its verdict on."""
    lines = everything(screen)
    texts = ["".join(line[x].data for x in range(COLUMNS)) for line in lines]
    return lines[next(at for at, text in enumerate(texts) if text.startswith(("VALID", "DEGRADED", "INVALID"))) :]


def take_terminal(browsing: Browsing, lines: "list[Mapping[int, Char]]", name: str) -> None:
    """Take the picture of these lines."""
    with browsing.blank(scale=1.25) as blank:
        blank.set_content(as_page(lines, COLUMNS))
        blank.locator("#terminal").screenshot(path=IMAGES / name)


if __name__ == "__main__":
    main()
