"""SQLite: every value as text, changes since the cursor, and what is missing."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from staged_assets.errors import SourceError
from staged_assets.sources import batch as batch_module
from staged_assets.sources.config import Sources
from staged_assets_tests.sources.described import batches, described, last_cursor, problems, records


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "erp.db", isolation_level=None)
    connection.execute("create table visit (id, name, text, changed)")
    yield connection
    connection.close()


def _sources(folder: Path, **feed: Any) -> Sources:
    return described(folder, "sqlite", {"path": "erp.db"}, {"from": "visit", **feed}, time_zone="Europe/Berlin")


def _insert(database: sqlite3.Connection, *rows: tuple[Any, ...]) -> None:
    database.executemany("insert into visit values (?, ?, ?, ?)", [(*row, *(None,) * (4 - len(row))) for row in rows])


def _changed(database: sqlite3.Connection, *moments: Any) -> None:
    _insert(database, *((number, None, None, moment) for number, moment in enumerate(moments, 1)))


def _ids(found: list[Any]) -> list[str]:
    return sorted(record["id"] for record in records(found))


def test_every_kind_of_value_comes_as_exact_text(tmp_path: Path, database: sqlite3.Connection) -> None:
    _insert(
        database,
        (7, "007", 0.1 + 0.2, 1e300),
        (-(2**63), " ü\0\t ", 5.0, None),
        ("", "x" * 100_000, b"\x00\xff", 2**62),
    )
    assert records(batches(_sources(tmp_path))) == [
        {"id": "7", "name": "007", "text": "0.30000000000000004", "changed": "1e+300"},
        {"id": "-9223372036854775808", "name": " ü\0\t ", "text": "5.0"},
        {"id": "", "name": "x" * 100_000, "text": "00FF", "changed": "4611686018427387904"},
    ]


def test_a_row_with_text_that_is_not_utf8_is_kept_as_bytes(tmp_path: Path, database: sqlite3.Connection) -> None:
    database.execute("insert into visit values (1, cast(x'4dfc' as text), 2, null), (2, 'good', null, null)")
    assert records(batches(_sources(tmp_path))) == [
        b'{"id": "1", "name": "M\xfc", "text": "2", "changed": null}',
        {"id": "2", "name": "good"},
    ]


def test_names_need_no_care(tmp_path: Path, database: sqlite3.Connection) -> None:
    database.execute('create table "Order ""x""" ("from" , "a b", "Ü")')
    database.execute('insert into "Order ""x""" values (1, 2, 3)')
    found = batches(_sources(tmp_path, **{"from": 'Order "x"'}, key=["from"], columns={"touchpoint_id": "from"}))
    assert records(found) == [{"from": "1", "a b": "2", "Ü": "3"}]


def test_views_and_queries_can_be_read(tmp_path: Path, database: sqlite3.Connection) -> None:
    _insert(database, (1, "a"), (2, "b"))
    database.execute("create view seen as select id, name from visit where id = 2")
    assert records(batches(_sources(tmp_path, **{"from": "seen"}))) == [{"id": "2", "name": "b"}]
    found = batches(_sources(tmp_path, **{"from": None}, query="select id, upper(name) as name from visit"))
    assert records(found) == [{"id": "1", "name": "A"}, {"id": "2", "name": "B"}]


def test_a_table_without_change_time_is_read_whole_each_time(tmp_path: Path, database: sqlite3.Connection) -> None:
    _insert(database, (1,), (2,))
    sources = _sources(tmp_path)
    found = batches(sources)
    assert last_cursor(found) is None
    assert _ids(batches(sources)) == ["1", "2"]


def test_only_what_changed_is_read_again(tmp_path: Path, database: sqlite3.Connection) -> None:
    _changed(database, "2024-05-01 10:00:00", "2024-05-02 10:00:00")
    sources = _sources(tmp_path, updated_at="changed")
    cursor = last_cursor(batches(sources))
    database.execute("update visit set name = 'late' where id = 1")
    database.execute("insert into visit values (3, null, null, '2024-05-02 10:00:00'), (4, null, null, '2024-05-03')")
    # 2 and 3 are of the very moment at which the last reading ended; the change of 1 has no new time.
    assert _ids(batches(sources, cursor)) == ["2", "3", "4"]


def test_times_are_compared_as_moments_however_they_are_written(tmp_path: Path, database: sqlite3.Connection) -> None:
    _changed(database, "2024-05-02T09:00:00+02:00", "2024-05-02 08:00:00")
    sources = _sources(tmp_path, updated_at="changed")
    cursor = last_cursor(batches(sources))
    _changed(database, "2024-05-02T10:30:00+02:00", "2024-05-02 07:30:00Z", "2024-05-02T08:00:00.5")
    assert sorted(r["changed"] for r in records(batches(sources, cursor))) == [
        "2024-05-02 08:00:00",
        "2024-05-02T08:00:00.5",
        "2024-05-02T10:30:00+02:00",
    ]


