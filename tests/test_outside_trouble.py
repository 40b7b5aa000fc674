"""Trouble outside: a full disk, a folder that goes, streams that are closed, a terminal that hangs up. The load goes on."""

import os
import pty
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import _TAKE_TERMINAL, HANG_S, case, executable, journal, run_folder, summary, until

NOTED = "def run(self):\n    note('ended')"

# Every iteration of it is accounted for in the report on standard output.
RUN = "run c.yml -d 4s --workers 1"
PLANNED = 80

# Becomes a command that can make no file longer than the first argument says.
LIMITED = (
    "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2); "
    "os.execv(sys.argv[2], sys.argv[2:])"
)


def limited(size: int) -> list[str]:
    """The command under a limit."""
    return [sys.executable, "-c", LIMITED, str(size), executable()]


def went_on(text: str) -> None:
    """The report is that of the whole run."""
    assert f"{PLANNED} passed, 0 failed" in text, text


def test_a_full_disk_is_told_once_and_the_load_goes_on(run_pysurge: Any) -> None:
    done = run_pysurge(f"{RUN} --no-rehearsal", case("def run(self): pass"), program=limited(12_000))
    went_on(done.stdout)
    assert done.returncode == 1, done.stderr
    told = [line for line in done.stderr.splitlines() if "cannot write all of" in line]
    assert len(told) == 2, done.stderr
    assert told[0].startswith("warning: the run's folder: ")
    assert told[0].endswith("File too large (os error 27); the run goes on")
    assert told[1].startswith("error: the run's folder: ")
    # It was told when it happened, not at the end only.
    assert done.stderr.index("warning: the run's folder") < done.stderr.index("error: the run's folder")


def test_room_that_comes_back_is_used(start_pysurge: Any, tmp_path: Path) -> None:
    # A folder in the place of a file refuses it as a full disk does, for as long as it is there.
    run = start_pysurge("run c.yml -d 10m --workers 1", case(NOTED))
    until(lambda: journal(tmp_path), "the first iteration")
    blocker = run_folder(tmp_path) / ".summary.json.new"
    until((run_folder(tmp_path) / "summary.json").exists, "the first summary")

    def blocked() -> bool:
        try:
            blocker.mkdir()
        except FileExistsError:
            return blocker.is_dir()
        return True

    until(blocked, "a moment in which it is not being written")
    run.err.wait_for("warning: the run's folder: cannot write all of .*; the run goes on")
    blocker.rmdir()
    run.signal(signal.SIGINT)
    assert run.wait() == 1
    assert run.stderr.count("cannot write all of") == 2
    assert summary(tmp_path)["status"] == "finished"


# Becomes a command whose standard output is a small pipe that nobody reads, and that never breaks.
STUCK = (
    "import fcntl, os, sys; reader, writer = os.pipe(); fcntl.fcntl(writer, 1031, 4096); os.set_inheritable(reader, True); "
    "os.dup2(writer, 1); os.execv(sys.argv[1], sys.argv[1:])"
)


def test_a_command_whose_reader_hangs_can_be_ended_and_its_results_are_there(start_pysurge: Any, tmp_path: Path) -> None:
    flood = case("def run(self):\n    note('ended')\n    print('x' * 2000)")
    run = start_pysurge(
        "run c.yml -d 1s --workers 1 --no-rehearsal", flood, program=[sys.executable, "-c", STUCK, executable()]
    )
    until(lambda: len(journal(tmp_path)) == 20, "every iteration")
    page = run_folder(tmp_path) / "report.html"
    until(page.exists, "the results")
    # At first they mean the run and do nothing; then they end what waits for the reader.
    until(lambda: run.process.poll() is not None or run.signal(signal.SIGINT), "the end after many signals")
    assert run.wait() == -signal.SIGINT
    assert summary(tmp_path)["account"]["passed"] == 20


def test_a_page_that_cannot_be_written_is_told_and_nothing_else_is_lost(start_pysurge: Any, tmp_path: Path) -> None:
    run = start_pysurge("run c.yml -d 10m --workers 1", case(NOTED))
    until(lambda: journal(tmp_path), "the first iteration")
    (run_folder(tmp_path) / ".report.html.new").mkdir()
    run.signal(signal.SIGINT)
    assert run.wait() == 1
    assert "error: the run's folder: cannot write all of " in run.stderr
    assert summary(tmp_path)["status"] == "finished"
    assert not (run_folder(tmp_path) / "report.html").exists()
    assert not (run_folder(tmp_path) / "run.journal").exists()


@pytest.mark.parametrize(("flag", "name"), [("--samples", "out.csv"), ("--junit", "out.xml")])
def test_a_file_that_cannot_be_written(run_pysurge: Any, tmp_path: Path, flag: str, name: str) -> None:
    (tmp_path / name).symlink_to("/dev/full")
    done = run_pysurge(f"{RUN} {flag} {name}", case("def run(self): pass"))
    went_on(done.stdout)
    assert done.returncode == 1, done.stderr
    assert "error: " in done.stderr
    assert "No space left on device" in done.stderr
    assert summary(tmp_path)["account"]["passed"] == PLANNED


