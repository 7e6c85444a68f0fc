"""Files of a real S3 server: the store's own protocol over HTTP, with keys."""

import gzip
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pyarrow as pa
import pytest
from upath import UPath

from staged_assets.sources import batch as batch_module
from staged_assets.sources.batch import Batch
from staged_assets.sources.config import Sources
from staged_assets_tests.alerts.daemon import wait_for
from staged_assets_tests.sources.described import batches, described, last_cursor, records, until_error

Compress = Callable[[bytes], bytes]

KEYS = {"key": "me", "secret": "s/cr@t"}
_numbers = count()


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server in a process of its own."""
    log = tmp_path_factory.mktemp("s3") / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", "from moto.server import main; main(['-p', '0'])"],
            stdout=output, stderr=output, env={**os.environ, "AWS_DEFAULT_REGION": "us-east-1"},
        )  # fmt: skip

    def address() -> list[str]:
        return re.findall(r"Running on (http://\S+)", log.read_text())

    try:
        wait_for("the S3 server", address, log.read_text)
        yield address()[0]
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def bucket(endpoint: str) -> UPath:
    made = UPath(f"s3://exports-{next(_numbers)}", endpoint_url=endpoint, **KEYS)
    made.fs.mkdir(made.path)
    return made / "shop"


@pytest.fixture
def visits(tmp_path: Path, bucket: UPath, endpoint: str) -> Sources:
    """The stream `visits` of the bucket."""
    options = {"endpoint_url": endpoint, "key": "${SHOP_KEY}", "secret": "${SHOP_SECRET}"}
    environ = {"SHOP_KEY": KEYS["key"], "SHOP_SECRET": KEYS["secret"]}
    connection = {"path": str(bucket), "options": options}
    return described(tmp_path, "event_files", connection, {"from": "visits"}, environ=environ)


def _events(*ids: int) -> bytes:
    return b"".join(b'{"id": %d}\n' % number for number in ids)


def _zstd(content: bytes) -> bytes:
    return pa.Codec("zstd").compress(content, asbytes=True)


def _ids(found: list[Batch]) -> list[int]:
    return sorted(int(record["id"]) for record in records(found))


def test_plain_gz_and_zst_objects_are_read_and_what_comes_later(bucket: UPath, visits: Sources) -> None:
    (bucket / "visits" / "a.ndjson").write_bytes(_events(1, 2))
    (bucket / "visits" / "b.ndjson.gz").write_bytes(gzip.compress(_events(3)))
    (bucket / "visits" / "deeper" / "c.ndjson.zst").write_bytes(_zstd(_events(4)))
    found = batches(visits)
    assert _ids(found) == [1, 2, 3, 4]
    assert batches(visits, last_cursor(found)) == []
    (bucket / "visits" / "a.ndjson").write_bytes(_events(1, 2, 5))
    (bucket / "visits" / "b.ndjson.gz").write_bytes(gzip.compress(_events(3, 6)))
    (bucket / "visits" / "d.ndjson.zst").write_bytes(_zstd(_events(7)))
    assert _ids(batches(visits, last_cursor(found))) == [5, 6, 7]


@pytest.mark.parametrize(("ending", "compress"), [("gz", gzip.compress), ("zst", _zstd)])
def test_an_object_that_is_still_being_written_is_left_alone(
    bucket: UPath, visits: Sources, ending: str, compress: Compress
) -> None:
    whole = compress(_events(*range(1_000)))
    (bucket / "visits" / f"a.ndjson.{ending}").write_bytes(whole[: len(whole) // 2])
    (bucket / "visits" / "b.ndjson").write_bytes(_events(5_000) + b'{"id": 5')
    found, message = until_error(visits)
    assert f"a.ndjson.{ending}" in message
    assert 5_000 in _ids(found)
    (bucket / "visits" / f"a.ndjson.{ending}").write_bytes(whole)
    (bucket / "visits" / "b.ndjson").write_bytes(_events(5_000, 5_001))
    rest = batches(visits, last_cursor(found))
    assert sorted(_ids(found) + _ids(rest)) == [*range(1_000), 5_000, 5_001]


@pytest.mark.parametrize(("ending", "compress"), [("gz", gzip.compress), ("zst", _zstd)])
def test_a_reading_that_was_interrupted_goes_on_within_an_object(
    bucket: UPath, visits: Sources, monkeypatch: pytest.MonkeyPatch, ending: str, compress: Compress
) -> None:
    (bucket / "visits" / f"a.ndjson.{ending}").write_bytes(compress(_events(*range(50))))
    monkeypatch.setattr(batch_module, "BATCH_RECORDS", 10)
    whole = batches(visits)
    assert _ids(whole) == [*range(50)]
    assert _ids(batches(visits, last_cursor(whole[:3]))) == [*range(30, 50)]