@pytest.mark.parametrize("unreadable", ["02.05.2024", "", None, b"\x00"])
def test_what_has_no_readable_time_is_read_each_time(
    tmp_path: Path, database: sqlite3.Connection, unreadable: Any
) -> None:
    _changed(database, unreadable, "2024-05-01", "2024-05-03")
    sources = _sources(tmp_path, updated_at="changed")
    assert _ids(batches(sources, last_cursor(batches(sources)))) == ["1", "3"]


def test_a_change_dated_in_the_future_hides_no_other(tmp_path: Path, database: sqlite3.Connection) -> None:
    _changed(database, "2999-01-01 00:00:00")
    sources = _sources(tmp_path, updated_at="changed")
    cursor = last_cursor(batches(sources))
    database.execute("insert into visit values (2, null, null, datetime('now', '+1 day'))")
    assert _ids(batches(sources, cursor)) == ["1", "2"]


def test_the_change_time_can_be_a_number(tmp_path: Path, database: sqlite3.Connection) -> None:
    _changed(database, 9, 10)
    sources = _sources(tmp_path, updated_at="changed")
    cursor = last_cursor(batches(sources))
    database.execute("insert into visit values (3, null, null, 11)")
    assert _ids(batches(sources, cursor)) == ["2", "3"]


@pytest.mark.parametrize("suffix", ["", "without rowid"])
def test_an_interrupted_reading_goes_on(
    tmp_path: Path, database: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setattr(batch_module, "BATCH_RECORDS", 10)
    database.execute("drop table visit")
    database.execute(f"create table visit (id integer primary key, name, text, changed) {suffix}")
    _changed(database, *(f"2024-05-{number:02}" for number in range(1, 26)))
    sources = _sources(tmp_path, updated_at="changed")
    whole = batches(sources)
    assert [len(batch) for batch in whole] == [10, 10, 5]
    # Meanwhile a row that was read changes, and a newer one that was not.
    database.execute("update visit set changed = '2024-05-26T12:00' where id = 1")
    database.execute("update visit set changed = '2024-05-27T12:00' where id = 25")
    rest = batches(sources, whole[0].cursor)
    after = batches(sources, last_cursor(rest))
    expected = {str(number) for number in range(1, 26)}
    assert {r["id"] for r in records([whole[0], *rest, *after])} == expected
    assert "2024-05-26T12:00" in {r["changed"] for r in records([*rest, *after])}
    if not suffix:
        assert len(records(rest)) == 15


def test_a_column_that_vanished_is_a_problem_and_an_added_one_is_read(
    tmp_path: Path, database: sqlite3.Connection
) -> None:
    database.execute("alter table visit drop column text")
    database.execute("alter table visit add column added")
    database.execute("insert into visit values (1, 'a', null, 'new')")
    found = batches(_sources(tmp_path))
    assert records(found) == [{"id": "1", "name": "a", "added": "new"}]
    assert problems(found) == ["shop: visit has no column 'text': description of touchpoints is NULL."]


@pytest.mark.parametrize(
    ("feed", "expected"),
    [
        ({"from": "visits"}, "shop: there is no table 'visits' in .*, perhaps 'visit' is meant; correct `from`"),
        ({"key": ["di"]}, "shop: visit has no column 'di', perhaps 'id' is meant; correct the feed of touchpoints"),
        ({"updated_at": "change"}, "visit has no column 'change', perhaps 'changed' is meant"),
        ({"delete_marker": {"column": "gone", "values": ["1"]}}, "visit has no column 'gone'"),
        ({"from": None, "query": "select * from nowhere"}, "touchpoints in .* could not be read: no such table"),
    ],
)
def test_what_is_missing_is_named(
    tmp_path: Path, database: sqlite3.Connection, feed: dict[str, Any], expected: str
) -> None:
    with pytest.raises(SourceError, match=expected):
        batches(_sources(tmp_path, **feed))


def test_a_missing_file_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"shop: there is no SQLite file .*erp\.db: create it"):
        batches(_sources(tmp_path))
    assert not (tmp_path / "erp.db").exists()


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "erp.db").write_text("not a database" * 100)
    with pytest.raises(SourceError, match="file is not a database"):
        batches(_sources(tmp_path))


def test_nothing_can_be_written_through_a_query(tmp_path: Path, database: sqlite3.Connection) -> None:
    _insert(database, (1,))
    with pytest.raises(SourceError):
        batches(_sources(tmp_path, **{"from": None}, query="delete from visit returning id"))
    assert database.execute("select count(*) from visit").fetchone() == (1,)
