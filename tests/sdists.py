"""Other projects' source archives from PyPI, with their own test suites, unpacked for a test."""

import subprocess
import sys
import tarfile
from pathlib import Path
from typing import NamedTuple


class Project(NamedTuple):
    """A project whose suite is run: pure Python, with fixtures and parametrization."""

    name: str
    version: str
    # Where its tests are and where its modules are, in its source archive.
    tests: str
    source: str
    # What its tests import beside itself.
    needs: tuple[str, ...]
    # Tests that fail in threads of themselves, and why: see below.
    not_thread_safe: tuple[str, ...] = ()


ITSDANGEROUS = Project(
    "itsdangerous", "2.2.0", "tests", "src", ("freezegun==1.5.5", "python-dateutil==2.9.0.post0", "six==1.17.0")
)

_TRIO = ("trio==0.35.0", "attrs==26.1.0", "idna==3.20", "outcome==1.3.0.post0", "sniffio==1.3.1", "sortedcontainers==2.4.0")

JINJA = Project(
    "jinja2",
    "3.1.6",
    "tests",
    "src",
    ("markupsafe==3.0.4", *_TRIO),
    # It looks for a module named by the address of an object that is gone; by then another object may have that address.
    ("tests/test_loader.py::TestModuleLoader::test_weak_references",),
)


def unpack(project: Project, folder: Path) -> Path:
    """Download and unpack the source archive of a project; its folder, with what its tests import in ``site-packages``."""
    _pip("download", "--no-deps", "--no-binary", ":all:", "--dest", str(folder), f"{project.name}=={project.version}")
    (archive,) = folder.glob(f"{project.name}-*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    root = folder / archive.name.removesuffix(".tar.gz")
    _pip("install", "--no-deps", "--target", str(root / "site-packages"), *project.needs)
    return root


def _pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
