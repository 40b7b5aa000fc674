"""What becomes of an iteration: passed, failed with pytest's own text, skipped, failed as expected; and who takes part."""

import pytest
from pytest_adapter_support import RunSample, run_sample

__all__ = ["run_sample"]


def only(body: str) -> dict[str, str]:
    return {"test_a.py": f"import pytest, sys, unittest\nfrom eventlog import log\n{body}"}


class TestText:
    def test_assertions_are_explained_as_in_pytest(self, run_sample: RunSample) -> None:
        run = run_sample(
            {
                "conftest.py": """
                    class Money(int): pass
                    def pytest_assertrepr_compare(op, left, right):
                        if isinstance(left, Money):
                            return ["this is not my money"]
                """,
                "helpers.py": "def check(value):\n    assert value == 2, 'by a helper'\n",
                "test_a.py": """
                    from conftest import Money
                    def test_lists():
                        found = [1, 2]
                        assert found == [1, 3]
                    def test_call():
                        def f(): return 1
                        assert f() == 2
                    def test_hook(): assert Money(1) == Money(2)
                """,
            },
            threads=2,
            iterations=2,
        )
        lists = run.result("test_lists")["errors"]
        assert len(lists) == 4
        assert "test_a.py:5, in test_lists\n" in lists[0].replace('", line ', ":").replace('File "', "")
        assert "assert [1, 2] == [1, 3]" in lists[0]
        assert "At index 1 diff: 2 != 3" in lists[0]
        assert "+  where 1 = <function test_call" in run.result("test_call")["errors"][0]
        assert "this is not my money" in run.result("test_hook")["errors"][0]

    def test_only_the_users_frames_are_shown(self, run_sample: RunSample) -> None:
        run = run_sample(only("def test_a():\n    raise ValueError('no')\n"))
        (error,) = run.result("test_a")["errors"]
        frames = [line for line in error.splitlines() if line.lstrip().startswith("File ") and "driver.py" not in line]
        assert frames == ['  File "test_a.py", line 4, in test_a']


OUTCOMES = """
import pytest, sys, unittest

def test_passes(): pass
def test_returns(): return 5
def test_fails(): pytest.fail("on purpose")
def test_exits(): sys.exit(3)
def test_ends_pytest(): pytest.exit("enough")
def test_skips(): pytest.skip("not today")
def test_skips_by_unittest(): raise unittest.SkipTest("nor today")
def test_imports(): pytest.importorskip("there_is_no_such_module")
def test_xfails(): pytest.xfail("known")
@pytest.mark.xfail(reason="marked")
def test_marked(): assert 0
@pytest.mark.xfail(raises=KeyError, reason="key")
def test_raises(): raise KeyError
@pytest.mark.xfail(raises=KeyError, reason="key")
def test_raises_another(): raise ValueError("another")
@pytest.mark.xfail(reason="lenient")
def test_xpasses(): pass
@pytest.mark.xfail(strict=True, reason="fixed?")
def test_strict(): pass
@pytest.mark.xfail(False, reason="does not hold")
def test_condition(): assert 0

@pytest.fixture
def bad_setup(): raise OSError("setup")
def test_bad_setup(bad_setup): raise AssertionError("never run")
@pytest.fixture
def bad_teardown():
    yield
    raise OSError("teardown")
def test_bad_teardown(bad_teardown): pass
@pytest.fixture
def skipping(): pytest.skip("in a fixture")
def test_skipped_by_fixture(skipping): raise AssertionError("never run")
@pytest.mark.xfail(reason="fixture")
def test_xfail_in_fixture(bad_setup): raise AssertionError("never run")
@pytest.fixture
def two_yields():
    yield 1
    yield 2
def test_two_yields(two_yields): pass
@pytest.fixture
def no_yield():
    if 0: yield
def test_no_yield(no_yield): pass
@pytest.fixture
async def waits(): pass
def test_async_fixture(waits): pass
"""

PASSED = ["test_passes", "test_returns", "test_xpasses"]
SKIPPED = {
    "test_skips": "not today",
    "test_skips_by_unittest": "nor today",
    "test_imports": "could not import 'there_is_no_such_module'",
    "test_skipped_by_fixture": "in a fixture",
}
XFAILED = {"test_xfails": "known", "test_marked": "marked", "test_raises": "key", "test_xfail_in_fixture": "fixture"}
FAILED = {
    "test_fails": "on purpose",
    "test_exits": "SystemExit: 3",
    "test_ends_pytest": "enough",
    "test_raises_another": "ValueError: another",
    "test_strict": "[XPASS(strict)] fixed?",
    "test_condition": "assert 0",
    "test_bad_setup": "OSError: setup",
    "test_bad_teardown": "OSError: teardown",
    "test_two_yields": "fixture 'two_yields' has more than one 'yield'",
    "test_no_yield": "no_yield did not yield a value",
    "test_async_fixture": "the fixture 'waits' is async",
}


