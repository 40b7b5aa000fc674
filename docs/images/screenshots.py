"""Takes the pictures of pages that the documentation shows: of a run of a small shop, so that there is something to see."""

import subprocess
import sys
import tempfile
from pathlib import Path

IMAGES = Path(__file__).parent
sys.path.insert(0, str(IMAGES.parents[1] / "tests"))

from browsing import Browsing  # noqa: E402 - they stand with the tests
from support import until  # noqa: E402

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
            raise TimeoutError("the bank did not answer in 2 s")
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


def main() -> None:
    """Run it, and take the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "shop.py").write_text(SHOP)
        (project / "load.yml").write_text(CONFIG)
        pysurge = Path(sys.executable).with_name("pysurge")
        subprocess.run([pysurge, "run", "load.yml", "--no-rehearsal"], cwd=project, check=False)  # noqa: S603 - our own command
        (run,) = (project / "pysurge-results").iterdir()
        with Browsing() as browsing, browsing.open((run / "report.html").as_uri()) as page:
            page.set_viewport_size({"width": 1280, "height": 1420})
            until(lambda: page.evaluate("document.querySelectorAll('canvas').length >= 4"), "charts to be drawn")
            page.screenshot(path=IMAGES / "report.png")


if __name__ == "__main__":
    main()
