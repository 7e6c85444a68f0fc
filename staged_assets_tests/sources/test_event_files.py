"""Event files: what is read, what is left for later, and that nothing is read twice."""

import gzip
import os
from pathlib import Path
from typing import Any

import pytest

from staged_assets.errors import SourceError
from staged_assets.sources import batch as batch_module
from staged_assets.sources.config import Sources
from staged_assets_tests.sources.described import batches, described, last_cursor, problems, records, until_error


def _stream(folder: Path, **feed: Any) -> Sources:
    (folder / "visits").mkdir(exist_ok=True)
    return described(folder, "event_files", {"path": "."}, {"from": "visits", **feed})


def _write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / "visits" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def test_values_come_as_they_were_written(tmp_path: Path) -> None:
    _write(
        tmp_path,
        "a.ndjson",
        b'{"id": 007e0, "n": 1}\n'  # no JSON number: malformed
        b'{"id":"007","a":1.10,"b":1E400,"c":-0,"d":12345678901234567890123,"e":true,"f":null,'
        b'"g":" \\u00fc\\u0000\\t"}\n'
        b'{"id": 8, "list": [1.10, {"x": "\xc3\xa4\\"", "y": null}], "object": {"z": 2.50}, "empty": {}, "not": NaN}\n',
    )
    assert records(batches(_stream(tmp_path))) == [
        '{"id": 007e0, "n": 1}',
        {
            "id": "007",
            "a": "1.10",
            "b": "1E400",
            "c": "-0",
            "d": "12345678901234567890123",
            "e": "true",
            "g": " ü\0\t",
        },
        {
            "id": "8",
            "list": '[1.10, {"x": "ä\\"", "y": null}]',
            "object": '{"z": 2.50}',
            "empty": "{}",
            "not": "NaN",
        },
    ]


@pytest.mark.parametrize(
    "line",
    [
        b'{"id":1,"id":2}',
        b'{"id" :1,"id":2}',
        b'{"id":1,"x":{"a":1,"a":2}}',
        b"[1]",
        b'"text"',
        b"nonsense",
        b'{"id":1',
        b'{"id":"\\ud800"}',
        b'{"\\udc00":1}',
        b'{"id":[{"a":"\\ud800"}]}',
        b"[" * 100_000,
    ],
    ids=lambda line: line[:24].decode(),
)
def test_a_line_without_a_record_is_kept_as_text(tmp_path: Path, line: bytes) -> None:
    _write(tmp_path, "a.ndjson", b'{"id":0}\n' + line + b"\n" + b'{"id":9}\n')
    assert records(batches(_stream(tmp_path))) == [{"id": "0"}, line.decode(), {"id": "9"}]


def test_a_line_that_is_not_utf8_is_kept_as_bytes(tmp_path: Path) -> None:
    _write(tmp_path, "a.ndjson", b'{"id":"M\xfcller"}\r\n{"id":2}\r\n')
    assert records(batches(_stream(tmp_path))) == [b'{"id":"M\xfcller"}', {"id": "2"}]


def test_byte_order_mark_and_blank_lines_are_no_records(tmp_path: Path) -> None:
    _write(tmp_path, "a.ndjson", b'\xef\xbb\xbf{"id":1}\n\n  \n{"id":2}\n')
    found = batches(_stream(tmp_path))
    assert records(found) == [{"id": "1"}, {"id": "2"}]
    assert found[0].lines.to_pylist() == [1, 4]


def test_half_a_line_waits_until_it_is_complete(tmp_path: Path) -> None:
    path = _write(tmp_path, "a.ndjson", b'{"id":1}\n{"id":2}')
    sources = _stream(tmp_path)
    first = batches(sources)
    assert records(first) == [{"id": "1"}]
    assert problems(first) == [f"{path} ends in half a line (8 bytes): it is landed once it is complete."]
    with path.open("ab") as file:
        file.write(b"\n")
    second = batches(sources, last_cursor(first))
    assert records(second) == [{"id": "2"}]
    assert second[0].lines.to_pylist() == [2]


def test_what_was_read_is_not_read_again(tmp_path: Path) -> None:
    path = _write(tmp_path, "a.ndjson", b'{"id":1}\n')
    sources = _stream(tmp_path)
    cursor = last_cursor(batches(sources))
    assert batches(sources, cursor) == []
    with path.open("ab") as file:
        file.write(b'{"id":2}\n')
    _write(tmp_path, "b.ndjson", b'{"id":3}\n')
    found = batches(sources, cursor)
    assert records(found) == [{"id": "2"}, {"id": "3"}]
    assert found[0].files.to_pylist() == ["visits/a.ndjson", "visits/b.ndjson"]
    assert batches(sources, last_cursor(found)) == []