class TestOutcomes:
    def test_each(self, run_sample: RunSample) -> None:
        run = run_sample({"test_a.py": OUTCOMES}, threads=3, iterations=2)
        for name in PASSED:
            assert run.result(name) | {"waited_ns": 0} == {
                "passed": 6, "failed": 0, "skipped": [], "xfailed": [], "errors": [], "waited_ns": 0
            }, name  # fmt: skip
        for name, reason in SKIPPED.items():
            result = run.result(name)
            assert (result["passed"], len(result["skipped"])) == (6, 6), name
            assert result["skipped"][0].startswith(reason)
        for name, reason in XFAILED.items():
            result = run.result(name)
            assert (result["passed"], result["xfailed"]) == (6, [reason] * 6), (name, result)
        for name, text in FAILED.items():
            result = run.result(name)
            assert (result["failed"], len(result["errors"])) == (6, 6), (name, result)
            assert text in result["errors"][0], (name, result["errors"][0])
        assert not run.told["finish"]

    def test_runxfail(self, run_sample: RunSample) -> None:
        run = run_sample(only("@pytest.mark.xfail\ndef test_a(): assert 0"), args=["--runxfail"])
        assert run.result("test_a")["failed"] == 1

    def test_everything_is_ended_whatever_raises(self, run_sample: RunSample) -> None:
        run = run_sample(
            {
                "test_a.py": """
                    import pytest
                    from eventlog import log
                    @pytest.fixture
                    def first():
                        yield
                        log("first ended")
                        raise ValueError("first")
                    @pytest.fixture
                    def second(first, request):
                        request.addfinalizer(lambda: log("second ended"))
                        raise KeyError("second")
                    def test_a(second): log("never")
                    @pytest.fixture
                    def third(first):
                        yield
                        raise OSError("third")
                    def test_b(third): log("run")
                """
            },
            iterations=2,
        )
        assert run.events == ["second ended", "first ended", "run", "first ended"] * 2
        assert ["KeyError" in error for error in run.result("test_a")["errors"]] == [True, False] * 2
        group = run.result("test_b")["errors"][0]
        assert "OSError: third" in group and "ValueError: first" in group


class TestWideFixtures:
    def test_what_fails_is_told_and_the_rest_runs(self, run_sample: RunSample) -> None:
        run = run_sample(
            {
                "test_a.py": """
                    import pytest
                    from eventlog import log
                    @pytest.fixture(scope="session")
                    def good():
                        log("+good")
                        yield
                        log("-good")
                    @pytest.fixture(scope="module")
                    def bad(good):
                        log("bad")
                        raise OSError("no server")
                    @pytest.fixture(scope="module")
                    def absent(good): pytest.skip("no server here")
                    @pytest.fixture(scope="module")
                    def ends_badly(good):
                        yield
                        raise OSError("still in use")
                    def test_a(bad): pass
                    def test_b(good): pass
                    def test_c(absent): log("never")
                    def test_d(ends_badly): pass
                """
            },
            threads=2,
            iterations=2,
        )
        assert list(run.told["prepare"]) == ["test_a.py::test_a"]
        message, traceback = run.told["prepare"]["test_a.py::test_a"]
        assert message == "OSError: no server"
        assert "in bad" in traceback and "in good" not in traceback
        assert run.result("test_a")["failed"] == 4
        assert run.result("test_b")["passed"] == 4
        assert run.result("test_c")["skipped"] == ["no server here"] * 4
        assert run.result("test_d")["passed"] == 4
        (failure,) = run.told["finish"]
        assert failure[0] == "fixture 'ends_badly': OSError: still in use"
        assert run.events == ["+good", "bad", "-good"]


