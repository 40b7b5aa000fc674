"""Threads of user code: they persist, they are enough, and what user code does with its streams hurts nobody."""

import re
import sqlite3
from contextlib import closing

from support import account, case, journal, report_in, run_log, summary


def test_what_is_kept_in_a_thread_is_there_in_the_next_iteration(run_pysurge, tmp_path):
    body = """
local = threading.local()

def run(self):
    self.local.seen = getattr(self.local, "seen", 0) + 1
    note(threading.current_thread().name, threading.get_ident(), self.local.seen)
"""
    run_pysurge("run c.yml -d 1s --workers 1", case(body, rate=50))
    seen = {}
    for name, ident, number in journal(tmp_path):
        seen.setdefault((name, ident), []).append(int(number))
    assert sum(map(len, seen.values())) == 50
    for numbers in seen.values():
        assert numbers == list(range(1, len(numbers) + 1))
    names = [name for name, _ in seen]
    assert len(set(names)) == len(names), "two threads of one name, or a thread that did not live on"
    assert all(name.startswith("Case") for name in names)


def test_as_many_run_at_once_as_the_schedule_asks_for(run_pysurge, tmp_path):
    # An iteration ends only when seven others run at the same time.
    body = """
max_duration = 30
barrier = threading.Barrier(8)

def run(self):
    self.barrier.wait(timeout=30)
"""
    done = run_pysurge("run c.yml -d 1s --workers 1", case(body, rate=16))
    assert done.returncode == 0, done.stdout
    assert summary(tmp_path)["account"] == account(passed=16)


def test_threads_are_bounded_by_max_threads_whatever_overruns(run_pysurge, tmp_path):
    body = """
max_duration = 0.1

def run(self):
    note(threading.current_thread().name)
    time.sleep(0.5)
"""
    run_pysurge("run c.yml -d 1s --workers 1", case(body, rate=30, max_threads=4))
    assert len({name for (name,) in journal(tmp_path)}) <= 4
    result = summary(tmp_path)["account"]
    assert result["dropped"] > 0
    assert result["passed"] + result["interrupted"] == len(journal(tmp_path))


def test_a_database_connection_per_thread(run_pysurge, tmp_path):
    with closing(sqlite3.connect(tmp_path / "load.db")) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE hit (pid, thread, size)")
    body = """
max_duration = 10
local = threading.local()

def setup(self):
    if not hasattr(self.local, "db"):
        # sqlite3 refuses to be used by another thread than the one that connected.
        self.local.db = sqlite3.connect("load.db", timeout=30)

def run(self):
    with self.local.db as db:
        row = (os.getpid(), threading.get_ident(), self.kwargs["size"])
        db.execute("INSERT INTO hit VALUES (?, ?, ?)", row)
    self.metrics["rows"] = self.local.db.execute("SELECT count(*) FROM hit").fetchone()[0]
"""
    done = run_pysurge("run c.yml -d 1s --workers 2", case(body, rate=60, kwargs={"size": 7}))
    assert done.returncode == 0, done.stdout
    assert summary(tmp_path)["account"] == account(passed=60)
    with closing(sqlite3.connect(tmp_path / "load.db")) as db:
        assert db.execute("SELECT count(*), sum(size), count(DISTINCT pid) FROM hit").fetchone() == (60, 420, 2)
    assert summary(tmp_path)["tests"][0]["metrics"]["rows"]["max"] == 60


def test_c_extensions_that_release_the_interpreter_on_many_threads(run_pysurge, tmp_path):
    body = """
context = ssl.create_default_context()

def run(self):
    coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = self.context.wrap_bio(coming, going, server_hostname="localhost")
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        pass
    hello = going.read()
    assert hello[0] == 22, hello
    digest = hashlib.sha256(zlib.compress(os.urandom(1 << 16))).digest()
    self.metrics["hello"] = len(hello) + 0 * digest[0]
"""
    done = run_pysurge("run c.yml -d 1s --workers 2", case(body, rate=40))
    assert done.returncode == 0, done.stdout
    assert summary(tmp_path)["account"] == account(passed=40)


def test_each_line_that_a_test_prints_is_shown_or_counted(run_pysurge, tmp_path):
    body = """
def run(self):
    for number in range(2000):
        print("printed line", number)
        print("error line", number, file=sys.stderr)
"""
    done = run_pysurge("run c.yml -d 1s --workers 2", case(body, rate=20))
    result = summary(tmp_path)
    assert result["account"] == account(passed=20)
    kept = len(re.findall(r"(?:printed|error) line \d+$", run_log(tmp_path), re.M))
    # Once more where the test was rehearsed.
    assert kept + result["output_dropped"] >= 2 * 20 * 2000
    assert kept <= 2 * 21 * 2000
    if result["output_dropped"]:
        assert "dropped" in done.stdout


