"""`pysurge.run` from scripts, from pytest and from notebooks."""

import re
import signal
import subprocess
import sys

import pytest
from scripts import HEAD, QUICK, needs_cloudpickle, script
from support import CTRL_C, REPOSITORY, account, checked_summary, until


def test_a_script_needs_no_guard_and_prints_nothing_of_itself(run_script):
    done = run_script(
        QUICK,
        """
        print("once")
        result = pysurge.run(Quick, rate=20, duration=1, kwargs={"size": 3}, name="small")
        test = result.tests["Quick"]
        assert test is result.tests[0] is result.tests["<Quick kwargs={'size': 3}>"]
        assert (result.planned, result.passed, result.failed, result.dropped) == (20, 20, 0, 0)
        assert result.ok and result.passed_all and result.exit_code == 0
        assert result.folder is None and result.name == "small" and result.stop_cause == "duration"
        assert 0.001 < test.service_time.p50 <= test.response_time.p95 <= test.response_time.max < 5
        assert (test.metrics["size"].mean, test.metrics["size"].count) == (3, 20)
        assert (test.checks["even"].passed, test.checks["even"].share) == (20, 1)
        assert test.timers["step"].passed.count == 20
        assert test.counts["things"] == 40
        assert (test.asked_rate, test.not_run) == (20, None)
        assert result.summary["account"]["passed"] == 20
        assert result.verdict.validity in ("valid", "degraded", "invalid")
        assert "planned" in str(result) and "20 of 20 passed" in repr(result)
        result.raise_for_failure()
        """,
    )
    assert done.stdout == "once\n"
    assert done.stderr == ""


def test_what_is_measured_is_frozen(run_script):
    run_script(
        QUICK,
        """
        import dataclasses
        result = pysurge.run(Quick, rate=10, duration=0.3)
        import copy, pickle
        for again in (copy.deepcopy(result), pickle.loads(pickle.dumps(result))):
            assert str(again) == str(result) and again.account == result.account
        assert pickle.loads(pickle.dumps(result.tests[0])) == result.tests[0]
        for change in (
            lambda: setattr(result, "name", "x"),
            lambda: setattr(result.tests[0].account, "passed", 1),
        ):
            try:
                change()
            except dataclasses.FrozenInstanceError:
                pass
            else:
                raise AssertionError("it was changed")
        try:
            result.summary["name"] = "x"
        except TypeError:
            pass
        else:
            raise AssertionError("it was changed")
        """,
    )


def test_the_default_load_is_one_a_second_for_thirty_seconds():
    from pysurge._run import Test, _Asked
    from pysurge._ship import Shipment

    def config(test, duration=None, **keys):
        return _Asked(Shipment(), keys, duration).config(test)

    entry = {"test": "a.b"}
    assert config("a.b") == {"tests": [{**entry, "rate": 1, "duration": "30s"}]}
    assert config("a.b", rate=5) == {"tests": [{**entry, "rate": 5, "duration": "30s"}]}
    assert config("a.b", users=5, iterations=3) == {"tests": [{**entry, "users": 5, "iterations": 3}]}
    assert config("a.b", 2.5) == {"tests": [{**entry, "rate": 1}], "duration": "2500000000ns"}
    assert config("a.b", "5m", warmup=1) == {"tests": [{**entry, "rate": 1, "warmup": "1000000000ns"}], "duration": "5m"}
    assert config("a.b", float("inf")) == {"tests": [{**entry, "rate": 1}]}
    stages = ({"duration": 1, "rate": 5},)
    written = [{"duration": "1000000000ns", "rate": 5}]
    assert config("a.b", stages=stages) == {"tests": [{**entry, "stages": written}]}
    several = [Test("a.b", users=2, kwargs={"x": 1}), "c.d"]
    assert config(several, 1, rate=7, kwargs={"y": 2}) == {
        "duration": "1000000000ns",
        "tests": [
            {**entry, "users": 2, "kwargs": {"x": 1, "y": 2}},
            {"test": "c.d", "rate": 7, "kwargs": {"y": 2}},
        ],
    }
    assert config({"tests": [{"test_class": "a.B", "rate": 1}], "x": 1}, "1s") == {
        "tests": [{"test_class": "a.B", "rate": 1}],
        "x": 1,
        "duration": "1s",
    }


