"""Which companions a refresh makes anew, and whether wholly or only where an increment changes something."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import duckdb

from staged_assets.errors import without_values
from staged_assets.landing.layout import DATASETS
from staged_assets.landing.session import Session
from staged_assets.staging import control
from staged_assets.staging.dbt_runner import NodeResult
from staged_assets.staging.increment import Increments
from staged_assets.staging.outcomes import Outcome, State
from staged_assets.staging.project import StagingProject


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
        increments: Increments,
    ) -> None:
        self._session = session
        self._project = project
        self._formats_of = formats_of
        self._increments = increments
        self._known_rules: dict[str, str] = {}

    def to_make(
        self, companions: Collection[str], outcomes: Mapping[str, Outcome], published: Collection[str]
    ) -> dict[str, bool]:
        """Those that are not as what they are made from is or will now be, and are made from nothing that can't be.

        Returns:
            companion → whether it is as what it is made from still is.
        """
        connection = self._session.connection
        known = control.watermarks(connection)
        made = control.companions(connection)
        there = control.tables(connection, "staged")
        current = {c for c in companions if c in there and self._is_current(c, made.get(c), known)}
        ready = set(known) | set(published)
        audited = {model for name in DATASETS for model in self._project.audited_models(name)}
        return {
            companion: companion in current
            for companion in companions
            if companion not in audited
            and self._project.companions[companion] <= ready
            and (companion not in current or self._project.companions[companion] & set(published))
            and all(outcomes[d].good for d in self._project.companions[companion] if d in outcomes)
        }

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

    def make_partly(self, partly: Mapping[str, str]) -> dict[str, NodeResult]:
        """Make companions anew where the published increment of their dataset changes something."""
        results = {}
        for companion in partly:
            message = ""
            try:
                self._increments.make(companion, self.rules(companion))
            except duckdb.Error as error:
                message = without_values(str(error))
            seconds = self._increments.seconds.pop(companion)
            results[companion] = NodeResult(companion, "error" if message else "success", message, seconds, None)
        return results

    def outcome(
        self, companion: str, ready: Collection[str], outcomes: Mapping[str, Outcome], results: Mapping[str, NodeResult]
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
            outcome.status = result.outcome
            outcome.seconds = result.seconds
            outcome.message = "" if result.succeeded else result.message or "what it is made from failed"
        return outcome
