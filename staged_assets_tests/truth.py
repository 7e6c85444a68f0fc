"""What the demo's truth file says of each raw row, and what the product made of it, in the same terms."""

import base64
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

from staged_assets.catalogue import DATASETS
from staged_assets.demo.feeds import RECORD_NO
from staged_assets.demo.generator import TRUTH_FILE
from staged_assets.landing.layout import MALFORMED, UNDECODABLE
from staged_assets.landing.warehouse import connect
from staged_assets.settings import Settings

Violations = tuple[tuple[str, str | None], ...]


class Record(NamedTuple):
    """A source record: how it is found in the truth file and in raw."""

    dataset: str
    system: str
    record_no: str
    updated: str | None


class Judged(NamedTuple):
    """What becomes of it; reasons and defects as sorted (code, column)."""

    disposition: str
    reasons: Violations
    defects: Violations


def expected(demo: Path) -> dict[Record, Judged]:
    """What the truth file says, of every record that gets a raw row."""
    found = {}
    for line in (demo / TRUTH_FILE).read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if not row.get("already_landed"):
            record = Record(row["dataset"], row["system"], row["record_no"], row["source_updated_at"])
            assert record not in found
            found[record] = Judged(row["disposition"], _sorted(row["reasons"]), _sorted(row["defects"]))
    return found


def found(settings: Settings) -> dict[Record, Judged]:
    """What the last refresh made of the rows that it worked on: after a full one, of every raw row."""
    rows = _joined(settings, "base._cell_defects", "join work.base_{dataset} as base using (_raw_row_id)")
    return {record: Judged(disposition, _violations(reasons), _violations(defects))
            for record, disposition, reasons, defects in rows}  # fmt: skip


def found_dispositions(settings: Settings) -> dict[Record, tuple[str, Violations]]:
    """Disposition and reasons of every raw row."""
    return {record: (disposition, _violations(reasons)) for record, disposition, reasons, _ in _joined(settings, "[]")}


def _joined(settings: Settings, column: str, join: str = "") -> list[tuple[Record, str, Any, Any]]:
    """Raw rows with their disposition, reasons, and a column of what is joined to them."""
    joined = []
    with connect(settings, read_only=True) as connection:
        for dataset in DATASETS:
            rows = connection.execute(
                f"""
                select raw._source_system, raw._extra, raw._source_updated_at, dispositions.disposition,
                    dispositions._reject_reasons, {column}
                from raw.{dataset} as raw
                join staged.dispositions_{dataset} as dispositions using (_raw_row_id)
                {join.format(dataset=dataset)}
                """
            ).fetchall()
            for system, extra, updated, *judged in rows:
                joined.append((Record(dataset, system, record_no(extra), updated and updated.isoformat()), *judged))
    assert len({record for record, *_ in joined}) == len(joined)
    return joined


def staged_defects(settings: Settings) -> dict[tuple[str, int], Violations]:
    """(dataset, key) → the cell defects that its staged row has."""
    with connect(settings, read_only=True) as connection:
        return {
            (dataset, key): _violations(defects)
            for dataset in DATASETS
            for key, defects in connection.execute(
                f"select {DATASETS[dataset].key}, _cell_defects from staged.stg_{dataset}"
            ).fetchall()
        }


def expected_staged_defects(demo: Path) -> dict[tuple[str, int], Violations]:
    """The same, from the truth file: of a key that several systems hold, those of all that are staged."""
    defects: dict[tuple[str, int], list[Any]] = defaultdict(list)
    for line in (demo / TRUTH_FILE).read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["disposition"] == "staged":
            defects[row["dataset"], row["key"]] += row["defects"]
    return {place: _sorted(found) for place, found in defects.items()}


def record_no(extra: str) -> str:
    """The record's number, from what was landed of it beside its columns; also where it is malformed."""
    fields = json.loads(extra)
    if RECORD_NO in fields:
        return str(fields[RECORD_NO])
    text = fields.get(MALFORMED) or base64.b64decode(fields[UNDECODABLE]).decode("latin-1")
    written = re.search(r"[a-z_]+-\d+-[A-Z]\d*", text)
    assert written, text
    return written.group()


def _violations(entries: list[dict[str, Any]]) -> Violations:
    return _sorted((entry["code"], entry["column"]) for entry in entries)


def _sorted(entries: Any) -> Violations:
    return tuple(sorted(((code, column) for code, column in entries), key=lambda one: (one[0], one[1] or "")))
