"""What a user asks for becomes items, as pytest would find them; what is wrong is told in the user's terms."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from pytest_adapter_support import RunSample, run_sample

from pysurge._names import RefusedError
from pysurge._pytest import versions

__all__ = ["run_sample"]

PROJECT = {
    "pytest.ini": "[pytest]\nmarkers = slow: x\n    fast: x\n",
    "tests/conftest.py": "import pytest\n",
    "tests/test_api.py": """
        import pytest
        @pytest.mark.slow
        def test_upload(): pass
        @pytest.mark.parametrize("size", [1, 2], ids=["small", "a::b/c"])
        def test_download(size): pass
        class TestCart:
            @pytest.mark.fast
            def test_add(self): pass
            @pytest.mark.parametrize("n", [1, 2])
            def test_drop(self, n): pass
    """,
    "tests/sub/test_deep.py": "def test_deep(): pass\n",
}


def found(run_sample: RunSample, *entries: Any, **do: Any) -> Any:
    return run_sample(PROJECT, entries=[list(entry) for entry in entries], collect_only=True, **do)


class TestEntries:
    @pytest.mark.parametrize(
        ("entry", "names"),
        [
            (["tests/sub"], ["test_deep"]),
            (["tests/test_api.py::test_upload"], ["test_upload"]),
            (["tests/test_api.py::test_download"], ["test_download[small]", "test_download[a::b/c]"]),
            (["tests/test_api.py::test_download[a::b/c]"], ["test_download[a::b/c]"]),
            (["tests/test_api.py::TestCart"], ["test_add", "test_drop[1]", "test_drop[2]"]),
            (["tests/test_api.py::TestCart::test_drop[2]"], ["test_drop[2]"]),
            (["tests", "add or deep"], ["test_deep", "test_add"]),
            (["tests", None, "slow or fast"], ["test_upload", "test_add"]),
            (["tests", "not add", "fast or slow"], ["test_upload"]),
        ],
    )
    def test_one(self, run_sample: RunSample, entry: list[Any], names: list[str]) -> None:
        run = found(run_sample, entry)
        files = ("tests/test_api.py::TestCart::", "tests/test_api.py::", "tests/sub/test_deep.py::")
        start = {name: next(file for file in files if name.startswith(file)) for name in run.names()}
        assert sorted(name.removeprefix(start[name]) for name in run.names()) == sorted(names)

    def test_several_each_with_its_own(self, run_sample: RunSample) -> None:
        run = found(run_sample, ["tests", "upload"], ["tests/test_api.py", None, "fast"], ["tests/test_api.py::test_upload"])
        assert run.names(0) == run.names(2) == ["tests/test_api.py::test_upload"]
        assert run.names(1) == ["tests/test_api.py::TestCart::test_add"]

    def test_what_the_ini_file_says_is_overruled(self, run_sample: RunSample) -> None:
        files = {**PROJECT, "pytest.ini": PROJECT["pytest.ini"] + "addopts = -m slow -x -v --tb=short\n"}
        run = run_sample(files, [["tests"], ["tests", None, "fast"]], collect_only=True)
        assert run.names(0) == ["tests/test_api.py::test_upload"]
        assert run.names(1) == ["tests/test_api.py::TestCart::test_add"]

    def test_a_worker_finds_the_same(self, run_sample: RunSample, tmp_path: Path) -> None:
        files = {name: text for name, text in PROJECT.items() if name != "pytest.ini"}
        run = run_sample(files, [["tests/sub"], ["tests/test_api.py", "add"]]).all_passed()
        assert set(run.told["results"]) == {*run.names(0), *run.names(1), "thread_ended"}
        assert run.items(0)[0]["file"] == str(tmp_path / "tests/sub/test_deep.py")
        outside = tmp_path / "elsewhere"
        outside.mkdir()
        run = run_sample(PROJECT, [[str(tmp_path / "tests" / "sub")]])
        assert run.result("test_deep")["passed"] == 1


class TestItems:
    def test_load_of_its_own(self, run_sample: RunSample) -> None:
        run = run_sample(
            {
                "test_a.py": """
                    import pytest
                    def test_plain(): pass
                    @pytest.mark.surge(weight=3)
                    def test_weight(): pass
                    @pytest.mark.surge(2.5, 0.5)
                    def test_both(): pass
                    @pytest.mark.surge(rate=10, weight=2)
                    class TestC:
                        @pytest.mark.surge(rate=7)
                        def test_c(self): pass
                """
            },
            collect_only=True,
            args=["--strict-markers"],
        )
        loads = {item["node_id"].rpartition("::")[2]: (item["weight"], item["rate"]) for item in run.items()}
        assert loads == {"test_plain": (1, None), "test_weight": (3, None), "test_both": (2.5, 0.5), "test_c": (2, 7)}

    @pytest.mark.parametrize(
        ("mark", "message"),
        [
            ("weight=0", "has weight=0"),
            ("weight='3'", "has weight='3'"),
            ("rate=-1", "has rate=-1"),
            ("wieght=3", "takes no `wieght`"),
        ],
    )
    def test_wrong_marks(self, run_sample: RunSample, mark: str, message: str) -> None:
        run = run_sample({"test_a.py": f"import pytest\n@pytest.mark.surge({mark})\ndef test_a(): pass\n"})
        assert run.problem["message"] == f"the mark surge of test_a.py::test_a {message}"
        assert run.problem["fault"] == "collect"

    def test_what_is_skipped_is_known(self, run_sample: RunSample) -> None:
        run = run_sample(
            {
                "test_a.py": """
                    import pytest, sys
                    @pytest.mark.skip
                    def test_a(unknown_fixture): pass
                    @pytest.mark.skipif(sys.version_info > (3,), reason="too new")
                    def test_b(): pass
                    @pytest.mark.skipif("sys.version_info > (3,)")
                    def test_c(): pass
                    @pytest.mark.xfail(run=False, reason="crashes")
                    def test_d(): pass
                    @pytest.mark.skipif(False, reason="no")
                    def test_e(): pass
                """
            },
            collect_only=True,
        )
        assert [item["skip"] for item in run.items()] == [
            "unconditional skip",
            "too new",
            "condition: sys.version_info > (3,)",
            "xfail, not to be run: crashes",
            None,
        ]


class TestProblems:
    @pytest.mark.parametrize(
        ("entry", "message", "hint"),
        [
            (["testz"], "there is no `testz`", "did you mean `tests`?"),
            (["tests/test_apo.py"], "there is no `tests/test_apo.py`", "did you mean `test_api.py`?"),
            (["tests", "upload and"], "pytest says: Wrong expression passed to '-k': upload and:", None),
            (["tests", "nothing_like_it"], "-k 'nothing_like_it' leaves none of the 7 tests of `tests`", None),
            (["tests", None, "fast and slow"], "-m 'fast and slow' leaves none of the 7 tests of `tests`", None),
        ],
    )
    def test_paths_and_expressions(self, run_sample: RunSample, entry: list[Any], message: str, hint: str | None) -> None:
        problem = found(run_sample, entry).problem
        assert problem["message"].startswith(message)
        assert problem["hint"] == hint or hint is None
        assert problem["traceback"] == ""

    def test_no_such_test(self, run_sample: RunSample) -> None:
        problem = found(run_sample, ["tests/test_api.py::test_uplaod"]).problem
        assert "not found" in problem["message"] and "test_uplaod" in problem["message"]

    def test_wrong_option(self, run_sample: RunSample) -> None:
        problem = found(run_sample, ["tests"], args=["--no-such-option"]).problem
        assert problem["message"].startswith("pytest says: unrecognized arguments: --no-such-option")

    @pytest.mark.parametrize(
        ("text", "message", "frame"),
        [
            ("import there_is_none\n", "imported: ModuleNotFoundError: No module named 'there_is_none'", "line 1, in <module>"),
            ("def broken(:\n", "cannot be imported: SyntaxError: invalid syntax", "def broken(:"),
            (
                "def f():\n    raise ValueError('on import')\nf()\n",
                "cannot be collected: ValueError: on import",
                "line 2, in f",
            ),
            ("import sys\nsys.exit(3)\n", "SystemExit: 3", "line 2, in <module>"),
            ("def test_a(nonexistent): pass\n", "asks for the fixture `nonexistent`, which does not exist", ""),
            ("def test_a(tmp_paht): pass\n", "asks for the fixture `tmp_paht`, which does not exist", ""),
        ],
    )
    @pytest.mark.parametrize("file", ["test_a.py"])
    def test_modules(self, run_sample: RunSample, file: str, text: str, message: str, frame: str) -> None:
        problem = run_sample({file: text}).problem
        assert message in problem["message"]
        assert frame in problem["traceback"]
        assert "_pytest" not in problem["traceback"] and "pluggy" not in problem["traceback"]
        if "paht" in text:
            assert problem["hint"] == "did you mean `tmp_path`?"

    def test_conftest(self, run_sample: RunSample) -> None:
        files = {"tests/conftest.py": "raise OSError('no server')\n", "tests/test_a.py": "def test_a(): pass\n"}
        for entry in ("tests", "."):
            problem = run_sample(files, [[entry]]).problem
            assert problem["message"] == "tests/conftest.py cannot be imported: OSError: no server"
            assert "line 1, in <module>" in problem["traceback"]

    def test_a_file_without_tests(self, run_sample: RunSample) -> None:
        problem = run_sample({"test_a.py": "def upload(): pass\n"}).problem
        assert problem["message"] == "pytest finds no tests in `.`"
        files = {"test_a.py": "import pytest\npytest.skip('not on this machine', allow_module_level=True)\n"}
        assert run_sample(files).problem["hint"] == "it skips itself: not on this machine"

    def test_a_wrong_condition(self, run_sample: RunSample) -> None:
        text = "import pytest\n@pytest.mark.skipif('nowhere > 3')\ndef test_a(): pass\n"
        assert "NameError: name 'nowhere' is not defined" in run_sample({"test_a.py": text}).problem["message"]

    def test_names_that_change(self, run_sample: RunSample) -> None:
        text = "import os, pytest\n@pytest.mark.parametrize('n', [os.getpid()])\ndef test_a(n): pass\n"
        problem = run_sample({"test_a.py": text}).problem
        assert problem["message"].endswith("is not there any more")


class TestVersions:
    def test_too_old(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(versions.metadata, "version", lambda _: "7.4.4")
        with pytest.raises(RefusedError, match=r"pytest 7\.4\.4 is too old: pysurge needs 8\.2 or newer"):
            versions.require()

    def test_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def missing(name: str) -> str:
            raise versions.metadata.PackageNotFoundError(name)

        monkeypatch.setattr(versions.metadata, "version", missing)
        with pytest.raises(RefusedError, match="pytest is not installed for") as refused:
            versions.require()
        assert sys.executable in (refused.value.problem.hint or "")

    def test_it_is_not_imported_before_it_is_needed(self) -> None:
        code = "import sys, pysurge._pytest; pysurge._pytest.Adapter(); assert 'pytest' not in sys.modules"
        assert os.system(f'{sys.executable} -c "{code}"') == 0
