"""Every shape of load, fired for real: counts are the plan's, nothing comes early, everything is accounted for."""

import datetime
import json
import math
import os
import re

import pytest
from support import account, case, journal, summary

# Notes when and as what each iteration started, on the clock that summary.json speaks of.
NOTES = """
def run(self):
    note("start", time.time(), *(f"{name}={value!r}" for name, value in sorted(self.kwargs.items())))
"""


def project(body, tests, module="case.py", **top):
    """A project of one class, `case.Case`, with these entries and top-level keys."""
    entries = [{"test_class": "case.Case", **test} for test in tests]
    return {**case(body), "c.yml": json.dumps({**top, "tests": entries}, indent=1)}


def starts(folder):
    """When iterations started, seconds since the start of the run, ascending."""
    began = datetime.datetime.fromisoformat(summary(folder)["started_at"].replace("Z", "+00:00")).timestamp()
    return sorted(float(line[1]) - began for line in journal(folder) if line[0] == "start")


def ok(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def assert_follows(found, planned, late_s):
    """Each iteration started when planned or after it: as late as the run says, and what a scheduler may add to the note."""
    assert len(found) == len(planned)
    for at, plan in zip(found, planned, strict=True):
        assert plan - 0.002 <= at <= plan + late_s + 0.25, (at, plan)


@pytest.mark.parametrize("workers", [1, 3])
def test_stages_are_ramps_from_rate_to_rate(run_pysurge, tmp_path, workers):
    stages = [{"duration": "2s", "rate": 40}, {"duration": "1s", "rate": 40}, {"duration": "1s", "rate": 0}]
    ok(run_pysurge(f"run c.yml --workers {workers}", project(NOTES, [{"stages": stages}])))
    result = summary(tmp_path)
    (test,) = result["tests"]
    assert test["account"] == account(passed=40 + 40 + 20)
    assert (result["stop_cause"], result["duration_s"]) == ("duration", 4.0)
    ramp_up = [math.sqrt(k / 10) for k in range(40)]
    hold = [2 + k / 40 for k in range(40)]
    ramp_down = [3 + (1 - math.sqrt(1 - k / 20)) for k in range(20)]
    assert_follows(starts(tmp_path), ramp_up + hold + ramp_down, test["lateness"]["max_s"])
    assert test["asked_rate_per_s"] == pytest.approx(25)
    assert test["achieved_rate_per_s"] == pytest.approx(25)


def test_a_jump_is_a_step_and_a_start_rate_is_where_a_ramp_begins(run_pysurge, tmp_path):
    steps = {"stages": [{"duration": "1s", "rate": 10, "jump": True}, {"duration": "1s", "rate": 30, "jump": True}]}
    ramp = {"start_rate": 20, "stages": [{"duration": "1s", "rate": 40}]}
    ok(run_pysurge("run c.yml", project("def run(self): pass", [steps, ramp])))
    assert [test["account"]["passed"] for test in summary(tmp_path)["tests"]] == [40, 30]


def test_rates_per_minute_and_delays(run_pysurge, tmp_path):
    tests = [{"rate": "600/m", "start_delay": "500ms", "duration": "1s"}, {"rate": 5, "duration": "1s"}]
    ok(run_pysurge("run c.yml", project(NOTES, tests)))
    result = summary(tmp_path)
    assert [test["account"]["passed"] for test in result["tests"]] == [10, 5]
    assert result["duration_s"] == 1.5
    assert max(starts(tmp_path)) >= 1.3


@pytest.mark.parametrize("seed", [1, 2])
def test_poisson_arrivals_are_the_same_for_any_number_of_workers(run_pysurge, tmp_path, launcher, seed):
    found = []
    for workers in (1, 2, 3):
        test = {"rate": 100, "arrivals": "poisson", "seed": seed, "duration": "1s"}
        ok(run_pysurge(f"run c.yml --workers {workers} --results r{workers}", project(NOTES, [test])))
        (folder,) = (tmp_path / f"r{workers}").iterdir()
        result = json.loads((folder / "summary.json").read_text())["tests"][0]
        assert result["account"]["planned"] == result["account"]["passed"]
        found.append(result["account"]["planned"])
        assert "Poisson" in result["load"]
    assert len(set(found)) == 1, found
    # The mean is 100, the standard deviation 10.
    assert 50 < found[0] < 150
    assert found[0] != 100


SHAPE = """
import math


def wave(t_s):
    return 30 + 30 * math.sin(t_s * math.pi)


def until_two(t_s):
    return 10 if t_s < 2 else None


def never_ends(t_s):
    return 1


def negative(t_s):
    return 5 - 10 * t_s


def breaks(t_s):
    return 1 / (0.5 - t_s)


rate = 5
"""


@pytest.mark.parametrize("function", ["shapes.wave", "shapes.py:wave", "./shapes.py:wave"])
def test_a_function_gives_the_rate(run_pysurge, tmp_path, function):
    files = project("def run(self): pass", [{"shape": function, "duration": "2s"}])
    ok(run_pysurge("run c.yml --workers 2", {**files, "shapes.py": SHAPE}))
    # Sampled every tenth of a second and joined by straight lines; the integral of the sine over 2 s is 0.
    assert summary(tmp_path)["account"] == account(passed=60)


def test_a_function_that_returns_none_ends_the_load(run_pysurge, tmp_path):
    files = project("def run(self): pass", [{"shape": "shapes.until_two"}])
    ok(run_pysurge("run c.yml --workers 2", {**files, "shapes.py": SHAPE}))
    assert summary(tmp_path)["account"] == account(passed=20)
    assert summary(tmp_path)["duration_s"] == 2.0


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("shapes.never_ends", "has no end"),
        ("shapes.negative", "gave -1 at t = 0.6 s, which is no rate"),
        ("shapes.breaks", "raised ZeroDivisionError"),
        ("shapes.waves", "has no `waves`"),
        ("shape.wave", "there is no module `shape`"),
        ("nowhere.py:wave", "there is no file `nowhere.py`"),
        ("shapes.rate", "is no function"),
    ],
)
def test_a_bad_shape_is_told_with_its_place(run_pysurge, tmp_path, function, said):
    duration = {} if "never" in function else {"duration": "2s"}
    files = project("def run(self): pass", [{"shape": function, **duration}])
    done = run_pysurge("run c.yml", {**files, "shapes.py": SHAPE})
    assert done.returncode == 2
    assert said in done.stderr
    assert re.search(r"c\.yml:\d+:\d+", done.stderr), done.stderr
    assert "site-packages/pysurge" not in done.stderr
    assert not (tmp_path / "journal").exists()


