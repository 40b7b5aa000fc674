"""A run always ends, as it was told to, and leaves a report and no process, whatever tests, workers and users do."""

import os
import re
import shutil
import signal

import pytest
from support import (
    CTRL_C,
    Launcher,
    account,
    case,
    config,
    executable,
    journal,
    marked,
    report_in,
    run_log,
    summary,
    until,
    without_escapes,
)

# Iterations say when they begin and end only when a file appears, so that nothing depends on how fast a test is.
GATED = """
max_duration = 30

def run(self):
    print("an iteration began", flush=True)
    while not os.path.exists("gate"):
        time.sleep(0.01)
"""

QUICK = """
max_duration = 1

def run(self):
    print("an iteration began", flush=True)
"""

HANG = """
max_duration = 1

def run(self):
    print("an iteration began", flush=True)
    hangs_here()
"""


def began(running, count=3):
    running.out.wait_for("an iteration began", count=count)


def reported(running, folder, planned=None):
    """What must be there after every run that fired: the report, the summary, no process."""
    running.leaves_nothing()
    result = summary(folder)
    assert result["status"] == "finished"
    assert result["exit_code"] == running.process.returncode, running.stderr
    assert "fired" in report_in(without_escapes(running.stdout))
    assert "panicked" not in running.stderr
    if planned is not None:
        assert result["account"]["planned"] == planned
    return result


