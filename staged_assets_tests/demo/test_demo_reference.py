"""The reference's ranking, by example; each row is a letter for its content and a digit for its time."""

import pytest

from staged_assets.demo.truth import DELETE, UPSERT, Row, Violation, chain, judge


def _row(step: str, *violations: Violation, dataset: str = "sales", system: str = "ecommerce") -> Row:
    content, time = step
    operation = DELETE if content == "D" else UPSERT
    updated = None if time == "-" else f"2026-01-0{time}T00:00:00"
    return Row(dataset, system, content, 1, updated, operation, violations)


def _judged(script: str) -> str:
    """The dispositions' initials, `=` for what was landed already."""
    rows = [_row(step, *([("missing", "sale_date")] if step.startswith("X") else [])) for step in script.split()]
    judge(rows, "sale_id")
    return "".join("=" if row.already_landed else _INITIALS[row.disposition] for row in rows)


_INITIALS = {"staged": "s", "rejected": "r", "superseded": "o", "duplicate": "2", "deleted": "d"}


@pytest.mark.parametrize(
    ("script", "dispositions"),
    [
        ("A1", "s"),
        ("A1 B2", "os"),
        ("B2 A1", "so"),
        ("A1 C3 B2", "oso"),
        ("A1 A1", "s="),
        ("A1 A2", "s2"),
        ("A1 A2 A3", "s22"),
        ("A1 B2 A3", "oos"),
        ("A1 B1", "os"),
        ("B1 A1", "os"),
        ("A1 D2", "dd"),
        ("A1 B2 D3", "odd"),
        ("A1 A2 D3", "d2d"),
        ("D1", "d"),
        ("A1 D2 D2", "dd="),
        ("A1 D3 B2", "odd"),
        ("D3 B2 A1", "ddo"),
        ("A1 D2 B3", "dds"),
        ("A1 D2 A3", "dds"),
        ("A1 X2", "sr"),
        ("A1 X2 A3", "sr2"),
        ("X1", "r"),
        ("X1 D2", "rd"),
        ("A2 B-", "so"),
        ("A- B-", "os"),
    ],
)
def test_dispositions(script: str, dispositions: str) -> None:
    assert _judged(script) == dispositions


def test_a_violation_of_a_required_column_is_a_reason_and_of_another_a_defect() -> None:
    row = _row("A1", ("missing", "sale_date"), ("unparseable", "quantity"))
    judge([row], "sale_id")
    assert [*row.reasons, *row.defects] == [("missing", "sale_date"), ("unparseable", "quantity")]
    assert len(row.reasons) == 1


def test_a_record_of_the_wrong_shape_is_rejected() -> None:
    row = _row("A1", ("malformed_record", None))
    judge([row], "sale_id")
    assert (row.disposition, row.reasons) == ("rejected", [("malformed_record", None)])


def test_a_delete_marker_needs_only_its_key() -> None:
    without_date, without_key = _row("D1", ("missing", "sale_date")), _row("D2", ("missing", "sale_id"))
    judge([without_date, without_key], "sale_id")
    assert [without_date.disposition, without_key.disposition] == ["deleted", "rejected"]


def test_systems_have_their_own_versions_only_where_they_are_consolidated() -> None:
    one, other = (_row("A1", dataset="consumers", system=system) for system in ("crm", "ecommerce"))
    assert chain(one) != chain(other)
    one, other = (_row("A1", dataset="interactions", system=system) for system in ("crm", "ecommerce"))
    assert chain(one) == chain(other)