LOG = """time,user,size
0.5,ann,10
0.1,bob,20
0.1,"c, d",30
1.2,eve,40
"""


def test_a_recording_is_replayed_with_its_rows(run_pysurge, tmp_path):
    replay = {"file": "log.csv", "types": {"size": "int"}}
    files = project(NOTES, [{"replay": replay, "kwargs": {"extra": True}}])
    done = ok(run_pysurge("run c.yml --workers 2", {**files, "log.csv": LOG}))
    rows = [line[2:] for line in sorted(journal(tmp_path), key=lambda line: float(line[1]))]
    assert sorted(rows[:2]) == [
        ["extra=True", "size=20", "user='bob'"],
        ["extra=True", "size=30", "user='c,", "d'"],
    ]
    assert rows[2:] == [["extra=True", "size=10", "user='ann'"], ["extra=True", "size=40", "user='eve'"]]
    (test,) = summary(tmp_path)["tests"]
    assert test["account"] == account(passed=4)
    assert_follows(starts(tmp_path), [0.1, 0.1, 0.5, 1.2], test["lateness"]["max_s"])
    assert "ann" not in test["label"]
    assert "bob" not in test["label"]
    assert "replay of log.csv" in done.stdout


def test_the_config_that_a_run_has_kept_can_be_fired_again(run_pysurge, tmp_path):
    files = project(NOTES, [{"replay": "log.csv"}, {"shape": "shapes.py:until_two"}])
    flags = "-o tests[1].duration=500ms -o name=again"
    ok(run_pysurge(f"run c.yml {flags}", {**files, "log.csv": LOG, "shapes.py": SHAPE}))
    (kept,) = (tmp_path / "pysurge-results").iterdir()
    ok(run_pysurge(f"run {kept.relative_to(tmp_path)}/config.yml --results second"))
    (second,) = (tmp_path / "second").iterdir()
    accounts = [json.loads((folder / "summary.json").read_text())["account"] for folder in (kept, second)]
    assert accounts == [account(passed=9)] * 2
    assert second.name.endswith("-again")


