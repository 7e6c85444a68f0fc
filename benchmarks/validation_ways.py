"""The ways to validate a whole table that `validation` compares.

Imports nothing but DuckDB until a way is prepared, so that every environment can run those that are its own.
"""

import importlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.peers.limit import THREADS
from benchmarks.serve import serve

Prepare = Callable[[Path], Callable[[], Any]]

TABLE = "staged.stg_sales"

FIVE = (
    "sale_id__required",
    "sale_id__unique",
    "payment_method__known_value",
    "country_code__alpha2",
    "delivery_date__not_before_sale_date",
)
METHODS = ("card", "cash", "transfer", "wallet", "voucher", "cash_on_delivery", "other")

_MAKE = """
create schema staged;
create table staged.stg_sales as
with sold as (
    select i, 1 + i * 7919 % 5 as quantity, (100 + i * 104729 % 90000)::decimal(18, 4) / 100 as price,
        date '2023-01-01' + (i % 1000)::integer as day
    from range(1, {rows} + 1) as numbers(i)
)
select
    i as sale_id, day as sale_date, i % 400 as shop_id, nullif(i % 100003, 0) as consumer_id, i % 20011 as item_id,
    case when i % 5 = 0 then i % 300 end as offer_id,
    case when i % 50 = 0 then -quantity else quantity end as quantity,
    (case when i % 50 = 0 then -quantity else quantity end * price)::decimal(18, 4) as total_price,
    ['card', 'cash', 'transfer', 'wallet', 'voucher', 'cash_on_delivery', 'other'][1 + i % 7] as payment_method,
    ['Delivered', 'Shipped', 'Placed'][1 + i % 3] as order_status, day + (i % 9)::integer as delivery_date,
    case when i % 10 > 0 then 'Delivered' end as delivery_status,
    ['France', 'Germany', 'United Kingdom', 'Spain'][1 + i % 4] as country,
    ['FR', 'DE', 'GB', 'ES'][1 + i % 4] as country_code,
    day + to_seconds(i % 86400) as sold_at, price::decimal(18, 4) as unit_price, i % 50 = 0 as is_return,
    (i % 9)::bigint as days_to_deliver, md5(i::varchar) as _raw_row_id, 'ecommerce' as _source_system,
    timestamp '2026-01-01' as _source_updated_at, timestamp '2026-01-02' as _landed_at,
    timestamp '2026-01-03' as _staged_at, case when i % 20 = 0 then ['total_price'] else [] end::varchar[] as _cleansed,
    []::struct(code varchar, "column" varchar, raw_value varchar)[] as _cell_defects
from sold
"""

_PLAIN_FIVE = f"""
select
    count(*), count(*) - count(sale_id), count(sale_id) - count(distinct sale_id),
    count(*) filter (where payment_method not in {METHODS}),
    count(*) filter (where not regexp_full_match(country_code, '[A-Z]{{2}}')),
    count(*) filter (where delivery_date < sale_date)
from {TABLE}
"""

_PLAIN_ALL = f"""
select
    count(*), count(sale_id) - count(distinct sale_id), count(*) - count(sale_id), count(*) - count(sale_date),
    count(*) - count(_raw_row_id), count(*) - count(_source_system), count(*) - count(_landed_at),
    count(*) - count(_staged_at), count(*) - count(_cleansed), count(*) - count(_cell_defects),
    count(*) - count(item_id), count(*) - count(quantity), count(*) - count(total_price), count(*) - count(shop_id),
    count(*) filter (where payment_method not in {METHODS}),
    count(*) filter (where order_status = '' or order_status != trim(order_status, e' \\t\\n\\r\\v\\f')),
    count(*) filter (where delivery_status = '' or delivery_status != trim(delivery_status, e' \\t\\n\\r\\v\\f')),
    count(*) filter (where country = '' or country != trim(country, e' \\t\\n\\r\\v\\f')),
    count(*) filter (where _source_system = '' or _source_system != trim(_source_system, e' \\t\\n\\r\\v\\f')),
    count(*) filter (where not regexp_full_match(country_code, '[A-Z]{{2}}')),
    count(*) filter (where (country is null) != (country_code is null)),
    count(*) filter (where length(_raw_row_id) != 32),
    count(*) filter (where len(_cleansed) > 0 and not list_has_all(
        ['sale_id', 'sale_date', 'shop_id', 'consumer_id', 'item_id', 'offer_id', 'quantity', 'total_price',
         'payment_method', 'order_status', 'delivery_date', 'delivery_status', 'country'], _cleansed)),
    count(*) filter (where unit_price is distinct from (total_price / nullif(quantity, 0))::decimal(18, 4)),
    count(*) filter (where sign(total_price) * sign(quantity) < 0),
    count(*) filter (where is_return is distinct from quantity < 0),
    count(*) filter (where delivery_date < sale_date),
    count(*) filter (where days_to_deliver is distinct from datediff('day', sale_date, delivery_date)),
    count(*) filter (where datediff('day', sale_date, sold_at::date) not between -1 and 1),
    count(*) filter (where datediff('day', _staged_at::date, sale_date) > 1),
    count(*) filter (where datediff('hour', _landed_at, _source_updated_at) > 24),
    count(*) filter (where _staged_at < _landed_at),
    count(*) filter (where len(_cell_defects) > 0),
    min(payment_method) = max(payment_method), min(quantity) = max(quantity)
from {TABLE}
"""


def connect(path: Path) -> duckdb.DuckDBPyConnection:
    """A connection that only reads, with as many threads as all others."""
    return duckdb.connect(str(path), read_only=True, config={"threads": THREADS})


