"""From a name in a config or on the command line to the object it names: ``package.module.name`` or ``path/to/file.py:name``.

User code runs here: importing is running. Whatever it raises, ``SystemExit`` included, becomes a ``Problem`` that says what is
wrong, with the user's frames alone, and what to do.
"""

import difflib
import importlib
import importlib.util
import inspect
import os
import pkgutil
import sys
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType, TracebackType
from typing import Any, NamedTuple

from . import _inherit
from ._paths import is_ours, shown
from ._tracebacks import one_line, render, sendable

# More names than these are no help in a hint.
_MANY_NAMES = 8


class Problem(NamedTuple):
    """Why a test cannot be loaded; ``fault`` is a name of the engine's ``LoadFault`` in snake case."""

    fault: str
    message: str
    hint: str | None
    traceback: str


class RefusedError(Exception):
    """What is wrong, on its way to whoever asked."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def refuse(fault: str, message: str, hint: str | None = None, error: BaseException | None = None) -> RefusedError:
    """Say what is wrong, with the user's part of the traceback of an error."""
    traceback = "" if error is None else render(error)
    return RefusedError(Problem(fault, sendable(message), hint and sendable(hint), traceback))


def find(name: str, folders: Sequence[str], kind: str = "class or function") -> Any:
    """Import what a name stands for. ``folders`` are those where user code is looked for; files are looked for there alone."""
    file, colon, attribute = name.rpartition(":")
    return _in_file(file, attribute, folders, kind) if colon else _by_dotted_path(name, folders, kind)


def short_name(name: str) -> str:
    """The last part of a name."""
    return name.rpartition(":")[2].rpartition(".")[2]


# -- dotted paths ------------------------------------------------------------------------------------------------------


def _by_dotted_path(path: str, folders: Sequence[str], kind: str) -> Any:
    parts = path.split(".")
    if not all(part.isidentifier() for part in parts):
        raise refuse("not_found", f"`{path}` is no dotted path to a {kind}", "write package.module.ClassName")
    module, rest = _import_longest(path, parts, folders)
    return _attribute(module, rest, path, len(parts) - len(rest), ".".join(parts), kind)


def _attribute(module: ModuleType, names: Sequence[str], path: str, depth: int, whole: str, kind: str) -> Any:
    """Follow names from a module on; ``depth`` is how many parts of the path the module has."""
    found: Any = module
    for place, part in enumerate(names):
        try:
            found = getattr(found, part)
        except AttributeError:
            owner = ".".join(whole.split(".")[: depth + place])
            raise _no_attribute(owner, part, found, module, kind) from None
        except BaseException as error:
            raise refuse("import", f"`{path}` cannot be looked up: {one_line(error)}", error=error) from None
    return found


def _import_longest(path: str, parts: list[str], folders: Sequence[str]) -> tuple[ModuleType, list[str]]:
    """Import as many leading parts as are modules."""
    module = _import(parts[0])
    if module is None:
        raise _no_module(path, parts[0], folders)
    for place, part in enumerate(parts[1:], start=1):
        is_last = place == len(parts) - 1
        if "__path__" not in vars(module) or (is_last and part in vars(module)):
            return module, parts[place:]
        submodule = _import(".".join(parts[: place + 1]))
        if submodule is None:
            return module, parts[place:]
        module = submodule
    return module, []