def test_an_access_log_is_replayed_twice_as_fast(run_pysurge, tmp_path):
    log = "when;ignored,path\n2026-01-01T00:00:02Z,/b\n2026-01-01T00:00:00Z,/a\n2026-01-01T00:00:03Z,/c\n"
    replay = {"file": "log.csv", "speed": 2.0, "columns": {"url": "path"}}
    files = project(NOTES, [{"replay": replay}])
    ok(run_pysurge("run c.yml", {**files, "log.csv": log}))
    assert [line[2] for line in journal(tmp_path)] == ["url='/a'", "url='/b'", "url='/c'"]
    assert_follows(starts(tmp_path), [0, 1, 1.5], summary(tmp_path)["tests"][0]["lateness"]["max_s"])


@pytest.mark.parametrize(
    ("log", "replay", "said"),
    [
        (None, "log.csv", "log.csv"),
        ("", "log.csv", "empty"),
        ("t,a\n1,2\nx,3\n", "log.csv", "line 3"),
        ("t,a\n1,2\n", {"file": "log.csv", "time": "ts"}, "ts"),
        ("t,a\n1,2\n1,x\n", {"file": "log.csv", "types": {"a": "int"}}, "line 3"),
    ],
)
def test_a_bad_recording_is_told_with_its_place(run_pysurge, tmp_path, log, replay, said):
    files = project("def run(self): pass", [{"replay": replay}])
    done = run_pysurge("run c.yml", files if log is None else {**files, "log.csv": log})
    assert done.returncode == 2
    assert said in done.stderr
    assert "log.csv" in done.stderr
    assert re.search(r"c\.yml:\d+:\d+", done.stderr), done.stderr


def test_kwargs_of_a_recording_that_init_refuses(run_pysurge):
    body = "def __init__(self, path):\n    super().__init__(path=path)\ndef run(self): pass"
    done = run_pysurge("run c.yml", {**project(body, [{"replay": "log.csv"}]), "log.csv": "t,path,verb\n0,/a,GET\n"})
    assert done.returncode == 2
    assert "verb" in done.stderr


INSIDE = """
lock = threading.Lock()
inside = most = 0

def run(self):
    cls = type(self)
    with self.lock:
        cls.inside += 1
        cls.most = max(cls.most, cls.inside)
    time.sleep(0.02)
    with self.lock:
        cls.inside -= 1

@classmethod
def shutdown(cls):
    note("most", cls.most)
"""


def test_users_of_the_closed_model_are_exactly_so_many(run_pysurge, tmp_path):
    files = project(INSIDE, [{"users": 5, "iterations": 203}])
    done = ok(run_pysurge("run c.yml --workers 2", files))
    result = summary(tmp_path)
    (test,) = result["tests"]
    assert test["account"] == account(passed=203)
    assert sorted(int(line[1]) for line in journal(tmp_path)) == [2, 3]
    assert (result["stop_cause"], test["model"], test["asked_rate_per_s"]) == ("iterations", "closed", None)
    assert test["response_time"] == test["service_time"]
    assert "closed model" in done.stdout
    assert "5 users" in done.stdout


def test_pacing_is_from_start_to_start_and_think_time_from_end_to_start(run_pysurge, tmp_path):
    body = "def run(self):\n    note('start', time.time())\n    time.sleep(0.2)"
    tests = [{"users": 1, "pacing": "300ms", "duration": "1s"}]
    ok(run_pysurge("run c.yml --workers 1", project(body, tests)))
    late_s = summary(tmp_path)["tests"][0]["lateness"]["max_s"]
    assert_follows(starts(tmp_path), [0, 0.3, 0.6, 0.9], late_s)


@pytest.mark.parametrize("load", [{"rate": 500}, {"rate": 500, "arrivals": "poisson"}, {"users": 3}])
@pytest.mark.parametrize("workers", [1, 2])
def test_iterations_are_exact(run_pysurge, tmp_path, load, workers):
    files = project("def run(self): pass", [{**load, "iterations": 101}])
    ok(run_pysurge(f"run c.yml --workers {workers}", files))
    result = summary(tmp_path)
    assert result["account"] == account(passed=101)
    assert result["stop_cause"] == "iterations"


