"""The reference: where each raw row must end, by the rules of the staged datasets and what was planted.

It shares no code with the landing or with the staging models. The truth file has a line of JSON for each record sent:
`dataset`, `system`, `record_no` (in the raw row's `_extra`, or in the text of a malformed record) and
`source_updated_at` (naive UTC) name the raw row; `disposition`, `reasons` and `defects` (lists of [code, column]) say
what becomes of it; `key` is the entity (null where the record's key can't be read), `operation` as in raw, `kinds` what
was planted. `already_landed` marks a record that the landing must know already: it has no raw row of its own.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Violation = tuple[str, str | None]  # (code, column)

#: Columns whose violation rejects the row; that of any other only nulls the cell.
REQUIRED = {
    dataset: frozenset(columns.split())
    for dataset, columns in {
        "audience_segments": "audience_segment_id segment_name",
        "consumers": "consumer_id",
        "interactions": "interaction_id consumer_id touchpoint_id interaction_date",
        "inventory": "inventory_id item_id",
        "items": "item_id",
        "location_dimension": "location_id",
        "loyalty_activities": "loyalty_activity_id consumer_id activity_date",
        "media_channels": "media_channel_id",
        "offers": "offer_id offer_name valid_from valid_to",
        "orders": "order_id item_id order_date",
        "sales": "sale_id sale_date",
        "shops": "shop_id",
        "suppliers": "supplier_id supplier_name",
        "touchpoints": "touchpoint_id",
    }.items()
}
#: Each source system has its own versions of a key: they are merged by field, not ranked against each other.
CONSOLIDATED = frozenset({"consumers", "shops", "suppliers"})

_ENCODE = json.JSONEncoder(separators=(",", ":")).encode

DELETE, UPSERT = "delete", "upsert"


@dataclass(slots=True)
class Row:
    """One record as it was sent, and what becomes of it.

    Attributes:
        key: the entity's number, however the record writes it; None where the record has no readable key.
        updated: source version as naive UTC, ISO 8601; None where there is none.
        violations: what was planted in this record.
        kinds: the kinds of dirt and the history it belongs to.
        disposition: staged, rejected, superseded, duplicate or deleted; empty until judged.
        already_landed: the same source version was sent before: no raw row of its own.
    """

    dataset: str
    system: str
    record_no: str
    key: int | None
    updated: str | None
    operation: str
    violations: Sequence[Violation] = ()
    kinds: Sequence[str] = ()
    disposition: str = ""
    already_landed: bool = False
    reasons: Sequence[Violation] = ()
    defects: Sequence[Violation] = ()

    def as_truth(self) -> str:
        """The line of the truth file."""
        # Put together by hand: encoding the whole was a tenth of the time of the generator.
        return (
            f'{{"dataset":"{self.dataset}","system":"{self.system}","record_no":"{self.record_no}",'
            f'"source_updated_at":{_json(self.updated)},"disposition":"{self.disposition}",'
            f'"reasons":{_json(self.reasons)},"defects":{_json(self.defects)},"key":{_json(self.key)},'
            f'"operation":"{self.operation}","kinds":{_json(self.kinds)}'
            + (',"already_landed":true}' if self.already_landed else "}")
        )

    @classmethod
    def from_truth(cls, line: str) -> "Row":
        """The row of a line, judged as it says."""
        truth = json.loads(line)
        return cls(
            dataset=truth["dataset"],
            system=truth["system"],
            record_no=truth["record_no"],
            key=truth["key"],
            updated=truth["source_updated_at"],
            operation=truth["operation"],
            violations=[(code, column) for code, column in truth["reasons"] + truth["defects"]],
            kinds=truth["kinds"],
            disposition=truth["disposition"],
            already_landed=truth.get("already_landed", False),
            reasons=truth["reasons"],
            defects=truth["defects"],
        )


def _json(value: Sequence[Any] | int | None) -> str:
    if not value:
        return "null" if value is None else "[]"
    return str(value) if isinstance(value, int) else _ENCODE(value)


Chain = tuple[str, int | None, str | None]


def chain(row: Row) -> Chain:
    """Rows with the same chain are versions of one thing."""
    return row.dataset, row.key, row.system if row.dataset in CONSOLIDATED else None


def key_text(line: str) -> str:
    """The key in a line of the truth file, without parsing all of it."""
    start = line.rindex('"key":') + 6
    return line[start : line.index(",", start)]


def judge(rows: Iterable[Row], key: str) -> None:
    """Set the dispositions, reasons and defects of all rows of one chain, given in the order in which they land.

    Args:
        rows: every row of the chain.
        key: name of the key column: a delete marker needs only that.
    """
    rows = list(rows)
    for row in rows:
        row.already_landed = False
        _split_violations(row, key)
    if len(rows) == 1:
        only = rows[0]
        only.disposition = only.disposition or ("deleted" if only.operation == DELETE else "staged")
        return
    landed = list(_landed(rows))
    sound = [row for row in landed if not row.reasons]
    _rank(sorted(sound, key=lambda row: (row.updated is not None, row.updated or "")))


def _split_violations(row: Row, key: str) -> None:
    row.reasons = row.defects = ()
    row.disposition = ""
    if not row.violations:
        return
    counted = [each for each in row.violations if row.operation != DELETE or each[1] in (key, None)]
    rejecting = REQUIRED[row.dataset] | {None}
    row.reasons = [each for each in counted if each[1] in rejecting]
    row.defects = [each for each in counted if each[1] not in rejecting]
    row.disposition = "rejected" if row.reasons else ""


def _landed(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows that get a raw row: the first of each source version."""
    first: dict[tuple[str, str | None], Row] = {}
    for row in rows:
        earlier = first.setdefault((row.record_no, row.updated), row)
        if earlier is row:
            yield row
        else:
            row.already_landed = True
            row.disposition = "rejected" if row.reasons else "duplicate"


def _rank(ordered: list[Row]) -> None:
    kept: list[Row] = []
    for before, row in zip([None, *ordered], ordered, strict=False):
        if before and before.operation == row.operation == UPSERT and before.record_no == row.record_no:
            row.disposition = "duplicate"
        else:
            kept.append(row)
    for row, after in zip(kept, [*kept[1:], None], strict=False):
        if row.operation == DELETE or (after and after.operation == DELETE):
            row.disposition = "deleted"
        else:
            row.disposition = "superseded" if after else "staged"
