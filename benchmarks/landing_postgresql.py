"""Landing from PostgreSQL into a warehouse on disk, beside `COPY … TO STDOUT` of the same table in the same run.

    .venv/bin/python -m benchmarks.landing_postgresql [rows]

Prints one JSON object: rows, seconds and rows/s of both, and the landing's peak memory in MB.
"""

import resource
import tempfile
import time
from pathlib import Path
from typing import Any

# The driver brings pandas with it, which takes seconds to import; the command has imported that anyway.
import adbc_driver_postgresql.dbapi  # noqa: F401
import yaml

from benchmarks.command import finish, parser
from staged_assets.landing.land import land_feed
from staged_assets.landing.raw_area import prepare
from staged_assets.landing.warehouse import connect
from staged_assets.sources.config import load_sources
from staged_assets_tests.postgres import running_server

_TABLE = """
create table sale (
    sale_no int primary key, sold_on date, shop_no int, customer_no int, article text, pieces int,
    amount numeric(12, 2), changed_at timestamptz
)"""
_ROWS = """
insert into sale
select n, date '2024-01-01' + n % 365, n % 200, n % 50000, 'article ' || n % 9000, n % 7 + 1, n % 10000 * 1.01,
    timestamptz '2024-01-01 00:00Z' + n * interval '3 seconds'
from generate_series(1, {rows}) n"""
_FEED = {
    "dataset": "sales",
    "from": "sale",
    "key": ["sale_no"],
    "updated_at": "changed_at",
    "columns": {
        "sale_id": "sale_no",
        "sale_date": "sold_on",
        "shop_id": "shop_no",
        "consumer_id": "customer_no",
        "item_id": "article",
        "quantity": "pieces",
        "total_price": "amount",
    },
}


class _Count:
    """Counts bytes."""

    size = 0

    def write(self, content: bytes) -> None:
        """Count them."""
        self.size += len(content)


def measure(rows: int) -> dict[str, Any]:
    """Make the table, copy it out, land it."""
    with running_server() as server, tempfile.TemporaryDirectory() as folder:
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(_TABLE)
            cursor.execute(_ROWS.format(rows=rows))
            cursor.execute("analyze sale")
            connection.commit()
            started = time.perf_counter()
            cursor.copy_expert("copy sale to stdout", _Count())
            copied = time.perf_counter() - started
        connection.close()
        system = {
            "connector": "database",
            "connection": {"url": f"postgresql://{server.user}@{server.host}:{server.port}/postgres"},
            "feeds": [_FEED],
        }
        content = {"version": 1, "defaults": {"owner": "owner@example.com"}, "systems": {"erp": system}}
        path = Path(folder) / "sources.yaml"
        path.write_text(yaml.safe_dump(content))
        sources = load_sources(path)
        with connect(Path(folder) / "warehouse.duckdb") as warehouse:
            prepare(warehouse)
            landed = land_feed(warehouse, sources, "erp", sources.systems["erp"].feeds[0])
            again = land_feed(warehouse, sources, "erp", sources.systems["erp"].feeds[0])
    return {
        "rows": landed.landed,
        "copy_seconds": round(copied, 2),
        "copy_rows_per_second": round(rows / copied),
        "landing_seconds": round(landed.seconds, 2),
        "landing_rows_per_second": round(landed.landed / landed.seconds),
        "nothing_new_seconds": round(again.seconds, 2),
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main() -> None:
    """The command."""
    given = parser(__doc__)
    given.add_argument("rows", type=int, nargs="?", default=1_000_000)
    options = given.parse_args()
    finish(options, measure(options.rows))


if __name__ == "__main__":
    main()
