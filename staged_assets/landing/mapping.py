"""From source columns to a dataset's columns: one select over a batch, run in the engine.

What is mapped by name goes to its column. Everything else stays, as text, in `_extra`: a JSON object with the fields
in the order of their names, without those that are NULL. A column that is only used in an expression is kept there,
too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from staged_assets.catalogue import DATASETS, Dataset
from staged_assets.landing.layout import DELETE, MALFORMED, UNDECODABLE, UPSERT
from staged_assets.sources.expressions import POSITION, expression_columns, literal, quoted, scalar
from staged_assets.sources.models import Feed, System

#: the batch as the engine sees it: source columns by position, so that no name of theirs matters
BATCH = "landing_batch"
ORDINAL, FILE, LINE, BAD_TEXT, BAD_BYTES = "b_ordinal", "b_file", "b_line", "b_malformed", "b_undecodable"

_ISO_LOCAL = r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?"
_ISO_OFFSET = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)"
_TIMES = ("", " %H:%M:%S", " %H:%M")


def position_name(index: int) -> str:
    """The source column at a position of the batch."""
    return f"b{index}"


def content_sql(dataset: Dataset) -> str:
    """The fingerprint of a row's content: of the JSON list of its business columns and `_extra`.

    It is part of every raw row id. A column that the layout gains must change it only where that column is not NULL, or
    all that is read once more lands once more.
    """
    return f"md5(to_json([{', '.join(map(quoted, (*dataset.columns, '_extra')))}])::varchar)"


@dataclass(frozen=True)
class FeedMapping:
    """How a feed's records become rows of its dataset."""

    system: System
    feed: Feed

    @cached_property
    def dataset(self) -> Dataset:
        """The dataset that is fed."""
        return DATASETS[self.feed.dataset]

    def select(self, columns: Sequence[str]) -> str:
        """The select over a batch with these source columns.

        Its columns: `_ordinal`, the dataset's, `_extra`, `_source_updated_at`, `_operation`, `_version` (text; NULL
        where the record has no version of its own), `_is_malformed`.
        """
        given = {name: quoted(position_name(index)) for index, name in enumerate(columns)}
        business = ",\n  ".join(f"{self._value(name, given)} as {quoted(name)}" for name in self.dataset.columns)
        return f"""
select
  {ORDINAL} as _ordinal,
  {business},
  case
    when {BAD_BYTES} is not null then {_object([(UNDECODABLE, f"to_base64({BAD_BYTES})")])}
    when {BAD_TEXT} is not null then {_object([(MALFORMED, BAD_TEXT)])}
    else {_object(self._extra(given))}
  end as _extra,
  _source_updated_at,
  {self._operation(given)} as _operation,
  {self._version(given)} as _version,
  _is_malformed
from (
  select
    *,
    {self._updated_at(given)} as _source_updated_at,
    {BAD_TEXT} is not null or {BAD_BYTES} is not null as _is_malformed{self._named(columns)}
  from {BATCH}
)"""

    def landed_as(self, column: str) -> str | None:
        """SQL, over a row of raw, of what a source column was; None where raw does not hold it."""
        for target, mapped in self.feed.columns.items():
            if mapped.source == column:
                return quoted(target)
        if column in self.feed.ignore or column in (marker.column for marker in self.feed.delete_markers):
            return None
        pointer = _extra_name(column).replace("~", "~0").replace("/", "~1")
        return f"json_extract_string(_extra, {literal('/' + pointer)})"

    def _value(self, target: str, given: dict[str, str]) -> str:
        column = self.feed.columns.get(target)
        if column is None:
            return "null::varchar"
        if column.source is not None:
            return given.get(column.source, "null::varchar")
        made = literal(column.value) if column.value is not None else scalar(str(column.expression))
        return f"case when not _is_malformed then {made} end"

    def _named(self, columns: Sequence[str]) -> str:
        """The columns that expressions name, under those names; one that the batch has not is NULL."""
        found = {}
        for name in self._referenced:
            found[name.lower()] = f"{self._given_as(name, columns)} as {quoted(name)}"
        return "".join(f",\n    {part}" for part in found.values())

    @cached_property
    def _referenced(self) -> tuple[str, ...]:
        expressions = (column.expression for column in self.feed.columns.values())
        return tuple(name for text in expressions if text is not None for name in expression_columns(text))

    @staticmethod
    def _given_as(name: str, columns: Sequence[str]) -> str:
        if name in columns:
            return quoted(position_name(columns.index(name)))
        if name.lower() in POSITION:
            return {"_file": FILE, "_line": LINE}[name.lower()]
        same = [index for index, column in enumerate(columns) if column.lower() == name.lower()]
        return quoted(position_name(same[0])) if same else "null::varchar"

    def _extra(self, given: dict[str, str]) -> Iterable[tuple[str, str]]:
        used = {column.source for column in self.feed.columns.values()} | set(self.feed.ignore)
        used |= {marker.column for marker in self.feed.delete_markers}
        for name in sorted(given):
            if name == self.feed.version_column:
                # The change time is kept where it could not be read.
                yield _extra_name(name), f"case when _source_updated_at is null then {given[name]} end"
            elif name not in used:
                yield _extra_name(name), given[name]

    def _updated_at(self, given: dict[str, str]) -> str:
        column = self.feed.version_column
        if column not in given:
            return "null::timestamp"
        return timestamp_sql(given[column], self.system.time_zone, self.system.date_formats)

    def _operation(self, given: dict[str, str]) -> str:
        conditions = [
            f"{given[marker.column]} in ({', '.join(map(literal, marker.values))})"
            for marker in self.feed.delete_markers
            if marker.column in given
        ]
        if not conditions:
            return literal(UPSERT)
        return f"case when {' or '.join(conditions)} then {literal(DELETE)} else {literal(UPSERT)} end"

    def _version(self, given: dict[str, str]) -> str:
        if self.feed.is_snapshot:
            return "null::varchar"
        position = position_version_sql(FILE, LINE)
        column = self.feed.version_column
        if column not in given or self.feed.versions_are_places:
            return position
        return f"coalesce({_version_sql(given[column])}, {position})"