@pytest.mark.parametrize("load", [{"rate": 200}, {"users": 4}])
def test_iterations_are_exact_though_a_worker_dies(run_pysurge, tmp_path, load):
    body = """
def run(self):
    if next(numbers) == 40 and first():
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.005)
"""
    done = run_pysurge("run c.yml --workers 2", project(body, [{**load, "iterations": 400}]))
    assert done.returncode == 0, done.stdout + done.stderr
    result = summary(tmp_path)["account"]
    assert result["planned"] == 400
    # What was not told to have begun of a number of iterations is done by the other worker.
    assert (result["lost"] > 0) == ("rate" in load)
    assert result["passed"] + result["lost"] == 400


def test_a_warm_up_is_in_no_result(run_pysurge, tmp_path):
    body = """
def run(self):
    note("start", time.time())
    self.metrics["one"] = 1
    if next(numbers) < 10:
        raise RuntimeError("cold")
"""
    files = project(body, [{"rate": 20, "warmup": "1s", "duration": "2s"}])
    done = ok(run_pysurge("run c.yml --workers 1", files))
    result = summary(tmp_path)
    (test,) = result["tests"]
    assert len(starts(tmp_path)) == 40
    assert test["account"] == result["account"] == account(passed=20)
    assert test["warmup"]["account"] == account(passed=10, failed=10)
    assert (test["failures"], test["warmup"]["failures"][0]["count"]) == ([], 10)
    for figures in ("response_time", "service_time", "lateness"):
        assert test[figures]["count"] == 20
    assert test["metrics"]["one"]["count"] == 20
    assert (test["asked_rate_per_s"], test["achieved_rate_per_s"]) == (20, 20)
    assert "warm-up" in done.stdout


def test_a_warm_up_is_in_no_classic_line(run_pysurge):
    files = project("def run(self): pass", [{"rate": 20, "warmup": "1s"}], duration="2s")
    done = ok(run_pysurge("-c c.yml", files))
    assert "fired 20 total tests" in done.stdout
    assert ">>> Successes: 20, failures: 0" in done.stdout


def test_a_stop_during_the_warm_up_is_no_failure(start_pysurge, tmp_path):
    running = start_pysurge("run c.yml", project(NOTES, [{"rate": 20, "warmup": "50s", "duration": "60s"}]))
    while len(journal(tmp_path)) < 5:
        pass
    running.signal(2)
    assert running.wait() == 0
    result = summary(tmp_path)
    assert result["account"] == account()
    warmup = result["tests"][0]["warmup"]["account"]
    assert warmup["planned"] == warmup["passed"] + warmup["dropped"]
    assert warmup["passed"] >= 5


def test_late_iterations_are_dropped_and_counted(run_pysurge, tmp_path):
    test = {"rate": 100, "duration": "1s", "late": "drop", "max_lateness": "50ms", "max_threads": 1}
    ok(run_pysurge("run c.yml --workers 1", project("def run(self): time.sleep(0.1)", [test])))
    result = summary(tmp_path)
    assert result["account"]["planned"] == 100
    assert result["account"]["passed"] + result["account"]["dropped"] == 100
    assert 3 <= result["account"]["passed"] <= 30
    assert result["verdict"]["validity"] == "invalid"


def test_max_threads_holds_over_all_workers(run_pysurge, tmp_path):
    test = {"rate": 200, "duration": "500ms", "max_threads": 4, "max_duration": "10s"}
    run_pysurge("run c.yml --workers 2", project(INSIDE, [test]))
    assert sum(int(line[1]) for line in journal(tmp_path)) <= 4


def test_each_test_has_its_own_grace(run_pysurge, tmp_path):
    body = """
def run(self):
    time.sleep(self.kwargs["seconds"])
"""
    tests = [
        {"rate": 1, "kwargs": {"seconds": 600}, "graceful_stop": "300ms"},
        {"rate": 1, "kwargs": {"seconds": 2.5}, "graceful_stop": "30s"},
    ]
    done = run_pysurge("run c.yml --workers 1", project(body, tests, duration="1s"))
    hung, slow = summary(tmp_path)["tests"]
    assert hung["account"] == account(interrupted=1)
    assert slow["account"] == account(passed=1)
    assert done.stdout.count("abandoned") == 1


