"""Values that go wrong, or look as if they would, and ways to spoil a right one."""

import json
from typing import Any, Final
from unicodedata import normalize

from staged_assets.demo.records import email_of

#: In a mapping of new values: the column for which they are planted.
ITSELF: Final = ""


class _Absent:
    """The record lacks the field."""


ABSENT = _Absent()

#: every way to say nothing; the last says it by not being there
BLANKS = ("", None, "   ", "\u00a0", "\t \u2003", "NULL", "null", "N/A", "n/a", "#N/A", "-", "\\N", ABSENT)

NOT_INTEGERS = ("12.5", "1e3", "0x1F", "1_000", "twelve", "9223372036854775808", "12a", "--5", "١٢", "4 or 5")
NOT_DECIMALS = ("nan", "Infinity", "1e400", "12.3.4", "free", "--5", "1..5", "0x1F")
NOT_DATES = ("infinity", "epoch", "yesterday", "46027", "2026/01/05", "5 January 2026", "2026-01", "today")
IMPOSSIBLE_DATES = ("2026-02-30", "2025-13-01", "2025-06-31", "2025-00-10", "0000-00-00")
IMPOSSIBLE_TIMES = ("2026-01-05T25:10:00Z", "2026-01-05T10:61:00+01:00", "2026-01-05T10:00:00+99:00")

BAD_GTINS = ("4006381333932", "12345", "978-X", "ABCDEFGHIJKLM")
JUNK_EMAILS = ("noreply@example.com", "test@test.com", "none@none.com")
UNKNOWN_COLUMNS: tuple[dict[str, Any], ...] = (
    {"loyalty_tier_v2": "gold"},
    {"Übergabe": {"fach": [1, None]}},
    {"empty": {}},
)

BAD_EMAILS = (
    "nobody",
    "a@b",
    "a@@example.com",
    "someone@",
    "@example.com",
    "some one@example.com",
    "someone@example..com",
    "one@example.com, two@example.com",
    ".dot@example.com",
    "someone@-example.com",
)
BAD_PHONES = ("1", "call me", "+44 12", "+0 123 456", "12345678901234567890123", "see e-mail", "+")
UNKNOWN_COUNTRIES = ("Atlantis", "Wakanda", "ZZ", "Neverland", "Untied Kingdom", "42")

#: national notation, with the country that explains it
NATIONAL_PHONES = (
    {ITSELF: "020 7946 0018", "country": "United Kingdom"},
    {ITSELF: "(212) 555-0143", "country": "United States"},
    {ITSELF: "030 23125123", "country": "Germany"},
    {ITSELF: "01 99 00 12 34", "country": "France"},
)

LONG_TEXT = "Long text with ümläuts and commas, again and again. " * 400
ODD_TEXTS = (
    "quotes \"double\" and 'single', back\\slash, {braces} and ; semicolon",
    "emoji 👩‍👩‍👧 and right-to-left שלום",
    "line one\r\nline two\ttab",
    "-- drop table; <b>markup</b> &amp; 100 %",
    "007",
    "1e5",
    "true",
)


def leading_zeros(value: Any) -> str:
    """A number with leading zeros."""
    return f"{value:0>9}"


def padded(value: Any) -> str:
    """Blanks before and after."""
    return f"  {value} "


def no_break(value: Any) -> str:
    """A no-break space after."""
    return f"{value}\u00a0"


def tabbed(value: Any) -> str:
    """A tab before and a line end after."""
    return f"\t{value}\n"


def decomposed(value: str) -> str:
    """With accents as characters of their own (NFD)."""
    return normalize("NFD", f"{value} é")


def email_of_neighbour(value: str) -> str:
    """The address of the consumer with the next lower number, written differently."""
    number = int(value.split("@")[0].rsplit(".", 1)[1])
    return email_of(max(1, number - 1)).title()


def truncate(line: bytes, record_no: str) -> bytes:
    """The line without its end."""
    text = line.decode()
    return text[: max(len(text) // 2, text.index(record_no) + len(record_no) + 1)].encode()


def garbage(line: bytes, record_no: str) -> bytes:
    """A log line between the events."""
    return f"ERROR upstream timed out while sending {record_no}: retrying in 5 s".encode()


def as_list(line: bytes, record_no: str) -> bytes:
    """A list of values instead of an object."""
    return json.dumps([record_no, "upsert", 17]).encode()


def as_text(line: bytes, record_no: str) -> bytes:
    """The record as a JSON text."""
    return json.dumps(f"record {record_no}").encode()


def with_repeated_field(line: bytes, record_no: str) -> bytes:
    """An object that has a field twice: a parser would drop one of the values."""
    return line[:-1] + b', "note": "first", "note": "second"}'


def as_latin_1(line: bytes, record_no: str) -> bytes:
    """A line with bytes that are not UTF-8."""
    return line[:-1] + b', "note": "Gr\xfc\xdfe"}'
