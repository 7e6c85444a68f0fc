"""Parquet files: values of every type as exact text; the data of an installed package."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from staged_assets.errors import ConfigurationError, SourceError
from staged_assets.sources import batch as batch_module
from staged_assets.sources.config import Sources
from staged_assets_tests.sources.described import batches, described, last_cursor, records


def _sources(place: Path, *, feed: dict[str, Any] | None = None, **connection: Any) -> Sources:
    return described(place, "parquet", connection or {"path": "."}, {"from": "*.parquet", **(feed or {})})


def _write(folder: Path, name: str, query: str) -> Path:
    path = folder / name
    duckdb.execute(f"copy ({query}) to '{path}' (format parquet)")
    return path


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("'007'", "007"),
        ("' ü '", " ü "),
        ("9223372036854775807::bigint", "9223372036854775807"),
        ("1.10::decimal(10, 2)", "1.10"),
        ("12345678901234567890123456.789::decimal(38, 3)", "12345678901234567890123456.789"),
        ("0.1::double + 0.2::double", "0.30000000000000004"),
        ("0.1::float", "0.1"),
        ("true", "true"),
        ("date '2024-02-29'", "2024-02-29"),
        ("timestamp '2024-02-29 10:11:12.345678'", "2024-02-29 10:11:12.345678"),
        ("timestamptz '2024-02-29 10:11:12+02'", "2024-02-29 08:11:12+00"),
        ("'\\x00\\xFF'::blob", "00FF"),
        ("['a', null]", '["a",null]'),
        ("{'a': 1, 'b': [1.10::decimal(4, 2)]}", '{"a":1,"b":["1.10"]}'),
    ],
)
def test_a_value_comes_as_exact_text(tmp_path: Path, value: str, expected: str) -> None:
    _write(tmp_path, "a.parquet", f"select 1 as id, {value} as name, null::integer as text")
    assert records(batches(_sources(tmp_path))) == [{"id": "1", "name": expected}]


def test_rows_are_numbered_by_file(tmp_path: Path) -> None:
    _write(tmp_path, "a.parquet", "select range as id from range(3)")
    _write(tmp_path, "b.parquet", "select 9 as id")
    (batch,) = batches(_sources(tmp_path))
    assert batch.files.to_pylist() == ["a.parquet"] * 3 + ["b.parquet"]
    assert batch.lines.to_pylist() == [1, 2, 3, 1]


def test_an_interrupted_reading_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_module, "BATCH_RECORDS", 10)
    _write(tmp_path, "a.parquet", "select range as id from range(25)")
    sources = _sources(tmp_path)
    found = batches(sources)
    assert [len(batch) for batch in found] == [10, 10, 5]
    for index, batch in enumerate(found):
        assert records(batches(sources, batch.cursor)) == records(found[index + 1 :])
    assert batches(sources, last_cursor(found)) == []


def test_a_broken_file_is_reported_after_the_others_are_read(tmp_path: Path) -> None:
    _write(tmp_path, "b.parquet", "select 1 as id")
    (tmp_path / "a.parquet").write_bytes(b"PAR1 half written")
    with pytest.raises(SourceError, match=r"shop: 1 of 2 files of parquet could not be read.*a\.parquet"):
        batches(_sources(tmp_path))


def test_a_query_computes_over_files(tmp_path: Path) -> None:
    _write(
        tmp_path, "visits.parquet", "select range as id, range % 2 as part, 1.5::decimal(4, 2) as worth from range(4)"
    )
    query = "select part as id, sum(worth) as name from Visits group by part order by part"
    found = batches(_sources(tmp_path, feed={"from": None, "query": query}))
    assert records(found) == [{"id": "0", "name": "3.00"}, {"id": "1", "name": "3.00"}]


def test_the_files_can_be_in_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "some_retailer" / "data"
    data.mkdir(parents=True)
    (data.parent / "__init__.py").touch()
    _write(data, "a.parquet", "select 1 as id")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert records(batches(_sources(tmp_path, package="some_retailer", folder="data"))) == [{"id": "1"}]


def test_a_package_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"connection\.package is 'no_such_retailer', which is not installed"):
        batches(_sources(tmp_path, package="no_such_retailer"))
