"""A test module as it was written for pysurge 1.0.1, with every member that one had to have then."""

import os
import time
import urllib.request
import uuid

from pysurge import TestCase


class ReadItem(TestCase):
    """Reads one item of the target."""

    @classmethod
    def startup(cls):
        """Run once in each process, before the load."""
        cls.base_url = os.environ.get("TARGET_URL", "http://127.0.0.1:8080")

    @classmethod
    def shutdown(cls):
        """Run once in each process, after the load."""
        cls.base_url = None

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.item = kwargs.get("item", 1)
        self.request_id = uuid.uuid4().hex

    @property
    def summary(self):
        """A short text for the report."""
        return f"read item test, item: {self.item}"

    @property
    def description(self):
        """A text for log lines."""
        return f"read item {self.item}, request id {self.request_id}"

    @property
    def max_duration(self):
        """How long one test may take, in seconds."""
        return 5

    def setup(self):
        """Prepare one test."""
        url = f"{self.base_url}/items/{self.item}"
        self.request = urllib.request.Request(url, headers={"X-Request-Id": self.request_id})

    def run(self):
        """Run one test: an exception is a failure."""
        start_time = time.time()
        with urllib.request.urlopen(self.request, timeout=5) as response:
            body = response.read()
        self.metrics["response_time"] = time.time() - start_time
        self.metrics["body_size"] = len(body)

    def teardown(self):
        """Clean up after one test."""
        self.request = None
