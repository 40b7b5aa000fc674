"""What tests print and log: whole lines, with worker and thread, bounded, and never twice."""

import re
import sys

import pytest
from support import account, case, config, report_in, run_log, summary

LINE = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} Worker-%s %s %s %s$"


def line(text, worker=r"\d", thread=r"Case-\d+", stream="STDOUT"):
    return re.compile(LINE % (worker, thread, stream, text), re.M)


def test_prints_are_whole_lines_with_worker_and_thread(run_pysurge, tmp_path):
    body = """
max_duration = 20
barrier = threading.Barrier(10)

def run(self):
    self.barrier.wait(timeout=30)
    for number in range(20):
        print("begin", end=" ")
        time.sleep(0)
        sys.stdout.write("mid")
        print("dle", number, flush=True)
        print("trouble", number, file=sys.stderr)
    print("two\\nlines", end="")
    print()
    sys.stdout.writelines(["a", "b\\n"])
"""
    done = run_pysurge("run c.yml -d 1s --workers 1 --no-rehearsal", case(body, rate=10))
    assert summary(tmp_path)["account"] == account(passed=10)
    for where in (done.stdout, run_log(tmp_path)):
        assert len(line(r"begin middle \d+").findall(where)) == 200
        for text in ("two", "lines", "ab"):
            assert len(line(text).findall(where)) == 10, text
    assert len(line(r"trouble \d+", stream="STDERR").findall(done.stderr)) == 200
    assert len(line(r"trouble \d+", stream="STDERR").findall(run_log(tmp_path))) == 200
    assert len({match.split()[3] for match in line(r"begin middle \d+").findall(done.stdout)}) == 10


def test_what_has_no_end_of_line_is_shown_when_its_thread_or_the_worker_ends(run_pysurge, tmp_path):
    body = """
def run(self):
    thread = threading.Thread(target=lambda: print("of a thread", end=""), name="mine")
    thread.start()
    thread.join()
    print("of the pool", end="")

@classmethod
def shutdown(cls):
    print("of the worker", end="")
"""
    done = run_pysurge("run c.yml -d 200ms --workers 1 --no-rehearsal", case(body, rate=10))
    assert summary(tmp_path)["account"] == account(passed=2)
    assert len(line("of a thread", thread="mine").findall(done.stdout)) == 2
    # Where the thread goes on to the worker's end, the text comes through the pipe.
    assert "of the worker" in run_log(tmp_path)
    assert run_log(tmp_path).count("of the pool") == 2


def test_the_streams_are_as_user_code_expects_them(run_pysurge, tmp_path):
    body = """
def run(self):
    import contextlib, io, warnings
    for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
        assert stream.fileno() == number and not stream.isatty()
        assert stream.encoding == "utf-8" and stream.errors == "backslashreplace"
        assert stream.writable() and not stream.readable() and not stream.closed
        assert stream.name and stream.mode
        assert isinstance(stream, io.TextIOBase)
        stream.reconfigure(line_buffering=True)
        stream.buffer.write(b"bytes\\n")
        stream.flush()
        try:
            stream.write(b"no text")
        except TypeError:
            pass
        else:
            raise AssertionError
        assert stream.write("abc\\n") == 4
    with contextlib.redirect_stdout(io.StringIO()) as mine:
        print("not to be shown")
    assert mine.getvalue() == "not to be shown\\n"
    print("half a pair \\ud800")
    print("x" * 100_000)
    warnings.warn("a warning of mine")
"""
    done = run_pysurge("run c.yml -d 100ms --workers 1 --no-rehearsal", case(body, rate=10))
    result = summary(tmp_path)
    assert result["account"] == account(passed=1), result["tests"][0]["failures"]
    assert line("abc").search(done.stdout)
    assert line("abc", stream="STDERR").search(done.stderr)
    assert "bytes\n" in done.stdout
    assert "not to be shown" not in done.stdout
    assert line(r"half a pair \\ud800").search(done.stdout)
    assert line("x{65536}").search(done.stdout)
    assert line(".*UserWarning: a warning of mine", stream="STDERR").search(done.stderr)


def test_printing_from_signal_handlers_destructors_and_forked_children(run_pysurge, tmp_path):
    body = """
@classmethod
def startup(cls):
    import signal
    def handler(*_):
        print("in a handler")
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    class Noisy:
        def __del__(self):
            print("in a destructor")
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        noisy = Noisy()
        noisy.itself = noisy
        print("in", end=" ")
        print("startup")
    signal.setitimer(signal.ITIMER_REAL, 0)

def run(self):
    print("unfinished", end="")
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        print("in a child")
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(pid, 0)
    print(" and finished")
"""
    run_pysurge("run c.yml -d 500ms --workers 1 --no-rehearsal", case(body, rate=10))
    result = summary(tmp_path)
    assert result["account"] == account(passed=5)
    log = run_log(tmp_path)
    assert len(line("unfinished and finished").findall(log)) == 5
    assert len(re.findall("stdout OUTPUT in a child$", log, re.M)) == 5
    main = [text.split("STDOUT ", 1)[1] for text in log.splitlines() if " MainThread STDOUT " in text]
    assert len(main) > 100
    # A handler may begin a line of its own in the middle of one: no text is lost, none is doubled.
    together = " ".join(main)
    begun = together.count("in") - together.count("in a handler") - together.count("in a destructor")
    assert begun == together.count("startup") > 10
    assert "in a handler" in together


FLOOD = """
def run(self):
    for number in range(2000):
        print("printed line", number)
        print("error line", number, file=sys.stderr)
"""


