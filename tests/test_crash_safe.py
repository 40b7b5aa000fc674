"""A manager that is killed, at any instant: its folder gives the report up to the last second before."""

import json
import os
import random
import signal
import time
import zlib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from support import case, checked_summary, journal, run_folder, run_log, summary, until

# At the kill a worker's last word is at most a second old, and the newest checkpoint another; the third is for a busy machine.
AGE_S = 3.0

BODY = """
def run(self):
    time.sleep(0.01)
    self.metrics["size"] = 2.0
    note("ended", time.monotonic_ns())
"""


def checkpoints(folder: Path) -> int:
    """Whole checkpoints in the journal of the one run; none before there is a run."""
    found = list(folder.glob("pysurge-results/*/run.journal"))
    return found[0].read_bytes().count(b'{"summary":') if found else 0


def kill_after(start_pysurge: Any, folder: Path, count: int, args: str = "", rest_s: float = 0.0) -> float:
    """A run that is killed so long after so many checkpoints; when, on the clock of its test cases."""
    run = start_pysurge(f"run c.yml -d 10m --workers 2 --results pysurge-results {args}", case(BODY, rate=100))
    until(lambda: checkpoints(folder) >= count, f"{count} checkpoints")
    # Any instant of the second that follows.
    time.sleep(rest_s)
    killed_s = time.monotonic()
    run.signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    run.leaves_nothing()
    return killed_s


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_instant_the_report_is_rebuilt(start_pysurge: Any, run_pysurge: Any, tmp_path: Path, seed: int) -> None:
    instant = random.Random(seed)
    killed_s = kill_after(start_pysurge, tmp_path, instant.randint(2, 4), rest_s=instant.random())
    folder = run_folder(tmp_path)
    assert json.loads((folder / "summary.json").read_text())["status"] == "running"
    assert not (folder / "report.html").exists()

    shown = run_pysurge(["report", str(folder.relative_to(tmp_path))])
    assert shown.returncode == 0, shown.stderr
    assert "killed before its end" in shown.stdout
    assert f"results: pysurge-results/{folder.name}" in shown.stdout
    assert "rebuilt from" in shown.stderr
    # The page is that of the rebuilt run.
    assert '"status":"killed"' in (folder / "report.html").read_text()

    rebuilt = summary(tmp_path)
    assert rebuilt["status"] == "killed"
    assert rebuilt["exit_code"] is None
    assert "killed" in [cause["kind"] for cause in rebuilt["verdict"]["causes"]]
    ends_s = [int(at) / 1e9 for _, at in journal(tmp_path)]
    passed = rebuilt["account"]["passed"]
    assert passed <= len(ends_s)
    assert passed >= sum(end_s < killed_s - AGE_S for end_s in ends_s)
    assert rebuilt["tests"][0]["metrics"]["size"]["count"] == passed
    # Figures over time are those of whole seconds.
    in_blocks = sum(block["tests"][0]["passed"] for block in rebuilt["blocks"])
    assert 0 < in_blocks <= passed
    lines = (folder / "timeseries.csv").read_text().splitlines()
    in_csv = sum(int(cells[4]) for line in lines if (cells := line.split(","))[3] == "passed")
    assert in_csv == in_blocks
    assert not (folder / "run.journal").exists()

    # Another look changes nothing, and shows the same.
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    again = run_pysurge(["report", str(folder / "summary.json")])
    assert again.stdout.splitlines()[:10] == shown.stdout.splitlines()[:10]
    assert again.stderr == ""
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_before_it_is_rebuilt_others_say_how(start_pysurge: Any, run_pysurge: Any, tmp_path: Path) -> None:
    kill_after(start_pysurge, tmp_path, 2)
    name = f"pysurge-results/{run_folder(tmp_path).name}"
    compared = run_pysurge(["compare", name, name])
    assert compared.returncode == 2
    assert f"`pysurge report {name}` rebuilds it" in compared.stderr
    assert "unfinished" in run_pysurge("history").stdout
    as_json = run_pysurge(["report", name, "--json", "--junit", "junit.xml"])
    assert json.loads(as_json.stdout)["status"] == "killed"
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert [error.get("type") for error in suite.iter("error")] == ["killed"]
    assert run_pysurge(["compare", name, name]).returncode == 0
    assert "killed" in run_pysurge("history").stdout


def test_a_run_that_goes_on_is_shown_and_not_touched(start_pysurge: Any, run_pysurge: Any, tmp_path: Path) -> None:
    run = start_pysurge("run c.yml -d 10m --workers 1", case(BODY, rate=50))
    until(lambda: checkpoints(tmp_path) >= 2, "two checkpoints")
    name = f"pysurge-results/{run_folder(tmp_path).name}"
    for _ in range(3):
        shown = run_pysurge(["report", name])
        assert shown.returncode == 0, shown.stderr
        assert f"{name} goes on: these are its figures so far" in shown.stderr
        assert "it goes on: the figures so far" in shown.stdout
    assert checkpoints(tmp_path) >= 2
    run.signal(signal.SIGINT)
    assert run.wait() == 0
    ended = summary(tmp_path)
    assert ended["status"] == "finished"
    assert not (run_folder(tmp_path) / "run.journal").exists()
    before = (run_folder(tmp_path) / "summary.json").read_bytes()
    shown = run_pysurge(["report", name])
    assert shown.stdout.startswith(("VALID", "DEGRADED", "INVALID"))
    assert "stopped on request" in shown.stdout
    assert (run_folder(tmp_path) / "summary.json").read_bytes() == before


