"""The types of `sources.yaml`, third part: what can be said of a system and of the whole file."""

import difflib
import functools
import re
from collections.abc import Iterable
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import Field, PrivateAttr, StringConstraints, field_validator, model_validator

from staged_assets.sources.connections import (
    CsvConnection,
    DatabaseConnection,
    DuckdbConnection,
    EventFilesConnection,
    FolderConnection,
    RestConnection,
    SqliteConnection,
    WebhookConnection,
)
from staged_assets.sources.feeds import (
    DatabaseFeed,
    DuckdbFeed,
    EventFeed,
    Feed,
    FileFeed,
    RestFeed,
    SqliteFeed,
    WebhookFeed,
)
from staged_assets.sources.needs import BatchWindow, Capabilities, Requirements
from staged_assets.sources.strict import Name, Strict, error_at, nearest

__all__ = [
    "CONNECTORS",
    "CsvSystem",
    "DatabaseFeed",
    "DatabaseSystem",
    "Defaults",
    "DuckdbFeed",
    "DuckdbSystem",
    "EventFeed",
    "EventFilesSystem",
    "Feed",
    "FileFeed",
    "FileSystem",
    "Name",
    "ParquetSystem",
    "RestFeed",
    "RestSystem",
    "SourcesFile",
    "SqliteFeed",
    "SqliteSystem",
    "Strict",
    "System",
    "WebhookFeed",
    "WebhookSystem",
    "nearest",
]

#: strptime directives that a date format may use; each reads text in one way only.
_DIRECTIVES = frozenset("dmYyHMSfbBjpI%")


@functools.cache
def _zones() -> frozenset[str]:
    """Asking for them reads a folder of several hundred files."""
    return frozenset(available_timezones())


class _System(Strict):
    """An operational system.

    Attributes:
        time_zone: IANA name; of timestamps without offset.
        country: ISO 3166-1 alpha-2; the region of phone numbers without `+`.
        date_formats: beside ISO 8601, in strptime's notation.
        priority: survivorship between systems, 1 wins.
        owner: instead of the default one.
        capabilities: what it can do, where that is less than its connector and feeds could.
        requirements: what the business needs of all its feeds.
        batch_window: when it may be read in bulk.
    """

    description: str = ""
    time_zone: str = "UTC"
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    date_formats: list[str] = []
    decimal_mark: Literal[".", ","] = "."
    priority: Annotated[int, Field(ge=1)] = 1
    owner: Name | None = None
    capabilities: Capabilities = Capabilities()
    requirements: Requirements = Requirements()
    batch_window: BatchWindow | None = None

    _name: str = PrivateAttr(default="")

    @property
    def name(self) -> str:
        """Its key under `systems`."""
        return self._name

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone not in _zones():
            near = difflib.get_close_matches(zone, _zones(), n=1, cutoff=0.5)
            hint = f"perhaps {near[0]!r} is meant" if near else "expected an IANA name such as Europe/London"
            raise ValueError(f"no time zone of that name is known, {hint}")
        return zone

    @field_validator("date_formats")
    @classmethod
    def _readable_formats(cls, formats: list[str]) -> list[str]:
        for written in formats:
            directives = re.findall(r"%(.?)", written)
            day = {"d", "j"} & set(directives) and ({"m", "b", "B", "j"} & set(directives))
            if not set(directives) <= _DIRECTIVES or not day or not {"y", "Y"} & set(directives):
                raise ValueError(f"{written!r} is not a date format, expected strptime's notation such as '%d.%m.%Y'")
        return formats


class SqliteSystem(_System):
    """A system whose data is in a SQLite file."""

    connector: Literal["sqlite"]
    connection: SqliteConnection
    feeds: list[SqliteFeed]


class DatabaseSystem(_System):
    """A system whose data is on a database server."""

    connector: Literal["database"]
    connection: DatabaseConnection
    feeds: list[DatabaseFeed]


class DuckdbSystem(_System):
    """A system whose data another loader has put into a DuckDB file."""

    connector: Literal["duckdb"]
    connection: DuckdbConnection
    feeds: list[DuckdbFeed]


class RestSystem(_System):
    """A system behind a REST API."""

    connector: Literal["rest"]
    connection: RestConnection
    feeds: list[RestFeed]


class EventFilesSystem(_System):
    """A system that writes event files."""

    connector: Literal["event_files"]
    connection: EventFilesConnection
    feeds: list[EventFeed]


class WebhookSystem(_System):
    """A system that sends events over HTTP."""

    connector: Literal["webhook"]
    connection: WebhookConnection
    feeds: list[WebhookFeed]


class CsvSystem(_System):
    """A system that exports CSV files."""

    connector: Literal["csv_files"]
    connection: CsvConnection
    feeds: list[FileFeed]


class ParquetSystem(_System):
    """A system whose data is in Parquet files."""

    connector: Literal["parquet"]
    connection: FolderConnection
    feeds: list[FileFeed]


FileSystem = CsvSystem | ParquetSystem
System = Annotated[
    DatabaseSystem
    | DuckdbSystem
    | SqliteSystem
    | RestSystem
    | EventFilesSystem
    | WebhookSystem
    | CsvSystem
    | ParquetSystem,
    Field(discriminator="connector"),
]
CONNECTORS = ("database", "duckdb", "sqlite", "rest", "event_files", "webhook", "csv_files", "parquet")


class Defaults(Strict):
    """What holds for every system that says nothing else."""

    owner: Name


SystemName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


#: names of assets, jobs and folders of the staged area's own
_RESERVED, _RESERVED_STARTS = ("all", "raw"), ("stg_", "quarantine_")


class SourcesFile(Strict):
    """The whole of `sources.yaml`."""

    version: Literal[1]
    defaults: Defaults
    systems: Annotated[dict[SystemName, System], Field(min_length=1)]

    @model_validator(mode="after")
    def _feeds_apart(self) -> "SourcesFile":
        for name, system in self.systems.items():
            if name in _RESERVED or name.startswith(_RESERVED_STARTS):
                raise error_at(
                    f"a system can't be called {name!r}: the staged area has that name itself", "systems", name
                )
            system._name = name
            _check_feeds_apart(name, system.feeds)
        return self


def _check_feeds_apart(system: str, feeds: Iterable[Feed]) -> None:
    seen: dict[str, list[Feed]] = {}
    for feed in feeds:
        others = seen.setdefault(feed.dataset, [])
        if any(other.name == feed.name for other in others):
            raise ValueError(f"{system} has two feeds {feed.name!r} of {feed.dataset}: give one of them another name")
        if others and (feed.is_snapshot or others[0].is_snapshot):
            raise ValueError(
                f"{system} has two feeds of {feed.dataset}, one without updated_at: versions of a key could not be told"
                " apart; make it one feed with a query, or two systems"
            )
        if others and (feed.lands_missing_keys or others[0].lands_missing_keys):
            raise ValueError(
                f"{system} has two feeds of {feed.dataset}, one of which compares keys: those of the other would be"
                " taken for deleted; make it one feed with a query, or two systems"
            )
        if others and "change_feed" in (feed.changes, others[0].changes):
            raise ValueError(
                f"{system} has two feeds of {feed.dataset}, one with change_feed: a truncate of its table would be"
                " taken for the other's, too; make it two systems"
            )
        others.append(feed)
