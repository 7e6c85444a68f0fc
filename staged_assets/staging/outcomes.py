"""What a refresh is to do, what becomes of it, and what it asks of the audit."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from duckdb import DuckDBPyConnection

from staged_assets.checked import Checked, Part
from staged_assets.staging import control


class Audited(Protocol):
    """What an audit says of a batch."""

    @property
    def blocking(self) -> bool:
        """Whether the batch must not be published."""

    @property
    def summary(self) -> str:
        """One sentence, without personal data."""

    @property
    def checked(self) -> Checked:
        """The same as the result of a check."""

    @property
    def rules(self) -> Sequence[Checked]:
        """What was found of each rule."""


class Gate(Protocol):
    """What stands between write and publish (see `validation.gate`)."""

    def released(self, connection: DuckDBPyConnection) -> Mapping[str, int]:
        """Dataset whose held batch a person has released → the last landing id of the batch."""

    def audit(
        self, connection: DuckDBPyConnection, dataset: str, *, upto: int, rules: str, run_id: str, at: datetime
    ) -> Audited:
        """Audit a written candidate."""

    def published(self, connection: DuckDBPyConnection, result: Any, *, upto: int, rules: str, at: datetime) -> None:
        """Learn that an audited candidate is published."""


class TableCheck(Protocol):
    """One check of a published table (see `validation.checks`)."""

    @property
    def name(self) -> str:
        """Unique among the checks of its table."""

    @property
    def description(self) -> str:
        """What must hold, in a sentence."""

    @property
    def reads(self) -> frozenset[str]:
        """The datasets whose published tables it looks at."""

    @property
    def of_time(self) -> bool:
        """Whether its result may change though no table does."""


class TableChecks(Protocol):
    """The checks of the published tables, beside the dbt tests."""

    def of(self, dataset: str) -> Sequence[TableCheck]:
        """The checks of a dataset's table."""

    @property
    def version(self) -> str:
        """Of what the checks are: a result of another one tells nothing of these."""

    @property
    def whole_every(self) -> timedelta:
        """How long the checks of increments may rely on the last look at the whole table."""

    def asked_of_replaced(self, dataset: str, standing: Mapping[str, Checked]) -> Sequence[str]:
        """Columns of the rows that an increment replaces, which its checks will ask for."""

    def refreshes(self, connection: DuckDBPyConnection) -> Any:
        """What the refreshes of all datasets were, read when it is first needed."""

    def evaluate(
        self, connection: DuckDBPyConnection, dataset: str, names: Collection[str], part: Part | None = None,
        audited: Sequence[Checked] = (), refreshes: Any = None,
    ) -> Iterable[Checked]:  # fmt: skip
        """Evaluate some of them; they only read.

        Args:
            part: only this has changed since the standing results were found.
            audited: what an audit of the table, as it is published now, has found of each rule.
            refreshes: as `refreshes` gives it, for a caller that asks for several datasets.
        """


@dataclass(frozen=True)
class State:
    """What a refresh is to do with a dataset.

    Attributes:
        mode: `full` (all of raw), `incremental` (what landed since) or `none`.
        after, upto: landing ids between which rows are new; or are judged again.
        rules: the rule-set version.
        published: the highest landing id that is published, where it is beyond `upto`.
    """

    mode: str
    after: int
    upto: int
    rules: str
    published: int = 0

    @property
    def new_rows(self) -> int:
        """Raw rows that are new, or are judged again."""
        return self.upto - self.after

    @property
    def watermark(self) -> int:
        """How far the dataset is published when this is done."""
        return max(self.upto, self.published)


@dataclass(frozen=True)
class Made:
    """What became of a companion that was to be made.

    Attributes:
        status: published, skipped (something that it is made from was not made) or failed.
        message: why, where it was not published.
    """

    status: str
    message: str = ""
    seconds: float = 0.0


@dataclass
class Outcome:
    """What became of one dataset or companion.

    Attributes:
        name: the model (`stg_sales`, `stg_sales__daily`).
        dataset: the dataset, None for a companion.
        status: published, unchanged, held (by its audit), skipped (something upstream was held or failed), failed.
        message: why, where it was not published.
        counts: of the dataset's raw rows, once published or unchanged.
    """

    name: str
    dataset: str | None
    status: str
    message: str = ""
    mode: str = "none"
    new_rows: int = 0
    seconds: float = 0.0
    watermark: int | None = None
    counts: control.Counts | None = None
    rows: int | None = None
    audit: Audited | None = None
    checks: list[Checked] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether what is published is up to date."""
        return self.status in ("published", "unchanged")
