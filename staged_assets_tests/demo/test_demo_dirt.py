"""The dirt is there, it is what it says it is, and what is not dirty is clean."""

import gzip
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import email_validator
import phonenumbers
import pytest

from staged_assets.catalogue import DATASETS
from staged_assets.demo import dirty_values as dirty
from staged_assets.demo.dirt import Dirt, plantings
from staged_assets.demo.dirt_kinds import DIRT
from staged_assets.demo.feeds import Feed, feeds
from staged_assets.demo.histories import HISTORIES, SPOILERS, histories_of
from staged_assets.demo.records import email_of, gtin_of
from staged_assets.demo.truth import REQUIRED
from staged_assets.demo.vocabulary import COUNTRIES
from staged_assets.demo.world import World

Truth = list[dict[str, Any]]
KINDS = {dirt.kind: dirt for dirt in DIRT}
BY_NAME = pytest.mark.parametrize("dirt", DIRT, ids=lambda dirt: dirt.kind)


@BY_NAME
def test_every_kind_occurs_with_the_violations_of_the_table(dirt: Dirt, truth: Truth) -> None:
    rows = [row for row in truth if dirt.kind in row["kinds"] and row["operation"] == "upsert"]
    assert rows
    for row in rows:
        found = {(code, column) for code, column in row["reasons"] + row["defects"]}
        if "spoiled" not in "".join(row["kinds"]):
            codes = {code for code, _ in found}
            assert codes == ({dirt.code} if dirt.code else set()) | {code for code, _ in dirt.also}


@BY_NAME
def test_every_kind_has_its_rate(dirt: Dirt) -> None:
    world = World(scale=400_000, seed=5)
    for feed in feeds():
        size = len(world.numbers(feed.system, feed.dataset))
        for planting in plantings(feed, [dirt]):
            assert planting.count(size) == max(dirt.at_least, round(dirt.rate * size))


def test_every_place_of_the_table_exists() -> None:
    for dirt in DIRT:
        for dataset, column in (place.split(".") for place in dirt.columns.split()):
            assert dataset == "*" or column in DATASETS[dataset].columns, dirt.kind


def test_every_rule_has_a_kind_of_dirt() -> None:
    codes = {dirt.code for dirt in DIRT if dirt.code}
    assert codes == {
        "missing", "unparseable", "invalid_email", "invalid_phone", "invalid_gtin", "unknown_country", "unrecognised",
        "out_of_range", "before_valid_from", "before_order_date", "malformed_record",
    }  # fmt: skip


def test_every_required_column_can_be_missing() -> None:
    for dataset, required in REQUIRED.items():
        planted = {
            planting.column
            for feed in feeds()
            if feed.dataset == dataset
            for planting in plantings(feed, [KINDS["missing_key"], KINDS["missing_required"]])
        }
        assert planted == required


def test_a_record_without_dirt_has_no_violation(truth: Truth) -> None:
    histories = {history.kind for history in HISTORIES if "X" not in history.script}
    for row in truth:
        if set(row["kinds"]) <= histories:
            assert row["reasons"] == row["defects"] == []


def test_a_violation_rejects_where_the_column_is_required_and_only_there(truth: Truth) -> None:
    for row in truth:
        required = REQUIRED[row["dataset"]]
        assert all(column is None or column in required for _, column in row["reasons"])
        assert not any(column in required for _, column in row["defects"])
        assert (row["disposition"] == "rejected") == bool(row["reasons"])


@pytest.mark.parametrize("feed", feeds(), ids=lambda feed: feed.name)
def test_every_history_occurs_in_every_feed_that_can_have_it(feed: Feed, truth: Truth) -> None:
    prefix = f"{feed.source}-"
    told = Counter(kind for row in truth if row["record_no"].startswith(prefix) for kind in row["kinds"])
    assert [history.kind for history in histories_of(feed) if not told[history.kind]] == []


def test_spoilt_values_are_in_required_columns() -> None:
    assert all(column in REQUIRED[dataset] for dataset, (column, _, _) in SPOILERS.items())


def _values(demo: Path, dataset: str, column: str) -> Iterator[tuple[str, Any]]:
    """(record number, value) of every sound record, as its system holds it."""
    for feed in feeds():
        if feed.dataset == dataset and column in feed.columns:
            for record in _records(demo, feed):
                if isinstance(record, dict) and feed.columns[column] in record:
                    yield record["record_no"], record[feed.columns[column]]


def _records(demo: Path, feed: Feed) -> Iterator[Any]:
    if feed.system == "ecommerce":
        for path in sorted((demo / "ecommerce" / feed.source).iterdir()):
            content = path.read_bytes()
            lines = (gzip.decompress(content) if path.suffix == ".gz" else content).splitlines()
            yield from filter(None, map(_parsed, lines))
        return
    with closing(sqlite3.connect(demo / feed.system / f"{feed.system}.sqlite")) as store:
        if feed.system == "crm":
            for (body,) in store.execute(f"select body from {feed.source}"):
                yield json.loads(body)
        else:
            store.row_factory = sqlite3.Row
            yield from map(dict, store.execute(f"select * from {feed.source}"))


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _clean(demo: Path, truth: Truth, dataset: str, column: str) -> list[Any]:
    """The values of a column in records that have no dirt."""
    histories = {history.kind for history in HISTORIES if "X" not in history.script}
    clean = {row["record_no"] for row in truth if set(row["kinds"]) <= histories}
    found = [value for number, value in _values(demo, dataset, column) if number in clean and value is not None]
    assert found
    return found


