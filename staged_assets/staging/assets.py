"""The asset graph: raw → staged → companions and quarantine, refreshed by one op in one process."""

import logging
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import dagster as dg
import duckdb
from duckdb import DuckDBPyConnection

from staged_assets.checked import AUDITED, Checked
from staged_assets.errors import ConfigurationError, RefreshError, SourceError, without_values
from staged_assets.landing.asked import Asking, Memory
from staged_assets.landing.land import Landed, land_feed
from staged_assets.landing.layout import DATASETS
from staged_assets.landing.raw_area import Period, table
from staged_assets.landing.raw_area import prepare as prepare_raw
from staged_assets.landing.warehouse import exclusive
from staged_assets.settings import Settings
from staged_assets.sources.config import Sources
from staged_assets.sources.models import Feed
from staged_assets.sources.refresh_plan import RefreshPlan
from staged_assets.staging import control
from staged_assets.staging.checks import (
    SLOT_LAG,
    SOURCE_COLUMNS,
    check_result,
    check_specs,
    drift_result,
    lag_result,
)
from staged_assets.staging.operational import external_specs, feed_asset, freshness_policy, refresh_table
from staged_assets.staging.outcomes import Gate, Outcome, TableChecks
from staged_assets.staging.project import StagingProject, dataset_of
from staged_assets.staging.refresh import Refresh
from staged_assets.staging.translator import asset_specs, column_schema, raw_node

#: One pool for every writer: the warehouse is one file, and a writer excludes every other process.
WAREHOUSE_POOL = "warehouse"

#: Metadata of a failed step: one sentence for each thing that could not be done.
FAILURES = "failures"

logger = logging.getLogger(__name__)

#: Recorded as they are. As results (`MaterializeResult`, `AssetCheckResult`) each would be one event more and a search
#: for the versions of what it was made from: twice the time.
Event = dg.AssetMaterialization | dg.AssetCheckEvaluation


class RefreshConfig(dg.Config):
    """What one run of the refresh is to do, beside the assets selected.

    Attributes:
        systems: land from these source systems only; all where empty.
        feeds: land from these of their feeds only, by name; all where empty.
        full_refresh: stage from all of raw, not only from what landed since.
        replay_from, replay_to: judge again what has landed in a period, and nothing else: a day (UTC) such as
            2026-11-01, or a landing id; both belong to it, and an empty one is no end.
    """

    systems: list[str] = []
    feeds: list[str] = []
    full_refresh: bool = False
    replay_from: str = ""
    replay_to: str = ""

    @property
    def is_replay(self) -> bool:
        """Whether a period is judged again."""
        return bool(self.replay_from or self.replay_to)


def build_assets(
    settings: Settings,
    sources: Sources,
    project: StagingProject,
    gate: Gate | None = None,
    tables: TableChecks | None = None,
    plan: RefreshPlan | None = None,
) -> list[Any]:
    """The operational systems and their tables (external), and the multi-asset that lands, audits and publishes.

    Args:
        plan: how each feed is refreshed, shown on each asset; without one no asset has to be fresh.
    """
    plan = plan or RefreshPlan([])
    raw_specs = [_raw_spec(name, sources, project) for name in DATASETS]
    dbt_specs = _dbt_specs(project, sources, plan)
    models = {spec.key.path[-1] for spec in dbt_specs}
    change_feeds = [name for name in DATASETS if any(f.changes == "change_feed" for _, f in sources.feeds_of(name))]

    @dg.multi_asset(
        name="staged_area",
        specs=[*raw_specs, *dbt_specs],
        check_specs=check_specs(project, tables, models, change_feeds),
        can_subset=True,
        pool=WAREHOUSE_POOL,
        required_resource_keys={"operational_systems"},
    )
    def staged_area(context: dg.AssetExecutionContext, config: RefreshConfig) -> Iterator[Event]:
        yield from _StagedAreaRun(context, config, settings, sources, project, gate, tables, plan).events()

    return [*external_specs(sources, plan), staged_area]


