"""A real retailer's sales, mapped by configuration alone, through the whole product."""

import csv
import gzip
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from staged_assets.landing.warehouse import connect
from staged_assets_tests.command_line import ROOT, CommandLine, Ended

DATA = ROOT.parent / "shared" / "data" / "online_retail"

pytestmark = [
    pytest.mark.skipif(not DATA.is_dir(), reason="the UCI Online Retail data is not there: one CSV file for each day"),
    pytest.mark.xdist_group("online_retail"),
]


@pytest.fixture(scope="module")
def command(shared_home: Path, published_warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    home = tmp_path_factory.mktemp("online_retail")
    command = CommandLine(home, {"ONLINE_RETAIL_PATH": str(DATA)})
    CommandLine(home / "examples" / "online_retail").share_parsed_project(shared_home)
    return command


@pytest.fixture(scope="module")
def ran(command: CommandLine) -> Ended:
    return command.run("--example", "online_retail", "run", "--dataset", "sales", "--json")


@pytest.fixture(scope="module")
def lines() -> list[dict[str, str]]:
    """The lines of the files, each with the file's date as `day` and its `line`."""
    return list(_lines())


def _lines() -> Iterator[dict[str, str]]:
    for path in sorted(DATA.glob("*.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            for row in reader:
                yield {**row, "day": path.name[:10], "line": str(reader.line_num)}


def _query(command: CommandLine, sql: str) -> list[tuple[Any, ...]]:
    home = command.home / "examples" / "online_retail"
    with connect(CommandLine(home).settings, read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_every_line_has_one_disposition(ran: Ended, command: CommandLine, lines: list[dict[str, str]]) -> None:
    sales = ran.expect_success().json["datasets"]["sales"]
    assert sales["landed"] == len(lines)
    assert sales["pending"] == sales["unexplained"] == 0
    places = _query(command, "select _raw_row_id, count(*) from staged.dispositions_sales group by all")
    assert len(places) == len(lines)
    assert {count for _, count in places} == {1}


def test_returns_are_kept_as_returns(ran: Ended, command: CommandLine, lines: list[dict[str, str]]) -> None:
    returned = sorted(int(line["Quantity"]) for line in lines if int(line["Quantity"]) < 0)
    assert returned
    sql = "select quantity from staged.stg_sales where is_return order by 1"
    assert _query(command, sql) == [(quantity,) for quantity in returned]
    assert _query(command, "select count(*) from staged.stg_sales where is_return != (quantity < 0)") == [(0,)]


def test_rows_without_a_customer_are_staged_without_a_consumer(
    ran: Ended, command: CommandLine, lines: list[dict[str, str]]
) -> None:
    assert sum(not line["CustomerID"] for line in lines) > 0
    expected = Counter(int(float(line["CustomerID"])) if line["CustomerID"] else None for line in lines)
    found = _query(command, "select consumer_id, count(*) from staged.stg_sales group by all")
    assert dict(found) == expected


def test_every_value_is_that_of_its_line(ran: Ended, command: CommandLine, lines: list[dict[str, str]]) -> None:
    found = _query(command, "select sale_id, sale_date::varchar, quantity, total_price::double from staged.stg_sales")
    assert {row[0]: row[1:] for row in found} == {
        int(line["day"].replace("-", "")) * 1_000_000 + int(line["line"]): (
            line["InvoiceDate"][:10],
            int(line["Quantity"]),
            pytest.approx(int(line["Quantity"]) * float(line["UnitPrice"]), abs=1e-6),
        )
        for line in lines
    }


def test_files_that_arrive_day_by_day_are_refreshed_each_for_itself(
    command: CommandLine, lines: list[dict[str, str]], tmp_path: Path
) -> None:
    arrived = tmp_path / "arrived"
    arrived.mkdir()
    shop = CommandLine(tmp_path / "home", {"ONLINE_RETAIL_PATH": str(arrived)})
    home = CommandLine(shop.home / "examples" / "online_retail")
    home.share_parsed_project(command.home / "examples" / "online_retail")
    landed = 0
    for path in sorted(DATA.glob("*.csv.gz"))[:3]:
        shutil.copy(path, arrived)
        landed += sum(line["day"] == path.name[:10] for line in lines)
        ended = shop.run("--example", "online_retail", "run", "--dataset", "sales", "--json").expect_success()
        sales = ended.json["datasets"]["sales"]
        assert (sales["outcome"], sales["landed"], sales["pending"], sales["unexplained"]) == (
            "published",
            landed,
            0,
            0,
        )
        sql = "select count(*), count(distinct _raw_row_id) from staged.dispositions_sales"
        assert _query(shop, sql) == [(landed, landed)]
    modes = _query(shop, "select mode from control.refreshes where dataset = 'sales' order by refreshed_at")
    assert [mode for (mode,) in modes] == ["full", "incremental", "incremental"]
