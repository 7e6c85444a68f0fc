"""Sources, disks and files that fail: a sentence that says what to do, nothing lost, other datasets unaffected."""

import base64
import json
import os
import re
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any

import pytest
import yaml

from staged_assets.demo.systems import running
from staged_assets.settings import DEMO_SOURCES
from staged_assets_tests.command_line import CommandLine, Ended, finish
from staged_assets_tests.staged_area import LOAD_ORDER, RUN_TIME_STAMPS, Outputs, differences, read_outputs


def _outputs(home: Path) -> Outputs:
    """What is in the warehouse, but for when it came and was staged."""
    settings = CommandLine(home).settings
    raw = read_outputs(settings, schema="raw", without=LOAD_ORDER)
    staged = read_outputs(settings, without=(*RUN_TIME_STAMPS, *LOAD_ORDER))
    return {**{f"raw {name}": rows for name, rows in raw.items()}, **staged}


def _assert_said(ended: Ended, pattern: str, times: int = 1) -> None:
    """Exit status 1, and on standard error sentences of this pattern, which says what to do, and nothing technical."""
    assert ended.status == 1
    said = [line for line in ended.err.splitlines() if line.startswith(("Error:", "Failed:"))]
    assert len(said) == times, ended.err
    for line in said:
        assert re.search(pattern + r"\.$", line), line
    assert "Traceback" not in ended.err + ended.out


def _assert_only(ended: Ended, *unread: str) -> None:
    """Every dataset was published that has news; nothing of those that could not be read is missing in staged."""
    for name, entry in ended.json["datasets"].items():
        assert entry["outcome"] in ("published", "unchanged"), (name, entry["message"])
        assert entry["pending"] == entry["unexplained"] == 0
    published = {name for name, entry in ended.json["datasets"].items() if entry["outcome"] == "published"}
    assert {"items", "sales", "interactions", "consumers"} - set(unread) <= published


def _assert_mended(command: CommandLine, homes: Path) -> None:
    """After one more run everything is as if nothing had happened."""
    ended = command.run("run", "--json")
    assert (ended.status, ended.json["failures"]) == (0, [])
    assert differences(_outputs(command.home), _outputs(homes / "after")) == {}


