"""The types of `sources.yaml`, second part: what can be said of a connection, a system and the whole file."""

import difflib
import functools
import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import Field, PrivateAttr, StringConstraints, ValidationError, field_validator, model_validator

from staged_assets.errors import ConfigurationError
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
from staged_assets.sources.needs import BatchWindow, Capabilities, Duration, Requirements
from staged_assets.sources.rest_settings import Auth, Paging
from staged_assets.sources.strict import Name, Strict, nearest

__all__ = [
    "CONNECTORS",
    "CsvConnection",
    "CsvSystem",
    "DatabaseConnection",
    "DatabaseFeed",
    "DatabaseSystem",
    "Defaults",
    "DuckdbFeed",
    "DuckdbSystem",
    "EventFeed",
    "EventFilesConnection",
    "EventFilesSystem",
    "Feed",
    "FileFeed",
    "FileSystem",
    "FolderConnection",
    "Name",
    "ParquetSystem",
    "RestConnection",
    "RestFeed",
    "RestSystem",
    "SourcesFile",
    "SqliteConnection",
    "SqliteFeed",
    "SqliteSystem",
    "Strict",
    "System",
    "WebhookConnection",
    "WebhookFeed",
    "WebhookSystem",
    "nearest",
]

#: strptime directives that a date format may use; each reads text in one way only.
_DIRECTIVES = frozenset("dmYyHMSfbBjpI%")


class SqliteConnection(Strict):
    """A SQLite file, opened read-only."""

    path: Name


#: scheme of a database's URL → what it is called
SCHEMES = {
    "postgresql": "PostgreSQL",
    "postgres": "PostgreSQL",
    "mysql": "MySQL",
    "mariadb": "MariaDB",
    "mssql": "SQL Server",
    "sqlite": "SQLite",
}


class DatabaseConnection(Strict):
    """A database server.

    Attributes:
        url: `postgresql://user:${PASSWORD}@host/database`; likewise `mysql`, `mariadb`, `mssql`, and `sqlite:///path`.
        schema_name: where tables are looked for whose name has no schema; written `schema`.
    """

    url: Name
    schema_name: Name | None = Field(default=None, alias="schema")

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        scheme = url.partition("://")[0]
        if scheme not in SCHEMES and not url.startswith("${"):
            raise ValueError(f"the URL begins with {scheme!r}, {nearest(scheme, SCHEMES)}")
        return url

    @property
    def scheme(self) -> str:
        """The key of `SCHEMES`."""
        return self.url.partition("://")[0]


def database_connection(variable: str, url: str | None, schema: str | None = None) -> DatabaseConnection:
    """A connection to the database whose URL an environment variable holds.

    Raises:
        ConfigurationError: the variable is not set, or holds no database's URL.
    """
    if not url:
        raise ConfigurationError(f"The environment variable {variable} is not set: put the database's URL into it.")
    try:
        return DatabaseConnection.model_validate({"url": url, "schema": schema})
    except ValidationError as error:
        raise ConfigurationError(
            f"The environment variable {variable} holds no URL of a database: one begins with {', '.join(SCHEMES)}."
        ) from error


class DuckdbConnection(Strict):
    """A DuckDB file that another loader fills; it may be the warehouse itself.

    Attributes:
        schema_name: where tables are looked for whose name has no schema; written `schema`.
    """

    path: Name
    schema_name: Name | None = Field(default=None, alias="schema")


class RestConnection(Strict):
    """A REST API.

    Attributes:
        url: what the endpoints' names are appended to.
        headers: sent with each request.
        auth: who asks.
        paging: how lists are asked for.
        since_param: query parameter of the moment since which records must have changed.
        page_size: records asked for at once.
        timeout: seconds for one answer.
        attempts: tries of one request, with growing pauses between them.
    """

    url: Name
    headers: dict[str, str] = {}
    auth: Auth | None = None
    paging: Paging = Paging()
    since_param: Name = "updated_since"
    page_size: Annotated[int, Field(ge=1)] = 1000
    timeout: Annotated[float, Field(gt=0, strict=False)] = 30.0
    attempts: Annotated[int, Field(ge=1)] = 5


def is_address(path: str) -> bool:
    """Whether a path is the address of an object store."""
    return "://" in path


class EventFilesConnection(Strict):
    """A folder of event files, one JSON object in a line, plain, `.gz` or `.zst`.

    Attributes:
        path: of this machine, or the address of an object store such as `s3://bucket/folder`.
        options: for an object store, as fsspec takes them.
    """

    path: Name
    options: dict[str, Any] = {}


class WebhookConnection(Strict):
    """Deliveries over HTTP, received by `staged-assets webhook`.

    Attributes:
        path: the folder that they are written to.
        secret, previous_secret: the key of the signature; two while it is being changed.
        signature_header, signature_prefix, signature_encoding: where an HMAC with SHA-256 stands, and how.
        signed: what it is of: `{timestamp}`, `{body}` and what stands between them.
        timestamp_header: when it was sent: seconds since 1970, or ISO 8601 with an offset; null where nothing says so.
        tolerance: how far that may be from now.
        id_header: names a delivery, which may be sent again; null where nothing does.
        remember: how long an id is known.
        max_bytes: of a delivery.
        rate: deliveries in a second; no limit by default.
    """

    path: Name
    secret: Name
    previous_secret: Name | None = None
    signature_header: Name = "X-Signature"
    signature_prefix: str = ""
    signature_encoding: Literal["hex", "base64"] = "hex"
    signed: Name = "{timestamp}.{body}"
    timestamp_header: Name | None = "X-Timestamp"
    tolerance: Duration = timedelta(minutes=5)
    id_header: Name | None = "X-Delivery-Id"
    remember: Duration = timedelta(days=1)
    max_bytes: Annotated[int, Field(ge=1)] = 1_000_000
    rate: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _signs_what_is_there(self) -> "WebhookConnection":
        if self.signed.count("{body}") != 1:
            raise ValueError("signed must contain {body} once")
        if ("{timestamp}" in self.signed) != (self.timestamp_header is not None):
            raise ValueError(
                "a timestamp must be signed, or anybody could renew it: give both timestamp_header and"
                " {timestamp} in signed, or neither"
            )
        return self


class FolderConnection(Strict):
    """A folder, or the data of an installed Python package.

    Attributes:
        path: the folder, or the address of an object store such as `s3://bucket/folder`.
        options: for an object store, as fsspec takes them.
        package, folder: an importable package, and a folder in it.
    """

    path: Name | None = None
    options: dict[str, Any] = {}
    package: Name | None = None
    folder: str = "."

    @model_validator(mode="after")
    def _one_place(self) -> "FolderConnection":
        if (self.path is None) == (self.package is None):
            raise ValueError("expected either path or package")
        return self


class CsvConnection(FolderConnection):
    """A folder of CSV files (`.csv`, `.csv.gz`), the first line naming the columns.

    Attributes:
        delimiter, quote: one character each.
        encoding: as Python names it.
    """

    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","
    quote: Annotated[str, StringConstraints(min_length=1, max_length=1)] = '"'
    encoding: str = "utf-8"

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str) -> str:
        try:
            "".encode(encoding)
        except LookupError as error:
            raise ValueError("no encoding of that name is known, expected one such as utf-8 or latin-1") from error
        return encoding


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


class SourcesFile(Strict):
    """The whole of `sources.yaml`."""

    version: Literal[1]
    defaults: Defaults
    systems: Annotated[dict[SystemName, System], Field(min_length=1)]

    @model_validator(mode="after")
    def _feeds_apart(self) -> "SourcesFile":
        for name, system in self.systems.items():
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
