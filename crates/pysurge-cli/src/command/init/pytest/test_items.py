"""Tests of a service, which pysurge fires as load: each has figures of its own."""

import urllib.error
import urllib.request

import pytest

TIMEOUT_S = 5


@pytest.mark.parametrize("item", [1, 7])
@pytest.mark.surge(weight=3)  # of the load three times as much as a test without the mark
def test_an_item_is_found(url: str, opener: urllib.request.OpenerDirector, item: int) -> None:
    """Read an item; each parameter is a test of its own."""
    with opener.open(f"{url}/items/{item}", timeout=TIMEOUT_S) as response:
        assert response.status == 200
        assert response.read()


def test_an_item_is_made(url: str, opener: urllib.request.OpenerDirector) -> None:
    """Make an item."""
    request = urllib.request.Request(f"{url}/items", data=b"{}", method="POST")
    with opener.open(request, timeout=TIMEOUT_S) as response:
        assert response.status == 201


@pytest.mark.surge(rate=1)  # a rate of its own, whatever the others have
def test_what_is_not_there_is_told(url: str, opener: urllib.request.OpenerDirector) -> None:
    """Ask for something that is not there."""
    with pytest.raises(urllib.error.HTTPError) as raised:
        opener.open(f"{url}/nothing", timeout=TIMEOUT_S)
    assert raised.value.code == 404
