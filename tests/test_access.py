"""Nobody else gets at a run: files, folders and sockets are the user's alone, and nothing listens on the network."""

import os
import stat as modes
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from support import HANG_S, case, run_folder, until


def mode(path: Path) -> int:
    """The permissions of a file."""
    return modes.S_IMODE(path.lstat().st_mode)


def below(folder: Path) -> Iterator[Path]:
    """The folder and all in it."""
    yield folder
    yield from folder.rglob("*")


@pytest.fixture(params=[0o000, 0o022, 0o277], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_what_a_run_writes_is_the_users_alone(run_pysurge: Any, tmp_path: Path, umask: int) -> None:
    files = case("def run(self): pass")
    os.umask(0o022)
    (tmp_path / "c.yml").write_text(files["c.yml"])
    (tmp_path / "case.py").write_text(files["case.py"])
    os.umask(umask)
    flags = "--samples samples.csv --junit junit.xml --results out/runs"
    done = run_pysurge(f"run c.yml -d 1.5s --workers 1 {flags}", timeout=2 * HANG_S)
    assert done.returncode == 0, done.stderr
    for path in [*below(tmp_path / "out"), tmp_path / "samples.csv", tmp_path / "junit.xml"]:
        assert mode(path) == (0o700 if path.is_dir() else 0o600), path


def test_what_is_there_keeps_its_mode(run_pysurge: Any, tmp_path: Path) -> None:
    (tmp_path / "pysurge-results").mkdir()
    (tmp_path / "pysurge-results").chmod(0o755)
    (tmp_path / "samples.csv").write_text("")
    (tmp_path / "samples.csv").chmod(0o644)
    done = run_pysurge("run c.yml -d 0.5s --workers 1 --samples samples.csv", case("def run(self): pass"))
    assert done.returncode == 0, done.stderr
    assert mode(tmp_path / "pysurge-results") == 0o755
    assert mode(tmp_path / "samples.csv") == 0o644
    assert mode(run_folder(tmp_path)) == 0o700


def test_what_a_search_writes_is_the_users_alone(run_pysurge: Any, tmp_path: Path) -> None:
    flags = "--slo 'failures < 1%' --start 20 --max-rate 40 --hold 2s --settle 0s"
    before = os.umask(0)
    try:
        done = run_pysurge(f"find-max c.yml --workers 1 {flags}", case("def run(self): pass"), timeout=2 * HANG_S)
    finally:
        os.umask(before)
    found = list(below(tmp_path / "pysurge-results"))
    assert done.returncode == 0, done.stderr
    assert any(path.name == "find-max.json" for path in found)
    assert any(path.name == "summary.json" for path in found)
    for path in found:
        assert mode(path) == (0o700 if path.is_dir() else 0o600), path


def test_a_run_listens_on_no_address_and_its_socket_is_the_users_alone(
    start_pysurge: Any, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # A path of a socket has few characters.
    runtime = tmp_path_factory.mktemp("x")
    before = os.umask(0)
    try:
        env = {"XDG_RUNTIME_DIR": str(runtime)}
        run = start_pysurge(
            "run c.yml -d 10m --workers 2", case("def run(self):\n    note('ran')\n    time.sleep(0.01)"), env=env
        )
        workers = run.workers(2)
        until((tmp_path / "journal").exists, "the first iteration")
    finally:
        os.umask(before)
    for pid in [run.pid, *workers]:
        sockets = psutil.Process(pid).net_connections(kind="inet")
        assert sockets == [], psutil.Process(pid).cmdline()
    socket = runtime / "pysurge" / f"{run.pid}.sock"
    assert modes.S_ISSOCK(socket.lstat().st_mode)
    assert (mode(socket), mode(socket.parent)) == (0o600, 0o700)
    # Only of that one there is a listener.
    listening = [path for path in below(tmp_path) if modes.S_ISSOCK(path.lstat().st_mode)]
    assert listening == []


def test_the_target_listens_on_this_machine_alone(start_pysurge: Any) -> None:
    target = start_pysurge("target --port 0")
    target.out.wait_for(r"http://127\.0\.0\.1:\d+\n")
    listening = [c for c in psutil.Process(target.pid).net_connections(kind="inet") if c.status == psutil.CONN_LISTEN]
    assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}
