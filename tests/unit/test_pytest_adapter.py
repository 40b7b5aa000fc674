"""Fixtures under load: which are made when, how often, on which thread, and in which order they end."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

from pytest_adapter_support import EVENTLOG, RunSample, run_sample, write

__all__ = ["run_sample"]

SCOPES = {
    "conftest.py": """
        import pytest
        from eventlog import log

        def around(name):
            log("+", name)
            yield name
            log("-", name)

        @pytest.fixture(scope="session")
        def session(): yield from around("session")
        @pytest.fixture(scope="package")
        def package(session): yield from around("package")
        @pytest.fixture(scope="module")
        def module(package): yield from around("module")
        @pytest.fixture(scope="class")
        def klass(module): yield from around("klass")
        @pytest.fixture
        def function(klass): yield from around("function")

        @pytest.fixture(autouse=True)
        def always():
            log("+", "always")
            yield
            log("-", "always")
    """,
    "pkg/__init__.py": "",
    "pkg/test_one.py": """
        class TestOne:
            def test_a(self, function, session): pass
            def test_b(self, klass): pass
        def test_c(function): pass
    """,
    "pkg/test_two.py": "def test_d(module): pass",
}

WIDE = ("session", "package", "module", "klass")


class TestScopes:
    def test_wide_ones_are_made_once_and_ended_in_reverse(self, run_sample: RunSample) -> None:
        run = run_sample(SCOPES, threads=4, iterations=5).all_passed()
        wide = [event for event in run.events if event.split()[1] in WIDE]
        made = [event[2:] for event in wide if event.startswith("+")]
        ended = [event[2:] for event in wide if event.startswith("-")]
        # Two modules; the class, and the function that stands in none.
        assert Counter(made) == {"session": 1, "package": 1, "module": 2, "klass": 2}
        assert ended == made[::-1]
        assert made[:4] == ["session", "package", "module", "klass"]
        assert not any(event.startswith("-") for event in wide[: len(made)])

    def test_wide_ones_are_made_and_ended_on_the_main_thread(self, run_sample: RunSample) -> None:
        run = run_sample(SCOPES, threads=3, iterations=2).all_passed()
        threads = {ident for ident, event in run.threads if event.split()[1] in WIDE}
        others = {ident for ident, event in run.threads if event.split()[1] not in WIDE}
        assert len(threads) == 1
        assert not threads & others

    def test_function_scope_is_of_the_iteration(self, run_sample: RunSample) -> None:
        run = run_sample(SCOPES, threads=4, iterations=5).all_passed()
        counts = Counter(run.events)
        assert counts["+ function"] == counts["- function"] == 2 * 4 * 5
        assert counts["+ always"] == counts["- always"] == 4 * 4 * 5

    def test_what_was_made_last_ends_first(self, run_sample: RunSample) -> None:
        run = run_sample(SCOPES, [["pkg/test_one.py::test_c"]]).all_passed()
        rest = [event for event in run.events if event.split()[1] not in WIDE]
        assert rest == ["+ always", "+ function", "- function", "- always"]

    def test_per_thread(self, run_sample: RunSample) -> None:
        files = {
            "test_db.py": """
                import sqlite3, pytest
                from eventlog import log

                @pytest.fixture(scope="session")
                def db():
                    connection = sqlite3.connect(":memory:")
                    log("open")
                    yield connection
                    connection.close()
                    log("close")

                def test_query(db):
                    assert db.execute("select 1").fetchone() == (1,)
            """
        }
        run = run_sample(files, threads=3, iterations=4, fixtures="thread").all_passed()
        opened = [ident for ident, event in run.threads if event == "open"]
        closed = [ident for ident, event in run.threads if event == "close"]
        assert len(opened) == 3
        assert sorted(opened) == sorted(closed)
        assert run.told["results"]["thread_ended"] == {"failed": 0}
        shared = run_sample(files, threads=3, iterations=4)
        assert "created in a thread" in shared.result("test_query")["errors"][0]


class TestSharing:
    def test_threads_never_share_a_function_fixture(self, run_sample: RunSample) -> None:
        run = run_sample(
            {
                "test_a.py": """
                    import threading, pytest
                    from eventlog import log

                    together = threading.Barrier(8, timeout=30)

                    @pytest.fixture
                    def below(request):
                        return [threading.get_ident()]

                    @pytest.fixture
                    def mine(below, request):
                        yield below
                        assert below == [threading.get_ident(), "used"]
                        assert request.node.seen is below

                    class TestIt:
                        def test_mine(self, mine, below, request):
                            assert not hasattr(self, "kept")
                            self.kept = mine
                            together.wait()
                            assert mine is below
                            assert mine == [threading.get_ident()]
                            mine.append("used")
                            request.node.seen = mine
                            log(id(self), id(request), id(request.node))
                            together.wait()
                """
            },
            threads=8,
            iterations=20,
        ).all_passed()
        assert run.result("test_mine")["passed"] == 160
        # One node per thread; while all eight are inside, no instance and no request is another's.
        assert len({event.split()[2] for event in run.events}) == 8
        for start in range(0, 160, 8):
            assert len({event.split()[0] for event in run.events[start : start + 8]}) == 8

    def test_nothing_grows_with_iterations(self, run_sample: RunSample) -> None:
        run = run_sample(
            {
                "test_a.py": """
                    import pytest
                    @pytest.fixture(scope="session")
                    def session(): yield {}
                    @pytest.fixture(scope="module", params=[1, 2])
                    def wide(request, session): return [request.param]
                    @pytest.fixture
                    def narrow(wide, request):
                        request.addfinalizer(lambda: None)
                        request.node.add_marker("found")
                        yield wide
                    def test_e(narrow, request, record_property, caplog, tmp_path):
                        record_property("a", 1)
                        request.getfixturevalue("session")
                    @pytest.mark.xfail
                    def test_f(narrow): assert narrow == 3
                """,
                "pytest.ini": "[pytest]\nmarkers = found: x\n",
            },
            growth=True,
        )
        assert run.told["growth"] < 200


class TestParameters:
    def test_parameters_of_a_session_fixture_live_side_by_side(self, run_sample: RunSample) -> None:
        run = run_sample(
            {
                "test_a.py": """
                    import pytest
                    from eventlog import log

                    @pytest.fixture(scope="session", params=["x", "y"])
                    def base(request):
                        log("+base", request.param)
                        yield request.param
                        log("-base", request.param)

                    @pytest.fixture(scope="session")
                    def above(request):
                        base = request.getfixturevalue("base")
                        log("+above", base)
                        yield base
                        log("-above", base)

                    @pytest.fixture(params=[1, 2], ids=["one", "two"])
                    def narrow(request): return request.param

                    @pytest.fixture
                    def indirect(request): return request.param * 10

                    def test_a(base, above, narrow):
                        assert base == above
                        log("run", base, narrow)

                    @pytest.mark.parametrize("indirect, plain", [(1, "p"), (2, "q")], indirect=["indirect"])
                    def test_b(indirect, plain, base):
                        assert (indirect, plain) in [(10, "p"), (20, "q")]
                """
            },
            threads=3,
            iterations=4,
            shuffle=True,
        ).all_passed()
        wide = [event for event in run.events if not event.startswith("run")]
        assert sorted(wide[:4]) == ["+above x", "+above y", "+base x", "+base y"]
        assert [event[1:] for event in wide[4:]] == [event[1:] for event in wide[:4]][::-1]
        assert Counter(event for event in run.events if event.startswith("run")) == {
            f"run {base} {number}": 12 for base in "xy" for number in (1, 2)
        }

    def test_overrides(self, run_sample: RunSample) -> None:
        run_sample(
            {
                "conftest.py": """
                    import pytest
                    @pytest.fixture(scope="session")
                    def value(): return ["outer"]
                    @pytest.fixture
                    def user(value): return value
                """,
                "sub/conftest.py": """
                    import pytest
                    @pytest.fixture
                    def value(value): return [*value, "folder"]
                """,
                "sub/test_a.py": """
                    import pytest
                    @pytest.fixture
                    def value(value): return [*value, "module"]
                    def test_a(user): assert user == ["outer", "folder", "module"]
                    class TestB:
                        @pytest.fixture
                        def value(self, value):
                            self.mine = value
                            return [*value, "class"]
                        def test_b(self, user, value):
                            assert user is value == ["outer", "folder", "module", "class"]
                            assert self.mine == ["outer", "folder", "module"]
                """,
                "test_c.py": "def test_c(user): assert user == ['outer']",
            },
            threads=2,
            iterations=3,
        ).all_passed()


class TestRequest:
    def test_it_does_what_pytest_s_does(self, run_sample: RunSample) -> None:
        run = run_sample(
            {
                "conftest.py": """
                    import pytest
                    from eventlog import log
                    @pytest.fixture(scope="session")
                    def unnamed():
                        log("+unnamed")
                        yield 5
                        log("-unnamed")
                    @pytest.fixture
                    def factory(request):
                        def make(name):
                            request.addfinalizer(lambda: log("end", name))
                            return name
                        return make
                """,
                "test_a.py": """
                    import pytest
                    from eventlog import log

                    LIMIT = 3

                    @pytest.fixture
                    def facts(request, pytestconfig):
                        assert request.config is pytestconfig
                        assert request.module.LIMIT == 3
                        assert request.function.__name__ == "test_dynamic"
                        assert request.scope == "function" and request.fixturename == "facts"
                        assert request.node.get_closest_marker("note").args == ("hi",)
                        assert request.cls is None and request.instance is None
                        assert "facts" in request.fixturenames
                        assert request.path.name == "test_a.py"
                        with pytest.raises(pytest.FixtureLookupError):
                            request.getfixturevalue("nowhere")

                    @pytest.mark.note("hi")
                    def test_dynamic(request, facts, factory):
                        assert request.getfixturevalue("unnamed") == 5
                        assert request.getfixturevalue("factory") is factory
                        assert factory("a") == "a" and factory("b") == "b"
                        request.node.addfinalizer(lambda: log("end node"))

                    @pytest.fixture
                    def marks(request): request.node.add_marker(pytest.mark.xfail(reason="told late"))
                    def test_late_mark(marks, request):
                        assert len(list(request.node.iter_markers("xfail"))) == 1
                        assert 0
                """,
                "pytest.ini": "[pytest]\nmarkers = note: x\n",
            },
            threads=2,
            iterations=2,
        ).all_passed()
        assert Counter(run.events) == {"+unnamed": 1, "-unnamed": 1, "end a": 4, "end b": 4, "end node": 4}
        assert run.events[-1] == "-unnamed"
        assert run.result("test_late_mark")["xfailed"] == ["told late"] * 4

    def test_wrong_scope(self, run_sample: RunSample) -> None:
        run = run_sample(
            {
                "test_a.py": """
                    import pytest
                    @pytest.fixture
                    def narrow(): pass
                    @pytest.fixture(scope="session")
                    def wide(narrow): pass
                    def test_a(wide): pass
                """
            }
        )
        message, _ = run.told["prepare"]["test_a.py::test_a"]
        assert "ScopeMismatch: the session-scoped fixture 'wide' asks for the function-scoped fixture 'narrow'" in message


class TestStyles:
    def test_xunit(self, run_sample: RunSample) -> None:
        run = run_sample(
            {
                "test_a.py": """
                    from eventlog import log
                    def setup_module(module): log("+module", module.__name__)
                    def teardown_module(): log("-module")
                    def setup_function(function): log("+function", function.__name__)
                    def teardown_function(function): log("-function")
                    def test_a(): log("run")
                    class TestB:
                        @classmethod
                        def setup_class(cls):
                            cls.shared = []
                            log("+class")
                        @classmethod
                        def teardown_class(cls): log("-class")
                        def setup_method(self, method): self.own = method.__name__
                        def teardown_method(self): log("-method", self.own)
                        def test_b(self):
                            assert self.own == "test_b" and self.shared == []
                """
            },
            iterations=2,
        ).all_passed()
        assert run.events == [
            "+module test_a",
            "+class",
            *("+function test_a", "run", "-function", "-method test_b") * 2,
            "-class",
            "-module",
        ]

    def test_unittest(self, run_sample: RunSample) -> None:
        run = run_sample(
            {
                "test_a.py": """
                    import unittest, pytest
                    from eventlog import log
                    class Case(unittest.TestCase):
                        @classmethod
                        def setUpClass(cls):
                            log("+class")
                            cls.addClassCleanup(log, "cleanup")
                        @classmethod
                        def tearDownClass(cls): log("-class")
                        def setUp(self): self.value = []
                        def tearDown(self): log("-", len(self.value))
                        @pytest.fixture(autouse=True)
                        def given(self): self.gift = 7
                        def test_good(self):
                            self.value.append(self.gift)
                            self.assertEqual(self.value, [7])
                            for number in (1, 2):
                                with self.subTest(number=number):
                                    self.assertLess(number, 3)
                        def test_bad(self): self.assertEqual(1, 2, "differ")
                        def test_error(self): {}["key"]
                        def test_subtests(self):
                            for number in (1, 2, 3):
                                with self.subTest(number=number):
                                    self.assertNotEqual(number, 2)
                        def test_skips(self): self.skipTest("not here")
                        @unittest.expectedFailure
                        def test_expected(self): self.fail()
                        @unittest.expectedFailure
                        def test_unexpected(self): pass
                        @unittest.skip("never")
                        def test_skipped(self): pass
                """
            },
            threads=2,
            iterations=3,
        )
        passed = {"test_good", "test_skips", "test_expected"}
        for name in ("test_good", "test_bad", "test_error", "test_subtests", "test_skips", "test_expected", "test_unexpected"):
            result = run.result(name)
            assert result["passed" if name in passed else "failed"] == 6, (name, result)
        assert "AssertionError: 1 != 2 : differ" in run.result("test_bad")["errors"][0]
        assert "KeyError: 'key'" in run.result("test_error")["errors"][0]
        assert "2 == 2" in run.result("test_subtests")["errors"][0]
        assert "Unexpected success" in run.result("test_unexpected")["errors"][0]
        assert run.result("test_skips")["skipped"] == ["not here"] * 6
        assert [item["skip"] for item in run.items() if item["node_id"].endswith("test_skipped")] == ["never"]
        wide = [event for event in run.events if event.endswith("class") or event == "cleanup"]
        assert wide == ["+class", "-class", "cleanup"]


def test_plain_pytest_is_not_changed(tmp_path: Path) -> None:
    write(tmp_path, {"eventlog.py": EVENTLOG, **SCOPES, "test_mark.py": "def test_m(surge_data): pass"})
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--trace-config"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert "4 passed, 1 error" in done.stdout
    assert "fixture 'surge_data' not found" in done.stdout
    assert "pysurge" not in done.stdout.partition("fixture 'surge_data'")[0]
