"""What a refresh has to do with each dataset."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from staged_assets.landing.raw_area import Period, landing_ids, max_landing_ids, prepare
from staged_assets.landing.session import Session
from staged_assets.staging import control
from staged_assets.staging.outcomes import Gate, State
from staged_assets.staging.project import StagingProject


class Planner:
    """Compares what has landed and the rules with what is published.

    Args:
        formats: source system → how it writes its values.
        feeds: dataset → the systems that feed it.
        gate: knows which held batches were released.
    """

    def __init__(
        self, session: Session, project: StagingProject, formats: Mapping[str, Mapping[str, Any]],
        feeds: Mapping[str, Sequence[str]], gate: Gate | None,
    ) -> None:  # fmt: skip
        self._session = session
        self._project = project
        self._formats = formats
        self._feeds = feeds
        self._gate = gate
        self._known_rules: dict[str, str] = {}

    def plan(
        self, datasets: Collection[str], published: Collection[str], full: Collection[str] = (),
        replay: Mapping[str, Period] = {},
    ) -> dict[str, State]:  # fmt: skip
        """What is to be done with each dataset: nothing, where nothing has landed and the rules are the same.

        Args:
            published: the tables and views that are there.
        """
        connection = self._session.connection
        prepare(connection)
        control.prepare(connection)
        known = control.watermarks(connection)
        releases = self._gate.released(connection) if self._gate else {}
        highest = max_landing_ids(connection, datasets)
        plan = {}
        for name in datasets:
            watermark = known.get(name)
            upto = highest[name]
            released = releases.get(name)
            if released is not None and (watermark is None or released > watermark.landing_id):
                upto = released
            rules = self._rules(name)
            there = set(published).issuperset([f"quarantine_{name}", *self._project.audited_models(name)])
            if name in full or watermark is None or watermark.rule_set_version != rules or not there:
                plan[name] = State("full", 0, upto, rules)
            elif name in replay:
                first, last = landing_ids(connection, name, replay[name])
                last = min(last, watermark.landing_id)
                mode = "incremental" if first <= last else "none"
                plan[name] = State(mode, first - 1, max(last, first - 1), rules, watermark.landing_id)
            elif upto > watermark.landing_id:
                plan[name] = State("incremental", watermark.landing_id, upto, rules)
            else:
                plan[name] = State("none", watermark.landing_id, upto, rules)
        return plan

    def formats_of(self, datasets: Iterable[str]) -> dict[str, Any]:
        """The formats of the systems that feed these datasets."""
        return {system: self._formats[system] for name in datasets for system in self._feeds.get(name, ())}

    def _rules(self, dataset: str) -> str:
        if dataset not in self._known_rules:
            self._known_rules[dataset] = self._project.rules_version(dataset, self.formats_of([dataset]))
        return self._known_rules[dataset]
