"""pytest's own fixtures under load: those of an iteration, and those that need a worker for themselves."""

import pytest
from pytest_adapter_support import RunSample, run_sample

__all__ = ["run_sample"]

# Every test says when it is inside; one that is alone must find nobody else.
INSIDE = """
import pytest, threading, time
inside = set()
overlaps = []
most = []

class Stay:
    def __init__(self, alone): self.alone = alone
    def __enter__(self):
        me = threading.get_ident()
        inside.add((me, self.alone))
        most.append(len(inside))
        if len(inside) > 1 and any(alone for _, alone in inside):
            overlaps.append(sorted(inside))
        time.sleep(0.001)
    def __exit__(self, *_):
        inside.discard((threading.get_ident(), self.alone))
"""


class TestAlone:
    def test_whoever_changes_the_process_is_alone(self, run_sample: RunSample) -> None:
        run = run_sample(
            {
                "inside.py": INSIDE,
                "test_a.py": """
                    import os, pytest
                    from inside import Stay, overlaps, most
                    from eventlog import log
                    @pytest.fixture
                    def env(monkeypatch):
                        with Stay(True):
                            monkeypatch.setenv("ALONE", "yes")
                            yield
                    def test_patches(env):
                        with Stay(True): assert os.environ["ALONE"] == "yes"
                    def test_prints(capsys):
                        with Stay(True):
                            print("hello")
                            assert capsys.readouterr().out == "hello\\n"
                    def test_dynamic(request):
                        patch = request.getfixturevalue("monkeypatch")
                        with Stay(True):
                            patch.setenv("ALONE", "too")
                            assert os.environ["ALONE"] == "too"
                    @pytest.mark.parametrize("n", range(4))
                    def test_others(n):
                        with Stay(False): assert "ALONE" not in os.environ
                    @pytest.fixture(scope="session", autouse=True)
                    def outcome():
                        yield
                        log(len(overlaps), max(most) > 1)
                """,
            },
            threads=6,
            iterations=10,
            shuffle=True,
        ).all_passed()
        assert run.events == ["0 True"]
        assert run.result("test_patches")["waited_ns"] > 0
        note = "uses monkeypatch, which changes the whole process: its iterations run alone in their worker"
        notes = {item["node_id"]: item["note"] for item in run.items()}
        assert notes["test_a.py::test_patches"] == note
        assert notes["test_a.py::test_dynamic"] is None
        assert run.told["alone"]["test_a.py::test_dynamic"] == note
        assert run.told["alone"]["test_a.py::test_others[0]"] is None

    def test_what_shows_in_the_code(self, run_sample: RunSample) -> None:
        run = run_sample(
            {
                "test_a.py": """
                    import os, unittest, warnings, logging, pytest
                    from unittest import mock
                    from unittest.mock import patch
                    class Client:
                        def patch(self): pass
                    def test_warns():
                        with pytest.warns(UserWarning): warnings.warn("x")
                    def test_nested():
                        def inner():
                            with warnings.catch_warnings(): pass
                        inner()
                    @patch("os.getcwd")
                    def test_decorator(getcwd): assert os.getcwd() is getcwd()
                    def test_context():
                        with mock.patch("os.getcwd"): pass
                    @pytest.fixture
                    def folder(tmp_path): os.chdir(tmp_path)
                    def test_by_fixture(folder): pass
                    class Case(unittest.TestCase):
                        def test_logs(self):
                            with self.assertLogs(): logging.error("x")
                    @pytest.mark.surge(alone=True)
                    def test_says_so(): pass
                    @pytest.mark.filterwarnings("error::UserWarning")
                    def test_filter(): pass
                    def test_client(): Client().patch()
                    @pytest.mark.filterwarnings("ignore::UserWarning")
                    def test_ignores(): pass
                """
            },
            threads=4,
            iterations=5,
        ).all_passed()
        uses = {item["node_id"].rpartition("::")[2]: item["note"] and item["note"].split(", which")[0] for item in run.items()}
        assert uses == {
            "test_warns": "uses warns",
            "test_nested": "uses catch_warnings",
            "test_decorator": "uses mock.patch",
            "test_context": "uses mock.patch",
            "test_by_fixture": "uses chdir",
            "test_logs": "uses assertLogs",
            "test_says_so": "uses surge(alone=True)",
            "test_filter": "uses the mark filterwarnings",
            "test_client": None,
            "test_ignores": None,
        }

    @pytest.mark.parametrize("name", ["capsys", "capfd", "capsysbinary", "capfdbinary"])
    def test_capturing(self, run_sample: RunSample, name: str) -> None:
        end = "b''" if name.endswith("binary") else "''"
        run_sample(
            {
                "test_a.py": f"""
                    import os
                    def test_a({name}):
                        os.write(1, b"raw") if "fd" in "{name}" else print("raw", end="")
                        out, err = {name}.readouterr()
                        assert (out, err) == ({end}.__class__(b"raw") if {end} == b"" else "raw", {end})
                    def test_b(recwarn):
                        import warnings
                        warnings.warn("hear me")
                        assert str(recwarn.pop().message) == "hear me"
                """
            },
            threads=3,
            iterations=3,
        ).all_passed()