def test_a_flood_is_limited_on_the_terminal_and_whole_in_the_log(run_pysurge, tmp_path):
    done = run_pysurge("run c.yml -d 1s --workers 2 --no-rehearsal", case(FLOOD, rate=20))
    result = summary(tmp_path)
    printed = 2 * 20 * 2000
    pattern = re.compile(r"(?:printed|error) line \d+$", re.M)
    kept = len(pattern.findall(run_log(tmp_path)))
    shown = len(pattern.findall(done.stdout)) + len(pattern.findall(done.stderr))
    told = [int(n.replace(",", "")) for n in re.findall(r"… (\S+) more lines? this second are in run\.log", done.stderr)]
    assert kept + result["output_dropped"] >= printed >= kept
    assert 1_000 < shown < 10_000
    assert shown + sum(told) + result["output_dropped"] >= printed
    assert result["account"] == account(passed=20)


def test_log_records_are_in_the_same_limit_and_notices_are_not(run_pysurge, tmp_path):
    body = """
@classmethod
def startup(cls):
    raise ConnectionError("no database")

def run(self):
    pass
"""
    noisy = """
from pysurge import TestCase
import logging

class Noisy(TestCase):
    def run(self):
        for number in range(5000):
            logging.getLogger().warning("record %d", number)
"""
    files = {**case(body), "noisy.py": noisy, "c.yml": config(("case.Case", 1), ("noisy.Noisy", 10))}
    done = run_pysurge("run c.yml -d 1s --workers 1 --no-rehearsal", files)
    shown = len(re.findall(r"WARNING record \d+$", done.stdout, re.M))
    assert 1_000 < shown < 10_000
    assert re.search(r"… \S+ more lines this second are in run\.log", done.stderr)
    assert "no database" in done.stderr


def test_a_pipe_without_a_run_log_gets_every_line(run_pysurge):
    body = """
def run(self):
    for number in range(3000):
        print("printed line", number)
"""
    done = run_pysurge("run c.yml -d 100ms --workers 1 --no-results --no-rehearsal", case(body, rate=10))
    assert len(line(r"printed line \d+").findall(done.stdout)) == 3000
    assert "more lines" not in done.stderr


# -- logging -----------------------------------------------------------------------------------------------------------

LOGGING = """
import logging, logging.config
from pysurge import TestCase

def set_up():
    SETUP

PLACE

class Case(TestCase):
    @classmethod
    def startup(cls):
        IN_STARTUP

    def run(self):
        logging.getLogger("shop").warning("record of a run")
        logging.getLogger("shop").debug("whisper of a run")
"""

DICT_CONFIG = """logging.config.dictConfig({
        "version": 1,
        "formatters": {"f": {"format": "MINE %(levelname)s %(message)s"}},
        "handlers": {"h": {"class": "logging.HANDLER", "formatter": "f", OPTIONS}},
        "root": {"level": "DEBUG", "handlers": ["h"]},
    })"""

TO_STREAM = DICT_CONFIG.replace("HANDLER", "StreamHandler").replace("OPTIONS", "")
TO_FILE = DICT_CONFIG.replace("HANDLER", "FileHandler").replace("OPTIONS", '"filename": "mine.log"')
BASIC = 'logging.basicConfig(force=True, level=logging.DEBUG, format="MINE %(levelname)s %(message)s")'


@pytest.mark.parametrize("where", ["module", "startup"])
@pytest.mark.parametrize("setup", ["dict, stream", "dict, file", "basic"])
def test_a_record_is_shown_once_whoever_sets_up_logging(run_pysurge, tmp_path, setup, where):
    code = {"dict, stream": TO_STREAM, "dict, file": TO_FILE, "basic": BASIC}[setup]
    text = LOGGING.replace("SETUP", code)
    text = text.replace("PLACE", "set_up()" if where == "module" else "")
    text = text.replace("IN_STARTUP", "set_up()" if where == "startup" else "pass")
    files = {"case.py": text, "c.yml": "tests:\n- test_class: case.Case\n  rate: 10\n"}
    done = run_pysurge("run c.yml -d 500ms --workers 1 --no-rehearsal", files)
    assert summary(tmp_path)["account"] == account(passed=5)
    everything = done.stdout + done.stderr
    assert everything.count("record of a run") == 5
    if setup == "dict, file":
        # Its own handler works, and ours shows it in our format; whispers are for --debug.
        assert (tmp_path / "mine.log").read_text().count("MINE WARNING record of a run") == 5
        assert len(line("record of a run", stream="WARNING").findall(done.stdout)) == 5
        assert "whisper" not in everything
    else:
        # What it writes is shown as it writes it.
        assert len(line("MINE WARNING record of a run", stream="STDERR").findall(done.stderr)) == 5
        assert done.stderr.count("whisper of a run") == 5


def test_levels_that_user_code_sets_hold(run_pysurge, tmp_path):
    text = LOGGING.replace("PLACE", "logging.getLogger('shop').setLevel(logging.ERROR)").replace("SETUP", "pass")
    files = {"case.py": text.replace("IN_STARTUP", "pass"), "c.yml": "tests:\n- test_class: case.Case\n  rate: 10\n"}
    done = run_pysurge("run c.yml -d 200ms --workers 1", files)
    assert "record of a run" not in done.stdout + run_log(tmp_path)


def test_quiet_shows_no_prints(run_pysurge, tmp_path):
    done = run_pysurge("run c.yml -d 100ms --quiet", case("def run(self):\n    print('hello')\n", rate=20))
    assert "hello" not in done.stdout
    assert "hello" in run_log(tmp_path)
    assert done.stdout == report_in(done.stdout)


def test_a_script_prints_as_ever():
    # The stream of ours is for workers alone.
    assert type(sys.__stdout__).__module__ == "_io"
