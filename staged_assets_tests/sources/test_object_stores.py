"""Files of an object store, by fsspec; and files compressed by zstd, wherever they are."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from upath import UPath

from staged_assets.errors import ConfigurationError, SourceError
from staged_assets.sources import batch as batch_module
from staged_assets.sources.files import ZstdFile
from staged_assets_tests.sources.described import batches, described, last_cursor, records, until_error


@pytest.fixture
def bucket(request: pytest.FixtureRequest) -> Iterator[UPath]:
    """A folder of an object store in memory."""
    folder = UPath(f"memory://{abs(hash(request.node.nodeid))}/exports")
    folder.mkdir(parents=True)
    yield folder
    folder.fs.rm(folder.path, recursive=True)


def _zstd(content: bytes, frames: int = 1) -> bytes:
    size = len(content) // frames + 1
    parts = [content[start : start + size] for start in range(0, len(content), size)]
    return b"".join(pa.Codec("zstd").compress(part, asbytes=True) for part in parts)


def _events(*ids: int) -> bytes:
    return b"".join(b'{"id": %d}\n' % number for number in ids)


def test_events_of_an_object_store_are_read_and_what_is_appended_later(tmp_path: Path, bucket: UPath) -> None:
    (bucket / "visits").mkdir()
    (bucket / "visits" / "a.ndjson").write_bytes(_events(1, 2))
    (bucket / "visits" / "b.ndjson.zst").write_bytes(_zstd(_events(3)))
    sources = described(tmp_path, "event_files", {"path": str(bucket)}, {"from": "visits"})
    found = batches(sources)
    assert [record["id"] for record in records(found)] == ["1", "2", "3"]
    assert batches(sources, last_cursor(found)) == []
    (bucket / "visits" / "a.ndjson").write_bytes(_events(1, 2, 4))
    assert records(batches(sources, last_cursor(found))) == [{"id": "4"}]


@pytest.mark.parametrize("feed", [{"from": "*.csv*"}, {"from": None, "query": "select * from visits"}])
def test_csv_files_of_an_object_store_are_read(tmp_path: Path, bucket: UPath, feed: dict[str, Any]) -> None:
    (bucket / "visits.csv").write_bytes(b"id,name\n1,a\n")
    assert records(batches(described(tmp_path, "csv_files", {"path": str(bucket)}, feed))) == [{"id": "1", "name": "a"}]


@pytest.mark.parametrize("feed", [{"from": "*.parquet"}, {"from": None, "query": "select * from visits"}])
def test_parquet_files_of_an_object_store_are_read(tmp_path: Path, bucket: UPath, feed: dict[str, Any]) -> None:
    content = io.BytesIO()
    pq.write_table(pa.table({"id": [1], "name": ["a"]}), content)
    (bucket / "visits.parquet").write_bytes(content.getvalue())
    assert records(batches(described(tmp_path, "parquet", {"path": str(bucket)}, feed))) == [{"id": "1", "name": "a"}]


def test_options_go_to_the_store_and_secrets_stay_in_the_environment(tmp_path: Path) -> None:
    connection = {"path": "s3://bucket/x", "options": {"secret": "hunter2"}}
    with pytest.raises(ConfigurationError, match=r"systems\.shop\.connection\.options\.secret holds a secret itself"):
        described(tmp_path, "event_files", connection, {"from": "visits"})
    connection = {"path": "memory://bucket/x", "options": {"secret": "${KEY}"}}
    sources = described(tmp_path, "event_files", connection, {"from": "visits"}, environ={"KEY": "hunter2"})
    resolved = sources.resolve("shop").connection
    assert (resolved.options, resolved.path) == ({"secret": "hunter2"}, "memory://bucket/x")


def test_a_store_that_is_not_known_is_one_sentence(tmp_path: Path) -> None:
    sources = described(tmp_path, "event_files", {"path": "nowhere://bucket"}, {"from": "visits"})
    with pytest.raises((ConfigurationError, SourceError), match=r"nowhere://bucket can't be used: .*objectstore"):
        batches(sources)


@pytest.mark.parametrize("frames", [1, 3])
def test_zstd_files_are_read_and_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frames: int) -> None:
    (tmp_path / "a.ndjson.zst").write_bytes(_zstd(_events(*range(5_000)), frames))
    monkeypatch.setattr(batch_module, "BATCH_RECORDS", 1_000)
    sources = described(tmp_path, "event_files", {"path": "."}, {"from": "*.ndjson.zst"})
    whole = batches(sources)
    assert [record["id"] for record in records(whole)] == [str(number) for number in range(5_000)]
    assert len(records(batches(sources, last_cursor(whole[:3])))) == 2_000


def test_a_file_that_is_compressed_later_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(_events(1, 2))
    sources = described(tmp_path, "event_files", {"path": "."}, {"from": "."})
    cursor = last_cursor(batches(sources))
    (tmp_path / "a.ndjson").unlink()
    (tmp_path / "a.ndjson.zst").write_bytes(_zstd(_events(1, 2)))
    assert records(batches(sources, cursor)) == []


def test_a_zstd_file_that_is_still_being_written_is_left_alone(tmp_path: Path) -> None:
    whole = _zstd(_events(*range(1_000)))
    (tmp_path / "a.ndjson.zst").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "b.ndjson").write_bytes(_events(7))
    sources = described(tmp_path, "event_files", {"path": "."}, {"from": "."})
    found, message = until_error(sources)
    assert {"id": "7"} in records(found)
    assert "1 of 2 files of shop" not in message
    assert "a.ndjson.zst" in message
    (tmp_path / "a.ndjson.zst").write_bytes(whole)
    rest = records(batches(sources, last_cursor(found)))
    assert {record["id"] for record in [*records(found), *rest]} == {str(number) for number in range(1_000)}


def test_a_zstd_file_can_be_gone_back_in() -> None:
    file = io.BufferedReader(ZstdFile(lambda: io.BytesIO(_zstd(b"abcdefgh" * 100_000))))
    assert file.seek(500_001) == 500_001
    assert file.read(3) == b"bcd"
    assert file.seek(2) == 2
    assert file.read(2) == b"cd"
