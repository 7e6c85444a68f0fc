"""What became of a check: of a dbt test, a rule of a schema, an audit. Knows no engine and no Dagster."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["passed", "warned", "failed"]

#: The check that the last batch of a dataset passed its audit.
AUDITED = "batch__audited"

_WORST_FIRST = ("failed", "warned", "passed")


@dataclass(frozen=True)
class Checked:
    """The result of one check, with what a person needs to act on it and no personal data.

    Attributes:
        name: the check's, unique among those of its table.
        status: a warning does not fail a refresh.
        failing: rows that break the rule; None where that could not be counted.
        rows: that were looked at.
        seconds: taken.
        column: that the rule is about, if it is about one.
        message: one sentence with the numbers.
        sample: a few failing rows, each with its `raw_row_id` where it has one.
        query: SQL that gives all failing rows.
        rules: the results that this one sums up.
    """

    name: str
    status: Status
    failing: int | None
    rows: int
    seconds: float
    column: str | None = None
    message: str = ""
    sample: tuple[Mapping[str, str], ...] = ()
    query: str = ""
    rules: tuple["Checked", ...] = ()

    @property
    def share(self) -> float:
        """Failing rows by rows looked at, 0 to 1."""
        return (self.failing or 0) / self.rows if self.rows else 0.0

    @property
    def worst(self) -> "Checked":
        """Of the rules that it sums up the one that fails most gravely; itself, where it sums up none or all hold."""
        failing = [rule for rule in self.rules if rule.status != "passed"]
        return min(failing, key=lambda rule: (_WORST_FIRST.index(rule.status), -rule.share), default=self)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Checked":
        """The same again."""
        rules = tuple(map(cls.from_dict, values["rules"]))
        return cls(**{**values, "rules": rules, "sample": tuple(values["sample"])})


@dataclass(frozen=True)
class Part:
    """What an increment has changed of a published table, for the checks of that table.

    Attributes:
        rows: a relation: the changed rows, as they are now.
        replaced: a relation: the rows that stood in their place, with the columns that were asked for; None where no
            row did.
        after, upto: landing ids between which raw rows are new, or were judged again.
        watermark: the highest landing id that is published.
        dispositions: disposition → raw rows of the whole dataset, as counted increment by increment; None where they
            were not.
        standing: check → its result before the increment.
    """

    rows: str
    replaced: str | None
    after: int
    upto: int
    watermark: int
    dispositions: Mapping[str, int] | None
    standing: Mapping[str, Checked]


def summed_up(name: str, rules: tuple[Checked, ...]) -> Checked:
    """One result for several rules of a table, which are evaluated together: as grave as the gravest of them."""
    failing = [rule for rule in rules if rule.status != "passed"]
    status: Status = min((rule.status for rule in rules), key=_WORST_FIRST.index, default="passed")
    message = "; ".join(f"{rule.name}: {rule.message}" for rule in failing) or f"{len(rules)} rules hold"
    return Checked(
        name,
        status,
        failing=sum(rule.failing or 0 for rule in failing),
        rows=max((rule.rows for rule in rules), default=0),
        # Rules that were counted together share their query's time.
        seconds=max((rule.seconds for rule in rules), default=0.0),
        message=message,
        rules=rules,
    )
