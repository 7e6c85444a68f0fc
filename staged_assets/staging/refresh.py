"""One refresh: write the candidates, audit them, publish what passes, move the watermark, verify.

Knows no Dagster. Every step can be repeated: a refresh that was killed anywhere is repaired by the next one.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection

from staged_assets.errors import WarehouseError, without_values
from staged_assets.landing.raw_area import Period
from staged_assets.landing.session import Session
from staged_assets.landing.warehouse import transaction
from staged_assets.settings import Settings
from staged_assets.staging import control, reference
from staged_assets.staging.companions import Companions
from staged_assets.staging.compiled import CompiledModels
from staged_assets.staging.dbt_runner import DbtRunner
from staged_assets.staging.increment import Increments
from staged_assets.staging.outcomes import Gate, Outcome, State, TableChecks
from staged_assets.staging.planning import Planner
from staged_assets.staging.project import StagingProject, dataset_of
from staged_assets.staging.read_copy import ReadCopy, published_at
from staged_assets.staging.side_by_side import side_by_side
from staged_assets.staging.verify import Changes, Verification, Verified
from staged_assets.staging.whole import FullRefreshes

OnProgress = Callable[[str, str], None]


class Refresh:
    """The refresh of staged datasets from what has landed.

    Attributes:
        session: its connection to the warehouse, for what is done beside it.

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
        self._gate = gate
        self._on_progress = on_progress
        self._checks = checks
        self.session = Session(settings)
        self._compiled = CompiledModels(project, DbtRunner(project), formats, self.session.release)
        self._full_refreshes = FullRefreshes(self.session, project, self._compiled, on_progress)
        self._increments = Increments(self.session, project, self._compiled, on_progress)
        self._planner = Planner(self.session, project, formats, feeds, gate)
        self._companions = Companions(
            self.session, project, self._planner.formats_of, self._full_refreshes, self._increments
        )
        self._copy_problem: WarehouseError | None = None

    def run(
        self,
        datasets: Collection[str],
        companions: Collection[str],
        *,
        full: Collection[str] = (),
        replay: Mapping[str, Period] = {},
        run_id: str = "",
    ) -> Iterator[Outcome]:
        """Refresh the datasets, then the companions that are made from what changed.

        Args:
            datasets: names from `DATASETS`.
            companions: companion models that may be refreshed.
            full: datasets to refresh from all of raw, whatever the watermark says.
            replay: datasets of which the raw rows of a period are judged again; what has landed since waits.
            run_id: recorded with the refresh.

        Yields:
            one outcome for each dataset and companion.
        """
        self._copy_problem = None
        with self.session:
            outcomes = self._run(datasets, companions, full, replay, run_id)
        yield from outcomes.values()
        if self._copy_problem is not None:
            raise self._copy_problem

    def _run(
        self, datasets: Collection[str], companions: Collection[str], full: Collection[str],
        replay: Mapping[str, Period], run_id: str,
    ) -> dict[str, Outcome]:  # fmt: skip
        at = datetime.now(UTC).replace(tzinfo=None)
        there = control.tables(self.session.connection, "staged")
        plan = self._planner.plan(datasets, there, full, replay)
        before = published_at(self.session.connection, self._project, there)
        to_do = {name: state for name, state in plan.items() if state.mode != "none"}
        outcomes = {name: self._outcome(name, state) for name, state in plan.items()}
        if to_do:
            self._load_reference_data()
            self._write(to_do, companions, outcomes, at)
            self._judge(to_do, outcomes, run_id, at)
        to_publish = {name: to_do[name] for name in to_do if outcomes[name].status == "published"}
        made = self._companions.to_make(companions, outcomes, to_publish, there)
        partly = self._companions.to_make_partly(made, to_publish)
        if made and not to_do:
            self._load_reference_data()
        standing = self._publish(to_publish, outcomes, partly)
        results = self._companions.make(made, partly, outcomes, at)
        for name in to_do:
            outcomes[name].seconds = sum(w.seconds.pop(name, 0.0) for w in (self._full_refreshes, self._increments))
        ready = self._finish(
            outcomes, to_publish, [c for c, one in results.items() if one.status == "published"], at, run_id
        )
        for companion in companions:
            outcomes[companion] = self._companions.outcome(companion, ready, outcomes, results)
        self._count_rows(outcomes, there)
        self._verify(outcomes, ready, at, self._changes(standing, to_publish, outcomes, partly))
        self._copy(before, standing, outcomes, partly)
        done = [*standing, *self._increments.left_behind(plan.keys() - to_do.keys(), there)]
        if done:
            self._increments.forget(done, partly)
        return outcomes

    def _copy(
        self, before: Mapping[str, datetime], increments: Collection[str], outcomes: Mapping[str, Outcome],
        partly: Mapping[str, str],
    ) -> None:  # fmt: skip
        """Bring the read copy to what is published; that it can't be is told when all else is done."""
        if self._settings.read_copy_path is None:
            return
        models = [(model, name) for name in increments for model in self._project.audited_models(name)]
        models += partly.items()
        changes = {
            model: self._increments.changed_rows(model, dataset) for model, dataset in models if outcomes[dataset].good
        }
        copy = ReadCopy(self._settings.read_copy_path)
        try:
            connection = self.session.connection
            copy.update(connection, changes, before, published_at(connection, self._project))
        except WarehouseError as error:
            self._copy_problem = error

    def _write(
        self, to_do: Mapping[str, State], companions: Collection[str], outcomes: Mapping[str, Outcome], at: datetime
    ) -> None:
        """Write the candidates."""
        whole = {name: state for name, state in to_do.items() if state.mode == "full"}
        if whole:
            # Those that are then made wholly are compiled with the datasets: starting dbt is dear.
            rules = {name: self._companions.rules(name) for name in self._companions.not_audited(companions)}
            self._full_refreshes.prepare(whole, rules)
            self._increments.prepare_ahead(whole, rules)
        self._increments.prepare({name: state for name, state in to_do.items() if name not in whole}, {})

        def write(name: str, connection: DuckDBPyConnection) -> None:
            with self._noting_errors(outcomes[name]):
                self._full_refreshes.write(name, whole[name], at, connection)

        side_by_side(self.session.connection, {name: state.new_rows for name, state in whole.items()}, write)
        for name in [name for name in to_do if name not in whole]:
            with self._noting_errors(outcomes[name]):
                self._increments.write(name, to_do[name], at)

    @contextmanager
    def _noting_errors(self, outcome: Outcome) -> Iterator[None]:
        """What the engine can't do fails this one alone."""
        try:
            yield
        except duckdb.Error as error:
            outcome.status, outcome.message = "failed", f"{outcome.name}: {without_values(str(error))}"

    def _publish(
        self, to_publish: Mapping[str, State], outcomes: Mapping[str, Outcome], partly: Mapping[str, str]
    ) -> dict[str, dict[str, control.Standing]]:
        """Publish what may be.

        Returns:
            dataset of which an increment was published → its checks' results before.
        """
        found = {}
        for name, state in to_publish.items():
            with self._noting_errors(outcomes[name]):
                if state.mode == "full":
                    self._full_refreshes.publish(name)
                    continue
                standing = control.standing(self.session.connection, name)
                results = {check: one.result for check, one in standing.items()}
                asked = self._checks.asked_of_replaced(name, results) if self._checks else ()
                companions = [companion for companion, dataset in partly.items() if dataset == name]
                for companion in companions:
                    self._increments.touch(companion, name)
                keep = self._increments.summed_up(companions).union(asked)
                self._increments.publish(name, state.watermark, sorted(keep))
                found[name] = standing
        return found

    def _outcome(self, dataset: str, state: State) -> Outcome:
        return Outcome(
            name=f"stg_{dataset}",
            dataset=dataset,
            status="unchanged" if state.mode == "none" else "published",
            mode=state.mode,
            new_rows=state.new_rows,
            watermark=state.watermark,
        )

    def _load_reference_data(self) -> None:
        connection = self.session.connection
        reference.load(connection, self._project, lambda: self._on_progress("reference data", "loading"))

    def _judge(self, to_do: Mapping[str, State], outcomes: Mapping[str, Outcome], run_id: str, at: datetime) -> None:
        gate = self._gate
        if gate is None:
            return

        def audit(name: str, connection: DuckDBPyConnection) -> None:
            outcome, state = outcomes[name], to_do[name]
            self._on_progress("audit", outcome.name)
            try:
                result = gate.audit(connection, name, upto=state.upto, rules=state.rules, run_id=run_id, at=at)
            except duckdb.Error as error:
                outcome.status = "failed"
                outcome.message = f"the audit could not run: {without_values(str(error))}"
                return
            outcome.audit = result
            if result.blocking:
                outcome.status, outcome.message = "held", result.summary

        written = {name: state.new_rows for name, state in to_do.items() if outcomes[name].status == "published"}
        side_by_side(self.session.connection, written, audit)

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
        connection = self.session.connection
        with transaction(connection):
            for name, state in published.items():
                if outcomes[name].good:
                    control.set_watermark(connection, name, control.Watermark(state.watermark, state.rules, at))
                    if control.counted(connection, name) is None:
                        control.count_whole(connection, name, state.watermark)
                    if self._gate:
                        audit = outcomes[name].audit
                        self._gate.published(connection, audit, upto=state.upto, rules=state.rules, at=at)
            rules = {companion: self._companions.rules(companion) for companion in made}
            control.set_companions(connection, {name: control.Companion(at, rules[name]) for name in rules})
        entries = []
        for name, counts in control.count(connection, list(outcomes)).items():
            one = outcomes[name]
            one.counts = counts
            entry = control.DatasetRefresh(name, at, one.mode, one.status, one.message, one.new_rows, one.seconds)
            entries.append((entry, counts))
        control.record_refreshes(connection, entries, run_id)
        audits = [(name, control.Standing(one.audit.checked, None)) for name, one in outcomes.items() if one.audit]
        control.record_checks(connection, audits, at)
        return control.watermarks(connection)

    def _count_rows(self, outcomes: Mapping[str, Outcome], before: Collection[str]) -> None:
        good = [one for one in outcomes.values() if one.good and (one.status == "published" or one.name in before)]
        rows = control.rows(self.session.connection, [outcome.name for outcome in good])
        for outcome in good:
            outcome.rows = rows.get(outcome.name)

    def _changes(
        self, standing: Mapping[str, Mapping[str, control.Standing]], to_publish: Mapping[str, State],
        outcomes: Mapping[str, Outcome], partly: Mapping[str, str],
    ) -> dict[str, Changes]:  # fmt: skip
        """Model → what an increment has changed of it."""
        found = {}
        for name, before in standing.items():
            if not outcomes[name].good:
                continue
            results = {check: one.result for check, one in before.items()}
            part = self._increments.part(name, to_publish[name], results)
            found[f"stg_{name}"] = Changes(part, before, to_publish)
        audited = {c: name for name in standing for c in self._project.audited_models(name) if c in outcomes}
        for companion, name in {**audited, **partly}.items():
            if outcomes[companion].status == "published" and companion not in found:
                before = standing[name] if dataset_of(companion) == name else self._standing_of(companion)
                part = self._increments.part_of_companion(companion, name)
                found[companion] = Changes(part, before, to_publish)
        return found

    def _standing_of(self, companion: str) -> dict[str, control.Standing]:
        return control.standing(self.session.connection, dataset_of(companion))

    def _verify(
        self, outcomes: Mapping[str, Outcome], ready: Collection[str], at: datetime, changes: Mapping[str, Changes]
    ) -> None:
        """Check what was published and what has not been checked since; a check that can't run fails the outcome."""
        due = self._verification.due(outcomes.values(), ready)
        if not due:
            return
        self._on_progress("verify", f"{sum(map(len, due.values()))} checks")
        by_model = {outcome.name: outcome for outcome in outcomes.values()}
        audited = {
            one.name: one.audit.rules
            for one in outcomes.values()
            if one.audit and one.mode == "full" and one.status == "published"
        }
        found = self._verification.run(due, at, changes, audited)
        for model, results in found.results.items():
            by_model[model].checks += results
        for model, problem in found.problems.items():
            by_model[model].status, by_model[model].message = "failed", problem

    def check(self, wanted: Mapping[str, Collection[str]]) -> Verified:
        """Run checks by themselves, on all of what is published now.

        Args:
            wanted: model → names of its checks.
        """
        at = datetime.now(UTC).replace(tzinfo=None)
        with self.session as session:
            control.prepare(session.connection)
            self._on_progress("verify", f"{sum(map(len, wanted.values()))} checks")
            return self._verification.run(wanted, at)

    @cached_property
    def _verification(self) -> Verification:
        return Verification(self.session, self._project, self._compiled.tests, self._checks)
