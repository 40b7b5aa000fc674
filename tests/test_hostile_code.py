"""What user code does to its own process, a line of docs/reference/what-tests-may-do.md each.

Whatever it is, the command ends, every iteration is accounted for, nothing is left behind, and no traceback of ours is shown.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from support import Launcher, account, case, run_log, summary

RATE = 20
ITERATIONS = 10

# A run that ends by itself must have ended by then, on a busy machine too.
DEADLINE_S = 30

# A frame of ours in a traceback; the dump of all threads that a fatal signal leaves has no comma there.
OURS = re.compile(r'internal error|panicked|pysurge[/\\]_\w+\.py", line \d+, in')


@dataclass(frozen=True)
class Deed:
    """What a test does, and what becomes of it."""

    body: str
    # Ends of the iterations; None where a worker dies of it, and they are shared out.
    ends: Mapping[str, int] | None = field(default_factory=lambda: {"passed": ITERATIONS})
    # What must be told somewhere: a regular expression over both streams.
    told: str = ""
    code: int = 0
    head: str = ""
    entry: Mapping[str, Any] = field(default_factory=dict)
    args: str = "-d 500ms --workers 1"
    env: Mapping[str, str | None] = field(default_factory=dict)


FAILED = {"failed": ITERATIONS}


def run(code: str, /, **more: Any) -> Deed:
    """A deed of `run`."""
    indented = "\n    ".join(code.strip().splitlines())
    return Deed(f"def run(self):\n    {indented}\n", **more)


def startup(code: str, /, after: str = "pass", **more: Any) -> Deed:
    """A deed of `startup`, before iterations that do something else."""
    indented = "\n    ".join(code.strip().splitlines())
    return Deed(f"@classmethod\ndef startup(cls):\n    {indented}\n\ndef run(self):\n    {after}\n", **more)


def fires(launched: Any, folder: Any, deed: Deed) -> dict[str, Any]:
    """Run it, and check what holds for all."""
    files = case(deed.body, rate=RATE, **deed.entry)
    files["case.py"] = deed.head + files["case.py"]
    done = launched(f"run c.yml {deed.args}", files, env=deed.env, timeout=DEADLINE_S)
    shown = done.stdout + done.stderr
    assert done.returncode == deed.code, shown
    assert not OURS.search(shown + run_log(folder)), shown
    assert re.search(deed.told, shown), shown
    result = summary(folder)
    if deed.ends is not None:
        assert result["account"] == account(**deed.ends), shown
        assert [worker["end"] for worker in result["workers"]] == ["done"], shown
    return result


# What is raised is a failure of that iteration, whatever it is.

RAISED = {
    "sys.exit": ("sys.exit(3)", "SystemExit: 3"),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "GeneratorExit": ("raise GeneratorExit", "GeneratorExit"),
    "StopIteration": ("raise StopIteration(1)", "StopIteration: 1|RuntimeError: coroutine raised StopIteration"),
    "StopAsyncIteration": ("raise StopAsyncIteration", "StopAsyncIteration"),
    "MemoryError": ("raise MemoryError", "MemoryError"),
    "a BaseException of its own": ("raise Mine('mine')", "Mine: mine"),
    "CancelledError": ("import asyncio; raise asyncio.CancelledError", "CancelledError"),
    "endless recursion": ("self.run()", "RecursionError"),
    "an exception whose text raises": ("raise Unspeakable", "Unspeakable"),
    "an exception of 10 MB": ("raise ValueError('x' * 10_000_000)", "ValueError: x{100}"),
}

OWN = """
class Mine(BaseException):
    pass

class Unspeakable(Exception):
    def __str__(self):
        raise SystemExit(9)

