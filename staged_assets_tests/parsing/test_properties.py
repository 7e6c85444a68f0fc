"""What holds for every text, not only for those of the vector."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from staged_assets_tests.parsing.macros import CALLS, OF_TRIMMED, SOURCES, Macros

#: one example is a batch of texts, because a query costs more than a value; failures are told apart without shrinking
BATCH = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)

SYSTEMS = [None, *SOURCES]
REGIONS = [None, "GB", "US", "DE", "AR", "BR", "IT", "RU", "JP", "ZZ"]

#: pieces of which dirty values are made
ASCII_PIECES = (
    "0 1 9 12 100 2024 01 31 . , - + / : T Z % $ EUR kg g @ .com example x ext # ( ) ' _ e E nan inf 0x NULL \\ %d { ["
)
OTHER_PIECES = (
    " ",
    "\t",
    "\n",
    "\u00a0",
    "\u200b",
    "\u0301",
    "\u2019",
    "\uff11",
    "\u0663",
    "€",
    "é",
    "ß",
    "İ",
    "名",
    "👩",
)
PIECES = st.sampled_from([*ASCII_PIECES.split(), *OTHER_PIECES])
DIRTY = st.lists(PIECES, max_size=12).map("".join)
#: no NUL, which no source can send through a database, nor half a surrogate pair, which is no Unicode text
ANYTHING = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
TEXTS = st.lists(st.one_of(DIRTY, ANYTHING), min_size=20, max_size=120)


def differences(texts: list[str], found: list[Any], expected: list[Any]) -> dict[str, tuple[Any, Any]]:
    """Text → (found, expected) where these differ."""
    return {text: (a, b) for text, a, b in zip(texts, found, expected, strict=True) if a != b}


@pytest.mark.parametrize("macro", CALLS)
def test_nothing_raises(macros: Macros, macro: str) -> None:
    @BATCH
    @given(TEXTS, st.sampled_from(SYSTEMS), st.sampled_from(REGIONS))
    def check(texts: list[str], system: str | None, region: str | None) -> None:
        assert len(macros.values(macro, [(text, region, system) for text in texts])) == len(texts)

    check()


PLAIN: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], str], Callable[[str], str]]] = {
    "integer": (st.integers(-(2**63), 2**63 - 1), str, str),
    "decimal": (
        st.decimals(Decimal("-99999999999999"), Decimal("99999999999999"), places=4, allow_nan=False),
        lambda value: f"{value + 0:f}",
        lambda text: f"{Decimal(text).normalize():f}",
    ),
    "date": (st.dates(), str, str),
    "timestamp": (
        st.datetimes().map(lambda moment: moment.replace(microsecond=moment.microsecond // 10000 * 10000)),
        lambda moment: str(moment).rstrip("0") if moment.microsecond else str(moment),
        str,
    ),
    "boolean": (st.booleans(), lambda value: str(value).lower(), str),
}


def _is_plain(kind: str) -> str:
    return "is_plain_moment" if kind == "timestamp" else f"is_plain_{kind}"


@pytest.mark.parametrize("kind", PLAIN)
def test_a_value_survives_being_written_and_parsed(macros: Macros, kind: str) -> None:
    values, write, _ = PLAIN[kind]

    @BATCH
    @given(st.lists(values, min_size=20, max_size=100))
    def check(originals: list[Any]) -> None:
        texts = [write(value) for value in originals]
        assert differences(texts, macros.texts(f"parse_{kind}", texts), originals) == {}
        assert differences(texts, macros.texts(_is_plain(kind), texts), [True] * len(texts)) == {}

    check()


@pytest.mark.parametrize("kind", PLAIN)
def test_a_plain_text_is_what_its_value_is_written_as(macros: Macros, kind: str) -> None:
    values, write, canonical = PLAIN[kind]

    @BATCH
    @given(TEXTS, st.lists(values, max_size=20), st.sampled_from(SYSTEMS))
    def check(dirty: list[str], clean: list[Any], system: str | None) -> None:
        texts = dirty + [write(value) for value in clean]
        # the zone of a system moves a timestamp, whose form may be plain all the same
        system = None if kind == "timestamp" else system
        parsed = macros.texts(f"parse_{kind}", texts, system)
        plain = macros.texts(_is_plain(kind), texts, system)
        wrong = {
            text: value
            for text, value, is_plain in zip(texts, parsed, plain, strict=True)
            # a moment may be a date alone, which is no timestamp
            if is_plain
            and not (kind == "timestamp" and len(text) == len("2024-01-02"))
            and (value is None or canonical(write(value)) != canonical(text))
        }
        assert wrong == {}

    check()


@BATCH
@given(st.lists(st.tuples(st.integers(0, 10**13), st.integers(0, 9999)), min_size=20, max_size=100))
def test_a_system_with_a_decimal_comma_reads_what_it_writes(macros: Macros, numbers: list[tuple[int, int]]) -> None:
    values = [Decimal(whole) + Decimal(fraction) / 10000 for whole, fraction in numbers]
    plain = [f"{whole},{fraction:04}" for whole, fraction in numbers]
    grouped = [f"{whole:,}".replace(",", ".") + f",{fraction:04} €" for whole, fraction in numbers]
    assert macros.texts("parse_decimal", plain, "erp") == values
    assert macros.texts("parse_decimal", grouped, "erp") == values


@BATCH
@given(st.lists(st.dates(dt.date(1000, 1, 1)), min_size=20, max_size=100))
def test_a_system_reads_its_own_dates(macros: Macros, dates: list[dt.date]) -> None:
    assert macros.texts("parse_date", [f"{day:%d.%m.}{day.year}" for day in dates], "erp") == dates


@BATCH
@given(
    st.lists(
        st.tuples(st.datetimes(dt.datetime(2, 1, 1), dt.datetime(9998, 1, 1)), st.integers(-839, 839)), min_size=20
    )
)
def test_an_offset_is_honoured(macros: Macros, moments: list[tuple[dt.datetime, int]]) -> None:
    texts = [
        f"{local.isoformat()}{'-' if offset < 0 else '+'}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
        for local, offset in moments
    ]
    expected = [local - dt.timedelta(minutes=offset) for local, offset in moments]
    assert macros.texts("parse_timestamp", texts, "erp") == expected


@BATCH
@given(TEXTS, st.sampled_from(SYSTEMS))
def test_blank_around_a_value_does_not_matter(macros: Macros, texts: list[str], system: str | None) -> None:
    around = [f"\u00a0 \t{text}\u200b\n" for text in texts]
    for macro in ("parse_integer", "parse_decimal", "parse_date", "parse_timestamp", "parse_boolean", "parse_email"):
        assert differences(texts, macros.texts(macro, around, system), macros.texts(macro, texts, system)) == {}


DATES = st.one_of(st.dates().map(str), st.dates().map("{0:%d.%m.}{0.year}".format), st.dates().map("{0:%Y%m%d}".format))
MOMENTS = st.tuples(
    st.one_of(st.datetimes().map(str), DATES),
    st.sampled_from(["", " 23:59", "T00:00:00", " 7:05", "Z", "+02:00", " -0930", " 12:34:56.7 Z", " 01:05 PM", " "]),
).map("".join)


@pytest.mark.parametrize("kind", OF_TRIMMED.split())
def test_the_value_of_a_trimmed_text_is_that_of_the_text(macros: Macros, kind: str) -> None:
    address = st.from_regex(r"[a-zA-Z0-9._é]{1,8}@[a-zA-Z0-9.-]{1,12}(\.[a-zA-Z]{2,6}|\.info)?", fullmatch=True)
    valid = address if kind == "email" else PLAIN["decimal"][0].map(str)

    @BATCH
    @given(TEXTS, st.lists(valid, min_size=20), st.sampled_from(SYSTEMS))
    def check(dirty: list[str], others: list[str], system: str | None) -> None:
        texts = dirty + others + [f"\u00a0{text}\t" for text in others]
        expected = macros.texts(f"parse_{kind}", texts, system)
        assert differences(texts, macros.texts(f"{kind}_of", texts, system), expected) == {}

    check()


@BATCH
@given(TEXTS, st.lists(MOMENTS, min_size=20), st.sampled_from(SYSTEMS))
def test_a_moment_is_plain_as_a_date_or_as_a_timestamp(
    macros: Macros, dirty: list[str], moments: list[str], system: str | None
) -> None:
    texts = dirty + moments
    _, write, _ = PLAIN["timestamp"]
    written = [value is not None and write(value) == text
               for text, value in zip(texts, macros.texts("parse_timestamp", texts), strict=True)]  # fmt: skip
    dates = macros.texts("is_plain_date", texts)
    plain = macros.texts("is_plain_moment", texts)
    assert differences(texts, plain, [a or b for a, b in zip(dates, written, strict=True)]) == {}
    timed = [text for text, with_time in zip(texts, written, strict=True) if with_time]
    expected = macros.texts("parse_timestamp", timed, system)
    assert differences(timed, macros.texts("moment_in_utc", timed, system), expected) == {}


@BATCH
@given(TEXTS, st.lists(st.emails(), min_size=20))
def test_a_plain_address_is_its_own_value(macros: Macros, dirty: list[str], addresses: list[str]) -> None:
    texts = dirty + addresses + ["someone@example.com"]
    plain = [text for text, is_plain in zip(texts, macros.texts("is_plain_email", texts), strict=True) if is_plain]
    assert "someone@example.com" in plain
    assert differences(plain, macros.texts("parse_email", plain), plain) == {}


@BATCH
@given(TEXTS)
def test_cleaning_twice_is_cleaning_once(macros: Macros, texts: list[str]) -> None:
    for macro in ("clean_text", "clean_name", "lookup_key", "parse_email"):
        once = macros.texts(macro, texts)
        assert differences(texts, macros.texts(macro, once), once) == {}


@BATCH
@given(TEXTS)
def test_text_is_clean_just_when_it_is_not_blank(macros: Macros, texts: list[str]) -> None:
    blank = [text is None for text in macros.texts("clean_text", texts)]
    assert differences(texts, blank, macros.texts("is_blank", texts)) == {}


@BATCH
@given(st.lists(st.tuples(st.sampled_from([7, 11, 12, 13]), st.integers(1, 10**7 - 1)), max_size=5))
def test_of_ten_last_digits_one_makes_an_article_number(macros: Macros, numbers: list[tuple[int, int]]) -> None:
    for length, number in numbers:
        candidates = [f"{number:0{length}}{last}" for last in range(10)]
        assert [value for value in macros.texts("parse_gtin", candidates) if value] == [
            candidate for candidate in candidates if gs1_check_digit(candidate[:-1]) == candidate[-1]
        ]


def gs1_check_digit(digits: str) -> str:
    weighed = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return str(-weighed % 10)
