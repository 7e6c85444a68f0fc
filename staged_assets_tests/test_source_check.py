"""`staged-assets sources check`: what would be landed, what is missing or odd, without landing it."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from staged_assets.catalogue import DATASETS
from staged_assets.cli import app
from staged_assets.demo.generator import generate
from staged_assets.demo.systems import running
from staged_assets.settings import DEMO_SOURCES
from staged_assets.source_check import FeedCheck, check_sources
from staged_assets.sources.config import Sources, load_sources
from staged_assets.staging.rules import column_rules


def _sources(folder: Path, rows: list[tuple[Any, ...]] = (), **feed: Any) -> Sources:
    """A system with customers: no, name, mail, born, changed."""
    with sqlite3.connect(folder / "shop.db") as connection:
        connection.execute("create table customer (no, name, mail, born, changed)")
        connection.executemany("insert into customer values (?, ?, ?, ?, ?)", rows)
    connection.close()
    columns = {"consumer_id": "no", "consumer_name": "name", "consumer_email": "mail", "date_of_birth": "born"}
    said = {"dataset": "consumers", "from": "customer", "key": ["no"], "columns": columns, **feed}
    system = {"connector": "sqlite", "connection": {"path": "shop.db"}, "feeds": [said]}
    content = {"version": 1, "defaults": {"owner": "o@example.com"}, "systems": {"shop": system}}
    (folder / "sources.yaml").write_text(yaml.safe_dump(content))
    return load_sources(folder / "sources.yaml", {})


def _check(sources: Sources) -> FeedCheck:
    (found,) = check_sources(sources)
    return found


def test_a_sample_is_shown_with_personal_data_masked(tmp_path: Path) -> None:
    found = _check(_sources(tmp_path, [(7, "Ada", "ada@example.com", "1990-05-01", "2024-05-01")]))
    assert found.is_good
    assert found.sample == [
        {
            "consumer_id": "7",
            "consumer_name": "text of 3 characters",
            "consumer_email": "text of 15 characters",
            "date_of_birth": "text of 10 characters",
        }
    ]
    assert (found.records, found.columns) == (1, ["no", "name", "mail", "born", "changed"])
    assert found.to_extra == ["changed"]
    assert found.unmapped == ["consumer_city", "phone_number", "address", "loyalty_points", "country"]
    assert found.surprises == []


def test_values_that_are_not_of_a_columns_kind_are_named_and_masked(tmp_path: Path) -> None:
    rows = [
        (1, "Ada", "ada@example.com", "1990-05-01", "yesterday"),
        ("C2", "Bo", "bo", "1.5.1990", "2024-05-01"),
        (3, "Cy", "N/A", "", "2024-05-01"),
    ]
    found = _check(_sources(tmp_path, rows, updated_at="changed"))
    assert found.surprises == [
        "1 of 3 values of changed can't be read as a time: they do not say which version"
        " is newer; see date_formats of shop.",
        "1 of 3 values of consumer_id are not of the kind integer, such as C2: map a number, or an expression that"
        " makes one.",
        "1 of 2 values of consumer_email are not of the kind email, such as text of 2 characters: see whether the right"
        " column is mapped.",
        "1 of 2 values of date_of_birth are not of the kind date, such as text of 8 characters: see date_formats of"
        " shop.",
    ]


@pytest.mark.parametrize(
    ("mark", "value", "is_odd"),
    [(".", "1,234.50", False), (".", "$ 12", False), (",", "1.234,5", False), (".", "1.234,5", True), (".", "a", True)],
)
def test_amounts_are_held_against_the_decimal_mark(tmp_path: Path, mark: str, value: str, is_odd: bool) -> None:
    columns = {"item_id": "no", "item_price": "name"}
    _sources(tmp_path, [(1, value, None, None, None)], dataset="items", columns=columns)
    content = yaml.safe_load((tmp_path / "sources.yaml").read_text())
    content["systems"]["shop"]["decimal_mark"] = mark
    (tmp_path / "sources.yaml").write_text(yaml.safe_dump(content))
    found = _check(load_sources(tmp_path / "sources.yaml"))
    assert any("item_price" in surprise for surprise in found.surprises) == is_odd


def test_a_required_column_that_nothing_is_mapped_to_is_no_good(tmp_path: Path) -> None:
    columns = {"order_id": "no", "order_date": "changed"}
    found = _check(_sources(tmp_path, dataset="orders", columns=columns))
    assert found.missing == ["item_id"]
    assert not found.is_good
    assert found.surprises == ["customer has no records."]


def test_a_source_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    found = _check(_sources(tmp_path, [(1, "a", None, None, None)], columns={"consumer_id": "no", "country": "land"}))
    assert "shop: customer has no column 'land': country of consumers is NULL." in found.surprises
    assert "country is empty in all 1 records." in found.surprises


def test_one_feed_that_cant_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    _sources(tmp_path, [(1, "a", None, None, None)])
    content = yaml.safe_load((tmp_path / "sources.yaml").read_text())
    feeds = content["systems"]["shop"]["feeds"]
    feeds.insert(0, {**feeds[0], "dataset": "shops", "from": "shop", "columns": {"shop_id": "no"}})
    (tmp_path / "sources.yaml").write_text(yaml.safe_dump(content))
    first, second = check_sources(load_sources(tmp_path / "sources.yaml"))
    assert "there is no table 'shop'" in str(first.error)
    assert second.is_good


def test_the_command_shows_it_and_its_status_says_whether_all_is_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _sources(tmp_path, [(7, "Ada", "ada@example.com", None, None)])
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(app, ["sources", "check"])
    assert shown.exit_code == 0
    assert "shop: customer → consumers" in shown.output
    assert "Ada" not in shown.output
    (tmp_path / "shop.db").unlink()
    failed = CliRunner().invoke(app, ["sources", "check", "--json"])
    assert failed.exit_code == 1
    assert "there is no SQLite file" in json.loads(failed.stdout)[0]["error"]
    assert not (tmp_path / ".staged_assets").exists()


def test_every_business_column_has_a_rule() -> None:
    for name, dataset in DATASETS.items():
        assert tuple(column_rules(name)) == dataset.columns
        assert column_rules(name)[dataset.key].is_required


def test_the_demo_is_good(tmp_path: Path) -> None:
    generate(tmp_path / "demo", scale=100, seed=1)
    with running(tmp_path / "demo"):
        found = list(check_sources(load_sources(DEMO_SOURCES), ["erp", "crm"]))
    assert [feed.feed for feed in found if not feed.is_good] == []