"""


@pytest.mark.parametrize("kind", ["", "async "], ids=["thread", "coroutine"])
@pytest.mark.parametrize("name", RAISED)
def test_whatever_is_raised_fails_that_iteration(run_pysurge, tmp_path, name, kind):
    code, told = RAISED[name]
    if kind:
        code = code.replace("self.run()", "await self.run()")
    result = fires(run_pysurge, tmp_path, Deed(f"{kind}def run(self):\n    {code}\n", FAILED, code=3, head=OWN))
    (failure,) = result["tests"][0]["failures"]
    assert re.match(told, f"{failure['exception'].rpartition('.')[2]}: {failure['message']}")
    assert len(failure["message"]) < 2_000


@pytest.mark.parametrize("where", ["__init__", "setup", "teardown"])
def test_sys_exit_in_a_hook_is_an_exception_as_any(run_pysurge, tmp_path, where):
    # An error in teardown is told, and does not change the outcome.
    ends, code = ({"passed": ITERATIONS}, 0) if where == "teardown" else (FAILED, 3)
    # The first instance is made when the test is loaded: one that cannot be made there ends the run before it begins.
    body = f"def {where}(self, **kwargs):\n    if next(numbers) or {where != '__init__'}: sys.exit(3)\n\ndef run(self): pass\n"
    fires(run_pysurge, tmp_path, Deed(body, ends, "SystemExit", code))


# What ends the process costs what that worker had not told, and the others go on.

DEATHS = {
    "os._exit": ("os._exit(3)", "3"),
    "os._exit, as if all were well": ("os._exit(0)", "0"),
    "os.abort": ("os.abort()", "SIGABRT"),
    "a segfault": ("ctypes.string_at(0)", "SIGSEGV"),
    "SIGKILL to itself": ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
    "SIGKILL to its group": ("os.killpg(0, signal.SIGKILL)", "SIGKILL"),
    "SIGSEGV to itself": ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
    "an alarm that nobody handles": ("signal.setitimer(signal.ITIMER_REAL, 0.001); time.sleep(5)", "SIGALRM"),
    "all descriptors closed": ("os.closerange(0, 1 << 20)", "SIGKILL"),
    "exec of another program": ("os.execv('/bin/true', ['true'])", "0"),
    "exec of one that stays": ("os.execv('/bin/sleep', ['sleep', '60'])", "channel|SIGKILL"),
    "a limit of CPU time": (
        "import resource; resource.setrlimit(resource.RLIMIT_CPU, (0, 1))\nwhile True: pass",
        "SIGXCPU|SIGKILL",
    ),
}


@pytest.mark.parametrize("name", DEATHS)
def test_a_worker_that_a_test_ends_is_lost_and_the_others_go_on(run_pysurge, tmp_path, name):
    code, told = DEATHS[name]
    indented = "\n        ".join(code.splitlines())
    deed = Deed(
        f"def run(self):\n    if next(numbers) == 5 and first():\n        {indented}\n",
        ends=None,
        told=f"worker .*(?:{told})",
        args="-d 1s --workers 2",
        env={"PYTHONWARNINGS": "ignore"},
    )
    result = fires(run_pysurge, tmp_path, deed)
    assert result["account"]["planned"] == RATE
    assert result["account"]["passed"] >= RATE // 2
    assert result["account"]["passed"] + result["account"]["lost"] == RATE
    deaths = [worker["death"] for worker in result["workers"] if worker["end"] == "lost"]
    assert len(deaths) == 1


def test_a_worker_whose_event_loop_is_broken_ends(run_pysurge, tmp_path):
    body = "async def run(self):\n    if next(numbers) == 5 and first():\n        os.closerange(3, 1024)\n"
    result = fires(run_pysurge, tmp_path, Deed(body, None, "the event loop cannot go on", args="-d 1s --workers 2"))
    assert result["account"]["planned"] == RATE == result["account"]["passed"] + result["account"]["lost"]
    assert sum(worker["end"] == "lost" for worker in result["workers"]) == 1


# A process that user code forks is never a worker: once it comes back to us it ends.

FORK = """
pid = os.fork()
if pid == 0:
    note("child")
    {child}
os.waitpid(pid, 0)
note("parent")
"""

FORKS = {
    "and the child returns": run(FORK.format(child="return")),
    "and the child raises": run(FORK.format(child="raise ValueError('of the child')")),
    "and the child counts, logs and prints": run(
        FORK.format(child="pysurge.count('n', 1); pysurge.metric('m', 1); logging.error('x'); print('of the child'); return"),
        head="import pysurge\n",
    ),
    "in a coroutine": Deed(run(FORK.format(child="return")).body.replace("def", "async def")),
    "in a coroutine, and the child waits": Deed(
        "async def run(self):\n"
        "    import asyncio\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        note('child')\n"
        "        while True: await asyncio.sleep(0.001)\n"
        "    while os.waitpid(pid, os.WNOHANG)[0] == 0: await asyncio.sleep(0.001)\n"
        "    note('parent')\n",
    ),
    "in __init__": Deed(run(FORK.format(child="return")).body.replace("run(self)", "__init__(self)") + "\ndef run(self): pass"),
    "in setup": Deed(run(FORK.format(child="return")).body.replace("run(self)", "setup(self)") + "\ndef run(self): pass"),
    "in teardown": Deed(run(FORK.format(child="return")).body.replace("run(self)", "teardown(self)") + "\ndef run(self): pass"),
}


@pytest.mark.parametrize("name", FORKS)
def test_a_forked_child_that_comes_back_to_us_ends(run_pysurge, tmp_path, name):
    deed = FORKS[name]
    result = fires(run_pysurge, tmp_path, Deed(**{**vars(deed), "env": {"PYTHONWARNINGS": "ignore"}}))
    noted = (tmp_path / "journal").read_text().split()
    # An instance is made when the test is loaded, too.
    expected = ITERATIONS + (name == "in __init__")
    assert (noted.count("parent"), noted.count("child")) == (expected, expected)
    assert not result["tests"][0]["failures"]


@pytest.mark.parametrize("where", ["startup", "shutdown", "import"])
def test_a_child_forked_outside_iterations_ends_too(run_pysurge, tmp_path, where):
    fork = "pid = os.fork()\nif pid:\n    os.waitpid(pid, 0)\n"
    hook = f"@classmethod\ndef {where}(cls):\n    " + "\n    ".join(fork.splitlines())
    deed = Deed("def run(self): pass\n" + (hook if where != "import" else ""), head="import os\n" + fork * (where == "import"))
    fires(run_pysurge, tmp_path, deed)


def test_processes_of_all_kinds_work_in_a_test(run_pysurge, tmp_path):
    head = "import multiprocessing\n\ndef square(number):\n    return number * number\n"
    body = """
