"""PostgreSQL: every value as the server writes it, changes since the cursor, and what goes wrong on the way."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from staged_assets.errors import SourceError
from staged_assets.sources import batch as batch_module
from staged_assets.sources import postgresql_session
from staged_assets.sources.config import Sources
from staged_assets.sources.connectors import read, read_keys
from staged_assets_tests.postgres import Database, PostgresServer
from staged_assets_tests.sources.described import batches, described, last_cursor, problems, records


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[Database]:
    made = Database(postgres_server)
    made.execute("create table visit (id int primary key, name text, text text, changed timestamptz)")
    yield made
    made.connection.close()


def _sources(folder: Path, database: Database, **feed: Any) -> Sources:
    connection = {"url": database.url}
    return described(folder, "database", connection, {"from": "visit", **feed}, time_zone="Europe/Berlin")


def _ids(sources: Sources, cursor: dict[str, Any] | None) -> set[str]:
    return {record["id"] for record in records(batches(sources, cursor))}


VALUES = {
    "numeric(20,6)": ("12345678901234.100000", "12345678901234.100000"),
    "bigint": ("9223372036854775807", "9223372036854775807"),
    "double precision": ("0.1", "0.1"),
    "real": ("0.1", "0.1"),
    "boolean": ("true", "true"),
    "date": ("2024-02-29", "2024-02-29"),
    "timestamp": ("2024-05-01 10:00:00.5", "2024-05-01 10:00:00.5"),
    "timestamptz": ("2024-05-01 10:00:00+02", "2024-05-01 08:00:00+00"),
    "time": ("10:00", "10:00:00"),
    "interval": ("1 day 2 hours", "P1DT2H"),
    "uuid": ("6ecd8c99-4036-403d-bf84-cf8400f67836", "6ecd8c99-4036-403d-bf84-cf8400f67836"),
    "jsonb": ('{"a": 1.50}', '{"a": 1.50}'),
    "json": ('{"a":  1.50}', '{"a":  1.50}'),
    "int[]": ("{1,2}", "[1,2]"),
    "bytea": ("\\x00ff", "00FF"),
    "char(5)": ("AB", "AB   "),
    "money": ("1234.5", "$1,234.50"),
    "inet": ("10.0.0.1", "10.0.0.1/32"),
    "mood": ("glad", "glad"),
    "text": ("Zoë\n\t\\N", "Zoë\n\t\\N"),
}


def test_values_of_every_type_come_as_the_server_writes_them(tmp_path: Path, database: Database) -> None:
    database.execute("create type mood as enum ('glad', 'sad')")
    columns = {f"c{number}": kind for number, kind in enumerate(VALUES)}
    database.execute(f"create table typed (id int, {', '.join(f'{name} {kind}' for name, kind in columns.items())})")
    database.execute(
        f"insert into typed values (1, {', '.join(['%s'] * len(VALUES))})", [v for v, _ in VALUES.values()]
    )
    database.execute("insert into typed values (2)")
    found = records(batches(_sources(tmp_path, database, **{"from": "typed"})))
    assert found == [{"id": "1", **dict(zip(columns, (text for _, text in VALUES.values()), strict=True))}, {"id": "2"}]


def test_an_empty_text_is_not_missing(tmp_path: Path, database: Database) -> None:
    database.execute("insert into visit values (1, '', null)")
    assert records(batches(_sources(tmp_path, database))) == [{"id": "1", "name": ""}]


def test_text_of_a_database_without_encoding_is_kept_as_bytes(tmp_path: Path, postgres_server: PostgresServer) -> None:
    database = Database(postgres_server, "SQL_ASCII")
    database.execute("create table visit (id int, name text)")
    database.execute(r"insert into visit values (1, 'plain'), (2, E'caf\xe9'), (3, E'caf\xc3\xa9')")
    database.connection.close()
    found = records(batches(_sources(tmp_path, database)))
    assert found == [{"id": "1", "name": "plain"}, b'{"id": "2", "name": "caf\xe9"}', {"id": "3", "name": "café"}]


@pytest.mark.parametrize("source", [{"from": "shop.visit"}, {"from": "Visits"}, {"query": "select * from visit;"}])
def test_tables_of_a_schema_views_and_queries_are_read(
    tmp_path: Path, database: Database, source: dict[str, str]
) -> None:
    database.execute("insert into visit values (7)")
    database.execute('create view "Visits" as select * from visit')
    database.execute("create schema shop create table visit (id int)")
    database.execute("insert into shop.visit values (7)")
    assert records(batches(_sources(tmp_path, database, **{"from": None, **source}))) == [{"id": "7"}]


def test_the_schema_of_a_connection_is_looked_in(tmp_path: Path, database: Database) -> None:
    database.execute("create schema shop create table visit (id int)")
    database.execute("insert into shop.visit values (7)")
    connection = {"url": database.url, "schema": "shop"}
    assert records(batches(described(tmp_path, "database", connection, {"from": "visit"}))) == [{"id": "7"}]


def test_only_changes_are_read_with_an_overlap_before_them(tmp_path: Path, database: Database) -> None:
    sources = _sources(tmp_path, database, updated_at="changed", overlap="10m")
    database.execute("insert into visit values (1, 'a', '', '2024-05-01 10:00Z'), (2, 'b', '', '2024-05-01 12:00Z')")
    cursor = last_cursor(batches(sources))
    assert cursor == {"since": "2024-05-01 12:00:00+00"}
    assert _ids(sources, cursor) == {"2"}
    # Committed late, with a change time before the newest one seen.
    database.execute("insert into visit values (3, 'c', '', '2024-05-01 11:51Z'), (4, 'd', '', '2024-05-01 11:49Z')")
    database.execute("update visit set changed = '2024-05-02 09:00Z' where id = 1")
    assert _ids(sources, cursor) == {"1", "2", "3"}


def test_a_change_cursor_can_be_a_number(tmp_path: Path, database: Database) -> None:
    database.execute("create table numbered (id int, version bigint)")
    database.execute("insert into numbered select n, n * 10 from generate_series(1, 500) n")
    sources = _sources(tmp_path, database, **{"from": "numbered"}, updated_at="version", overlap=30)
    cursor = last_cursor(batches(sources))
    assert cursor == {"since": "5000"}
    assert _ids(sources, cursor) == {"497", "498", "499", "500"}


def test_a_change_in_the_future_hides_no_other(tmp_path: Path, database: Database) -> None:
    sources = _sources(tmp_path, database, updated_at="changed")
    database.execute("insert into visit values (1, 'a', '', '2999-01-01'), (2, 'b', '', 'infinity')")
    cursor = last_cursor(batches(sources))
    database.execute("insert into visit values (3, 'c', '', now())")
    assert _ids(sources, cursor) == {"1", "2", "3"}


def test_rows_without_a_change_time_are_read_each_time(tmp_path: Path, database: Database) -> None:
    sources = _sources(tmp_path, database, updated_at="changed")
    database.execute("insert into visit values (1, 'a', '', null), (2, 'b', '', '2024-05-01')")
    database.execute("insert into visit values (3, 'c', '', '2024-06-01')")
    assert _ids(sources, last_cursor(batches(sources))) == {"1", "3"}


def _many(database: Database, monkeypatch: pytest.MonkeyPatch, count: int = 5_000) -> None:
    """Many rows, in batches of a thousand."""
    database.execute(
        "insert into visit select n, repeat('x', 50), '', timestamptz '2024-05-01' - n * interval '1 s'"
        f" from generate_series(1, {count}) n"
    )
    database.execute("analyze visit")
    for module in (batch_module, postgresql_session):
        monkeypatch.setattr(module, "BATCH_RECORDS", 1_000)


@pytest.mark.parametrize("source", [{"from": "visit"}, {"from": None, "query": "select * from visit"}])
def test_an_interrupted_reading_goes_on(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch, source: dict[str, Any]
) -> None:
    _many(database, monkeypatch)
    sources = _sources(tmp_path, database, updated_at="changed", **source)
    whole = batches(sources)
    assert len(whole) >= 4
    assert len(records(whole)) == 5_000
    for stopped in range(1, len(whole)):
        before = whole[:stopped]
        after = batches(sources, last_cursor(before))
        assert len(records(after)) <= 5_000 - 500 * stopped
        assert {record["id"] for record in records([*before, *after])} == {str(n) for n in range(1, 5_001)}
        assert last_cursor(after) == last_cursor(whole)


def test_a_table_that_was_written_anew_meanwhile_is_read_from_its_start(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _many(database, monkeypatch)
    sources = _sources(tmp_path, database, updated_at="changed")
    before = batches(sources)[:2]
    database.execute("create index by_name on visit (changed)")
    database.execute("cluster visit using by_name")
    assert len(records(batches(sources, last_cursor(before)))) == 5_000


def test_a_connection_that_breaks_is_one_sentence_and_what_came_before_is_good(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _many(database, monkeypatch)
    sources = _sources(tmp_path, database, updated_at="changed")
    reading = read(*sources.resolve_feed("shop", sources.systems["shop"].feeds[0]), None)
    first = next(reading)
    database.execute("select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()")
    with pytest.raises(SourceError, match=r"shop: visit could not be read from PostgreSQL: .*the next run goes on"):
        list(reading)
    rest = records(batches(sources, first.cursor))
    assert {record["id"] for record in [*records([first]), *rest]} == {str(n) for n in range(1, 5_001)}


def test_a_column_that_the_table_has_not_is_a_problem_and_null(tmp_path: Path, database: Database) -> None:
    database.execute("insert into visit values (1)")
    database.execute("alter table visit drop column name")
    found = batches(_sources(tmp_path, database))
    assert records(found) == [{"id": "1"}]
    assert problems(found) == ["shop: visit has no column 'name': touchpoint_name of touchpoints is NULL."]


@pytest.mark.parametrize(
    ("feed", "expected"),
    [
        ({"from": "visits"}, "there is no table 'visits' in the database, perhaps 'visit' is meant"),
        ({"key": ["idd"]}, "visit has no column 'idd', perhaps 'id' is meant"),
        ({"updated_at": "chnged"}, "visit has no column 'chnged', perhaps 'changed' is meant"),
        ({"from": None, "query": "select 1/0 as id"}, "could not be read from PostgreSQL: division by zero"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, database: Database, feed: dict[str, Any], expected: str) -> None:
    with pytest.raises(SourceError, match=expected):
        batches(_sources(tmp_path, database, **feed))


def test_a_server_that_is_down_is_one_sentence_without_the_password(tmp_path: Path) -> None:
    connection = {"url": "postgresql://me:${SECRET}@127.0.0.1:1/shop"}
    sources = described(tmp_path, "database", connection, {"from": "visit"}, environ={"SECRET": "hunter2"})
    with pytest.raises(SourceError, match="see that the server is up and") as caught:
        batches(sources)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_may_not_be_read_says_who_can_help(tmp_path: Path, database: Database) -> None:
    database.execute(f"create role clerk_{database.name} login")
    database.url = database.url.replace("postgres@", f"clerk_{database.name}@")
    with pytest.raises(SourceError, match=r"permission denied for table visit: let the server's administrator grant"):
        batches(_sources(tmp_path, database))


def test_nothing_can_be_written_through_a_query(tmp_path: Path, database: Database) -> None:
    database.execute("create function wipe() returns int language sql as 'delete from visit returning id'")
    database.execute("insert into visit values (1)")
    with pytest.raises(SourceError, match="read-only transaction"):
        batches(_sources(tmp_path, database, **{"from": None}, query="select wipe() as id"))
    with pytest.raises(psycopg2.errors.UniqueViolation):
        database.execute("insert into visit values (1)")


def test_keys_are_read_alone(tmp_path: Path, database: Database) -> None:
    database.execute("insert into visit values (1, 'a', 'x', now()), (2, 'b', 'y', null)")
    columns = {"touchpoint_id": {"expression": "id || name"}}
    sources = _sources(tmp_path, database, updated_at="changed", deletes="by_key_comparison", columns=columns)
    feed = sources.systems["shop"].feeds[0]
    assert records(read_keys(*sources.resolve_feed("shop", feed))) == [
        {"id": "1", "name": "a"},
        {"id": "2", "name": "b"},
    ]
