"""A run that goes on is paused, resumed, scaled and stopped: by the control socket, by keys, by Ctrl+Z."""

import contextlib
import json
import os
import signal
import socket
import stat as file_stat
import termios
import time

import pytest
from support import CTRL_C, account, case, journal, run_log, summary, until

NOTES = """
def run(self):
    note("start", time.clock_gettime(time.CLOCK_MONOTONIC))
"""


def project(*tests, body=NOTES, **top):
    entries = [{"test_class": "case.Case", **test} for test in tests]
    return {**case(body), "c.yml": json.dumps({**top, "tests": entries})}


def starts(folder):
    return sorted(float(line[1]) for line in journal(folder) if line[0] == "start")


def wait_for_starts(folder, count):
    until(lambda: len(starts(folder)) >= count, f"{count} iterations")


class Client:
    """One connection to a control socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        until(path.exists, f"{path} to be there")
        self.socket.connect(str(path))
        self.lines = self.socket.makefile("r")

    def ask(self, command, **more):
        return self.say(json.dumps({"command": command, **more}))

    def say(self, line):
        self.socket.sendall(line.encode() + b"\n")
        return json.loads(self.lines.readline())


@pytest.fixture
def control(start_pysurge, tmp_path):
    """Starts a run with a control socket in its folder, gives the process and a client once iterations start."""
    clients = []

    def start(*tests, flags="--workers 2", **more):
        running = start_pysurge(f"run c.yml --control {tmp_path}/control {flags}", project(*tests, **more))
        wait_for_starts(tmp_path, 3)
        clients.append(Client(tmp_path / "control"))
        return running, clients[-1]

    yield start
    for client in clients:
        client.lines.close()
        client.socket.close()


def test_nothing_starts_during_a_pause_and_nothing_is_made_up_for(control, tmp_path):
    rate, duration_s = 50, 3
    running, client = control({"rate": rate}, duration=f"{duration_s}s")
    answer = client.ask("pause")
    assert (answer["ok"], answer["state"]) == (True, "paused")
    assert answer["effective_s"] <= answer["elapsed_s"] + 1
    until(lambda: client.ask("status")["elapsed_s"] > answer["effective_s"] + 0.1, "the pause to hold")
    # Whoever was late may still have started; from now on nobody does.
    time.sleep(0.3)
    before = starts(tmp_path)
    time.sleep(1.2)
    assert starts(tmp_path) == before
    resumed = client.ask("resume")
    assert resumed["state"] == "running"
    assert running.wait() == 0
    result = summary(tmp_path)
    assert result["account"] == account(passed=rate * duration_s)
    assert result["paused_s"] == pytest.approx(resumed["effective_s"] - answer["effective_s"], abs=0.002)
    assert result["duration_s"] == duration_s
    assert [change["paused"] for change in result["changes"]] == [True, False]
    # No burst: in no window are there more than the rate plans, but for what was late.
    after = [at for at in starts(tmp_path) if at > before[-1]]
    late = result["tests"][0]["lateness"]["max_s"] + 0.25
    for first, at in enumerate(after):
        inside = sum(1 for other in after[first:] if other <= at + 0.5)
        assert inside <= rate * (0.5 + late) + 1
    assert "paused" in run_log(tmp_path)
    assert "resumed" in run_log(tmp_path)


def test_a_change_of_rate_holds_in_all_workers_from_one_instant(control, tmp_path):
    running, client = control({"rate": 40}, duration="4s", flags="--workers 3")
    answer = client.ask("scale", factor=2.5)
    assert (answer["ok"], answer["factor"]) == (True, 2.5)
    assert running.wait() == 0
    result = summary(tmp_path)
    at_s = answer["effective_s"]
    expected = 40 * at_s + 100 * (4 - at_s)
    assert abs(result["account"]["planned"] - expected) <= 1
    assert result["account"]["passed"] == result["account"]["planned"]
    assert result["factor"] == 2.5
    assert result["changes"] == [{"at_s": at_s, "paused": False, "factor": 2.5}]


def test_users_are_scaled_too(control, tmp_path):
    body = "def run(self):\n    note('start', time.clock_gettime(time.CLOCK_MONOTONIC))\n    time.sleep(0.02)"
    running, client = control({"users": 4}, body=body)
    client.ask("scale", factor=2)
    until(lambda: client.ask("status")["in_flight"] == 8, "8 users")
    client.ask("scale", factor=0.5)
    until(lambda: client.ask("status")["in_flight"] == 2, "2 users")
    client.ask("pause")
    until(lambda: client.ask("status")["in_flight"] == 0, "nobody")
    client.ask("resume")
    until(lambda: client.ask("status")["in_flight"] == 2, "2 users again")
    assert client.ask("stop")["state"] == "stopping"
    assert running.wait() == 0
    result = summary(tmp_path)["account"]
    assert result["planned"] == result["passed"] == len(starts(tmp_path))


def test_a_stop_by_the_socket_is_a_graceful_one(control, tmp_path):
    body = "def run(self):\n    note('start', time.clock_gettime(time.CLOCK_MONOTONIC))\n    time.sleep(1)"
    running, client = control({"rate": 20}, body=body)
    assert client.ask("stop")["state"] == "stopping"
    assert client.ask("pause") == {"ok": False, "error": "the run is stopping"}
    assert running.wait() == 0
    result = summary(tmp_path)["account"]
    assert result["planned"] == result["passed"] > 0


def test_stop_now_abandons_what_runs(control, tmp_path):
    body = "def run(self):\n    note('start', time.clock_gettime(time.CLOCK_MONOTONIC))\n    time.sleep(600)"
    running, client = control({"rate": 20}, body=body)
    client.ask("stop_now")
    assert running.wait() == 130
    assert summary(tmp_path)["account"]["interrupted"] >= 3


def test_a_run_can_be_stopped_while_it_is_paused(control, tmp_path):
    running, client = control({"rate": 50}, duration="1m")
    client.ask("pause")
    client.ask("stop")
    assert running.wait() == 0
    result = summary(tmp_path)
    assert result["account"]["planned"] == result["account"]["passed"] == len(starts(tmp_path))


def test_iterations_are_exact_through_pauses_and_factors(control, tmp_path):
    running, client = control({"rate": 100, "iterations": 150}, {"users": 2, "iterations": 151, "pacing": "10ms"})
    for factor in (0.5, 3):
        client.ask("pause")
        client.ask("scale", factor=factor)
        client.ask("resume")
    assert running.wait() == 0
    assert [test["account"] for test in summary(tmp_path)["tests"]] == [account(passed=150), account(passed=151)]


def test_what_is_not_understood_is_refused_and_the_run_goes_on(control, tmp_path):
    running, client = control({"rate": 20})
    for line in ("", "pause", '{"command": "dance"}', '{"command": "scale", "factor": 0}', '{"command": "pause", "now": 1}'):
        answer = client.say(line)
        assert answer["ok"] is False
        assert answer["error"]
    assert client.ask("status")["state"] == "running"
    running.signal(signal.SIGINT)
    assert running.wait() == 0


def test_the_socket_is_the_users_alone_and_goes_with_the_run(control, tmp_path):
    running, client = control({"rate": 20})
    assert file_stat.S_IMODE((tmp_path / "control").stat().st_mode) == 0o600
    client.ask("stop")
    assert running.wait() == 0
    assert not (tmp_path / "control").exists()


def test_the_command_controls_the_one_run_there_is(start_pysurge, run_pysurge, tmp_path):
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    env = {"XDG_RUNTIME_DIR": str(runtime)}
    nobody = run_pysurge("control status", env=env)
    assert nobody.returncode == 2
    assert nobody.stderr
    running = start_pysurge("run c.yml", project({"rate": 20}, name="mine"), env=env)
    wait_for_starts(tmp_path, 3)
    shown = run_pysurge("control status", env=env)
    assert shown.returncode == 0, shown.stderr
    assert "mine" in shown.stdout
    assert "running" in shown.stdout
    assert "paused" in run_pysurge("control pause", env=env).stdout
    assert "running" in run_pysurge("control resume", env=env).stdout
    assert "1.5" in run_pysurge("control scale 1.5", env=env).stdout
    assert run_pysurge("control scale 0", env=env).returncode == 2
    assert run_pysurge("control stop", env=env).returncode == 0
    assert running.wait() == 0
    assert not list((runtime / "pysurge").glob("*.sock"))


# Keys, on a terminal.


@pytest.fixture
def keys(start_on_terminal, tmp_path):
    """Starts a run on a terminal, gives it once iterations start."""

    def start(*tests, flags="--workers 1", **more):
        terminal = start_on_terminal(f"run c.yml {flags}", project(*tests, **more))
        wait_for_starts(tmp_path, 3)
        return terminal

    return start


def local_modes(terminal):
    return termios.tcgetattr(terminal.fd)[3]


def test_keys_pause_scale_and_stop(keys, tmp_path):
    terminal = keys({"rate": 40})
    assert not local_modes(terminal) & (termios.ICANON | termios.ECHO)
    terminal.press(b"p")
    terminal.err.wait_for("PAUSED")
    terminal.press(b"p")
    terminal.err.wait_for("resumed")
    terminal.press(b"+")
    terminal.err.wait_for(r"x ?1\.1")
    terminal.press(b"h")
    terminal.err.wait_for("pause")
    terminal.press(b"s")
    assert terminal.wait() == 0
    result = summary(tmp_path)
    assert (result["stop_cause"], result["factor"]) == ("signal", 1.1)
    assert result["paused_s"] > 0
    # The terminal is as it was.
    assert local_modes(terminal) & termios.ICANON
    assert local_modes(terminal) & termios.ECHO


@pytest.mark.parametrize(("seconds", "presses", "code"), [(0, 1, 0), (600, 2, 130)])
def test_the_terminal_is_restored_after_ctrl_c(keys, tmp_path, seconds, presses, code):
    terminal = keys({"rate": 40}, body=NOTES + f"    time.sleep({seconds})")
    for press in range(presses):
        terminal.press(CTRL_C)
        terminal.err.wait_for("stopping", count=press + 1)
    assert terminal.wait() == code
    assert (summary(tmp_path)["account"]["interrupted"] > 0) == (presses == 2)
    assert local_modes(terminal) & termios.ICANON
    assert local_modes(terminal) & termios.ECHO


def test_ctrl_z_is_a_pause(keys, tmp_path):
    terminal = keys({"rate": 50, "iterations": 100})
    terminal.press(b"\x1a")
    until(lambda: stopped(terminal.pid), "the process to stop")
    assert local_modes(terminal) & termios.ICANON
    assert workers_run(terminal)
    time.sleep(0.3)
    before = len(starts(tmp_path))
    time.sleep(1)
    assert len(starts(tmp_path)) == before
    os.kill(terminal.pid, signal.SIGCONT)
    assert terminal.wait() == 0
    result = summary(tmp_path)
    assert result["account"] == account(passed=100)
    assert result["paused_s"] > 1
    assert result["verdict"]["validity"] != "invalid"
    assert local_modes(terminal) & termios.ICANON


def test_a_paused_run_stays_paused_through_ctrl_z(keys, tmp_path):
    terminal = keys({"rate": 50})
    terminal.press(b"p")
    terminal.err.wait_for("PAUSED")
    terminal.press(b"\x1a")
    until(lambda: stopped(terminal.pid), "the process to stop")
    os.kill(terminal.pid, signal.SIGCONT)
    until(lambda: not stopped(terminal.pid), "the process to go on")
    time.sleep(0.3)
    before = len(starts(tmp_path))
    time.sleep(0.7)
    assert len(starts(tmp_path)) == before
    terminal.press(b"p")
    wait_for_starts(tmp_path, before + 3)
    terminal.press(CTRL_C)
    assert terminal.wait() == 0


def stopped(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as text:
        return text.read().rpartition(")")[2].split()[0] == "T"
    return False


def workers_run(terminal):
    return all(not stopped(pid) for pid in terminal.workers(1))