@pytest.mark.parametrize("content", [b'{"id":7}\n', b'{"id":7}\n{"id":8}\n{"id":9}\n'], ids=["shorter", "longer"])
def test_a_file_that_was_replaced_is_read_from_its_start(tmp_path: Path, content: bytes) -> None:
    path = _write(tmp_path, "a.ndjson", b'{"id":1}\n{"id":2}\n')
    sources = _stream(tmp_path)
    cursor = last_cursor(batches(sources))
    path.write_bytes(content)
    found = batches(sources, cursor)
    assert records(found)[0] == {"id": "7"}
    assert problems(found) == [f"{path} was written anew: it was read from its start again."]


def test_a_file_stays_the_same_when_it_is_compressed(tmp_path: Path) -> None:
    content = b'{"id":1}\n{"id":2}\n'
    path = _write(tmp_path, "a.ndjson", content)
    sources = _stream(tmp_path)
    cursor = last_cursor(batches(sources))
    path.unlink()
    _write(tmp_path, "a.ndjson.gz", gzip.compress(content + b'{"id":3}\n'))
    assert records(batches(sources, cursor)) == [{"id": "3"}]


def test_a_complete_compressed_file_needs_no_last_line_feed(tmp_path: Path) -> None:
    _write(tmp_path, "a.ndjson.gz", gzip.compress(b'{"id":1}\n{"id":2}'))
    assert records(batches(_stream(tmp_path))) == [{"id": "1"}, {"id": "2"}]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"not gzip", "Not a gzipped file"),
        (gzip.compress(os.urandom(5000))[:-900], "the compressed file ends too early"),
    ],
)
def test_an_unreadable_file_is_reported_after_the_others_are_read(tmp_path: Path, content: bytes, reason: str) -> None:
    _write(tmp_path, "a.ndjson", b'{"id":1}\n')
    broken = _write(tmp_path, "b.ndjson.gz", content)
    _write(tmp_path, "c.ndjson", b'{"id":3}\n')
    found, message = until_error(_stream(tmp_path))
    assert records(found) == [{"id": "1"}, {"id": "3"}]
    assert message.startswith(
        f"shop: 1 of 3 files of visits could not be read, the others are landed: {broken}: {reason}"
    )
    assert "visits/b.ndjson" not in (last_cursor(found) or {})["files"]


def test_a_file_that_vanishes_while_it_is_read_is_reported(tmp_path: Path) -> None:
    _stream(tmp_path)
    (tmp_path / "visits" / "a.ndjson").symlink_to(tmp_path / "nowhere")
    _, message = until_error(_stream(tmp_path))
    assert "a.ndjson: No such file or directory" in message


def test_a_missing_folder_is_an_error_and_an_empty_stream_is_not(tmp_path: Path) -> None:
    sources = described(tmp_path, "event_files", {"path": "nowhere"}, {"from": "visits"})
    with pytest.raises(SourceError, match=r"shop: there is no folder .*nowhere: create it, or correct connection.path"):
        batches(sources)
    assert "no file matches 'visits'" in problems(batches(_stream(tmp_path)))[0]


def test_a_stream_can_be_a_glob(tmp_path: Path) -> None:
    _write(tmp_path, "a.log", b'{"id":1}\n')
    _write(tmp_path, "b.ndjson", b'{"id":2}\n')
    assert records(batches(_stream(tmp_path, **{"from": "visits/*.log"}))) == [{"id": "1"}]


def test_the_record_can_stand_in_an_envelope(tmp_path: Path) -> None:
    _write(
        tmp_path,
        "a.ndjson",
        b'{"op":"made","body":{"after":{"id":1.0,"op":"x"},"before":null},"seq":5}\n{"op":"odd","body":3}\n',
    )
    assert records(batches(_stream(tmp_path, record="body.after"))) == [
        {"id": "1.0", "op": "x", "$.op": "made", "$.seq": "5", "$.body": '{"before": null}'},
        '{"op":"odd","body":3}',
    ]


def test_batches_are_bounded_and_each_has_its_cursor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_module, "BATCH_RECORDS", 10)
    _write(tmp_path, "a.ndjson", b"".join(b'{"id":%d}\n' % n for n in range(25)))
    sources = _stream(tmp_path)
    found = batches(sources)
    assert [len(batch) for batch in found] == [10, 10, 5]
    for index, batch in enumerate(found):
        rest = batches(sources, batch.cursor)
        assert records(rest) == records(found[index + 1 :])
