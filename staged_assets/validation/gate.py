"""The gate between write and publish, as a refresh uses it."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from duckdb import DuckDBPyConnection

from staged_assets.validation import batch, holding
from staged_assets.validation.audit import AuditResult, audit
from staged_assets.validation.config import ValidationSettings


class AuditGate:
    """Audits every batch; holds back what must not be published, unless a person has released it.

    Args:
        settings: which rules block, and their thresholds.
        personal: model → columns whose values no result shows.
        home: see `schema_rules`.
    """

    def __init__(
        self, settings: ValidationSettings, personal: Mapping[str, Collection[str]], home: Path | None = None
    ) -> None:
        self._settings = settings
        self._personal = personal
        self._home = home

    def released(self, connection: DuckDBPyConnection) -> dict[str, int]:
        """Dataset with a batch that was released and is to be published → the last landing id of the batch."""
        holding.prepare(connection)
        found = {name: holding.pending_release(connection, name) for name in holding.all_held(connection)}
        return {name: release.upto for name, release in found.items() if release}

    def audit(
        self, connection: DuckDBPyConnection, dataset: str, *, upto: int, rules: str, run_id: str, at: datetime
    ) -> AuditResult:
        """Audit the candidate of a dataset; a blocking result is remembered as held.

        Args:
            upto: the highest landing id in the batch.
            rules: the rule-set version that it was staged by.
            at: time of the refresh, UTC.

        Raises:
            duckdb.Error: the engine could not do it, which says nothing about the data.
        """
        holding.prepare(connection)
        personal = self._personal.get(f"stg_{dataset}")
        result = audit(connection, dataset, settings=self._settings, personal=personal, home=self._home)
        if not result.blocking:
            return result
        release = holding.pending_release(connection, dataset)
        if release is not None and (release.upto, release.rule_set_version) == (upto, rules):
            return replace(result, released=release)
        holding.hold(
            connection,
            dataset,
            run_id=run_id,
            at=at,
            upto=upto,
            rule_set_version=rules,
            message=result.summary,
            rules=[one.as_dict() for one in result.failed],
        )
        return result

    def published(
        self, connection: DuckDBPyConnection, result: AuditResult, *, upto: int, rules: str, at: datetime
    ) -> None:
        """What was audited is published: nothing of it is held any more, and it becomes part of the history."""
        keep = self._settings.of(result.dataset).batch.history
        batch.record(connection, result.dataset, result.profiles, upto=upto, at=at, keep=keep)
        holding.clear(connection, result.dataset, upto=upto, rule_set_version=rules, at=at)
