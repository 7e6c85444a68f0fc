"""`status`: where every raw row is, for people and for machines."""

from datetime import datetime
from pathlib import Path

from staged_assets.catalogue import DATASETS
from staged_assets.landing.land import land_rows
from staged_assets.landing.warehouse import connect
from staged_assets_tests.command_line import CommandLine

PLACES = ("staged", "rejected", "superseded", "duplicate", "deleted", "pending")


def test_json_says_where_every_raw_row_is(homes: Path) -> None:
    command = CommandLine(homes / "after")
    found = command.run("status", "--json").expect_success().json
    assert found.keys() == {"warehouse", "datasets"}
    assert found["warehouse"] == str(command.settings.warehouse_path)
    assert list(found["datasets"]) == list(DATASETS)
    for entry in found["datasets"].values():
        assert all(type(entry[name]) is int for name in ("landed", *PLACES))
        assert entry["landed"] == sum(entry[name] for name in PLACES) > 0
        assert entry["pending"] == 0
        assert entry["last_refresh"].endswith("Z")
        datetime.fromisoformat(entry["last_refresh"])
        assert entry["checks"]
        assert set(entry["checks"].values()) <= {"passed", "warned"}


def test_what_has_landed_and_is_not_refreshed_is_pending(command: CommandLine) -> None:
    before = command.run("status", "--json").json["datasets"]["sales"]
    with connect(command.settings) as connection:
        land_rows(connection, "ecommerce", "sales", [{"sale_id": "77777777", "sale_date": "2026-01-01"}])
    after = command.run("status", "--json").json["datasets"]["sales"]
    assert (after["landed"], after["pending"]) == (before["landed"] + 1, 1)
    assert {name: after[name] for name in PLACES[:-1]} == {name: before[name] for name in PLACES[:-1]}


def test_there_is_a_status_before_there_is_anything(shared_home: Path, tmp_path: Path) -> None:
    found = CommandLine(tmp_path).run("status", "--json").expect_success().json["datasets"]
    assert list(found) == list(DATASETS)
    for entry in found.values():
        assert {entry[name] for name in ("landed", *PLACES)} == {0}
        assert (entry["last_refresh"], entry["checks"]) == (None, {})


def test_a_person_sees_a_line_for_each_dataset(homes: Path) -> None:
    printed = CommandLine(homes / "after").run("status").expect_success().out
    for name in DATASETS:
        assert any(line.split()[:1] == [name] for line in printed.splitlines())