def test_what_a_test_prints_is_whole_lines_that_never_mix_with_the_report(run_pysurge, tmp_path):
    body = """
def run(self):
    print("to sys.stdout")
    os.write(1, b"to descriptor 1\\n")
    os.write(2, b"to descriptor 2\\n")
    os.write(1, b"not \\xff text \\x1b[31m\\n")
    sys.stdout.write("no end of line")
    sys.stdout.flush()
    print("", flush=True)
    os.system("echo by a child")
"""
    done = run_pysurge("run c.yml -d 500ms --workers 2", case(body, rate=20))
    assert summary(tmp_path)["account"] == account(passed=10)
    lines = done.stdout.removesuffix(report_in(done.stdout)).splitlines()
    for text in ("to sys.stdout", "to descriptor 1", "no end of line", "by a child"):
        assert sum(line.endswith(text) for line in lines) == 10, done.stdout
    assert len(re.findall("to descriptor 2$", done.stderr, re.M)) == 10
    assert len(re.findall("OUTPUT to descriptor 1$", run_log(tmp_path), re.M)) == 10


def test_the_channel_to_the_manager_is_out_of_reach(run_pysurge, tmp_path):
    body = """
def run(self):
    assert sys.stdin.read() == ""
    assert os.read(0, 10) == b""
    os.write(1, b"\\x00\\x01\\x02 no message \\xff\\n" * 10)
    sys.stdout.close()
    sys.stderr.close()
"""
    done = run_pysurge("run c.yml -d 500ms --workers 1", case(body, rate=20))
    result = summary(tmp_path)
    assert [worker["end"] for worker in result["workers"]] == ["done"], done.stderr
    # Python's own streams leave their descriptors open when they are closed, so nothing here raises.
    assert result["account"] == account(passed=10)


def test_closed_descriptors_cost_output_and_nothing_else(run_pysurge, tmp_path):
    body = """
def run(self):
    for fd in (1, 2):
        try:
            os.close(fd)
        except OSError:
            pass
"""
    run_pysurge("run c.yml -d 500ms --workers 1", case(body, rate=20))
    result = summary(tmp_path)
    assert result["account"] == account(passed=10)
    assert [worker["end"] for worker in result["workers"]] == ["done"]


def test_log_records_of_many_threads_are_whole_lines(run_pysurge, tmp_path):
    body = """
max_duration = 30
barrier = threading.Barrier(10)

def run(self):
    self.barrier.wait(timeout=30)
    for number in range(50):
        logging.getLogger("mine").warning("record %d of %s", number, "x" * 100)
"""
    done = run_pysurge("run c.yml -d 1s --workers 1", case(body, rate=20))
    result = summary(tmp_path)
    assert result["account"] == account(passed=20)
    line = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} Worker-1 Case\S* WARNING record \d+ of x{100}$"
    shown = len(re.findall(line, done.stdout, re.M))
    assert shown == done.stdout.count("record ")
    assert shown + result["output_dropped"] == 20 * 50


def test_user_code_may_set_up_logging_anew(run_pysurge, tmp_path):
    body = """
@classmethod
def startup(cls):
    logging.basicConfig(force=True, level=logging.INFO, format="mine: %(message)s", stream=sys.stdout)

def run(self):
    logging.info("hello from %s", threading.current_thread().name)
    raise ValueError("no luck")
"""
    done = run_pysurge("run c.yml -d 500ms --workers 1", case(body, rate=20))
    assert summary(tmp_path)["account"] == account(failed=10)
    assert len(re.findall(r"mine: hello from Case", done.stdout)) == 10


def test_log_records_that_cannot_be_formatted_hurt_nobody(run_pysurge, tmp_path):
    body = """
def run(self):
    logging.info("no %d", "number")
    logging.disable()
    logging.shutdown()
"""
    done = run_pysurge("run c.yml -d 500ms --workers 1", case(body, rate=20))
    assert done.returncode == 0
    assert summary(tmp_path)["account"] == account(passed=10)


def test_texts_of_any_kind_reach_report_and_summary(run_pysurge, tmp_path):
    body = '''
"""Grüße, 日本語 und 🙂."""

def __str__(self):
    return "Fall \\U0001f642\\n\\x1b[31mrot"

def run(self):
    self.metrics["größe"] = 1
    raise ValueError("\\ud800 ungültig \\x1b[2J " + "x" * 100_000)
'''
    done = run_pysurge("run c.yml -d 500ms --workers 1", case(body, rate=20), env={"LC_ALL": "C"})
    test = summary(tmp_path)["tests"][0]
    assert test["account"] == account(failed=10)
    assert test["summary"] == "Grüße, 日本語 und 🙂."
    report = report_in(done.stdout)
    assert "\x1b" not in report
    assert "ungültig" in report
    assert "größe" not in report, "metrics of failed iterations are not kept"
    assert len(test["failures"][0]["message"]) < 20_000


def test_user_code_may_start_threads_and_processes(run_pysurge, tmp_path):
    body = """
def run(self):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(subprocess.check_output(["echo", "hello"])))
    thread.start()
    thread.join()
    assert answers == [b"hello\\n"]
"""
    done = run_pysurge("run c.yml -d 500ms --workers 2", case(body, rate=20))
    assert done.returncode == 0, done.stdout
    assert summary(tmp_path)["account"] == account(passed=10)
