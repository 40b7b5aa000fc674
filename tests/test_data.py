"""Rows of data: each reaches an iteration, as often as it should, whatever the load and however many workers."""

import collections
import json
import os
from textwrap import dedent

import pytest
from support import account, case, journal, summary, until

# Notes the row of each iteration: as kwargs, and as `self.data`.
NOTES = """
def run(self):
    assert self.data == {name: self.kwargs[name] for name in self.data}, (self.data, self.kwargs)
    note("row", *(f"{name}={value}" for name, value in sorted(self.data.items())))
"""

ROWS = 40


def table(rows=ROWS):
    """A CSV file of users."""
    return "user,token\n" + "".join(f"u{n},t{n}\n" for n in range(rows))


def project(body, data, load=None, files=None, **entry):
    """A project of one class that is fed with data."""
    test = {"test_class": "case.Case", "data": data, **(load or {"rate": 100}), **entry}
    more = {name: dedent(text) if name.endswith(".py") else text for name, text in (files or {}).items()}
    return {**case(dedent(body)), "c.yml": json.dumps({"tests": [test]}), "users.csv": table(), **more}


def ok(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def users(folder):
    """The users of the iterations, in the order in which they were noted."""
    return [word.removeprefix("user=") for line in journal(folder) for word in line if word.startswith("user=")]


ALL = [f"u{n}" for n in range(ROWS)]


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("order", ["sequential", "shuffle"])
@pytest.mark.parametrize(
    "load", [{"rate": 200}, {"rate": 200, "arrivals": "poisson"}, {"users": 4}, {"users": 2, "warmup": "50ms"}], ids=json.dumps
)
def test_once_hands_out_each_row_once_and_ends_the_test(run_pysurge, tmp_path, workers, order, load):
    data = {"from": "users.csv", "order": order, "reuse": "once"}
    ok(run_pysurge(f"run c.yml -d 60s --no-rehearsal --workers {workers}", project(NOTES, data, load)))
    result = summary(tmp_path)
    assert sorted(users(tmp_path)) == sorted(ALL)
    assert result["stop_cause"] == "iterations"
    counted = result["tests"][0]["account"]
    warm = result["tests"][0].get("warmup") or {"account": account()}
    assert counted["passed"] + warm["account"]["passed"] == ROWS
    if workers == 1 and "rate" in load:
        # Threads may overtake each other by a little.
        moved = max(abs(place - ALL.index(user)) for place, user in enumerate(users(tmp_path)))
        assert (moved < ROWS / 2) == (order == "sequential")


@pytest.mark.parametrize("workers", [1, 2])
def test_rows_are_handed_out_again(run_pysurge, tmp_path, workers):
    load = {"rate": 200, "iterations": 2 * ROWS + 3}
    ok(run_pysurge(f"run c.yml --no-rehearsal --workers {workers}", project(NOTES, "users.csv", load)))
    times = collections.Counter(users(tmp_path))
    assert times == {name: 3 if n < 3 else 2 for n, name in enumerate(ALL)}


def test_a_seed_repeats_a_random_order_and_another_one_does_not(run_pysurge, tmp_path):
    seen = {}
    for place, seed in enumerate([1, 1, 2]):
        data = {"from": "users.csv", "order": "random", "seed": seed}
        files = project(NOTES, data, {"rate": 200, "iterations": 100})
        ok(run_pysurge("run c.yml --no-rehearsal --workers 1", files))
        seen[place] = users(tmp_path)
        (tmp_path / "journal").unlink()
    assert seen[0] == seen[1] != seen[2]
    assert len(seen[0]) == 100
    assert len(set(seen[0])) > ROWS / 2


def test_iterations_may_be_fewer_than_rows(run_pysurge, tmp_path):
    data = {"from": "users.csv", "reuse": "once"}
    ok(run_pysurge("run c.yml --no-rehearsal --workers 2", project(NOTES, data, {"rate": 200, "iterations": 7})))
    assert sorted(users(tmp_path)) == sorted(ALL[:7])


def test_lines_of_json_keep_their_types(run_pysurge, tmp_path):
    rows = [
        {"id": 7, "ratio": 0.5, "ok": True, "none": None, "list": [1, "ü"], "deep": {"a": {"b": []}}},
        {"id": 2**63, "text": 'a "quoted"\nline', "": "no name"},
    ]
    body = """
    def __init__(self, **kwargs):
        super().__init__()

    def run(self):
        with open("seen.jsonl", "a") as file:
            file.write(json.dumps(self.data) + "\\n")
    """
    files = project(body, {"from": "rows.jsonl", "reuse": "once"})
    files["case.py"] = "import json\n" + files["case.py"]
    files["rows.jsonl"] = "\ufeff" + "\n\n".join(json.dumps(row) for row in rows)
    ok(run_pysurge("run c.yml --no-rehearsal --workers 1", files))
    seen = [json.loads(line) for line in (tmp_path / "seen.jsonl").read_text().splitlines()]
    assert seen == rows


@pytest.mark.parametrize("name", ["feed.users", "feed.listed", "feed.py:generated", "feed.mapped"])
def test_python_iterables_are_data(run_pysurge, tmp_path, name):
    feed = f"""
    listed = [{{"user": f"u{{n}}", "token": n}} for n in range({ROWS})]
    generated = (row for row in listed)

    def users():
        yield from listed

    class Mapped:
        def __iter__(self):
            return iter(listed)

    mapped = Mapped()
    """
    files = project(NOTES, {"from": name, "order": "shuffle", "reuse": "once"}, files={"feed.py": feed})
    ok(run_pysurge("run c.yml --no-rehearsal --workers 2", files))
    assert sorted(users(tmp_path)) == sorted(ALL)


def test_a_row_is_the_iterations_own(run_pysurge, tmp_path):
    body = """
    def run(self):
        note("row", "clean" if "seen" not in self.data else "dirty")
        self.data["seen"] = True
    """
    feed = 'rows = [{"user": "ann"}]\n'
    ok(run_pysurge("run c.yml --no-rehearsal", project(body, "feed.rows", {"rate": 50, "iterations": 9}, {"feed.py": feed})))
    assert [line[1] for line in journal(tmp_path)] == ["clean"] * 9


def test_a_class_gets_what_its_init_names_and_the_rest_as_data(run_pysurge, tmp_path):
    body = """
    def __init__(self, user, greeting):
        super().__init__()
        note("init", user, greeting)

    def run(self):
        note("run", self.data["token"])
    """
    files = project(body, {"from": "users.csv", "reuse": "once"}, {"rate": 200}, kwargs={"greeting": "hello"})
    ok(run_pysurge("run c.yml --no-rehearsal --workers 1", files))
    noted = journal(tmp_path)
    assert noted[0] == ["init", "u0", "hello"] or noted[1] == ["init", "u0", "hello"]
    assert sorted(line[1] for line in noted if line[0] == "run") == sorted(f"t{n}" for n in range(ROWS))


def test_a_function_gets_the_columns_it_names(run_pysurge, tmp_path):
    code = """
    def by_name(token, *, user):
        with open("seen", "a") as file:
            file.write(f"{user} {token}\\n")

    def whole(data):
        by_name(**data)

    async def waited(user, data):
        by_name(data["token"], user=user)
    """
    for name in ["by_name", "whole", "waited"]:
        config = {"tests": [{"test": f"code_under_test.{name}", "rate": 200, "data": {"from": "users.csv", "reuse": "once"}}]}
        files = {"code_under_test.py": dedent(code), "c.yml": json.dumps(config), "users.csv": table()}
        ok(run_pysurge("run c.yml --no-rehearsal --workers 2", files))
        seen = (tmp_path / "seen").read_text().splitlines()
        assert sorted(seen) == sorted(f"u{n} t{n}" for n in range(ROWS)), name
        (tmp_path / "seen").unlink()


def test_the_rehearsal_has_the_first_row(run_pysurge, tmp_path):
    files = project(NOTES, {"from": "users.csv", "reuse": "once"}, {"rate": 200})
    ok(run_pysurge("run c.yml --workers 1", files, rehearsal=True))
    assert sorted(users(tmp_path)) == sorted(["u0", *ALL])
    assert users(tmp_path)[:2] == ["u0", "u0"]


@pytest.mark.parametrize("load", [{"rate": 200}, {"users": 2}], ids=json.dumps)
def test_a_failed_iteration_shows_its_row(run_pysurge, tmp_path, load):
    body = """
    def run(self):
        if self.data["user"] == "u7":
            raise ValueError("no such user")
    """
    run_pysurge("run c.yml --no-rehearsal --workers 2", project(body, {"from": "users.csv", "reuse": "once"}, load))
    (test,) = summary(tmp_path)["tests"]
    assert test["account"] == account(passed=ROWS - 1, failed=1)
    (shown,) = test["first_failed"]
    assert "'user': 'u7'" in shown["kwargs"], shown


WRONG = {
    "no such file": ({"data": "none.csv"}, {}, ["none.csv"]),
    "only a header": ({"data": "a.csv"}, {"a.csv": "a,b\n"}, ["a.csv", "a header but no rows"]),
    "ragged": ({"data": "a.csv"}, {"a.csv": "a,b\n1,2\n3\n"}, ["a.csv: line 3: 1 cells where the header has 2"]),
    "a name twice": ({"data": "a.csv"}, {"a.csv": "a,a\n1,2\n"}, ["line 1: more than one column `a`"]),
    "a quote": ({"data": "a.csv"}, {"a.csv": 'a\n1\n"2\n'}, ["line 3: a quoted cell is never closed"]),
    "no object": ({"data": "a.jsonl"}, {"a.jsonl": '{"a": 1}\n[2]\n'}, ["a.jsonl: line 2: no JSON object"]),
    "empty": ({"data": "a.ndjson"}, {"a.ndjson": "\n"}, ["a.ndjson", "the file is empty"]),
    "no module": ({"data": "nowhere.rows"}, {}, ["there is no module `nowhere`"]),
    "no name": ({"data": "feed.rows"}, {"feed.py": "row = []\n"}, ["has no `rows`", "did you mean `row`?"]),
    "no rows": ({"data": "feed.rows"}, {"feed.py": "rows = []\n"}, ["data `feed.rows` gives no rows"]),
    "no mapping": ({"data": "feed.rows"}, {"feed.py": "rows = [1]\n"}, ["row 1 of data `feed.rows` is of type int"]),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("workers", [1, 2])
def test_data_that_is_wrong_is_told_before_anything_is_fired(run_pysurge, tmp_path, name, workers):
    entry, more, said = WRONG[name]
    done = run_pysurge(f"run c.yml --workers {workers}", project(NOTES, files=more, **entry))
    assert done.returncode == 2, done.stdout + done.stderr
    text = done.stdout + done.stderr
    for words in said:
        assert words in text
    assert '"data"' in text, "the place in the config is shown"
    assert "Traceback" not in text
    assert journal(tmp_path) == []


def test_an_error_of_the_iterable_shows_the_users_frames(run_pysurge, tmp_path):
    feed = """
    def rows():
        yield {"user": "ann"}
        raise RuntimeError("lost the connection")
    """
    done = run_pysurge("run c.yml", project(NOTES, "feed.rows", files={"feed.py": feed}))
    text = done.stdout + done.stderr
    assert done.returncode == 2
    assert "data `feed.rows` raised RuntimeError: lost the connection at row 2" in text
    assert "feed.py" in text
    assert "_rows.py" not in text


def test_workers_must_find_the_same_number_of_rows(run_pysurge, tmp_path):
    feed = """
    import os

    def rows():
        # Whoever comes first finds one row less.
        try:
            os.mkdir("first")
        except FileExistsError:
            yield {"user": "ann"}
        yield {"user": "bob"}
    """
    done = run_pysurge("run c.yml --workers 2", project(NOTES, "feed.rows", files={"feed.py": feed}))
    assert done.returncode == 2, done.stdout + done.stderr
    assert "not the same number of rows in every worker" in done.stdout + done.stderr
    assert journal(tmp_path) == []


@pytest.mark.parametrize("order", ["sequential", "shuffle"])
def test_a_long_file_is_read_as_it_is_needed(run_pysurge, tmp_path, order):
    """Some 36 MB: longer than what is kept in memory."""
    rows = 400_000
    body = """
    def run(self):
        assert self.data["padding"] == "x" * 70 + self.data["n"]
        assert int(self.data["n"]) < 400_000
    """
    text = "n,padding\n" + "".join(f"{n},{'x' * 70}{n}\n" for n in range(rows))
    data = {"from": "long.csv", "order": order}
    files = project(body, data, {"rate": 2_000, "duration": "2s"}, {"long.csv": text})
    ok(run_pysurge("run c.yml --workers 2", files))
    assert summary(tmp_path)["tests"][0]["account"] == account(passed=4_000)


def test_a_file_that_is_written_to_fails_the_iterations_that_read_it(start_pysurge, tmp_path):
    body = """
    def run(self):
        note("row")
    """
    text = "n,padding\n" + "".join(f"{n},{'x' * 60}\n" for n in range(200_000))
    files = project(body, {"from": "long.csv", "order": "random"}, {"rate": 100, "duration": "4s"}, {"long.csv": text})
    running = start_pysurge("run c.yml --workers 1 --no-rehearsal", files)

    until(lambda: len(journal(tmp_path)) >= 50, "fifty iterations")
    os.truncate(tmp_path / "long.csv", 100)
    assert running.wait() == 0
    (test,) = summary(tmp_path)["tests"]
    assert test["account"]["failed"] > 0
    assert test["account"]["passed"] >= 50
    assert any("was changed while the run went on" in group["message"] for group in test["failures"])
