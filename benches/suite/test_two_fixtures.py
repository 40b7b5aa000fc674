"""One test with two function fixtures, and the same work as plain calls."""

import pytest


def make():
    """What the first fixture does."""
    return {"id": 1}


@pytest.fixture
def order():
    """A value."""
    return make()


@pytest.fixture
def opened(order):
    """A value that is given back."""
    order["open"] = True
    yield order
    order["open"] = False


def test_is_open(order, opened):
    """Asserts something."""
    assert opened["open"]
    assert order is opened
