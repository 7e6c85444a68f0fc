"""A database by URL: which module reads it is the URL's scheme's."""

from collections.abc import Iterator, Sequence
from urllib.parse import unquote

from staged_assets.errors import ConfigurationError
from staged_assets.sources import (
    postgresql,
    postgresql_changes,
    postgresql_session,
    postgresql_slot,
    sql_database,
    sqlite,
)
from staged_assets.sources.batch import Batch, Cursor
from staged_assets.sources.change_feed import Lag
from staged_assets.sources.connections import SCHEMES, DatabaseConnection, SqliteConnection
from staged_assets.sources.marks import Mark, Question
from staged_assets.sources.models import DatabaseFeed, DatabaseSystem, SqliteFeed, SqliteSystem
from staged_assets.sources.tables import TableInfo


def read(system: DatabaseSystem, feed: DatabaseFeed, cursor: Cursor | None) -> Iterator[Batch]:
    """Read a table, from the cursor on where the feed has `updated_at`; see the database's module."""
    scheme = system.connection.scheme
    if feed.change_feed is not None:
        return postgresql_changes.read(_checked(system), feed, cursor)
    if scheme in ("postgresql", "postgres"):
        return postgresql.read(system, feed, cursor)
    if scheme == "sqlite":
        return sqlite.read(*_as_file(system, feed), cursor)
    return sql_database.read(system, feed, cursor)


def read_keys(system: DatabaseSystem, feed: DatabaseFeed) -> Iterator[Batch]:
    """Read the columns of which the dataset's key is made, of all records that there are now."""
    scheme = system.connection.scheme
    if scheme in ("postgresql", "postgres"):
        return postgresql.read_keys(system, feed)
    if scheme == "sqlite":
        return sqlite.read_keys(*_as_file(system, feed))
    return sql_database.read_keys(system, feed)


def marks(system: DatabaseSystem, asked: Sequence[Question]) -> list[Mark]:
    """What the server says of some of its tables; see the database's module."""
    scheme = system.connection.scheme
    if scheme in ("postgresql", "postgres"):
        changes = [question for question in asked if question.feed.change_feed is not None]
        tables = [question for question in asked if question.feed.change_feed is None]
        found: dict[int, Mark] = {}
        for questions, ask in ((changes, postgresql_slot.marks), (tables, postgresql.marks)):
            if questions:
                found |= zip(map(id, questions), ask(system, questions), strict=True)
        return [found[id(question)] for question in asked]
    if scheme == "sqlite":
        return sqlite.marks(_as_file(system, asked[0].feed)[0], asked) if asked else []
    return sql_database.marks(system, asked)


def confirm(system: DatabaseSystem, feed: DatabaseFeed, cursor: Cursor) -> None:
    """Let the server forget the changes up to a cursor that the warehouse has kept."""
    postgresql_slot.confirm(_checked(system), feed, cursor)


def lag(system: DatabaseSystem, feed: DatabaseFeed) -> Lag | None:
    """How far a change feed's slot is behind; None where there is none yet."""
    return postgresql_slot.lag(_checked(system), feed)


def drop_slots(system: DatabaseSystem) -> list[str]:
    """Drop the slots of a system's change feeds; their names."""
    feeds = [feed for feed in system.feeds if feed.change_feed is not None]
    return postgresql_slot.drop(_checked(system), feeds) if feeds else []


def _checked(system: DatabaseSystem) -> DatabaseSystem:
    scheme = system.connection.scheme
    if scheme not in ("postgresql", "postgres"):
        raise ConfigurationError(
            f"{system.name}: change_feed is for PostgreSQL alone, and connection.url is that of {SCHEMES[scheme]}:"
            " use updated_at."
        )
    return system


def describe(system: str, connection: DatabaseConnection) -> list[TableInfo]:
    """The tables and views of a database, by name.

    Raises:
        SourceError: the server can't be reached or refuses.
        ConfigurationError: the driver is not installed.
    """
    if connection.scheme in ("postgresql", "postgres"):
        return postgresql_session.describe(system, connection)
    if connection.scheme == "sqlite":
        return sqlite.describe(system, SqliteConnection(path=_path(connection)))
    return sql_database.describe(system, connection)


def _path(connection: DatabaseConnection) -> str:
    return unquote(connection.url.removeprefix("sqlite:///"))


def _as_file(system: DatabaseSystem, feed: DatabaseFeed) -> tuple[SqliteSystem, SqliteFeed]:
    """The same system and feed, as those of a SQLite file."""
    said = {name: value for name, value in system if name not in ("connector", "connection", "feeds")}
    file = SqliteSystem.model_construct(
        connector="sqlite", connection=SqliteConnection(path=_path(system.connection)), feeds=[], **said
    )
    file._name = system.name
    kept = {name: value for name, value in feed if name in SqliteFeed.model_fields}
    return file, SqliteFeed.model_construct(**kept)
