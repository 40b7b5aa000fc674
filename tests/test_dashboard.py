"""The dashboard of `--web`: it shows the run as it goes on, steers it, lets nobody else in, and costs the run nothing."""

import contextlib
import http.client
import json
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import Browsing
from playwright.sync_api import Page
from support import Running, account, case, run_folder, summary, until

HOSTILE = '<img src=x onerror="window.hacked=1">\'\u202e\x1b[31m</script><script>window.hacked=1</script>'

BODY = f"""
def run(self):
    time.sleep(0.002)
    self.metrics["size"] = 2.5
    self.check("small", True)
    if self.kwargs.get("fails"):
        print({HOSTILE!r})
        raise ValueError({HOSTILE!r})
"""

Start = Callable[..., Running]


def project(*tests: dict[str, Any], body: str = BODY, **keys: Any) -> dict[str, str]:
    entries = [{"test_class": "case.Case", "rate": 40, **test} for test in tests or ({},)]
    return {**case(body), "c.yml": json.dumps({"name": "shop", "tests": entries, **keys})}


@pytest.fixture(scope="module")
def browsing() -> Iterator[Browsing]:
    """A browser."""
    with Browsing() as browsing:
        yield browsing


@pytest.fixture
def start(start_pysurge: Start) -> Callable[..., tuple[Running, str]]:
    """Starts a run with a dashboard; gives it with the dashboard's link."""

    def started(*tests: dict[str, Any], flags: str = "", **keys: Any) -> tuple[Running, str]:
        running = start_pysurge(f"run c.yml --workers 2 --web {flags}", project(*tests, **keys))
        found = re.search(r"^dashboard: (\S+)\n", running.err.wait_for(r"dashboard: .*\n"), re.M)
        assert found
        return running, found[1]

    return started


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    text: str


class Server:
    """A dashboard as a program asks it."""

    def __init__(self, link: str) -> None:
        self.port = urlsplit(link).port or 0
        self.token = parse_qs(urlsplit(link).query)["token"][0]
        self.link = link

    def ask(self, path: str, method: str = "GET", body: str = "", **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            # A stream has no end.
            text = "" if answer.getheader("Content-Type") == "text/event-stream" else answer.read().decode()
            found = Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, text)
            answer.close()
        return found

    def get(self, path: str) -> str:
        answer = self.ask(path, Authorization=f"Bearer {self.token}")
        assert answer.status == 200, answer
        return answer.text

    def control(self, command: str, **more: Any) -> dict[str, Any]:
        body = json.dumps({"command": command, **more})
        answer: dict[str, Any] = json.loads(self.ask("/control", "POST", body, Authorization=f"Bearer {self.token}").text)
        return answer

    @contextlib.contextmanager
    def news(self, told: str = "") -> Iterator[Iterator[tuple[str, dict[str, Any]]]]:
        """What a viewer is told: each time an id, and what is new."""
        headers = {"Authorization": f"Bearer {self.token}", **({"Last-Event-ID": told} if told else {})}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", "/news", headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.getheader("Content-Type") == "text/event-stream"

        def messages() -> Iterator[tuple[str, dict[str, Any]]]:
            id_ = ""
            while line := answer.readline().decode():
                if line.startswith("id: "):
                    id_ = line[4:].strip()
                elif line.startswith("data: "):
                    yield id_, json.loads(line[6:])

        try:
            yield messages()
        finally:
            answer.close()
            connection.close()


def stage(page: Page) -> str:
    return page.locator("h1 .badge").inner_text()


def tiles(page: Page) -> dict[str, int]:
    """The counts on the page, by name."""
    texts = page.locator(".tile").evaluate_all(
        "all => all.map(e => [e.querySelector('dt').innerText, e.querySelector('dd').innerText])"
    )
    return {name: int(text.split()[0].replace(",", "")) for name, text in texts}


def factor(page: Page) -> str:
    """What all rates are multiplied by."""
    return page.get_by_role("spinbutton").input_value()


def drawn_all(page: Page) -> bool:
    """Whether every chart is drawn, also those that nobody sees."""
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    return page.evaluate(
        "document.querySelectorAll('.drawing').length > 4"
        " && document.querySelectorAll('canvas').length === document.querySelectorAll('.drawing').length"
    )