def position_version_sql(file: str, line: str) -> str:
    """A version by where a record stands; of SQL for both."""
    return f"'in=' || strlen({file}) || ':' || {file} || ';' || {line}"


def timestamp_sql(text: str, time_zone: str, date_formats: Sequence[str]) -> str:
    """A text as a UTC timestamp: ISO 8601 with or without offset, or one of the formats; else NULL."""
    zone = literal(time_zone)
    bare = f"trim({text})"
    # The engine reads an offset only right behind the seconds.
    joined = f"regexp_replace(regexp_replace({bare}, ' ([Z+-])', '\\1'), '([T ]..:..)([Z+-])', '\\1:00\\2')"
    cases = [
        # The most usual ways of writing need no pattern, and have no blanks around them.
        f"when right({text}, 1) = 'Z' and strlen({text}) = 20 and {text} >= '0'"
        f" then timezone('UTC', try_cast({text} as timestamptz))",
        f"when right({text}, 3) = '+00' and strlen({text}) between 22 and 29 and substr({text}, 5, 1) = '-'"
        f" and substr({text}, 8, 1) = '-' and {text} >= '0' then timezone('UTC', try_cast({text} as timestamptz))",
        f"when regexp_full_match({bare}, {literal(_ISO_LOCAL)})"
        f" then {_from_zone(f'try_cast({bare} as timestamp)', zone)}",
        f"when regexp_full_match({joined}, {literal(_ISO_OFFSET)})"
        f" then timezone('UTC', try_cast({joined} as timestamptz))",
    ]
    if date_formats:
        formats = ", ".join(literal(written + time) for written in date_formats for time in _TIMES)
        # Without the digit the engine would read `infinity`, whatever the format.
        moment = f"try_strptime({bare}, [{formats}])"
        cases.append(f"when regexp_matches({bare}, '[0-9]') then {_from_zone(moment, zone)}")
    return f"case {' '.join(cases)} end"


def _from_zone(local: str, zone: str) -> str:
    return f"timezone('UTC', timezone({zone}, {local}))"


def _version_sql(written: str) -> str:
    """A version by change time: as written, and as read in the system's time zone; NULL where there is none."""
    return f"'at=' || strlen({written}) || ':' || {written} || ';' || coalesce(_source_updated_at::varchar, '')"


def _extra_name(column: str) -> str:
    """A source column's key in `_extra`; never one of those that mark a malformed record."""
    return f"source.{column}" if column in (MALFORMED, UNDECODABLE) else column


def _object(fields: Iterable[tuple[str, str]]) -> str:
    """A JSON object of those fields that are not NULL; NULL where all are."""
    parts = [
        f"coalesce(',' || to_json({literal(name)})::varchar || ':' || to_json({value})::varchar, '')"
        for name, value in fields
    ]
    if not parts:
        return "null::varchar"
    return f"nullif('{{' || substr({' || '.join(parts)}, 2) || '}}', '{{}}')"


def hand_made_select(dataset: str, columns: Sequence[str]) -> str:
    """The select over a batch whose columns are the dataset's own, `_extra`, `_operation` and `_source_updated_at`."""
    given = {name: quoted(position_name(index)) for index, name in enumerate(columns)}

    def value(name: str) -> str:
        return given.get(name, "null::varchar")

    business = ", ".join(f"{value(name)} as {quoted(name)}" for name in DATASETS[dataset].columns)
    written = value("_source_updated_at")
    moment = timestamp_sql(written, "UTC", ())
    return f"""
select {ORDINAL} as _ordinal, {business}, {value("_extra")} as _extra, _source_updated_at,
  coalesce({value("_operation")}, '{UPSERT}') as _operation, {_version_sql(written)} as _version,
  json_exists({value("_extra")}, '$.{MALFORMED}') or json_exists({value("_extra")}, '$.{UNDECODABLE}') as _is_malformed
from (select *, {moment} as _source_updated_at from {BATCH})"""
