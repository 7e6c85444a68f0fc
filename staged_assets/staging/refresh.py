"""One refresh: write the candidates, audit them, publish what passes, move the watermark, verify.

Knows no Dagster. Every step can be repeated: a refresh that was killed anywhere is repaired by the next one.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection

from staged_assets.errors import RefreshError, without_values
from staged_assets.landing.layout import DATASETS
from staged_assets.landing.raw_area import max_landing_id, prepare
from staged_assets.landing.warehouse import connect
from staged_assets.settings import Settings
from staged_assets.staging import control
from staged_assets.staging.dbt_runner import DbtRunner, NodeResult
from staged_assets.staging.outcomes import Gate, Outcome, State, TableChecks
from staged_assets.staging.project import StagingProject
from staged_assets.staging.verify import Verification, Verified

OnProgress = Callable[[str, str], None]


class Refresh:
    """The refresh of staged datasets from what has landed.

    Args:
        settings: where the warehouse is.
        formats: source system → how it writes its values (see `sources`).
        feeds: dataset → the systems that feed it.
        gate: audits each batch before it is published; without one nothing is held back.
        checks: of the published tables, beside the dbt tests.
    """

    def __init__(
        self,
        settings: Settings,
        project: StagingProject,
        formats: Mapping[str, Mapping[str, Any]],
        feeds: Mapping[str, Sequence[str]],
        gate: Gate | None = None,
        on_progress: OnProgress = lambda step, detail: None,
        checks: TableChecks | None = None,
    ) -> None:
        self._settings = settings
        self._project = project
        self._formats = formats
        self._feeds = feeds
        self._gate = gate
        self._on_progress = on_progress
        self._checks = checks
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
            self._seed_once()
            self._mark_full(to_publish)
            published = self._dbt_run("run", to_publish, [*self._published(to_publish), *made], phase="publish")
            for name in to_publish:
                self._judge_published(name, outcomes[name], published)
            for name, result in published.items():
                results[name] = result.after(results.get(name))
        for name in to_do:
            outcomes[name].seconds = sum(r.seconds for n, r in results.items() if n.endswith(f"_{name}"))
        ready = self._finish(
            outcomes, to_publish, [c for c in made if c in results and results[c].succeeded], at, run_id
        )
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
                watermark = known.get(name)
                upto = max_landing_id(connection, name)
                released = self._gate.released_upto(connection, name) if self._gate else None
                if released is not None and (watermark is None or released > watermark.landing_id):
                    upto = released
                rules = self._project.rules_version(name, self._formats_of([name]))
                if name in full or watermark is None or watermark.rule_set_version != rules:
                    plan[name] = State("full", 0, upto, rules)
                elif upto > watermark.landing_id:
                    plan[name] = State("incremental", watermark.landing_id, upto, rules)
                else:
                    plan[name] = State("none", watermark.landing_id, upto, rules)
            return plan

    def _formats_of(self, datasets: Iterable[str]) -> dict[str, Any]:
        return {system: self._formats[system] for name in datasets for system in self._feeds.get(name, ())}

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
            try:
                result = self._gate.audit(connection, name, upto=state.upto, rules=state.rules, run_id=run_id, at=at)
            except duckdb.Error as error:
                outcome.status = "failed"
                outcome.message = f"the audit could not run: {without_values(str(error))}"
                return
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
        """Those that are not as what they are made from is or will now be, and are made from nothing that can't be."""
        with connect(self._settings, read_only=True) as connection:
            known = control.watermarks(connection)
            current = {c for c in companions if self._is_current(connection, c, known)}
        ready = set(known) | set(published)
        audited = {model for name in DATASETS for model in self._audited_companions(name)}
        return [
            companion
            for companion in companions
            if companion not in audited
            and self._project.companions[companion] <= ready
            and (companion not in current or self._project.companions[companion] & set(published))
            and all(outcomes[d].good for d in self._project.companions[companion] if d in outcomes)
        ]

    def _is_current(
        self, connection: DuckDBPyConnection, companion: str, known: Mapping[str, control.Watermark]
    ) -> bool:
        """Whether it was made, by these rules, after all that it is made from was last published."""
        made = control.companions(connection).get(companion)
        return (
            made is not None
            and made.rule_set_version == self._companion_rules(companion)
            and all(made.made_at >= known[name].refreshed_at for name in self._made_from(companion) if name in known)
            and control.table_exists(connection, "staged", companion)
        )

    def _companion_rules(self, companion: str) -> str:
        return self._project.companion_version(companion, self._formats_of(self._made_from(companion)))

    def _made_from(self, companion: str) -> list[str]:
        return sorted(self._project.companions[companion])

    def _finish(
        self,
        outcomes: Mapping[str, Outcome],
        published: Mapping[str, State],
        made: Iterable[str],
        at: datetime,
        run_id: str,
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
            for companion in made:
                control.set_companion(connection, companion, control.Companion(at, self._companion_rules(companion)))
            for name, outcome in outcomes.items():
                outcome.counts = control.count(connection, name)
                entry = control.DatasetRefresh(
                    name, at, outcome.mode, outcome.status, outcome.message, outcome.new_rows, outcome.seconds
                )
                control.record_refresh(connection, entry, run_id, outcome.counts)
            audits = [(name, one.audit.checked) for name, one in outcomes.items() if one.audit]
            control.record_checks(connection, audits, at)
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
        """Check what was published and what has not been checked since; a check that can't run fails the outcome."""
        due = self._verification.due(outcomes.values(), ready)
        if not due:
            return
        self._on_progress("verify", f"{sum(map(len, due.values()))} checks")
        by_model = {outcome.name: outcome for outcome in outcomes.values()}
        found = self._verification.run(due, at)
        for model, results in found.results.items():
            by_model[model].checks += results
        for model, problem in found.problems.items():
            by_model[model].status, by_model[model].message = "failed", problem

    def check(self, wanted: Mapping[str, Collection[str]]) -> Verified:
        """Run checks by themselves, on what is published now.

        Args:
            wanted: model → names of its checks.
        """
        at = datetime.now(UTC).replace(tzinfo=None)
        with connect(self._settings) as connection:
            control.prepare(connection)
        self._on_progress("verify", f"{sum(map(len, wanted.values()))} checks")
        return self._verification.run(wanted, at)

    @cached_property
    def _verification(self) -> Verification:
        def run_tests(names: list[str]) -> dict[str, NodeResult]:
            return self._dbt_run("test", {}, names, phase="all")

        return Verification(self._settings, self._project, run_tests, self._checks)
