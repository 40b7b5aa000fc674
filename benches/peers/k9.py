"""k9-load: k6's shape with a Rust engine; one process, which is its default."""

import json

from .tool import SCRIPTS, Starts, Tool


class K9Sync(Tool):
    """Its blocking tier: a thread per virtual user, as our tests are."""

    name = "k9-load 0.1.0, def"
    requirement = "k9-load==0.1.0"
    how_dispatch = "8 VUs, 1 process"
    how_rate = "1 process"
    script = "k9_sync.py"

    def dispatch(self, seconds: int) -> float:
        printed = self.run(
            ["k9", "run", str(SCRIPTS / self.script), "--summary-export", "/dev/stdout"], **self._env("vus", 0, seconds)
        )
        return json.loads(printed[printed.index("{") :])["metrics"]["iterations"]["rate"]

    def noops(self, rate: int, seconds: int) -> Starts:
        return self._fire("noop", rate, seconds)

    def sleeps(self, rate: int, seconds: int) -> Starts:
        return self._fire("sleep", rate, seconds)

    def _fire(self, test: str, rate: int, seconds: int) -> Starts:
        return self.starts(["k9", "run", str(SCRIPTS / self.script)], **self._env(test, rate, seconds))

    @staticmethod
    def _env(test: str, rate: int, seconds: int) -> dict[str, object]:
        return {"BENCH_TEST": test, "BENCH_RATE": rate, "BENCH_SECONDS": seconds}


class K9Async(K9Sync):
    """Its coroutine tier, which it suggests: all virtual users on one event loop."""

    name = "k9-load 0.1.0, async def"
    script = "k9_async.py"
