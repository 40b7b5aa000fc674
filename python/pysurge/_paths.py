"""Where the package's own files are, and which files are the user's."""

import functools
import os
import sys
import sysconfig

_PACKAGE = os.path.dirname(os.path.realpath(__file__))
_DEMO = os.path.join(_PACKAGE, "demo")
_LIBRARIES = tuple(
    os.path.join(os.path.realpath(path), "")
    for path in (_PACKAGE, *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")))
    if path
)
# Folders of installed packages that sysconfig does not tell of: the user's site, and Debian's.
_INSTALLED = tuple(os.path.join(os.sep, name, "") for name in ("site-packages", "dist-packages"))

# Asked for every frame of every failure, and a real path costs a system call per folder.
_real = functools.lru_cache(maxsize=4096)(os.path.realpath)


def demo_folder() -> str:
    """The folder of the shipped example."""
    return _DEMO


def is_ours(filename: str) -> bool:
    """Whether a source file belongs to pysurge itself; the shipped example counts as the user's."""
    path = _real(filename)
    return _inside(path, _PACKAGE) and not _inside(path, _DEMO)


def is_users(filename: str) -> bool:
    """Whether a source file is the user's own: neither Python's, nor an installed package's, nor ours."""
    if filename.startswith("<"):
        return False
    path = _real(filename)
    if _inside(path, _DEMO):
        return True
    return not path.startswith(_LIBRARIES) and not any(folder in path for folder in _INSTALLED)


def _inside(path: str, folder: str) -> bool:
    return path.startswith(os.path.join(folder, ""))


def shown(filename: str) -> str:
    """A path as the user would write it: relative to the current folder where it lies inside."""
    for folder in (os.getcwd(), *sys.path[:1]):
        prefix = os.path.join(folder, "")
        if folder and filename.startswith(prefix):
            return filename[len(prefix) :]
    return filename
