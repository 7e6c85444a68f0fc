"""What an audit holds back, what it does not, and what is remembered of it."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from staged_assets.validation import holding
from staged_assets.validation.audit import audit
from staged_assets.validation.batch import REJECT_SHARE
from staged_assets.validation.holding import HoldError
from staged_assets_tests.validation.batches import DATASET, NOON, RULES, Batches, batches


@pytest.fixture
def batch() -> Iterator[Batches]:
    with batches() as made:
        yield made


def _blocking(batch: Batches) -> list[str]:
    return [result.rule.name for result in batch.audit().failed if result.blocking]


def test_a_sound_batch_passes(batch: Batches) -> None:
    batch.write(200, 2)
    assert _blocking(batch) == []


def test_one_row_that_breaks_a_rule_of_the_schema_holds_the_batch(batch: Batches) -> None:
    batch.write(200, 0)
    batch.sql("update staged.stg_offers__candidate set duration_days = 0 where offer_id = 7")
    assert _blocking(batch) == ["duration_days__derived"]


def test_a_warning_does_not_hold_the_batch(batch: Batches) -> None:
    batch.write(200, 0)
    batch.sql("update staged.stg_offers__candidate set discount_amount = -1 where offer_id = 7")
    result = batch.audit()
    assert ([one.rule.name for one in result.failed], result.blocking) == (["discount_amount__not_negative"], False)


def test_bad_rows_of_a_small_batch_are_for_quarantine(batch: Batches) -> None:
    batch.write(0, 49)
    assert _blocking(batch) == []


def test_small_batches_are_judged_together_with_those_before_them(batch: Batches) -> None:
    batch.write(60, 0)
    batch.publish()
    batch.write(0, 1, keys_from=1000)
    assert _blocking(batch) == []
    batch.write(0, 20, keys_from=1000)
    (result,) = [one for one in batch.audit().failed if one.blocking]
    assert result.message == (
        "20 of 20 new rows of crm are rejected (100.0%), at most 15.0% are expected (20 of 80 with the batches before)"
    )


def test_a_small_sound_batch_after_bad_ones_passes(batch: Batches) -> None:
    batch.write(0, 49)
    batch.publish()
    batch.write(5, 0, keys_from=1000)
    assert _blocking(batch) == []


def test_a_batch_of_mostly_rejected_rows_is_held(batch: Batches) -> None:
    batch.write(10, 40)
    assert _blocking(batch) == [REJECT_SHARE]


def test_one_feed_of_mostly_rejected_rows_is_not_lost_among_the_others(batch: Batches) -> None:
    batch.write(900, 0)
    batch.add("rejected", 60, system="ecommerce", keys_from=2000)
    assert _blocking(batch) == [REJECT_SHARE]


def test_a_rejected_row_counts_no_more_once_its_record_has_landed_soundly(batch: Batches) -> None:
    batch.write(10, 40)
    batch.add("staged", 40, keys_from=11)
    assert _blocking(batch) == []


def test_a_record_that_lands_wrongly_after_a_sound_version_counts(batch: Batches) -> None:
    batch.write(60, 0)
    batch.add("rejected", 60, keys_from=1)
    assert _blocking(batch) == [REJECT_SHARE]


def test_rows_that_were_published_before_do_not_count_again(batch: Batches) -> None:
    batch.write(90, 25)
    batch.publish()
    batch.add("staged", 60, keys_from=500)
    assert batch.audit().profiles["crm"].looked_at == 60


def test_all_rows_count_when_the_rules_have_changed(batch: Batches) -> None:
    batch.write(90, 25)
    batch.publish()
    batch.sql("update staged.dispositions_offers__candidate set _rule_set_version = 'rules-2'")
    assert batch.audit().profiles["crm"].looked_at == 115


def test_far_more_rejects_than_the_datasets_own_history_hold_a_batch_below_the_limit(batch: Batches) -> None:
    batch.write(300, 3)
    batch.publish()
    batch.write(160, 40, keys_from=1000)
    assert _blocking(batch) == [REJECT_SHARE]


def test_a_dataset_that_always_has_many_rejects_is_judged_by_its_history(batch: Batches) -> None:
    batch.write(60, 40)
    batch.audit()
    holding.release(batch.connection, DATASET, reason="known", who="ada", at=NOON)
    batch.publish()
    batch.write(60, 50, keys_from=1000)
    assert _blocking(batch) == []


def test_a_column_that_is_mostly_unusable_holds_the_batch(batch: Batches) -> None:
    batch.write(200, 0)
    batch.sql(
        "update staged.stg_offers__candidate set max_usage = null, _cell_defects ="
        " [{'code': 'unparseable', 'column': 'max_usage', 'raw_value': 'x'}] where offer_id > 80"
    )
    assert _blocking(batch) == ["max_usage__batch_defect_share"]


def test_a_column_that_is_suddenly_never_given_holds_the_batch(batch: Batches) -> None:
    batch.write(200, 0)
    batch.publish()
    batch.write(100, 0, keys_from=1000)
    batch.sql("update staged.stg_offers__candidate set terms = null")
    assert _blocking(batch) == ["terms__batch_missing_share"]


def test_a_column_that_was_never_given_may_stay_so(batch: Batches) -> None:
    for keys_from in (1, 1000):
        batch.write(100, 0, keys_from=keys_from)
        batch.sql("update staged.stg_offers__candidate set terms = null")
        batch.publish()


def test_a_held_batch_is_remembered_with_why(batch: Batches) -> None:
    batch.write(10, 40)
    batch.audit()
    held = holding.held(batch.connection, DATASET)
    assert held is not None
    assert (held.upto, held.rule_set_version, held.run_id) == (50, RULES, "run-1")
    assert held.rules[0]["rule"] == REJECT_SHARE
    assert held.rules[0]["sample"][0]["reason"] == "unparseable:valid_from"
    assert held.message == (
        "stg_offers is held back by batch__reject_share:"
        " 40 of 50 new rows of crm are rejected (80.0%), at most 30.0% are expected."
    )


def test_what_is_held_again_and_again_keeps_its_first_time(batch: Batches) -> None:
    batch.write(10, 40)
    batch.audit()
    first = holding.all_held(batch.connection)[DATASET]
    batch.audit()
    again = holding.all_held(batch.connection)[DATASET]
    assert (again.first_held_at, again.held_at > first.held_at) == (first.first_held_at, True)


def test_nothing_is_held_once_the_dataset_is_published(batch: Batches) -> None:
    batch.write(10, 40)
    batch.audit()
    batch.add("staged", 40, keys_from=11)
    batch.publish()
    assert holding.all_held(batch.connection) == {}


def test_a_held_batch_is_no_history(batch: Batches) -> None:
    batch.write(10, 40)
    batch.audit()
    assert batch.connection.execute("select count(*) from control.batches").fetchall() == [(0,)]


def test_history_is_kept_as_long_as_it_is_asked_for(batch: Batches) -> None:
    for keys_from in range(1, 3500, 100):
        batch.write(60, 0, keys_from=keys_from)
        batch.publish()
    assert batch.connection.execute("select count(*) from control.batches").fetchall() == [(30,)]


def test_a_released_batch_is_published_once(batch: Batches) -> None:
    batch.write(10, 40)
    batch.audit()
    holding.release(batch.connection, DATASET, reason="checked with the shop", who="ada", at=NOON)
    assert batch.gate.released(batch.connection) == {DATASET: 50}
    result = batch.publish()
    assert result.summary == (
        "stg_offers is published against batch__reject_share, released by ada: checked with the shop."
    )
    (entry,) = holding.releases(batch.connection, DATASET)
    assert (entry.released_by, entry.reason, entry.released_at, entry.published) == (
        "ada", "checked with the shop", NOON, True,
    )  # fmt: skip
    assert batch.gate.released(batch.connection) == {}


def test_a_release_is_for_the_held_batch_alone(batch: Batches) -> None:
    batch.write(10, 40)
    batch.audit()
    holding.release(batch.connection, DATASET, reason="checked", who="ada", at=NOON)
    batch.add("rejected", 1, keys_from=900)
    assert batch.audit().blocking


def test_a_release_is_for_the_rules_of_the_held_batch_alone(batch: Batches) -> None:
    batch.write(10, 40)
    batch.audit()
    holding.release(batch.connection, DATASET, reason="checked", who="ada", at=NOON)
    assert batch.audit(rules="rules-2").blocking


def test_a_release_that_was_not_needed_is_recorded_as_such(batch: Batches) -> None:
    batch.write(10, 40)
    batch.audit()
    holding.release(batch.connection, DATASET, reason="checked", who="ada", at=NOON)
    batch.add("staged", 40, keys_from=11)
    batch.publish()
    assert holding.releases(batch.connection, DATASET)[0].published is False


@pytest.mark.parametrize(
    ("dataset", "reason", "message"),
    [
        ("offers", "why not", "No batch of offers is held back: there is nothing to release."),
        ("offer", "why not", "There is no dataset 'offer': there are audience_segments, consumers"),
    ],
)
def test_nothing_else_can_be_released(batch: Batches, dataset: str, reason: str, message: str) -> None:
    batch.write(1, 0)
    batch.audit()
    with pytest.raises(HoldError) as raised:
        holding.release(batch.connection, dataset, reason=reason, who="ada", at=NOON)
    assert str(raised.value).startswith(message)


def test_a_release_needs_a_reason(batch: Batches) -> None:
    batch.write(10, 40)
    batch.audit()
    with pytest.raises(HoldError, match="needs a reason"):
        holding.release(batch.connection, DATASET, reason=" ", who="ada", at=NOON)


def test_an_audit_writes_nothing(batch: Batches) -> None:
    batch.write(10, 40)
    audit(batch.connection, DATASET)
    assert holding.all_held(batch.connection) == {}


def test_samples_show_personal_values_by_type_and_length_alone(batch: Batches) -> None:
    batch.write(200, 0)
    batch.sql("update staged.stg_offers__candidate set terms = ' Ada Nguyễn' where offer_id = 7")
    told = json.dumps(batch.audit().as_dict(), ensure_ascii=False)
    assert ("Ada" in told, "text of 11 characters" in told) == (False, True)


def test_without_knowing_what_is_personal_every_value_is_masked(batch: Batches) -> None:
    batch.write(200, 0)
    batch.sql("update staged.stg_offers__candidate set offer_name = ' Ada Nguyễn' where offer_id = 7")
    assert "Ada" not in json.dumps(audit(batch.connection, DATASET).as_dict(), ensure_ascii=False)


def test_samples_are_capped(batch: Batches) -> None:
    batch.write(200, 0)
    batch.sql("update staged.stg_offers__candidate set offer_name = ' x'")
    (result,) = [one for one in batch.audit().failed if one.blocking]
    assert (result.failing, len(result.sample)) == (200, 5)


def test_the_query_gives_every_failing_row(batch: Batches) -> None:
    batch.write(200, 0)
    batch.sql("update staged.stg_offers__candidate set offer_name = ' x' where offer_id <= 30")
    (result,) = [one for one in batch.audit().failed if one.blocking]
    assert len(batch.connection.execute(result.query).fetchall()) == result.failing == 30


def test_the_gates_result_says_what_did_not_hold(batch: Batches) -> None:
    batch.write(10, 40)
    told = batch.audit().as_dict()
    assert (told["blocking"], [one["rule"] for one in told["failed"]]) == (True, [REJECT_SHARE])
    assert replace(batch.audit(), results=()).blocking is False
