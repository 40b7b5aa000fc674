"""What reaches the workers of `pysurge.run`: classes of modules and scripts, what only this process knows, notebooks."""

import re
import sys

import pytest
from scripts import HEAD, QUICK, WITHOUT_CLOUDPICKLE, needs_cloudpickle, script

# -- what reaches the workers ------------------------------------------------------------------------------------------


def test_a_class_of_a_module_goes_by_its_name(run_script):
    module = "from pysurge import TestCase\n\nclass Inner:\n    class Case(TestCase):\n        def run(self): pass\n"
    run_script(
        """
        import pack.mod
        result = pysurge.run(pack.mod.Inner.Case, rate=10, duration=0.5)
        assert result.tests[0].target == "pack.mod.Inner.Case"
        """,
        files={"pack/__init__.py": "", "pack/mod.py": module},
    )


def test_the_script_is_imported_up_to_its_first_run(run_script, tmp_path):
    done = run_script(
        """
        import os
        with open("imports", "a") as file:
            file.write(f"{os.getpid()}\\n")

        class Here(pysurge.TestCase):
            def run(self):
                assert helper() == 5

        def helper():
            return 5

        result = pysurge.run(Here, rate=10, duration=0.5, workers=2)
        assert result.passed_all
        print("below")
        with open("below", "a") as file:
            file.write("x")
        again = pysurge.run(Here, rate=10, duration=0.5, workers=2)
        assert again.passed_all
        """,
    )
    assert done.stdout == "below\n"
    assert (tmp_path / "below").read_text() == "x"
    assert len((tmp_path / "imports").read_text().split()) == 1 + 2 + 2


def test_a_guard_does_no_harm(run_script):
    run_script(
        QUICK,
        """
        if __name__ == "__main__":
            assert pysurge.run(Quick, rate=10, duration=0.5).passed_all
        """,
    )


def test_a_script_that_catches_everything_does_not_fire_twice(run_script):
    done = run_script(
        QUICK,
        """
        try:
            result = pysurge.run(Quick, rate=10, duration=0.5)
        except:
            print("caught")
        print(result.passed)
        """,
    )
    assert done.stdout == "5\n"


def test_a_run_from_a_thread_and_two_at_the_same_time(run_script):
    run_script(
        QUICK,
        """
        import concurrent.futures
        with concurrent.futures.ThreadPoolExecutor() as pool:
            runs = [pool.submit(pysurge.run, Quick, rate=rate, duration=1, workers=1) for rate in (10, 20)]
            results = [run.result() for run in runs]
        assert [result.passed for result in results] == [10, 20]
        """,
    )


def test_from_a_running_event_loop(run_script):
    run_script(
        QUICK,
        """
        import asyncio

        async def main():
            here = pysurge.run(Quick, rate=10, duration=0.5)
            there = await asyncio.to_thread(pysurge.run, Quick, rate=10, duration=0.5)
            return here, there

        assert [result.passed for result in asyncio.run(main())] == [5, 5]
        """,
    )


LOCAL = """
        def make():
            limit = 7

            class Local(pysurge.TestCase):
                def run(self):
                    assert limit == 7 and helper() == 5

            return Local

        def helper():
            return 5
"""


@needs_cloudpickle
def test_what_no_worker_could_import_is_sent(run_script, tmp_path):
    temp = tmp_path / "temp"
    temp.mkdir()
    run_script(
        LOCAL,
        """
        result = pysurge.run([pysurge.Test(make(), rate=10), pysurge.Test(make(), rate=10)], duration=0.5)
        assert result.passed_all and len(result.tests) == 2

        class Below(pysurge.TestCase):
            def run(self):
                assert make() and helper() == 5

        assert pysurge.run(Below, rate=10, duration=0.5).passed_all
        """,
        env={"TMPDIR": str(temp)},
    )
    assert list(temp.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (LOCAL + "\n        pysurge.run(make())", ["inside `make()`", "to the top of its module"]),
        ("        pysurge.run(lambda: None)", ["a lambda has no name"]),
        (
            "        class A(pysurge.TestCase):\n            def run(self): pass\n"
            "        pysurge.run(A, rate=5, duration=0.2)\n        class B(A): pass\n        pysurge.run(B)",
            ["`B` is defined below the first `pysurge.run(…)`", "above"],
        ),
    ],
)
def test_without_cloudpickle_it_is_told_what_to_do(run_script, code, words):
    done = run_script(WITHOUT_CLOUDPICKLE, code, fails=True)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("pysurge.ConfigError: ")
    assert "pip install cloudpickle" in last
    for word in words:
        assert word in last


