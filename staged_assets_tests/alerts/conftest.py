"""Instances of Dagster on both storages, and servers on this machine that receive alerts."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiosmtpd.controller import Controller
from dagster import DagsterInstance

from staged_assets.alerts.config import Alerts, load_alerts
from staged_assets_tests.postgres import PostgresServer, postgres_server

__all__ = ["postgres_server"]

SQLITE = "sqlite"
POSTGRES = "postgres"


@dataclass
class Clock:
    """Seconds since 1970 that pass when told to."""

    now: float = field(default_factory=time.time)

    def __call__(self) -> float:
        return self.now

    def pass_by(self, *, seconds: float = 0, minutes: float = 0, hours: float = 0, days: float = 0) -> None:
        self.now += seconds + 60 * minutes + 3600 * hours + 86400 * days


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _instance(home: Path, **config: Any) -> DagsterInstance:
    home.mkdir()
    (home / "dagster.yaml").write_text(yaml.safe_dump({"telemetry": {"enabled": False}, **config}))
    return DagsterInstance.from_config(str(home))


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[DagsterInstance]:
    with _instance(tmp_path / "dagster") as made:
        yield made


@pytest.fixture(scope="session")
def postgres_database(postgres_server: PostgresServer) -> str:
    return postgres_server.create_database()


@pytest.fixture(scope="session", params=[SQLITE, POSTGRES])
def any_instance(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterInstance]:
    """One instance on each storage for all tests: what a test finds in it from the one before, it must not mind."""
    config = {}
    if request.param == POSTGRES:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        config["storage"] = server.dagster_storage(request.getfixturevalue("postgres_database"))
    with _instance(tmp_path_factory.mktemp(request.param) / "dagster", **config) as made:
        yield made


@pytest.fixture
def configured(tmp_path: Path) -> Callable[..., Alerts]:
    """An `alerts.yaml` with these keys beside the usual ones: one channel, `console`, for everything."""

    def make(environ: dict[str, str] | None = None, **keys: Any) -> Alerts:
        content = {"version": 1, "channels": {"console": {"kind": "console"}}, "routes": [], "otherwise": ["console"]}
        path = tmp_path / "alerts.yaml"
        path.write_text(yaml.safe_dump({**content, **keys}))
        return load_alerts(path, environ or {})

    return make


@dataclass
class Webhook:
    """A web server that receives alerts.

    Attributes:
        answer: the status to answer with.
        delay: seconds until it answers.
        received: the bodies that were taken, or refused.
    """

    port: int = 0
    answer: int = 200
    delay: float = 0.0
    received: list[dict[str, Any]] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.port}/alerts"

    @property
    def texts(self) -> list[str]:
        return [f"{body['title']}\n{body['message']}" for body in self.received]


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    hook = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.received.append(json.loads(body))
            if hook.delay and hook.closing.wait(hook.delay):
                return
            self.send_response(hook.answer)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hook.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield hook
    hook.closing.set()
    server.shutdown()
    server.server_close()


@dataclass
class MailServer:
    """An SMTP server that receives alerts.

    Attributes:
        refusing: whether it takes no mail.
        received: the messages as they came.
    """

    port: int = 0
    refusing: bool = False
    received: list[Message] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.refusing:
            return "554 no mail is taken"
        self.received.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"

    @property
    def url(self) -> str:
        return f"mailto://127.0.0.1:{self.port}?from=alerts@examplecorp.com&to=dataengineering@examplecorp.com&mode=insecure"


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    server = MailServer()
    # With port 0 the controller could not find out which one it was given.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        server.port = probe.getsockname()[1]
    controller = Controller(server, hostname="127.0.0.1", port=server.port)
    controller.start()
    yield server
    controller.stop()
