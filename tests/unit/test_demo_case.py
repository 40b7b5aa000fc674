"""The shipped example, against a server of the standard library's."""

import http.server
import importlib.util
import socket
import threading
from collections.abc import Iterator
from types import ModuleType

import pytest

from pysurge import _paths


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        self.server.paths.append((self.client_address[1], self.path))
        body = b"0123456789"
        self.send_response(404 if self.path == "/nowhere" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        # Announced by nobody, as servers do that are restarted.
        self.close_connection = self.path == "/closes"

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.paths: list[tuple[int, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def demo() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pysurge_demo", f"{_paths.demo_folder()}/pysurge_demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def iterate(demo: ModuleType, url: str, path: str) -> dict[str, float]:
    case = demo.GetPath(url=url, path=path)
    case.setup()
    try:
        case.run()
    finally:
        case.teardown()
    metrics: dict[str, float] = case.metrics
    return metrics


@pytest.fixture(autouse=True)
def started(demo: ModuleType) -> Iterator[None]:
    demo.GetPath.startup()
    yield
    if hasattr(demo.GetPath.local, "connection"):
        demo.GetPath.local.connection.close()


def test_a_connection_serves_many_iterations(demo: ModuleType, server: Server) -> None:
    assert [iterate(demo, server.url, "/items/7") for _ in range(3)] == [{"bytes": 10}] * 3
    ports, paths = zip(*server.paths, strict=True)
    assert paths == ("/items/7",) * 3
    assert len(set(ports)) == 1


def test_each_thread_has_a_connection_of_its_own(demo: ModuleType, server: Server) -> None:
    def in_thread() -> None:
        iterate(demo, server.url, "/items/7")
        demo.GetPath.local.connection.close()

    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    iterate(demo, server.url, "/items/7")
    assert len({port for port, _ in server.paths}) == 2


def test_a_wrong_answer_is_a_failure_and_the_connection_goes_on(demo: ModuleType, server: Server) -> None:
    with pytest.raises(RuntimeError, match="GET /nowhere was answered with 404 Not Found"):
        iterate(demo, server.url, "/nowhere")
    assert iterate(demo, server.url, "/") == {"bytes": 10}
    assert len({port for port, _ in server.paths}) == 1


def test_after_a_lost_connection_it_connects_anew(demo: ModuleType, server: Server) -> None:
    iterate(demo, server.url, "/closes")
    with pytest.raises((OSError, demo.http.client.HTTPException)):
        iterate(demo, server.url, "/")
    assert iterate(demo, server.url, "/") == {"bytes": 10}


def test_a_target_that_is_not_there_is_a_failure(demo: ModuleType) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with pytest.raises(ConnectionRefusedError):
        iterate(demo, url, "/")


def test_its_name_in_the_report_is_the_same_for_every_run(demo: ModuleType) -> None:
    assert str(demo.GetPath(url="http://127.0.0.1:34567", path="/items/7")) == "<GetPath kwargs={'path': '/items/7'}>"