@pytest.mark.parametrize("place", ["consumers.phone_number", "suppliers.contact_phone"])
def test_clean_phone_numbers_are_possible(place: str, demo: Path, truth: Truth) -> None:
    for number in _clean(demo, truth, *place.split(".")):
        assert phonenumbers.is_possible_number(phonenumbers.parse(number, None)), number


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_bad_phone_numbers_are_impossible_everywhere(region: str) -> None:
    for number in dirty.BAD_PHONES:
        try:
            parsed = phonenumbers.parse(number, region)
        except phonenumbers.NumberParseException:
            continue
        assert not phonenumbers.is_possible_number(parsed), number


@pytest.mark.parametrize("planted", dirty.NATIONAL_PHONES, ids=lambda planted: planted["country"])
def test_national_numbers_are_possible_in_their_country(planted: dict[str, str]) -> None:
    regions = {"United Kingdom": "GB", "United States": "US", "Germany": "DE", "France": "FR"}
    parsed = phonenumbers.parse(planted[dirty.ITSELF], regions[planted["country"]])
    assert phonenumbers.is_possible_number(parsed)


@pytest.mark.parametrize("address", dirty.BAD_EMAILS)
def test_bad_addresses_are_invalid(address: str) -> None:
    with pytest.raises(email_validator.EmailNotValidError):
        email_validator.validate_email(address, check_deliverability=False)


def test_clean_addresses_are_valid() -> None:
    for consumer in range(1, 3_000):
        address = email_of(consumer)
        assert email_validator.validate_email(address, check_deliverability=False).normalized == address


def test_two_consumers_never_have_the_same_address_by_chance() -> None:
    assert len({email_of(consumer) for consumer in range(20_000)}) == 20_000


@pytest.mark.parametrize("number", [*map(gtin_of, (1, 42, 999_999)), "4006381333931"])
def test_clean_gtins_have_a_valid_check_digit(number: str) -> None:
    assert _gtin_sum(number) % 10 == 0


@pytest.mark.parametrize("number", [number for number in dirty.BAD_GTINS if number.isdigit()])
def test_bad_gtins_have_none(number: str) -> None:
    assert len(number) not in (8, 12, 13, 14) or _gtin_sum(number) % 10


def _gtin_sum(number: str) -> int:
    """GS1: from the right, the check digit counts once, the next three times, and so on."""
    return sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(number)))


FORMATS = {"erp": "%d.%m.%Y", "crm": "%m/%d/%Y", "ecommerce": "%Y-%m-%d"}


@pytest.mark.parametrize("kind", ["unparseable_date", "impossible_date", "ambiguous_date", "foreign_date"])
def test_bad_dates_fit_no_format_of_their_system(kind: str) -> None:
    for system in KINDS[kind].systems:
        for value in KINDS[kind].values:
            for pattern in (FORMATS[system], "%Y-%m-%d"):
                with pytest.raises(ValueError, match=r"does not match|out of range|unconverted|day of month"):
                    datetime.strptime(value, pattern)


def test_clean_dates_fit_the_format_of_their_system(demo: Path, truth: Truth) -> None:
    for system, place in {
        "erp": "inventory.last_updated",
        "crm": "loyalty_activities.activity_date",
        "ecommerce": "orders.order_date",
    }.items():
        for value in _clean(demo, truth, *place.split(".")):
            datetime.strptime(value, FORMATS[system])


@pytest.mark.parametrize("value", dirty.NOT_INTEGERS)
def test_bad_integers_are_none(value: str) -> None:
    assert not re.fullmatch(r"[+-]?[0-9]+", value) or int(value) >= 2**63


def test_references_mostly_exist_and_some_dangle(demo: Path, truth: Truth) -> None:
    sizes = World(2_000, 1).sizes
    for place, target in {"sales.item_id": "items", "orders.consumer_id": "consumers"}.items():
        values = _clean(demo, truth, *place.split("."))
        dangling = [value for value in values if value > sizes[target]]
        assert 0 < len(dangling) < len(values) / 100


def test_consumers_of_both_systems_share_a_name_but_not_every_field(demo: Path) -> None:
    contacts, accounts = (
        {record["record_no"].split("-")[1]: record for record in _records(demo, feed) if isinstance(record, dict)}
        for feed in feeds()
        if feed.dataset == "consumers"
    )
    both = contacts.keys() & accounts.keys()
    assert len(both) > World(2_000, 1).sizes["consumers"] // 6
    assert any(contacts[number].get("city") != accounts[number].get("city") for number in both)


def test_one_address_is_shared_by_a_crowd(demo: Path) -> None:
    addresses = Counter(value for _, value in _values(demo, "consumers", "consumer_email"))
    assert addresses["info@mail.example.com"] >= 25


def test_countries_are_named_once() -> None:
    assert len({country.name for country in COUNTRIES}) == len(COUNTRIES)
