"""Runs the pytest adapter in a process of its own, on plain threads, and prints what came of it as JSON.

A pytest session is a matter of a whole process; so are the fixtures that change it. What to do comes as JSON on standard input.
"""

import gc
import json
import os
import pickle
import random
import sys
import threading
from typing import Any

from pysurge._pytest import Adapter, Collected, Entry, Wanted
from pysurge._tracebacks import render


def main() -> None:
    do = json.load(sys.stdin)
    adapter = Adapter(do.get("args", ()), do.get("worker", 0), do.get("workers", 1), fixtures=do.get("fixtures", "worker"))
    # As in a run: one process collects, others run.
    reading, writing = os.pipe()
    if os.fork() == 0:
        with open(writing, "wb") as to_parent:
            pickle.dump(adapter.collect([Entry(*entry) for entry in do["entries"]]), to_parent)
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as from_child:
        collected = pickle.load(from_child)
    if not isinstance(collected, Collected):
        finish({"problem": collected._asdict()})
    items = [item for of_entry in collected.items for item in of_entry]
    told: dict[str, Any] = {"items": [[item._asdict() for item in of_entry] for of_entry in collected.items]}
    told["rootdir"] = collected.rootdir
    if do.get("collect_only"):
        finish(told)
    ready = [item for item in items if item.skip is None]
    problem = adapter.open([Wanted(item.node_id, item.file) for item in ready], collected.rootdir, collected.inifile)
    if problem is not None:
        finish({**told, "problem": problem._asdict()})
    failures = {item.node_id: adapter.prepare(item.node_id) for item in ready}
    told["prepare"] = {name: failure for name, failure in failures.items() if failure is not None}
    told["results"] = {item.node_id: Results().told for item in ready}
    names = list(told["results"])
    loads = [
        threading.Thread(target=load, args=(adapter, names, told["results"], do, number))
        for number in range(do.get("threads", 1))
    ]
    for thread in loads:
        thread.start()
    for thread in loads:
        thread.join()
    if do.get("growth"):
        told["growth"] = growth(adapter, names)
    told["alone"] = {name: adapter.case(name).alone for name in names}
    told["finish"] = adapter.finish()
    finish(told)


class Results:
    def __init__(self) -> None:
        self.told: dict[str, Any] = {"passed": 0, "failed": 0, "skipped": [], "xfailed": [], "errors": [], "waited_ns": 0}


def load(adapter: Adapter, names: list[str], results: dict[str, Any], do: dict[str, Any], number: int) -> None:
    order = names * do.get("iterations", 1)
    if do.get("shuffle"):
        random.Random(number).shuffle(order)
    for name in order:
        iterate(adapter, name, results[name], do.get("data"))
    results.setdefault("thread_ended", {"failed": 0})["failed"] += len(adapter.thread_ended())


def iterate(adapter: Adapter, name: str, told: dict[str, Any], data: Any = None) -> None:
    iteration = adapter.case(name)()
    iteration.data = data
    failed = False
    for phase in (lambda: whole(iteration), iteration.teardown):
        try:
            phase()
        except BaseException as error:
            failed = True
            told["errors"].append(render(error))
    told["failed" if failed else "passed"] += 1
    told["waited_ns"] += iteration.waited_ns
    if iteration.skipped is not None:
        told["skipped"].append(iteration.skipped)
    if iteration.xfailed is not None:
        told["xfailed"].append(iteration.xfailed)


def whole(iteration: Any) -> None:
    iteration.setup()
    iteration.run()


def growth(adapter: Adapter, names: list[str]) -> int:
    """How many objects a thousand iterations leave behind, once another thousand is done."""
    told = Results().told
    counts = []
    for _ in range(2):
        for _ in range(1000):
            for name in names:
                iterate(adapter, name, told)
        gc.collect()
        counts.append(len(gc.get_objects()))
    return counts[1] - counts[0]


def finish(told: dict[str, Any]) -> None:
    events = getattr(sys.modules.get("eventlog"), "EVENTS", [])
    json.dump({**told, "events": events}, sys.__stdout__)
    sys.exit(0)


if __name__ == "__main__":
    main()
