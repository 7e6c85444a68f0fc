"""One refresh: write the candidates, audit them, publish what passes, move the watermark, verify.

Knows no Dagster. Every step can be repeated: a refresh that was killed anywhere is repaired by the next one.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from duckdb import DuckDBPyConnection

from staged_assets.errors import RefreshError
from staged_assets.landing.layout import DATASETS
from staged_assets.landing.raw_area import max_landing_id, prepare
from staged_assets.landing.warehouse import connect
from staged_assets.settings import Settings
from staged_assets.staging import control
from staged_assets.staging.dbt_runner import DbtRunner, NodeResult
from staged_assets.staging.project import StagingProject

OnProgress = Callable[[str, str], None]


class Audited(Protocol):
    """What an audit says of a batch."""

    @property
    def blocking(self) -> bool:
        """Whether the batch must not be published."""

    @property
    def summary(self) -> str:
        """One sentence, without personal data."""

    def as_dict(self) -> dict[str, Any]:
        """Every rule's result, as plain values."""


class Gate(Protocol):
    """What stands between write and publish (see `validation.gate`)."""

    def released_upto(self, connection: DuckDBPyConnection, dataset: str) -> int | None:
        """The last landing id of a held batch that a person has released."""

    def audit(
        self, connection: DuckDBPyConnection, dataset: str, *, upto: int, rules: str, run_id: str, at: datetime
    ) -> Audited:
        """Audit a written candidate."""

    def published(self, connection: DuckDBPyConnection, result: Any, *, upto: int, rules: str, at: datetime) -> None:
        """Learn that an audited candidate is published."""


@dataclass(frozen=True)
class State:
    """What a refresh is to do with a dataset.

    Attributes:
        mode: `full` (all of raw), `incremental` (what landed since) or `none`.
        after, upto: landing ids between which rows are new.
        rules: the rule-set version.
    """

    mode: str
    after: int
    upto: int
    rules: str

    def variables(self) -> dict[str, Any]:
        """As the dbt project reads it."""
        return {"mode": self.mode, "after": self.after, "upto": self.upto, "rules": self.rules}


