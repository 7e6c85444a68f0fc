"""The shared vector: what every macro makes of a text, on every engine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from staged_assets_tests.parsing.macros import CALLS, DERIVED, Macros

VECTOR: Mapping[str, list[list[Any]]] = yaml.safe_load((Path(__file__).parent / "vector.yaml").read_text("utf-8"))

#: texts that an engine's own cast reads wrongly: as another value, or as a value at all
TRAPS = {
    "parse_integer": {"12.5", "1e3", "0x1F", "1_000"},
    "parse_decimal": {"1.239", "nan", "1e400"},
    "parse_date": {"2024/01/02", "infinity", "epoch"},
    "parse_timestamp": {"2024-01-02 23:30+05", "2024-01-02 24:00:00"},
    "parse_boolean": {"TRUE "},
}


def as_text(value: Any) -> Any:
    """A value as the vector writes it."""
    if value is None or isinstance(value, bool):
        return value
    text = str(value)
    return text.rstrip("0") if "." in text and ":" in text else text


@pytest.mark.parametrize("macro", VECTOR)
def test_a_macro_gives_what_the_vector_says(macros: Macros, macro: str) -> None:
    cases = [(text, expected, *(context or [None])) for text, expected, *context in VECTOR[macro]]
    is_regional = macro == "parse_phone"
    rows = [(text, *((context, None) if is_regional else (None, context))) for text, _, context in cases]
    found = map(as_text, macros.values(macro, rows))
    wrong = {
        (text, context): {"found": value, "expected": expected}
        for (text, expected, context), value in zip(cases, found, strict=True)
        if value != expected
    }
    assert wrong == {}


def test_every_macro_is_in_the_vector() -> None:
    assert set(VECTOR) == CALLS.keys() - DERIVED


@pytest.mark.parametrize("macro", TRAPS)
def test_the_vector_holds_what_casts_read_wrongly(macro: str) -> None:
    assert TRAPS[macro] <= {text for text, *_ in VECTOR[macro]}


def test_values_have_the_declared_types(macros: Macros) -> None:
    types = {
        "parse_integer": "BIGINT",
        "parse_decimal": "DECIMAL(18,4)",
        "parse_amount": "DECIMAL(18,4)",
        "parse_percentage": "DECIMAL(18,4)",
        "parse_weight": "DECIMAL(18,4)",
        "parse_date": "DATE",
        "parse_timestamp": "TIMESTAMP",
        "parse_boolean": "BOOLEAN",
    }
    source = "(select '1'::varchar as x, 'web'::varchar as _source_system)"
    found = {
        name: macros.connection.execute(f"select typeof({macros.sql[name]}) from {source}").fetchall()[0][0]
        for name in types
    }
    assert found == types
