"""The types of `sources.yaml`: what can be said of a system, a connection, a feed and a column."""

import difflib
import re
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import available_timezones

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
    field_validator,
    model_validator,
)

from staged_assets.catalogue import DATASETS
from staged_assets.sources.expressions import expression_columns

#: strptime directives that a date format may use; each reads text in one way only.
_DIRECTIVES = frozenset("dmYyHMSfbBjpI%")


def nearest(found: str, valid: Iterable[str]) -> str:
    """`perhaps 'x' is meant` where something is near, else what there is."""
    names = [str(name) for name in valid]
    near = difflib.get_close_matches(found, names, n=1, cutoff=0.5)
    return f"perhaps {near[0]!r} is meant" if near else f"expected one of: {', '.join(names)}"


class Strict(BaseModel):
    """A part of `sources.yaml`: unknown keys are refused, nothing is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if isinstance(data, dict):
            keys = [field.alias or name for name, field in cls.model_fields.items()]
            for key in data:
                if key not in keys and key not in cls.model_fields:
                    raise ValueError(f"{str(key)!r} is not a key that is known here, {nearest(str(key), keys)}")
        return data


def _as_column(data: Any) -> Any:
    return {"source": data} if isinstance(data, str) else data


class Column(Strict):
    """Where a dataset's column comes from: exactly one of the three.

    Attributes:
        source: a source column, taken as it is.
        value: a constant.
        expression: SQL over the source columns, each of them text; beside them `_file` (path below the connection's
            folder, without `.gz`) and `_line` (or row number), for sources that are files. A value it can't compute is
            NULL.
    """

    source: str | None = None
    value: str | None = None
    expression: str | None = None

    @model_validator(mode="after")
    def _one_of_three(self) -> "Column":
        if sum(part is not None for part in (self.source, self.value, self.expression)) != 1:
            raise ValueError("expected a source column's name, {value: …} or {expression: …}")
        if self.expression is not None:
            expression_columns(self.expression)
        return self


ColumnSpec = Annotated[Column, BeforeValidator(_as_column)]
Name = Annotated[str, StringConstraints(min_length=1)]


class DeleteMarker(Strict):
    """A record is a delete when this source column has one of these values (as text, compared exactly)."""

    column: Name
    values: Annotated[list[str], Field(min_length=1)]


class Feed(Strict):
    """Which part of a system feeds a dataset, and how.

    Attributes:
        dataset: one of the fourteen.
        given_name: names the feed's cursor; by default made from `from`.
        source: table, endpoint, stream, or glob of files; written `from`.
        key: source columns which identify a record.
        updated_at: source column that says when a record changed: the change cursor and the source version.
        delete_marker: how a deleted record is told.
        deletes: `by_absence`: a key that is in a full snapshot no more is landed as a delete.
        columns: the dataset's column → where it comes from.
        ignore: source columns that are not to be landed at all (as a delivery's own id).
        owner: instead of the system's.
    """

    #: whether a feed without `updated_at` is a full snapshot at each reading
    always_positioned: ClassVar[bool] = False
    deletes_by_default: ClassVar[str] = "none"

    dataset: str
    given_name: Name | None = Field(default=None, alias="name")
    source: Name | None = Field(default=None, alias="from")
    key: Annotated[list[str], Field(min_length=1)]
    updated_at: Name | None = None
    delete_marker: DeleteMarker | None = None
    deletes: Literal["by_absence", "none"] | None = None
    columns: dict[str, ColumnSpec]
    ignore: list[str] = []
    owner: Name | None = None
    description: str | None = None

    @property
    def name(self) -> str:
        """Names the feed in its system: letters, digits and underscores."""
        return self.given_name or re.sub(r"\W+", "_", self.source or self.dataset).strip("_")

    @property
    def is_snapshot(self) -> bool:
        """Whether each reading brings every record there is, and records have no version of their own."""
        return self.updated_at is None and not self.always_positioned

    @property
    def lands_absence(self) -> bool:
        """Whether a key that vanished from the snapshot is landed as a delete."""
        return self.is_snapshot and (self.deletes or self.deletes_by_default) == "by_absence"

    @field_validator("dataset")
    @classmethod
    def _known_dataset(cls, dataset: str) -> str:
        if dataset not in DATASETS:
            raise ValueError(f"there is no dataset of that name, {nearest(dataset, DATASETS)}")
        return dataset

    @model_validator(mode="after")
    def _columns_of_dataset(self) -> "Feed":
        dataset = DATASETS[self.dataset]
        for column in self.columns:
            if column not in dataset.columns:
                raise ValueError(f"{self.dataset} has no column {column!r}, {nearest(column, dataset.columns)}")
        if dataset.key not in self.columns:
            raise ValueError(f"columns must say where {dataset.key!r} comes from, the key of {self.dataset}")
        if self.deletes == "by_absence" and not self.is_snapshot:
            raise ValueError(
                "deletes: by_absence needs full snapshots, which a feed with a change cursor or appended files is not;"
                " use delete_marker"
            )
        return self


class TableFeed(Feed):
    """A feed from something that can also be queried.

    Attributes:
        query: SQL, instead of `from`.
    """

    query: Name | None = None

    @model_validator(mode="after")
    def _from_or_query(self) -> "TableFeed":
        if (self.source is None) == (self.query is None):
            raise ValueError("expected either from or query")
        return self


class _NamedFeed(Feed):
    @model_validator(mode="after")
    def _has_source(self) -> "_NamedFeed":
        if self.source is None:
            raise ValueError("from is missing")
        return self


class SqliteFeed(TableFeed):
    """A table or view (or `query`) of a SQLite file."""

    deletes_by_default: ClassVar[str] = "by_absence"


class RestFeed(_NamedFeed):
    """An endpoint that lists records page by page.

    Attributes:
        items: dotted path of the list of records in a page.
        record: dotted path of the record within an item; the item's other fields are then named `$.<field>`.
        params: further query parameters.
    """

    items: Name = "items"
    record: Name | None = None
    params: dict[str, str] = {}


class EventFeed(_NamedFeed):
    """A stream of event files: a folder, or a glob, below the connection's path.

    Attributes:
        record: dotted path of the record within an event; the envelope's other fields are then named `$.<field>`.
    """

    always_positioned: ClassVar[bool] = True

    record: Name | None = None


class FileFeed(TableFeed):
    """Files with rows, by glob: appended and new files are landed, each row once. Or `query`, over all the files.

    Attributes:
        snapshot: the files are the whole of what there is, every time, and are written anew.
    """

    snapshot: bool = False

    @property
    def is_snapshot(self) -> bool:
        """A query has no positions: without `updated_at` it is a snapshot."""
        return self.updated_at is None and (self.snapshot or self.query is not None)


class SqliteConnection(Strict):
    """A SQLite file, opened read-only."""

    path: Name


class RestConnection(Strict):
    """A REST API.

    Attributes:
        url: what the endpoints' names are appended to.
        headers: sent with each request.
        page_size: records asked for at once.
        timeout: seconds for one answer.
        attempts: tries of one request, with growing pauses between them.
    """

    url: Name
    headers: dict[str, str] = {}
    page_size: Annotated[int, Field(ge=1)] = 1000
    timeout: Annotated[float, Field(gt=0, strict=False)] = 30.0
    attempts: Annotated[int, Field(ge=1)] = 5


class EventFilesConnection(Strict):
    """A folder of event files, one JSON object in a line, plain or `.gz`."""

    path: Name


class FolderConnection(Strict):
    """A folder, or the data of an installed Python package.

    Attributes:
        path: the folder.
        package, folder: an importable package, and a folder in it.
    """

    path: Name | None = None
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


class _System(Strict):
    """An operational system.

    Attributes:
        time_zone: IANA name; of timestamps without offset.
        country: ISO 3166-1 alpha-2; the region of phone numbers without `+`.
        date_formats: beside ISO 8601, in strptime's notation.
        priority: survivorship between systems, 1 wins.
        owner: instead of the default one.
    """

    description: str = ""
    time_zone: str = "UTC"
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    date_formats: list[str] = []
    decimal_mark: Literal[".", ","] = "."
    priority: Annotated[int, Field(ge=1)] = 1
    owner: Name | None = None

    _name: str = PrivateAttr(default="")

    @property
    def name(self) -> str:
        """Its key under `systems`."""
        return self._name

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone not in available_timezones():
            near = difflib.get_close_matches(zone, available_timezones(), n=1, cutoff=0.5)
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
    SqliteSystem | RestSystem | EventFilesSystem | CsvSystem | ParquetSystem, Field(discriminator="connector")
]
CONNECTORS = ("sqlite", "rest", "event_files", "csv_files", "parquet")


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
        others.append(feed)
