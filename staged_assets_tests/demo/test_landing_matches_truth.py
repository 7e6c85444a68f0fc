"""The whole demo, landed: raw holds exactly the rows that the truth file names."""

import base64
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from staged_assets.catalogue import DATASETS
from staged_assets.demo.activity import advance
from staged_assets.demo.feeds import RECORD_NO, SOURCES
from staged_assets.demo.generator import TRUTH_FILE
from staged_assets.demo.systems import running
from staged_assets.landing.land import Landed, land_feed
from staged_assets.landing.layout import MALFORMED, UNDECODABLE
from staged_assets.landing.raw_area import prepare
from staged_assets.sources.config import load_sources

Rows = Counter[tuple[str, ...]]


@contextmanager
def _warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        prepare(connection)
        yield connection


def _land(connection: duckdb.DuckDBPyConnection, demo: Path) -> list[Landed]:
    with running(demo):
        sources = load_sources(SOURCES)
        return [
            land_feed(connection, sources, system, feed)
            for dataset in DATASETS
            for system, feed in sources.feeds_of(dataset)
        ]


def _expected(demo: Path) -> Rows:
    """(dataset, system, record number, source version, operation) of each raw row, from the truth file."""
    rows: Rows = Counter()
    for line in (demo / TRUTH_FILE).read_text().splitlines():
        row = json.loads(line)
        if not row.get("already_landed"):
            version = row["source_updated_at"] or ""
            rows[row["dataset"], row["system"], row["record_no"], version, row["operation"]] += 1
    return rows


def _raw(connection: duckdb.DuckDBPyConnection) -> Rows:
    """The same, from the raw area."""
    rows: Rows = Counter()
    for dataset in DATASETS:
        found = connection.execute(
            f"select _source_system, _extra, _source_updated_at, _operation from raw.{dataset}"
        ).fetchall()
        for system, extra, updated, operation in found:
            rows[dataset, system, _record_no(extra), updated.isoformat() if updated else "", operation] += 1
    return rows


def _record_no(extra: str) -> str:
    fields = json.loads(extra)
    if RECORD_NO in fields:
        return str(fields[RECORD_NO])
    text = fields.get(MALFORMED) or base64.b64decode(fields[UNDECODABLE]).decode("latin-1")
    found = re.search(r"[a-z_]+-\d+-[A-Z]\d*", text)
    assert found, text
    return found.group()


def test_raw_holds_what_the_truth_file_names(demo: Path) -> None:
    with _warehouse() as warehouse:
        _land(warehouse, demo)
        assert _raw(warehouse) == _expected(demo)


def test_landing_again_lands_nothing(demo: Path) -> None:
    with _warehouse() as warehouse:
        _land(warehouse, demo)
        assert [landed.feed for landed in _land(warehouse, demo) if landed.landed] == []


@pytest.mark.parametrize("parts", [1, 3])
def test_later_activity_lands_in_whatever_parts(parts: int, demo: Path, tmp_path: Path) -> None:
    systems = tmp_path / "systems"
    shutil.copytree(demo, systems)
    with _warehouse() as warehouse:
        for _ in range(2):
            if parts > 1:
                _land(warehouse, systems)
            advance(systems, changes=150)
        _land(warehouse, systems)
        assert _raw(warehouse) == _expected(systems)
