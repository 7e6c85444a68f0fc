"""Numbering plans from phonenumbers' metadata, as rows of the seed `phone_plans`."""

import re
from collections.abc import Iterator
from functools import cache
from re import _constants as opcodes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, SUPPORTED_REGIONS, PhoneMetadata

DIGITS = "0123456789"
REGION_OF_NO_COUNTRY = "001"

Row = tuple[Any, ...]


def first_digits(pattern: str | None) -> str:
    """The digits with which a match of the pattern can begin."""
    if not pattern:
        return ""
    return "".join(digit for digit in DIGITS if _may_begin(parser.parse(pattern), digit)[0])


def _may_begin(items: Any, digit: str) -> tuple[bool, bool]:
    """Whether a match of the parsed pattern can begin with the digit, and whether it can be empty."""
    for kind, value in items:
        begins, empty = _item(kind, value, digit)
        if begins or not empty:
            return begins, False
    return False, True


def _item(kind: Any, value: Any, digit: str) -> tuple[bool, bool]:
    if kind is opcodes.LITERAL:
        return chr(value) == digit, False
    if kind is opcodes.IN:
        return any(_in_class(part, digit) for part in value), False
    if kind is opcodes.BRANCH:
        found = [_may_begin(branch, digit) for branch in value[1]]
        return any(begins for begins, _ in found), any(empty for _, empty in found)
    if kind is opcodes.SUBPATTERN:
        return _may_begin(value[3], digit)
    if kind is opcodes.MAX_REPEAT:
        begins, empty = _may_begin(value[2], digit)
        return begins, empty or value[0] == 0
    if kind is opcodes.AT:
        return False, True
    raise ValueError(f"phonenumbers uses a construct of patterns that is not provided for: {kind}")


def _in_class(part: Any, digit: str) -> bool:
    kind, value = part
    if kind is opcodes.LITERAL:
        return chr(value) == digit
    if kind is opcodes.RANGE:
        return bool(value[0] <= ord(digit) <= value[1])
    return bool(kind is opcodes.CATEGORY and value is opcodes.CATEGORY_DIGIT)


def _bits(lengths: tuple[int, ...]) -> int:
    """Lengths as bits: bit n for n digits."""
    return sum(1 << length for length in lengths if length > 0)


def _row(plan: str, metadata: Any) -> Row:
    general = metadata.general_desc
    trunk = metadata.national_prefix_for_parsing
    transform = metadata.national_prefix_transform_rule
    return (
        plan,
        metadata.country_code,
        metadata.international_prefix,
        trunk,
        re.sub(r"\$(\d)", r"\\\1", transform) if transform else None,
        general.national_number_pattern,
        _bits(general.possible_length),
        _bits(general.possible_length_local_only),
        first_digits(general.national_number_pattern),
        first_digits(trunk),
    )


@cache
def phone_plans() -> tuple[Row, ...]:
    """One row for each region (`GB`), and one for each calling code (`+44`): the plan of its main region."""
    return tuple(sorted(_rows()))


def _rows() -> Iterator[Row]:
    for region in SUPPORTED_REGIONS:
        yield _row(region, PhoneMetadata.metadata_for_region(region))
    for code, regions in COUNTRY_CODE_TO_REGION_CODE.items():
        if regions[0] == REGION_OF_NO_COUNTRY:
            yield _row(f"+{code}", PhoneMetadata.metadata_for_nongeo_region(code))
        else:
            yield _row(f"+{code}", PhoneMetadata.metadata_for_region(regions[0]))
