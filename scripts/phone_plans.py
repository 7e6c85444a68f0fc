"""Numbering plans from phonenumbers' metadata, as rows of the seed `phone_plans`."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from re import _constants as opcodes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, SUPPORTED_REGIONS, PhoneMetadata

DIGITS = "0123456789"
REGION_OF_NO_COUNTRY = "001"

Row = tuple[Any, ...]
Rule = tuple[str, str]


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


def _last_group_only(pattern: str) -> str:
    """The pattern with none but its last group capturing."""
    groups = re.compile(pattern).groups
    return re.sub(r"(?<!\\)\((?!\?)", "(?:", pattern, count=groups - 1) if groups > 1 else pattern


def _trunk(metadata: Any) -> Rule | None:
    """What is dialled before a national number, and what it is replaced by when its last group took part."""
    pattern, transform = metadata.national_prefix_for_parsing, metadata.national_prefix_transform_rule
    if not pattern:
        return None
    groups = re.compile(pattern).groups
    return _last_group_only(pattern), transform.replace(f"\\{groups}", r"\1") if transform else ""


def _international(metadata: Any) -> Rule | None:
    """What is dialled before a foreign calling code."""
    return (metadata.international_prefix, "") if metadata.international_prefix else None


@cache
def phone_rules() -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    """The international and trunk prefixes that are patterns, not plain digits: their place is their number, from 1."""

    def patterns(rule: Callable[[Any], Rule | None]) -> tuple[Rule, ...]:
        found = {rule(PhoneMetadata.metadata_for_region(region)) for region in SUPPORTED_REGIONS}
        return tuple(sorted(each for each in found if each and not each[0].isdigit()))

    return patterns(_international), patterns(_trunk)


def _prefix(rule: Rule | None, rules: tuple[Rule, ...]) -> tuple[str | None, int | None]:
    """(digits, None) for a prefix of plain digits, (None, number) for a rule."""
    if rule in rules:
        return None, rules.index(rule) + 1
    return (rule[0] if rule else None), None


def _row(plan: str, metadata: Any) -> Row:
    general = metadata.general_desc
    international_rules, trunk_rules = phone_rules()
    return (
        plan,
        str(metadata.country_code),
        *_prefix(_international(metadata), international_rules),
        *_prefix(_trunk(metadata), trunk_rules),
        general.national_number_pattern,
        first_digits(general.national_number_pattern),
        _bits(general.possible_length),
        _bits(general.possible_length_local_only),
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
