"""Guarantee 2: a bad newer version never displaces a good older one."""

from hypothesis import given

from staged_assets_tests.properties.histories import Histories, histories
from staged_assets_tests.properties.profile import examples
from staged_assets_tests.staged_area import LOAD_ORDER, RUN_TIME_STAMPS, NewArea, Outputs, StagedArea, differences


def _staged(area: StagedArea) -> Outputs:
    """All that is staged or made from it, but for when it landed: that bad rows were landed before shifts that."""
    outputs = area.outputs(without=(*RUN_TIME_STAMPS, *LOAD_ORDER, "_raw_row_id"))
    return {name: rows for name, rows in outputs.items() if name.startswith("stg_")}


@examples(1)
@given(sent=histories(keys=15))
def test_what_is_staged_is_as_if_the_bad_rows_had_never_come(sent: Histories, new_area: NewArea) -> None:
    arrivals = sent.arrivals()
    with new_area() as with_bad, new_area() as without_bad:
        with_bad.land_all(arrival.landing() for arrival in arrivals)
        without_bad.land_all(arrival.landing() for arrival in arrivals if arrival.step.kind in ("sound", "delete"))
        with_bad.refresh()
        without_bad.refresh()
        assert differences(_staged(with_bad), _staged(without_bad)) == {}
        assert any(area_rows for area_rows in _staged(with_bad).values())


def test_a_bad_version_that_is_newest_leaves_the_good_one_staged(new_area: NewArea) -> None:
    with new_area(published=True) as area:
        for day, name in ((1, "Spring"), (2, "Summer"), (3, " \u00a0")):
            row = {"audience_segment_id": "1", "segment_name": name}
            area.land("audience_segments", "crm", [{**row, "_source_updated_at": f"2026-01-0{day}T00:00:00"}])
            area.refresh(["audience_segments"])
        assert area.query("select segment_name from staged.stg_audience_segments") == [("Summer",)]
        found = area.query("select disposition from staged.dispositions_audience_segments order by _landing_id")
        assert found == [("superseded",), ("staged",), ("rejected",)]
