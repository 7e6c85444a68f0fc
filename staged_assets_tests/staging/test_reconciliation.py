"""The check `table__reconciled` finds a single row that is swapped, lost or doubled."""

from collections.abc import Iterator

import pytest

from staged_assets.catalogue import DATASETS
from staged_assets.validation.table_checks import RECONCILED
from staged_assets_tests.staged_area import NewArea, Row, StagedArea

#: One whose systems are consolidated, one with a companion that is published with it, and a plain one.
CHECKED = ("consumers", "inventory", "sales")

#: What is planted. `{dataset}` and `{key}` are the dataset's; `first`, `second` and `old` are raw row ids.
PLANTED = {
    "lost in staged": "delete from staged.stg_{dataset} where _raw_row_id = $first",
    "doubled in staged": "insert into staged.stg_{dataset} select * from staged.stg_{dataset}"
    " where _raw_row_id = $first",
    "swapped in staged": "update staged.stg_{dataset} set _raw_row_id ="
    " case _raw_row_id when $first then $second else $first end where _raw_row_id in ($first, $second)",
    "older version in staged": "update staged.stg_{dataset} set _raw_row_id = $old where _raw_row_id = $first",
    "key changed in staged": "update staged.stg_{dataset} set {key} = 77 where _raw_row_id = $first",
    "lost in dispositions": "delete from staged.dispositions_{dataset} where _raw_row_id = $first",
    "last one lost in dispositions": "delete from staged.dispositions_{dataset} where _landing_id ="
    " (select max(_landing_id) from raw.{dataset})",
    "doubled in dispositions": "insert into staged.dispositions_{dataset} select * from staged.dispositions_{dataset}"
    " where _raw_row_id = $old",
    "swapped in dispositions": "update staged.dispositions_{dataset} set disposition ="
    " case _raw_row_id when $first then 'superseded' else 'staged' end where _raw_row_id in ($first, $old)",
    "rejected and superseded swapped": "update staged.dispositions_{dataset} set disposition ="
    " case disposition when 'rejected' then 'superseded' else 'rejected' end"
    " where disposition = 'rejected' or _raw_row_id = $old",
    "lost in raw": "delete from raw.{dataset} where _raw_row_id = $first",
    "doubled in raw": "insert into raw.{dataset} select * from raw.{dataset} where _raw_row_id = $first",
    "swapped in raw": "update raw.{dataset} set _raw_row_id ="
    " case _raw_row_id when $first then $second else $first end where _raw_row_id in ($first, $second)",
}


def _rows(dataset: str) -> list[Row]:
    """Two keys, the first with an older version, and a row that is rejected."""
    required = {
        "inventory": {"item_id": "1"},
        "sales": {"sale_date": "2026-01-01"},
    }.get(dataset, {})
    key, other = DATASETS[dataset].key, DATASETS[dataset].columns[-1]
    return [
        {key: number, other: value, **required, "_source_updated_at": f"2026-01-0{day}T00:00:00"}
        for number, day, value in (("1", 1, "old"), ("x", 1, "bad"), ("1", 2, "new"), ("2", 1, "other"))
    ]


@pytest.fixture(scope="module")
def area(new_area: NewArea) -> Iterator[StagedArea]:
    with new_area(published=True, checked=True) as area:
        for dataset in CHECKED:
            area.land(dataset, "crm", _rows(dataset))
        outcomes = area.refresh(CHECKED)
        checks = {(o.name, check.name): check.status for o in outcomes.values() for check in o.checks}
        assert {checks[f"stg_{dataset}", RECONCILED] for dataset in CHECKED} == {"passed"}
        yield area


@pytest.mark.parametrize("planted", PLANTED)
def test_one_planted_row_is_found(planted: str, area: StagedArea) -> None:
    with area.copy() as copy:
        for dataset in CHECKED:
            numbers = {
                name: number
                for name, (number,) in zip(
                    ("old", "first", "second"),
                    copy.query(f"select _raw_row_id from raw.{dataset} where {_sound(dataset)} order by _landing_id"),
                    strict=True,
                )
            }
            sql = PLANTED[planted].format(dataset=dataset, key=DATASETS[dataset].key)
            copy.execute(sql, {name: number for name, number in numbers.items() if f"${name}" in sql})
        assert copy.check(RECONCILED, CHECKED) == dict.fromkeys(CHECKED, "failed")


def _sound(dataset: str) -> str:
    return f"{DATASETS[dataset].key} != 'x'"


def test_nothing_is_found_where_nothing_is_planted(area: StagedArea) -> None:
    assert area.check(RECONCILED, CHECKED) == dict.fromkeys(CHECKED, "passed")
