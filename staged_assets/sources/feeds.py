"""The types of `sources.yaml`, first part: what can be said of a feed and of its columns."""

import re
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from staged_assets.catalogue import DATASETS
from staged_assets.sources.change_feed import COMMITTED_AT, DELETED, OPERATION, ChangeFeed
from staged_assets.sources.expressions import expression_columns
from staged_assets.sources.needs import Changes, Duration, Requirements
from staged_assets.sources.strict import Name, Strict, error_at, nearest


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


ColumnSpec = Annotated[Column, BeforeValidator(_as_column, json_schema_input_type=str | Column)]


class DeleteMarker(Strict):
    """A record is a delete when this source column has one of these values (as text, compared exactly)."""

    column: Name
    values: Annotated[list[str], Field(min_length=1)]


def _columns_schema(dataset: str) -> dict[str, Any]:
    """JSON schema: the columns that a feed of the dataset can map."""
    columns = {"propertyNames": {"enum": list(DATASETS[dataset].columns)}, "required": [DATASETS[dataset].key]}
    return {
        "if": {"properties": {"dataset": {"const": dataset}}},
        "then": {"properties": {"columns": columns}},
    }


class Feed(Strict):
    """Which part of a system feeds a dataset, and how.

    Attributes:
        dataset: one of the fourteen.
        given_name: names the feed's cursor; by default made from `from`.
        source: table, endpoint, stream, or glob of files; written `from`.
        key: source columns which identify a record.
        updated_at: source column that says when a record changed: the change cursor and the source version.
        delete_marker: how a deleted record is told.
        deletes: `by_absence`: a key that is in a full snapshot no more is landed as a delete. `by_key_comparison`:
            so is one that the source has no more when, now and then, all its keys are read beside the changes.
        compare_keys_every: how long after one comparison of keys the next one is due.
        columns: the dataset's column → where it comes from.
        ignore: source columns that are not to be landed at all (as a delivery's own id).
        requirements: instead of the system's.
        owner: instead of the system's.
    """

    #: whether a feed without `updated_at` is a full snapshot at each reading
    always_positioned: ClassVar[bool] = False
    deletes_by_default: ClassVar[str] = "none"
    #: whether all keys that there are can be read alone
    compares_keys: ClassVar[bool] = False

    dataset: Annotated[str, Field(json_schema_extra={"enum": list(DATASETS)})]
    given_name: Name | None = Field(default=None, alias="name")
    source: Name | None = Field(default=None, alias="from")
    key: Annotated[list[str], Field(min_length=1)]
    updated_at: Name | None = None
    delete_marker: DeleteMarker | None = None
    deletes: Literal["by_absence", "by_key_comparison", "none"] | None = None
    compare_keys_every: Duration = timedelta(days=1)
    columns: dict[str, ColumnSpec]
    ignore: list[str] = []
    requirements: Requirements = Requirements()
    owner: Name | None = None
    description: str | None = None

    model_config = ConfigDict(json_schema_extra={"allOf": [_columns_schema(name) for name in DATASETS]})

    @property
    def name(self) -> str:
        """Names the feed in its system: letters, digits and underscores."""
        return self.given_name or re.sub(r"\W+", "_", self.source or self.dataset).strip("_")

    @property
    def version_column(self) -> str | None:
        """The column of its records that says when one changed."""
        return self.updated_at

    @property
    def versions_are_places(self) -> bool:
        """Whether what tells a record's versions apart is where they stand, though they say when they changed."""
        return False

    @property
    def delete_markers(self) -> tuple[DeleteMarker, ...]:
        """How a deleted record is told: by any of these."""
        return (self.delete_marker,) if self.delete_marker is not None else ()

    @property
    def is_snapshot(self) -> bool:
        """Whether each reading brings every record there is, and records have no version of their own."""
        return self.updated_at is None and not self.always_positioned

    @property
    def changes(self) -> Changes:
        """How the feed shows what changed."""
        if self.is_snapshot:
            return "snapshot"
        return "events" if self.updated_at is None or self.always_positioned else "change_cursor"

    @property
    def shows_deletes(self) -> bool:
        """Whether a record that was deleted in the source is landed as a delete."""
        return bool(self.delete_markers) or self.lands_absence or self.lands_missing_keys

    @property
    def lands_missing_keys(self) -> bool:
        """Whether the source's keys are compared with those that have landed."""
        return self.deletes == "by_key_comparison"

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The source columns from which the dataset's key is made."""
        made_from = self.columns[DATASETS[self.dataset].key]
        if made_from.source is not None:
            return (made_from.source,)
        return expression_columns(made_from.expression) if made_from.expression is not None else ()

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
                reason = f"{self.dataset} has no column {column!r}, {nearest(column, dataset.columns)}"
                raise error_at(reason, "columns", column)
        if dataset.key not in self.columns:
            reason = f"columns must say where {dataset.key!r} comes from, the key of {self.dataset}"
            raise error_at(reason, "columns")
        if self.deletes == "by_absence" and not self.is_snapshot:
            raise ValueError(
                "deletes: by_absence needs full snapshots, which a feed with a change cursor or appended files is not;"
                " use delete_marker"
            )
        if self.lands_missing_keys and (self.is_snapshot or not self.compares_keys):
            raise ValueError(
                "deletes: by_key_comparison needs a table with updated_at; without it by_absence does the same"
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
    compares_keys: ClassVar[bool] = True


class DuckdbFeed(TableFeed):
    """A table or view (or `query`) of a DuckDB file.

    Attributes:
        overlap: how far before the newest change seen the next reading starts, for records that were committed later
            than their change time says: a duration, or (where `updated_at` is a number) a number; by default 5 minutes
            or 1,000.
    """

    deletes_by_default: ClassVar[str] = "by_absence"
    compares_keys: ClassVar[bool] = True

    overlap: Duration | Annotated[int, Field(ge=0)] | None = None


class DatabaseFeed(DuckdbFeed):
    """A table or view (or `query`) of a database server.

    Attributes:
        change_feed: take the table's changes from the server's log instead of asking for them; of PostgreSQL alone.
    """

    change_feed: ChangeFeed | None = None

    @property
    def is_snapshot(self) -> bool:
        """A change feed brings what changed."""
        return self.change_feed is None and super().is_snapshot

    @property
    def changes(self) -> Changes:
        """How the feed shows what changed."""
        return "change_feed" if self.change_feed is not None else super().changes

    @property
    def version_column(self) -> str | None:
        """Of a change feed the time of the commit, which is the order of a record's versions."""
        return COMMITTED_AT if self.change_feed is not None else self.updated_at

    @property
    def versions_are_places(self) -> bool:
        """One transaction can change a record several times."""
        return self.change_feed is not None

    @property
    def delete_markers(self) -> tuple[DeleteMarker, ...]:
        """A change feed has one of its own."""
        own = (DeleteMarker(column=OPERATION, values=[DELETED]),) if self.change_feed is not None else ()
        return (*super().delete_markers, *own)

    @model_validator(mode="after")
    def _change_feed_alone(self) -> "DatabaseFeed":
        if self.change_feed is None:
            return self
        for key, value in (("updated_at", self.updated_at), ("query", self.query), ("deletes", self.deletes)):
            if value is not None:
                raise error_at(f"a feed with change_feed has no {key}: the server's log says all changes", key)
        expressions = [column.expression for column in self.columns.values() if column.expression is not None]
        asked = {name for text in expressions for name in expression_columns(text)} & set(self.ignore)
        if asked:
            reason = (
                f"{min(asked)!r} is used in an expression: with change_feed it must be landed, since a change"
                " that leaves a large value as it was does not say it"
            )
            raise error_at(reason, "ignore")
        return self


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


class WebhookFeed(EventFeed):
    """Deliveries to `/<system>/<from>`; `record` is the dotted path of the record within a delivery's body."""

    @field_validator("source")
    @classmethod
    def _plain_stream(cls, source: str) -> str:
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", source):
            raise ValueError("it is part of an address: expected small letters, digits, '-' and '_'")
        return source


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
