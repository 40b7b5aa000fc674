"""pysurge 1.0.1, which this one grew out of: a process per core, as it always does; one `TestRunner` for dispatch."""

from .tool import SCRIPTS, Starts, Tool


class PysurgeOld(Tool):
    """Pure Python; sleeps between submits to a thread pool."""

    name = "pysurge 1.0.1"
    requirement = "pysurge==1.0.1"
    how_dispatch = "1 TestRunner"
    how_rate = "a process per core"

    def dispatch(self, seconds: int) -> float:
        printed = self.run(["python", str(SCRIPTS / "pysurge_runner.py"), str(seconds)])
        return float(printed.split()[-1])

    def noops(self, rate: int, seconds: int) -> Starts:
        return self._fire("Noop", rate, seconds)

    def sleeps(self, rate: int, seconds: int) -> Starts:
        return self._fire("Sleep", rate, seconds)

    def _fire(self, case: str, rate: int, seconds: int) -> Starts:
        return self.starts(["python", str(SCRIPTS / "pysurge_manager.py"), case, str(rate), str(seconds)])
