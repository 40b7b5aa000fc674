"""Test classes as pysurge 1.0.1 wants them, everything overridden; ours runs them unchanged."""

import time

import starts

from pysurge import TestCase


class Quiet(TestCase):
    """What 1.0.1 asks of every class."""

    summary = description = "benchmark"
    max_duration = 0.1

    @classmethod
    def startup(cls):
        pass

    @classmethod
    def shutdown(cls):
        starts.dump()

    def setup(self):
        pass

    def teardown(self):
        pass


class Plain(Quiet):
    """For dispatch: nothing is noted. Eight threads at the rate that `pysurge_old.py` asks for."""

    max_duration = 8e-6

    def run(self):
        pass


class Noop(Quiet):
    """Does nothing."""

    def run(self):
        starts.mark()


class Sleep(Quiet):
    """Blocks for 50 ms."""

    def run(self):
        starts.mark()
        time.sleep(0.05)