class _StagedAreaRun:
    """One run: whatever can be done is done; at the end, what could not be done fails the step."""

    def __init__(
        self, context: dg.AssetExecutionContext, config: RefreshConfig, settings: Settings, sources: Sources,
        project: StagingProject, gate: Gate | None, tables: TableChecks | None, plan: RefreshPlan,
    ) -> None:  # fmt: skip
        self._context = context
        self._config = config
        self._settings = settings
        self._sources = sources
        self._project = project
        self._gate = gate
        self._tables = tables
        self._asking = Asking(sources, plan, Memory(context.instance.daemon_cursor_storage))
        self._failures: list[str] = []
        self._selected = context.selected_asset_keys
        self._selected_checks = context.selected_asset_check_keys

    def events(self) -> Iterator[Event]:
        with exclusive(self._settings, on_wait=lambda message: self._progress("wait", message)):
            try:
                # Opened once for all: that takes longer than to find that a source has nothing new.
                with self._refresh.session:
                    yield from self._land()
                    yield from self._publish()
                    yield from self._checks_alone()
                if not self._config.is_replay:
                    self._asking.note()
            except duckdb.Error as error:
                # Not chained: its message, which may repeat a value, would be kept in the event log.
                raise RefreshError(f"The engine failed: {without_values(str(error))}") from None
        if self._failures:
            raise dg.Failure(" ".join(self._failures), metadata={FAILURES: self._failures}, allow_retries=True)

    @cached_property
    def _refresh(self) -> Refresh:
        return Refresh(
            self._settings,
            self._project,
            self._sources.formats,
            {name: [system for system, _ in self._sources.feeds_of(name)] for name in DATASETS},
            gate=self._gate,
            on_progress=self._progress,
            checks=self._tables,
        )

    def _land(self) -> Iterator[Event]:
        datasets = [name for name in DATASETS if dg.AssetKey(["raw", name]) in self._selected]
        if not datasets or self._config.is_replay:
            return
        connection = self._refresh.session.connection
        prepare_raw(connection)
        for dataset in datasets:
            yield from self._land_dataset(connection, dataset)

    def _land_dataset(self, connection: DuckDBPyConnection, dataset: str) -> Iterator[Event]:
        key = dg.AssetKey(["raw", dataset])
        started = time.perf_counter()
        landed: list[Landed] = []
        failed = False
        for system, feed in self._sources.feeds_of(dataset):
            if not self._lands(system, feed):
                continue
            try:
                self._asking.ask(connection, system, feed)
                landed.append(land_feed(connection, self._sources, system, feed))
                self._asking.landed(system, feed)
            except (SourceError, ConfigurationError) as error:
                failed = True
                self._failures.append(str(error))
                self._context.log.error(str(error))
        rows = _count(connection, dataset)
        self._progress("land", dataset)
        for result in landed:
            yield dg.AssetMaterialization(feed_asset(result.system, result.feed), metadata=_feed_metadata(result))
        if not failed:
            yield dg.AssetMaterialization(key, metadata=_landed_metadata(landed, rows, time.perf_counter() - started))
        if dg.AssetCheckKey(key, SOURCE_COLUMNS) in self._selected_checks and landed:
            yield drift_result(dataset, [change for result in landed for change in result.drift])
        lags = [result.lag for result in landed if result.lag is not None]
        if dg.AssetCheckKey(key, SLOT_LAG) in self._selected_checks and lags:
            yield lag_result(dataset, lags)

    def _lands(self, system: str, feed: Feed) -> bool:
        config = self._config
        return system in (config.systems or [system]) and feed.name in (config.feeds or [feed.name])

    def _publish(self) -> Iterator[Event]:
        names = {key.path[-1] for key in self._selected if key.path[0] != "raw"}
        datasets = [n for n in DATASETS if f"stg_{n}" in names or f"quarantine_{n}" in names]
        companions = [name for name in self._project.companions if name in names]
        if not datasets and not companions:
            return
        full = datasets if self._config.full_refresh else ()
        period = Period.read(self._config.replay_from, self._config.replay_to)
        replay = dict.fromkeys(datasets, period) if self._config.is_replay else {}
        run_id = self._context.run.run_id
        for outcome in self._refresh.run(datasets, companions, full=full, replay=replay, run_id=run_id):
            if outcome.dataset is not None:
                self._asking.staged(outcome.dataset, status=outcome.status)
            if outcome.status == "failed":
                self._failures.append(f"{outcome.name}: {outcome.message}.")
            if outcome.good:
                yield from self._published(outcome)
            yield from self._checks(outcome)

    def _published(self, outcome: Outcome) -> Iterator[Event]:
        metadata = _outcome_metadata(outcome)
        for name in [outcome.name, *([f"quarantine_{outcome.dataset}"] if outcome.dataset else [])]:
            if name.startswith("quarantine_") and outcome.counts:
                metadata = {
                    "dagster/row_count": outcome.counts.rejected,
                    "rejected_by_reason": outcome.counts.reasons,
                }
            yield dg.AssetMaterialization(name, metadata=metadata)

    def _checks(self, outcome: Outcome) -> Iterator[Event]:
        """What was found, and what still holds; a held batch fails its check, and the run goes on.

        What is unchanged keeps its results: without them the web UI would show its checks as skipped.
        """
        found = [*outcome.checks, *([outcome.audit.checked] if outcome.audit else [])]
        yield from self._results(outcome.name, found)
        selected = {key.name for key in self._selected_checks if key.asset_key == dg.AssetKey(outcome.name)}
        others = selected - {one.name for one in found}
        if outcome.status in ("unchanged", "held") and others:
            yield from self._standing(outcome.name, others)

    def _checks_alone(self) -> Iterator[Event]:
        """Checks of assets that are not refreshed: run on what is published. An audit can't be: its result stands."""
        wanted: dict[str, set[str]] = {}
        for asset, name in ((key.asset_key, key.name) for key in self._selected_checks):
            if asset not in self._selected and asset.path[0] != "raw":
                wanted.setdefault(asset.path[-1], set()).add(name)
        to_run = {model: names - {AUDITED} for model, names in wanted.items() if names != {AUDITED}}
        if to_run:
            verified = self._refresh.check(to_run)
            self._failures += [f"{problem}." for problem in verified.problems.values()]
            for model, found in verified.results.items():
                yield from self._results(model, found)
        for model, names in wanted.items():
            yield from self._standing(model, names & {AUDITED})

    def _results(self, model: str, found: Iterable[Checked], *, unchanged: bool = False) -> Iterator[Event]:
        for one in found:
            key = dg.AssetCheckKey(dg.AssetKey(model), one.name)
            if key in self._selected_checks:
                yield check_result(key, one, unchanged=unchanged)

    def _standing(self, model: str, names: Collection[str]) -> Iterator[Event]:
        if not names:
            return
        standing = control.standing(self._refresh.session.connection, dataset_of(model))
        found = [standing[name].result for name in sorted(names) if name in standing]
        yield from self._results(model, found, unchanged=True)

    def _progress(self, step: str, detail: str) -> None:
        logger.info("%s: %s", step, detail, extra={"step": step, "detail": detail})