def _import(name: str) -> ModuleType | None:
    """Import a module; None where there is none of that name."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name:
            return None
        hint = f"is `{error.name}` installed for {sys.executable}?" if error.name else None
        raise import_failed(f"module `{name}`", error, hint) from None
    except BaseException as error:
        raise import_failed(f"module `{name}`", error) from None


def import_failed(what: str, error: BaseException, hint: str | None = None) -> RefusedError:
    """Say that user code raised while it was imported."""
    error.__traceback__ = _without_import_machinery(error.__traceback__)
    return refuse("import", f"{what} cannot be imported: {one_line(error)}", hint, error)


def _without_import_machinery(tb: TracebackType | None) -> TracebackType | None:
    machinery = (importlib.__file__, "<frozen importlib", "<frozen runpy")
    while tb is not None:
        filename = tb.tb_frame.f_code.co_filename
        if not (is_ours(filename) or filename.startswith(machinery)):
            break
        tb = tb.tb_next
    return tb


def _no_module(path: str, name: str, folders: Sequence[str]) -> RefusedError:
    message = f"there is no module `{name}`"
    if name == path:
        return refuse("not_found", message, "write the module and the class or function, module.name")
    places = [shown(folder) for folder in folders] or [shown(sys.path[0]) or "."]
    hint = f"looked in {' and '.join(places)} and on Python's path; run pysurge from the folder that holds `{name}`"
    alike = similar(name, _modules_in(folders or sys.path[:1]), few=False)
    return refuse("not_found", message, f"{alike}; {hint}" if alike else hint)


def _no_attribute(owner: str, part: str, found: Any, module: ModuleType, wanted: str) -> RefusedError:
    if owner == "__main__" and not _inherit.has_main():
        hint = "`__main__` means the script that makes a Manager; elsewhere write the module's own name"
        return refuse("not_found", f"there is no script that could hold `{part}`", hint)
    file = getattr(module, "__file__", None)
    where = f" ({shown(file)})" if file else ""
    kind = "module" if found is module else "class"
    among = candidates(found, wanted) + _modules_in(getattr(found, "__path__", ()))
    return refuse("not_found", f"{kind} `{owner}`{where} has no `{part}`", similar(part, among))


def _modules_in(folders: Iterable[str]) -> list[str]:
    return [module.name for module in pkgutil.iter_modules(list(folders))]


# -- files -------------------------------------------------------------------------------------------------------------


def _in_file(file: str, attribute: str, folders: Sequence[str], kind: str) -> Any:
    path = next((found for found in (os.path.join(folder, file) for folder in folders or ["."]) if os.path.isfile(found)), None)
    if path is None:
        places = " and ".join(shown(folder) or "." for folder in folders or ["."])
        raise refuse("not_found", f"there is no file `{file}`", f"looked in {places}")
    module = import_file(os.path.abspath(path))
    whole = f"{module.__name__.rpartition('.')[2]}.{attribute}"
    return _attribute(module, attribute.split("."), f"{file}:{attribute}", 1, whole, kind)


def import_file(path: str) -> ModuleType:
    """Import a file as the module that it is: one of a package where it lies in one, so that its relative imports work.

    Its folder, or that of the package, comes last on Python's path, for what it imports from beside it.
    """
    folder, names = os.path.dirname(path), [os.path.splitext(os.path.basename(path))[0]]
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        folder, package = os.path.split(folder)
        names.insert(0, package)
    if folder not in sys.path:
        sys.path.append(folder)
    name = ".".join(names)
    known = sys.modules.get(name)
    if known is not None and _is_same(getattr(known, "__file__", None), path):
        return known
    found = None if known is not None else _spec_of(name)
    if found is not None and _is_same(found.origin, path):
        module = _import(name)
        if module is not None:
            return module
    # Another module has its name: it is known to nobody else by this one.
    return _execute(name if known is None and found is None else f"{name}@{path}", path)


def _spec_of(name: str) -> importlib.machinery.ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except BaseException:
        # A package whose own import fails; importing the file tells it better.
        return None


def _execute(name: str, path: str) -> ModuleType:
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise refuse("not_found", f"`{shown(path)}` is no Python file", "write file.py:name")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickle look a module up by its name.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        raise import_failed(shown(path), error) from None
    return module


def _is_same(file: str | None, path: str) -> bool:
    return file is not None and os.path.exists(file) and os.path.samefile(file, path)


# -- hints -------------------------------------------------------------------------------------------------------------


def candidates(owner: Any, kind: str = "class or function") -> list[str]:
    """Names in a module or class that could be meant by one of such a kind, test cases first."""
    from ._engine import TestCase

    members = getattr(owner, "__dict__", {})
    classes = [name for name, value in members.items() if inspect.isclass(value) and value is not TestCase]
    cases = [name for name in classes if issubclass(members[name], TestCase)]
    if kind == "class":
        return cases or classes
    # What a module only imports is not what it is about.
    own = [name for name, value in members.items() if getattr(value, "__module__", None) == getattr(owner, "__name__", "")]
    functions = [name for name in own if inspect.isroutine(members[name]) and not name.startswith("_")]
    return [*cases, *(name for name in classes if name not in cases), *functions]


def similar(name: str, among: Sequence[str], few: bool = True) -> str | None:
    """A hint to a name that is alike, or, if there are ``few``, to all there are."""
    close = difflib.get_close_matches(name, among, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    if few and 0 < len(among) <= _MANY_NAMES:
        return "there is " + ", ".join(f"`{each}`" for each in sorted(among))
    return None


# -- signatures --------------------------------------------------------------------------------------------------------


def refusal(function: Callable[..., Any], *args: Any, **kwargs: Any) -> str | None:
    """Why a function does not take these arguments, told without calling it; None where it does or nobody knows."""
    found = signature(function)
    if found is None:
        return None
    try:
        found.bind(*args, **kwargs)
    except TypeError as error:
        return str(error)
    return None


def signature(function: Callable[..., Any]) -> inspect.Signature | None:
    """A function's own signature; None where it has none that can be read."""
    try:
        # What a decorator wraps is its own business: it may well provide an argument.
        return inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        return None
