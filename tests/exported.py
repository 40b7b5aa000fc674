"""What a run gives to others while it goes on: the page for Prometheus is fetched, pushes by OTLP are received."""

import http.client
import http.server
import re
import threading
from collections.abc import Callable
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

# The name of every run here: it is a label of every sample.
RUN_NAME = "shop"

OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def get(port: int, path: str = "/metrics", method: str = "GET", **headers: str) -> tuple[int, str, str]:
    """Status, type and text of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Content-Type", ""), answer.read().decode()
    finally:
        connection.close()


def port_of(running: Any) -> int:
    text = running.err.wait_for(r"metrics for Prometheus: http://127\.0\.0\.1:\d+/metrics\n")
    return int(re.search(r"127\.0\.0\.1:(\d+)/metrics", text)[1])


def key(name: str, /, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset({**labels, "run": RUN_NAME}.items())


def samples_of(families: Any) -> Samples:
    """Every sample of a page; the parser fails where two are the same."""
    found: Samples = {}
    for family in families:
        for sample in family.samples:
            at = sample.name, frozenset(sample.labels.items())
            assert at not in found, at
            found[at] = sample.value
    return found


def pushed(message: ExportMetricsServiceRequest) -> Samples:
    """The samples that Prometheus makes of a message."""
    found: Samples = {}
    units = {"": "", "s": "_seconds", "By": "_bytes", "{iteration}/s": "_per_second"}
    for metric in message.resource_metrics[0].scope_metrics[0].metrics:
        name = metric.name.replace(".", "_") + units[metric.unit]
        kind = metric.WhichOneof("data")
        for point in getattr(metric, kind).data_points:
            labels = {each.key: each.value.string_value for each in point.attributes}

            def put(ending: str, value: float, name: str = name, labels: dict[str, str] = labels, **more: str) -> None:
                found[name + ending, frozenset({**labels, **more}.items())] = value

            if kind == "histogram":
                upto = 0
                for end, count in zip([*map(repr, point.explicit_bounds), "+Inf"], point.bucket_counts, strict=True):
                    upto += count
                    put("_bucket", upto, le=end)
                put("_count", point.count)
                put("_sum", point.sum)
            else:
                is_counter = kind == "sum" and metric.sum.is_monotonic
                value = getattr(point, point.WhichOneof("value"))
                put("_total" if is_counter else "", value)
    return found


class Receiver:
    """Takes pushes, and answers as a test wants."""

    def __init__(self, answer: Callable[["Receiver", http.server.BaseHTTPRequestHandler], bytes | None]) -> None:
        self.messages: list[ExportMetricsServiceRequest] = []
        self.requests: list[Any] = []
        self.released = threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                receiver.messages.append(ExportMetricsServiceRequest.FromString(body))
                said = answer(receiver, self)
                if said is not None:
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(said)))
                    self.end_headers()
                    self.wfile.write(said)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def is_last(message: ExportMetricsServiceRequest) -> bool:
    return pushed(message).get(key("pysurge_running")) == 0


class LastFigures(Receiver):
    """Takes the pushes of one run, and with the last one fetches the page: it ends when that push has been answered."""

    def __init__(self) -> None:
        self.pages: list[Samples] = []
        # Set by who starts the run, which needs the URL of this.
        self.running: Any = None
        super().__init__(LastFigures._fetch)

    def _fetch(self, _: Any) -> bytes:
        if is_last(self.messages[-1]):
            self.pages.append(samples_of(parse_openmetrics(get(port_of(self.running), **OPENMETRICS)[2])))
        return b""
