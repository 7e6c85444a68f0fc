"""The how-to pages of the connectors: each example lands what it says, from the source that the page describes."""

import hmac
import json
import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pymysql
import pytest
from typer.testing import CliRunner
from upath import UPath

from staged_assets.catalogue import DATASETS
from staged_assets.cli import app
from staged_assets.landing.land import land_feed
from staged_assets.landing.raw_area import prepare
from staged_assets.sources.config import Sources, load_sources
from staged_assets_tests.mariadb import mariadb_port
from staged_assets_tests.postgres import PostgresServer, postgres_server
from staged_assets_tests.sources.misbehaving_api import Answer, serving
from staged_assets_tests.sql_server import PASSWORD, SqlServer, certificate, sql_server
from staged_assets_tests.webhook.deliveries import Delivery, send

__all__ = ["certificate", "mariadb_port", "postgres_server", "sql_server"]

PAGES = Path(__file__).parents[2] / "docs" / "sources"


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page."""
    return re.findall(rf"```{language}\n(.*?)```", (PAGES / f"{page}.md").read_text(), re.DOTALL)


def example(page: str, folder: Path, number: int = 0, **environ: str) -> Sources:
    """One of the page's `sources.yaml`, by default the first."""
    content = blocks(page, "yaml")[number]
    path = folder / "sources.yaml"
    path.write_text(content)
    return load_sources(path, environ)


