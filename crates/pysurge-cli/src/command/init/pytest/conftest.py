"""Fixtures, as in any suite of pytest. Nothing here knows that it is run as load."""

import os
import urllib.request
from collections.abc import Iterator

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known to pytest alone, which does not have pysurge's."""
    config.addinivalue_line("markers", "surge(weight=1, rate=None): how a test is fired by pysurge")


@pytest.fixture(scope="session")
def url() -> str:
    """Tell where the service is."""
    return os.environ.get("URL", "http://127.0.0.1:8080")


@pytest.fixture
def opener() -> Iterator[urllib.request.OpenerDirector]:
    """Make what one test needs. A function fixture is set up and torn down for each iteration, outside of its service time."""
    opener = urllib.request.build_opener()
    yield opener
    opener.close()