def run(self):
    for method in ("fork", "forkserver", "spawn"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            assert pool.map(square, [2, 3]) == [4, 9]
    assert subprocess.run(["cat"], input=b"x", capture_output=True).stdout == b"x"
    assert subprocess.run(["true"], preexec_fn=os.setsid).returncode == 0
"""
    # One after the other: a fork beside another thread that holds a lock of multiprocessing's is Python's own trap.
    deed = Deed(body, {"passed": 2}, args="--workers 1", entry={"iterations": 2, "max_threads": 1}, head=head)
    fires(run_pysurge, tmp_path, Deed(**{**vars(deed), "env": {"PYTHONWARNINGS": "ignore"}}))


# What is changed in the process stays changed, and the run goes on.

CHANGES = {
    "descriptors 0 to 10 closed": run("os.closerange(0, 11)"),
    "descriptors 3 to 1023 closed": run("os.closerange(3, 1024)"),
    "descriptors closed before coroutines": Deed(
        "def __init__(self):\n    os.closerange(0, 11)\n\nasync def run(self):\n    pass\n"
    ),
    "another folder, which is removed": run("os.makedirs('/tmp/x', exist_ok=True); os.chdir('/tmp/x')"),
    "umask": run("os.umask(0o777)"),
    "locale": run("import locale; locale.setlocale(locale.LC_ALL, '')", env={"LC_ALL": "C.UTF-8"}),
    "streams taken away": run("sys.stdout = sys.stderr = sys.stdin = None"),
    "streams replaced": run("import io; sys.stdout = sys.stderr = io.StringIO(); print('lost')"),
    "streams closed": run("sys.stdout.close(); sys.stderr.close(); sys.stdin.close()"),
    "the true streams closed": run("sys.__stdout__.close(); sys.__stderr__.close()"),
    "a recursion limit of next to nothing": startup(
        "for limit in range(1, 100):\n    try:\n        sys.setrecursionlimit(limit)\n    except RecursionError:\n"
        "        pass\n    else:\n        break\n",
        told="recursion limit",
    ),
    "a huge recursion limit": run("sys.setrecursionlimit(10**9)"),
    "a switch interval of a second": run("sys.setswitchinterval(1)"),
    "a switch interval of nothing": run("sys.setswitchinterval(1e-9)"),
    "tracing": run("sys.settrace(lambda *_: None); sys.setprofile(lambda *_: None)"),
    "tracing of all threads": startup("threading.settrace(lambda *_: None); threading.setprofile(lambda *_: None)"),
    "tracing that raises": run("def boom(*_): raise RuntimeError('tracer')\nsys.setprofile(boom)", ends=FAILED, code=3),
    "no garbage collection": run("import gc; gc.disable(); gc.freeze(); gc.set_threshold(1)"),
    "no logging": run("logging.disable(); logging.shutdown(); logging.getLogger().handlers.clear()"),
    "logging anew": run("logging.basicConfig(force=True, level=0); logging.info('x')"),
    "logging that raises": startup(
        "logging.Logger.handle = logging.Logger.error = None; logging.raiseExceptions = True", "pass"
    ),
    "another time": startup("time.time = time.sleep = time.monotonic = time.perf_counter = lambda *_: 1 / 0"),
    "no threads": startup("threading.Thread = None"),
    "no sockets": startup("import socket; socket.socket = None; socket.socketpair = None"),
    "no print": startup("import builtins; builtins.print = builtins.open = builtins.input = None"),
    "warnings as errors": run("import warnings; warnings.simplefilter('error')", env={"PYTHONWARNINGS": "error"}),
    "signals of all kinds": startup(
        "for number in signal.valid_signals():\n"
        "    if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33):\n"
        "        signal.signal(number, signal.SIG_IGN)\n"
    ),
    "signals that raise": startup(
        "def boom(*_): raise RuntimeError('handler')\n"
        "signal.signal(signal.SIGALRM, boom)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.2, 0.05)\n",
    ),
    "SIGINT and SIGTERM to itself": run("os.kill(os.getpid(), signal.SIGINT); os.kill(os.getpid(), signal.SIGTERM)"),
    "a session of its own": run("os.setpgid(0, 0) if next(numbers) else None"),
    "nice": run("os.nice(1)"),
    "no fault handler": run("import faulthandler; faulthandler.disable()"),
    "no core for it": run("os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"),
    "10 descriptors": startup("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (10, 10))"),
    "no environment": run("os.environ.clear()"),
    "no modules": run("sys.modules.clear(); sys.path.clear()", ends=None, code=0),
    "no names in the module": run("globals().clear()"),
    "a million metric names": run(
        "for _ in range(100_000): self.metrics[f'name {next(numbers)}'] = 1",
        ends={"passed": 10},
        told="999,900 metric values not counted",
    ),
    "a million names of checks and counts": run(
        "for _ in range(20_000):\n    pysurge.count(f'n{next(numbers)}', 1); pysurge.check(f'c{next(numbers)}', True)",
        head="import pysurge\n",
        told="not counted",
    ),
    "a destructor that raises": run("self.itself = Bad()", head="class Bad:\n    def __del__(self): raise SystemExit(1)\n"),
    "an atexit hook that raises": startup("def boom(): raise ValueError\natexit.register(boom)"),
    "threads that never end": run("threading.Thread(target=threading.Event().wait, daemon=True).start()"),
    "a thread that calls sys.exit": run("t = threading.Thread(target=sys.exit, args=(3,)); t.start(); t.join()"),
    "a thread that raises": run("t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()"),
    "a leak of 10 MB": run("LEAK.append(bytearray(10_000_000))", head="LEAK = []\n"),
    "a flood of logs": run("for n in range(20_000): logging.info('flooding with %d', n)"),
    "a flood of prints": run("for n in range(20_000): print('flooding with', n)"),
    "a flood of bytes": run("os.write(1, b'flooding\\n' * 100_000)"),
    "no more threads": startup("import resource; resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_changed_in_the_process_ends_no_run(run_pysurge, tmp_path, name):
    deed = CHANGES[name]
    result = fires(run_pysurge, tmp_path, deed)
    assert result["account"]["planned"] == ITERATIONS
    assert [worker["end"] for worker in result["workers"]] == ["done"]


KEPT = """
import threading

class Kept:
    def __del__(self, wait=threading.Event().wait):
        wait()

"""


def test_rows_of_a_long_file_are_read_though_descriptors_were_closed(run_pysurge, tmp_path):
    (tmp_path / "rows.csv").write_text("number,text\n" + "".join(f"{number},{'x' * 90}\n" for number in range(100_000)))
    body = "def run(self):\n    os.closerange(3, 1024)\n    assert len(self.data['text']) == 90\n"
    fires(run_pysurge, tmp_path, Deed(body, entry={"data": {"from": "rows.csv", "order": "random"}}))


# What would keep the process from ending is given up by a deadline, and costs no figure.

STAYS = {
    "a thread that is no daemon": run("threading.Thread(target=threading.Event().wait).start()"),
    "an atexit hook that hangs": startup("atexit.register(threading.Event().wait)"),
    "a destructor at the end that hangs": startup("sys.kept = Kept()", head=KEPT),
    "a child that outlives it": run("subprocess.Popen(['sleep', '60'])"),
    "a child of a group of its own, without its pipes": run(
        "kept.append(subprocess.Popen(['sleep', '0.5'], start_new_session=True, stdout=-3, stderr=-3))", head="kept = []\n"
    ),
    "a destructor that hangs": Deed(
        "def run(self):\n    self.hangs = Kept()\n",
        {"interrupted": ITERATIONS},
        code=3,
        head=KEPT,
        entry={"graceful_stop": "300ms"},
    ),
}


@pytest.fixture(scope="module")
def stays(tmp_path_factory):
    """All of them at once: some take as long as a process is given to end."""
    launchers = {name: Launcher(tmp_path_factory.mktemp("stays")) for name in STAYS}
    started = {}
    for name, launcher in launchers.items():
        deed = STAYS[name]
        files = case(deed.body, rate=RATE, **deed.entry)
        files["case.py"] = deed.head + files["case.py"]
        started[name] = launcher.start(f"run c.yml {deed.args}", files)
    yield started
    for launcher in launchers.values():
        launcher.close()


@pytest.mark.parametrize("name", STAYS)
def test_what_stays_is_left_behind_or_ended(stays, name):
    deed, running = STAYS[name], stays[name]
    assert running.wait() == deed.code, running.stderr
    running.leaves_nothing()
    assert not OURS.search(running.stdout + running.stderr)
    assert summary(running.folder)["account"] == account(**deed.ends)
