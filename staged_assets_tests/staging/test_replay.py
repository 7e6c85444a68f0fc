"""Replay of a period, from raw: what landed in it is judged again, and nothing else is."""

from datetime import date, timedelta

import pytest

from staged_assets.errors import ConfigurationError
from staged_assets.landing.raw_area import Period
from staged_assets_tests.command_line import CommandLine
from staged_assets_tests.staged_area import NewArea, Row, StagedArea


def _sale(key: int, quantity: int) -> Row:
    return {"sale_id": str(key), "sale_date": "2026-01-05", "quantity": str(quantity), "total_price": "8"}


def _spoil(area: StagedArea) -> None:
    """As if an older rule had staged all sales differently."""
    area.execute("update staged.stg_sales set quantity = 77")


def _quantities(area: StagedArea) -> dict[int, int]:
    return dict(area.query("select sale_id, quantity from staged.stg_sales"))  # type: ignore[arg-type]


def _replay(area: StagedArea, period: Period) -> str:
    refresh = area._refresh
    (sales,) = [o for o in refresh.run(["sales"], [], replay={"sales": period}) if o.name == "stg_sales"]
    assert not [found for found in sales.checks if found.status == "failed"]
    return sales.status


@pytest.fixture
def landed(new_area: NewArea) -> StagedArea:
    """Sales 1, 2 and 3, landed one after the other as 1, 2 and 3; and 1 again, as 4."""
    with new_area(published=True, checked=True) as area:
        for key, quantity in ((1, 1), (2, 2), (3, 3), (1, 4)):
            area.land("sales", "ecommerce", [_sale(key, quantity)])
            area.refresh(["sales"])
        yield area  # type: ignore[misc]


@pytest.mark.parametrize(
    ("period", "replayed"),
    [
        (Period(2, 2), {2}),
        (Period(2, 3), {2, 3}),
        (Period(1, 1), {1}),
        (Period(4, None), {1}),
        (Period(None, 2), {1, 2}),
        (Period(9, None), set()),
        (Period(3, 2), set()),
        (Period(date.today() - timedelta(days=1), None), {1, 2, 3}),
        (Period(None, date.today() - timedelta(days=2)), set()),
    ],
)
def test_the_keys_of_a_period_are_staged_anew_with_all_their_rows(
    landed: StagedArea, period: Period, replayed: set[int]
) -> None:
    whole = _quantities(landed)
    assert whole == {1: 4, 2: 2, 3: 3}
    _spoil(landed)
    assert _replay(landed, period) == ("published" if replayed else "unchanged")
    assert _quantities(landed) == {key: whole[key] if key in replayed else 77 for key in whole}
    landed.execute("update staged.stg_sales set quantity = 0")
    _replay(landed, Period(1, None))
    assert _quantities(landed) == whole


def test_what_has_landed_since_waits_and_the_watermark_stays(landed: StagedArea) -> None:
    landed.land("sales", "ecommerce", [_sale(2, 9), _sale(5, 5)])
    _replay(landed, Period(1, 3))
    assert _quantities(landed) == {1: 4, 2: 2, 3: 3}
    assert landed.query("select landing_id from control.watermarks where dataset = 'sales'") == [(4,)]
    landed.refresh(["sales"])
    assert _quantities(landed) == {1: 4, 2: 9, 3: 3, 5: 5}


@pytest.mark.parametrize("written", ["yesterday", "2026-13-01", "-3", "1.5"])
def test_what_is_no_end_of_a_period_is_refused(written: str) -> None:
    with pytest.raises(ConfigurationError, match="write a day such as"):
        Period.read(written, None)


def test_from_the_command_line(command: CommandLine) -> None:
    day = date.today().isoformat()
    ended = command.run("replay", "sales", "--from", day, "--json").expect_success()
    assert ended.json["datasets"]["sales"]["outcome"] == "published"
    assert ended.json["datasets"]["sales"]["unexplained"] == 0
    refused = command.run("replay", "sales", "--json")
    assert refused.status == 1
    assert "--from" in refused.err