def test_an_unreadable_event_file(command: CommandLine, homes: Path) -> None:
    broken = next((command.settings.demo_path / "ecommerce" / "orders").glob("*.gz"))
    good = broken.read_bytes()
    # New to the landing, for it has another name.
    renamed = broken.with_name("2030-01-01.ndjson.gz")
    renamed.write_bytes(good[: len(good) // 2])
    ended = command.run("run", "--json")
    _assert_said(
        ended, r"ecommerce: 1 of \d+ files of orders could not be read, the others are landed: .*2030-01-01.* run again"
    )
    _assert_only(ended)
    renamed.unlink()
    _assert_mended(command, homes)


def test_a_half_written_last_line(command: CommandLine, homes: Path) -> None:
    file = max((command.settings.demo_path / "ecommerce" / "sales").glob("*.ndjson"))
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    ended = command.run("run", "--json")
    assert (ended.status, ended.json["failures"]) == (0, [])
    [note] = ended.json["warnings"]
    assert re.search(r"ends in half a line \(\d+ bytes\): it is landed once it is complete\.$", note)
    assert f"Note: {note}" in ended.err
    file.write_bytes(whole)
    _assert_mended(command, homes)


def test_a_line_in_the_wrong_encoding(command: CommandLine) -> None:
    file = max((command.settings.demo_path / "ecommerce" / "offers").glob("*.ndjson"))
    line = json.dumps({"offer_id": 987654, "title": "Frühling"}, ensure_ascii=False).encode("latin-1")
    with file.open("ab") as opened:
        opened.write(line + b"\n")
    ended = command.run("run", "--json")
    assert (ended.status, ended.json["failures"]) == (0, [])
    _assert_only(ended)
    shown = command.run("quarantine", "show", "offers", "--reason", "malformed_record", "--limit", "1", "--json").json
    [reason] = shown[0]["_reject_reasons"]
    assert reason["code"] == "malformed_record"
    assert base64.b64decode(reason["raw_value"]) == line


def test_a_dropped_table(command: CommandLine, homes: Path) -> None:
    with closing(sqlite3.connect(command.settings.demo_path / "erp" / "erp.sqlite")) as erp:
        erp.execute("alter table product rename to product_old")
    ended = command.run("run", "--json")
    _assert_said(
        ended,
        r"erp: there is no table 'product' in .*erp\.sqlite, perhaps .* is meant; correct .*, or restore the table",
    )
    _assert_only(ended, "items")
    assert ended.json["datasets"]["items"]["outcome"] == "unchanged"
    with closing(sqlite3.connect(command.settings.demo_path / "erp" / "erp.sqlite")) as erp:
        erp.execute("alter table product_old rename to product")
    _assert_mended(command, homes)


#: Each says for itself that it could not be read.
CRM_FEEDS = 6


class _Broken(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(500)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def _broken_server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Broken)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _own_sources(home: Path) -> dict[str, Any]:
    """The demo's systems as a person's own: a `sources.yaml` in the home, which the test may spoil."""
    content: dict[str, Any] = yaml.safe_load(DEMO_SOURCES.read_text(encoding="utf-8"))
    content["systems"]["crm"]["connection"]["attempts"] = 1
    _write(home, content)
    return content


def _write(home: Path, content: dict[str, Any]) -> None:
    (home / "sources.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _with_own_sources(command: CommandLine, systems: dict[str, str]) -> CommandLine:
    return CommandLine(command.home, {"STAGED_ASSETS_SOURCES": str(command.home / "sources.yaml"), **systems})


def test_an_http_500(command: CommandLine, homes: Path) -> None:
    _own_sources(command.home)
    with running(command.settings.demo_path) as systems, _broken_server() as url:
        ended = _with_own_sources(command, {**systems, "DEMO_CRM_URL": url}).run("run", "--json")
    _assert_said(
        ended,
        r"crm: http://127\.0\.0\.1:\d+/\w+ answered 500 Internal Server Error .* run goes on from here",
        CRM_FEEDS,
    )
    _assert_only(ended, "interactions", "consumers")
    _assert_mended(command, homes)


def test_a_variable_that_is_not_set(command: CommandLine, homes: Path) -> None:
    _own_sources(command.home)
    with running(command.settings.demo_path) as systems:
        del os.environ["DEMO_CRM_URL"], systems["DEMO_CRM_URL"]
        ended = _with_own_sources(command, systems).run("run", "--json")
    _assert_said(ended, r"connection\.url refers to the environment variable DEMO_CRM_URL, .*: set it", CRM_FEEDS)
    _assert_only(ended, "interactions", "consumers")
    _assert_mended(command, homes)


SPOILED = {
    "a missing key": (lambda crm: crm.pop("connection"), r"line \d+: systems\.crm\.connection is missing"),
    "a misspelt key": (
        lambda crm: crm.update(conection=crm.pop("connection")),
        r"systems\.crm .*'conection' is not a key that is known here, perhaps 'connection' is meant",
    ),
    "a dataset that is none": (
        lambda crm: crm["feeds"][0].update(dataset="segments"),
        r"systems\.crm\.feeds\[0\]\.dataset is 'segments': there is no dataset of that name, perhaps",
    ),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_configuration_with(name: str, command: CommandLine) -> None:
    spoil, pattern = SPOILED[name]
    content = _own_sources(command.home)
    spoil(content["systems"]["crm"])
    _write(command.home, content)
    before = _outputs(command.home)
    ended = _with_own_sources(command, {}).run("run")
    _assert_said(ended, rf"^Error: .*/sources\.yaml.*{pattern}.*")
    assert ended.out == ""
    assert _outputs(command.home) == before


def test_a_full_disk(command: CommandLine) -> None:
    before = command.run("status", "--json").json["datasets"]["sales"]
    staged = read_outputs(command.settings)
    _flood(command.settings.demo_path / "ecommerce" / "sales")
    # Enough for Dagster's own files and for little data, not for so much.
    limit = 5 << 20

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    ended = finish(command.start("run", preexec_fn=limited))
    _assert_said(ended, r"The disk of .*warehouse\.duckdb is full: free space and run again; .* is kept")
    assert read_outputs(command.settings) == staged
    ended = command.run("run", "--json").expect_success()
    sales = ended.json["datasets"]["sales"]
    assert sales["landed"] >= before["landed"] + FLOOD
    assert sales["pending"] == sales["unexplained"] == 0


FLOOD = 4_000


def _flood(sales: Path) -> None:
    """A file of sales with long notes, which are landed with them."""
    dice = Random(1)
    sale = {
        "op": "upsert", "updated_at": "2026-06-30T12:00:00Z", "sold_at": "2026-06-30T12:00:00Z", "shop_id": 1,
        "account_id": 1, "sku": 1, "offer_id": None, "quantity": 1, "total": "9.90", "payment": "card",
        "status": "confirmed", "delivered_on": "2026-07-01", "delivery": "in transit", "ship_to": "Switzerland",
    }  # fmt: skip
    lines = [{**sale, "sale_id": 50_000_000 + number, "note": dice.randbytes(1500).hex()} for number in range(FLOOD)]
    (sales / "2026-06-30.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


HOLD = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "reads")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("how", ["writes", "reads"])
def test_a_warehouse_that_another_process(how: str, command: CommandLine, homes: Path) -> None:
    """… has open, as a notebook does."""
    before = _outputs(command.home)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(command.settings.warehouse_path), how],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    try:
        ended = CommandLine(command.home, {"STAGED_ASSETS_LOCK_TIMEOUT": "0.5"}).run("run")
    finally:
        holder.communicate("")
    _assert_said(
        ended,
        rf"warehouse\.duckdb was still held by process {holder.pid} \(.*\) after 0\.5 s: end that process, or raise"
        " STAGED_ASSETS_LOCK_TIMEOUT",
    )
    assert _outputs(command.home) == before
    _assert_mended(command, homes)


def test_a_file_that_is_no_warehouse(command: CommandLine) -> None:
    command.settings.warehouse_path.write_text("not DuckDB's, though it is long enough to be looked at. " * 100)
    for verb in (["run"], ["status"], ["quarantine", "list"]):
        ended = command.run(*verb)
        _assert_said(ended, r"warehouse\.duckdb is not a DuckDB file: move it away, .* by STAGED_ASSETS_WAREHOUSE")


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (["run", "--dataset", "sale"], r"There is no dataset 'sale': did you mean 'sales'\?"),
        (["run", "--system", "erpp"], r"There is no source system 'erpp': there are .*erp.*"),
        (["quarantine", "export", "sales", "--to", "rows.xls"], r"Can't export to rows\.xls: the name must end in .*"),
        (["quarantine", "replay", "sales", "--from", "none.csv"], r"Can't read none\.csv: No such file or directory"),
    ],
)
def test_a_mistyped_command(arguments: list[str], pattern: str, command: CommandLine) -> None:
    ended = command.run(*arguments)
    assert ended.status == 1
    assert re.search(rf"^Error: {pattern}", ended.err, re.MULTILINE), ended.err
    assert ended.out == ""
