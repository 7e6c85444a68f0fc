"""Batches by hand: what the write phase of a refresh leaves of offers, for an audit to look at."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import duckdb

from staged_assets.staging import control
from staged_assets.validation.audit import AuditResult
from staged_assets.validation.config import ValidationSettings, load_validation
from staged_assets.validation.gate import AuditGate
from staged_assets_tests.validation import good_rows

DATASET = "offers"
RULES = "rules-1"
NOON = datetime(2026, 3, 2, 12)

_DISPOSITIONS = """
create or replace table staged.dispositions_offers__candidate (
    _raw_row_id varchar, _landing_id bigint, _source_system varchar, _key bigint, disposition varchar,
    _reject_reasons struct(code varchar, "column" varchar, raw_value varchar)[], _rule_set_version varchar
)
"""


class Batches:
    """A warehouse with a candidate of offers in it, and the gate before its publication."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, settings: ValidationSettings) -> None:
        self.connection = connection
        self.gate = AuditGate(settings, {"stg_offers": frozenset({"terms"})})
        self._landed = 0
        self._now = NOON
        connection.execute("create schema raw")
        control.prepare(connection)
        good_rows.create(connection, DATASET, "staged.stg_offers__candidate", rows=1)
        self.write(0, 0)

    def write(self, sound: int, rejected: int, *, system: str = "crm", keys_from: int = 1) -> None:
        """A new candidate: so many sound rows, and rejected ones after them, all of them new.

        The keys are numbered from `keys_from`, the rejected rows' after the sound ones'.
        """
        self.connection.execute("drop table staged.stg_offers__candidate")
        good_rows.create(self.connection, DATASET, "staged.stg_offers__candidate", rows=max(sound, 1), sparse=False)
        self.connection.execute(f"delete from staged.stg_offers__candidate where offer_id > {sound}")
        self.connection.execute(
            "update staged.stg_offers__candidate set _source_system = ?, offer_id = offer_id + ?",
            [system, keys_from - 1],
        )
        self.connection.execute(_DISPOSITIONS)
        self.add("staged", sound, system, keys_from)
        self.add("rejected", rejected, system, keys_from + sound)

    def add(self, disposition: str, rows: int, system: str = "crm", keys_from: int = 1) -> None:
        """Further rows of the batch's dispositions, which landed after the others."""
        reasons = "[{'code': 'unparseable', 'column': 'valid_from', 'raw_value': '31/12/2026'}]"
        self.connection.execute(
            f"""
            insert into staged.dispositions_offers__candidate
            select
                md5(i::varchar), {self._landed} + i, '{system}', {keys_from} + i - 1, '{disposition}',
                {reasons if disposition == "rejected" else "[]"}, '{RULES}'
            from range(1, {rows} + 1) as numbers(i)
            """
        )
        self._landed += rows

    def sql(self, statement: str) -> None:
        """Change the candidate."""
        self.connection.execute(statement)

    def audit(self, rules: str = RULES) -> AuditResult:
        """What the gate says of the candidate."""
        return self.gate.audit(
            self.connection, DATASET, upto=self._landed, rules=rules, run_id="run-1", at=self._tick()
        )  # fmt: skip

    def publish(self) -> AuditResult:
        """Audit and publish the candidate, which must pass."""
        result = self.audit()
        assert not result.blocking, result.summary
        self.gate.published(self.connection, result, upto=self._landed, rules=RULES, at=self._tick())
        control.set_watermark(self.connection, DATASET, control.Watermark(self._landed, RULES, self._now))
        return result

    def _tick(self) -> datetime:
        self._now += timedelta(minutes=1)
        return self._now


@contextmanager
def batches(settings: ValidationSettings | None = None) -> Iterator[Batches]:
    """A new warehouse in memory."""
    with duckdb.connect() as connection:
        yield Batches(connection, settings or load_validation())