class TestOfIteration:
    def test_tmp_path_is_fresh_and_removed(self, run_sample: RunSample) -> None:
        run = run_sample(
            {
                "test_a.py": """
                    from eventlog import log
                    def test_a(tmp_path, tmpdir, tmp_path_factory):
                        assert list(tmp_path.iterdir()) == []
                        assert str(tmpdir) == str(tmp_path)
                        assert tmp_path.is_relative_to(tmp_path_factory.getbasetemp())
                        (tmp_path / "sub").mkdir()
                        (tmp_path / "sub" / "file").write_text("x")
                        log(tmp_path)
                    def test_long_and_odd(tmp_path, request):
                        assert "[" not in tmp_path.name
                """,
                "test_b.py": """
                    from eventlog import EVENTS
                    import os
                    def test_gone():
                        left = [path for *_, path in list(EVENTS) if os.path.exists(path)]
                        assert len(left) <= 3, left
                """,
            },
            threads=4,
            iterations=10,
        ).all_passed()
        assert len(set(run.events)) == 40

    def test_basetemp_is_of_the_worker(self, run_sample: RunSample) -> None:
        files = {"test_a.py": "from eventlog import log\ndef test_a(tmp_path): log(tmp_path)\n"}
        run = run_sample(files, args=["--basetemp=temporary"], worker=1, workers=2).all_passed()
        assert "/temporary/surge-gw1/" in run.events[0]

    def test_caplog_has_the_records_of_its_thread(self, run_sample: RunSample) -> None:
        run = run_sample(
            {
                "test_a.py": """
                    import logging, threading, pytest
                    logger = logging.getLogger("shop.cart")
                    @pytest.fixture
                    def noisy(caplog):
                        logger.warning("setup of %d", threading.get_ident())
                    @pytest.mark.parametrize("n", range(3))
                    def test_a(noisy, caplog, n):
                        me = threading.get_ident()
                        logger.info("not for pytest's own level")
                        logger.error("in %d", me)
                        assert caplog.messages == [f"setup of {me}", f"in {me}"]
                        assert caplog.record_tuples[1] == ("shop.cart", logging.ERROR, f"in {me}")
                        assert f"in {me}" in caplog.text
                        caplog.clear()
                        assert caplog.records == []
                    def test_level(caplog):
                        with caplog.at_level(logging.DEBUG, logger="shop"):
                            logger.debug("seen")
                        logger.debug("not seen")
                        caplog.set_level(logging.INFO)
                        logger.info("again")
                        assert caplog.messages == ["seen", "again"]
                """
            },
            threads=4,
            iterations=10,
            shuffle=True,
        ).all_passed()
        assert run.told["alone"]["test_a.py::test_a[0]"] is None
        assert "a level set by caplog" in run.told["alone"]["test_a.py::test_level"]

    def test_the_smaller_ones(self, run_sample: RunSample) -> None:
        run_sample(
            {
                "test_a.py": """
                    def test_a(record_property, record_testsuite_property, cache, pytestconfig, doctest_namespace, request):
                        assert request.node.user_properties == []
                        record_property("a", 1)
                        assert request.node.user_properties == [("a", 1)]
                        cache.set("a/b", 1)
                        assert cache.get("a/b", 0) == 1
                        assert doctest_namespace == {}
                """
            },
            threads=2,
            iterations=3,
        ).all_passed()

    def test_subtests(self, run_sample: RunSample) -> None:
        run = run_sample(
            {
                "test_a.py": """
                    import pytest
                    from eventlog import log
                    def test_good(subtests):
                        for n in (1, 2):
                            with subtests.test("even", n=n): assert n < 3
                        with subtests.test(): pytest.skip("that one")
                    def test_bad(subtests):
                        for n in (1, 2, 3):
                            with subtests.test("odd", n=n): assert n % 2
                        log("went on")
                    runs = []
                    def test_both(subtests):
                        runs.append(1)
                        if len(runs) > 2: return
                        with subtests.test(): assert 0
                        raise OSError("after it")
                """
            },
            threads=2,
            iterations=2,
        )
        assert run.result("test_good")["passed"] == 4
        assert run.result("test_bad")["failed"] == 4
        assert "assert (2 % 2)" in run.result("test_bad")["errors"][0]
        assert run.events == ["went on"] * 4
        # What an iteration did not come to tell is not told by the next.
        assert [error.splitlines()[-1] for error in run.result("test_both")["errors"]] == ["OSError: after it"] * 2

    def test_data(self, run_sample: RunSample) -> None:
        files = {"test_a.py": "def test_a(surge_data): assert surge_data == {'user': 'ann'}\n"}
        run_sample(files, data={"user": "ann"}, threads=2).all_passed()
        error = run_sample(files).result("test_a")["errors"][0]
        assert "surge_data has no row: give this test data" in error

    def test_doctests(self, run_sample: RunSample) -> None:
        files = {"shop.py": 'def f():\n    """\n    >>> g() + 1\n    2\n    """\ndef g():\n    return 1\n'}
        run = run_sample(files, [["shop.py"]], args=["--doctest-modules"], threads=2, iterations=3).all_passed()
        assert "doctest" in run.items()[0]["note"]
