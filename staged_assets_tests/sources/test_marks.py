"""Marks: the same as long as nothing has changed, another one when anything has; of each connector."""

import gzip
import json
import os
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from staged_assets.errors import SourceError
from staged_assets.landing.land import land_feed
from staged_assets.landing.raw_area import prepare
from staged_assets.sources.config import Sources
from staged_assets.sources.connectors import marks
from staged_assets.sources.marks import NOTHING, Mark, Question
from staged_assets_tests.postgres import Database, PostgresServer
from staged_assets_tests.sources.described import batches, described, last_cursor
from staged_assets_tests.sources.misbehaving_api import Answer, serving
from staged_assets_tests.sources.shops import Shop


def _mark(sources: Sources, basis: str | None = None) -> Mark:
    system = sources.resolve("shop")
    (found,) = marks(system, [Question(system.feeds[0], basis)])
    return found


def _changes_with(sources: Sources, *changes: Callable[[], Any]) -> None:
    """Each change gives a mark that has not been before; nothing gives the same."""
    seen = [_mark(sources)]
    for change in changes:
        assert _mark(sources) == seen[-1]
        change()
        seen.append(_mark(sources))
    assert None not in seen
    assert len(set(seen)) == len(seen)


def _later(path: Path) -> None:
    """As if written a second later: a file system's clock can be coarse."""
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1_000_000_000))


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_sqlite(tmp_path: Path, journal: str) -> None:
    database = sqlite3.connect(tmp_path / "erp.db", isolation_level=None)
    database.execute(f"pragma journal_mode = {journal}")
    database.execute("create table visit (id, name, text, changed)")
    sources = described(tmp_path, "sqlite", {"path": "erp.db"}, {"from": "visit", "updated_at": "changed"})

    def change(statement: str) -> Callable[[], None]:
        def run() -> None:
            database.execute(statement)
            _later(tmp_path / ("erp.db-wal" if journal == "wal" else "erp.db"))

        return run

    inserted = change("insert into visit values (1, 'a', 'b', '2024-01-01')")
    _changes_with(sources, inserted, change("update visit set name = 'c'"), change("delete from visit"))
    batches(sources)
    before = _mark(sources)
    batches(sources)
    assert _mark(sources) == before
    database.close()


def test_duckdb_without_opening_it(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "loaded.duckdb")) as loader:
        loader.execute("create table visit (id int, name text, text text, changed timestamp)")
        feed = {"from": "visit", "updated_at": "changed"}
        sources = described(tmp_path, "duckdb", {"path": "loaded.duckdb"}, feed)
        _changes_with(sources, lambda: loader.execute("insert into visit values (1, 'a', 'b', now())"))


def test_event_files(tmp_path: Path) -> None:
    stream = tmp_path / "visits"
    stream.mkdir()
    sources = described(tmp_path, "event_files", {"path": "."}, {"from": "visits"})

    def compress() -> None:
        """The same content, but another file: it is looked at once more."""
        with gzip.open(stream / "1.ndjson.gz", "wb") as packed:
            packed.write((stream / "1.ndjson").read_bytes())
        (stream / "1.ndjson").unlink()

    _changes_with(
        sources,
        lambda: (stream / "1.ndjson").write_text('{"id": 1}\n'),
        lambda: (stream / "1.ndjson").write_text('{"id": 1}\n{"id": 2}\n'),
        lambda: (stream / "2.ndjson").write_text('{"id": 3}\n'),
        compress,
    )


def test_deliveries(tmp_path: Path) -> None:
    connection = {"path": ".", "secret": "${HOOK}"}
    sources = described(tmp_path, "webhook", connection, {"from": "visits"}, environ={"HOOK": "x" * 32})
    folder = tmp_path / "visits"
    folder.mkdir()
    _changes_with(sources, lambda: (folder / "1.ndjson").write_text('{"body": {"id": 1}}\n'))


def test_parquet(tmp_path: Path) -> None:
    sources = described(tmp_path, "parquet", {"path": "."}, {"from": "*.parquet"})
    _changes_with(sources, lambda: pq.write_table(pa.table({"id": [1]}), tmp_path / "1.parquet"))


def test_a_query_over_files_is_asked_for_all_of_them(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [1]}), tmp_path / "1.parquet")
    feed = {"query": 'select id from "1"', "updated_at": "id"}
    sources = described(tmp_path, "parquet", {"path": "."}, feed)
    _changes_with(sources, lambda: pq.write_table(pa.table({"id": [1]}), tmp_path / "2.parquet"))


def test_a_csv_file_that_ends_in_half_a_line_has_changed_when_it_has_settled(tmp_path: Path) -> None:
    path = tmp_path / "1.csv"
    sources = described(tmp_path, "csv_files", {"path": "."}, {"from": "*.csv"})
    path.write_text("id,name\n1,a\n2,b")
    written = path.stat().st_mtime_ns
    fresh = _mark(sources)
    content = path.read_bytes()
    path.write_bytes(content)
    os.utime(path, ns=(written, written))
    assert _mark(sources) == fresh
    old = written - 120 * 1_000_000_000
    os.utime(path, ns=(old, old))
    settled = _mark(sources)
    path.write_text("id,name\n1,a\n2,b\n")
    os.utime(path, ns=(old, old))
    assert len({fresh, settled, _mark(sources)}) == 3


