"""Guarantee 3: however the same raw rows are cut into batches, the outputs are those of one full refresh."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from staged_assets.catalogue import DATASETS
from staged_assets_tests.properties.histories import cut, cuts, histories
from staged_assets_tests.properties.profile import examples
from staged_assets_tests.staged_area import LOAD_ORDER, RUN_TIME_STAMPS, NewArea, Outputs, StagedArea, differences


def one_full_refresh(new_area: NewArea, of: StagedArea) -> Outputs:
    """The outputs of a new area with the same raw rows."""
    with new_area() as area:
        area.take_raw(of.settings)
        area.refresh()
        return area.outputs()


@examples(3)
@given(data=st.data())
def test_any_split_ends_as_one_full_refresh(new_area: NewArea, data: st.DataObject) -> None:
    batches = cut(data.draw(histories()).arrivals(), data.draw(cuts(2)))
    dice = Random(data.draw(st.integers(0, 2**32)))
    with new_area(published=data.draw(st.booleans())) as area:
        sent: list[tuple[str, str, dict[str, str | None]]] = []
        for batch in batches:
            sent += [arrival.landing() for arrival in batch]
            area.land_all(sent[-len(batch) :] if batch else [])
            # What was delivered is delivered again, in another order: what has an update time is not landed twice.
            area.land_all(dice.sample(sent, len(sent) // 4))
            before = area.watermarks()
            refreshed = list(DATASETS) if batch is batches[-1] else dice.sample(list(DATASETS), 10)
            area.refresh(refreshed)
            for dataset in dice.sample(refreshed, 3):
                # As if it had died before its last step: the next refresh works on the same rows again.
                if dataset in before:
                    area.set_back(dataset, before[dataset])
        area.refresh()
        assert differences(area.outputs(), one_full_refresh(new_area, of=area)) == {}


@examples(2)
@given(data=st.data())
def test_the_order_of_arrival_does_not_matter_where_the_source_gives_one(
    new_area: NewArea, data: st.DataObject
) -> None:
    arrivals = data.draw(histories(timed=True)).arrivals()
    shuffled = list(arrivals)
    Random(data.draw(st.integers(0, 2**32))).shuffle(shuffled)
    without = (*RUN_TIME_STAMPS, *LOAD_ORDER)
    with new_area() as in_order, new_area(published=True) as out_of_order:
        in_order.land_all(arrival.landing() for arrival in arrivals)
        in_order.refresh()
        for batch in cut(shuffled, data.draw(cuts(1))):
            out_of_order.land_all(arrival.landing() for arrival in batch)
            out_of_order.refresh()
        assert differences(in_order.outputs(without=without), out_of_order.outputs(without=without)) == {}


def test_a_content_that_comes_back_is_a_version_of_its_own(new_area: NewArea) -> None:
    """A → B → A."""
    with new_area(published=True) as area:
        for name in ("A", "B", "A"):
            area.land("touchpoints", "crm", [{"touchpoint_id": "1", "touchpoint_name": name}])
            area.refresh(["touchpoints"])
        found = area.query("select disposition, version from staged.dispositions_touchpoints order by _landing_id")
        assert found == [("superseded", 1), ("superseded", 2), ("staged", 3)]
        assert area.query("select touchpoint_name from staged.stg_touchpoints") == [("A",)]


def test_very_many_rows_which_are_read_through_a_view_end_alike(new_area: NewArea) -> None:
    with new_area(published=True) as area:
        area.execute(
            """
            insert into raw.touchpoints by name
            select (number // 2)::varchar as touchpoint_id, ' Name ' || number % 5 as touchpoint_name,
                md5(number::varchar) as _raw_row_id, 'crm' as _source_system, timestamp '2026-01-01' as _landed_at,
                number as _landing_id, 'upsert' as _operation
            from range(1, 300_100) as numbers(number)
            """
        )
        area.refresh(["touchpoints"])
        in_a_batch = area.outputs()
        area.refresh(["touchpoints"], full=True)
        kind = "select table_type from information_schema.tables where table_name = 'base_touchpoints'"
        assert area.query(kind) == [("VIEW",)]
        assert differences(area.outputs(), in_a_batch) == {}