def test_charts_grow_while_the_run_goes_on(start, browsing, tmp_path):
    running, link = start({"name": "search"}, {"name": "pay", "kwargs": {"fails": True}, "rate": 20}, duration="1m")
    with browsing.open(link) as page:
        until(lambda: stage(page) == "running" and tiles(page).get("passed", 0) > 40, "figures")
        rate = page.locator("#test figure").nth(0)
        rate.get_by_text("Figures").click()
        rows = rate.locator("details tbody tr")
        until(lambda: rows.count() >= 2, "rows")
        before = rows.count()
        canvas = page.locator("#test canvas").first
        picture = canvas.evaluate("canvas => canvas.toDataURL()")
        until(lambda: rows.count() > before, "another row")
        until(lambda: canvas.evaluate("canvas => canvas.toDataURL()") != picture, "another picture")
        until(lambda: drawn_all(page), "all charts, with heat map and distribution")
        page.get_by_role("button", name="pay").click()
        until(lambda: "ValueError" in page.locator("#test .failures").inner_text(), "failures")
        assert page.locator("#generator tbody tr").count() >= 2
        # What the charts are drawn from is what the run's files say.
        page.get_by_role("button", name="search").click()
        rate.get_by_text("Figures").click()
        until(lambda: rows.count() >= 3, "rows")
        shown = [text.split() for text in rate.locator("details tbody tr").all_inner_texts()]
        assert Server(link).control("stop")["ok"]
        until(lambda: stage(page) == "over", "the end")
        lines = (run_folder(tmp_path) / "timeseries.csv").read_text().splitlines()
        passed = [line.split(",")[4] for line in lines if ",search,passed," in line]
        assert len(shown) >= 3
        assert [ended for _time, _planned, ended in shown] == [f"{count}/s" for count in passed[: len(shown)]]
    assert running.wait() == 0


def test_the_run_is_steered_and_the_page_stays(start, browsing, tmp_path):
    running, link = start(duration="1m", flags="--junit junit.xml")
    with browsing.open(link) as page, browsing.open(link) as other:
        until(lambda: stage(page) == "running" and tiles(page).get("passed", 0) > 20, "figures")
        # What one viewer asks for, all see.
        page.get_by_role("button", name="Pause").click()
        for seen in (page, other):
            until(lambda seen=seen: stage(seen) == "paused", "a pause")
        assert re.search(r"paused at .*\(dashboard\)", running.stderr)
        other.get_by_role("button", name="Resume").click()
        until(lambda: stage(page) == "running", "the run to go on")
        page.get_by_role("button", name="Faster").click()
        for seen in (page, other):
            until(lambda seen=seen: factor(seen) == "1.1", "the rate")
        other.get_by_role("spinbutton").fill("0.5")
        other.get_by_role("button", name="Set").click()
        until(lambda: factor(page) == "0.5", "the rate")
        until(lambda: "all rates \u00d7 0.5" in page.locator(".events").inner_text(), "what happened")
        page.get_by_role("button", name="As planned").click()
        until(lambda: factor(other) == "1", "the planned rate")
        # A stop takes two clicks.
        page.get_by_role("button", name="Stop").click()
        assert stage(page) == "running"
        page.get_by_role("button", name="Really stop?").click()
        for seen in (page, other):
            until(lambda seen=seen: stage(seen) == "over", "the end")
        result = summary(tmp_path)
        for seen in (page, other):
            account_shown = {name: n for name, n in result["account"].items() if n or name in {"planned", "passed", "failed"}}
            assert tiles(seen) == account_shown
            assert seen.locator("#verdict-head .badge").inner_text() == result["verdict"]["validity"]
            assert seen.get_by_role("group", name="Controls").count() == 0
        # The page stays, and so does the link to the saved report.
        running.err.wait_for("the dashboard stays until its pages are closed; Ctrl\\+C ends it")
        assert "</testsuites>" in (tmp_path / "junit.xml").read_text(), "it was not waited for"
        folder = run_folder(tmp_path)
        assert f"{folder.parent.name}/{folder.name}/report.html" in page.locator("header").inner_text()
        with page.expect_popup() as popup:
            page.get_by_role("link", name="Open the saved report").click()
        popup.value.wait_for_selector("#verdict")
        assert popup.value.locator(".kind").inner_text().lower() == "pysurge report"
        page.reload()
        until(lambda: page.locator("#verdict").count() and stage(page) == "over", "the page again")
        assert running.process.poll() is None
    assert running.wait() == 0
    running.leaves_nothing()


def test_hostile_names_are_inert_and_everybody_can_use_it(start, browsing):
    tests = [{"name": HOSTILE, "kwargs": {"fails": True}}, {"name": "b"}]
    running, link = start(*tests, name=HOSTILE, duration="1m")
    for width, scheme in ((1280, "light"), (1280, "dark"), (390, "light")):
        with browsing.open(link, width=width, scheme=scheme) as page:
            until(lambda page=page: "hit error" in page.locator("#log pre").inner_text(), "the log")
            until(lambda page=page: drawn_all(page), "charts")
            assert page.evaluate("window.hacked") is None
            assert page.locator("img, iframe, object, embed").count() == 0
            assert page.locator("script").count() == 2
            for shown in (page.locator("h1"), page.locator("#test h2"), page.locator("#log pre")):
                assert "<img src=x" in shown.inner_text()
                assert not re.search("[\x1b\u202e]", shown.inner_text())
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    running.signal(signal.SIGTERM)
    running.wait()