def test_a_run_without_an_end_says_so(start_pysurge, tmp_path):
    running = start_pysurge("run c.yml", project(NOTES, [{"rate": 20}]))
    running.err.wait_for("until Ctrl[+]C")
    while len(journal(tmp_path)) < 3:
        pass
    running.signal(2)
    assert running.wait() == 0
    assert summary(tmp_path)["stop_cause"] == "signal"


# What stands above the tests, and what the command line changes.


def test_top_level_keys_and_defaults_hold_for_every_test(run_pysurge, tmp_path):
    tests = [{"name": "first", "kwargs": {"a": 1}}, {"users": 2, "pacing": "100ms"}, {"rate": 20, "kwargs": {"b": 3}}]
    files = project(
        NOTES, tests, duration="1s", workers=1, name="nightly", tags=["ci"], defaults={"rate": 10, "kwargs": {"b": 2}}
    )
    done = ok(run_pysurge("run c.yml", files))
    result = summary(tmp_path)
    assert (result["name"], result["tags"], len(result["workers"])) == ("nightly", ["ci"], 1)
    first, closed, third = result["tests"]
    assert (first["name"], first["account"]) == ("first", account(passed=10))
    assert (closed["model"], third["account"]) == ("closed", account(passed=20))
    assert {tuple(line[2:]) for line in journal(tmp_path)} == {("a=1", "b=2"), ("b=2",), ("b=3",)}
    assert "first" in done.stdout


@pytest.mark.parametrize(
    ("flags", "kept"),
    [
        ("--only read", ["read"]),
        ("--tag slow", ["write", "delete"]),
        ("--tag slow --exclude delete", ["write"]),
        ("--exclude slow", ["read"]),
    ],
)
def test_tests_are_chosen_by_name_and_tag(run_pysurge, tmp_path, flags, kept):
    tests = [
        {"name": "read", "rate": 10, "tags": ["fast"]},
        {"name": "write", "rate": 10, "tags": ["slow"]},
        {"name": "delete", "rate": 10, "tags": ["slow"]},
    ]
    ok(run_pysurge(f"run c.yml {flags}", project("def run(self): pass", tests, duration="300ms")))
    assert [test["name"] for test in summary(tmp_path)["tests"]] == kept


@pytest.mark.parametrize("flags", ["--only rea", "--tag slo", "--exclude nothing"])
def test_a_choice_that_matches_nothing_is_an_error(run_pysurge, tmp_path, flags):
    files = project("def run(self): pass", [{"name": "read", "rate": 10, "tags": ["slow"]}], duration="1s")
    done = run_pysurge(f"run c.yml {flags}", files)
    assert done.returncode == 2
    assert flags.split()[1] in done.stderr
    assert not (tmp_path / "pysurge-results").exists()


def test_keys_are_overridden_on_the_command_line(run_pysurge, tmp_path):
    files = project(NOTES, [{"name": "read", "rate": 1}], duration="1h")
    flags = "-o duration=500ms -o tests.read.rate=40 -o tests[0].kwargs.size=10 -o 'tests[0].tags=[x, y]'"
    ok(run_pysurge(f"run c.yml {flags}", files))
    result = summary(tmp_path)
    assert result["account"] == account(passed=20)
    assert result["tests"][0]["tags"] == ["x", "y"]
    assert journal(tmp_path)[0][2] == "size=10"


@pytest.mark.parametrize(("override", "said"), [("tests[9].rate=5", "tests[9]"), ("rate", "="), ("tests[0].rate=x", "rate")])
def test_a_bad_override_is_quoted(run_pysurge, override, said):
    done = run_pysurge(["run", "c.yml", "-o", override], project(NOTES, [{"rate": 1}], duration="1s"))
    assert done.returncode == 2
    assert said in done.stderr
    assert override in done.stderr


def test_old_files_mean_what_they_meant(run_pysurge, tmp_path):
    ok(run_pysurge("run c.yml -d 1s --workers 2", case("def run(self): pass", rate=30)))
    (test,) = summary(tmp_path)["tests"]
    assert (test["account"], test["model"], test["warmup"]) == (account(passed=30), "open", None)
    assert os.listdir(tmp_path / "pysurge-results")
