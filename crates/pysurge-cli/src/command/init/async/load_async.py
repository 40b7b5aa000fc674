"""Coroutine functions as a load test: one event loop per worker, thousands of iterations in flight."""

import asyncio
from urllib.parse import urlsplit

from pysurge import check, timer

TIMEOUT_S = 5


async def get_item(url: str, item: int) -> dict[str, float]:
    """Read one item over HTTP."""
    # Returning is passing, raising is failing. Numbers in what is returned become metrics.
    status, body = await asyncio.wait_for(get(url, f"/items/{item}"), TIMEOUT_S)
    check("status is 200", status == 200, fail=True)
    return {"bytes": len(body)}


class Browse:
    """Reads a list and an item of it."""

    # Any class with a `run` will do; setup, teardown, startup and shutdown may be there, too.
    def __init__(self, url: str) -> None:
        self.url = url

    async def run(self) -> None:
        """Read both, one after the other."""
        with timer("list"):
            await get(self.url, "/")
        await asyncio.sleep(0.1)  # somebody looks at it; other iterations go on meanwhile
        with timer("item"):
            status, _ = await get(self.url, "/items/7")
        check("status is 200", status == 200, fail=True)


async def get(url: str, path: str) -> tuple[int, bytes]:
    """Ask for a path. An HTTP client with coroutines, such as httpx or aiohttp, does this and more."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port or 80)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        answer = await reader.read()
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body
