"""An HTTP load test with requests: one session per process, a unique id per request."""

import uuid
from urllib.parse import urljoin

import requests
from requests.adapters import HTTPAdapter

from pysurge import TestCase

# As many connections as one worker may have iterations running: rate * max_duration / workers, rounded up generously.
# Beyond it requests would throw connections away and connect anew each time.
CONNECTIONS = 100

TIMEOUT_S = 5


class GetPath(TestCase):
    """Reads one path and fails unless the answer is a success."""

    session: requests.Session

    @classmethod
    def startup(cls) -> None:
        """Make the session that all iterations of this process share.

        Sharing it between threads is right as long as nothing changes it after this: the connection pool inside is
        thread-safe, its headers and cookies are not meant to be changed at the same time. A test that logs in, or
        whose target sets cookies, gives each thread a session of its own: ``threading.local()`` on the class, the
        session made in ``setup`` where the thread has none. Threads live as long as the run.
        """
        cls.session = requests.Session()
        for scheme in ("http://", "https://"):
            cls.session.mount(scheme, HTTPAdapter(pool_maxsize=CONNECTIONS))

    @classmethod
    def shutdown(cls) -> None:
        """Close the connections."""
        cls.session.close()

    def __init__(self, base_url: str, path: str) -> None:
        super().__init__(base_url=base_url, path=path)
        self.url = urljoin(base_url, path)
        self.request_id = str(uuid.uuid4())

    @property
    def summary(self) -> str:
        """What the report calls this test."""
        return f"GET {self.kwargs['path']}"

    @property
    def description(self) -> str:
        """What log lines call this iteration: with the id, it can be found in the target's log."""
        return f"GET {self.url}, request id {self.request_id}"

    @property
    def max_duration(self) -> float:
        """Seconds that one iteration may take; they size the thread pool."""
        return TIMEOUT_S

    def run(self) -> None:
        """Send the request; ``raise_for_status`` makes an iteration fail on 4xx and 5xx."""
        response = self.session.get(self.url, headers={"X-Request-Id": self.request_id}, timeout=TIMEOUT_S)
        response.raise_for_status()
        self.metrics["bytes"] = len(response.content)
