"""Metrics for others: the page for Prometheus and pushes by OTLP say what `summary.json` says, and cost the run nothing."""

import http.server
import itertools
import json
import re
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import promql_parser
import pytest
from exported import OPENMETRICS, RUN_NAME, LastFigures, Receiver, Samples, get, key, port_of, pushed, samples_of
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from support import REPOSITORY, case, summary, until

BODY = """
def run(self):
    n = next(numbers)
    self.check('is "fine"\\n', n % 10 != 0)
    self.metrics["size"] = 2.5
    self.metrics["balance"] = -1.0 if n % 2 else 1.0
    self.count("bytes", 10)
    with self.timer("nap"):
        time.sleep(0.005)
    if n % 5 == 0:
        raise ValueError("five")
"""

# A name that would break lines, quotes and views.
HOSTILE = 'a"b\\\n# EOF\u202e'


def project(**keys: Any) -> dict[str, str]:
    test = {"test_class": "case.Case", "rate": 40}
    config = {
        "name": RUN_NAME,
        "thresholds": ["failures < 1%"],
        "tests": [{**test, "name": HOSTILE, **keys}, {**test, "rate": 10}, {**test, "rate": 10}],
    }
    return {**case(BODY), "c.yml": json.dumps(config)}


@pytest.fixture
def receive() -> Iterator[Callable[..., Receiver]]:
    """Makes a receiver, and ends it with the test."""
    made: list[Receiver] = []

    def start(answer: Any = lambda receiver, handler: b"") -> Receiver:
        made.append(Receiver(answer))
        return made[-1]

    yield start
    for receiver in made:
        receiver.close()


@pytest.fixture
def last_figures() -> Iterator[LastFigures]:
    """Receives the pushes of a run, and fetches its page last of all."""
    receiver = LastFigures()
    yield receiver
    receiver.close()


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_page_push_and_summary_agree(start_pysurge: Any, last_figures: LastFigures, tmp_path: Any) -> None:
    receiver = last_figures
    receiver.running = running = start_pysurge(
        f"run c.yml -d 3s --workers 2 --prometheus 0 --otlp {receiver.url}",
        project(),
        env={"OTEL_METRIC_EXPORT_INTERVAL": "500", "OTEL_EXPORTER_OTLP_HEADERS": "x-key=a%20b"},
    )
    assert running.wait() == 3, running.stderr
    assert "warning: metrics" not in running.stderr
    assert len(receiver.messages) >= 3
    path, headers = receiver.requests[0]
    assert (path, headers["content-type"], headers["x-key"]) == ("/v1/metrics", "application/x-protobuf", "a b")
    resource = receiver.messages[0].resource_metrics[0].resource.attributes
    assert {each.key: each.value.string_value for each in resource}.items() >= {
        "service.name": "pysurge",
        "pysurge.run": RUN_NAME,
    }.items()

    (page,) = receiver.pages
    last = pushed(receiver.messages[-1])
    assert len(page) == len(last)
    for at, value in page.items():
        if "le" in dict(at[1]):
            labels = {**dict(at[1])}
            end = labels.pop("le")
            alike = [v for (n, ls), v in last.items() if n == at[0] and same_bucket(dict(ls), labels, end)]
            assert alike == [value], at
        else:
            assert last[at] == value, at
    agrees_with(page, summary(tmp_path))


def same_bucket(found: dict[str, str], labels: dict[str, str], end: str) -> bool:
    """Whether a bucket is that with these labels and this upper end, however it is written."""
    of_found = {name: value for name, value in found.items() if name != "le"}
    return of_found == labels and float(found["le"]) == float(end)


