"""The words in which the schemas are written: Pandera columns and checks for the ibis backend.

Three things that the ibis backend does not do by itself hold for every check made here: a check whose expression is
NULL fails (an optional column's checks pass over its missing values), at most `FAILURE_CASES` failing values are
fetched, and nothing is counted on a column's `unique`, which that backend ignores.
"""

import functools
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pandera.ibis as pa
from pandera.api.ibis.types import IbisData
from pandera.dtypes import immutable
from pandera.engines.ibis_engine import DataType, Engine

#: Failing values of one check that are fetched at most.
FAILURE_CASES = 20

INTEGER = dt.int64
DECIMAL = dt.Decimal(18, 4)
DOUBLE = dt.float64
TEXT = dt.string
DATE = dt.date
TIMESTAMP = dt.Timestamp(scale=6)
BOOLEAN = dt.boolean
TEXTS = dt.Array(dt.string)
TEXT_MAP = dt.Map(dt.string, dt.string)
DEFECTS = dt.Array(dt.Struct({"code": dt.string, "column": dt.string, "raw_value": dt.string}))


@Engine.register_dtype
@immutable(init=True)
class OtherType(DataType):
    """Any engine type that Pandera's ibis engine does not know by itself: lists, maps and structs among them."""

    type: dt.DataType

    def __init__(self, dtype: dt.DataType) -> None:
        object.__setattr__(self, "type", dtype)

    @classmethod
    def from_parametrized_dtype(cls, dtype: dt.DataType) -> DataType:
        """Equal to another one of the same engine type."""
        return cls(dtype)


@dataclass(frozen=True)
class Expectation:
    """Of a table as a whole: at most a share of its rows may be so.

    Attributes:
        counted: table → how many rows are so (an aggregate).
        at_most: the share of rows that may be.
        minimum_rows: in a smaller table everything is as expected: a share of few rows says little.
        of_rows: whether it is rows that are counted, so that what is counted in parts of the table adds up.
    """

    counted: Callable[[ir.Table], ir.IntegerScalar]
    at_most: float
    minimum_rows: int
    of_rows: bool = True

    def holds(self, counted: Any, rows: Any) -> Any:
        """Of numbers, and of expressions."""
        return (counted <= rows * self.at_most) | (rows < self.minimum_rows)

    def allowing(self, share: float) -> "Expectation":
        """The same with another share."""
        return replace(self, at_most=share)

    def __call__(self, data: IbisData) -> ir.BooleanScalar:
        """As Pandera evaluates it."""
        return self.holds(self.counted(data.table), data.table.count())


def required(dtype: dt.DataType, *checks: pa.Check) -> pa.Column:
    """A column without missing values: rule `<column>__required`, and one for each check."""
    return pa.Column(dtype, checks=list(checks), nullable=False)


def optional(dtype: dt.DataType, *checks: pa.Check) -> pa.Column:
    """A column whose missing values are passed over by its checks."""
    return pa.Column(dtype, checks=list(checks), nullable=True)


def value(name: str, description: str, holds: Callable[[Any], ir.BooleanValue], *, warn: bool = False) -> pa.Check:
    """A check of a column's values: rule `<column>__<name>`."""
    return pa.Check(
        lambda data: holds(data.table[data.key]).fill_null(False),
        name=name,
        description=description,
        raise_warning=warn,
        n_failure_cases=FAILURE_CASES,
    )


def row(
    name: str,
    description: str,
    holds: Callable[[ir.Table], ir.BooleanValue],
    *,
    where: Sequence[str] = (),
    warn: bool = False,
) -> pa.Check:
    """A check across the columns of a row: rule `name`, which begins with the column that it is about.

    Args:
        where: columns without which it has nothing to say; that one may not be missing is a rule of its own.
    """

    def evaluated(data: IbisData) -> ir.BooleanColumn:
        missing = [data.table[column].isnull() for column in where]
        return functools.reduce(operator.or_, missing, holds(data.table).fill_null(False))

    return pa.Check(
        evaluated,
        name=name,
        description=description,
        raise_warning=warn,
        ignore_na=False,
        n_failure_cases=FAILURE_CASES,
    )


def expectation(
    name: str, description: str, counted: Callable[[ir.Table], ir.IntegerScalar], *, at_most: float, minimum_rows: int,
    of_rows: bool = True,
) -> pa.Check:  # fmt: skip
    """A check of the table as a whole, which warns: rule `name`."""
    expected = Expectation(counted, at_most, minimum_rows, of_rows)
    return pa.Check(
        expected,
        name=name,
        description=description,
        raise_warning=True,
        ignore_na=False,
        n_failure_cases=FAILURE_CASES,
        statistics={"expectation": expected},
    )


