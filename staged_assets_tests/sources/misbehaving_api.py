"""A real HTTP server on this machine that lists records and misbehaves as told."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit


@dataclass
class Answer:
    """What is sent for one request."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


#: path and query → answer
Script = Callable[[str, dict[str, str]], Answer]


@dataclass
class Api:
    """A running server: its address, and what it was asked."""

    url: str
    asked: list[dict[str, str]]


@contextmanager
def serving(script: Script, *, with_token: bool = False) -> Iterator[Api]:
    """Serve by a script for as long as a test uses it; it may be told, as `token`, by what the asker is known."""
    asked: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(address.query).items()}
            token = self.headers.get("Authorization") or self.headers.get("X-Api-Key") or ""
            asked.append({**query, "token": token})
            answer = script(address.path, {**query, "token": token} if with_token else query)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def do_POST(self) -> None:
            """As GET, with what a form holds as the query."""
            form = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.path += f"?{form}"
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Api(f"http://127.0.0.1:{server.server_port}", asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