def agrees_with(page: Samples, told: dict[str, Any]) -> None:
    names = [told["tests"][0]["name"], told["tests"][1]["label"], told["tests"][2]["label"] + " (2)"]
    tests = sorted({dict(labels)["test"] for name, labels in page if name == "pysurge_in_flight"})
    hostile = next(name for name in tests if name.startswith('a"b\\'))
    assert "\n" not in hostile and "\u202e" not in hostile
    assert sorted([hostile, *names[1:]]) == tests
    for title, test in zip([hostile, *names[1:]], told["tests"], strict=True):

        def value(what: str, /, title: str = title, **labels: str) -> float:
            return page[key(f"pysurge_{what}", test=title, **labels)]

        account = test["account"]
        assert account["planned"] > 20
        assert value("iterations_planned_total") == account["planned"]
        for outcome in ("passed", "failed", "dropped", "interrupted", "lost"):
            assert value("iterations_total", outcome=outcome) == account[outcome]
        for figure in ("response_time", "service_time", "lateness"):
            assert value(f"{figure}_seconds_count") == test[figure]["count"]
            assert value(f"{figure}_seconds_bucket", le="+Inf") == test[figure]["count"]
            assert value(f"{figure}_seconds_sum") == pytest.approx(test[figure]["mean_s"] * test[figure]["count"])
            for quantile in ("p50_s", "p99_s"):
                shares = [
                    (float(dict(labels)["le"]), count)
                    for (what, labels), count in page.items()
                    if what == f"pysurge_{figure}_seconds_bucket" and dict(labels)["test"] == title
                ]
                below = max([0, *(end for end, count in shares if count == 0 or count < rank(quantile, test[figure]))])
                above = min(end for end, count in shares if count >= rank(quantile, test[figure]))
                assert below * 0.999 <= test[figure][quantile] <= above * 1.001
        for cause in ("woke_late", "no_free_thread", "waited_for_gil"):
            part = test["lateness_parts"][cause]
            assert value("lateness_cause_seconds_total", cause=cause) == pytest.approx(part["mean_s"] * part["count"])
        assert value("failures_total", phase="run", exception="ValueError") == sum(f["count"] for f in test["failures"])
        [(check, figures)] = test["checks"].items()
        shown = next(dict(labels)["name"] for what, labels in page if what == "pysurge_checks_total")
        assert shown.startswith('is "fine"') and shown != check and "\n" not in shown
        for result in ("passed", "failed"):
            assert value("checks_total", name=shown, result=result) == figures[result]
            step = test["timers"]["nap"][result]
            assert value("step_seconds_count", name="nap", outcome=result) == step["count"]
        assert value("count", name="bytes") == test["counts"]["bytes"]
        metric = test["metrics"]["size"]
        assert value("metric_values_total", name="size") == metric["count"]
        assert value("metric_sum", name="size") == pytest.approx(metric["mean"] * metric["count"])
        assert value("metric", name="size", stat="p95") == metric["p95"]
        assert value("metric", name="balance", stat="min") == -1
        assert value("achieved_rate_per_second") == test["achieved_rate_per_s"]
    assert page[key("pysurge_threshold", test="", threshold="failures < 1%", state="failed")] == 1
    assert page[key("pysurge_verdict", state=told["verdict"]["validity"])] == 1
    assert page[key("pysurge_workers", state="done")] == 2
    cpu_s = sum(worker["cpu_s"] for worker in told["workers"])
    assert sum(v for (n, _), v in page.items() if n == "pysurge_worker_cpu_seconds_total") == pytest.approx(cpu_s)


def rank(quantile: str, figures: dict[str, Any]) -> float:
    return float(quantile[1:-2]) / 100 * figures["count"]


def test_two_scrapers_see_the_run_go_on(start_pysurge: Any) -> None:
    running = start_pysurge("run c.yml -d 60s --workers 1 --prometheus 127.0.0.1:0", project())
    port = port_of(running)
    assert "pysurge_run_info" in get(port)[2]

    def follow(headers: dict[str, str], parse: Any) -> list[Samples]:
        seen: list[Samples] = []

        def more() -> bool:
            status, _, text = get(port, **headers)
            assert status == 200
            seen.append(samples_of(parse(text)))
            return sum(v for (n, _), v in seen[-1].items() if n == "pysurge_response_time_seconds_count") > 60

        until(more, "iterations on the page")
        return seen

    with ThreadPoolExecutor() as pool:
        both = [pool.submit(follow, OPENMETRICS, parse_openmetrics), pool.submit(follow, {}, parse_text)]
        for future in both:
            seen = future.result()
            assert seen[-1][key("pysurge_running")] == 1
            for before, after in itertools.pairwise(seen):
                for at, value in before.items():
                    assert not at[0].endswith(("_total", "_count", "_bucket")) or after[at] >= value, at
    assert get(port)[1] == "text/plain; version=0.0.4; charset=utf-8"
    assert get(port, **OPENMETRICS)[1] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    running.signal(2)
    assert running.wait() == 3
    with pytest.raises(ConnectionRefusedError):
        get(port)


def test_only_who_is_on_this_machine_reads_and_nobody_writes(start_pysurge: Any) -> None:
    running = start_pysurge("run c.yml -d 60s --workers 1 --prometheus 0", project())
    port = port_of(running)
    assert get(port, Host=f"localhost:{port}")[0] == 200
    for host in ("example.org", f"127.0.0.1.example.org:{port}", ""):
        status, _, text = get(port, Host=host)
        assert (status, "pysurge_" in text) == (403, False), host
    for method, path, status in [
        ("POST", "/metrics", 405),
        ("DELETE", "/metrics", 405),
        ("OPTIONS", "/metrics", 405),
        ("GET", "/", 404),
        ("GET", "/metrics/..", 404),
        ("HEAD", "/metrics", 200),
    ]:
        assert get(port, path, method)[0] == status, (method, path)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as silent:
        silent.sendall(b"GET /metrics HTTP/1.1\r\n")
        # Somebody who never ends his request is in nobody's way.
        until(lambda: key("pysurge_running") in samples_of(parse_text(get(port)[2])), "iterations")
        running.signal(2)
        running.wait()
    assert "warning: metrics: 3 requests for" in running.stderr and "403 Forbidden" in running.stderr