@needs_cloudpickle
def test_what_cannot_be_pickled_or_is_too_large_is_told(run_script):
    done = run_script(
        """
        import threading
        from pysurge import _ship
        _ship.MAX_SHIPPED_BYTES = 100_000

        def case(thing):
            class Case(pysurge.TestCase):
                def run(self):
                    assert thing
            return Case

        for thing in (threading.Lock(), "x" * 200_000):
            try:
                pysurge.run(case(thing))
            except pysurge.ConfigError as error:
                print(error)
        """,
    )
    assert "`Case` cannot be sent to worker processes: TypeError" in done.stdout
    assert "must be made in the worker" in done.stdout
    assert re.search(r"it has 2\d\d,\d\d\d bytes, more than 100,000", done.stdout), done.stdout


def test_a_module_that_starts_a_run_while_it_is_imported_is_told_of(run_script):
    module = script(QUICK, "pysurge.run(Quick, rate=5, duration=0.3)")
    done = run_script("import load", files={"load.py": module}, fails=True)
    assert "module `load` starts a run while it is still being imported" in done.stderr


def test_a_test_cannot_start_a_run(run_script):
    run_script(
        """
        class Nested(pysurge.TestCase):
            def run(self):
                pysurge.run(Nested)

        result = pysurge.run(Nested, rate=5, duration=0.4, rehearsal=False)
        assert result.failed == 2
        assert "a worker has come to where a run is started" in result.failures[0].message
        """,
    )


# -- notebooks ---------------------------------------------------------------------------------------------------------

NOTEBOOK = """
import sys, types
main = types.ModuleType("__main__")
main.__builtins__ = __builtins__
sys.modules["__main__"] = main
for cell in CELLS:
    exec(compile(cell, "<cell>", "exec"), main.__dict__)
"""

CELLS = [
    HEAD + QUICK,
    "def helper():\n    return 5\n\nclass Cell(Quick):\n    def run(self):\n        assert helper() == 5\n",
    "result = pysurge.run(Cell, rate=10, duration=0.5)\nassert result.passed_all, str(result)",
]


@needs_cloudpickle
def test_a_notebook(run_pysurge):
    files = {"notebook.py": NOTEBOOK.replace("CELLS", repr(CELLS))}
    done = run_pysurge(["notebook.py"], files, program=[sys.executable])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_notebook_without_cloudpickle_is_told_what_to_do(run_pysurge):
    files = {"notebook.py": WITHOUT_CLOUDPICKLE + NOTEBOOK.replace("CELLS", repr(CELLS))}
    done = run_pysurge(["notebook.py"], files, program=[sys.executable])
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "`Cell` is defined in a notebook or at a prompt" in last
    assert "pip install cloudpickle" in last
    assert "%%writefile load.py" in last
    assert "from load import Cell" in last


def test_a_notebook_runs_what_a_module_holds(run_pysurge):
    files = {
        "load.py": HEAD + QUICK,
        "notebook.py": WITHOUT_CLOUDPICKLE
        + NOTEBOOK.replace(
            "CELLS", repr(["from load import *", "assert pysurge.run(Quick, rate=10, duration=0.5).passed_all"])
        ),
    }
    done = run_pysurge(["notebook.py"], files, program=[sys.executable])
    assert (done.returncode, done.stderr) == (0, "")


IPYTHON = """
from IPython.core.interactiveshell import InteractiveShell
import os, signal, threading, time
shell = InteractiveShell.instance(colors="NoColor")
before = signal.getsignal(signal.SIGINT)
for cell in CELLS:
    outcome = shell.run_cell(cell)
    outcome.raise_error()
assert signal.getsignal(signal.SIGINT) is before
html = shell.display_formatter.format(shell.user_ns["result"])[0]["text/html"]
assert "Cell" in html, html

# The button that interrupts a kernel sends SIGINT.
def interrupt():
    time.sleep(3)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
outcome = shell.run_cell("slow = pysurge.run(Cell, rate=50, duration=60)")
assert isinstance(outcome.error_in_exec, KeyboardInterrupt), (outcome, str(shell.user_ns.get("slow")))
outcome = shell.run_cell("assert pysurge.last_result().passed > 0; pysurge.last_result().stop_cause")
assert outcome.result == "signal", outcome
assert signal.getsignal(signal.SIGINT) is before
"""


@needs_cloudpickle
def test_ipython(run_pysurge):
    pytest.importorskip("IPython")
    files = {"notebook.py": IPYTHON.replace("CELLS", repr(CELLS))}
    done = run_pysurge(["notebook.py"], files, program=[sys.executable])
    assert done.returncode == 0, done.stdout + done.stderr


def test_html_escapes_and_has_no_colours_of_its_own(run_script):
    done = run_script(
        """
        class Odd(pysurge.TestCase):
            def __str__(self):
                return "<script>alert('x')</script>"
            def run(self):
                raise ValueError("<b>bold</b> & more")
        result = pysurge.run(Odd, rate=10, duration=0.5, rehearsal=False, thresholds="failures < 1%", name="<i>")
        print(result._repr_html_())
        """,
    )
    assert "<script" not in done.stdout
    assert "<b>bold" not in done.stdout
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; more" in done.stdout
    assert "failures &lt; 1%" in done.stdout
    assert "color" not in done.stdout
