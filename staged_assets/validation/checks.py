"""The checks of the published tables, as a refresh (or a person, from the web UI) runs them. They only read."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from duckdb import DuckDBPyConnection

from staged_assets.checked import Checked, Part, Status, summed_up
from staged_assets.landing.layout import DATASETS
from staged_assets.validation.batch import batch_rules
from staged_assets.validation.config import ValidationSettings
from staged_assets.validation.registry import rules_fingerprint
from staged_assets.validation.results import RuleResult
from staged_assets.validation.table_checks import (
    CONTRACT,
    FRESHNESS,
    REFERENCES,
    Refreshes,
    check_table,
    other_rules,
    published_rules,
)

__all__ = ["CONTRACT", "TableCheck", "TableChecks", "checked", "status"]


@dataclass(frozen=True)
class TableCheck:
    """One check of a published table.

    Attributes:
        name: unique among the checks of its table.
        description: what must hold, in a sentence.
        reads: the datasets whose published tables it looks at.
        of_time: whether its result may change though no table does.
    """

    name: str
    description: str
    reads: frozenset[str]
    of_time: bool = False


class TableChecks:
    """The checks of the fourteen published tables.

    The rules of a schema are evaluated in one scan and make one check, the contract: as many checks as there are rules
    would cost a refresh more than the refresh itself, in events alone.

    Args:
        settings: severities and thresholds.
        personal: model → columns whose values no result shows.
        home: where the list of rules is kept, so that Pandera is not imported for it.

    Raises:
        ConfigurationError: a rule is configured that there is not.
    """

    def __init__(self, settings: ValidationSettings, personal: Mapping[str, Collection[str]], home: Path) -> None:
        rules = {dataset: [rule.name for rule in published_rules(dataset, home)] for dataset in DATASETS}
        settings.refuse_unknown_rules({d: [*rules[d], *(rule.name for rule in batch_rules(d))] for d in DATASETS})
        self._settings = settings
        self._personal = personal
        self._home = home
        self._rules = {d: set(rules[d]) - {rule.name for rule in other_rules(d)} for d in DATASETS}

    def of(self, dataset: str) -> list[TableCheck]:
        """The checks of a dataset's table."""
        parents = {f"{column}__in_{parent}": parent for column, parent in REFERENCES.get(dataset, ())}
        contract = TableCheck(
            CONTRACT,
            f"All {len(self._rules[dataset])} rules of the schema hold of the whole table.",
            frozenset([dataset]),
        )
        return [
            contract,
            *(
                TableCheck(
                    rule.name,
                    f"{rule.description[0].upper()}{rule.description[1:]}.",
                    frozenset([dataset, *([parents[rule.name]] if rule.name in parents else [])]),
                    of_time=rule.name == FRESHNESS,
                )
                for rule in other_rules(dataset)
            ),
        ]

    @property
    def version(self) -> str:
        """Of the rules and of how they are evaluated."""
        return rules_fingerprint()

    @property
    def whole_every(self) -> timedelta:
        """How long the checks of increments may rely on the last look at the whole table."""
        return timedelta(hours=self._settings.whole_every_hours)

    def asked_of_replaced(self, dataset: str, standing: Mapping[str, Checked]) -> list[str]:
        """Columns of the rows that an increment replaces: all, where some of them may break a rule of the schema."""
        contract = standing.get(CONTRACT)
        if contract is not None and any(rule.failing for rule in contract.rules):
            return ["*"]
        return [column for column, _ in REFERENCES.get(dataset, ())]

    def refreshes(self, connection: DuckDBPyConnection) -> Refreshes:
        """What the refreshes of all datasets were."""
        return Refreshes(connection).read()

    def evaluate(
        self, connection: DuckDBPyConnection, dataset: str, names: Collection[str], part: Part | None = None,
        audited: Sequence[Checked] = (), refreshes: Refreshes | None = None,
    ) -> Iterator[Checked]:  # fmt: skip
        """Evaluate these checks of a dataset's published table.

        Args:
            part: only this has changed since the standing results, which there are of all these checks.
            audited: what an audit of the table, as it is published now, has found of each rule of its schema.
            refreshes: as `refreshes` gives it, for a caller that asks for several datasets.

        Raises:
            WarehouseError: the table was never published.
            duckdb.Error: the engine could not do it, which says nothing about the data.
        """
        others = {rule.name for rule in other_rules(dataset)}
        wanted = self._rules[dataset] | others & set(names)
        if CONTRACT not in names or audited:
            wanted &= others
        started = time.perf_counter()
        results = check_table(
            connection,
            dataset,
            self._settings,
            personal=self._personal.get(f"stg_{dataset}"),
            now=datetime.now(UTC).replace(tzinfo=None),
            names=wanted,
            part=part,
            home=self._home,
            refreshes=refreshes,
        )
        of_others = [checked(result) for result in results if result.rule.name in others]
        if CONTRACT in names and audited:
            yield summed_up(CONTRACT, tuple(one for one in audited if one.name in self._rules[dataset]))
        elif CONTRACT in names:
            seconds = time.perf_counter() - started - sum(one.seconds for one in of_others)
            of_schema = tuple(checked(result) for result in results if result.rule.name not in others)
            yield replace(summed_up(CONTRACT, of_schema), seconds=seconds)
        yield from of_others


def checked(result: RuleResult) -> Checked:
    """A rule's result, as the result of a check."""
    return Checked(
        result.rule.name,
        status(result),
        failing=result.failing,
        rows=result.looked_at,
        seconds=result.seconds,
        column=result.rule.column,
        message=result.message,
        sample=result.sample,
        query=result.query,
    )


def status(result: RuleResult) -> Status:
    """A rule that does not hold fails or warns, as its severity says."""
    if result.passed:
        return "passed"
    return "failed" if result.rule.severity == "error" else "warned"