def never(receiver: Receiver, _: Any) -> None:
    receiver.released.wait()


def slowly(receiver: Receiver, _: Any) -> bytes:
    receiver.released.wait(0.5)
    return b""


def with_an_error(_: Receiver, handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_error(503)


def in_part(_: Receiver, __: Any) -> bytes:
    said = ExportMetricsServiceResponse()
    said.partial_success.rejected_data_points = 7
    said.partial_success.error_message = "too\nmany"
    return said.SerializeToString()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (never, "no answer within 2 s of the end of the run"),
        (slowly, None),
        (with_an_error, "it answered 503 Service Unavailable"),
        (in_part, "it refused 7 figures: too\ufffdmany"),
        (None, "Connection refused"),
    ],
)
def test_a_bad_receiver_costs_counted_pushes_and_nothing_else(
    run_pysurge: Any, receive: Any, tmp_path: Any, answer: Any, why: str | None
) -> None:
    url = receive(answer).url if answer else f"http://127.0.0.1:{unused_port()}"
    # A push may take an hour: the run ends all the same.
    env = {"OTEL_METRIC_EXPORT_INTERVAL": "400", "OTEL_EXPORTER_OTLP_TIMEOUT": "3600000"}
    done = run_pysurge(f"run c.yml -d 2s --workers 1 --otlp {url}", case("def run(self): pass"), env=env)
    assert done.returncode == 0, done.stderr
    assert summary(tmp_path)["account"]["planned"] == 40
    lost = re.findall(r"warning: metrics: (\d+) of (\d+) push(?:es)? to (\S+) lost: (.*)", done.stderr)
    if why is None:
        assert not lost
        return
    [(count, all_of_them, where, said)] = lost
    assert (count, where) == (all_of_them, f"{url}/v1/metrics")
    assert why in said
    if answer is not never:
        # The first one is told while the run goes on.
        assert f"a push to {url}/v1/metrics was lost: " in done.stderr


def test_a_page_that_nobody_fetches_is_told(run_pysurge: Any) -> None:
    done = run_pysurge("run c.yml -d 0.5s --workers 1 --prometheus 0", case("def run(self): pass"))
    assert done.returncode == 0
    assert re.search(r"warning: metrics: nobody fetched http://127\.0\.0\.1:\d+/metrics: ", done.stderr)


@pytest.mark.parametrize(
    ("flags", "env", "said"),
    [
        ("--prometheus c.yml", {}, "write HOST:PORT or a port alone"),
        ("--otlp c.yml", {}, r"write http://HOST:PORT or https://"),
        ("--otlp http://me:secret@127.0.0.1", {}, "leave user and password out of the URL"),
        ("--otlp", {"OTEL_EXPORTER_OTLP_ENDPOINT": "nowhere"}, "OTEL_EXPORTER_OTLP_ENDPOINT is no URL"),
        ("--otlp", {"OTEL_EXPORTER_OTLP_TIMEOUT": "10s"}, "OTEL_EXPORTER_OTLP_TIMEOUT is no number of milliseconds"),
        ("--otlp", {"OTEL_EXPORTER_OTLP_CERTIFICATE": "no.pem"}, "failed to read certificates from no.pem"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_fired(
    run_pysurge: Any, tmp_path: Any, flags: str, env: dict[str, str], said: str
) -> None:
    done = run_pysurge(f"run c.yml -d 1s {flags}", case("def run(self): note('fired')"), env=env)
    assert done.returncode == 2
    assert said in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "journal").exists() and not (tmp_path / "pysurge-results").exists()


def test_a_port_that_is_taken_is_told_before_anything_is_fired(run_pysurge: Any, tmp_path: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run_pysurge(f"run c.yml -d 1s --prometheus {port}", case("def run(self): note('fired')"))
    assert done.returncode == 2
    assert f"failed to serve metrics at 127.0.0.1:{port}: Address already in use" in done.stderr
    assert "choose another, or 0 for any that is free" in done.stderr
    assert not (tmp_path / "journal").exists() and not (tmp_path / "pysurge-results").exists()


def test_the_queries_of_dashboard_and_docs_are_such() -> None:
    dashboard = json.loads((REPOSITORY / "examples/grafana/pysurge.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    assert len(asked) > 20
    for page in ("how-to/send-metrics.md", "reference/metrics.md"):
        text = (REPOSITORY / "docs" / page).read_text().replace("\\|", "|")
        found = [query for query in re.findall(r"`([^`\n]+)`", text) if "pysurge_" in query and re.search(r"[({]", query)]
        assert found, page
        asked += found
    for query in asked:
        promql_parser.parse(query.replace("$__rate_interval", "30s"))
