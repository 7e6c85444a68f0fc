"""The audit: a batch is validated between being written and being published, and held back if it must be."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from staged_assets.checked import AUDITED, Checked, Status, summed_up
from staged_assets.validation import batch, holding
from staged_assets.validation.checks import checked
from staged_assets.validation.config import ValidationSettings, load_validation
from staged_assets.validation.masking import Mask
from staged_assets.validation.registry import schema_rules
from staged_assets.validation.results import Rule, RuleResult
from staged_assets.validation.scan import scan_of


@dataclass(frozen=True)
class AuditResult:
    """What became of a batch's audit.

    Attributes:
        relation: what was audited.
        rows: of it.
        results: one for each rule.
        seconds: taken.
        profiles: source system → what the batch was like.
        released: the person's decision by which it is published all the same.
    """

    dataset: str
    relation: str
    rows: int
    results: tuple[RuleResult, ...]
    seconds: float
    profiles: Mapping[str, batch.Profile] = field(default_factory=dict)
    released: holding.Release | None = None

    @property
    def failed(self) -> list[RuleResult]:
        """The results of rules that do not hold, those that block first."""
        return sorted((result for result in self.results if not result.passed), key=lambda one: not one.blocking)

    @property
    def blocking(self) -> bool:
        """Whether the batch must not be published."""
        return self.released is None and any(result.blocking for result in self.results)

    @property
    def summary(self) -> str:
        """One sentence, without personal data."""
        name = f"stg_{self.dataset}"
        blocking = [result for result in self.failed if result.blocking]
        if not blocking:
            warnings = f", {len(self.failed)} with a warning" if self.failed else ""
            return f"{name}: {len(self.results)} rules hold of {self.rows} rows{warnings}."
        first, more = blocking[0], len(blocking) - 1
        others = f" and {more} other rule{'s' if more > 1 else ''}" if more else ""
        if self.released:
            return (
                f"{name} is published against {first.rule.name}{others}, released by {self.released.released_by}:"
                f" {self.released.reason}."
            )
        return f"{name} is held back by {first.rule.name}{others}: {first.message}."

    @property
    def rules(self) -> list[Checked]:
        """What was found of each rule; the audited rows are those of the published table, once they are published."""
        published = (
            replace(one, query=one.query.replace(self.relation, f"staged.stg_{self.dataset}")) for one in self.results
        )
        return [checked(result) for result in published]

    @property
    def checked(self) -> Checked:
        """As a check of the dataset. What a schema warns of is told by the check of the whole table."""
        of_batch = {rule.name for rule in batch.batch_rules(self.dataset)}
        warned = self.released or any(result.rule.name in of_batch for result in self.failed)
        status: Status = "failed" if self.blocking else "warned" if warned else "passed"
        told = [result for result in self.results if self.blocking or warned or result.passed]
        found = summed_up(AUDITED, tuple(map(checked, told)))
        return replace(found, status=status, rows=self.rows, seconds=self.seconds, message=self.summary)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON: the numbers, and each rule that does not hold."""
        return {
            "dataset": self.dataset,
            "relation": self.relation,
            "rows": self.rows,
            "blocking": self.blocking,
            "summary": self.summary,
            "seconds": round(self.seconds, 4),
            "released_by": self.released.released_by if self.released else None,
            "rules": len(self.results),
            "failed": [result.as_dict() for result in self.failed],
        }


def audit(
    connection: DuckDBPyConnection,
    dataset: str,
    *,
    relation: str | None = None,
    settings: ValidationSettings | None = None,
    personal: Collection[str] | None = None,
    home: Path | None = None,
) -> AuditResult:
    """Validate a batch before it is published. Writes nothing.

    Args:
        relation: a table with the dataset's columns; by default the candidate, `staged.stg_<dataset>__candidate`, which
            is then also judged as a batch, with `staged.dispositions_<dataset>__candidate`.
        settings: by default the shipped ones.
        personal: columns whose values are masked in samples; by default every column.
        home: see `schema_rules`.

    Raises:
        duckdb.Error: the engine could not do it, which says nothing about the data.
    """
    started = time.perf_counter()
    settings = settings or load_validation()
    own = settings.of(dataset)
    rules = {rule.name: rule for rule in own.applied(schema_rules(home)[dataset])}
    table = relation or f"staged.stg_{dataset}__candidate"
    results = scan_of(dataset, home).evaluate(connection, table, rules, mask=Mask(personal), sample=settings.sample)
    found: dict[str, batch.Profile] = {}
    if relation is None:
        counting = time.perf_counter()
        found = batch.profiles(connection, dataset, _published_upto(connection, dataset))
        before = batch.history(connection, dataset, own.batch.history) if holding.is_prepared(connection) else {}
        batch_rules = own.applied(batch.batch_rules(dataset))
        judged = batch.judge(connection, dataset, found, before, batch_rules, own.batch, settings.sample)
        seconds = time.perf_counter() - counting
        results += [replace(result, seconds=seconds) for result in judged]
    return AuditResult(
        dataset, table, results[0].looked_at, tuple(results), time.perf_counter() - started, profiles=found
    )


def rules_of_audit(dataset: str) -> list[Rule]:
    """Every rule that an audit of the dataset evaluates."""
    return [*schema_rules()[dataset], *batch.batch_rules(dataset)]


def _published_upto(connection: DuckDBPyConnection, dataset: str) -> int:
    """The landing id after which rows are new: 0 where the dataset was not published, or by other rules."""
    row = connection.execute(
        f"""
        select max(watermarks.landing_id) from control.watermarks
        where watermarks.dataset = ? and watermarks.rule_set_version = (
            select any_value(_rule_set_version) from staged.dispositions_{dataset}__candidate
        )
        """,
        [dataset],
    ).fetchone()
    return int(row[0]) if row and row[0] is not None else 0
