"""A foreign schema, mapped by the `sources.yaml` of the how-to page alone: no raw row without a disposition."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from staged_assets.landing.warehouse import connect
from staged_assets_tests.command_line import ROOT, CommandLine
from staged_assets_tests.northwind import SCRIPT
from staged_assets_tests.postgres import PostgresServer, postgres_server

__all__ = ["postgres_server"]

#: dataset → rows of Northwind's tables that feed it
ROWS = {
    "items": 3,
    "inventory": 3,
    "suppliers": 2,
    "consumers": 3,
    "orders": 5,
    "sales": 3,
    "location_dimension": 2,
}


@pytest.fixture(scope="module")
def northwind(
    shared_home: Path, postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine]:
    """The command on the how-to's file and a server with Northwind."""
    database = postgres_server.create_database()
    with postgres_server.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute(SCRIPT.read_text())
    connection.close()
    folder = tmp_path_factory.mktemp("northwind")
    page = (ROOT / "docs" / "sources" / "northwind.md").read_text()
    (written,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (folder / "sources.yaml").write_text(written)
    url = f"postgresql://{postgres_server.user}@{postgres_server.host}:{postgres_server.port}/{database}"
    variables = {"STAGED_ASSETS_SOURCES": str(folder / "sources.yaml"), "NORTHWIND_URL": url}
    command = CommandLine(folder / "home", variables)
    command.share_parsed_project(shared_home)
    yield command
    shutil.rmtree(command.home, ignore_errors=True)


def test_the_check_finds_nothing_wrong(northwind: CommandLine) -> None:
    found = northwind.run("sources", "check", "--json").expect_success().json
    assert {feed["dataset"]: feed["records"] for feed in found} == ROWS
    assert [feed["surprises"] for feed in found if feed["surprises"]] == []


def test_every_row_is_staged_and_explained(northwind: CommandLine) -> None:
    result = northwind.run("run", "--json").expect_success().json
    datasets = {name: entry for name, entry in result["datasets"].items() if entry["landed"]}
    assert {name: entry["landed"] for name, entry in datasets.items()} == ROWS
    for entry in datasets.values():
        assert (entry["staged"], entry["unexplained"]) == (entry["landed"], 0)
    with connect(northwind.settings, read_only=True) as connection:
        sold = connection.execute(
            "select sale_id, total_price, country_code from staged.stg_sales order by 1"
        ).fetchall()
        items = connection.execute("select item_name, category from staged.stg_items order by item_id").fetchall()
        joined = "select count(*) from staged.stg_orders join staged.stg_consumers using (consumer_id)"
        orders = connection.execute(joined).fetchall()
    assert [(sale, float(total), country) for sale, total, country in sold] == [
        (102480001, 172.8, "GB"),
        (102480002, 202.83, "GB"),
        (102490002, 192.15, "DE"),
    ]
    assert items[0] == ("Smoked Black Tea", "Hot drinks")
    assert orders == [(5,)]