def test_several_tests_at_once(run_script):
    run_script(
        QUICK,
        """
        class Slow(Quick):
            pass

        tests = [pysurge.Test(Quick, rate=20), pysurge.Test(Slow, users=2, iterations=6, name="slow", tags=["x"])]
        result = pysurge.run(tests, duration="1s", thresholds=["failures < 1%"])
        assert [test.name for test in result.tests] == ["Quick", "slow"], result.tests
        assert (result.tests["Quick"].passed, result.tests["slow"].passed) == (20, 6)
        assert result.tests["slow"].tags == ("x",)
        assert result.tests["Slow"] is result.tests["slow"]
        assert [(each.expression, each.state) for each in result.thresholds] == [("failures < 1%", "passed")]
        try:
            result.tests["quick"]
        except KeyError as error:
            assert "'Quick', 'slow'" in str(error)
        """,
    )


def test_a_whole_config_is_taken_as_it_is(run_script):
    run_script(
        QUICK,
        """
        tests = [{"test_class": Quick, "rate": 20}, {"test_class": "__main__.Quick", "rate": 10, "name": "second"}]
        result = pysurge.run({"name": "whole", "duration": "1s", "tests": tests}, workers=1)
        assert result.name == "whole"
        assert [test.passed for test in result.tests] == [20, 10]
        try:
            pysurge.run({"tests": tests}, rate=5)
        except pysurge.ConfigError as error:
            assert "`rate` cannot be given beside a whole config" in str(error)
        else:
            raise AssertionError
        """,
    )


def test_a_results_folder(run_script, tmp_path):
    run_script(
        QUICK,
        """
        import pathlib
        result = pysurge.run(Quick, rate=20, duration=0.5, name="kept", results=pathlib.Path("out"))
        assert result.folder.name.endswith("-kept") and result.folder.is_absolute(), result.folder
        """,
    )
    (folder,) = (tmp_path / "out").iterdir()
    assert checked_summary(folder / "summary.json")["account"] == account(passed=10)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        ("pysurge.run(Quick, rat=5)", "ConfigError", "unknown key `rat`"),
        ("pysurge.run(Quick, rate=-5)", "ConfigError", "rate"),
        ("pysurge.run(Quick, duration='5')", "ConfigError", "duration"),
        ("pysurge.run(Quick, thresholds='nonsense < 1')", "ConfigError", "nonsense"),
        ("pysurge.run([])", "ConfigError", "no test to run"),
        ("pysurge.run(5)", "ConfigError", "not an int"),
        ("pysurge.run(Quick, kwargs={'x': sys.stdout})", "ConfigError", "cannot be handed to worker processes"),
        ("pysurge.run('no_such.Module')", "LoadError", "no_such"),
        ("pysurge.run(BadInit)", "LoadError", "cannot be made"),
        ("pysurge.run(Raises, rate=5, duration=1)", "RehearsalFailed", "nobody knows"),
    ],
)
def test_wrong_calls_raise_with_everything_in_the_message(run_script, call, error, words):
    done = run_script(
        QUICK,
        """
        class BadInit(Quick):
            def __init__(self, **kwargs):
                raise OSError("cannot be made")

        class Raises(Quick):
            def run(self):
                raise LookupError("nobody knows")

        try:
            CALL
        except pysurge.PysurgeError as error:
            print(type(error).__name__, isinstance(error, ValueError))
            print(error)
        """.replace("CALL", call),
    )
    head, _, message = done.stdout.partition("\n")
    assert head == f"{error} {error == 'ConfigError'}"
    assert words in message
    assert done.stderr == ""


def test_a_rehearsal_can_be_left_out_and_failures_are_asked_for(run_script):
    run_script(
        """
        class Raises(pysurge.TestCase):
            def run(self):
                raise LookupError("nobody knows")

        result = pysurge.run(Raises, rate=10, duration=1, rehearsal=False)
        assert (result.failed, result.ok, result.exit_code) == (10, False, 3)
        (failure,) = result.failures
        assert (failure.exception, failure.phase, failure.count, failure.fails) == ("LookupError", "run", 10, True)
        assert "script.py" in failure.frame and "nobody knows" in failure.traceback
        try:
            result.raise_for_failure()
        except pysurge.RunFailed as error:
            assert error.result is result and "nobody knows" in str(error)
        else:
            raise AssertionError
        """,
    )


def test_show_prints_what_the_command_prints(run_script):
    done = run_script(
        """
        import logging

        class Says(pysurge.TestCase):
            def run(self):
                logging.getLogger().info("a log line")

        pysurge.run(Says, rate=10, duration=1, show=True)
        """,
    )
    assert len(re.findall(" INFO a log line", done.stdout)) >= 10
    assert "planned  fired" in done.stdout
    assert "for 1s" in done.stderr


