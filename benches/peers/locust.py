"""locust: a closed model in greenlets, in one process by default; `constant_throughput` is how a rate is asked for."""

import json

from .tool import SCRIPTS, Starts, Tool

USERS = 100
"""Twice what 1,000/s of 50 ms keep busy."""


class Locust(Tool):
    """The Python tool that most people know."""

    name = "locust 2.47.0"
    requirement = "locust==2.47.0"
    how_dispatch = "8 users, request events fired"
    how_rate = f"constant_throughput, {USERS} users"

    def dispatch(self, seconds: int) -> float:
        printed = self.run(self._command("Plain", 8, seconds))
        return json.loads(printed.splitlines()[-1])["per_s"]

    def noops(self, rate: int, seconds: int) -> Starts:
        return self.starts(self._command("Noop", USERS, seconds), BENCH_PER_USER=rate / USERS)

    def sleeps(self, rate: int, seconds: int) -> Starts:
        return self.starts(self._command("Sleep", USERS, seconds), BENCH_PER_USER=rate / USERS)

    @staticmethod
    def _command(user: str, users: int, seconds: int) -> list[str]:
        flags = ["--headless", "-u", str(users), "-r", str(users), "-t", f"{seconds}s", "--only-summary", user]
        return ["locust", "-f", str(SCRIPTS / "locustfile.py"), *flags]
