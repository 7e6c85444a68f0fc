"""No row that a source can send holds a dataset back by itself: what staging makes of it breaks no blocking rule."""

import itertools

from hypothesis import given

from staged_assets.catalogue import DATASETS
from staged_assets.landing.warehouse import connect
from staged_assets.validation.audit import audit
from staged_assets_tests.properties.histories import SYSTEMS, Histories, histories
from staged_assets_tests.properties.profile import examples
from staged_assets_tests.properties.values import COLUMNS
from staged_assets_tests.staged_area import NewArea, Row, StagedArea

#: What no source should send in any column, and some does.
EXTREMES = (
    "9223372036854775807", "-9223372036854775808", "99999999999999.9999", "-0", "0.0001", "1,234.5", "1e5", "%",
    "0001-01-01", "9999-12-31", "9999-12-31T23:59:59.999999-14:00", "1900-01-01", "2999-01-01", "31.12.2026",
    "x" * 5000, "a\nb\tc", "\u200b", "\u202eabc", "e\u0301", "🙂", "İSTANBUL", "ß", "ŁÓDŹ", "'; drop table x; --", "{}",
    "O'Brien & Söhne \u2013 №1", "Ann.O'Brien+x@Müller.Example.COM", "用户@例子.广告", "a@xn--bcher-kva.example",
    "+49", "+999999999999999", "0049 30 1234567 ext. 5", "00000000", "00000000000000", "4006381333931", "100%", "$5",
    "5 €", "GB", "Côte d\u2019Ivoire", "EUR", "card", "CLOSED", "Google Ads, TV & e-mail", "0.00001 mg", "1000000 t",
    "nan", "null",
)  # fmt: skip


def _blocking(area: StagedArea) -> list[str]:
    with connect(area.settings, read_only=True) as connection:
        audits = [audit(connection, dataset, relation=f"staged.stg_{dataset}", personal=()) for dataset in DATASETS]
    return [
        f"{one.rule.name}: {one.message} {one.sample}" for result in audits for one in result.failed if one.blocking
    ]


@examples(2)
@given(sent=histories(keys=30, longest=2))
def test_random_rows_break_no_blocking_rule_once_they_are_staged(sent: Histories, new_area: NewArea) -> None:
    with new_area() as area:
        area.land_all(arrival.landing() for arrival in sent.arrivals())
        area.refresh(companions=())
        assert _blocking(area) == []


def test_extreme_values_break_no_blocking_rule_once_they_are_staged(new_area: NewArea) -> None:
    with new_area() as area:
        for dataset in DATASETS:
            rows = _extreme_rows(dataset)
            for place, system in enumerate(SYSTEMS):
                area.land(dataset, system, rows[place :: len(SYSTEMS)])
        area.refresh(companions=())
        assert _blocking(area) == []
        counts = [area.query(f"select count(*) from staged.stg_{dataset}")[0][0] for dataset in DATASETS]
        assert min(counts) >= len(EXTREMES)


def _extreme_rows(dataset: str) -> list[Row]:
    """For each extreme value a row with it in every optional column, and one with it in every column but the key."""
    key, *others = COLUMNS[dataset]
    numbers = itertools.count(1)
    rows: list[Row] = []
    for value in EXTREMES:
        sound = {column.name: _SOUND[column.kind] for column in others if column.required}
        for fixed in (sound, {}):
            rows.append({**{c.name: value for c in others}, **fixed, key.name: str(next(numbers)), "_extra": None})
    return rows


_SOUND = {
    "integer": "1",
    "text": "Name",
    "moment": "2026-01-05",
    "date": "2026-01-05",
    "start": "2026-01-01",
    "end": "2026-01-06",
}