def missing_at_most(column: str, share: float) -> pa.Check:
    """Rule `<column>__missing_share`: an important column is seldom without a value."""
    return expectation(
        f"{column}__missing_share",
        f"{column} is missing in at most {share:.0%} of the rows",
        lambda table: table[column].isnull().sum(),
        at_most=share,
        minimum_rows=100,
    )


def not_constant(column: str) -> pa.Check:
    """Rule `<column>__not_constant`: a large table has more than one value in it."""
    return expectation(
        f"{column}__not_constant",
        f"{column} has more than one value",
        lambda table: (table[column].min().identical_to(table[column].max())).ifelse(table.count(), 0),
        at_most=0.5,
        minimum_rows=1000,
        of_rows=False,
    )


def not_negative(*, warn: bool = False) -> pa.Check:
    """0 or more."""
    return value("not_negative", "is 0 or more", lambda x: x >= 0, warn=warn)


def positive() -> pa.Check:
    """More than 0."""
    return value("positive", "is more than 0", lambda x: x > 0)


def between(low: float, high: float) -> pa.Check:
    """From low to high, both included."""
    return value("in_range", f"is from {low} to {high}", lambda x: x.between(low, high))


def one_of(values: Sequence[str]) -> pa.Check:
    """A vocabulary."""
    return value("known_value", f"is one of {', '.join(values)}", lambda x: x.isin(values))


def tidy() -> pa.Check:
    """Text that is neither blank nor has blanks at an end."""
    return value("tidy", "is neither blank nor has blanks at an end", lambda x: (x != "") & (x == x.strip()))


def pattern(name: str, description: str, regex: str) -> pa.Check:
    """Text that a regular expression (RE2) matches as a whole."""
    return value(name, description, lambda x: x.re_search(f"^(?:{regex})$"))


def email() -> pa.Check:
    """An address with one @, without blanks, its domain in lower case and with a point in it."""
    return pattern(
        "email", "is an e-mail address with its domain in lower case", r"[^@\s]+@[^@\s\p{Lu}]+\.[^@\s.\p{Lu}]+"
    )


def phone() -> pa.Check:
    """E.164, as ITU-T defines it: +, country code, at most 15 digits."""
    return pattern("e164", "is a phone number in E.164", r"\+[1-9][0-9]{3,14}")


def slug() -> pa.Check:
    """Lower-case ASCII words, joined by single hyphens."""
    return pattern("kebab_case", "is in kebab-case", r"[a-z0-9]+(?:-[a-z0-9]+)*")


def alpha2() -> pa.Check:
    """ISO 3166-1 alpha-2."""
    return pattern("alpha2", "is an ISO 3166-1 alpha-2 code", r"[A-Z]{2}")


def both_or_neither(column: str, other: str) -> pa.Check:
    """Rule `<column>__with_<other>`: one is missing exactly where the other one is."""
    return row(
        f"{column}__with_{other}",
        f"{column} is there exactly where {other} is",
        lambda table: table[column].isnull() == table[other].isnull(),
    )


def same(
    column: str,
    description: str,
    expected: Callable[[ir.Table], ir.Value],
    *,
    name: str = "derived",
    where: Sequence[str] = (),
) -> pa.Check:
    """Rule `<column>__derived`: what is derived from other columns is what they say, missing values included."""
    return row(f"{column}__{name}", description, lambda table: table[column].identical_to(expected(table)), where=where)


#: for a decimal(18,4), as floating point is sure of it
_TOO_LARGE = 1e14 * (1 - 1e-12)


def near(found: ir.Value, expected: ir.Value) -> ir.BooleanValue:
    """Whether a decimal(18,4) is a number rounded to it; floating point's own precision is allowed for.

    Missing exactly where the number is, or is too large for the type.
    """
    difference = (found.cast("float64") - expected).abs()
    none = expected.isnull() | (expected.abs() >= _TOO_LARGE)
    return (found.isnull() & none) | (difference <= 0.000051 + expected.abs() * 1e-12).fill_null(False)


def days_between(start: ir.Value, end: ir.Value) -> ir.IntegerValue:
    """Days from one date to another."""
    return end.delta(start, unit="day")
