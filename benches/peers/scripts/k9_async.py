"""A coroutine function: all virtual users share an event loop."""

import k9
import starts
from k9_options import OPTIONS, TEST

options = OPTIONS


async def noop():
    starts.mark()


async def sleep():
    starts.mark()
    await k9.sleep(0.05)


async def plain():
    pass


default = {"vus": plain, "noop": noop, "sleep": sleep}[TEST]


def teardown():
    if TEST != "vus":
        starts.dump()