def test_show_goes_where_the_program_sends_its_output(run_script):
    done = run_script(
        QUICK,
        """
        import contextlib, io
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
            pysurge.run(Quick, rate=10, duration=0.5, show=True)
        assert "planned  fired" in out.getvalue()
        assert "for 500 ms" in err.getvalue() or "for 0.5s" in err.getvalue(), err.getvalue()
        """,
    )
    assert (done.stdout, done.stderr) == ("", "")


KINDS = """
        import asyncio

        def plain(x=1):
            return {"x": x}

        async def coroutine():
            await asyncio.sleep(0.01)

        class Duck:
            def __init__(self, user):
                self.user = user
            def run(self):
                assert self.user in "abc", self.user

        ROWS = [{"user": user} for user in "abc"]
        def rows():
            yield from ROWS
"""


@pytest.mark.parametrize(
    ("call", "planned"),
    [
        ("plain, rate=20, duration=0.5, kwargs={'x': 3}", 10),
        ("coroutine, rate=20, duration=0.5", 10),
        ("'__main__.plain', rate=20, duration=0.5", 10),
        ("'suite.py:Case', rate=20, duration=0.5", 10),
        ("'suite.py::test_sizes', rate=20, duration=1", 20),
        ("Duck, rate=20, duration=0.5, data=ROWS", 10),
        ("Duck, rate=20, duration=0.5, data=rows", 10),
        ("Duck, rate=20, iterations=9, data={'from': ROWS, 'reuse': 'once'}", 3),
        pytest.param("lambda: None, rate=20, duration=0.5", 10, marks=needs_cloudpickle),
    ],
)
def test_every_kind_of_test(run_script, call, planned):
    suite = "import pytest\n\n@pytest.mark.parametrize('size', ['a::b', 'c[1]'])\ndef test_sizes(size):\n    pass\n\n"
    suite += "class Case:\n    def run(self):\n        pass\n"
    run_script(
        KINDS,
        f"""
        result = pysurge.run({call})
        assert result.passed_all and result.planned == {planned}, str(result)
        if "plain, " in {call!r}:
            assert result.tests["plain"].metrics["x"].mean == 3
        if "::" in {call!r}:
            assert result.tests["test_sizes[a::b]"].passed == result.tests["test_sizes[c[1]]"].passed == 10
        """,
        files={"suite.py": suite},
    )


# -- data frames -------------------------------------------------------------------------------------------------------

FRAME = """
        result = pysurge.run([pysurge.Test(Quick, rate=20, name=name) for name in ("a", "b")], duration=2)
        tests = result.to_KIND()
        assert list(tests["test"]) == ["a", "b"]
        assert list(tests["passed"]) == [40, 40]
        assert tests["response_time_p95"][0] == result.tests[0].response_time.p95
        series = result.to_KIND(timeseries=True)
        rows = [dict(zip(series.columns, row)) for row in (series.values.tolist() if "KIND" == "pandas" else series.rows())]
        of = [row for row in rows if (row["test"], row["measure"]) == ("b", "response_time")]
        assert sum(row["count"] for row in of) == 40 and len(of) >= 2
        assert all(0 < row["p50"] <= row["p99"] <= row["max"] for row in of)
        assert {"planned", "passed", "metrics.size", "checks.even", "timers.step"} <= {row["measure"] for row in rows}
"""


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_data_frames(run_script, kind):
    pytest.importorskip(kind)
    run_script(QUICK, FRAME.replace("KIND", kind))


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_data_frames_without_the_library(run_script, kind):
    done = run_script(
        f"sys.modules['{kind}'] = None",
        QUICK,
        f"        pysurge.run(Quick, rate=10, duration=0.3).to_{kind}()",
        fails=True,
    )
    assert done.stderr.strip().endswith(f"ImportError: to_{kind}() needs {kind}: pip install {kind}")


# -- stops -------------------------------------------------------------------------------------------------------------

INTERRUPTED = """
        import signal
        def run(): return pysurge.run(Quick, rate=50, duration=60, show=True)
        try:
            run()
        except KeyboardInterrupt as error:
            assert isinstance(error, pysurge.RunInterrupted)
            assert pysurge.last_result() is error.result
            assert error.result.stop_cause == "signal" and error.result.passed > 0
            print("interrupted:", error)
"""


def test_ctrl_c_ends_the_run_cleanly_and_then_raises(start_on_terminal):
    files = {"script.py": script(QUICK, INTERRUPTED)}
    run = start_on_terminal(["script.py"], files, program=[sys.executable])
    run.err.wait_for("left")
    run.press(CTRL_C)
    assert run.wait() == 0, run.screen
    run.leaves_nothing()
    assert re.search(r"interrupted: the run was stopped after \S+ s \(\d+ passed, 0 failed\)", run.screen)


