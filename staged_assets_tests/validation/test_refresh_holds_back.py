"""Refreshes behind the gate: an upstream change is held back, and published once it is mended or released."""

from collections.abc import Iterable, Iterator
from typing import Any

import duckdb
import pytest

from staged_assets.checked import Checked
from staged_assets.landing.warehouse import connect
from staged_assets.staging.outcomes import Outcome
from staged_assets.staging.project import DataTest
from staged_assets.staging.refresh import Refresh
from staged_assets.staging.verify import Verification
from staged_assets.validation import holding
from staged_assets.validation.config import load_validation
from staged_assets.validation.gate import AuditGate
from staged_assets.validation.masking import personal_columns
from staged_assets.validation.reconciliation import reconcile
from staged_assets_tests.staged_area import SOURCES, NewArea, Row, StagedArea
from staged_assets_tests.validation.batches import NOON

KEYS = range(1, 61)


class GatedArea:
    """A staged area whose refreshes go through the gate."""

    def __init__(self, area: StagedArea) -> None:
        self.area = area
        gate = AuditGate(load_validation(), personal_columns(area.project.manifest))
        feeds = {"interactions": ["crm"], "touchpoints": ["crm"]}
        self._refresh = Refresh(area.settings, area.project, SOURCES.formats, feeds, gate)

    def land(self, day: int, *, date: str, keys: Iterable[int] = KEYS) -> None:
        """The CRM sends interactions, last changed on that day of January, with their date written like that."""
        self.area.land("interactions", "crm", [_interaction(key, day, date) for key in keys])

    def refresh(self, *, full: bool = False) -> dict[str, Outcome]:
        names = ["interactions", "touchpoints"]
        return {one.name: one for one in self._refresh.run(names, [], full=names if full else (), run_id="run")}

    def staged(self) -> dict[int, str]:
        """Interaction → its date, as published."""
        return {key: str(date) for key, date in self.area.query(
            "select interaction_id, interaction_date from staged.stg_interactions"
        )}  # fmt: skip

    def held(self) -> holding.Held | None:
        with connect(self.area.settings, read_only=True) as connection:
            return holding.held(connection, "interactions")

    def release(self) -> None:
        with connect(self.area.settings) as connection:
            holding.release(connection, "interactions", reason="as agreed", who="ada", at=NOON)

    def reconciles(self) -> bool:
        with connect(self.area.settings, read_only=True) as connection:
            return reconcile(connection, "interactions", 5).failing == 0


def _interaction(key: int, day: int, date: str) -> Row:
    return {
        "interaction_id": str(key), "consumer_id": "1", "touchpoint_id": "1", "interaction_date": date,
        "interaction_type": "phone", "resolution_status": "open", "comments": None,
        "_source_updated_at": f"2026-01-{day:02d}T00:00:00", "_extra": None,
    }  # fmt: skip


@pytest.fixture
def gated(new_area: NewArea) -> Iterator[GatedArea]:
    """Sixty interactions are published; then the CRM writes all dates in another way."""
    with new_area(published=True) as area:
        made = GatedArea(area)
        made.land(1, date="2026-01-01")
        made.refresh()
        made.land(2, date="Jan 2, 26")
        yield made


def test_a_changed_date_format_is_held_back_and_mended_by_itself(gated: GatedArea) -> None:
    gated.area.land("touchpoints", "crm", [{"touchpoint_id": "7", "touchpoint_name": "Till", "_extra": None}])
    outcomes = gated.refresh()
    assert {name: one.status for name, one in outcomes.items()} == {
        "stg_interactions": "held", "stg_touchpoints": "published",
    }  # fmt: skip
    assert outcomes["stg_interactions"].message == (
        "stg_interactions is held back by batch__reject_share:"
        " 60 of 60 new rows of crm are rejected (100.0%), at most 15.0% are expected."
    )
    assert gated.staged() == dict.fromkeys(KEYS, "2026-01-01")
    assert gated.area.watermarks()["interactions"] == 60
    assert gated.area.query("select count(*) from staged.quarantine_interactions") == [(0,)]

    gated.land(3, date="2026-01-03")
    assert gated.refresh()["stg_interactions"].status == "published"
    assert gated.staged() == dict.fromkeys(KEYS, "2026-01-03")
    assert gated.area.query("select count(*) from staged.quarantine_interactions") == [(60,)]
    assert (gated.held(), gated.reconciles()) == (None, True)


def test_a_held_batch_stays_held_until_something_is_done(gated: GatedArea) -> None:
    gated.refresh()
    gated.land(3, date="2026-01-03", keys=range(100, 105))
    assert gated.refresh()["stg_interactions"].status == "held"
    held = gated.held()
    assert held is not None
    assert (held.upto, held.rules[0]["failing"]) == (125, 60)


def test_a_released_batch_is_published_as_it_was_held_and_the_rest_after_it(gated: GatedArea) -> None:
    gated.refresh()
    gated.release()
    gated.land(3, date="2026-01-03", keys=range(100, 105))
    assert gated.refresh()["stg_interactions"].status == "published"
    assert gated.area.watermarks()["interactions"] == 120
    assert gated.staged() == dict.fromkeys(KEYS, "2026-01-01")
    assert gated.refresh()["stg_interactions"].status == "published"
    assert gated.staged().keys() == {*KEYS, *range(100, 105)}
    assert (gated.held(), gated.reconciles()) == (None, True)


def test_an_audit_that_can_not_run_is_a_failure_and_no_failed_check(
    gated: GatedArea, monkeypatch: pytest.MonkeyPatch
) -> None:
    gated.area.land("touchpoints", "crm", [{"touchpoint_id": "7", "touchpoint_name": "Till", "_extra": None}])
    audit = AuditGate.audit

    def failing(self: AuditGate, connection: Any, dataset: str, **options: Any) -> Any:
        if dataset == "interactions":
            raise duckdb.ConversionException("Conversion Error: Could not convert string 'Ada' to INT64")
        return audit(self, connection, dataset, **options)

    monkeypatch.setattr(AuditGate, "audit", failing)
    outcomes = gated.refresh()
    failed = outcomes["stg_interactions"]
    assert (failed.status, failed.audit, failed.checks) == ("failed", None, [])
    assert failed.message == "the audit could not run: Conversion Error: Could not convert string … to INT64"
    assert outcomes["stg_touchpoints"].status == "published"
    assert gated.staged() == dict.fromkeys(KEYS, "2026-01-01")


def test_a_key_that_was_just_audited_is_not_tested_again(new_area: NewArea, monkeypatch: pytest.MonkeyPatch) -> None:
    unique, present = (f"interactions__interaction_id__{kind}" for kind in ("unique", "not_null"))
    asked = []
    tested = Verification._tested

    def noted(self: Verification, connection: duckdb.DuckDBPyConnection, test: DataTest, *rest: Any) -> Checked:
        asked.append(test.name)
        return tested(self, connection, test, *rest)

    with new_area(published=True, checked=True) as area:
        made = GatedArea(area)
        made.land(1, date="2026-01-01")
        with monkeypatch.context() as patched:
            patched.setattr(Verification, "_tested", noted)
            checks = {check.name: check for check in made.refresh(full=True)["stg_interactions"].checks}
        assert "interactions__channel__accepted_values" in asked
        assert not {unique, present} & set(asked)
        assert [(checks[name].status, checks[name].rows) for name in (unique, present)] == [("passed", len(KEYS))] * 2
        # By themselves they are evaluated.
        area.execute("insert into staged.stg_interactions from staged.stg_interactions limit 1")
        assert area.check(unique, ["interactions"]) == {"interactions": "failed"}
