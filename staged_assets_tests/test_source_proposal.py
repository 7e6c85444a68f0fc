"""`staged-assets sources init`: a first `sources.yaml` from a database that is looked into."""

import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from staged_assets.cli import app
from staged_assets.errors import ConfigurationError
from staged_assets.source_check import check_sources
from staged_assets.source_proposal import propose
from staged_assets.sources.config import Sources, load_sources
from staged_assets.sources.tables import TableInfo
from staged_assets_tests.northwind import SCRIPT
from staged_assets_tests.postgres import PostgresServer, postgres_server

__all__ = ["postgres_server"]


def _init(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Sources:
    monkeypatch.setenv("SHOP_URL", url)
    path = folder / "sources.yaml"
    result = CliRunner().invoke(app, ["sources", "init", "SHOP_URL", "--to", str(path), *arguments])
    assert result.exit_code == 0, result.exception
    assert url not in path.read_text()
    return load_sources(path)


def _columns(sources: Sources, system: str, dataset: str) -> dict[str, str | None]:
    (feed,) = (feed for feed in sources.systems[system].feeds if feed.dataset == dataset)
    return {name: column.source or column.expression for name, column in feed.columns.items()}


def test_northwind_is_recognised(
    tmp_path: Path, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = postgres_server.create_database()
    with postgres_server.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute(SCRIPT.read_text())
    connection.close()
    url = f"postgresql://{postgres_server.user}@{postgres_server.host}:{postgres_server.port}/{database}"
    sources = _init(tmp_path, url, monkeypatch)
    tables = {feed.dataset: feed.source for feed in sources.systems["erp"].feeds}
    assert tables == {
        "items": "products",
        "consumers": "customers",
        "suppliers": "suppliers",
        "orders": "orders",
        "sales": "order_details",
    }
    assert _columns(sources, "erp", "items") == {
        "item_id": "product_id",
        "item_name": "product_name",
        "item_price": "unit_price",
        "stock_quantity": "units_in_stock",
    }
    consumers = _columns(sources, "erp", "consumers")
    assert consumers["consumer_id"] == "md5_number_lower(customer_id) >> 1"
    assert (consumers["consumer_city"], consumers["phone_number"]) == ("city", "phone")
    assert _columns(sources, "erp", "sales")["sale_id"] == "order_id || lpad(product_id, 6, '0')"
    found = {feed.dataset: feed for feed in check_sources(sources)}
    assert [name for name, feed in found.items() if feed.is_good] == ["consumers", "items", "suppliers"]
    assert found["orders"].missing == ["item_id"]
    assert "# item_id: required, and nothing like it was found" in (tmp_path / "sources.yaml").read_text()


def test_change_cursor_delete_marker_and_odd_names_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute(
            'create table "Kunde" (no integer primary key, "Full Name" text, "E-Mail" text, "isDeleted" boolean,'
            " modified_at timestamp)"
        )
    connection.close()
    sources = _init(tmp_path, f"sqlite:///{tmp_path / 'shop.db'}", monkeypatch, "--system", "shop")
    (feed,) = sources.systems["shop"].feeds
    assert (feed.dataset, feed.key, feed.updated_at) == ("consumers", ["no"], "modified_at")
    assert feed.delete_marker is not None
    assert feed.delete_marker.column == "isDeleted"
    assert _columns(sources, "shop", "consumers") == {
        "consumer_id": "no",
        "consumer_name": "Full Name",
        "consumer_email": "E-Mail",
    }


def test_a_column_of_another_type_is_not_taken() -> None:
    table = TableInfo(
        "shops", {"shop_id": "int4", "name": "bytea", "city": "bool", "established_year": "int4"}, ("shop_id",)
    )
    (proposal,) = propose([table])
    assert proposal.columns == {"shop_id": "shop_id", "established_year": "established_year"}


def test_a_file_that_is_there_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sources.yaml").write_text("mine")
    result = CliRunner().invoke(app, ["sources", "init", "SHOP_URL", "--to", str(tmp_path / "sources.yaml")])
    assert isinstance(result.exception, ConfigurationError)
    assert (tmp_path / "sources.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("url", "expected"),
    [(None, "SHOP_URL is not set"), ("hunter2", "SHOP_URL holds no URL of a database: one begins with postgresql")],
)
def test_a_variable_without_a_url_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str | None, expected: str
) -> None:
    monkeypatch.delenv("SHOP_URL", raising=False)
    if url is not None:
        monkeypatch.setenv("SHOP_URL", url)
    result = CliRunner().invoke(app, ["sources", "init", "SHOP_URL", "--to", str(tmp_path / "sources.yaml")])
    assert isinstance(result.exception, ConfigurationError)
    assert expected in str(result.exception)
    assert "hunter2" not in str(result.exception)


def test_a_database_without_anything_alike_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("create table moon_phase (id integer primary key)")
    connection.close()
    monkeypatch.setenv("SHOP_URL", f"sqlite:///{tmp_path / 'shop.db'}")
    result = CliRunner().invoke(app, ["sources", "init", "SHOP_URL", "--to", str(tmp_path / "sources.yaml")])
    assert "None of the 1 tables in SHOP_URL is like a dataset" in str(result.exception)