def test_ctrl_c_before_the_start_raises_too(start_on_terminal, tmp_path):
    files = {
        "script.py": script(
            """
            class Waits(pysurge.TestCase):
                @classmethod
                def startup(cls):
                    open("waits", "w").close()
                    time.sleep(60)
                def run(self):
                    pass
            try:
                pysurge.run(Waits, workers=1)
            except pysurge.RunInterrupted as error:
                print("nothing:", error.result)
            """
        )
    }
    run = start_on_terminal(["script.py"], files, program=[sys.executable])
    until((tmp_path / "waits").exists, "startup")
    run.press(CTRL_C)
    run.press(CTRL_C)
    assert run.wait() == 0, run.screen
    run.leaves_nothing()
    assert "nothing: None" in run.screen


def test_sigterm_ends_the_run_cleanly_and_then_the_program(start_pysurge):
    files = {"script.py": script(QUICK, "pysurge.run(Quick, rate=50, duration=60, show=True)\nprint('goes on')")}
    run = start_pysurge(["script.py"], files, program=[sys.executable])
    run.err.wait_for("for 1m00s")
    run.signal(signal.SIGTERM)
    assert run.wait() == -signal.SIGTERM
    run.leaves_nothing()
    assert "planned  fired" in run.stdout
    assert "goes on" not in run.stdout


def test_handlers_of_the_program_are_called_after_the_run(start_pysurge):
    files = {
        "script.py": script(
            QUICK,
            """
            import signal
            signal.signal(signal.SIGINT, lambda *_: print("my own handler", flush=True))
            result = pysurge.run(Quick, rate=50, duration=60, show=True)
            print("goes on with", result.stop_cause)
            """,
        )
    }
    run = start_pysurge(["script.py"], files, program=[sys.executable])
    run.err.wait_for("for 1m00s")
    run.signal(signal.SIGINT)
    assert run.wait() == 0, run.stderr
    assert run.stdout.endswith("my own handler\ngoes on with signal\n")


def test_standard_input_is_left_alone(run_pysurge, tmp_path):
    (tmp_path / "script.py").write_text(
        script(QUICK, "assert pysurge.run(Quick, rate=10, duration=0.5).passed_all\nprint(sys.stdin.read())")
    )
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, input="mine", capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("mine\n", "")


# -- pytest ------------------------------------------------------------------------------------------------------------

IN_PYTEST = (
    HEAD
    + QUICK
    + """
import pytest

@pytest.mark.parametrize("rate", [10, 20])
def test_load(rate, capsys):
    result = pysurge.run(Quick, rate=rate, duration=0.5, show=True)
    assert result.passed == rate / 2
    assert "planned  fired" in capsys.readouterr().out
"""
)


@pytest.mark.parametrize("mode", ["prepend", "append", "importlib"])
@pytest.mark.parametrize("capture", ["fd", "sys", "no"])
def test_a_load_inside_a_pytest_test(run_pysurge, mode, capture):
    if (mode, capture) in {("prepend", "sys"), ("append", "no"), ("importlib", "sys")}:
        pytest.skip("seen with another mode")
    files = {"suite/sub/test_it.py": IN_PYTEST, "suite/sub/conftest.py": "", "pytest.ini": "[pytest]\n"}
    args = ["-m", "pytest", "-q", "-p", "no:cacheprovider", f"--import-mode={mode}", f"--capture={capture}", "suite"]
    done = run_pysurge(args, files, program=[sys.executable])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_exceptions_can_be_pickled_and_have_the_name_of_the_package():
    import pickle

    import pysurge

    for error in (pysurge.ConfigError("x"), pysurge.LoadError("y")):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again)) == (type(error), str(error))
        assert type(error).__module__ == "pysurge"
    assert issubclass(pysurge.ConfigError, ValueError)
    assert issubclass(pysurge.RunInterrupted, KeyboardInterrupt)
    assert not issubclass(pysurge.RunInterrupted, Exception)


def test_every_public_name_is_there():
    import pysurge

    for name in pysurge.__all__:
        assert getattr(pysurge, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        pysurge.nothing  # noqa: B018


# -- the documentation -------------------------------------------------------------------------------------------------


def blocks():
    text = (REPOSITORY / "docs/how-to/use-as-a-library.md").read_text()
    return re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)


@pytest.mark.parametrize("number", range(1, 5))
def test_the_examples_of_the_documentation_run(run_pysurge, number):
    module, *examples = blocks()
    assert len(examples) == 4
    example = examples[number - 1]
    args = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"] if "def test_" in example else ["test_it.py"]
    done = run_pysurge(args, {"load.py": module, "test_it.py": example}, program=[sys.executable])
    assert done.returncode == 0, done.stdout + done.stderr
