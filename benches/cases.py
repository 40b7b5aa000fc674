"""The test cases that the benchmarks fire. Kept free of imports that cost anything: workers import this module."""

import http.client
import os
import random
import threading
import time
from urllib.parse import urlsplit

from pysurge import TestCase

THREADS = 8
"""Threads of the HTTP rows, ours and bare."""

SATURATING_RATE = 200_000
"""Iterations per second that no HTTP client here reaches."""


class NoopRun(TestCase):
    """Overrides nothing but run."""

    def run(self):
        pass


class NoopAll(TestCase):
    """Overrides everything an iteration calls, each doing nothing."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    def setup(self):
        pass

    def run(self):
        pass

    def teardown(self):
        pass


def nothing():
    """Does nothing."""


def give():
    """Does nothing, and gives two figures."""
    return {"size": 3, "share": 0.5}


def take(user, token):
    """Does nothing with two arguments."""


class Sleep(TestCase):
    """Waits without using the CPU, as a test does that waits for an answer."""

    max_duration = 0.1

    def run(self):
        time.sleep(0.05)


class CoroutineNoop(TestCase):
    """Does nothing, on the event loop."""

    max_duration = 1

    async def run(self):
        pass


class CoroutineSleep(TestCase):
    """Waits for a second on the event loop: thousands of these are in flight."""

    max_duration = 4

    @classmethod
    def startup(cls):
        import asyncio

        cls.sleep = staticmethod(asyncio.sleep)

    async def run(self):
        await self.sleep(1)


class TwoMetrics(TestCase):
    """Reports two values spread over a wide range."""

    max_duration = 1e-6

    def run(self):
        value = random.random()
        self.metrics["uniform"] = value
        self.metrics["wide"] = 1.0 / (value + 1e-6)


class FormatLine(TestCase):
    """Makes the text of a line, as `PrintLine` does, and keeps it to itself."""

    def run(self):
        self.line = f"iteration of {self.kwargs['who']} took {time.perf_counter():.6f} s"


class PrintLine(TestCase):
    """Prints a line."""

    def run(self):
        print(f"iteration of {self.kwargs['who']} took {time.perf_counter():.6f} s")


class FirstStart(TestCase):
    """Notes the wall clock of its first iteration in a file."""

    noted = False

    def run(self):
        if not FirstStart.noted:
            FirstStart.noted = True
            with open(self.kwargs["path"], "a", encoding="ascii") as file:
                print(time.time(), file=file)


class Get(TestCase):
    """One GET with the standard library's client over a connection that the thread keeps."""

    max_duration = 0.05
    local = threading.local()

    def run(self):
        connection = getattr(self.local, "connection", None)
        if connection is None:
            connection = self.local.connection = http.client.HTTPConnection(urlsplit(self.kwargs["url"]).netloc)
        connection.request("GET", "/")
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise RuntimeError(f"status {response.status}")


def pyreqwest_get(url):
    """A function that GETs `url` with one pyreqwest client for all threads."""
    from pyreqwest.client import SyncClientBuilder

    client = SyncClientBuilder().build()

    def get():
        response = client.get(url).build().send()
        response.bytes()
        if response.status != 200:
            raise RuntimeError(f"status {response.status}")

    return get


def requests_get(url):
    """A function that GETs `url` with one requests session per thread."""
    import requests

    local = threading.local()

    def get():
        session = getattr(local, "session", None)
        if session is None:
            session = local.session = requests.Session()
        response = session.get(url, timeout=5)
        if response.status_code != 200:
            raise RuntimeError(f"status {response.status_code}")

    return get


CLIENTS = {"pyreqwest": pyreqwest_get, "requests": requests_get}


class ClientGet(TestCase):
    """One GET with a client from a package; the client is made once per worker."""

    # Little's law makes a pool of THREADS: one more than this product rounded up.
    max_duration = (THREADS - 1.5) / SATURATING_RATE

    @classmethod
    def startup(cls):
        cls.get = staticmethod(CLIENTS[os.environ["BENCH_CLIENT"]](os.environ["BENCH_URL"]))

    def run(self):
        self.get()
