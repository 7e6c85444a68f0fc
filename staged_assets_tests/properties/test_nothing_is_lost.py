"""Guarantee 1: every raw row has exactly one disposition, by row id; what is rejected is in quarantine as it came."""

from hypothesis import given
from hypothesis import strategies as st

from staged_assets.catalogue import DATASETS
from staged_assets_tests.properties.histories import cut, cuts, histories
from staged_assets_tests.properties.profile import examples
from staged_assets_tests.properties.reference import expected_dispositions, raw_rows, reasons
from staged_assets_tests.staged_area import NewArea, StagedArea, dispositions


@examples(1)
@given(data=st.data())
def test_every_raw_row_has_the_one_disposition_that_the_rules_give_it(new_area: NewArea, data: st.DataObject) -> None:
    batches = cut(data.draw(histories(keys=20)).arrivals(), data.draw(cuts(1)))
    with new_area(published=True) as area:
        for batch in batches:
            area.land_all(arrival.landing() for arrival in batch)
            area.refresh()
        for dataset in DATASETS:
            assert dispositions(area, dataset) == expected_dispositions(dataset, raw_rows(area, dataset))
            _assert_quarantine_is_complete(area, dataset)


def _assert_quarantine_is_complete(area: StagedArea, dataset: str) -> None:
    """The rejected rows as they came, with every reason, its raw value, the rule set and when first seen."""
    kept = {row["_raw_row_id"]: row for row in area.records(f"staged.quarantine_{dataset}")}
    rejected = [row for row in raw_rows(area, dataset) if reasons(row)]
    assert kept.keys() == {row["_raw_row_id"] for row in rejected}
    for row in rejected:
        found = kept[row["_raw_row_id"]]
        assert {name: found[name] for name in row} == row
        assert [(reason["code"], reason["column"]) for reason in found["_reject_reasons"]] == reasons(row)
        for reason in found["_reject_reasons"]:
            if reason["column"]:
                assert reason["raw_value"] == row[reason["column"]]
        assert found["_rule_set_version"]
        assert found["_first_seen_at"]


def test_a_rejected_row_keeps_when_it_was_first_seen(new_area: NewArea) -> None:
    with new_area(published=True) as area:
        area.land("touchpoints", "crm", [{"touchpoint_id": "x", "_source_updated_at": "2026-01-01T00:00:00"}])
        area.refresh(["touchpoints"])
        seen = area.query("select _first_seen_at from staged.quarantine_touchpoints")
        area.land("touchpoints", "crm", [{"touchpoint_id": "1", "_source_updated_at": "2026-01-01T00:00:00"}])
        area.refresh(["touchpoints"])
        area.refresh(["touchpoints"], full=True)
        assert area.query("select _first_seen_at from staged.quarantine_touchpoints") == seen