def test_a_folder_that_goes_while_the_run_goes_on(start_pysurge: Any, tmp_path: Path) -> None:
    run = start_pysurge(RUN, case(NOTED))
    until(lambda: journal(tmp_path), "the first iteration")
    folder = run_folder(tmp_path)
    until(lambda: shutil.rmtree(folder, ignore_errors=True) or not folder.exists(), "the folder to go")
    assert run.wait() == 1
    went_on(run.stdout)
    assert f"warning: the run's folder: cannot write all of {folder}: No such file" in run.stderr
    assert len(journal(tmp_path)) == PLANNED


def test_a_folder_that_cannot_be_made_starts_nothing(run_pysurge: Any, tmp_path: Path) -> None:
    for base in ("c.yml", "/proc/none", "/dev/full/x"):
        done = run_pysurge([*shlex.split(RUN), "--results", base], case(NOTED))
        assert done.returncode == 2
        assert done.stderr.startswith("error: failed to make the results folder")
        assert journal(tmp_path) == []


def in_shell(start_pysurge: Any, line: str, files: Any) -> Any:
    """A line of bash, in which `pysurge` is the one under test."""
    command = f'pysurge() {{ {shlex.quote(executable())} "$@" --no-rehearsal; }}; {line}'
    return start_pysurge(["-c", command], files, program=["bash"])


def test_a_reader_who_goes_away_is_no_trouble(start_pysurge: Any, tmp_path: Path) -> None:
    body = "def run(self):\n    print('printed')"
    run = in_shell(start_pysurge, f"pysurge {RUN} | head -n 1; exit ${{PIPESTATUS[0]}}", case(body))
    assert run.wait() == 0, run.stderr
    assert len(run.stdout.splitlines()) == 1
    assert "cannot write" not in run.stderr
    assert summary(tmp_path)["account"]["passed"] == PLANNED


def test_a_full_disk_below_standard_output_is_told(start_pysurge: Any, tmp_path: Path) -> None:
    run = in_shell(start_pysurge, f"pysurge {RUN} > /dev/full", case("def run(self):\n    print('printed')"))
    assert run.wait() == 1
    assert "warning: cannot write to standard output: No space left on device" in run.stderr
    assert summary(tmp_path)["account"]["passed"] == PLANNED


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_standard_streams_that_are_closed(start_pysurge: Any, tmp_path: Path, closed: str) -> None:
    # The shell's own streams stay, so that it can tell.
    files = case(NOTED + "\n    print('printed')\n    print('printed', file=sys.stderr)")
    run = in_shell(start_pysurge, f"pysurge {RUN} {closed} & wait $!; code=$?; echo code $code; exit $code", files)
    until(lambda: journal(tmp_path), "the first iteration")
    manager = until(lambda: managers(tmp_path), "the manager")[0]
    for fd in range(3):
        target = os.readlink(f"/proc/{manager}/fd/{fd}")
        # What was closed is nowhere; no file of ours took its place.
        assert target == "/dev/null" or target.startswith("pipe:"), (fd, target)
    assert run.wait() == 0, run.stderr
    assert "Traceback" not in run.stderr
    assert summary(tmp_path)["account"]["passed"] == PLANNED
    assert "printed" in (run_folder(tmp_path) / "run.log").read_text()


def managers(folder: Path) -> list[int]:
    """Processes that have a journal in this folder open."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            opened = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        except OSError:
            continue
        if any(name.startswith(str(folder)) and name.endswith("run.journal") for name in opened):
            found.append(int(pid))
    return found


def test_a_terminal_that_hangs_up_ends_nothing(launcher: Any, tmp_path: Path) -> None:
    launcher.write(case(NOTED))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-SIc", _TAKE_TERMINAL, executable(), *shlex.split(RUN), "--no-rehearsal"],
        cwd=tmp_path,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        until(lambda: len(journal(tmp_path)) >= 5, "some iterations")
        os.close(ours)
        assert process.wait(HANG_S) == 0
    finally:
        process.kill()
        process.wait()
    assert summary(tmp_path)["account"]["passed"] == PLANNED
    assert len(journal(tmp_path)) == PLANNED


@pytest.mark.parametrize("before", [signal.SIG_DFL, signal.SIG_IGN], ids=["plain", "nohup"])
def test_sighup_ends_nothing(launcher: Any, tmp_path: Path, before: Any) -> None:
    files = case(NOTED + "\n    note('hangups', int(signal.getsignal(signal.SIGHUP)))")
    kept = signal.signal(signal.SIGHUP, before)
    try:
        run = launcher.start(RUN, files)
    finally:
        signal.signal(signal.SIGHUP, kept)
    until(lambda: len(journal(tmp_path)) >= 5, "some iterations")
    run.signal(signal.SIGHUP)
    assert run.wait() == 0, run.stderr
    assert summary(tmp_path)["account"]["passed"] == PLANNED
    # What a worker has of it is what its manager was started with.
    assert {words[1] for words in journal(tmp_path) if words[0] == "hangups"} == {str(int(before))}


def test_a_command_that_fires_nothing_ends_with_its_terminal(start_pysurge: Any) -> None:
    target = start_pysurge("target --port 0")
    target.out.wait_for(r"http://127\.0\.0\.1:\d+\n")
    target.signal(signal.SIGHUP)
    assert target.wait() == -signal.SIGHUP
