"""Which companions a refresh makes anew, and whether wholly or only where an increment changes something."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal

import duckdb
from duckdb import DuckDBPyConnection

from staged_assets.errors import without_values
from staged_assets.landing.layout import DATASETS
from staged_assets.landing.session import Session
from staged_assets.staging import control
from staged_assets.staging.increment import Increments
from staged_assets.staging.outcomes import Made, Outcome, State
from staged_assets.staging.project import StagingProject, dataset_of
from staged_assets.staging.side_by_side import side_by_side
from staged_assets.staging.whole import FullRefreshes


class Companions:
    """The companions of the staged datasets.

    Args:
        formats_of: gives how the systems that feed datasets write their values.
    """

    def __init__(
        self,
        session: Session,
        project: StagingProject,
        formats_of: Callable[[Iterable[str]], dict[str, Any]],
        full_refreshes: FullRefreshes,
        increments: Increments,
    ) -> None:
        self._session = session
        self._project = project
        self._formats_of = formats_of
        self._full_refreshes = full_refreshes
        self._increments = increments
        self._known_rules: dict[str, str] = {}

    def to_make(
        self,
        companions: Collection[str],
        outcomes: Mapping[str, Outcome],
        published: Collection[str],
        there: Collection[str],
    ) -> dict[str, bool]:
        """Those that are not as what they are made from is or will now be, and are made from nothing that can't be.

        Args:
            published: the datasets that will now be published.
            there: the tables that are there before.

        Returns:
            companion → whether it is as what it is made from still is.
        """
        connection = self._session.connection
        known = control.watermarks(connection)
        made = control.companions(connection)
        current = {c for c in companions if c in there and self._is_current(c, made.get(c), known)}
        ready = set(known) | set(published)
        return {
            companion: companion in current
            for companion in self.not_audited(companions)
            if self._project.companions[companion] <= ready
            and (companion not in current or self._project.companions[companion] & set(published))
            and all(outcomes[d].good for d in self._project.companions[companion] if d in outcomes)
        }

    def not_audited(self, companions: Collection[str]) -> list[str]:
        """Those that are made after what they are made from was published, not audited and published with it."""
        audited = {model for name in DATASETS for model in self._project.audited_models(name)}
        return [companion for companion in companions if companion not in audited]

    def _is_current(
        self, companion: str, made: control.Companion | None, known: Mapping[str, control.Watermark]
    ) -> bool:
        """Whether it was made, by these rules, after all that it is made from was last published."""
        return (
            made is not None
            and made.rule_set_version == self.rules(companion)
            and all(made.made_at >= known[name].refreshed_at for name in self._made_from(companion) if name in known)
        )

    def rules(self, companion: str) -> str:
        """The version of the rules by which a companion is made."""
        if companion not in self._known_rules:
            formats = self._formats_of(self._made_from(companion))
            self._known_rules[companion] = self._project.companion_version(companion, formats)
        return self._known_rules[companion]

    def _made_from(self, companion: str) -> list[str]:
        return sorted(self._project.companions[companion])

    def to_make_partly(self, made: Mapping[str, bool], to_publish: Mapping[str, State]) -> dict[str, str]:
        """Companions that were current and are made from one dataset with an increment → that dataset."""
        found = {}
        for companion, was_current in made.items():
            dataset = self._project.models[companion]["config"].get("touched_by")
            published = self._project.companions[companion] & set(to_publish)
            if was_current and published == {dataset} and to_publish[dataset].mode == "incremental":
                found[companion] = dataset
        return found

    def make(
        self, made: Collection[str], partly: Mapping[str, str], outcomes: Mapping[str, Outcome], at: datetime
    ) -> dict[str, Made]:
        """Make companions anew, each after those that it is made from.

        Args:
            made: all that are to be made.
            partly: those of which only what an increment changes → its dataset.
            outcomes: of the datasets.
        """
        wholly = [companion for companion in made if companion not in partly]
        if wholly:
            self._full_refreshes.prepare({}, {companion: self.rules(companion) for companion in wholly})
        if partly:
            self._increments.prepare({}, {companion: self.rules(companion) for companion in partly})
        results: dict[str, Made] = {}
        waiting = [name for name in self._project.companions if name in made]
        while waiting:
            # Those that are made from another one come after it.
            ready = [name for name in waiting if not self._project.upstream_models(name) & set(waiting) - {name}]
            self._make_side_by_side(ready, partly, outcomes, results, at)
            waiting = [name for name in waiting if name not in ready]
        return results

    def _make_side_by_side(
        self, companions: Sequence[str], partly: Mapping[str, str], outcomes: Mapping[str, Outcome],
        results: dict[str, Made], at: datetime,
    ) -> None:  # fmt: skip
        whole = []
        for companion in companions:
            if not self._can_be_made(companion, outcomes, results):
                results[companion] = Made("skipped", "what it is made from failed")
            elif companion in partly and self._increments.can_make(companion):
                with self._noting_errors(companion, results):
                    self._increments.make(companion)
            else:
                whole.append(companion)
        if not whole:
            return
        self._full_refreshes.prepare({}, {companion: self.rules(companion) for companion in whole})

        def write(companion: str, connection: DuckDBPyConnection) -> None:
            with self._noting_errors(companion, results):
                self._full_refreshes.write_companion(companion, at, connection)

        side_by_side(self._session.connection, dict.fromkeys(whole, 0), write)
        for companion in whole:
            if results[companion].status == "published":
                with self._noting_errors(companion, results):
                    self._full_refreshes.publish_companion(companion)

    def _can_be_made(self, companion: str, outcomes: Mapping[str, Outcome], others: Mapping[str, Made]) -> bool:
        upstream = self._project.upstream_models(companion)
        return all(one.status == "published" for other, one in others.items() if other in upstream) and all(
            outcomes[name].good for name in self._project.companions[companion] if name in outcomes
        )

    @contextmanager
    def _noting_errors(self, companion: str, results: dict[str, Made]) -> Iterator[None]:
        """What the engine can't do fails this one alone."""
        status: Literal["published", "failed"] = "published"
        message = ""
        try:
            yield
        except duckdb.Error as error:
            status, message = "failed", without_values(str(error))
        seconds = sum(writer.seconds.pop(companion, 0.0) for writer in (self._full_refreshes, self._increments))
        before = results[companion].seconds if companion in results else 0.0
        results[companion] = Made(status, message, before + seconds)

    def outcome(
        self, companion: str, ready: Collection[str], outcomes: Mapping[str, Outcome], results: Mapping[str, Made]
    ) -> Outcome:
        """What became of a companion.

        Args:
            ready: the datasets that are published, now or before.
            results: of what was made.
        """
        outcome = Outcome(companion, None, "unchanged")
        made_from = self._project.companions[companion]
        missing = [d for d in sorted(made_from) if d not in ready or (d in outcomes and not outcomes[d].good)]
        result = results.get(companion)
        if missing:
            outcome.status, outcome.message = "skipped", f"stg_{missing[0]} is not published"
        elif result is not None:
            outcome.status, outcome.message, outcome.seconds = result.status, result.message, result.seconds
        elif companion in self._project.audited_models(dataset_of(companion)) and dataset_of(companion) in outcomes:
            outcome.status = outcomes[dataset_of(companion)].status
        return outcome
