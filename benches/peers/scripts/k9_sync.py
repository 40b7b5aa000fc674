"""A plain function: each virtual user has a thread."""

import time

import starts
from k9_options import OPTIONS, TEST

options = OPTIONS


def noop():
    starts.mark()


def sleep():
    starts.mark()
    time.sleep(0.05)


def plain():
    pass


default = {"vus": plain, "noop": noop, "sleep": sleep}[TEST]


def teardown():
    if TEST != "vus":
        starts.dump()