class TestPlugins:
    def test_hooks_of_a_conftest_take_part(self, run_sample: RunSample) -> None:
        run = run_sample(
            {
                "conftest.py": """
                    import pytest
                    from eventlog import log
                    def pytest_runtest_setup(item): log("setup", item.name)
                    @pytest.hookimpl(wrapper=True)
                    def pytest_runtest_call(item):
                        log("before")
                        try: return (yield)
                        finally: log("after")
                    def pytest_runtest_teardown(item, nextitem): log("teardown", nextitem is not None)
                    @pytest.hookimpl(wrapper=True)
                    def pytest_pyfunc_call(pyfuncitem):
                        log("call", sorted(pyfuncitem.funcargs))
                        return (yield)
                    @pytest.hookimpl(wrapper=True)
                    def pytest_fixture_setup(fixturedef, request):
                        value = yield
                        log("fixture", fixturedef.argname, value)
                        return value
                    def pytest_fixture_post_finalizer(fixturedef): log("ended", fixturedef.argname)
                    def pytest_sessionfinish(session): log("finish")
                    def pytest_unconfigure(config): log("unconfigure")
                """,
                "test_a.py": """
                    import pytest
                    @pytest.fixture(scope="module")
                    def wide(): return 1
                    @pytest.fixture
                    def narrow(wide): return 2
                    def test_a(narrow): pass
                """,
            },
            iterations=2,
        ).all_passed()
        call = "call ['narrow', 'wide']"
        iteration = ["setup test_a", "fixture narrow 2", "before", call, "after", "teardown True", "ended narrow"]
        assert run.events[0] == "fixture wide 1"
        assert run.events[1:-3] == iteration * 2
        assert run.events[-3:] == ["ended wide", "finish", "unconfigure"]

    @pytest.mark.parametrize("how", ["fails", "passes", "skips", "errs"])
    def test_reports_for_fixtures(self, run_sample: RunSample, how: str) -> None:
        run = run_sample(
            {
                "conftest.py": """
                    import pytest
                    from eventlog import log
                    @pytest.hookimpl(wrapper=True, tryfirst=True)
                    def pytest_runtest_makereport(item, call):
                        report = yield
                        setattr(item, "rep_" + report.when, report)
                        return report
                    @pytest.fixture
                    def outcome(request):
                        yield
                        call = getattr(request.node, "rep_call", None)
                        log(request.node.rep_setup.outcome, call and call.outcome)
                """,
                "test_a.py": """
                    import pytest
                    @pytest.fixture
                    def bad(): raise OSError
                    def test_passes(outcome): pass
                    def test_fails(outcome): assert 0
                    def test_skips(outcome): pytest.skip("x")
                    def test_errs(outcome, bad): pass
                """,
            },
            [[f"test_a.py::test_{how}"]],
        )
        expected = {"fails": "passed failed", "passes": "passed passed", "skips": "passed skipped", "errs": "failed None"}
        assert run.events == [expected[how]]
        assert run.result(f"test_{how}")["failed"] == (how in ("fails", "errs"))

    def test_it_looks_like_a_worker_of_xdist(self, run_sample: RunSample) -> None:
        run = run_sample(
            {
                "test_a.py": """
                    import os, pytest
                    from eventlog import log
                    def test_a(pytestconfig, request):
                        log(pytestconfig.workerinput["workerid"], pytestconfig.workerinput["workercount"])
                        log(os.environ["PYTEST_XDIST_WORKER"], os.environ["PYTEST_XDIST_WORKER_COUNT"])
                        assert "PYTEST_CURRENT_TEST" in os.environ
                """
            },
            worker=2,
            workers=4,
        ).all_passed()
        assert run.events == ["gw2 4", "gw2 4"]

    def test_async_tests_need_a_plugin(self, run_sample: RunSample) -> None:
        run = run_sample({"test_a.py": "async def test_a(): pass\n"})
        assert run.problem["message"] == "test_a.py::test_a is `async def`, which pytest runs only with a plugin"
        assert "pytest-asyncio" in run.problem["hint"]

    def test_a_plugin_may_run_async_tests(self, run_sample: RunSample) -> None:
        run = run_sample(
            {
                "conftest.py": """
                    import asyncio, inspect, pytest
                    @pytest.hookimpl(tryfirst=True)
                    def pytest_pyfunc_call(pyfuncitem):
                        if inspect.iscoroutinefunction(pyfuncitem.obj):
                            asyncio.run(pyfuncitem.obj())
                            return True
                """,
                "test_a.py": """
                    import asyncio
                    from eventlog import log
                    async def test_a():
                        await asyncio.sleep(0)
                        log(id(asyncio.get_running_loop()) > 0)
                    def test_b(): return asyncio.sleep(0)
                """,
            },
            threads=3,
            iterations=3,
        )
        assert run.result("test_a")["passed"] == 9
        assert "this test is `async def`" in run.result("test_b")["errors"][0]
