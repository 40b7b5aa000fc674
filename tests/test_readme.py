"""What README.md and the examples tell a reader to do, done.

Convention (see CONTRIBUTING.md): a fenced block with a title is a file, a `console` block holds commands behind `$ `; one that
ends in ` &` runs in the background and counts as started once it has printed its first line.
"""

import os
import re
import shlex
import shutil
from collections import Counter
from pathlib import Path

import pytest
from support import REPOSITORY, account, executable, run_folder, summary

# `pysurge demo` alone takes 15 seconds.
PAGE_S = 150

FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)```$", re.M | re.S)


def pages():
    """The pages that hold commands for a reader to type."""
    found = [REPOSITORY / "README.md", *REPOSITORY.glob("docs/**/*.md"), *REPOSITORY.glob("examples/**/*.md")]
    return [str(page.relative_to(REPOSITORY)) for page in found if "```console" in page.read_text()]


def blocks(text):
    """The fenced blocks of a page: info string and body."""
    return [(match["info"].strip(), match["body"]) for match in FENCE.finditer(text)]


def files_of(text):
    """The files of a page, by name."""
    titled = ((re.search(r'title="([^"]+)"', info), body) for info, body in blocks(text))
    return {title[1]: body for title, body in titled if title}


def commands_of(text):
    """The commands of a page, in their order."""
    consoles = (body for info, body in blocks(text) if info.split(" ")[0] == "console" and "title=" not in info)
    return [line[2:].strip() for body in consoles for line in body.splitlines() if line.startswith("$ ")]


def script(commands):
    """One shell script of them, which stops at the first that fails and ends what it left in the background."""
    lines = [
        "set -u",
        "background=()",
        'ended() { for pid in ${background[@]+"${background[@]}"}; do kill -INT $pid; wait $pid; done; }',
        "trap ended EXIT",
    ]
    for number, command in enumerate(commands):
        if command.endswith(" &"):
            said = f".background-{number}"
            lines += [
                f"{command.removesuffix(' &')} > {said} 2>&1 &",
                "background+=($!)",
                f"until [ -s {said} ]; do kill -0 $! || exit 99; sleep 0.05; done",
            ]
        else:
            lines += [f"{command} || {{ echo FAILED with $?: {shlex.quote(command)} >&2; exit 98; }}"]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("page", pages())
def test_the_commands_of_a_page_work_as_written(run_pysurge, page):
    text = (REPOSITORY / page).read_text()
    commands = commands_of(text)
    assert commands
    path = f"{Path(executable()).parent}{os.pathsep}{os.environ['PATH']}"
    # Job control, so that background commands can be sent a Ctrl+C.
    done = run_pysurge(
        ["-m", "commands.sh"],
        {**files_of(text), "commands.sh": script(commands)},
        env={"PATH": path},
        timeout=PAGE_S,
        program=["/bin/bash"],
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "KeyboardInterrupt" not in done.stderr


def test_the_readme_has_files_and_commands():
    text = (REPOSITORY / "README.md").read_text()
    assert len(files_of(text)) >= 2
    assert any(command.startswith("pysurge run ") for command in commands_of(text))


def copy_example(name, folder):
    shutil.copytree(REPOSITORY / "examples" / name, folder / "examples" / name, ignore=shutil.ignore_patterns("__pycache__"))
    return f"examples/{name}/config.yml"


def test_the_http_example(run_pysurge, target, tmp_path):
    path = copy_example("http", tmp_path)
    env = {"TARGET_URL": target.url}
    rehearsed = run_pysurge(f"check {path}", env=env)
    assert rehearsed.returncode == 2, "the path that does not exist fails"
    assert "HTTPError" in rehearsed.stdout
    before = len(target.arrivals())
    assert before == 2

    done = run_pysurge(f"run {path} -d 2s", env=env)
    assert done.returncode == 0, done.stderr
    found, missing = summary(tmp_path)["tests"]
    assert (found["account"], missing["account"]) == (account(passed=40), account(failed=4))
    assert found["metrics"]["bytes"]["count"] == 40
    (failure,) = missing["failures"]
    assert (failure["exception"], failure["count"]) == ("requests.exceptions.HTTPError", 4)
    assert "404 Client Error" in failure["message"]
    assert "http_case.py" in failure["frame"]

    arrivals = target.arrivals()[before:]
    assert Counter((arrival.path, arrival.status) for arrival in arrivals) == {
        ("/items/1", 200): 40,
        ("/no/such/path", 404): 4,
    }
    ids = {arrival.request_id for arrival in arrivals}
    assert len(ids) == 44
    # Each failure in the log can be found in the target's log, by the request id of its description.
    logged = set(re.findall(r"ERROR .*request id ([0-9a-f-]{36})", done.stdout))
    assert logged == {arrival.request_id for arrival in arrivals if arrival.status == 404}


def test_the_classic_example(run_pysurge, target, tmp_path):
    copy_example("classic", tmp_path)
    shutil.copytree(tmp_path / "examples" / "classic", tmp_path, dirs_exist_ok=True)
    done = run_pysurge("-c config.yml -d 2s", env={"TARGET_URL": target.url})
    assert done.returncode == 0, done.stderr
    assert [test["account"] for test in summary(tmp_path)["tests"]] == [account(passed=20), account(passed=1)]
    assert Counter(arrival.path for arrival in target.arrivals()) == {"/items/1": 20, "/items/2": 1}
    assert len({arrival.request_id for arrival in target.arrivals()}) == 21
    results = re.findall(
        r"---- Results for test '(<ReadItem kwargs=.*>) -- read item test, item: (\d)' ----\n"
        r".* >>> Ran for \d+\.\d{6} sec, fired (\d+) total tests\n"
        r".* >>> Successes: (\d+), failures: (\d+)\n",
        done.stdout,
    )
    assert results == [
        ("<ReadItem kwargs={}>", "1", "20", "20", "0"),
        ("<ReadItem kwargs={'item': 2}>", "2", "1", "1", "0"),
    ]
    assert run_folder(tmp_path).name.endswith("-config")