def _plain(sql: str) -> Prepare:
    def prepared(path: Path) -> Callable[[], Any]:
        connection = connect(path)
        return lambda: connection.execute(sql).fetchall()

    return prepared


def _project(names: tuple[str, ...] | None, table: str = TABLE) -> Prepare:
    def prepared(path: Path) -> Callable[[], Any]:
        from staged_assets.validation.masking import Mask
        from staged_assets.validation.registry import schema_rules
        from staged_assets.validation.scan import scan_of

        rules = {rule.name: rule for rule in schema_rules()["sales"] if names is None or rule.name in names}
        scan, connection = scan_of("sales"), connect(path)
        return lambda: scan.evaluate(connection, table, rules, mask=Mask(None), sample=5)

    return prepared


def _pandas(columns: str) -> Prepare:
    def prepared(path: Path) -> Callable[[], Any]:
        pa = importlib.import_module("pandera.pandas")
        schema = pa.DataFrameSchema(
            {
                "sale_id": pa.Column(nullable=False, unique=True),
                "payment_method": pa.Column(checks=pa.Check.isin(METHODS), nullable=True),
                "country_code": pa.Column(checks=pa.Check.str_matches(r"^[A-Z]{2}$"), nullable=True),
            },
            checks=pa.Check(lambda frame: frame["delivery_date"] >= frame["sale_date"]),
        )
        connection = connect(path)
        return lambda: schema.validate(connection.execute(f"select {columns} from {TABLE}").df(), lazy=True)

    return prepared


def _pandas_schema(path: Path) -> Callable[[], Any]:
    schema = importlib.import_module("benchmarks.sales_in_pandas").SALES
    connection = connect(path)
    return lambda: schema.validate(connection.execute(f"select * from {TABLE}").df(), lazy=True)


@dataclass(frozen=True)
class Way:
    """A way to validate.

    Attributes:
        rules: which of them; ways are compared with the baseline of the same rules.
        prepare: imports and connects; what it returns validates.
        peer: in whose environment; none for this project's.
    """

    rules: str
    prepare: Prepare
    peer: str | None = None


def _peer(module: str) -> Prepare:
    """A way whose module imports what only its environment has."""
    return lambda path: importlib.import_module(f"benchmarks.peers.{module}").prepare(path)


WAYS: dict[str, Way] = {
    "plain SQL": Way("five rules", _plain(_PLAIN_FIVE)),
    "this project": Way("five rules", _project(FIVE)),
    "Pandera on pandas, needed columns": Way(
        "five rules", _pandas("sale_id, payment_method, country_code, sale_date, delivery_date")
    ),
    "Pandera on pandas, all columns": Way("five rules", _pandas("*")),
    "plain SQL, Soda's DuckDB": Way("five rules", _plain(_PLAIN_FIVE), "soda"),
    "Soda Core": Way("five rules", _peer("soda.scan"), "soda"),
    "plain SQL, Great Expectations' DuckDB": Way("five rules", _plain(_PLAIN_FIVE), "great_expectations"),
    "Great Expectations on DuckDB": Way("five rules", _peer("great_expectations.on_duckdb"), "great_expectations"),
    "Great Expectations on pandas, needed columns": Way(
        "five rules", _peer("great_expectations.on_pandas"), "great_expectations"
    ),
    "plain SQL, all": Way("the schema", _plain(_PLAIN_ALL)),
    "this project, all": Way("the schema", _project(None)),
    "Pandera on pandas, all": Way("the schema", _pandas_schema),
    "this project, all, a third of the rows fail": Way("the schema", _project(None, "failing.stg_sales")),
}
#: (rules, peer) → what ways with these are compared with
BASELINES = {
    ("five rules", None): "plain SQL",
    ("the schema", None): "plain SQL, all",
    ("five rules", "soda"): "plain SQL, Soda's DuckDB",
    ("five rules", "great_expectations"): "plain SQL, Great Expectations' DuckDB",
}


def make(path: Path, rows: int) -> None:
    """A published table of sales, and a view of it of which a third of the rows fail a rule."""
    with duckdb.connect(str(path), config={"threads": THREADS}) as connection:
        connection.execute(_MAKE.format(rows=rows))
        connection.execute("create schema failing")
        connection.execute(
            f"create view failing.stg_sales as"
            f" select * replace (case when sale_id % 3 = 0 then 'x' else payment_method end as payment_method)"
            f" from {TABLE}"
        )


def load(parquet: Path, path: Path) -> None:
    """The same table in a file of this environment's DuckDB; tools also find it in the schema `main`."""
    with duckdb.connect(str(path), config={"threads": THREADS}) as connection:
        connection.execute("create schema staged")
        connection.execute(f"create table {TABLE} as from read_parquet('{parquet}')")
        connection.execute(f"create view main.stg_sales as from {TABLE}")


def _measured(way: str, path: Path) -> Callable[[], dict[str, float]]:
    started = time.perf_counter()
    validate = WAYS[way].prepare(path)
    imports = time.perf_counter() - started

    def validated() -> dict[str, float]:
        clock, processor = time.perf_counter(), time.process_time()
        validate()
        seconds, cpu = time.perf_counter() - clock, time.process_time() - processor
        return {"seconds": seconds, "cpu_seconds": cpu, "imports": imports}

    return validated


def main() -> None:
    """`load PARQUET FILE`, or `serve WAY FILE`: validate whenever asked to."""
    action, what, path = sys.argv[1:]
    if action == "load":
        load(Path(what), Path(path))
    else:
        serve({"validate": _measured(what, Path(path))})


if __name__ == "__main__":
    main()
