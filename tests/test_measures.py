"""What a test case tells of its iterations and what the run keeps of them: checks, steps, counts, evidence, samples, truth."""

import csv
import json
import math
import shlex

import pytest
import zstandard
from support import case, summary

TELLER = """
def run(self):
    n = next(counter)
    self.check("is even", n % 2 == 0)
    self.check("is small", n < 1000, fail=True)
    with self.timer("nap"):
        time.sleep(0.002)
    with self.timer("nap"):
        pass
    self.count("bytes", 10)
    self.count("calls")
    if n % 10 == 0:
        raise ValueError(f"number {n}")
"""


def config(**keys):
    """A config of one test of class case.Case."""
    top = {key: keys.pop(key) for key in ("thresholds",) if key in keys}
    return {"c.yml": json.dumps({**top, "tests": [{"test_class": "case.Case", "rate": 50, **keys}]})}


def counting(body):
    files = case(body)
    files["case.py"] = "import itertools\ncounter = itertools.count(1)\n" + files["case.py"]
    return files


def ok(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_checks_steps_and_counts_are_in_summary_and_report(run_pysurge, tmp_path):
    done = ok(run_pysurge("run c.yml -d 2s --workers 1", {**counting(TELLER), **config()}))
    (test,) = summary(tmp_path)["tests"]
    assert (test["account"]["passed"], test["account"]["failed"]) == (90, 10)
    assert test["checks"] == {"is even": {"passed": 50, "failed": 50}, "is small": {"passed": 100, "failed": 0}}
    nap = test["timers"]["nap"]
    assert (nap["passed"]["count"], nap["failed"]["count"]) == (180, 20)
    assert nap["passed"]["max_s"] >= 0.002
    assert test["counts"] == {"bytes": 1000, "calls": 100}
    for shown in ("is even", "is small", "nap", "bytes"):
        assert shown in done.stdout, done.stdout


def test_a_check_that_fails_its_iteration_is_a_failure_of_the_users_line(run_pysurge, tmp_path):
    body = """
def run(self):
    self.metrics["x"] = 1
    if not self.check("status is 200", next(counter) % 4 != 0, fail=True):
        return
    self.count("went on")
"""
    done = ok(run_pysurge("run c.yml -d 1s --workers 1", {**counting(body), **config(rate=40)}))
    (test,) = summary(tmp_path)["tests"]
    assert (test["account"]["passed"], test["account"]["failed"]) == (30, 10)
    assert test["checks"] == {"status is 200": {"passed": 30, "failed": 10}}
    assert test["metrics"]["x"]["count"] == 30
    assert test["counts"] == {"went on": 30}
    (failure,) = test["failures"]
    assert (failure["phase"], failure["exception"], failure["message"], failure["count"]) == (
        "run",
        "check failed",
        "status is 200",
        10,
    )
    assert failure["frame"].startswith("case.py:")
    assert failure["frame"].endswith(" in run")
    assert "status is 200" in done.stdout


def test_a_failing_check_in_setup_means_no_run_and_one_in_teardown_fails_nothing(run_pysurge, tmp_path):
    body = """
def setup(self):
    self.check("ready", self.kwargs["where"] != "setup", fail=True)

def run(self):
    self.count("ran")

def teardown(self):
    self.check("clean", self.kwargs["where"] != "teardown", fail=True)
"""
    tests = [{"test_class": "case.Case", "rate": 10, "kwargs": {"where": where}} for where in ("setup", "teardown")]
    ok(run_pysurge("run c.yml -d 1s", {**case(body), "c.yml": json.dumps({"tests": tests})}))
    in_setup, in_teardown = summary(tmp_path)["tests"]
    assert (in_setup["account"]["failed"], in_setup["counts"]) == (10, {})
    assert in_setup["failures"][0]["phase"] == "setup"
    assert (in_teardown["account"]["passed"], in_teardown["counts"]) == (10, {"ran": 10})
    assert (in_teardown["failures"][0]["phase"], in_teardown["failures"][0]["fails"]) == ("teardown", False)


def test_a_failing_check_belongs_to_its_phase_also_where_that_raises(run_pysurge, tmp_path):
    body = """
def run(self):
    self.check("ready", False, fail=True)
    raise ValueError("and then")

def teardown(self):
    pass
"""
    done = run_pysurge("run c.yml -d 1s", {**case(body), **config(rate=5)})
    assert done.returncode == 3
    (test,) = summary(tmp_path)["tests"]
    assert test["account"]["failed"] == 5
    found = sorted((one["phase"], one["exception"], one["count"], one["fails"]) for one in test["failures"])
    assert found == [("run", "ValueError", 5, True), ("run", "check failed", 5, True)]


def test_wrong_use_is_the_users_error(run_pysurge, tmp_path):
    body = """
def run(self):
    self.count("bytes", "many")
"""
    done = run_pysurge("run c.yml -d 1s", {**case(body), **config(rate=5)})
    assert done.returncode == 3
    (failure,) = summary(tmp_path)["tests"][0]["failures"]
    assert failure["exception"] == "TypeError"
    assert failure["frame"].startswith("case.py:")


def test_names_are_capped_and_what_is_left_out_is_told(run_pysurge, tmp_path):
    body = """
def run(self):
    for i in range(120):
        self.check(f"c{i}", True)
    self.count("bad", float("nan"))
"""
    ok(run_pysurge("run c.yml -d 1s --workers 1", {**case(body), **config(rate=5)}))
    (test,) = summary(tmp_path)["tests"]
    assert len(test["checks"]) == 100
    assert test["steps_refused"] == 5 * 20 + 5


def test_the_slowest_and_the_first_failed_are_kept_with_their_kwargs(run_pysurge, tmp_path):
    body = """
def run(self):
    time.sleep(self.kwargs["nap"])
    if self.kwargs["nap"] == 0.013:
        raise ValueError("unlucky")
"""
    naps = [round(0.001 * (n * 37 % 60), 3) for n in range(60)]
    lines = ["at,nap", *(f"{n / 30},{nap}" for n, nap in enumerate(naps))]
    replay = {"file": "naps.csv", "time": "at", "types": {"nap": "float"}}
    test = {"test_class": "case.Case", "replay": replay}
    files = {**case(body), "c.yml": json.dumps({"tests": [test]}), "naps.csv": "\n".join(lines) + "\n"}
    ok(run_pysurge("run c.yml --workers 2", files))
    (test,) = summary(tmp_path)["tests"]
    slowest = test["slowest"]
    assert len(slowest) == 10
    assert [one["response_time_s"] for one in slowest] == sorted((one["response_time_s"] for one in slowest), reverse=True)
    assert slowest[0]["response_time_s"] == test["response_time"]["max_s"]
    for one in slowest:
        nap = naps[one["number"]]
        assert one["kwargs"] == f"{{'nap': {nap!r}}}"
        assert one["service_time_s"] >= nap
        assert one["thread"].startswith("Case-")
    failed = test["first_failed"]
    assert [one["number"] for one in failed] == [naps.index(0.013)]
    assert failed[0]["error"].startswith("run: ValueError: unlucky (case.py:")


@pytest.mark.parametrize("ending", ["csv", "csv.zst"])
def test_every_iteration_is_in_the_file_of_samples(run_pysurge, tmp_path, ending):
    body = """
def setup(self):
    pass

def run(self):
    n = next(counter)
    self.metrics["n"] = n
    if n % 5 == 0:
        raise ValueError("five")
"""
    files = {**counting(body), **config(rate=100, warmup="500ms")}
    ok(run_pysurge(f"run c.yml -d 2s --workers 2 --samples all.{ending}", files))
    result = summary(tmp_path)
    (test,) = result["tests"]
    path = tmp_path / f"all.{ending}"
    if ending.endswith("zst"):
        with path.open("rb") as packed:
            text = zstandard.ZstdDecompressor().stream_reader(packed).read().decode()
    else:
        text = path.read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert (len(rows), result["samples_dropped"]) == (200, 0)
    measured = [row for row in rows if row["warmup"] == "false"]
    assert len(measured) == 150 == test["account"]["planned"]
    assert sum(row["outcome"] == "failed" for row in measured) == test["account"]["failed"]
    assert sorted(int(row["number"]) for row in rows) == list(range(200))
    for row in rows:
        assert float(row["started_s"]) >= float(row["planned_s"])
        assert row["outcome"] == "failed" or json.loads(row["metrics"])["n"] >= 1
    longest = max(float(row["run_s"]) for row in measured)
    assert longest == pytest.approx(test["service_time"]["max_s"], abs=2e-9)


def test_time_that_is_computed_is_told_from_time_that_is_blocked(run_pysurge, tmp_path):
    body = """
def run(self):
    if self.kwargs["computes"]:
        cpu = time.thread_time()
        while time.thread_time() - cpu < 0.02:
            pass
    else:
        time.sleep(0.02)
"""
    tests = [{"test_class": "case.Case", "rate": 10, "kwargs": {"computes": computes}} for computes in (True, False)]
    ok(run_pysurge("run c.yml -d 2s", {**case(body), "c.yml": json.dumps({"tests": tests})}))
    computes, sleeps = (test["thread_time"] for test in summary(tmp_path)["tests"])
    assert computes["cpu_s"] >= 20 * 0.02
    assert sleeps["busy_s"] >= 20 * 0.02
    assert sleeps["cpu_share"] < 0.5
    for time_of in (computes, sleeps):
        assert time_of["busy_s"] == pytest.approx(time_of["cpu_s"] + time_of["blocked_s"])


def test_the_parts_of_lateness_add_up_and_name_the_reason(run_pysurge, tmp_path):
    # Two threads of 100 ms each serve 20 a second; 40 are asked for.
    body = """
def run(self):
    time.sleep(0.1)
"""
    files = {**case(body), **config(rate=40, max_threads=2)}
    ok(run_pysurge("run c.yml -d 2s --workers 1", files))
    (test,) = summary(tmp_path)["tests"]
    parts = test["lateness_parts"]
    for part in parts.values():
        assert part["count"] == test["lateness"]["count"]
    assert sum(part["mean_s"] for part in parts.values()) == pytest.approx(test["lateness"]["mean_s"], rel=1e-6)
    assert parts["no_free_thread"]["mean_s"] > 0.9 * test["lateness"]["mean_s"]


def test_a_known_distribution_comes_out_with_exact_quantiles(run_pysurge, tmp_path):
    """Figures whose distribution is known go the whole way, in two workers, and have its quantiles in the end."""
    body = """
def run(self):
    x = float(self.kwargs["x"])
    self.metrics["x"] = x
    time.sleep(0)
"""
    count = 2000
    values = [round(math.exp(3 * ((n * 7919) % count + 0.5) / count), 6) for n in range(count)]
    lines = ["at,x", *(f"{n / 1000},{x}" for n, x in enumerate(values))]
    test = {"test_class": "case.Case", "replay": {"file": "x.csv", "time": "at", "types": {"x": "float"}}}
    files = {**case(body), "c.yml": json.dumps({"tests": [test]}), "x.csv": "\n".join(lines) + "\n"}
    ok(run_pysurge("run c.yml --workers 2", files))
    result = summary(tmp_path)["tests"][0]["metrics"]["x"]
    ranked = sorted(values)
    assert result["count"] == count
    assert result["mean"] == pytest.approx(sum(values) / count, rel=1e-9)
    assert (result["min"], result["max"]) == (ranked[0], ranked[-1])
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        assert result[name] == pytest.approx(ranked[math.ceil(share * count) - 1], rel=0.0101), name


def test_the_same_numbers_stand_everywhere(run_pysurge, tmp_path):
    """Terminal, JSON and CSV tell the same; the rows of the time series add up to the whole."""
    body = """
def run(self):
    n = next(counter)
    self.metrics["n"] = n
    self.check("odd", n % 2)
    with self.timer("step"):
        time.sleep(0.001 * (n % 7))
    self.count("bytes", n)
"""
    done = ok(run_pysurge("run c.yml -d 3s --workers 2", {**counting(body), **config(rate=60)}))
    (test,) = summary(tmp_path)["tests"]
    (series,) = tmp_path.glob("pysurge-results/*/timeseries.csv")
    rows = list(csv.DictReader(series.read_text().splitlines()))

    def total(measure, column="count"):
        return sum(float(row[column]) for row in rows if row["measure"] == measure and row[column])

    for name in ("planned", "passed", "failed", "dropped"):
        assert total(name) == test["account"][name], name
    for name in ("response_time", "service_time", "lateness"):
        assert total(name) == test[name]["count"], name
        mean_s = total(name, "sum") / total(name)
        assert mean_s == pytest.approx(test[name]["mean_s"], rel=1e-6)
        longest = max(float(row["max"]) for row in rows if row["measure"] == name and row["max"])
        assert longest == pytest.approx(test[name]["max_s"], abs=2e-9)
    assert total("metrics.n") == test["metrics"]["n"]["count"]
    assert total("timers.step") == test["timers"]["step"]["passed"]["count"]
    assert f"{test['account']['passed']}" in done.stdout
    for p in ("p50_s", "p99_s"):
        assert test["service_time"]["min_s"] <= test["service_time"][p] <= test["service_time"]["max_s"]


def test_samples_that_cannot_be_written_are_said_before_anything_is_fired(run_pysurge):
    files = {**case("def run(self): note('ran')"), **config(rate=10)}
    for path, said in (("no/such/folder/all.csv", "all.csv"), ("all.parquet", ".csv")):
        done = run_pysurge(f"run c.yml -d 1s --samples {shlex.quote(path)}", files)
        assert done.returncode == 2, done.stderr
        assert said in done.stderr
        assert "Traceback" not in done.stderr
