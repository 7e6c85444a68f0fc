"""Whole-table checks: reconciliation, reject rate, volume, freshness, references."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pytest

from staged_assets.errors import WarehouseError
from staged_assets.validation import table_checks
from staged_assets.validation.config import load_validation
from staged_assets.validation.table_checks import REFERENCES, check_table, published_rules
from staged_assets_tests.validation import good_rows
from staged_assets_tests.validation.published import NOW, ROWS, Published


@pytest.fixture
def published() -> Iterator[Published]:
    with duckdb.connect() as connection:
        yield Published(connection)


def test_every_rule_of_a_table_gives_a_result(published: Published) -> None:
    published.publish("sales")
    results = check_table(published.connection, "sales", load_validation(), personal=(), now=NOW)
    assert [result.rule.name for result in results] == [rule.name for rule in published_rules("sales")]


def test_a_sound_table_reconciles(published: Published) -> None:
    published.publish("offers")
    result = published.check("offers", table_checks.RECONCILED)
    assert (result.passed, result.failing, result.looked_at) == (True, 0, 35)


@pytest.mark.parametrize("dataset", ["offers", "shops"])
@pytest.mark.parametrize(
    ("damage", "problems"),
    [
        ("delete from staged.dispositions_{0} where _landing_id = 31", ["no disposition"]),
        ("delete from raw.{0} where _landing_id = 31", ["not in raw"]),
        ("update raw.{0} set _raw_row_id = 'x' where _landing_id = 31", ["no disposition", "not in raw"]),
        (
            "insert into staged.dispositions_{0} from staged.dispositions_{0} where _landing_id = 31",
            ["several dispositions"],
        ),
        (
            "insert into raw.{0} from raw.{0} where _landing_id = 31",
            ["several raw rows"],
        ),
        (
            "update staged.dispositions_{0} set _reject_reasons = [] where _landing_id = 31",
            ["rejected without a reason, or not rejected with one"],
        ),
        (
            "update staged.dispositions_{0} set disposition = 'duplicate' where _landing_id = 31",
            ["rejected without a reason, or not rejected with one"],
        ),
        ("delete from staged.stg_{0} where {1} = 7", ["not in the staged table"]),
        (
            "update staged.dispositions_{0} set disposition = 'deleted' where _key = 7",
            ["staged against its disposition"],
        ),
        (
            "update staged.stg_{0} set {1} = case {1} when 7 then 8 else 7 end where {1} in (7, 8)",
            ["staged against its disposition"] * 2,
        ),
    ],
)
def test_a_row_that_is_lost_made_up_doubled_or_swapped_is_named(
    published: Published, dataset: str, damage: str, problems: list[str]
) -> None:
    published.publish(dataset)
    key = {"offers": "offer_id", "shops": "shop_id"}[dataset]
    published.connection.execute(damage.format(dataset, key))
    result = published.check(dataset, table_checks.RECONCILED)
    assert (result.passed, result.failing) == (False, len(problems))
    assert sorted(row["problem"] for row in result.sample) == problems


def test_rows_beyond_the_watermark_are_not_lost(published: Published) -> None:
    published.publish("offers")
    published.connection.execute(
        "insert into raw.offers (_raw_row_id, _landing_id, _source_system, _landed_at, _operation)"
        " values ('later', 36, 'crm', timestamp '2026-03-02', 'upsert')"
    )
    assert published.check("offers", table_checks.RECONCILED).passed


def test_discrepancies_can_be_queried(published: Published) -> None:
    published.publish("offers")
    published.connection.execute("delete from staged.dispositions_offers where _landing_id > 25")
    result = published.check("offers", table_checks.RECONCILED)
    found = published.connection.execute(result.query).fetchall()
    assert (len(found), len(result.sample)) == (result.failing, 5)


@pytest.mark.parametrize(
    ("limits", "passed", "severity"),
    [
        ("{warn: 0.2, error: 0.3}", True, "warn"),
        ("{warn: 0.1, error: 0.3}", False, "warn"),
        ("{warn: 0.1, error: 0.14}", False, "error"),
    ],
)
def test_reject_rate_warns_above_one_threshold_and_fails_above_the_other(
    published: Published, tmp_path: Any, limits: str, passed: bool, severity: str
) -> None:
    path = tmp_path / "validation.yaml"
    path.write_text(f"datasets: {{offers: {{reject_rate: {limits}}}}}")
    published.publish("offers")
    result = published.check("offers", table_checks.REJECT_RATE, path=path)
    assert (result.passed, result.rule.severity, result.failing, result.looked_at) == (passed, severity, 5, 35)


def test_rejects_are_told_by_their_reasons_and_never_by_their_values(published: Published) -> None:
    published.publish("offers")
    result = published.check("offers", table_checks.REJECT_RATE)
    assert result.sample == ({"raw_row_id": result.sample[0]["raw_row_id"], "reason": "missing:x", "rows": "5"},)


def _days(*new_rows: int, last: datetime = NOW) -> list[tuple[datetime, int]]:
    return [(last - timedelta(days=len(new_rows) - 1 - i), rows) for i, rows in enumerate(new_rows)]


USUAL = (100, 110, 90, 105, 95, 100, 98, 102)


@pytest.mark.parametrize(
    ("last", "passed"), [(100, True), (160, True), (60, True), (1000, False), (10, False)]
)  # fmt: skip
def test_volume_is_judged_by_the_datasets_own_refreshes(published: Published, last: int, passed: bool) -> None:
    published.publish("offers")
    published.refreshed("offers", _days(*USUAL, last))
    assert published.check("offers", table_checks.VOLUME).passed is passed


def test_volume_that_always_varies_may_vary(published: Published) -> None:
    published.publish("offers")
    published.refreshed("offers", _days(10, 1000, 50, 400, 20, 800, 100, 30, 1500))
    assert published.check("offers", table_checks.VOLUME).passed


def test_volume_is_quiet_until_there_is_a_history(published: Published) -> None:
    published.publish("offers")
    published.refreshed("offers", _days(*USUAL[:7], 100_000))
    result = published.check("offers", table_checks.VOLUME)
    assert (result.passed, result.message) == (
        True, "quiet until 8 refreshes with new rows make a history; there are 7",
    )  # fmt: skip


def test_a_full_refresh_is_no_volume(published: Published) -> None:
    published.publish("offers")
    published.refreshed("offers", _days(*USUAL, 100, last=NOW - timedelta(days=1)))
    published.refreshed("offers", [(NOW, 1_000_000)], mode="full")
    assert published.check("offers", table_checks.VOLUME).passed


@pytest.mark.parametrize(("hours", "passed"), [(1, True), (48, True), (24 * 30, False)])
def test_freshness_is_judged_by_how_often_rows_usually_come(published: Published, hours: int, passed: bool) -> None:
    published.publish("offers")
    published.refreshed("offers", _days(*USUAL, 100, last=NOW - timedelta(hours=hours)))
    result = published.check("offers", table_checks.FRESHNESS)
    assert (result.passed, result.rule.severity) == (passed, "warn")


def test_refreshes_without_new_rows_are_not_fresh(published: Published) -> None:
    published.publish("offers")
    published.refreshed("offers", _days(*USUAL, 100, last=NOW - timedelta(days=40)))
    published.refreshed("offers", _days(*[0] * 40))
    assert not published.check("offers", table_checks.FRESHNESS).passed


@pytest.mark.parametrize(
    ("dataset", "column", "parent"),
    [(dataset, column, parent) for dataset, listed in REFERENCES.items() for column, parent in listed],
)
def test_what_is_referred_to_and_not_there_is_warned_of(
    published: Published, dataset: str, column: str, parent: str
) -> None:
    published.publish(dataset)
    published.publish(parent)
    published.connection.execute(f"update staged.stg_{dataset} set {column} = 999999 where _raw_row_id = md5('3')")
    result = published.check(dataset, f"{column}__in_{parent}")
    assert (result.passed, result.rule.severity, result.failing, result.looked_at) == (False, "warn", 1, ROWS)
    assert result.sample == ({"raw_row_id": good_rows.row_id(3), column: "999999"},)


def test_what_refers_to_nothing_is_not_looked_at(published: Published) -> None:
    published.publish("sales")
    published.publish("offers")
    published.connection.execute("update staged.stg_sales set offer_id = null")
    result = published.check("sales", "offer_id__in_offers")
    assert (result.passed, result.looked_at) == (True, 0)


def test_a_dataset_that_was_never_published_is_no_missing_reference(published: Published) -> None:
    published.publish("sales")
    result = published.check("sales", "offer_id__in_offers")
    assert (result.passed, result.message) == (True, "stg_offers was never published: not judged")


def test_a_table_that_was_never_published_can_not_be_checked(published: Published) -> None:
    with pytest.raises(WarehouseError, match="stg_sales was never published"):
        check_table(published.connection, "sales", load_validation(), personal=(), now=NOW)