def test_rest_by_what_there_is_since_the_run_before(tmp_path: Path) -> None:
    items: list[dict[str, Any]] = [{"id": 1, "at": "2024-01-01"}]

    def answer(path: str, query: dict[str, str]) -> Answer:
        found = [item for item in items if item["at"] >= query.get("updated_since", "")]
        start = (int(query["page"]) - 1) * 2
        following = int(query["page"]) + 1 if len(found) > start + 2 else None
        return Answer(json.dumps({"items": found[start : start + 2], "next_page": following}).encode())

    with serving(answer) as api:
        connection = {"url": api.url, "page_size": 2, "attempts": 5}
        sources = described(tmp_path, "rest", connection, {"from": "visits", "updated_at": "at"})
        assert _mark(sources, None) is None, "what was never landed can't be told"
        cursor = last_cursor(batches(sources))
        assert cursor == {"since": "2024-01-01"}
        before = _mark(sources, "2024-01-01")
        assert _mark(sources, "2024-01-01") == before
        items.append({"id": 2, "at": "2024-01-01"})
        of_same_moment = _mark(sources, "2024-01-01")
        assert of_same_moment not in (before, None)
        items.append({"id": 3, "at": "2024-01-02"})
        assert _mark(sources, "2024-01-01") is None, "more than a page: it has to be read to know"


def test_rest_is_asked_once(tmp_path: Path) -> None:
    with serving(lambda path, query: Answer(b"", status=503)) as api:
        connection = {"url": api.url, "attempts": 5}
        sources = described(tmp_path, "rest", connection, {"from": "visits", "updated_at": "at"})
        with pytest.raises(SourceError, match="503"):
            _mark(sources, "2024-01-01")
        assert len(api.asked) == 1


@pytest.fixture
def database(postgres_server: PostgresServer) -> Any:
    made = Database(postgres_server)
    made.execute("create table visit (id int primary key, name text, text text, changed timestamptz)")
    yield made
    made.connection.close()


def test_postgresql_sees_rows_that_were_committed_late(tmp_path: Path, database: Database) -> None:
    feed = {"from": "visit", "updated_at": "changed"}
    sources = described(tmp_path, "database", {"url": database.url}, feed)
    _changes_with(
        sources,
        lambda: database.execute("insert into visit values (1, 'a', 'b', now())"),
        lambda: database.execute("insert into visit values (2, 'a', 'b', now() - interval '1 minute')"),
        lambda: database.execute("update visit set changed = changed + interval '1 second' where id = 2"),
        lambda: database.execute("insert into visit values (3, 'a', 'b', now() + interval '10 years')"),
        lambda: database.execute("insert into visit values (4, 'a', 'b', now())"),
    )


def test_postgresql_by_a_number_that_grows(tmp_path: Path, database: Database) -> None:
    feed = {"from": "visit", "updated_at": "id", "overlap": 10}
    sources = described(tmp_path, "database", {"url": database.url}, feed)
    _changes_with(
        sources,
        lambda: database.execute("insert into visit values (100)"),
        lambda: database.execute("insert into visit values (95)"),
    )


def test_a_question_that_takes_long_is_given_up(tmp_path: Path, database: Database) -> None:
    feed = {"query": "select id, name, text, changed from visit, pg_sleep(3)", "updated_at": "changed"}
    sources = described(tmp_path, "database", {"url": database.url}, feed)
    with pytest.raises(SourceError, match="statement timeout"):
        _mark(sources)


def test_a_change_feed_has_nothing_until_something_waits_in_its_slot(tmp_path: Path, database: Database) -> None:
    feed = {"from": "visit", "change_feed": {}}
    sources = described(tmp_path, "database", {"url": database.url}, feed)
    assert _mark(sources) is None, "there is no slot yet"
    with duckdb.connect() as warehouse:
        prepare(warehouse)
        land_feed(warehouse, sources, "shop", sources.systems["shop"].feeds[0])
        assert _mark(sources) == NOTHING
        database.execute("create table other (id int)", "insert into other values (1)")
        assert _mark(sources) == NOTHING, "it is no change of its own"
        database.execute("insert into visit values (1)")
        waiting = _mark(sources)
        assert waiting not in (None, NOTHING)
        assert _mark(sources) == waiting, "asking takes nothing away"
        land_feed(warehouse, sources, "shop", sources.systems["shop"].feeds[0])
        assert _mark(sources) == NOTHING


def test_mariadb_and_sql_server_see_rows_that_were_committed_late(tmp_path: Path, shop: Shop) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)

    def change(statement: str, **before: int) -> Callable[[], None]:
        moment = (now - timedelta(**before)).isoformat(timespec="microseconds")
        return lambda: shop.run(statement.format(f"'{moment}'"))

    _changes_with(
        shop.sources(tmp_path, updated_at="changed"),
        change("insert into visit values (1, 'a', 'b', {})", hours=3),
        change("insert into visit values (2, 'a', 'b', {})", hours=3, minutes=1),
        change("update visit set changed = {} where id = 2", hours=3, seconds=59),
        change("insert into visit values (3, 'a', 'b', {})", hours=2),
    )
