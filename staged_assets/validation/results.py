"""What a rule is, and what became of it on a table. Knows neither Pandera nor an engine."""

from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["error", "warn"]


@dataclass(frozen=True)
class Rule:
    """One rule of a dataset.

    Attributes:
        dataset: one of the fourteen.
        name: stable: `<column>__<rule>`, or `table__<rule>`, `batch__<rule>` where it is about all columns.
        column: the column that it is about, None for the table.
        severity: `error` holds a batch back, `warn` does not.
        description: what must hold, in a line.
        at_most: of an expectation, the share of rows that it allows for.
    """

    dataset: str
    name: str
    column: str | None
    severity: Severity
    description: str
    at_most: float | None = None

    @property
    def model(self) -> str:
        """The table that it is about."""
        return f"stg_{self.dataset}"


def rule(dataset: str, name: str, description: str, severity: Severity = "error", at_most: float | None = None) -> Rule:
    """A rule whose name says which column it is about."""
    subject = name.split("__")[0]
    return Rule(dataset, name, None if subject in ("table", "batch") else subject, severity, description, at_most)


@dataclass(frozen=True)
class RuleResult:
    """What became of a rule on a table.

    Attributes:
        passed: whether it holds.
        failing: rows (of an expectation: rows counted) that break it; None where it could not be evaluated.
        looked_at: rows.
        seconds: of the query that counted it; rules that were counted together share it.
        sample: at most so many failing rows as were asked for, as {"raw_row_id": …, column: masked value}.
        query: SQL that gives all failing rows.
        message: one sentence with the numbers.
    """

    rule: Rule
    passed: bool
    failing: int | None
    looked_at: int
    seconds: float
    sample: tuple[dict[str, str], ...] = ()
    query: str = ""
    message: str = ""

    @property
    def share(self) -> float:
        """Failing rows by rows looked at, 0 to 1."""
        return (self.failing or 0) / self.looked_at if self.looked_at else 0.0

    @property
    def blocking(self) -> bool:
        """Whether it keeps a batch from being published."""
        return not self.passed and self.rule.severity == "error"

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; without the sample's personal data, which was never in it."""
        return {
            "rule": self.rule.name,
            "column": self.rule.column,
            "severity": self.rule.severity,
            "description": self.rule.description,
            "passed": self.passed,
            "failing": self.failing,
            "looked_at": self.looked_at,
            "share": self.share,
            "seconds": round(self.seconds, 4),
            "sample": list(self.sample),
            "query": self.query,
            "message": self.message,
        }
