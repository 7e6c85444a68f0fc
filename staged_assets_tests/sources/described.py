"""Sources described in a test, and what their connectors yield."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from staged_assets.errors import SourceError
from staged_assets.sources.batch import Batch, Cursor
from staged_assets.sources.config import Sources, load_sources
from staged_assets.sources.connectors import read


def described(
    folder: Path,
    connector: str,
    connection: dict[str, Any],
    *feeds: dict[str, Any],
    environ: Mapping[str, str] = os.environ,
    **system: Any,
) -> Sources:
    """A `sources.yaml` in the folder with one system, `shop`."""
    content = {
        "version": 1,
        "defaults": {"owner": "owner@example.com"},
        "systems": {
            "shop": {"connector": connector, "connection": connection, "feeds": [_feed(f) for f in feeds], **system}
        },
    }
    path = folder / "sources.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True))
    return load_sources(path, environ)


def _feed(given: dict[str, Any]) -> dict[str, Any]:
    """A feed of touchpoints from columns `id`, `name` and `text`, unless it says otherwise."""
    columns = {"touchpoint_id": "id", "touchpoint_name": "name", "description": "text"}
    return {"dataset": "touchpoints", "key": ["id"], "columns": columns, **given}


def batches(sources: Sources, cursor: Cursor | None = None) -> list[Batch]:
    """All that the first feed yields."""
    return list(read(*sources.resolve_feed("shop", sources.systems["shop"].feeds[0]), cursor))


def until_error(sources: Sources) -> tuple[list[Batch], str]:
    """What the first feed yields before it fails, and what the error says."""
    found: list[Batch] = []
    try:
        for batch in read(*sources.resolve_feed("shop", sources.systems["shop"].feeds[0]), None):
            found.append(batch)
    except SourceError as error:
        return found, str(error)
    raise AssertionError("nothing failed")


def last_cursor(found: Iterable[Batch]) -> Cursor | None:
    """The cursor that is stored after these batches."""
    return next((batch.cursor for batch in reversed(list(found)) if batch.cursor is not None), None)


def records(found: Iterable[Batch]) -> list[Any]:
    """Each record as a dict of its fields that are not NULL; one of the wrong shape as its text or bytes."""
    rows: list[Any] = []
    for batch in found:
        texts = batch.malformed.to_pylist() if batch.malformed is not None else [None] * len(batch)
        contents = batch.undecodable.to_pylist() if batch.undecodable is not None else [None] * len(batch)
        fields = batch.records.to_pylist() if batch.records.num_columns else [{}] * len(batch)
        for record, text, content in zip(fields, texts, contents, strict=True):
            present = {name: value for name, value in record.items() if value is not None}
            rows.append(next((bad for bad in (text, content) if bad is not None), present))
    return rows


def problems(found: Iterable[Batch]) -> list[str]:
    """What the batches say a person should know."""
    return [problem for batch in found for problem in batch.problems]
