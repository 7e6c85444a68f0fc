"""The webhook receiver: what is taken, what is refused, and that what is taken is on disk, once."""

import asyncio
import base64
import errno
import hashlib
import hmac
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from staged_assets.errors import ConfigurationError
from staged_assets.landing.raw_area import prepare
from staged_assets.sources.config import Sources
from staged_assets.webhook import spool as spool_module
from staged_assets.webhook.app import Receiver
from staged_assets.webhook.signature import RefusedError
from staged_assets.webhook.signature import verify as verify_signature
from staged_assets.webhook.spool import Spool
from staged_assets_tests.landing.raw_rows import extras, land, raw
from staged_assets_tests.webhook.deliveries import SECRET, Delivery, send, shop


def _lines(folder: Path) -> list[bytes]:
    return [line for path in sorted(folder.rglob("*.ndjson")) for line in path.read_bytes().splitlines()]


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        prepare(connection)
        yield connection


def test_a_delivery_is_on_disk_when_it_is_answered_and_lands(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(spool_module.os, "fsync", synced.append)
    sources = shop(tmp_path)
    pretty = b'{\r\n  "id": 1.50,\n  "name": "a\\nb",\n  "zip": "007"\n}'
    assert send(sources, Delivery(pretty)) == [(202, {"status": "accepted"})]
    assert synced
    assert land(warehouse, sources).problems == []
    assert raw(warehouse) == [("1.50", "a\nb")]
    assert extras(warehouse) == [{"zip": "007"}]
    assert land(warehouse, sources).landed == 0


def test_the_record_may_be_within_the_body(tmp_path: Path, warehouse: duckdb.DuckDBPyConnection) -> None:
    sources = shop(tmp_path, {"record": "data.object"})
    send(sources, Delivery(b'{"type": "visit", "data": {"object": {"id": 7}}}'))
    land(warehouse, sources)
    assert raw(warehouse, "touchpoint_id") == [("7",)]
    assert extras(warehouse) == [{"$.body": '{"type": "visit"}'}]


def test_a_signed_delivery_that_is_no_json_lands_as_malformed(
    tmp_path: Path, warehouse: duckdb.DuckDBPyConnection
) -> None:
    sources = shop(tmp_path)
    assert [status for status, _ in send(sources, Delivery(b"oops\n", "a"), Delivery(b"\xff", "b"))] == [202, 202]
    assert land(warehouse, sources).malformed == 2


def test_nothing_received_yet_is_no_problem(tmp_path: Path, warehouse: duckdb.DuckDBPyConnection) -> None:
    landed = land(warehouse, shop(tmp_path))
    assert (landed.read, landed.problems) == (0, [])


def test_a_delivery_that_comes_again_is_taken_once_also_by_the_next_process(tmp_path: Path) -> None:
    sources = shop(tmp_path)
    statuses = [status for status, _ in send(sources, Delivery(), Delivery(), Delivery(id='b"\\'))]
    assert statuses == [202, 200, 202]
    assert [status for status, _ in send(sources, Delivery(), Delivery(id='b"\\'), Delivery(id="c"))] == [200, 200, 202]
    assert len(_lines(tmp_path)) == 3


def test_an_id_is_known_for_a_while(tmp_path: Path) -> None:
    sources = shop(tmp_path, remember="1h")
    send(sources, Delivery())
    (path,) = tmp_path.rglob("*.ndjson")
    os.utime(path, (time.time() - 3_601,) * 2)
    assert send(sources, Delivery()) == [(202, {"status": "accepted"})]


REFUSED: dict[str, tuple[Callable[[], Delivery], int]] = {
    "another secret": (lambda: Delivery(secret="guess"), 401),
    "no signature": (lambda: Delivery(headers={"X-Timestamp": str(time.time()), "X-Delivery-Id": "a"}), 401),
    "a signature that is none": (lambda: Delivery(headers={"X-Timestamp": str(time.time()), "X-Signature": "zz"}), 401),
    "an old timestamp": (lambda: Delivery(sent=time.time() - 301), 401),
    "a timestamp in the future": (lambda: Delivery(sent=time.time() + 3_600), 401),
    "no timestamp": (lambda: Delivery(headers={"X-Signature": "00"}), 400),
    "no id": (lambda: Delivery(id=""), 400),
    "too large": (lambda: Delivery(b'"' + b"x" * 1_000 + b'"'), 413),
    "unknown stream": (lambda: Delivery(path="/shop/orders"), 404),
    "unknown system": (lambda: Delivery(path="/erp/visits"), 404),
    "another method": (lambda: Delivery(method="GET"), 405),
}


@pytest.mark.parametrize(("made", "status"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_right_is_refused_and_not_written(
    tmp_path: Path, made: Callable[[], Delivery], status: int
) -> None:
    ((found, content),) = send(shop(tmp_path, max_bytes=500), made())
    assert found == status
    assert SECRET not in str(content)
    assert _lines(tmp_path) == []


def test_a_body_that_was_changed_is_refused(tmp_path: Path) -> None:
    forged = Delivery(b'{"id": 2}', headers=Delivery().signed())
    assert [status for status, _ in send(shop(tmp_path), forged)] == [401]


def test_a_timestamp_that_was_renewed_is_refused(tmp_path: Path) -> None:
    old = Delivery(sent=time.time() - 3_600)
    renewed = Delivery(headers={**old.signed(), "X-Timestamp": str(time.time())})
    assert [status for status, _ in send(shop(tmp_path), renewed)] == [401]


def test_while_a_secret_is_changed_both_are_good(tmp_path: Path) -> None:
    sources = shop(tmp_path, previous_secret="${SHOP_OLD_SECRET}")
    statuses = [status for status, _ in send(sources, Delivery(id="a"), Delivery(id="b", secret="hunter1"))]
    assert statuses == [202, 202]


def test_other_ways_to_sign_are_described_by_the_file(tmp_path: Path) -> None:
    said = {
        "signature_header": "X-Shop-Hmac",
        "signature_prefix": "v1=",
        "signature_encoding": "base64",
        "signed": "{body}",
        "timestamp_header": None,
        "id_header": None,
    }
    connection: Any = shop(tmp_path, **said).resolve("shop").connection
    digest = hmac.digest(SECRET.encode(), b"{}", hashlib.sha256)
    verify_signature(connection, {"x-shop-hmac": "v1=" + base64.b64encode(digest).decode()}, b"{}", 0)
    for wrong in ("v1=" + digest.hex(), base64.b64encode(digest).decode(), "v1=ü"):
        with pytest.raises(RefusedError, match="the signature is wrong"):
            verify_signature(connection, {"x-shop-hmac": wrong}, b"{}", 0)


@pytest.mark.parametrize(
    ("connection", "expected"),
    [
        ({"secret": "hunter2"}, "systems.shop.connection.secret holds a secret itself"),
        ({"signed": "{timestamp}"}, "signed must contain {body} once"),
        ({"signed": "{body}"}, "a timestamp must be signed"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, connection: dict[str, str], expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        shop(tmp_path, **connection)


def test_too_many_at_once_are_told_to_wait(tmp_path: Path) -> None:
    statuses = [s for s, _ in send(shop(tmp_path, rate=3), *(Delivery(id=str(n)) for n in range(10)))]
    assert statuses.count(202) in (3, 4)
    assert statuses.count(429) == 10 - statuses.count(202)
    assert len(_lines(tmp_path)) == statuses.count(202)


def test_a_disk_that_is_full_is_503_and_the_sender_can_try_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = shop(tmp_path)

    def fail(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(spool_module.os, "fsync", fail)
        ((status, content),) = send(sources, Delivery())
    assert (status, content) == (503, {"error": "the delivery could not be written: No space left on device"})
    assert _lines(tmp_path) == []
    assert send(sources, Delivery()) == [(202, {"status": "accepted"})]


def test_health_says_how_things_stand(tmp_path: Path) -> None:
    sources = shop(tmp_path)
    answers = send(sources, Delivery(), Delivery(secret="guess"), Delivery(path="/health", method="GET"))
    assert answers[-1][0] == 200
    assert answers[-1][1]["status"] == "ok"
    assert answers[-1][1]["refused"] == 1


def test_half_a_line_of_a_killed_process_is_cut_off(tmp_path: Path) -> None:
    sources = shop(tmp_path)
    send(sources, Delivery())
    (path,) = tmp_path.rglob("*.ndjson")
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"delivery": {"id": "b", "rec')
    assert send(sources, Delivery(id="b")) == [(202, {"status": "accepted"})]
    assert path.read_bytes() == whole


def test_two_receivers_do_not_write_to_one_folder(tmp_path: Path) -> None:
    async def twice() -> None:
        first = Spool(tmp_path, ["visits"], 60)
        try:
            with pytest.raises(ConfigurationError, match="Another receiver writes to"):
                Spool(tmp_path, ["visits"], 60)
        finally:
            first.close()

    asyncio.run(twice())


def test_a_file_without_such_a_system_is_nothing_to_receive(tmp_path: Path) -> None:
    sources = shop(tmp_path)
    assert isinstance(sources, Sources)
    del sources.systems["shop"]
    with pytest.raises(ConfigurationError, match="no system has the connector 'webhook'"):
        Receiver(sources)
