"""Whole-table validation of sales, side by side: plain SQL, this project's, and Pandera on pandas.

    python -m benchmarks.validation --rows 10000000 --repeat 3 --markdown figures.md --json figures.json

Each way runs in a process of its own, on the same DuckDB file. Times are those of the validation, without the process's
start and imports (given beside it): by the clock, and of the processor, which others on the machine disturb less.
Memory is the process's peak. Ratios are against plain SQL for the same rules, of processor times.
"""

import argparse
import importlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

THREADS = 2
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


def _connect(path: str) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(path, read_only=True, config={"threads": THREADS})


def _plain(sql: str) -> Callable[[str], Callable[[], Any]]:
    def prepared(path: str) -> Callable[[], Any]:
        connection = _connect(path)
        return lambda: connection.execute(sql).fetchall()

    return prepared


def _project(names: tuple[str, ...] | None, table: str = TABLE) -> Callable[[str], Callable[[], Any]]:
    def prepared(path: str) -> Callable[[], Any]:
        from staged_assets.validation.masking import Mask
        from staged_assets.validation.registry import schema_rules
        from staged_assets.validation.scan import scan_of

        rules = {rule.name: rule for rule in schema_rules()["sales"] if names is None or rule.name in names}
        scan, connection = scan_of("sales"), _connect(path)
        return lambda: scan.evaluate(connection, table, rules, mask=Mask(None), sample=5)

    return prepared


def _pandas(columns: str) -> Callable[[str], Callable[[], Any]]:
    def prepared(path: str) -> Callable[[], Any]:
        pa = importlib.import_module("pandera.pandas")
        schema = pa.DataFrameSchema(
            {
                "sale_id": pa.Column(nullable=False, unique=True),
                "payment_method": pa.Column(checks=pa.Check.isin(METHODS), nullable=True),
                "country_code": pa.Column(checks=pa.Check.str_matches(r"^[A-Z]{2}$"), nullable=True),
            },
            checks=pa.Check(lambda frame: frame["delivery_date"] >= frame["sale_date"]),
        )
        connection = _connect(path)
        return lambda: schema.validate(connection.execute(f"select {columns} from {TABLE}").df(), lazy=True)

    return prepared


def _pandas_schema(path: str) -> Callable[[], Any]:
    schema = importlib.import_module("benchmarks.sales_in_pandas").SALES
    connection = _connect(path)
    return lambda: schema.validate(connection.execute(f"select * from {TABLE}").df(), lazy=True)


#: name → (which rules, how)
WAYS: dict[str, tuple[str, Callable[[str], Callable[[], Any]]]] = {
    "plain SQL": ("five rules", _plain(_PLAIN_FIVE)),
    "this project": ("five rules", _project(FIVE)),
    "Pandera on pandas, needed columns": (
        "five rules",
        _pandas("sale_id, payment_method, country_code, sale_date, delivery_date"),
    ),
    "Pandera on pandas, all columns": ("five rules", _pandas("*")),
    "plain SQL, all": ("the schema", _plain(_PLAIN_ALL)),
    "this project, all": ("the schema", _project(None)),
    "Pandera on pandas, all": ("the schema", _pandas_schema),
    "this project, all, a third of the rows fail": ("the schema", _project(None, "failing.stg_sales")),
}
BASELINES = {"five rules": "plain SQL", "the schema": "plain SQL, all"}


def measure(way: str, path: str) -> dict[str, float]:
    """Run one way in this process.

    Returns:
        seconds to import and prepare; seconds to validate, by the clock and of the processor; peak memory in MB.
    """
    started = time.perf_counter()
    validate = WAYS[way][1](path)
    prepared, processor = time.perf_counter(), time.process_time()
    validate()
    seconds, cpu = time.perf_counter() - prepared, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"imports": prepared - started, "seconds": seconds, "cpu_seconds": cpu, "peak_mb": peak}


def _measure_apart(way: str, path: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.validation", "--measure", way, "--file", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def make(path: Path, rows: int) -> None:
    """A published table of sales, and a view of it of which a third of the rows fail a rule."""
    with duckdb.connect(path, config={"threads": THREADS}) as connection:
        connection.execute(_MAKE.format(rows=rows))
        connection.execute("create schema failing")
        connection.execute(
            f"create view failing.stg_sales as"
            f" select * replace (case when sale_id % 3 = 0 then 'x' else payment_method end as payment_method)"
            f" from {TABLE}"
        )


def compare(rows: int, repeat: int, ways: list[str]) -> list[dict[str, Any]]:
    """Measure each way `repeat` times, in turn, and keep the quickest run of each."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sales.duckdb"
        print(f"making {rows:,} rows", file=sys.stderr)
        make(path, rows)
        runs: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for number in range(repeat):
            for way in ways:
                print(f"{number + 1} of {repeat}: {way}", file=sys.stderr)
                runs[way].append(_measure_apart(way, path))
    best = {way: min(found, key=lambda run: run["cpu_seconds"]) for way, found in runs.items()}
    return [_figures(way, rows, best) for way in ways]


def _figures(way: str, rows: int, best: dict[str, dict[str, float]]) -> dict[str, Any]:
    baseline = best.get(BASELINES[WAYS[way][0]])
    ratio = best[way]["cpu_seconds"] / baseline["cpu_seconds"] if baseline else None
    figures = {name: round(value, 3) for name, value in best[way].items()}
    return {"way": way, "rules": WAYS[way][0], "rows": rows, **figures, "ratio": ratio and round(ratio, 2)}


def as_markdown(figures: list[dict[str, Any]]) -> str:
    """The figures as a table, for a person."""
    lines = [
        f"{figures[0]['rows']:,} rows, {THREADS} threads\n",
        "| way | rules | seconds | processor seconds | by plain SQL | imports, seconds | peak MB |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for one in figures:
        ratio = "" if one["ratio"] is None else f"{one['ratio']:.2f}"
        times = f"{one['seconds']:.2f} | {one['cpu_seconds']:.2f} | {ratio} | {one['imports']:.2f}"
        lines.append(f"| {one['way']} | {one['rules']} | {times} | {one['peak_mb']:.0f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--way", action="append", choices=list(WAYS), help="only this one; repeat for several")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    parser.add_argument("--markdown", type=Path, help="write the table to this file, too")
    parser.add_argument("--measure", choices=list(WAYS), help=argparse.SUPPRESS)
    parser.add_argument("--file", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.file)))
        return
    figures = compare(options.rows, options.repeat, options.way or list(WAYS))
    print(as_markdown(figures))
    if options.markdown:
        options.markdown.write_text(as_markdown(figures), encoding="utf-8")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
