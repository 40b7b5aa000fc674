"""`pysurge plan`: what would be fired is told and drawn, and nothing is fired."""

import json
import shutil
import xml.etree.ElementTree as ET

import pytest
from support import REPOSITORY, case, summary

BODY = """
max_duration = 2

@classmethod
def startup(cls):
    note("startup")

def run(self):
    note("run")
"""


def project(*tests, **top):
    entries = [{"test_class": "case.Case", **test} for test in tests]
    return {**case(BODY), "c.yml": json.dumps({**top, "tests": entries})}


RAMP = {
    "name": "ramp",
    "stages": [{"duration": "1m", "rate": 100}, {"duration": "5m", "rate": 100}, {"duration": "30s", "rate": 0}],
}
POISSON = {"name": "random", "rate": 2, "arrivals": "poisson", "duration": "1m", "warmup": "10s"}
CLOSED = {"name": "users", "users": 20, "think_time": ["1s", "3s"], "ramp_up": "30s", "duration": "2m"}


def test_a_plan_is_told_and_nothing_is_fired(run_pysurge, tmp_path):
    done = run_pysurge("plan c.yml --workers 2", project(RAMP, POISSON, CLOSED))
    assert done.returncode == 0, done.stderr
    for said in ("ramp", "34,500", "100/s", "random", "Poisson", "users", "20 users", "warm-up"):
        assert said in done.stdout, f"{said}\n{done.stdout}"
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert not (tmp_path / "journal").exists()
    assert not (tmp_path / "pysurge-results").exists()


def test_a_plan_is_json_for_other_programs(run_pysurge):
    done = run_pysurge("plan c.yml --json --workers 2", project(RAMP, CLOSED))
    assert done.returncode == 0, done.stderr
    ramp, users = json.loads(done.stdout)["tests"]
    assert ramp["planned"] == 34500
    assert users["planned"] is None
    # 100/s for up to 2 s each.
    assert ramp["threads_needed"] == 200


def test_a_plan_is_drawn(run_pysurge, tmp_path):
    done = run_pysurge("plan c.yml --svg plan.svg", project(RAMP, {**POISSON, "name": '<&">'}))
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "plan.svg").read_text()
    root = ET.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "<script" not in text
    assert "plan.svg" in done.stdout + done.stderr


def test_a_plan_that_cannot_be_loaded_is_told(run_pysurge):
    done = run_pysurge("plan c.yml", project({"rate": 1, "test_class": "case.Nothing"}))
    assert done.returncode == 2
    assert "has no `Nothing`" in done.stderr


@pytest.mark.parametrize("flags", ["", "-d 10s"])
def test_a_plan_without_an_end_goes_on(run_pysurge, flags):
    done = run_pysurge(f"plan c.yml --json {flags}", project({"rate": 5}))
    (test,) = json.loads(done.stdout)["tests"]
    assert test["planned"] == (50 if flags else None)


LOADS = sorted(path.stem for path in (REPOSITORY / "examples/loads").glob("*.yml"))


@pytest.mark.parametrize("load", LOADS)
def test_the_pictures_of_the_docs_are_what_the_program_draws(run_pysurge, tmp_path, load):
    shutil.copytree(REPOSITORY / "examples/loads", tmp_path, dirs_exist_ok=True)
    done = run_pysurge(f"plan {load}.yml --workers 2 --svg -")
    assert done.returncode == 0, done.stderr
    shown = (REPOSITORY / "docs/images" / f"{load}.svg").read_text()
    assert done.stdout == shown, "make the pictures anew: make pictures"
    assert f"../images/{load}.svg" in (REPOSITORY / "docs/explanation/load-models.md").read_text()


def test_the_snippets_of_the_docs_are_the_examples():
    page = (REPOSITORY / "docs/explanation/load-models.md").read_text()
    for load in LOADS:
        lines = (REPOSITORY / f"examples/loads/{load}.yml").read_text().splitlines()
        keys = [line.strip() for line in lines if not line.startswith(("#", "tests:", "- test_class"))]
        for key in keys:
            # The page cuts durations of the simplest ones, and adds remarks.
            assert key in page or key.startswith("duration"), f"{load}: {key}"


@pytest.mark.parametrize("load", LOADS)
def test_the_loads_run(run_pysurge, tmp_path, load):
    shutil.copytree(REPOSITORY / "examples/loads", tmp_path, dirs_exist_ok=True)
    done = run_pysurge(f"run {load}.yml -d 2s -o tests[0].warmup=0s --workers 2")
    assert done.returncode == 0, done.stdout + done.stderr
    result = summary(tmp_path)["account"]
    assert result["planned"] == result["passed"] > 0
