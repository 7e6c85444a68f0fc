"""A real web shop's sales (UCI Online Retail), landed by the example's configuration alone."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from staged_assets.landing.land import land_feed
from staged_assets.landing.raw_area import prepare
from staged_assets.sources.config import Sources, load_sources

PROJECT = Path(__file__).parents[2]
DATA = PROJECT.parent / "shared" / "data" / "online_retail"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"the data is not part of the project: no folder {DATA}")


@pytest.fixture(scope="module")
def sources() -> Sources:
    return load_sources(
        PROJECT / "staged_assets" / "examples" / "online_retail" / "sources.yaml", {"ONLINE_RETAIL_PATH": str(DATA)}
    )


@pytest.fixture(scope="module")
def landed(sources: Sources) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse with all days landed."""
    with duckdb.connect(":memory:") as connection:
        prepare(connection)
        land_feed(connection, sources, *sources.feeds_of("sales")[0])
        files = f"read_csv('{DATA}/*.csv.gz', all_varchar = true, header = true, filename = true)"
        connection.execute(f"create table source as from {files}")
        yield connection


def _count(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return int(row[0])


def test_every_line_is_a_sale_of_its_own(landed: duckdb.DuckDBPyConnection) -> None:
    lines = sum(gzip.decompress(path.read_bytes()).count(b"\n") - 1 for path in DATA.glob("*.csv.gz"))
    assert lines > 0
    assert _count(landed, "select count(*) from raw.sales") == lines
    assert _count(landed, "select count(distinct sale_id::bigint) from raw.sales") == lines
    assert _count(landed, "select count(distinct _raw_row_id) from raw.sales") == lines


def test_the_values_are_the_source_s(landed: duckdb.DuckDBPyConnection) -> None:
    source = """
        select InvoiceDate, CustomerID, Quantity, Country, InvoiceNo, StockCode, UnitPrice, coalesce(Description, '')
        from source
    """
    raw = """
        select sale_date, nullif(consumer_id, ''), quantity, country, _extra->>'InvoiceNo', _extra->>'StockCode',
            _extra->>'UnitPrice', _extra->>'Description'
        from raw.sales
    """
    for one, other in ((source, raw), (raw, source)):
        assert _count(landed, f"select count(*) from ({one} except all {other})") == 0


def test_prices_are_exact_and_returns_negative(landed: duckdb.DuckDBPyConnection) -> None:
    raw = "sum(total_price::decimal(18, 4)), min(quantity::bigint), count(*) filter (total_price like '-%')"
    source = """
        sum(Quantity::bigint * UnitPrice::decimal(18, 4)), min(Quantity::bigint),
        count(*) filter (Quantity like '-%' and UnitPrice::decimal(18, 4) > 0)
    """
    found = landed.execute(f"select {raw} from raw.sales").fetchone()
    assert found == landed.execute(f"select {source} from source").fetchone()


def test_only_numeric_stock_codes_are_item_ids(landed: duckdb.DuckDBPyConnection) -> None:
    wrong = "(_extra->>'StockCode' similar to '[0-9]+') <> (item_id is not null)"
    assert _count(landed, f"select count(*) from raw.sales where {wrong}") == 0
    assert _count(landed, "select count(*) from raw.sales where item_id is null") > 0


def test_landing_again_lands_nothing(landed: duckdb.DuckDBPyConnection, sources: Sources) -> None:
    system, feed = sources.feeds_of("sales")[0]
    assert land_feed(landed, sources, system, feed).read == 0
    landed.execute("delete from control.cursors")
    again = land_feed(landed, sources, system, feed)
    assert again.read > 0
    assert again.landed == 0