def test_only_who_has_the_token_and_means_this_server_gets_in(start):
    running, link = start(duration="1m")
    server = Server(link)
    bearer = {"Authorization": f"Bearer {server.token}"}
    paths = ["/", "/news", "/curves?test=0", "/report.html", "/nothing"]
    refused: list[tuple[int, Answer]] = []
    for path in paths:
        refused += [
            (401, server.ask(path)),
            (401, server.ask(path, Authorization="Bearer 0123456789abcdef0123456789abcdef")),
            (401, server.ask(f"{path}?token=wrong")),
            (403, server.ask(path, Host="example.org", **bearer)),
            (403, server.ask(path, Origin="http://example.org", **bearer)),
            (403, server.ask(path, Origin=f"http://127.0.0.1:{server.port + 1}", **bearer)),
            (403, server.ask(path, Origin="null", **bearer)),
        ]
    stop = '{"command": "stop"}'
    # A form of another site's page can have this sent, but sets no header.
    refused.append((401, server.ask(f"/control?token={server.token}", "POST", stop)))
    refused.append((403, server.ask("/control", "POST", stop, Origin="http://example.org", **bearer)))
    refused.append((404, server.ask("/nothing", **bearer)))
    refused.append((404, server.ask("/report.html", **bearer)))
    refused.append((404, server.ask("/curves?test=7", **bearer)))
    refused.append((405, server.ask("/control", **bearer)))
    refused.append((400, server.ask("/control", "POST", '{"command": "dance"}', **bearer)))
    refused.append((413, server.ask("/control", "POST", " " * 100_000, **bearer)))
    for status, answer in refused:
        assert answer.status == status, answer
        assert not any(name.startswith("access-control") for name in answer.headers)
        assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"
        assert server.token not in answer.text
    assert server.ask(f"/?token={server.token}", Origin=f"http://127.0.0.1:{server.port}").status == 200
    assert server.control("status")["ok"]
    too_much = server.control("scale", factor=5000)
    assert (too_much["ok"], "0.001 to 1000" in too_much["error"]) == (False, True)
    running.signal(signal.SIGINT)
    assert running.wait() == 130
    # Nobody looked, and the token is nobody's business.
    assert "the dashboard stays" not in running.stderr
    assert running.stderr.count(server.token) == 1


def test_a_viewer_goes_on_where_it_was(start):
    running, link = start({"rate": 40}, duration="1m")
    server = Server(link)
    with server.news() as news:
        told, first = next(news)
        assert {"run", "standing"} <= first.keys()
        assert first["run"]["name"] == "shop"
        assert "case.Case" in first["run"]["config"]
        rows = 0
        while rows < 2:
            told, new = next(news)
            rows = len(new["rows"]["from_s"]) + new["rows"]["from"] if "rows" in new else rows
    with server.news(told) as news:
        # Only what is new: the rest was told.
        got: list[dict[str, Any]] = []
        while not any("rows" in new for new in got):
            got.append(next(news)[1])
        assert not any("run" in new or "log" in new for new in got)
        assert next(new["rows"]["from"] for new in got if "rows" in new) == rows
    # What another server told is nothing to this one.
    for strange in ("1.1.1.1.1.1", "nonsense"):
        with server.news(strange) as news:
            assert "run" in next(news)[1]
    curves = json.loads(server.get("/curves?test=0"))
    assert sum(sum(column[1::2]) for column in curves["heat"]["columns"]) > 40
    assert server.control("stop")["ok"]
    assert running.wait() == 0


