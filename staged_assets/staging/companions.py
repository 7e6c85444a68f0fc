"""Which companions a refresh makes anew, and whether wholly or only where an increment changes something."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import duckdb

from staged_assets.errors import without_values
from staged_assets.landing.layout import DATASETS
from staged_assets.landing.session import Session
from staged_assets.staging import control
from staged_assets.staging.increment import Increments
from staged_assets.staging.outcomes import Made, Outcome, State
from staged_assets.staging.project import StagingProject, dataset_of
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
        for companion in [name for name in self._project.companions if name in made]:
            results[companion] = self._made(companion, companion in partly, outcomes, results, at)
        return results

    def _made(
        self, companion: str, partly: bool, outcomes: Mapping[str, Outcome], others: Mapping[str, Made], at: datetime
    ) -> Made:
        upstream = self._project.upstream_models(companion)
        if any(other in upstream and one.status != "published" for other, one in others.items()) or not all(
            outcomes[name].good for name in self._project.companions[companion] if name in outcomes
        ):
            return Made("skipped", "what it is made from failed")
        if partly and not self._increments.can_make(companion):
            partly = False
            self._full_refreshes.prepare({}, {companion: self.rules(companion)})
        writer = self._increments if partly else self._full_refreshes
        try:
            if partly:
                self._increments.make(companion)
            else:
                self._full_refreshes.make(companion, at)
        except duckdb.Error as error:
            return Made("failed", without_values(str(error)), writer.seconds.pop(companion))
        return Made("published", "", writer.seconds.pop(companion))

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
