"""Events of Dagster's log → observations: who failed or passed."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import dagster as dg
from dagster import DagsterEventType, DagsterInstance, EventLogEntry

from staged_assets.alerts.observations import Facts, Observation, Subject, check_facts, rule_facts
from staged_assets.catalogue import DATASETS
from staged_assets.checked import AUDITED

DATASET_TAG = "staged_assets/dataset"

#: Steps and assets that are named at most.
MOST_NAMES = 3

#: Events of one run that are looked at.
MOST_EVENTS = 1000

_REASONS = {
    "UNEXPECTED_TERMINATION": "its process ended unexpectedly",
    "START_TIMEOUT": "it did not start in time",
    "RUN_WORKER_RESTART": "its process was restarted",
    "JOB_INITIALIZATION_FAILURE": "it could not be initialised",
    "RUN_EXCEPTION": "it failed outside of its steps",
}
_FROM_OUTSIDE = "it was marked as failed from outside"
_BLOCKING_CHECK = "DagsterAssetCheckFailedError"
_RUN_EVENTS = {
    DagsterEventType.STEP_FAILURE,
    DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    DagsterEventType.ASSET_MATERIALIZATION,
}


@dataclass(frozen=True)
class Concern:
    """Whom and what an asset concerns: its owners, and the dataset it belongs to."""

    owners: frozenset[str] = frozenset()
    datasets: frozenset[str] = frozenset()


ConcernOf = Callable[[dg.AssetKey], Concern]


class Interpreter:
    """Reads events; asks the instance only about runs that failed, or may have recovered.

    Args:
        instance: where the runs are.
        concern_of: whom an asset concerns.
        has_open_runs: whether runs of any job are known to fail, so that a successful one matters.
    """

    def __init__(self, instance: DagsterInstance, concern_of: ConcernOf, has_open_runs: Callable[[], bool]) -> None:
        self._instance = instance
        self._concern_of = concern_of
        self._has_open_runs = has_open_runs

    def observations(self, entry: EventLogEntry) -> Iterator[Observation]:
        """What an event says; nothing, where it is of no concern."""
        event = entry.dagster_event
        if event is None:
            return
        if event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION:
            yield from self._check(entry, event.asset_check_evaluation_data)
        elif event.event_type == DagsterEventType.FRESHNESS_STATE_CHANGE:
            yield from self._freshness(entry, event.asset_freshness_state_change_data)
        elif event.event_type == DagsterEventType.RUN_FAILURE:
            yield from self._failed_run(entry)
        elif event.event_type == DagsterEventType.RUN_SUCCESS and self._has_open_runs():
            yield self._successful_run(entry)

    def _check(self, entry: EventLogEntry, evaluation: dg.AssetCheckEvaluation) -> Iterator[Observation]:
        concern = self._concern_of(evaluation.asset_key)
        partition = f"@{_digest([evaluation.partition])}" if evaluation.partition else ""
        whole = Observation(
            Subject(kind="check", name=_name(evaluation.asset_key), part=evaluation.check_name + partition),
            failing=not evaluation.passed,
            at=entry.timestamp,
            severity="warn" if evaluation.severity == dg.AssetCheckSeverity.WARN else "error",
            run_id=entry.run_id or None,
            facts=check_facts(evaluation.metadata),
            owners=concern.owners,
            datasets=concern.datasets,
        )
        # A batch that is held back is one matter, by however many rules.
        rules = [] if evaluation.check_name == AUDITED else rule_facts(evaluation.metadata)
        if not rules or evaluation.passed or all(rule.severity is None for rule in rules):
            yield whole
        for rule in rules:
            yield replace(
                whole,
                subject=whole.subject.model_copy(update={"rule": rule.rule}),
                failing=rule.severity is not None,
                severity=rule.severity or whole.severity,
                facts=rule.facts,
            )

    def _freshness(self, entry: EventLogEntry, change: Any) -> Iterator[Observation]:
        state = change.new_state.value
        if state == "UNKNOWN":
            return
        concern = self._concern_of(change.key)
        yield Observation(
            Subject(kind="freshness", name=_name(change.key)),
            failing=state in ("WARN", "FAIL"),
            at=entry.timestamp,
            severity="warn" if state == "WARN" else "error",
            owners=concern.owners,
            datasets=concern.datasets,
        )

    def _failed_run(self, entry: EventLogEntry) -> Iterator[Observation]:
        history = self._history(entry.run_id)
        # Blocking checks have failed this run: they have been told already.
        if history.only_checks_failed:
            return
        subject, selection = self._run_subject(entry)
        missed = history.planned - history.materialized or history.planned
        concerns = [self._concern_of(key) for key in missed]
        yield Observation(
            subject,
            failing=True,
            at=entry.timestamp,
            run_id=entry.run_id,
            facts=Facts(
                reason=None if history.failed_steps else _reason(entry),
                steps=_few(history.failed_steps),
                not_refreshed=_few(map(_name, history.planned - history.materialized)),
            ),
            owners=frozenset(owner for concern in concerns for owner in concern.owners),
            datasets=frozenset(dataset for concern in concerns for dataset in concern.datasets),
            assets=selection,
        )

    def _successful_run(self, entry: EventLogEntry) -> Observation:
        subject, _ = self._run_subject(entry)
        return Observation(
            subject,
            failing=False,
            at=entry.timestamp,
            run_id=entry.run_id,
            assets=frozenset(map(_name, self._history(entry.run_id).materialized)),
        )

    def _run_subject(self, entry: EventLogEntry) -> tuple[Subject, frozenset[str]]:
        run = self._instance.get_run_by_id(entry.run_id)
        selection = frozenset(map(_name, run.asset_selection or ())) if run else frozenset()
        part = _digest(sorted(selection)) if selection else ""
        return Subject(kind="run", name=entry.job_name or "", part=part), selection

    def _history(self, run_id: str) -> "_History":
        history = _History()
        for record in self._instance.get_records_for_run(run_id, of_type=_RUN_EVENTS, limit=MOST_EVENTS).records:
            event = record.event_log_entry.dagster_event
            if event is None:
                continue
            if event.event_type == DagsterEventType.STEP_FAILURE:
                error = event.step_failure_data.error
                history.failed_steps[event.step_key or ""] = error is not None and error.cls_name == _BLOCKING_CHECK
            elif event.asset_key is not None:
                planned = event.event_type == DagsterEventType.ASSET_MATERIALIZATION_PLANNED
                (history.planned if planned else history.materialized).add(event.asset_key)
        return history


@dataclass
class _History:
    """What went on in a run; of each failed step, whether a blocking check has failed it."""

    failed_steps: dict[str, bool] = field(default_factory=dict)
    planned: set[dg.AssetKey] = field(default_factory=set)
    materialized: set[dg.AssetKey] = field(default_factory=set)

    @property
    def only_checks_failed(self) -> bool:
        return bool(self.failed_steps) and all(self.failed_steps.values())


def concerns_of(repository: dg.RepositoryDefinition | None) -> ConcernOf:
    """Looks up an asset in the asset graph; of one that is not there, only the name may tell the dataset."""

    def concern(key: dg.AssetKey) -> Concern:
        if repository is None or not repository.asset_graph.has(key):
            return Concern(frozenset(), _dataset_by_name(key))
        node = repository.asset_graph.get(key)
        tag = node.tags.get(DATASET_TAG)
        return Concern(frozenset(node.owners), frozenset([tag]) if tag else _dataset_by_name(key))

    return concern


def _dataset_by_name(key: dg.AssetKey) -> frozenset[str]:
    name = key.path[-1].removeprefix("stg_").removeprefix("quarantine_").split("__")[0]
    return frozenset([name]) & DATASETS.keys()


def _name(key: dg.AssetKey) -> str:
    return key.to_user_string()


def _reason(entry: EventLogEntry) -> str:
    # The run monitor says why it gave a run up, but a person who marks one as failed does not.
    data = entry.dagster_event.event_specific_data if entry.dagster_event else None
    reason = getattr(data, "failure_reason", None)
    return _REASONS.get(reason.value, _FROM_OUTSIDE) if reason else _FROM_OUTSIDE


def _few(names: Iterable[str]) -> tuple[str, ...]:
    """The first names and, in place of the rest, how many they are."""
    found = sorted(names)
    more = len(found) - MOST_NAMES
    return (*found[:MOST_NAMES], *([f"{more} more"] if more > 0 else []))


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
