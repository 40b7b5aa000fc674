"""Users of locust that do nothing, or wait."""

import json
import os
import time

import starts
from locust import User, constant, constant_throughput, events, task

PER_USER = float(os.environ.get("BENCH_PER_USER", "1"))


class Plain(User):
    """Does nothing, and reports it as custom clients do."""

    wait_time = constant(0)

    @task
    def fire(self):
        begin_s = time.perf_counter()
        spent_ms = (time.perf_counter() - begin_s) * 1e3
        self.environment.events.request.fire(
            request_type="noop", name="noop", response_time=spent_ms, response_length=0, exception=None, context={}
        )


class Noop(User):
    """Starts at its share of the rate."""

    wait_time = constant_throughput(PER_USER)

    @task
    def fire(self):
        starts.mark()


class Sleep(User):
    """Blocks for 50 ms at its share of the rate."""

    wait_time = constant_throughput(PER_USER)

    @task
    def fire(self):
        starts.mark()
        time.sleep(0.05)


@events.quitting.add_listener
def tell(environment, **_):
    """Write what was measured."""
    total = environment.stats.total
    if total.num_requests:
        print(json.dumps({"per_s": total.num_requests / (total.last_request_timestamp - total.start_time)}), flush=True)
    else:
        starts.dump()
