"""A load test in plain Python: what `run` does is fired at the rate that config.yml says."""

import json
import urllib.request
from typing import Any

from pysurge import TestCase


class GetItem(TestCase):
    """Reads one item over HTTP."""  # the first line names the test in the report

    # Seconds that one iteration may take. It bounds the number of threads: rate * max_duration.
    max_duration = 5

    # The arguments are the `kwargs` of the config. Leave __init__ out to find them in self.kwargs.
    def __init__(self, url: str, item: int) -> None:
        super().__init__(item=item)  # what is handed on names the test in the report
        self.address = f"{url}/items/{item}"

    # Once per worker process, before the load. What it leaves on the class, all iterations there share. `shutdown` is its
    # counterpart, after the load.
    @classmethod
    def startup(cls) -> None:
        """Make what all iterations share."""
        cls.opener = urllib.request.build_opener()

    # Once per iteration, before `run`. Not part of the service time. `teardown` is its counterpart, and always runs.
    def setup(self) -> None:
        """Make what this iteration needs."""
        self.request = urllib.request.Request(self.address, headers={"Accept": "application/json"})

    # The one method that a test case must have; its time is the service time. Returning is passing, raising is failing.
    def run(self) -> None:
        """Read the item."""
        with self.opener.open(self.request, timeout=self.max_duration) as response:
            body = response.read()
        # A check is counted by name; with fail=True one that does not hold fails the iteration, too.
        self.check("has a body", len(body) > 0, fail=True)
        # Figures of your own: the report shows their mean and percentiles.
        self.metrics["bytes"] = len(body)


def get_item(url: str = "http://127.0.0.1:8080", item: int = 7) -> dict[str, Any]:
    """Read the item as a function."""
    # Its arguments are the `kwargs`, or `--kwarg item=8`. Numbers in what it returns become metrics.
    with urllib.request.urlopen(f"{url}/items/{item}", timeout=5) as response:
        body = response.read()
    return {"bytes": len(body), "is_json": float(is_json(body))}


def is_json(body: bytes) -> bool:
    """Whether it can be read as JSON."""
    try:
        json.loads(body)
    except ValueError:
        return False
    return True
