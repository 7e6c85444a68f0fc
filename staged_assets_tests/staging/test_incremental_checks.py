"""The checks of an increment: they look at what has changed, and say what a look at the whole table would say."""

from collections.abc import Iterator
from typing import Any

import pytest

from staged_assets.staging import control
from staged_assets.staging.dbt_runner import DbtRunner
from staged_assets.staging.refresh import Refresh
from staged_assets_tests.staged_area import NewArea, Row, StagedArea

#: check → (status, failing rows, rows)
Found = dict[str, tuple[str, int | None, int]]

CONTRACT, RECONCILED, TEST = "table__contract", "table__reconciled", "sales__sale_id__unique"


def _sale(key: object, day: int, **values: str) -> Row:
    sale: Row = {
        "sale_id": str(key),
        "sale_date": f"2026-01-{day:02}",
        "shop_id": "1",
        "quantity": "1",
        "total_price": "8",
    }
    return sale | values | {"_source_updated_at": f"2026-02-{day:02}T00:00:00"}


@pytest.fixture(scope="module")
def before(new_area: NewArea) -> Iterator[StagedArea]:
    """Sales are published: sound ones, a rejected one, one of an offer that there is not."""
    with new_area(published=True, checked=True) as area:
        area.land("offers", "ecommerce", [
            {"offer_id": "1", "offer_name": "Winter", "valid_from": "2026-01-01", "valid_to": "2026-02-01"},
        ])  # fmt: skip
        area.land("sales", "ecommerce", [_sale(key, 1, offer_id="1") for key in range(1, 5)])
        area.land("sales", "ecommerce", [_sale(5, 1, offer_id="7"), _sale("x", 1), _sale(6, 1, offer_id="8")])
        area.refresh(["offers", "sales"])
        area.land(
            "sales", "ecommerce", [_sale(7, 2), _sale(1, 2, offer_id="9"), _sale(5, 2, offer_id="1"), _sale("y", 2)]
        )
        area.land("sales", "ecommerce", [_sale(6, 3) | {"_operation": "delete"}, _sale(1, 2, offer_id="9")])
        yield area


@pytest.fixture
def area(before: StagedArea) -> Iterator[StagedArea]:
    with before.copy() as copy:
        yield copy


def _refreshed(area: StagedArea) -> Found:
    outcomes = area.refresh(["sales"])
    return {c.name: (c.status, c.failing, c.rows) for o in outcomes.values() for c in o.checks}


def _of_whole(area: StagedArea) -> dict[str, bool]:
    """Check of sales → whether it has looked at the whole table just now."""
    return dict(area.query("select name, whole_at = checked_at from control.checks where dataset = 'sales'"))


def test_they_say_what_checks_of_the_whole_say(area: StagedArea) -> None:
    found = _refreshed(area)
    assert {name: whole for name, whole in _of_whole(area).items() if whole} == {}
    names = [name for name in found if name.startswith(("table__", "sales__sale", "offer_id__", "shop_id__"))]
    verified = area._refresh.check({"stg_sales": names})
    whole = {c.name: (c.status, c.failing, c.rows) for c in verified.results["stg_sales"]}
    assert {name: found[name] for name in whole} == whole
    assert whole["offer_id__in_offers"] == ("warned", 1, 5)
    assert whole["table__reject_rate"][1:] == (2, 12)


def test_counts_are_those_of_a_count_of_the_whole(area: StagedArea) -> None:
    found = area.refresh(["sales"])["stg_sales"].counts
    area.execute("delete from control.counts")
    assert area.query("select count(*) from control.watermarks where dataset = 'sales'") == [(1,)]
    assert area.refresh(["sales"])["stg_sales"].counts == found
    assert found is not None
    assert (found.unexplained, found.rejected, found.deleted) == (0, 2, 2)


@pytest.mark.parametrize(
    ("planted", "failing"),
    [
        ("update staged.stg_sales set payment_method = 'Zanzibar' where sale_id = 7", {CONTRACT}),
        ("update staged.stg_sales set _raw_row_id = 'x' where sale_id = 7", {CONTRACT, RECONCILED}),
        ("insert into staged.stg_sales from staged.stg_sales where sale_id = 1", {CONTRACT, RECONCILED, TEST}),
        ("delete from staged.stg_sales where sale_id = 1", {RECONCILED}),
        ("delete from staged.dispositions_sales where _landing_id = 8", {RECONCILED}),
        ("insert into staged.dispositions_sales from staged.dispositions_sales where _landing_id = 8", {RECONCILED}),
        ("update staged.dispositions_sales set disposition = 'staged' where disposition = 'superseded'", {RECONCILED}),
        ("update staged.dispositions_sales set _reject_reasons = [] where _landing_id > 7", {RECONCILED}),
        ("delete from raw.sales where _landing_id = 8", {RECONCILED}),
        ("update staged.stg_sales set offer_id = 11 where sale_id = 7", {"offer_id__in_offers"}),
    ],
)
def test_one_bad_row_among_those_that_changed_is_found(
    area: StagedArea, monkeypatch: pytest.MonkeyPatch, planted: str, failing: set[str]
) -> None:
    changes = Refresh._changes

    def after_planting(self: Refresh, *arguments: Any) -> Any:
        self.session.connection.execute(planted)
        return changes(self, *arguments)

    monkeypatch.setattr(Refresh, "_changes", after_planting)
    found = _refreshed(area)
    expected = {"offer_id__in_offers": ("warned", 2)} if "offer_id__in_offers" in failing else {}
    assert failing <= {name for name, (status, *_) in found.items() if status != "passed"}
    assert {name: found[name][:2] for name in expected} == expected


def test_a_row_that_did_not_change_is_looked_at_by_itself_and_every_so_often(
    area: StagedArea, monkeypatch: pytest.MonkeyPatch
) -> None:
    area.execute("update staged.stg_sales set payment_method = 'Zanzibar' where sale_id = 2")
    assert _refreshed(area)[CONTRACT][0] == "passed"
    assert area.check(CONTRACT, ["sales"]) == {"sales": "failed"}
    area.execute("update control.checks set whole_at = whole_at - interval 25 hours")
    area.land("sales", "ecommerce", [_sale(8, 4)])
    assert _refreshed(area)[CONTRACT][:2] == ("failed", 1)
    assert _of_whole(area)[CONTRACT]


def test_an_increment_starts_no_dbt(area: StagedArea, monkeypatch: pytest.MonkeyPatch) -> None:
    _refreshed(area)
    area.land("sales", "ecommerce", [_sale(8, 4)])
    monkeypatch.setattr(DbtRunner, "compile", None)
    assert area.refresh(["sales"])["stg_sales__daily"].status == "published"


def test_a_companion_whose_refresh_died_is_made_wholly(area: StagedArea, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has to be made of was replaced already."""
    with monkeypatch.context() as patched:
        patched.setattr(control, "set_watermark", _dying)
        with pytest.raises(KeyboardInterrupt):
            area.refresh(["sales"])
    area.execute("update staged.stg_offers__usage set times_used = 77")
    area.refresh(["sales"])
    assert area.query("select times_used from staged.stg_offers__usage") == [(4,)]


def _dying(*_: Any) -> None:
    raise KeyboardInterrupt
