"""The loops a plain Python programmer would write, run in a fresh interpreter: what pysurge is compared with.

Prints one line of JSON. `python benches/bare.py dispatch CLASS SECONDS`, `… http CLIENT URL SECONDS`,
`… lateness RATE SECONDS`, `… arrivals URL RATE SECONDS`.
"""

import json
import sys
import threading
import time


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

    loop(10 * block)
    count, cpu_s, begin_s = 0, time.process_time(), time.perf_counter()
    while (spent_s := time.perf_counter() - begin_s) < float(seconds):
        loop(block)
        count += block
    return {"per_s": count / spent_s, "cpu_ns": (time.process_time() - cpu_s) / count * 1e9}


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
    print(json.dumps({"dispatch": dispatch, "http": http, "lateness": lateness, "arrivals": arrivals}[loop](*args)))