def _count(connection: DuckDBPyConnection, dataset: str) -> int:
    row = connection.execute(f"select count(*) from {table(dataset)}").fetchone()
    return int(row[0]) if row else 0


def _raw_spec(dataset: str, sources: Sources, project: StagingProject) -> dg.AssetSpec:
    feeds = sources.feeds_of(dataset)
    node = raw_node(project.manifest, dataset)
    return dg.AssetSpec(
        key=["raw", dataset],
        deps=[feed_asset(system, feed.name) for system, feed in feeds],
        description=f"{node['description']} As the source systems sent it: append-only, as text, nothing refused.",
        group_name=sources.primary_system(dataset) or "unfed",
        owners=[sources.owner(dataset)],
        kinds={"duckdb"},
        skippable=True,
        tags={"staged_assets/role": "raw", "staged_assets/dataset": dataset},
        metadata={
            "dagster/table_name": f"{node['database']}.{node['schema']}.{node['name']}",
            "dagster/column_schema": column_schema(node),
        },
    )


def _dbt_specs(project: StagingProject, sources: Sources, plan: RefreshPlan) -> Sequence[dg.AssetSpec]:
    return [_spec(spec, meta, sources, plan) for spec, meta in asset_specs(project)]


def _spec(spec: dg.AssetSpec, meta: Mapping[str, Any], sources: Sources, plan: RefreshPlan) -> dg.AssetSpec:
    """The configuration says whose a dataset is and how it is refreshed; what nothing feeds has the usual group."""
    dataset = meta["dataset"]
    spec = spec.replace_attributes(
        group_name=sources.primary_system(dataset) or spec.group_name, owners=[sources.owner(dataset)]
    )
    feeds = plan.of_dataset(dataset)
    if meta["role"] != "staged" or not feeds:
        return spec
    freshness = plan.freshness(dataset)
    return spec.replace_attributes(freshness_policy=freshness_policy(freshness)).merge_attributes(
        metadata={"refresh": dg.MetadataValue.md(refresh_table(feeds))}
    )


def _feed_metadata(landed: Landed) -> dict[str, Any]:
    return {"landed": landed.landed, "already_landed": landed.already_landed, "seconds": landed.seconds}


def _landed_metadata(landed: Sequence[Landed], rows: int, seconds: float) -> dict[str, Any]:
    return {
        "dagster/row_count": rows,
        "landed": sum(result.landed for result in landed),
        "already_landed": sum(result.already_landed for result in landed),
        "malformed": sum(result.malformed for result in landed),
        "systems": [result.system for result in landed],
        "seconds": seconds,
    }


def _outcome_metadata(outcome: Outcome) -> dict[str, Any]:
    metadata: dict[str, Any] = {"seconds": outcome.seconds, "status": outcome.status}
    if outcome.rows is not None:
        metadata["dagster/row_count"] = outcome.rows
    if outcome.counts is not None:
        counts = outcome.counts
        metadata |= {
            "landed": counts.landed,
            **{name: getattr(counts, name) for name in control.DISPOSITIONS},
            "pending": counts.pending,
            "unexplained": counts.unexplained,
            "rejected_by_reason": counts.reasons,
            "new_rows": outcome.new_rows,
            "mode": outcome.mode,
            "watermark": outcome.watermark,
        }
    return metadata
