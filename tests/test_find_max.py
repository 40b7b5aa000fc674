"""`pysurge find-max` against a service whose capacity is known."""

import json
import signal
import xml.etree.ElementTree as ET

import jsonschema
import pytest
from support import REPOSITORY, checked_summary

# Four places in one process, 20 ms of each per request: 200/s, whatever the machine does, for a place is free when the one
# before had its 20 ms and not when somebody woke up. More than that queues.
SERVICE = """
import threading
import time

from pysurge import TestCase


class Ask(TestCase):
    max_duration = 5
    free = [0.0] * 4
    lock = threading.Lock()

    def run(self):
        with self.lock:
            place = min(range(4), key=self.free.__getitem__)
            self.free[place] = end = max(self.free[place], time.monotonic()) + 0.02
        time.sleep(max(end - time.monotonic(), 0))


class Broken(TestCase):
    def run(self):
        raise RuntimeError("no service")
"""

# No search of these tests takes longer, be the machine as busy as it may.
LONG_S = 240.0

QUICK = "--workers 1 --hold 3s --settle 1s --confirm 6s"

# Where not the figures matter but what is told.
SHORT = "--workers 1 --hold 2s --settle 0s --confirm 2s"


def project(test_class="service.Ask", **entry):
    test = {"test_class": test_class, "rate": 150, **entry}
    return {"service.py": SERVICE, "c.yml": json.dumps({"tests": [test]})}


def found(folder):
    (search,) = (folder / "pysurge-results").iterdir()
    loaded = json.loads((search / "find-max.json").read_text())
    schema = json.loads((REPOSITORY / "docs/schema/find-max.schema.json").read_text())
    jsonschema.validate(loaded, schema)
    return search, loaded


def test_it_lands_within_a_twentieth_of_the_capacity(run_pysurge, tmp_path):
    slo = ["--slo", "response_time.p90 < 150ms", "--slo", "failures < 1%"]
    done = run_pysurge(["find-max", "c.yml", *slo, *QUICK.split(), "--precision", "5%"], project(), timeout=LONG_S)
    assert done.returncode == 0, done.stdout + done.stderr
    folder, search = found(tmp_path)
    result = search["result"]
    assert 190 <= result["held_rate_per_s"] <= 210, done.stdout + done.stderr
    assert result["failed_rate_per_s"] / result["held_rate_per_s"] <= 1.051
    assert (result["end"], result["confirmed"], result["exit_code"]) == ("found", True, 0)
    # On a machine that others keep busy it may be the generator that could not do more.
    assert result["limit"]["kind"] in {"objective", "rate", "generator"}
    assert done.stdout.startswith((result["text"][:30], "at least"))
    levels = search["levels"]
    assert [level["rate_per_s"] for level in levels[:2]] == [150, 300]
    assert [level["number"] for level in levels] == list(range(1, len(levels) + 1))
    for level in levels:
        summary = checked_summary(folder / level["folder"] / "summary.json")
        assert summary["account"] == level["account"]
        assert summary["tests"][0]["asked_rate_per_s"] == pytest.approx(level["rate_per_s"], rel=0.02)
        assert [each["expression"] for each in summary["thresholds"]] == search["objectives"]
        # A line for each while it goes on.
        assert f"{level['number']:3} " in done.stderr
    assert ET.parse(folder / "find-max.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_what_never_holds_ends_soon_with_3(run_pysurge, tmp_path):
    done = run_pysurge(["find-max", "c.yml", *SHORT.split()], project("service.Broken", rate=20), timeout=LONG_S)
    assert done.returncode == 3, done.stdout + done.stderr
    _, search = found(tmp_path)
    assert search["objectives"] == ["failures < 1%"]
    assert search["result"]["held_rate_per_s"] is None
    assert len(search["levels"]) == 2
    assert "no rate held" in done.stdout


def test_the_highest_rate_allowed_is_told_as_json(run_pysurge, tmp_path):
    args = ["find-max", "c.yml", *SHORT.split(), "--start", "20", "--max-rate", "30", "--json", "--no-results", "-q"]
    done = run_pysurge(args, project(), timeout=LONG_S)
    assert done.returncode == 0, done.stdout + done.stderr
    search = json.loads(done.stdout)
    assert (search["result"]["end"], search["result"]["held_rate_per_s"]) == ("max_rate", 30)
    assert search["result"]["at_least"]
    assert not (tmp_path / "pysurge-results").exists()


def test_ctrl_c_gives_what_is_known(start_pysurge, tmp_path):
    running = start_pysurge(["find-max", "c.yml", *SHORT.split(), "--start", "20"], project())
    running.err.wait_for(r"(?m)^ +1 .*held", LONG_S)
    running.workers()
    running.signal(signal.SIGINT)
    assert running.wait(LONG_S) == 130
    running.leaves_nothing()
    assert "at least 20/s, not confirmed" in running.stdout
    _, search = found(tmp_path)
    assert (search["result"]["end"], search["result"]["held_rate_per_s"]) == ("stopped", 20)


@pytest.mark.parametrize(
    ("args", "entry", "told"),
    [
        (["--slo", "response_time.p99 < 300"], {}, "--slo"),
        ([], {"rate": None, "users": 3}, "test `Ask` has `users`"),
        (["--hold", "1s"], {}, "at least 2s"),
    ],
)
def test_what_cannot_be_searched_is_refused(run_pysurge, tmp_path, args, entry, told):
    entry = {"rate": 150, **entry}
    test = {"test_class": "service.Ask", **{key: value for key, value in entry.items() if value is not None}}
    files = {"service.py": SERVICE, "c.yml": json.dumps({"tests": [test]})}
    done = run_pysurge(["find-max", "c.yml", *args], files)
    assert done.returncode == 2, done.stdout + done.stderr
    assert told in done.stderr
    assert not (tmp_path / "pysurge-results").exists()
