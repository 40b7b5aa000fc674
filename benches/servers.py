"""The servers that the benchmarks aim at, each started for one measurement and ended after it."""

import contextlib
import http.client
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from harness import PYSURGE, BenchError, note
from machine import on_core

START_TIMEOUT_S = 10

NGINX_CONFIG = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{ default_type text/plain; return 200 "ok"; }}
    }}
}}
"""


@contextlib.contextmanager
def fast_server(core: int) -> Iterator[tuple[str, str]]:
    """The fastest server there is here, on one core; gives its URL and name."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
    if nginx is None:
        with target(core=core) as url:
            yield url, "pysurge target"
        return
    with tempfile.TemporaryDirectory(prefix="pysurge-bench-") as folder:
        port = _free_port()
        config = Path(folder, "nginx.conf")
        config.write_text(NGINX_CONFIG.format(folder=folder, port=port), encoding="ascii")
        with _server([nginx, "-p", folder, "-c", str(config)], f"127.0.0.1:{port}", core):
            yield f"http://127.0.0.1:{port}/", "nginx"


@contextlib.contextmanager
def target(*args: str, core: int | None = None) -> Iterator[str]:
    """`pysurge target` with some flags; gives its URL."""
    port = _free_port()
    with _server([PYSURGE, "target", "--port", str(port), *args], f"127.0.0.1:{port}", core):
        yield f"http://127.0.0.1:{port}/"


@contextlib.contextmanager
def _server(command: list[str], address: str, core: int | None) -> Iterator[None]:
    note([Path(command[0]).name, *command[1:2]])
    with on_core(core):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while not _answers(address):
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise BenchError(f"{command[0]} does not answer at {address}")
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(START_TIMEOUT_S)


def _answers(address: str) -> bool:
    with contextlib.suppress(OSError):
        connection = http.client.HTTPConnection(address, timeout=1)
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    return False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
