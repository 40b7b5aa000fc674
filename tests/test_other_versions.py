"""With the oldest pytest that is supported, and with uvloop: packages that are not the ones these tests themselves run on."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import REPOSITORY, account, summary

# The previous major release of pytest, in the oldest version that is supported and in its last.
PYTEST_8 = ("8.2.0", "8.4.2")


def install(folder: Path, *packages: str) -> str:
    """Install packages beside those of this environment; gives what PYTHONPATH is to be."""
    # By the name of the folder it is known that their frames are not the user's.
    target = folder / "site-packages"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", str(target)]
    done = subprocess.run([*command, *packages], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return str(target)


@pytest.mark.parametrize("version", PYTEST_8)
def test_the_adapter_holds_with_the_previous_pytest(tmp_path, version):
    path = install(tmp_path, f"pytest=={version}")
    files = sorted(str(file) for file in (REPOSITORY / "tests/unit").glob("test_pytest_adapter*.py"))
    assert len(files) >= 5
    # From another folder: the options of this project's own pytest are newer.
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
        f"--rootdir={tmp_path}",
        *files,
    ]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((path, str(REPOSITORY / "tests")))}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    told = subprocess.run(
        [sys.executable, "-c", "import pytest; print(pytest.__version__)"], env=env, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == version
    assert re.search(r"(\d+) passed", done.stdout)


def test_an_older_pytest_is_refused(tmp_path, run_pysurge):
    path = install(tmp_path, "pytest==8.1.2")
    files = {"test_it.py": "def test_it(): pass\n"}
    done = run_pysurge("run test_it.py --rate 5 -d 1s", files, env={"PYTHONPATH": path})
    assert done.returncode == 2
    assert "8.1.2" in done.stderr
    assert "pytest>=8.2" in done.stderr


def test_uvloop_is_taken_where_it_is_installed(tmp_path, run_pysurge):
    path = install(tmp_path, "uvloop==0.22.1")
    module = """
import asyncio

async def nap():
    assert type(asyncio.get_running_loop()).__module__.startswith("uvloop")
    await asyncio.sleep(0.05)
"""
    done = run_pysurge("run naps.py:nap --rate 500 -d 2s --workers 2", {"naps.py": module}, env={"PYTHONPATH": path})
    assert done.returncode == 0, done.stdout + done.stderr
    assert summary(tmp_path)["account"] == account(passed=1000)
