"""A test case for the loads in this folder: replace the sleep by your own client."""

import time

from pysurge import TestCase


class Visit(TestCase):
    """A visit to a shop that answers after 50 ms."""

    max_duration = 2

    def run(self) -> None:
        """Wait as long as the shop would take."""
        time.sleep(0.05)
