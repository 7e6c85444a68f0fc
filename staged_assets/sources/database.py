"""A database by URL: which module reads it is the URL's scheme's."""

from collections.abc import Iterator
from urllib.parse import unquote

from staged_assets.sources import postgresql, postgresql_session, sql_database, sqlite
from staged_assets.sources.batch import Batch, Cursor
from staged_assets.sources.models import (
    DatabaseConnection,
    DatabaseFeed,
    DatabaseSystem,
    SqliteConnection,
    SqliteFeed,
    SqliteSystem,
)
from staged_assets.sources.tables import TableInfo


def read(system: DatabaseSystem, feed: DatabaseFeed, cursor: Cursor | None) -> Iterator[Batch]:
    """Read a table, from the cursor on where the feed has `updated_at`; see the database's module."""
    scheme = system.connection.scheme
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