class Proxy:
    """Stands between a browser and the dashboard, and can cut the line."""

    def __init__(self, port: int) -> None:
        self.to = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.is_cut = False
        self.ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if self.is_cut:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self.to))
            self.ends += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    @staticmethod
    def _pump(one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        self.is_cut = True
        while self.ends:
            with contextlib.closing(self.ends.pop()) as end, contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut()


def test_a_page_outlives_a_broken_line(start, browsing, tmp_path):
    running, link = start(duration="1m")
    proxy = Proxy(urlsplit(link).port or 0)
    # The browser tells of the break.
    complaints = pytest.raises(AssertionError, match="Failed to load resource")
    with contextlib.closing(proxy), complaints, browsing.open(link.replace(str(proxy.to), str(proxy.port))) as page:
        until(lambda: tiles(page).get("passed", 0) > 40, "figures")
        proxy.cut()
        until(lambda: stage(page) == "connection lost", "a lost connection")
        passed = tiles(page)["passed"]
        assert passed > 0
        proxy.is_cut = False
        until(lambda: stage(page) == "running" and tiles(page)["passed"] > passed, "newer figures")
        # No second is missing, and none is there twice.
        page.locator("#test figure").nth(0).get_by_text("Figures").click()
        times = page.locator("#test figure").nth(0).locator("details tbody td:first-child")
        until(lambda: times.count() >= 4, "rows")
        shown = times.all_inner_texts()
        assert shown == [f"0:{second:02}" for second in range(len(shown))]
        assert page.locator("#log pre").inner_text().count("INFO started") == 1
        Server(link).control("stop")
        until(lambda: stage(page) == "over", "the end")
        proxy.cut()
        until(lambda: "pysurge has ended" in page.locator("header").inner_text(), "the end of it all")
        assert tiles(page)["passed"] == summary(tmp_path)["account"]["passed"]
    assert running.wait() == 0


def test_who_reads_nothing_costs_the_run_nothing(start, tmp_path):
    body = 'def run(self):\n    for n in range(20):\n        print("x" * 200)\n'
    running, link = start({"rate": 200, "iterations": 800}, body=body, flags="--quiet")
    server = Server(link)
    sleepers = []
    for _ in range(5):
        sleeper = socket.create_connection(("127.0.0.1", server.port))
        sleeper.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sleeper.sendall(f"GET /news?token={server.token} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        sleepers.append(sleeper)
    with server.news() as news:
        skipped = 0
        stages = set()
        for _, new in news:
            skipped += new.get("log", {}).get("skipped", 0)
            stages.add(new.get("standing", {}).get("stage"))
            if "over" in stages:
                break
        assert {"running", "over"} <= stages
        # 16,000 lines in four seconds are more than anybody reads.
        assert skipped > 0
    assert summary(tmp_path)["account"] == account(passed=800)
    assert running.process.poll() is None
    for sleeper in sleepers:
        sleeper.close()
    assert running.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_dashboard_that_stays_and_does_not_change_the_result(start, tmp_path, number):
    running, link = start({"iterations": 20}, flags="--no-results")
    with Server(link).news() as news:
        for _, new in news:
            if new.get("standing", {}).get("stage") == "over":
                assert new["standing"]["folder"] is None
                break
        running.err.wait_for("the dashboard stays")
        running.signal(number)
        assert running.wait() == 0
        assert list(news) == []
    assert not list(tmp_path.glob("pysurge-results"))


def test_whoever_stops_the_run_by_a_signal_does_not_wait_for_viewers(start):
    running, link = start(duration="1m")
    with Server(link).news() as news:
        while "rows" not in next(news)[1]:
            pass
        running.signal(signal.SIGINT)
        assert running.wait() == 130
    assert "the dashboard stays" not in running.stderr


def test_a_run_that_cannot_start_is_told(start_pysurge, browsing):
    body = "def run(self):\n    time.sleep(3)\n    raise ValueError('no service')\n"
    running = start_pysurge("run c.yml --workers 1 --web", project(body=body), rehearsal=True)
    link = running.err.wait_for(r"dashboard: .*\n").split()[1]
    with browsing.open(link) as page:
        until(lambda: stage(page) == "starting", "the page")
        until(lambda: stage(page) == "aborted", "the end")
        assert "Nothing was fired" in page.locator("header").inner_text()
        assert page.get_by_role("group", name="Controls").count() == 0
    assert running.wait() == 2


def test_a_port_and_a_token_of_ones_own(start_pysurge, run_pysurge):
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    done = run_pysurge(f"run c.yml --web {port}", project())
    assert done.returncode == 2
    assert f"failed to serve the dashboard at 127.0.0.1:{port}" in done.stderr
    assert "choose another" in done.stderr
    listener.close()
    done = run_pysurge("run --web c.yml")
    assert done.returncode == 2
    assert "what is to be fired stands in front of this option" in done.stderr
    secret = "a token & no other"
    done = run_pysurge("run c.yml --web", env={"PYSURGE_TOKEN": secret})
    assert done.returncode == 2
    assert "the token of PYSURGE_TOKEN is no good" in done.stderr
    secret = "a-token-&-no-other"
    running = start_pysurge(f"run c.yml --web localhost:{port} -d 1m", env={"PYSURGE_TOKEN": secret})
    said = running.err.wait_for("it wants the token of PYSURGE_TOKEN: .*\n")
    assert f"dashboard: http://127.0.0.1:{port}/\n" in said
    assert secret not in said
    server = Server(f"http://127.0.0.1:{port}/?token=a-token-%26-no-other")
    assert server.ask("/?token=a-token-%26-no-other").status == 200
    until(lambda: server.control("status")["ok"], "an answer")
    running.signal(signal.SIGINT)
    assert running.wait() == 130
