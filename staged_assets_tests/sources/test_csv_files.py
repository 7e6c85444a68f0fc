"""CSV files: fields as they are, lines of the wrong shape, and files that grow or change."""

import gzip
import os
from pathlib import Path
from typing import Any

import pytest

from staged_assets.errors import SourceError
from staged_assets.sources import batch as batch_module
from staged_assets.sources import csv_files
from staged_assets.sources.config import Sources
from staged_assets_tests.sources.described import batches, described, last_cursor, problems, records


def _sources(folder: Path, *, feed: dict[str, Any] | None = None, **connection: Any) -> Sources:
    return described(folder, "csv_files", {"path": ".", **connection}, {"from": "*.csv*", **(feed or {})})


def _write(folder: Path, name: str, content: bytes, *, age: float = 3600) -> Path:
    path = folder / name
    path.write_bytes(content)
    moment = path.stat().st_mtime - age
    os.utime(path, (moment, moment))
    return path


def test_fields_come_as_they_are(tmp_path: Path) -> None:
    _write(
        tmp_path,
        "a.csv",
        b'\xef\xbb\xbfid,name,text\r\n007," a ""b"" ","two\r\nlines"\r\n1.10,,\xc3\xa4\0\n\n2,x,"no last line feed"',
    )
    found = batches(_sources(tmp_path))
    assert records(found) == [
        {"id": "007", "name": ' a "b" ', "text": "two\r\nlines"},
        {"id": "1.10", "name": "", "text": "ä\0"},
        {"id": "2", "name": "x", "text": "no last line feed"},
    ]
    assert found[0].lines.to_pylist() == [2, 4, 6]


@pytest.mark.parametrize(
    "line",
    [b"1,2", b"1,2,3,4", b'1,"a"b,3', b'1,a"b"\xff,3', b"1,\xfc,3"],
    ids=["few", "many", "quotes", "both", "latin1"],
)
def test_a_line_of_the_wrong_shape_is_kept_whole(tmp_path: Path, line: bytes) -> None:
    _write(tmp_path, "a.csv", b"id,name,text\n0,a,b\n" + line + b"\n9,y,z\n")
    kept: str | bytes = line if b"\xff" in line or b"\xfc" in line else line.decode()
    assert records(batches(_sources(tmp_path))) == [
        {"id": "0", "name": "a", "text": "b"},
        kept,
        {"id": "9", "name": "y", "text": "z"},
    ]


def test_delimiter_quote_and_encoding_are_options(tmp_path: Path) -> None:
    _write(tmp_path, "a.csv", "id;name\n1;'Mü;ller'\n".encode("latin-1"))
    found = batches(_sources(tmp_path, delimiter=";", quote="'", encoding="latin-1"))
    assert records(found) == [{"id": "1", "name": "Mü;ller"}]


def test_utf16_can_be_read(tmp_path: Path) -> None:
    _write(tmp_path, "a.csv", "id,name\n1,ü\n".encode("utf-16"))
    assert records(batches(_sources(tmp_path, encoding="utf-16"))) == [{"id": "1", "name": "ü"}]


def test_columns_of_one_name_are_numbered(tmp_path: Path) -> None:
    _write(tmp_path, "a.csv", b"id,x,x,,\n1,2,3,4,5\n")
    assert records(batches(_sources(tmp_path))) == [{"id": "1", "x": "2", "x.2": "3", "": "4", ".2": "5"}]


def test_files_may_differ_in_their_columns(tmp_path: Path) -> None:
    _write(tmp_path, "a.csv", b"id,name\n1,a\n")
    _write(tmp_path, "b.csv.gz", gzip.compress(b"text,id\nb,2\n"))
    _write(tmp_path, "c.csv", b"")
    found = batches(_sources(tmp_path))
    assert records(found) == [{"id": "1", "name": "a"}, {"id": "2", "text": "b"}]
    assert found[0].files.to_pylist() == ["a.csv", "b.csv"]


def test_a_file_that_did_not_change_is_not_read_again_and_one_that_did_is(tmp_path: Path) -> None:
    _write(tmp_path, "a.csv", b"id\n1\n")
    _write(tmp_path, "b.csv", b"id\n2\n")
    sources = _sources(tmp_path)
    cursor = last_cursor(batches(sources))
    assert batches(sources, cursor) == []
    _write(tmp_path, "b.csv", b"id\n2\n3\n")
    assert records(batches(sources, cursor)) == [{"id": "2"}, {"id": "3"}]


def test_half_a_line_of_a_file_that_is_being_written_waits(tmp_path: Path) -> None:
    path = _write(tmp_path, "a.csv", b"id,name\n1,a\n2,b", age=0)
    sources = _sources(tmp_path)
    first = batches(sources)
    assert records(first) == [{"id": "1", "name": "a"}]
    assert problems(first) == [f"{path} ends in half a line: the next run reads on from there."]
    _write(tmp_path, "a.csv", b"id,name\n1,a\n2,bcd\n")
    assert {"id": "2", "name": "bcd"} in records(batches(sources, last_cursor(first)))


def test_half_a_line_that_stays_is_taken_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(tmp_path, "a.csv", b"id\n1\n2", age=0)
    sources = _sources(tmp_path)
    cursor = last_cursor(batches(sources))
    monkeypatch.setattr(csv_files, "_SETTLED", 0)
    assert records(batches(sources, cursor)) == [{"id": "2"}]


def test_an_interrupted_reading_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_module, "BATCH_RECORDS", 10)
    _write(tmp_path, "a.csv", b"id\n" + b"".join(b"%d\n" % n for n in range(15)))
    _write(tmp_path, "b.csv", b"id\n" + b"".join(b"%d\n" % n for n in range(15, 25)) + b"1,2\n")
    sources = _sources(tmp_path)
    found = batches(sources)
    assert [len(batch) for batch in found] == [10, 10, 6]
    assert records(found)[-1] == "1,2"
    for index, batch in enumerate(found):
        assert records(batches(sources, batch.cursor)) == records(found[index + 1 :])


def test_an_unreadable_file_is_reported_after_the_others_are_read(tmp_path: Path) -> None:
    _write(tmp_path, "a.csv.gz", b"not gzip")
    _write(tmp_path, "b.csv", b"id\n1\n")
    with pytest.raises(
        SourceError, match=r"shop: 1 of 2 files of csv could not be read.*a\.csv\.gz: Not a gzipped file"
    ):
        batches(_sources(tmp_path))


def test_a_query_joins_files(tmp_path: Path) -> None:
    _write(tmp_path, "visits.csv", b'id,guest\n1,07\n2,"08"\n')
    _write(tmp_path, "guests.csv.gz", gzip.compress(b"guest,name\n07,Ann\n"))
    query = "select id, guests.name from visits left join guests using (guest) order by id"
    found = batches(_sources(tmp_path, feed={"from": None, "query": query}))
    assert records(found) == [{"id": "1", "name": "Ann"}, {"id": "2"}]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("select * from nowhere", "shop: the query of a feed failed: .*Table with name nowhere does not exist"),
        ("select * from twice", "shop: the query of a feed asks 'twice', but .* and .* are both called so"),
    ],
)
def test_a_query_that_fails_is_an_error(tmp_path: Path, query: str, expected: str) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        _write(tmp_path / folder, "twice.csv", b"id\n1\n")
    with pytest.raises(SourceError, match=expected):
        batches(_sources(tmp_path, feed={"from": None, "query": query}))
