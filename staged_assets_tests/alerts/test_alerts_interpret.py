"""What is made of events: who failed or passed, whom it concerns, and no more facts than may be told."""

from collections.abc import Callable

import dagster as dg
import pytest
from dagster import DagsterInstance

from staged_assets.alerts.event_log import Position, newest_position, read
from staged_assets.alerts.interpret import Concern, Interpreter, concerns_of
from staged_assets.alerts.observations import Facts, Observation, check_facts
from staged_assets_tests.alerts.events import (
    WARN,
    report_check,
    report_freshness,
    run_checks,
    run_given_up_by_the_monitor,
    run_that,
)

ROW_ID = "0123456789abcdef0123456789abcdef"
OWNER = "erp@examplecorp.com"


@pytest.fixture
def seen(any_instance: DagsterInstance) -> Callable[[], list[Observation]]:
    """What is observed since the test began."""
    before: Position = newest_position(any_instance)
    interpreter = Interpreter(
        any_instance, lambda key: Concern(frozenset([OWNER]), frozenset([key.path[-1]])), has_open_runs=lambda: True
    )

    def observations() -> list[Observation]:
        return [
            seen for entry in read(any_instance, before, 0, 100).entries for seen in interpreter.observations(entry)
        ]

    return observations


def test_a_check_outside_of_a_run_is_seen(any_instance, seen):
    report_check(any_instance, "required", passed=False, severity=WARN)
    [check] = seen()
    assert (check.subject.key, check.failing, check.severity, check.run_id) == (
        "check:stg_sales:required", True, "warn", None,
    )  # fmt: skip
    assert check.owners == {OWNER}


def test_partitions_of_a_check_fail_apart_and_are_not_named(any_instance, seen):
    report_check(any_instance, "required", passed=False, partition="Zanzibar")
    report_check(any_instance, "required", passed=True, partition="Quux")
    first, second = seen()
    assert first.subject != second.subject
    assert "Zanzibar" not in first.subject.key


@pytest.mark.parametrize(
    ("state", "failing", "severity"),
    [("FAIL", True, "error"), ("WARN", True, "warn"), ("PASS", False, "error"), ("NOT_APPLICABLE", False, "error")],
)
def test_freshness_is_seen(any_instance, seen, state, failing, severity):
    report_freshness(any_instance, "stg_sales", state)
    [change] = seen()
    assert (change.subject.key, change.failing, change.severity) == ("freshness:stg_sales:", failing, severity)


def test_an_asset_that_was_never_materialized_is_not_stale(any_instance, seen):
    report_freshness(any_instance, "stg_sales", "UNKNOWN")
    assert seen() == []


def test_a_failed_run_tells_its_steps_and_not_its_error(any_instance, seen):
    run_id = run_that(any_instance, fails=True)
    [run] = seen()
    assert (run.subject.key, run.failing, run.run_id) == ("run:refresh:", True, run_id)
    assert run.facts == Facts(steps=("work",))


def test_a_run_that_the_monitor_gave_up_is_a_failed_run(any_instance, seen):
    run_id = run_given_up_by_the_monitor(any_instance)
    [run] = seen()
    assert (run.subject.key, run.failing, run.run_id) == ("run:refresh:", True, run_id)
    assert run.facts == Facts(reason="it was marked as failed from outside")


def test_a_run_that_succeeds_is_seen_to_pass(any_instance, seen):
    run_that(any_instance, fails=False)
    [run] = seen()
    assert (run.subject.key, run.failing) == ("run:refresh:", False)


def _assets(blocking: bool, fails: bool) -> list[dg.AssetsDefinition]:
    @dg.asset(check_specs=[dg.AssetCheckSpec("required", asset="stg_items", blocking=blocking)])
    def stg_items() -> dg.MaterializeResult:
        return dg.MaterializeResult(check_results=[dg.AssetCheckResult(check_name="required", passed=False)])

    @dg.asset
    def stg_shops() -> None:
        if fails:
            raise ValueError("Zanzibar Quux")

    @dg.asset(deps=[stg_shops])
    def stg_offers() -> None:
        pass

    return [stg_items, stg_shops, stg_offers]


def test_a_run_that_only_a_blocking_check_failed_is_not_told_beside_the_check(any_instance, seen):
    dg.materialize(_assets(blocking=True, fails=False), instance=any_instance, raise_on_error=False)
    assert [observation.subject.kind for observation in seen()] == ["check"]


def test_a_run_that_failed_for_another_reason_too_is_told(any_instance, seen):
    dg.materialize(_assets(blocking=True, fails=True), instance=any_instance, raise_on_error=False)
    assert [observation.subject.kind for observation in seen()] == ["check", "run"]


def test_a_failed_run_concerns_what_it_did_not_refresh(any_instance, seen):
    dg.materialize(_assets(blocking=False, fails=True), instance=any_instance, raise_on_error=False)
    run = seen()[-1]
    assert run.facts.not_refreshed == ("stg_offers", "stg_shops")
    assert run.datasets == {"stg_offers", "stg_shops"}


def test_a_successful_run_tells_what_it_refreshed(any_instance, seen):
    run_checks(any_instance, {"required": True}, asset="stg_items")
    assert seen()[-1].assets == {"stg_items"}


