"""The demo's CRM: an HTTP API over the store that the generator fills.

`GET /<endpoint>?page=N&page_size=M&updated_since=<ISO 8601>` answers `{"items": [...], "next_page": N + 1}`
(null on the last page): the revisions of all records, in the order in which they were made; with `updated_since`,
those with that update time or a later one, oldest first. `POST /<endpoint>` with a JSON object adds a revision, which
is given the time of now. `GET /health` answers `{"status": "ok"}`.

Blocking: `python -m staged_assets.demo.crm_server FOLDER`.
"""

import argparse
import hmac
import json
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

from staged_assets.demo.writers import CRM_FILE
from staged_assets.errors import SourceError

_LOG = logging.getLogger(__name__)
_LARGEST_PAGE = 10_000
_PAGE_SIZE = 500


class _Refused(Exception):
    """A request that can't be answered."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Server(ThreadingHTTPServer):
    """Knows its store and its token."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], store: Path, token: str | None) -> None:
        super().__init__(address, _Handler)
        self.store, self.token = store, token

    def handle_error(self, request: object, client_address: object) -> None:
        """To the log: a client that hangs up is no event for a console."""
        _LOG.debug("The demo's CRM could not answer %s.", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # An answer is sent in two pieces; waiting to fill a packet would delay each by 40 ms.
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        """Answer one request."""
        self._send(HTTPStatus.OK, self._answer)

    def do_POST(self) -> None:
        """Take one revision."""
        self._send(HTTPStatus.CREATED, self._take)

    def _send(self, status: HTTPStatus, answer: Callable[[], str]) -> None:
        try:
            self._authorize()
            body = answer()
        except _Refused as refused:
            status, body = refused.status, json.dumps({"error": str(refused)})
        content = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _authorize(self) -> None:
        expected = self.server.token
        given = self.headers.get("Authorization", "")
        if expected and not hmac.compare_digest(given.encode(), f"Bearer {expected}".encode()):
            raise _Refused(HTTPStatus.UNAUTHORIZED, "A valid bearer token is needed.")

    def _answer(self) -> str:
        address = urlsplit(self.path)
        endpoint = address.path.strip("/")
        if endpoint == "health":
            return json.dumps({"status": "ok"})
        query = {name: values[-1] for name, values in parse_qs(address.query).items()}
        page = _whole_number(query, "page", 1)
        size = min(_whole_number(query, "page_size", _PAGE_SIZE), _LARGEST_PAGE)
        since = _moment(query["updated_since"]) if "updated_since" in query else None
        # Opened for each request: nothing keeps the file open between them.
        with closing(sqlite3.connect(f"{self.server.store.as_uri()}?mode=ro", uri=True)) as store:
            return _page(store, endpoint, page, size, since)

    def _take(self) -> str:
        endpoint = urlsplit(self.path).path.strip("/")
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            record = json.loads(content)
        except ValueError as error:
            raise _Refused(HTTPStatus.BAD_REQUEST, "A JSON object is expected.") from error
        if not isinstance(record, dict):
            raise _Refused(HTTPStatus.BAD_REQUEST, "A JSON object is expected.")
        record["updated_at"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        with closing(sqlite3.connect(self.server.store)) as store, store:
            _known_endpoint(store, endpoint)
            sql = f"insert into {endpoint} (updated_at, body) values (?, ?)"
            store.execute(sql, (record["updated_at"], json.dumps(record, ensure_ascii=False)))
        return json.dumps({"updated_at": record["updated_at"]})

    def log_message(self, format: str, *args: object) -> None:
        """To the log instead of standard error."""
        _LOG.debug(format, *args)


def _whole_number(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise _Refused(HTTPStatus.BAD_REQUEST, f"{name} is {text!r}: a whole number from 1 is expected.")
    return int(text)


def _moment(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise _Refused(HTTPStatus.BAD_REQUEST, f"updated_since is {text!r}: ISO 8601 is expected.") from error
    utc = moment.astimezone(UTC) if moment.tzinfo else moment
    return utc.strftime("%Y-%m-%dT%H:%M:%SZ")


def _known_endpoint(store: sqlite3.Connection, endpoint: str) -> None:
    known = [name for (name,) in store.execute("select name from sqlite_master where type = 'table'")]
    if endpoint not in known:
        message = f"There is no endpoint {endpoint!r}: there are {', '.join(known)}."
        raise _Refused(HTTPStatus.NOT_FOUND, message)


def _page(store: sqlite3.Connection, endpoint: str, page: int, size: int, since: str | None) -> str:
    _known_endpoint(store, endpoint)
    first = (page - 1) * size
    # One row more than asked for tells whether there is a next page.
    if since is None:
        rows = store.execute(
            f"select body from {endpoint} where seq > ? order by seq limit ?", (first, size + 1)
        ).fetchall()
    else:
        rows = store.execute(
            f"select body from {endpoint} where updated_at >= ? order by updated_at, seq limit ? offset ?",
            (since, size + 1, first),
        ).fetchall()
    items = ",".join(body for (body,) in rows[:size])
    return f'{{"items": [{items}], "next_page": {page + 1 if len(rows) > size else "null"}}}'


def _server(path: Path, port: int, token: str | None) -> _Server:
    store = (path / CRM_FILE).absolute()
    if not store.exists():
        raise SourceError(f"The demo's CRM has no store at {store}: generate the demo systems first.")
    try:
        return _Server(("127.0.0.1", port), store, token)
    except OSError as error:
        raise SourceError(
            f"The demo's CRM can't listen on port {port} ({error.strerror}): name another port."
        ) from error


@contextmanager
def serve(path: Path, port: int = 0, token: str | None = None) -> Iterator[str]:
    """Serve the CRM of a demo in a thread of this process, and stop it at the end.

    Args:
        path: the demo's folder.
        port: 0 for any that is free.
        token: what `Authorization: Bearer …` must say; None for an open API.

    Yields:
        The base URL.

    Raises:
        SourceError: there is no store, or the port is taken.
    """
    server = _server(path, port, token)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="demo-crm", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m staged_assets.demo.crm_server", description="Serve the demo's CRM."
    )
    parser.add_argument("path", type=Path, help="the demo's folder")
    parser.add_argument("--port", type=int, default=8089)
    parser.add_argument("--token", help="bearer token that requests must carry")
    given = parser.parse_args()
    with _server(given.path, given.port, given.token) as server:
        print(f"The demo's CRM answers at http://127.0.0.1:{server.server_port}; stop it with Ctrl-C.")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("Stopped.")


if __name__ == "__main__":
    main()
