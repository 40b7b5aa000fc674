"""The scenario that the environment asks for, shared by the scripts of k9-load."""

import os

TEST = os.environ["BENCH_TEST"]
SECONDS = f"{os.environ['BENCH_SECONDS']}s"
RATE = int(os.environ["BENCH_RATE"])

# More virtual users than the rate keeps busy, so that none is missing.
VUS = {"vus": 8, "noop": 64, "sleep": 2 * RATE // 20}[TEST]

if TEST == "vus":
    SCENARIO = {"executor": "constant-vus", "vus": VUS, "duration": SECONDS}
else:
    SCENARIO = {
        "executor": "constant-arrival-rate",
        "rate": RATE,
        "timeUnit": "1s",
        "duration": SECONDS,
        "preAllocatedVUs": VUS,
        "maxVUs": 2 * VUS,
    }

OPTIONS = {"scenarios": {"bench": SCENARIO}}
