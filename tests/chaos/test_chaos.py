"""Real workers, at random moments killed, stopped, slowed, starved: no iteration is lost without a word, and the run ends.

`PYSURGE_CHAOS_RUNS=N` fires so many runs, `PYSURGE_CHAOS_SEED=S` begins at that seed. A run that failed is repeated by its
seed: what is done and when follows from it; whom it hits and what the system makes of it does not.
"""

import os
import re
import threading
from pathlib import Path

import pytest
import truth
from evil import EvilHand
from support import Launcher, checked_summary, run_log

RUNS = int(os.environ.get("PYSURGE_CHAOS_RUNS", "8"))
FIRST = int(os.environ.get("PYSURGE_CHAOS_SEED", "1"))
WORKERS = 3

# Every deadline that the manager keeps over a worker once the grace period is over, one after the other, and as much
# again for a machine that has a core less than it takes: docs/design/stop.md.
MARGIN_S = 45.0

OURS = re.compile(r'internal error|panicked|pysurge[/\\]_\w+\.py", line \d+, in')


@pytest.mark.parametrize("seed", range(FIRST, FIRST + RUNS))
def test_whatever_befalls_the_workers(launcher: Launcher, tmp_path: Path, seed: int) -> None:
    truth.write(tmp_path)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    hand = EvilHand(seed, tmp_path, truth.DURATION_S)
    running = launcher.start(f"run chaos.yml --workers {WORKERS}", env={"TMPDIR": str(temporary)})
    try:
        running.err.wait_for(r"Ctrl\+C to stop early")
        evil = threading.Thread(target=hand.go, args=(running.pid,))
        evil.start()
        code = running.wait(truth.DURATION_S + truth.GRACE_S + MARGIN_S)
        hand.end()
        evil.join()
        check(running.folder, code, running.stdout + running.stderr)
        running.leaves_nothing()
        assert not list(temporary.iterdir())
    except AssertionError as error:
        done = "".join(f"\n  {line}" for line in hand.told)
        raise AssertionError(f"{error}\nPYSURGE_CHAOS_SEED={seed} PYSURGE_CHAOS_RUNS=1 repeats it; it did:{done}") from error
    finally:
        hand.end()


def check(folder: Path, code: int, shown: str) -> None:
    """What must hold whatever was done."""
    (run,) = (folder / "pysurge-results").iterdir()
    # True to its schema; every account balances, and that of the run is the sum of the tests'.
    result = checked_summary(run / "summary.json")
    assert code == result["exit_code"], shown
    assert code in (0, 3, 130), shown
    assert result["status"] != "running"
    assert not OURS.search(shown + run_log(folder)), shown
    arrived = truth.arrivals(folder)
    rows = truth.series_sums(run)
    for test in result["tests"]:
        name, account = test["name"], test["account"]
        for measure in ("planned", "passed", "failed", "dropped"):
            assert rows[name, measure] == account[measure], f"{measure} of {name}: rows against {account}"
        told = account["passed"] + account["failed"]
        untold = account["interrupted"] + account["lost"]
        count = arrived[name].total()
        beyond = len(lost_workers(result)) * truth.BEYOND.get(name, 0)
        assert told <= count <= told + untold + beyond, f"{count} arrivals of {name}, accounted for: {account}"
        if name in truth.RATES:
            twice = [number for number, times in arrived[name].items() if times > 1]
            assert not twice, f"iterations of {name} that began twice: {twice}"
            # Whoever dies, what was planned is what the rate says, and others have it.
            if result["stop_cause"] == "duration" and name != "poisson":
                assert account["planned"] == truth.RATES[name] * truth.DURATION_S, account
    for worker in lost_workers(result):
        assert worker["death"]
        assert f"pid {worker['pid']}" in shown
    told = {incident["pid"] for incident in result["incidents"] if incident["kind"] == "lost"}
    dead = {worker["pid"] for worker in lost_workers(result)}
    assert told <= dead, result["incidents"]
    # Who dies once the run is being stopped is replaced by nobody, and no incident.
    if result["stop_cause"] == "duration":
        _, _, at_the_end = run_log(folder).partition("stopping: the planned duration was reached")
        unseen = {pid for pid in dead - told if f"(pid {pid})" not in at_the_end}
        assert not unseen, result["incidents"]


def lost_workers(result: dict) -> list[dict]:
    return [worker for worker in result["workers"] if worker["end"] == "lost"]
