"""What ``pysurge demo`` fires: HTTP with nothing but the standard library. Copy it and make it yours."""

import http.client
import threading
from urllib.parse import urlsplit

from pysurge import TestCase


class GetPath(TestCase):
    """Reads one path over a connection that is kept open."""

    # Seconds that one iteration may take. It bounds the number of threads: rate * max_duration.
    max_duration = 5

    local: threading.local

    # Called once per worker process, before the load. What it leaves on the class, all iterations there share.
    @classmethod
    def startup(cls) -> None:
        """Make a place where each thread keeps what is its own."""
        cls.local = threading.local()

    # The arguments are the `kwargs` of the config, so that one class serves for many tests.
    def __init__(self, url: str, path: str) -> None:
        super().__init__(path=path)  # what is handed on names the test in the report
        self.address = urlsplit(url).netloc
        self.path = path

    # An HTTPConnection serves one thread at a time, and many threads run iterations: so every thread has one. Threads
    # live as long as the run, and so do their connections.
    def setup(self) -> None:
        """Take this thread's connection; its first iteration makes it."""
        if not hasattr(self.local, "connection"):
            self.local.connection = http.client.HTTPConnection(self.address, timeout=self.max_duration)
        self.connection: http.client.HTTPConnection = self.local.connection

    # The one method that a test case must have; its time is the service time. Returning is passing, raising is failing.
    def run(self) -> None:
        """Ask for the path and read the whole answer."""
        try:
            self.connection.request("GET", self.path)
            response = self.connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()  # the next iteration on this thread connects anew
            raise
        if response.status != http.HTTPStatus.OK:
            raise RuntimeError(f"GET {self.path} was answered with {response.status} {response.reason}")
        # Figures of your own: the report shows their mean and percentiles.
        self.metrics["bytes"] = len(body)
