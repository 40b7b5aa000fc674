"""What a person at a terminal sees while a run goes on, by a terminal emulator that is not ours."""

import json
import os
import re
import signal
import termios

from support import CTRL_C, case, report_in, summary, until

LOGGED = """
numbers = itertools.count()

def run(self):
    number = next(Case.numbers)
    if number % 10 == 0:
        logging.getLogger("case").info("line %d", number)
"""

FAILING = """

class Failing(Case):
    def run(self):
        raise AssertionError("status 503")
"""

# A line of the log above, and where the emulator has cut it.
LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} Worker-1 \S+ INFO line (\d+)$", re.M)

KEYS = " p pause   + faster   - slower   = as planned   s stop   h help"

TABLE = re.compile(r"^ test +rate/s +running +passed +failed +p50 +p95 +p99 (us|ms|s)\b", re.M)


def project(**top):
    module = "import itertools, logging\n" + case(LOGGED)["case.py"] + FAILING
    tests = [
        {"test_class": "case.Case", "rate": 40, "name": "quick"},
        {"test_class": "case.Failing", "rate": 3, "name": "failing"},
    ]
    return {"case.py": module, "c.yml": json.dumps({"tests": tests, **top})}


def wait_for_block(terminal, *found, keys=KEYS):
    """Wait until one block, no remains of another, and in it all of this, is seen, and give all that is seen.

    Half a frame may have come at any instant; but what is wrong on a screen stays there.
    """
    texts = []

    def is_seen():
        texts.append(terminal.look().text)
        is_one = len(TABLE.findall(texts[-1])) == 1 and texts[-1].endswith(f"\n{keys}") and texts[-1].count(keys) == 1
        return is_one and all(re.search(one, texts[-1], re.M) for one in found)

    try:
        until(is_seen, "the block", timeout=30)
    except AssertionError:
        raise AssertionError(f"no {found} in:\n{texts[-1]}") from None
    return texts[-1]


def shows_none(terminal):
    text = terminal.look().text
    return not TABLE.search(text) and KEYS not in text


def is_whole(log):
    """Whether no line of it was eaten, and none came twice."""
    numbers = [int(number) for number in LINE.findall(log)]
    return len(numbers) > 1 and numbers == list(range(0, numbers[-1] + 10, 10))


def test_a_block_of_lines_survives_log_lines_and_resizes_and_leaves_nothing(start_on_terminal, tmp_path):
    terminal = start_on_terminal("run c.yml --workers 1", project())
    wait_for_block(
        terminal,
        r"^ quick +.*[▁▂▃▄▅▆▇█]$",
        r"^ failing +.*[1-9]",
        r"^ \d+ . AssertionError: status 503   case.py:\d+ in run, failing$",
        r"^ (valid|degraded|invalid) so far",
        r"^ all 2 tests +\S+ of 43 ",
    )
    for columns in (80, 100):
        terminal.resize(columns)
        enough = terminal.err.data.count(b"INFO line") + 8
        # Two seconds: more than one frame, and lines among them.
        terminal.err.wait_for("INFO line", count=enough)
        wait_for_block(terminal)
        until(lambda: is_whole(terminal.look().text), "a whole log")
    terminal.press(CTRL_C)
    assert terminal.wait() == 0
    assert shows_none(terminal)
    seen = terminal.look()
    assert is_whole(seen.text)
    assert seen.is_sane()
    modes = termios.tcgetattr(terminal.fd)[3]
    assert modes & termios.ICANON
    assert modes & termios.ECHO
    # The report is laid out for the width of now.
    assert max(len(line) for line in report_in(seen.text).splitlines()) <= 100
    assert re.search("─{70}$", report_in(seen.text), re.M)
    assert summary(tmp_path)["account"]["failed"] > 0


def test_keys_change_what_is_seen(start_on_terminal):
    terminal = start_on_terminal("run c.yml --workers 1 -d 1h", project())
    wait_for_block(terminal, r"left of 1h00m  ")
    terminal.press(b"p")
    wait_for_block(terminal, r"left of 1h00m  PAUSED", keys=KEYS.replace("pause", "resume"))
    terminal.press(b"p")
    terminal.press(b"+")
    wait_for_block(terminal, r"left of 1h00m  x1\.1")
    terminal.press(b"s")
    assert terminal.wait() == 0
    assert shows_none(terminal)
    assert terminal.look().is_sane()


def test_a_suspended_run_gives_the_terminal_back_and_draws_again_when_it_goes_on(start_on_terminal):
    terminal = start_on_terminal("run c.yml --workers 1", project())
    wait_for_block(terminal)
    terminal.press(b"\x1a")
    until(lambda: is_stopped(terminal.pid), "the process to stop")
    until(lambda: shows_none(terminal), "the block to be gone")
    assert terminal.look().is_sane()
    os.kill(terminal.pid, signal.SIGCONT)
    wait_for_block(terminal)
    terminal.press(CTRL_C)
    assert terminal.wait() == 0
    assert shows_none(terminal)


def is_stopped(pid):
    with open(f"/proc/{pid}/stat") as text:
        return text.read().rpartition(")")[2].split()[0] == "T"


def test_where_a_terminal_can_only_print_there_are_plain_lines(start_on_terminal):
    terminal = start_on_terminal("run c.yml --workers 1 -d 1s", project(), env={"TERM": "dumb"})
    assert terminal.wait() == 0
    assert "\x1b" not in terminal.screen
    assert "\r" not in terminal.screen.replace("\r\n", "\n")