def test_whom_an_asset_concerns_is_in_the_asset_graph():
    tagged = dg.AssetSpec("a", owners=[OWNER], tags={"staged_assets/dataset": "sales"})
    named = dg.AssetSpec(["raw", "items"], owners=["team:shop"])
    repository = dg.Definitions(assets=[tagged, named]).get_repository_def()
    concern_of = concerns_of(repository)
    assert concern_of(dg.AssetKey("a")) == Concern(frozenset([OWNER]), frozenset(["sales"]))
    assert concern_of(dg.AssetKey(["raw", "items"])) == Concern(frozenset(["team:shop"]), frozenset(["items"]))


@pytest.mark.parametrize(
    ("name", "datasets"),
    [
        ("stg_sales", {"sales"}),
        ("quarantine_sales", {"sales"}),
        ("stg_consumers__identities", {"consumers"}),
        ("x", set()),
    ],
)
def test_of_an_asset_that_is_not_in_the_graph_the_name_tells_the_dataset(name, datasets):
    assert concerns_of(None)(dg.AssetKey(name)) == Concern(frozenset(), frozenset(datasets))


def test_counts_names_and_row_ids_are_taken_from_metadata():
    metadata = dg.AssetCheckResult(
        passed=False,
        metadata={"rule": "required", "column": "item_name", "failing": 3, "rows": 12, "raw_row_ids": [ROW_ID] * 9},
    ).metadata
    assert check_facts(metadata) == Facts(
        rule="required", column="item_name", failing=3, rows=12, share=0.25, raw_row_ids=(ROW_ID,) * 3
    )


def test_a_share_of_its_own_comes_first():
    assert check_facts({"failures": dg.IntMetadataValue(3), "share": dg.FloatMetadataValue(0.5)}) == Facts(
        failing=3, share=0.5
    )


@pytest.mark.parametrize(
    "metadata",
    [
        {"rule": dg.TextMetadataValue("Zanzibar Quux")},
        {"column": dg.MarkdownMetadataValue("zanzibar")},
        {"failing": dg.TextMetadataValue("zanzibar")},
        {"rows": dg.FloatMetadataValue(float("nan"))},
        {"share": dg.FloatMetadataValue(None)},
        {"raw_row_ids": dg.JsonMetadataValue(["zanzibar", 7, {"a": "zanzibar"}])},
        {"raw_row_ids": dg.JsonMetadataValue({"zanzibar": 1})},
        {"raw_row_ids": dg.TextMetadataValue("zanzibar")},
        {"sample": dg.JsonMetadataValue(["zanzibar"])},
        {"consumer_email": dg.TextMetadataValue("zanzibar")},
        {"phone_number": dg.IntMetadataValue(447700900123)},
    ],
)
def test_nothing_else_is_taken_from_metadata(metadata):
    assert check_facts(metadata) == Facts()


def rules_metadata(failing: dict[str, str], holding: list[str]) -> dict[str, object]:
    listed = [
        {
            "rule": name, "column": "quantity", "severity": severity, "failing": 3, "rows": 10, "share": 0.3,
            "raw_row_ids": [ROW_ID, "Zanzibar"], "query": "select 'Zanzibar'",
        }
        for name, severity in failing.items()
    ]  # fmt: skip
    return {"rule": "a", "failing": 3, "failing_rules": listed, "rules_holding": holding}


def test_rules_that_are_checked_together_fail_and_recover_apart(any_instance, seen):
    metadata = rules_metadata({"a": "error", "b": "warning"}, ["c"])
    report_check(any_instance, "table__contract", passed=False, metadata=metadata)
    facts = {"failing": 3, "rows": 10, "share": 0.3, "raw_row_ids": (ROW_ID,), "column": "quantity"}
    assert [(one.subject.key, one.failing, one.severity, one.facts) for one in seen()] == [
        ("check:stg_sales:table__contract:a", True, "error", Facts(rule="a", **facts)),
        ("check:stg_sales:table__contract:b", True, "warn", Facts(rule="b", **facts)),
        ("check:stg_sales:table__contract:c", False, "error", Facts()),
    ]


def test_rules_that_all_hold_are_no_failure(any_instance, seen):
    report_check(any_instance, "table__contract", passed=True, metadata=rules_metadata({}, ["a", "b"]))
    assert {(one.subject.rule, one.failing) for one in seen()} == {("", False), ("a", False), ("b", False)}


def test_a_batch_that_is_held_back_is_one_failure_by_however_many_rules(any_instance, seen):
    metadata = rules_metadata({"a": "error", "b": "warning"}, ["c"])
    report_check(any_instance, "batch__audited", passed=False, metadata=metadata)
    assert [(one.subject.key, one.facts.rule) for one in seen()] == [("check:stg_sales:batch__audited", "a")]


def test_names_of_rules_are_names_or_not_told(any_instance, seen):
    report_check(
        any_instance, "table__contract", passed=False, metadata=rules_metadata({"Zanzibar Quux": "error"}, ["Ada Q"])
    )
    assert "Zanzibar" not in str(seen())
    assert "Ada" not in str(seen())
