"""Published tables by hand, with their raw rows and dispositions."""

from datetime import datetime
from typing import Any

import duckdb

from staged_assets.landing.raw_area import prepare
from staged_assets.staging import control
from staged_assets.validation.config import load_validation
from staged_assets.validation.results import RuleResult
from staged_assets.validation.table_checks import check_table
from staged_assets_tests.validation import good_rows

NOW = datetime(2026, 3, 2, 12)
ROWS = 30


class Published:
    """A warehouse with published tables in it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        prepare(connection)
        control.prepare(connection)

    def publish(self, dataset: str) -> None:
        """Good rows, one raw row and one disposition for each; the last five raw rows are rejected."""
        table = f"staged.stg_{dataset}"
        good_rows.create(self.connection, dataset, table, rows=ROWS, sparse=False)
        rejected = "i > 30"
        self.connection.execute(
            f"""
            insert into raw.{dataset} (_raw_row_id, _landing_id, _source_system, _landed_at, _operation)
            select md5(i::varchar), i, 'crm', timestamp '2026-03-02', 'upsert' from range(1, 36) as numbers(i);
            create table staged.dispositions_{dataset} as
            select
                md5(i::varchar) as _raw_row_id, i as _landing_id, 'crm' as _source_system, i as _key,
                case when {rejected} then 'rejected' else 'staged' end as disposition,
                case when {rejected} then [{{'code': 'missing', 'column': 'x', 'raw_value': 'Ada Nguyễn'}}] else [] end
                    as _reject_reasons
            from range(1, 36) as numbers(i);
            insert into control.watermarks values ('{dataset}', 35, 'rules', timestamp '2026-03-02');
            """
        )

    def refreshed(self, dataset: str, times: list[tuple[datetime, int]], mode: str = "incremental") -> None:
        for at, new_rows in times:
            entry = control.DatasetRefresh(dataset, at, mode, "published", "", new_rows, 1.0)
            control.record_refreshes(self.connection, [(entry, control.Counts(0, 0, 0, 0, 0, 0, 0, {}))], "run")

    def check(self, dataset: str, name: str, **settings: Any) -> RuleResult:
        (result,) = check_table(
            self.connection, dataset, load_validation(**settings), personal=(), now=NOW, names=[name]
        )  # fmt: skip
        return result