# Ctrl+C and SIGTERM.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_lets_running_iterations_finish(start_pysurge, tmp_path, number):
    run = start_pysurge("run c.yml --workers 2", case(GATED))
    began(run)
    run.signal(number)
    run.err.wait_for("stopping: running iterations may finish")
    (tmp_path / "gate").touch()
    assert run.wait() == 0, run.stderr
    result = reported(run, tmp_path)
    assert result["stop_cause"] == "signal"
    assert result["account"]["passed"] >= 3
    assert (result["account"]["interrupted"], result["account"]["lost"]) == (0, 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_abandons_them(start_pysurge, tmp_path, number):
    run = start_pysurge("run c.yml --workers 2", case(GATED))
    began(run)
    run.signal(number)
    run.err.wait_for("stopping: running iterations may finish")
    run.signal(number)
    run.err.wait_for("stopping at once")
    assert run.wait() == 130
    result = reported(run, tmp_path)
    assert result["stop_cause"] == "second_signal"
    assert result["account"]["interrupted"] >= 3
    assert result["account"]["lost"] == 0


def test_a_third_signal_kills_what_is_left(start_pysurge, tmp_path):
    body = GATED + "\n@classmethod\ndef shutdown(cls):\n    print('shutdown began', flush=True)\n    time.sleep(10_000)\n"
    run = start_pysurge("run c.yml --workers 1", case(body))
    began(run)
    run.signal(signal.SIGINT)
    run.err.wait_for("stopping: running iterations may finish")
    run.signal(signal.SIGINT)
    run.out.wait_for("shutdown began")
    run.signal(signal.SIGINT)
    assert run.wait() == 130
    result = reported(run, tmp_path)
    assert result["account"]["interrupted"] >= 3
    assert [worker["end"] for worker in result["workers"]] == ["killed"]


def test_a_shower_of_signals_ends_it_too(start_pysurge, tmp_path):
    run = start_pysurge("run c.yml --workers 2", case(GATED))
    began(run)
    until(lambda: run.process.poll() is not None or run.signal(signal.SIGINT), "the end after many signals")
    # One that comes while the interpreter itself is on its way out can be the one that ends it.
    assert run.wait() in (130, -signal.SIGINT)
    run.leaves_nothing()
    assert summary(tmp_path)["exit_code"] == 130
    assert "KeyboardInterrupt" not in run.stderr
    assert "fired" in report_in(run.stdout)


@pytest.mark.parametrize("pipe_stdout", [False, True])
def test_ctrl_c_on_a_terminal(start_on_terminal, tmp_path, pipe_stdout):
    run = start_on_terminal("run c.yml --workers 2", case(GATED), pipe_stdout=pipe_stdout)
    began(run)
    run.press(CTRL_C)
    run.err.wait_for("Ctrl\\+C again abandons them")
    (tmp_path / "gate").touch()
    assert run.wait() == 0, run.screen
    result = reported(run, tmp_path)
    assert (result["account"]["interrupted"], result["account"]["lost"]) == (0, 0)
    assert "KeyboardInterrupt" not in run.screen + run.stdout


def test_ctrl_c_twice_on_a_terminal(start_on_terminal, tmp_path):
    run = start_on_terminal("run c.yml --workers 2", case(GATED))
    began(run)
    run.press(CTRL_C)
    run.err.wait_for("Ctrl\\+C again abandons them")
    run.press(CTRL_C)
    assert run.wait() == 130
    result = reported(run, tmp_path)
    assert result["account"]["interrupted"] >= 3


def test_ctrl_c_on_a_terminal_while_a_shell_pipes_the_report_away(start_on_terminal, tmp_path):
    # The whole pipeline is one foreground group: cat gets the Ctrl+C too, dies of it, and the pipe is closed.
    files = {**case(GATED), "piped.sh": '"$PYSURGE" run c.yml --no-rehearsal --workers 2 | cat\nexit "${PIPESTATUS[0]}"\n'}
    run = start_on_terminal(["piped.sh"], files, env={"PYSURGE": executable()}, program=["/bin/bash"])
    began(run)
    run.press(CTRL_C)
    (tmp_path / "gate").touch()
    run.wait()
    run.leaves_nothing()
    assert summary(tmp_path)["status"] == "finished"


def test_a_reader_that_goes_away_costs_the_output_only(run_pysurge, tmp_path):
    files = {
        **case(QUICK, rate=50),
        "piped.sh": '"$PYSURGE" run c.yml --no-rehearsal -d 1s --workers 2 | head -n 1\nexit "${PIPESTATUS[0]}"\n',
    }
    done = run_pysurge(["piped.sh"], files, env={"PYSURGE": executable()}, program=["/bin/bash"])
    result = summary(tmp_path)
    assert result["account"] == account(passed=50)
    assert (done.returncode, result["exit_code"]) == (0, 0), done.stderr
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert "panicked" not in done.stderr


def test_a_report_into_a_pipe_nobody_reads_any_more(start_pysurge, tmp_path):
    files = {
        **case(GATED),
        "piped.sh": 'exec "$PYSURGE" run c.yml -d 1s --workers 1 --quiet > >(exec cat > /dev/null & kill $!)\n',
    }
    (tmp_path / "gate").touch()
    run = start_pysurge(["piped.sh"], files, env={"PYSURGE": executable()}, program=["/bin/bash"])
    run.wait()
    run.leaves_nothing()
    assert summary(tmp_path)["account"] == account(passed=20)


# Tests, hooks and threads that hang. These runs wait for deadlines of seconds, so all of them go on at the same time.

HANGS = {
    "sleep": "time.sleep(10_000)  # here it hangs",
    "loop": "while True: pass  # here it hangs",
    "catches everything": (
        "while True:\n"
        "        try:\n"
        "            time.sleep(10_000)  # here it hangs\n"
        "        except BaseException:\n"
        "            pass"
    ),
    "holds the interpreter": "ctypes.PyDLL(None).sleep(10_000)",
}

SLOW_ENDINGS = {
    **{name: case(HANG.replace("hangs_here()", code), rate=4) for name, code in HANGS.items()},
    "hanging shutdown": case(QUICK + "\n@classmethod\ndef shutdown(cls):\n    time.sleep(10_000)\n"),
    "thread left": case(
        QUICK
        + "\n@classmethod\ndef startup(cls):\n"
        + "    threading.Thread(target=time.sleep, args=(10_000,), daemon=False).start()\n"
    ),
}


@pytest.fixture(scope="module")
def slow_endings(tmp_path_factory):
    launchers = {name: Launcher(tmp_path_factory.mktemp("slow")) for name in SLOW_ENDINGS}
    yield {name: each.start("run c.yml -d 500ms --workers 1", SLOW_ENDINGS[name]) for name, each in launchers.items()}
    for each in launchers.values():
        each.close()


@pytest.mark.parametrize("name", HANGS)
def test_a_hanging_test_is_interrupted_when_the_grace_period_ends(slow_endings, name):
    run = slow_endings[name]
    assert run.wait() == 3, run.stderr
    result = reported(run, run.folder, planned=2)
    assert result["account"]["passed"] == result["account"]["failed"] == 0
    assert result["account"]["interrupted"] >= 1
    assert [worker["end"] for worker in result["workers"]] in (["done"], ["killed"])
    log = run_log(run.folder)
    if name == "holds the interpreter":  # seen from outside, without the source
        assert re.search(r'one thread holds the interpreter .*\n(?:.*\n)*?  File "\S*case\.py", line \d+ in run\b', log), log
    else:
        assert re.search(r"Case-1.* still runs? after the grace period and (is|are) abandoned", log), log
        assert re.search(r'File "\S*case\.py", line \d+, in run\n.*here it hangs', log), log


def test_a_hanging_shutdown_hook_has_a_deadline(slow_endings):
    run = slow_endings["hanging shutdown"]
    assert run.wait() == 0, run.stderr
    result = reported(run, run.folder)
    assert result["account"] == account(passed=10)
    assert [worker["end"] for worker in result["workers"]] == ["killed"]
    assert "shutdown" in run.stderr


def test_a_thread_that_user_code_left_running_does_not_hold_up_the_run(slow_endings):
    run = slow_endings["thread left"]
    assert run.wait() == 0, run.stderr
    assert reported(run, run.folder)["account"] == account(passed=10)


def test_a_failing_shutdown_hook_is_told_and_changes_nothing(run_pysurge, tmp_path):
    body = QUICK + "\n@classmethod\ndef shutdown(cls):\n    raise SystemExit('no luck with shutdown')\n"
    done = run_pysurge("run c.yml -d 500ms --workers 1", case(body))
    assert done.returncode == 0
    assert summary(tmp_path)["account"] == account(passed=10)
    assert "no luck with shutdown" in done.stdout + done.stderr


def test_atexit_hooks_run_after_shutdown(run_pysurge, tmp_path):
    body = """
@classmethod
def startup(cls):
    atexit.register(note, "atexit")

@classmethod
def shutdown(cls):
    note("shutdown")

def run(self):
    pass
"""
    run_pysurge("run c.yml -d 500ms --workers 1", case(body))
    assert journal(tmp_path) == [["shutdown"], ["atexit"]]


def test_a_process_that_user_code_left_running_does_not_hold_up_the_run(start_pysurge, tmp_path):
    body = """
@classmethod
def startup(cls):
    note(subprocess.Popen(["sleep", "10000"]).pid)

def run(self):
    pass
"""
    run = start_pysurge("run c.yml -d 500ms --workers 1", case(body))
    assert run.wait() == 0, run.stderr
    assert summary(tmp_path)["account"] == account(passed=10)


# Workers that die.


def test_a_worker_killed_in_the_middle_is_replaced_and_costs_a_second(start_pysurge, tmp_path):
    run = start_pysurge("run c.yml -d 6s --workers 2", case(QUICK, rate=40))
    began(run, count=10)
    victim = run.workers(2)[0]
    os.kill(victim, signal.SIGKILL)
    assert run.wait() == 0, run.stderr
    result = reported(run, tmp_path, planned=240)
    ends = {worker["pid"]: worker for worker in result["workers"]}
    assert ends.pop(victim)["end"] == "lost"
    assert sorted(worker["life"] for worker in ends.values()) == [0, 1]
    assert {worker["end"] for worker in ends.values()} == {"done"}
    assert [incident["kind"] for incident in result["incidents"]] == ["lost", "taken_over", "replaced"]
    assert 0 < result["account"]["lost"] <= 40
    assert result["verdict"]["validity"] in ("degraded", "invalid")
    assert "SIGKILL" in run.stderr
    assert "took over its part" in run.stdout
    assert "was replaced by pid" in run.stdout
    assert "lost" in run.stdout


def test_when_all_workers_are_killed_others_come(start_pysurge, tmp_path):
    run = start_pysurge("run c.yml -d 6s --workers 2", case(QUICK, rate=40))
    began(run, count=10)
    victims = run.workers(2)
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    assert run.wait() == 0, run.stderr
    result = reported(run, tmp_path, planned=240)
    assert result["stop_cause"] == "duration"
    ends = {worker["pid"]: worker["end"] for worker in result["workers"]}
    assert [ends.pop(pid) for pid in victims] == ["lost", "lost"]
    assert set(ends.values()) == {"done"}
    assert result["account"]["passed"] >= 60


@pytest.mark.parametrize("body", [QUICK, GATED, HANG.replace("hangs_here()", "while True: pass")])
def test_no_worker_outlives_a_killed_manager(start_pysurge, tmp_path, body):
    run = start_pysurge("run c.yml --workers 2", case(body, rate=40))
    began(run, count=4)
    until(lambda: list((tmp_path / "pysurge-results").glob("*/summary.json")), "a first summary")
    assert len(run.workers(2)) == 2
    run.process.kill()
    run.process.wait()
    until(lambda: not marked(run.marker), "workers to end after their manager", timeout=10)
    result = summary(tmp_path)
    assert (result["status"], result["exit_code"]) == ("running", None)
    assert (tmp_path / "pysurge-results").is_dir()
    assert "started" in run_log(tmp_path)


def test_a_manager_killed_before_the_start_leaves_no_worker(start_pysurge, tmp_path):
    slow = "import time\nprint('import began', flush=True)\ntime.sleep(10_000)\n"
    run = start_pysurge("run c.yml --workers 2", {"case.py": slow, "c.yml": config(("case.Case", 1))})
    run.out.wait_for("import began", count=2)
    run.process.kill()
    run.process.wait()
    until(lambda: not marked(run.marker), "workers to end after their manager", timeout=10)


def test_a_stopped_worker_is_ended_with_the_run(start_pysurge, tmp_path):
    run = start_pysurge("run c.yml -d 1s --workers 2", case(QUICK, rate=40))
    began(run, count=4)
    victim = run.workers(2)[0]
    os.kill(victim, signal.SIGSTOP)
    run.wait()
    result = reported(run, tmp_path, planned=40)
    ends = {worker["pid"]: worker["end"] for worker in result["workers"]}
    assert ends.pop(victim) == "lost"
    assert list(ends.values()) == ["done"]
    assert result["account"]["passed"] >= 20


def test_a_worker_that_was_stopped_for_a_while_goes_on(start_pysurge, tmp_path):
    run = start_pysurge("run c.yml -d 3s --workers 2", case(QUICK, rate=40))
    began(run, count=4)
    first, second = run.workers(2)
    os.kill(first, signal.SIGSTOP)
    seen = run.stdout.count("an iteration began")
    began(run, count=seen + 10)
    os.kill(first, signal.SIGCONT)
    assert run.wait() == 0
    result = reported(run, tmp_path, planned=120)
    assert [worker["end"] for worker in result["workers"]] == ["done", "done"]
    assert result["account"] == account(passed=120)
    assert second != first


DEATHS = {
    "a segfault": ("ctypes.string_at(0)", "SIGSEGV"),
    "os._exit": ("os._exit(7)", "7"),
    "an abort": ("os.abort()", "SIGABRT"),
    "SIGKILL to itself": ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
}


@pytest.mark.parametrize("name", DEATHS)
def test_a_test_that_ends_its_worker(run_pysurge, tmp_path, name):
    code, told = DEATHS[name]
    body = f"""
def run(self):
    if next(numbers) == 5 and first():
        {code}
"""
    done = run_pysurge("run c.yml -d 2s --workers 2", case(body, rate=20))
    result = summary(tmp_path)
    ends = {worker["end"]: worker["death"] for worker in result["workers"]}
    assert set(ends) == {"done", "lost"}, done.stderr
    assert told in ends["lost"]
    assert told in done.stderr
    assert result["account"]["planned"] == 40
    assert result["account"]["passed"] >= 20
    assert 0 < result["account"]["lost"] <= 20
    assert done.returncode == 0
    if name == "a segfault":
        assert "case.py" in done.stderr, "the last words of the worker name the line"


def test_a_test_that_ends_every_worker(run_pysurge, tmp_path):
    done = run_pysurge("run c.yml -d 30s --workers 2", case("def run(self):\n    os._exit(0)\n", rate=20))
    result = summary(tmp_path)
    assert done.returncode == result["exit_code"] == 3
    assert result["stop_cause"] == "workers_lost"
    assert result["account"]["lost"] == result["account"]["planned"]


def test_a_test_that_forks(run_pysurge, tmp_path):
    body = """
def run(self):
    pid = os.fork()
    if pid == 0:
        os._exit(3)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 3
"""
    done = run_pysurge("run c.yml -d 500ms --workers 1", case(body, rate=20), env={"PYTHONWARNINGS": "ignore"})
    assert done.returncode == 0, done.stdout
    assert summary(tmp_path)["account"] == account(passed=10)


def test_a_test_that_signals_its_own_worker(run_pysurge, tmp_path):
    body = "def run(self):\n    os.kill(os.getpid(), signal.SIGINT)\n    os.kill(os.getpid(), signal.SIGTERM)\n"
    done = run_pysurge("run c.yml -d 500ms --workers 1", case(body, rate=20))
    assert done.returncode == 0, done.stderr
    assert summary(tmp_path)["account"] == account(passed=10)


def test_the_results_folder_taken_away_in_the_middle(start_pysurge, tmp_path):
    run = start_pysurge("run c.yml -d 1500ms --workers 1", case(QUICK, rate=20))
    began(run)
    shutil.rmtree(tmp_path / "pysurge-results")
    # Nobody can read the results any more.
    assert run.wait() == 1
    run.leaves_nothing()
    assert "the run's folder: cannot write all of" in run.stderr
    assert "30 passed" in run.stdout