def landed(sources: Sources) -> dict[str, list[tuple[Any, ...]]]:
    """The mapped columns, and the operation, of what each dataset landed; a second landing brings nothing."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    with duckdb.connect() as warehouse:
        prepare(warehouse)
        for system, settings in sources.systems.items():
            for feed in settings.feeds:
                assert land_feed(warehouse, sources, system, feed).problems == []
                assert land_feed(warehouse, sources, system, feed).landed == 0
                columns = ", ".join(name for name in DATASETS[feed.dataset].columns if name in feed.columns)
                rows = f"select {columns}, _operation from raw.{feed.dataset} order by _landing_id"
                found[feed.dataset] = warehouse.execute(rows).fetchall()
    return found


def test_postgresql(tmp_path: Path, postgres_server: PostgresServer) -> None:
    connection = postgres_server.connect()
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("drop database if exists erp")
        cursor.execute("create database erp")
    connection.close()
    connection = postgres_server.connect("erp")
    with connection, connection.cursor() as cursor:
        rights, tables, _ = blocks("postgresql", "sql")
        cursor.execute(tables)
        cursor.execute(rights)
    connection.close()
    host = f"{postgres_server.host}:{postgres_server.port}"
    sources = example("postgresql", tmp_path, ERP_USER="staging", ERP_PASSWORD="s/cr@t", ERP_HOST=host)
    assert landed(sources) == {
        "items": [("1", "Kettle", "29.90", "4006381333931", "upsert"), ("2", "Teapot", "19.50", None, "delete")],
        "inventory": [("10", "1", "120", "upsert")],
        "shops": [("7", "Centre", "Berlin", "upsert")],
    }


def test_postgresql_by_its_log(tmp_path: Path, postgres_server: PostgresServer) -> None:
    connection = postgres_server.connect()
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("drop database if exists erp")
        cursor.execute("create database erp")
    connection.close()
    connection = postgres_server.connect("erp")
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("create table article (article_no int primary key, title text)")
        cursor.execute("insert into article values (1, 'Kettle'), (2, 'Teapot')")
        cursor.execute(blocks("postgresql", "sql")[2])
        host = f"{postgres_server.host}:{postgres_server.port}"
        environ = {"ERP_USER": "capture", "ERP_PASSWORD": "s/cr@t", "ERP_HOST": host}
        sources = example("postgresql", tmp_path, 1, **environ)
        with duckdb.connect() as warehouse:
            prepare(warehouse)
            feed = sources.systems["erp"].feeds[0]
            assert land_feed(warehouse, sources, "erp", feed).landed == 2
            cursor.execute(
                "update article set title = 'Jug' where article_no = 2; delete from article where article_no = 1"
            )
            assert land_feed(warehouse, sources, "erp", feed).problems == []
            found = warehouse.execute("select item_id, item_name, _operation from raw.items order by _landing_id")
            assert found.fetchall()[2:] == [("2", "Jug", "upsert"), ("1", None, "delete")]
        found = CliRunner().invoke(
            app, ["sources", "drop-slot", "erp"], env={**environ, "STAGED_ASSETS_SOURCES": str(sources.path)}
        )
        assert (found.exit_code, found.stderr) == (0, "The slot staged_assets_erp_items_article is dropped.\n")
        cursor.execute("select count(*) from pg_replication_slots where database = 'erp'")
        assert cursor.fetchone() == (0,)
    connection.close()


def test_mysql(tmp_path: Path, mariadb_port: int) -> None:
    connection = pymysql.connect(host="127.0.0.1", port=mariadb_port, user="root", autocommit=True)
    (tables,) = blocks("mysql", "sql")
    with connection.cursor() as cursor:
        cursor.execute("create or replace database shop character set utf8mb4")
        cursor.execute("use shop")
        for statement in tables.strip().removesuffix(";").split(";\n"):
            cursor.execute(statement)
        cursor.execute("create or replace user staging identified by 's/cr@t'")
        cursor.execute("grant select on shop.* to staging")
    connection.close()
    host = f"127.0.0.1:{mariadb_port}"
    sources = example("mysql", tmp_path, SHOP_USER="staging", SHOP_PASSWORD="s/cr@t", SHOP_HOST=host)
    assert landed(sources) == {
        "consumers": [
            ("1", "Anna Vogel", "anna@example.com", "Köln", "DE", "upsert"),
            ("2", "Max Roth", None, "Bonn", None, "delete"),
        ]
    }


def test_sql_server(tmp_path: Path, sql_server: SqlServer) -> None:
    environ = {"ERP_USER": "staging", "ERP_PASSWORD": PASSWORD, "ERP_HOST": f"127.0.0.1:{sql_server.port}"}
    sources = example("sql-server", tmp_path, **environ)
    with sql_server.connect() as connection, connection.cursor() as cursor, duckdb.connect() as warehouse:
        prepare(warehouse)
        cursor.execute(*blocks("sql-server", "sql"))
        feed = sources.systems["erp"].feeds[0]
        assert [land_feed(warehouse, sources, "erp", feed).landed for _ in range(2)] == [2, 0]
        cursor.execute("update dbo.supplier set name = N'Kessel AG' where supplier_no = 1")
        cursor.execute("delete from dbo.supplier where supplier_no = 2")
        compared_at_once = re.sub("( +)deletes:", r"\1compare_keys_every: 0s\n\1deletes:", sources.path.read_text())
        sources.path.write_text(compared_at_once)
        sources = load_sources(sources.path, environ)
        assert land_feed(warehouse, sources, "erp", sources.systems["erp"].feeds[0]).problems == []
        columns = "supplier_id, supplier_name, contact_email, _operation"
        found = warehouse.execute(f"select {columns} from raw.suppliers order by _landing_id").fetchall()
    assert found == [
        ("1", "Kessel & Söhne", "info@kessel.example", "upsert"),
        ("2", "Łódź Tea", None, "upsert"),
        ("1", "Kessel AG", "info@kessel.example", "upsert"),
        ("2", None, None, "delete"),
    ]


def test_duckdb(tmp_path: Path) -> None:
    with duckdb.connect(tmp_path / "loaded.duckdb") as connection:
        connection.execute(*blocks("duckdb", "sql"))
    assert landed(example("duckdb", tmp_path, LOADED_PATH="loaded.duckdb")) == {
        "consumers": [
            ("1", "Ada Brown", "ada@example.com", "upsert"),
            ("2", "Bo Green", None, "delete"),
        ]
    }


def test_sqlite(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "tills.db")) as connection:
        connection.executescript(*blocks("sqlite", "sql"))
    assert landed(example("sqlite", tmp_path, TILLS_DATABASE="tills.db")) == {
        "consumers": [
            ("1", "Ada Brown", "ada@example.com", "Leeds", "upsert"),
            ("2", "Bo Green", None, "York", "delete"),
        ],
        "shops": [("7", "Market Street", "Leeds", "upsert")],
    }


def test_csv_files(tmp_path: Path) -> None:
    (tmp_path / "sales-2024-05-01.csv").write_text(*blocks("csv-files", "csv"))
    assert landed(example("csv-files", tmp_path, TILLS_FOLDER=".")) == {
        "sales": [
            ("1001001", "01.05.2024", "3", "1", "29,90", "card", "upsert"),
            ("1001002", "01.05.2024", "3", "2", "39,00", "card", "upsert"),
        ]
    }


def test_parquet(tmp_path: Path) -> None:
    (tmp_path / "visits").mkdir()
    with duckdb.connect() as connection:
        connection.execute(*blocks("parquet", "sql"))
        connection.execute(f"copy visit to '{tmp_path}/visits/2024-05-01.parquet'")
    assert landed(example("parquet", tmp_path, LAKE_FOLDER=".")) == {
        "interactions": [
            ("9007199254740993", "11", "2024-05-01 08:00:00.123456+00", "visit", "upsert"),
            ("9007199254740994", None, "2024-05-01 09:00:00+00", "visit", "upsert"),
        ]
    }


def test_event_files(tmp_path: Path) -> None:
    (tmp_path / "orders").mkdir()
    (tmp_path / "orders" / "2024-05-01.ndjson").write_text(*blocks("event-files", "json"))
    assert landed(example("event-files", tmp_path, SHOP_EVENTS=".")) == {
        "orders": [("5", "7", "2024-05-01", "2", "upsert"), ("5", "7", None, None, "delete")]
    }


def test_webhook(tmp_path: Path) -> None:
    sources = example("webhook", tmp_path, SHOP_DELIVERIES="deliveries", SHOP_WEBHOOK_SECRET="s/cr@t")
    order = '{"type": "order.updated", "data": {"id": 5, "sku": 7, "quantity": 2, "placed_at": "2024-05-01", "state": '
    deleted = f'{order}"deleted", "updated_at": "2024-05-02T00:00:00Z"}}}}'.encode()
    placed = f'{order}"placed", "updated_at": "2024-05-01T00:00:00Z"}}}}'.encode()
    deliveries = []
    for body, name in ((placed, "a"), (deleted, "b")):
        now = str(time.time())
        signature = hmac.digest(b"s/cr@t", f"{now}.".encode() + body, "sha256").hex()
        headers = {"X-Shop-Timestamp": now, "X-Shop-Signature": f"sha256={signature}", "X-Shop-Delivery": name}
        deliveries.append(Delivery(body, path="/shop/orders", headers=headers))
    assert [status for status, _ in send(sources, *deliveries)] == [202, 202]
    assert landed(sources) == {
        "orders": [
            ("5", "7", "2024-05-01", "2", "placed", "upsert"),
            ("5", "7", "2024-05-01", "2", "deleted", "delete"),
        ]
    }


def test_rest(tmp_path: Path) -> None:
    contacts = [
        {"id": 1, "name": {"full": "Ada Brown"}, "emails": ["ada@example.com"], "updated": "2024-05-01T10:00:00Z"},
        {"id": 2, "name": {"full": "Bo Green"}, "emails": [], "updated": "2024-05-02T10:00:00Z", "archived": True},
    ]

    def script(path: str, query: dict[str, str]) -> Answer:
        if path == "/oauth/token":
            return Answer(b'{"access_token": "t", "expires_in": 60}')
        assert (path, query["token"]) == ("/v2/contacts", "Bearer t")
        place = int(query.get("cursor", "0"))
        content = {"data": contacts[place : place + 1], "paging": {"next": str(place + 1) if place == 0 else None}}
        return Answer(json.dumps(content).encode())

    with serving(script, with_token=True) as api:
        assert landed(example("rest", tmp_path, CRM_URL=api.url, CRM_CLIENT="me", CRM_SECRET="s/cr@t")) == {
            "consumers": [
                ("1", "Ada Brown", "ada@example.com", "upsert"),
                ("2", "Bo Green", None, "delete"),
            ]
        }


def test_object_stores(tmp_path: Path) -> None:
    folder = UPath("memory://how-to/shop")
    (folder / "visits").mkdir(parents=True)
    (folder / "visits" / "a.ndjson").write_bytes(b'{"id": 1, "name": "Till"}\n')
    environ = {"SHOP_EXPORTS": str(folder), "SHOP_KEY": "k", "SHOP_SECRET": "s"}
    assert landed(example("object-stores", tmp_path, **environ)) == {"touchpoints": [("1", "Till", "upsert")]}


@pytest.mark.parametrize("page", sorted(path.stem for path in PAGES.glob("*.md")))
def test_every_example_is_valid(tmp_path: Path, page: str) -> None:
    for number in range(len(blocks(page, "yaml"))):
        assert example(page, tmp_path, number).systems