def test_torn_and_damaged_journals(start_pysurge: Any, run_pysurge: Any, tmp_path: Path) -> None:
    kill_after(start_pysurge, tmp_path, 4)
    folder = run_folder(tmp_path)
    journal_file = folder / "run.journal"
    whole = journal_file.read_bytes()
    running = (folder / "summary.json").read_bytes()
    newest = max(at for at in range(len(whole)) if whole.startswith(b'{"summary":', at))

    def rebuilt(content: bytes) -> tuple[int, str, dict[str, Any]]:
        journal_file.write_bytes(content)
        (folder / "summary.json").write_bytes(running)
        shown = run_pysurge(["report", str(folder)])
        assert "Traceback" not in shown.stderr
        assert "internal error" not in shown.stderr
        return shown.returncode, shown.stderr, json.loads((folder / "summary.json").read_text())

    code, _, complete = rebuilt(whole)
    assert (code, complete["status"]) == (0, "killed")
    # The newest checkpoint was being written.
    code, told, torn = rebuilt(whole[: newest + 100])
    assert (code, torn["status"]) == (0, "killed")
    assert torn["elapsed_s"] < complete["elapsed_s"]
    assert "damaged and left out" not in told
    # It is damaged: so is the machine's disk, and the journal stays for a look.
    code, told, damaged = rebuilt(whole[: newest + 50] + b"\0" * 50 + whole[newest + 100 :])
    assert (code, damaged["elapsed_s"]) == (0, torn["elapsed_s"])
    assert "1 of its lines was damaged and left out; it stays where it is" in told
    assert journal_file.exists()
    checked_summary(folder / "summary.json")

    for content, words in [
        (b"", "is no journal of a run, or all of it is damaged"),
        (os.urandom(10_000), "is no journal of a run, or all of it is damaged"),
        (whole[:200], "has no whole checkpoint"),
        (line('{"header":{"version":9,"pysurge_version":"9.0.0"}}'), "has a form of version 9"),
    ]:
        code, told, left = rebuilt(content)
        assert code == 2
        assert words in told
        assert "run.journal" in told
        assert left["status"] == "running"


def line(payload: str) -> bytes:
    """A line of a journal."""
    return f"{zlib.crc32(payload.encode()):08x} {payload}\n".encode()


def test_summaries_that_are_none(start_pysurge: Any, run_pysurge: Any, tmp_path: Path) -> None:
    kill_after(start_pysurge, tmp_path, 2)
    folder = run_folder(tmp_path)
    kept = folder / "run.journal"
    content = kept.read_bytes()
    file = folder / "summary.json"
    good = file.read_text()
    huge = folder / "huge"
    with huge.open("wb") as sparse:
        sparse.truncate(300 << 20)
    for bad, words in [
        ("", "is broken JSON"),
        (good[:1000], "is broken JSON"),
        ("\x1b[2J", "is broken JSON"),
        ("[1]", "is no summary of a pysurge run"),
        (good.replace('"schema_version": 1', '"schema_version": 99'), "has a form of version 99"),
        (good.replace('"elapsed_s": ', '"elapsed_s": NaN, "x": '), "is broken JSON"),
        (None, "is too long for a summary"),
    ]:
        if bad is None:
            huge.replace(file)
        else:
            file.write_text(bad)
        kept.unlink(missing_ok=True)
        shown = run_pysurge(["report", str(folder)])
        assert shown.returncode == 2, bad
        assert words in shown.stderr
        assert "summary.json" in shown.stderr
        assert "\x1b" not in shown.stderr
        # Where there is a journal, it is as good.
        kept.write_bytes(content)
        shown = run_pysurge(["report", str(folder)])
        assert shown.returncode == 0, shown.stderr
        assert checked_summary(file)["status"] == "killed"


def test_what_is_no_run(run_pysurge: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    for name, words in [("none", "there is no run none"), ("empty", "holds no summary.json"), ("file", "there is no run file")]:
        shown = run_pysurge(["report", name])
        assert shown.returncode == 2
        assert words in shown.stderr


def test_killed_before_its_first_second(start_pysurge: Any, run_pysurge: Any, tmp_path: Path) -> None:
    slow = case("@classmethod\ndef startup(cls):\n    note('started')\n    time.sleep(600)\n\ndef run(self): pass")
    run = start_pysurge("run c.yml -d 10m --workers 1", slow)
    until(lambda: journal(tmp_path), "a worker that starts")
    run.signal(signal.SIGKILL)
    run.wait()
    shown = run_pysurge(["report", str(run_folder(tmp_path))])
    assert shown.returncode == 2
    assert "the run was killed before its first second was over" in shown.stderr


def test_the_log_of_a_killed_run_is_whole_lines(start_pysurge: Any, tmp_path: Path) -> None:
    body = "def run(self):\n    logging.getLogger().warning('marked %d', next(numbers))"
    run = start_pysurge("run c.yml -d 10m --workers 1", case(body, rate=200))
    until(lambda: checkpoints(tmp_path) >= 1, "the first checkpoint")
    until(lambda: "marked 200" in run_log(tmp_path), "lines in the log")
    run.signal(signal.SIGKILL)
    run.wait()
    marked = [text for text in run_log(tmp_path).splitlines() if "marked" in text]
    assert len(marked) >= 200