@dataclass(frozen=True)
class Check:
    """The result of one dbt test, as an asset check of a model."""

    model: str
    name: str
    status: str
    failures: int
    seconds: float


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
    checks: list[Check] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether what is published is up to date."""
        return self.status in ("published", "unchanged")


class Refresh:
    """The refresh of staged datasets from what has landed.

    Args:
        settings: where the warehouse is.
        formats: source system → how it writes its values (see `sources`).
        feeds: dataset → the systems that feed it.
        gate: audits each batch before it is published; without one nothing is held back.
    """

    def __init__(
        self,
        settings: Settings,
        project: StagingProject,
        formats: Mapping[str, Mapping[str, Any]],
        feeds: Mapping[str, Sequence[str]],
        gate: Gate | None = None,
        on_progress: OnProgress = lambda step, detail: None,
    ) -> None:
        self._settings = settings
        self._project = project
        self._formats = formats
        self._feeds = feeds
        self._gate = gate
        self._on_progress = on_progress
        self._dbt = DbtRunner(project)

    def run(
        self,
        datasets: Collection[str],
        companions: Collection[str],
        *,
        full: Collection[str] = (),
        run_id: str = "",
    ) -> Iterator[Outcome]:
        """Refresh the datasets, then the companions that are made from what changed.

        Args:
            datasets: names from `DATASETS`.
            companions: companion models that may be refreshed.
            full: datasets to refresh from all of raw, whatever the watermark says.
            run_id: recorded with the refresh.

        Yields:
            one outcome for each dataset and companion.
        """
        at = datetime.now(UTC).replace(tzinfo=None)
        plan = self.plan(datasets, full)
        to_do = {name: state for name, state in plan.items() if state.mode != "none"}
        outcomes = {name: self._outcome(name, state) for name, state in plan.items()}
        results: dict[str, NodeResult] = {}

        if to_do:
            self._seed_once()
            results = self._dbt_run("run", to_do, self._written(to_do), phase="write")
            for name, state in to_do.items():
                self._judge_written(name, outcomes[name], results)
                self._judge_audited(name, outcomes[name], state, run_id, at)
        to_publish = {name: to_do[name] for name in to_do if outcomes[name].status == "published"}
        made = self._companions_to_make(companions, outcomes, to_publish)
        if to_publish or made:
            self._mark_full(to_publish)
            published = self._dbt_run("run", to_publish, [*self._published(to_publish), *made], phase="publish")
            for name in to_publish:
                self._judge_published(name, outcomes[name], published)
            for name, result in published.items():
                results[name] = result.after(results.get(name))
        for name in to_do:
            outcomes[name].seconds = sum(r.seconds for n, r in results.items() if n.endswith(f"_{name}"))
        ready = self._finish(outcomes, to_publish, at, run_id)
        for companion in companions:
            outcomes[companion] = self._companion_outcome(companion, ready, outcomes, results)
        self._count_rows(outcomes)
        self._verify(outcomes, ready, at)
        yield from outcomes.values()

    def plan(self, datasets: Collection[str], full: Collection[str] = ()) -> dict[str, State]:
        """What is to be done with each dataset: nothing, where nothing has landed and the rules are the same."""
        with connect(self._settings) as connection:
            prepare(connection)
            control.prepare(connection)
            known = control.watermarks(connection)
            plan = {}
            for name in datasets:
                released = self._gate.released_upto(connection, name) if self._gate else None
                upto = released or max_landing_id(connection, name)
                rules = self._project.rules_version(name, self._formats_of(name))
                watermark = known.get(name)
                if name in full or watermark is None or watermark.rule_set_version != rules:
                    plan[name] = State("full", 0, upto, rules)
                elif upto > watermark.landing_id:
                    plan[name] = State("incremental", watermark.landing_id, upto, rules)
                else:
                    plan[name] = State("none", watermark.landing_id, upto, rules)
            return plan

    def _formats_of(self, dataset: str) -> dict[str, Any]:
        return {system: self._formats[system] for system in self._feeds.get(dataset, ())}

    def _outcome(self, dataset: str, state: State) -> Outcome:
        return Outcome(
            name=f"stg_{dataset}",
            dataset=dataset,
            status="unchanged" if state.mode == "none" else "published",
            mode=state.mode,
            new_rows=state.upto - state.after,
            watermark=state.upto,
        )

    def _seed_once(self) -> None:
        """Load the reference data, unless it is there as this state of the project has it."""
        with connect(self._settings) as connection:
            connection.execute("create table if not exists control.reference (fingerprint varchar not null)")
            row = connection.execute("select fingerprint from control.reference").fetchone()
        if row and row[0] == self._project.fingerprint:
            return
        self._on_progress("reference data", "loading")
        failed = [
            r for r in self._dbt.run("seed --full-refresh", ["resource_type:seed"], {}).values() if not r.succeeded
        ]
        if failed:
            raise RefreshError(f"The reference data {failed[0].name} could not be loaded: {failed[0].message}")
        with connect(self._settings) as connection:
            connection.execute("begin; delete from control.reference")
            connection.execute("insert into control.reference values (?)", [self._project.fingerprint])
            connection.execute("commit")

    def _dbt_run(
        self, command: str, states: Mapping[str, State], select: Sequence[str], *, phase: str
    ) -> dict[str, NodeResult]:
        variables = {
            "sources": self._formats,
            "refresh": {name: state.variables() for name, state in states.items()},
            "phase": phase,
        }
        return self._dbt.run(command, select, variables, lambda node, status: self._on_progress(phase, node))

    def _written(self, datasets: Collection[str]) -> list[str]:
        return [
            model
            for name in datasets
            for model in (
                f"base_{name}",
                f"dispositions_{name}",
                f"stg_{name}",
                *self._audited_companions(name),
            )
        ]

    def _published(self, datasets: Collection[str]) -> list[str]:
        return [
            model
            for name in datasets
            for model in (
                f"dispositions_{name}", f"stg_{name}", f"quarantine_{name}", *self._audited_companions(name),
            )
        ]  # fmt: skip

    def _audited_companions(self, dataset: str) -> list[str]:
        """Companions that are written and published with their dataset, key by key."""
        models = self._project.models()
        return [
            name
            for name in models
            if name.startswith(f"stg_{dataset}__") and models[name]["config"]["materialized"] == "audited"
        ]

    def _judge_written(self, name: str, outcome: Outcome, results: Mapping[str, NodeResult]) -> None:
        self._note_failure(outcome, results, self._written([name]))

    def _judge_audited(self, name: str, outcome: Outcome, state: State, run_id: str, at: datetime) -> None:
        if self._gate is None or outcome.status != "published":
            return
        self._on_progress("audit", outcome.name)
        with connect(self._settings) as connection:
            result = self._gate.audit(connection, name, upto=state.upto, rules=state.rules, run_id=run_id, at=at)
        outcome.audit = result
        if result.blocking:
            outcome.status, outcome.message = "held", result.summary

    def _judge_published(self, name: str, outcome: Outcome, results: Mapping[str, NodeResult]) -> None:
        self._note_failure(outcome, results, self._published([name]))

    @staticmethod
    def _note_failure(outcome: Outcome, results: Mapping[str, NodeResult], models: Sequence[str]) -> None:
        for model in models:
            result = results.get(model)
            if result is None or not result.succeeded:
                outcome.status = "failed"
                outcome.message = f"{model}: {result.message if result else 'was not run'}"
                return

    def _mark_full(self, states: Mapping[str, State]) -> None:
        with connect(self._settings) as connection:
            for name, state in states.items():
                if state.mode == "full":
                    control.forget_watermark(connection, name)

    def _companions_to_make(
        self, companions: Collection[str], outcomes: Mapping[str, Outcome], published: Collection[str]
    ) -> list[str]:
        """Those that are made from something that is to be published now and from nothing that can't be."""
        with connect(self._settings, read_only=True) as connection:
            ready = set(control.watermarks(connection)) | set(published)
            missing = {c for c in companions if not control.table_exists(connection, "staged", c)}
        audited = {model for name in DATASETS for model in self._audited_companions(name)}
        return [
            companion
            for companion in companions
            if companion not in audited
            and self._project.companions[companion] <= ready
            and (companion in missing or self._project.companions[companion] & set(published))
            and all(outcomes[d].good for d in self._project.companions[companion] if d in outcomes)
        ]

    def _finish(
        self, outcomes: Mapping[str, Outcome], published: Mapping[str, State], at: datetime, run_id: str
    ) -> Collection[str]:
        """Move the watermarks, last; count, and record the refresh.

        Returns:
            the datasets that are published, now or before.
        """
        with connect(self._settings) as connection:
            for name, state in published.items():
                if outcomes[name].good:
                    control.set_watermark(connection, name, control.Watermark(state.upto, state.rules, at))
                    if self._gate:
                        audit = outcomes[name].audit
                        self._gate.published(connection, audit, upto=state.upto, rules=state.rules, at=at)
            for name, outcome in outcomes.items():
                outcome.counts = control.count(connection, name)
                entry = control.DatasetRefresh(
                    name, at, outcome.mode, outcome.status, outcome.message, outcome.new_rows, outcome.seconds
                )
                control.record_refresh(connection, entry, run_id, outcome.counts)
            return control.watermarks(connection)

    def _companion_outcome(
        self, companion: str, ready: Collection[str], outcomes: Mapping[str, Outcome], results: Mapping[str, NodeResult]
    ) -> Outcome:
        outcome = Outcome(companion, None, "unchanged")
        made_from = self._project.companions[companion]
        missing = [d for d in sorted(made_from) if d not in ready or (d in outcomes and not outcomes[d].good)]
        result = results.get(companion)
        if missing:
            outcome.status, outcome.message = "skipped", f"stg_{missing[0]} is not published"
        elif result is not None:
            outcome.status = result.outcome
            outcome.seconds = result.seconds
            outcome.message = "" if result.succeeded else result.message or "what it is made from failed"
        return outcome

    def _count_rows(self, outcomes: Mapping[str, Outcome]) -> None:
        with connect(self._settings, read_only=True) as connection:
            for outcome in outcomes.values():
                if outcome.good:
                    outcome.rows = control.rows(connection, outcome.name)

    def _verify(self, outcomes: Mapping[str, Outcome], ready: Collection[str], at: datetime) -> None:
        """Run the dbt tests of what was published now; not those against what was never published."""
        by_model = {outcome.name: outcome for outcome in outcomes.values() if outcome.status == "published"}
        tests = {
            test.name: test for test in self._project.tests() if test.model in by_model and test.datasets <= set(ready)
        }
        if not tests:
            return
        self._on_progress("verify", f"{len(tests)} checks")
        results = self._dbt_run("test", {}, list(tests), phase="all")
        records = []
        for name, result in results.items():
            outcome = by_model[tests[name].model]
            if not result.succeeded:
                outcome.status, outcome.message = "failed", f"check {name} could not run: {result.message}"
                continue
            status = {"pass": "passed", "warn": "warned"}.get(result.status, "failed")
            outcome.checks.append(Check(outcome.name, name, status, result.failures or 0, result.seconds))
            records.append((outcome.name.removeprefix("stg_").split("__")[0], name, status))
        with connect(self._settings) as connection:
            control.record_checks(connection, records, at)
