"""The loops a plain Python programmer would write, run in a fresh interpreter: what pysurge is compared with.

Prints one line of JSON. `python benches/bare.py dispatch CLASS SECONDS`, `… http CLIENT URL SECONDS`,
`… function NAME SECONDS`, `… fixtures SECONDS`, `… plain_pytest FILE`,
`… lateness RATE SECONDS`, `… arrivals URL RATE SECONDS`, `… coroutine SECONDS`, `… coroutine_sleep RATE SECONDS`.
"""

import asyncio
import json
import os
import sys
import threading
import time


def repeated(loop, block, seconds):
    """Calls a loop of so many iterations again and again for a time."""
    loop(10 * block)
    count, cpu_s, begin_s = 0, time.process_time(), time.perf_counter()
    while (spent_s := time.perf_counter() - begin_s) < float(seconds):
        loop(block)
        count += block
    return {"per_s": count / spent_s, "cpu_ns": (time.process_time() - cpu_s) / count * 1e9}


def dispatch(name, seconds):
    """Makes instances and calls their hooks, with a clock around run."""
    import cases

    cls, kwargs, block = getattr(cases, name), {"a": 1}, 10_000

    def loop(count, cls=cls, kwargs=kwargs, clock=time.perf_counter_ns):
        for _ in range(count):
            t = cls(**kwargs)
            t.setup()
            a = clock()
            t.run()
            b = clock()
            t.teardown()
        return b - a

    return repeated(loop, block, seconds)


def function(name, seconds):
    """Calls a function, with a clock around it."""
    import cases

    called, block = getattr(cases, name), 10_000

    def loop(count, called=called, clock=time.perf_counter_ns):
        for _ in range(count):
            a = clock()
            called()
            b = clock()
        return b - a

    return repeated(loop, block, seconds)


def fixtures(seconds):
    """What a test of pytest with two function fixtures does, as plain calls."""

    def opened(order):
        order["open"] = True
        yield order
        order["open"] = False

    def test(order, opened):
        assert opened["open"]
        assert order is opened

    count, begin_s = 0, time.perf_counter()
    while (spent_s := time.perf_counter() - begin_s) < float(seconds):
        for _ in range(1_000):
            order = {"id": 1}
            generator = opened(order)
            test(order, next(generator))
            next(generator, None)
        count += 1_000
    return {"per_s": count / spent_s}


def plain_pytest(file):
    """Runs pytest over so many copies of a test, and then over one: the difference is the copies' time."""
    import pytest

    copies = 2_000

    class Copies:
        def __init__(self, count):
            self.count = count

        def pytest_generate_tests(self, metafunc):
            metafunc.fixturenames.append("copy_number")
            metafunc.parametrize("copy_number", range(self.count))

        def pytest_runtestloop(self):
            self.begin_s = time.perf_counter()

        def pytest_sessionfinish(self):
            self.spent_s = time.perf_counter() - self.begin_s

    quiet = ["-c", os.devnull, "-p", "no:cacheprovider", "-p", "no:terminal", "--capture=no", file]
    plugin = Copies(copies)
    if pytest.main(quiet, plugins=[plugin]) != 0:
        raise SystemExit("the test failed under pytest")
    return {"per_s": copies / plugin.spent_s}


def http(client, url, seconds):
    """The client in as many threads as the pool of pysurge has, each in a loop."""
    import cases

    get = cases.CLIENTS[client](url)
    counts = [0] * cases.THREADS
    begin_s = time.perf_counter()
    end_s = begin_s + float(seconds)

    def loop(number):
        count = 0
        while time.perf_counter() < end_s:
            get()
            count += 1
        counts[number] = count

    threads = [threading.Thread(target=loop, args=(number,)) for number in range(cases.THREADS)]
    cpu_s = time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent_s = time.perf_counter() - begin_s
    return {"per_s": sum(counts) / spent_s, "cpu_ns": (time.process_time() - cpu_s) / sum(counts) * 1e9}


def new_loop():
    """The loop that pysurge would take, and its name."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop(), "asyncio"
    return uvloop.new_event_loop(), "uvloop"


def coroutine(seconds):
    """Makes a task per iteration and awaits it, with a clock around run."""
    import cases

    block = 1_000
    clock = time.perf_counter_ns

    async def iterate():
        case = cases.CoroutineNoop()
        begin = clock()
        await case.run()
        return clock() - begin

    async def measure(loop):
        count, cpu_s, begin_s = 0, time.process_time(), time.perf_counter()
        while (spent_s := time.perf_counter() - begin_s) < float(seconds):
            for _ in range(block):
                await loop.create_task(iterate())
            count += block
        return {"per_s": count / spent_s, "cpu_ns": (time.process_time() - cpu_s) / count * 1e9}

    loop, name = new_loop()
    return {**loop.run_until_complete(measure(loop)), "loop": name}


def coroutine_sleep(rate, seconds):
    """Starts tasks that sleep for a second at their instants, by the loop's own timers."""
    late, tasks = [], []

    async def iterate(due_s):
        late.append(asyncio.get_running_loop().time() - due_s)
        await asyncio.sleep(1)

    async def measure(loop):
        count, cpu_s, begin_s = int(float(rate) * float(seconds)), time.process_time(), loop.time() + 0.1
        done = loop.create_future()

        def start(number):
            due_s = begin_s + number / float(rate)
            while due_s <= loop.time() and number < count:
                tasks.append(loop.create_task(iterate(due_s)))
                number += 1
                due_s = begin_s + number / float(rate)
            if number < count:
                loop.call_at(due_s, start, number)
            else:
                done.set_result(None)

        start(0)
        await done
        await asyncio.gather(*tasks)
        return {"cpu_ns": (time.process_time() - cpu_s) / count * 1e9}

    loop, name = new_loop()
    measured = loop.run_until_complete(measure(loop))
    late.sort()
    percentiles = {label: late[min(int(share * len(late)), len(late) - 1)] * 1e9 for label, share in PERCENTILES}
    return {**measured, **percentiles, "loop": name}


def on_schedule(rate, seconds):
    """Sleeps to each planned instant in turn; yields how late it woke, in seconds."""
    begin_s = time.perf_counter() + 0.1
    for number in range(int(float(rate) * float(seconds))):
        due_s = begin_s + number / float(rate)
        while (left_s := due_s - time.perf_counter()) > 0:
            time.sleep(left_s)
        yield time.perf_counter() - due_s


def lateness(rate, seconds):
    """One thread that does nothing but wake: what this machine's timer and scheduler cost by themselves."""
    late = sorted(on_schedule(rate, seconds))
    return {name: late[min(int(share * len(late)), len(late) - 1)] * 1e9 for name, share in PERCENTILES}


PERCENTILES = (("p50_ns", 0.5), ("p99_ns", 0.99), ("max_ns", 1.0))


def arrivals(url, rate, seconds):
    """One thread that sends each request at its instant."""
    import cases

    case = cases.Get(url=url)
    for _ in on_schedule(rate, seconds):
        case.run()
    return {}


if __name__ == "__main__":
    _, loop, *args = sys.argv
    loops = (dispatch, function, fixtures, plain_pytest, http, lateness, arrivals, coroutine, coroutine_sleep)
    print(json.dumps({one.__name__: one for one in loops}[loop](*args)))
