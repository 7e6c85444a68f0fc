"""Types of SQL Server on the wire (MS-TDS 2.2.5.4 and 2.2.5.5), those that `pysqlbridge` has not."""

import re
from dataclasses import dataclass
from datetime import UTC, date, time, timedelta
from decimal import Decimal
from typing import Any

from pysqlbridge.tds import ColumnType, Float, Integer, NVarChar
from pysqlbridge.tds.result import DEFAULT_COLLATION, Binary, Bit, DateTime, UniqueIdentifier, VarBinary


@dataclass(frozen=True)
class Numeric(ColumnType):
    precision: int = 18
    scale: int = 0

    @property
    def _length(self) -> int:
        return next(size for size, digits in ((5, 9), (9, 19), (13, 28), (17, 38)) if self.precision <= digits)

    def type_info(self) -> bytes:
        return bytes([0x6A, self._length, self.precision, self.scale])

    def encode(self, value: Any) -> bytes:
        if value is None:
            return b"\x00"
        digits = int(Decimal(value).scaleb(self.scale))
        return bytes([self._length, digits >= 0]) + abs(digits).to_bytes(self._length - 1, "little")


@dataclass(frozen=True)
class Money(ColumnType):
    def type_info(self) -> bytes:
        return b"\x6e\x08"

    def encode(self, value: Any) -> bytes:
        if value is None:
            return b"\x00"
        whole = int(Decimal(value).scaleb(4)).to_bytes(8, "little", signed=True)
        return b"\x08" + whole[4:] + whole[:4]


@dataclass(frozen=True)
class VarChar(ColumnType):
    """Text in the collation's code page, 1252."""

    size: int | None = 8000

    def type_info(self) -> bytes:
        return b"\xa7" + (self.size or 0xFFFF).to_bytes(2, "little") + DEFAULT_COLLATION

    def encode(self, value: Any) -> bytes:
        if value is None:
            return b"\xff" * (8 if self.size is None else 2)
        text = str(value).encode("cp1252", "replace")
        if self.size is not None:
            return len(text).to_bytes(2, "little") + text
        chunk = len(text).to_bytes(4, "little") + text if text else b""
        return len(text).to_bytes(8, "little") + chunk + bytes(4)


@dataclass(frozen=True)
class Date(ColumnType):
    def type_info(self) -> bytes:
        return b"\x28"

    def encode(self, value: Any) -> bytes:
        return b"\x00" if value is None else b"\x03" + _days(value)


@dataclass(frozen=True)
class Time(ColumnType):
    scale: int = 7

    def type_info(self) -> bytes:
        return bytes([0x29, self.scale])

    def encode(self, value: Any) -> bytes:
        return _with_length(None if value is None else _ticks(value, self.scale))


@dataclass(frozen=True)
class DateTime2(ColumnType):
    scale: int = 7

    def type_info(self) -> bytes:
        return bytes([0x2A, self.scale])

    def encode(self, value: Any) -> bytes:
        return _with_length(None if value is None else _ticks(value.time(), self.scale) + _days(value))


@dataclass(frozen=True)
class DateTimeOffset(ColumnType):
    """The moment in UTC, and how many minutes its clock is before UTC's."""

    scale: int = 7

    def type_info(self) -> bytes:
        return bytes([0x2B, self.scale])

    def encode(self, value: Any) -> bytes:
        if value is None:
            return b"\x00"
        moment, minutes = value.astimezone(UTC), value.utcoffset() // timedelta(minutes=1)
        return _with_length(
            _ticks(moment.time(), self.scale) + _days(moment) + minutes.to_bytes(2, "little", signed=True)
        )


class RowVersion(Binary):
    """Eight bytes, the number that the server counts changes by."""

    def encode(self, value: Any) -> bytes:
        return super().encode(None if value is None else int(value).to_bytes(8, "big"))


def _with_length(value: bytes | None) -> bytes:
    return b"\x00" if value is None else bytes([len(value)]) + value


def _ticks(moment: time, scale: int) -> bytes:
    """Since midnight, in units of the scale's last digit."""
    seconds = moment.hour * 3600 + moment.minute * 60 + moment.second
    length = 3 if scale < 3 else 4 if scale < 5 else 5
    return ((seconds * 1_000_000 + moment.microsecond) * 10**scale // 1_000_000).to_bytes(length, "little")


def _days(value: date) -> bytes:
    return (value.toordinal() - 1).to_bytes(3, "little")


def wire_type(declared: str) -> ColumnType:
    """How a column goes over the wire that is declared so, such as `decimal(9,2)`."""
    name, size, scale = re.fullmatch(r"(\w+)(?:\((\w+)(?:, ?(\d+))?\))?", declared).groups()  # type: ignore[union-attr]
    if name in _FIXED:
        return _FIXED[name]
    if name in ("decimal", "numeric"):
        return Numeric(int(size or 18), int(scale or 0))
    length = None if size == "max" else int(size) if size else None
    return {
        "nvarchar": lambda: NVarChar(length if size else 4000),
        "varchar": lambda: VarChar(length if size else 8000),
        "char": lambda: VarChar(length or 1),
        "varbinary": lambda: VarBinary(length or 8000),
        "time": lambda: Time(7 if length is None else length),
        "datetime2": lambda: DateTime2(7 if length is None else length),
        "datetimeoffset": lambda: DateTimeOffset(7 if length is None else length),
    }[name]()


_FIXED: dict[str, ColumnType] = {
    "tinyint": Integer(1),
    "smallint": Integer(2),
    "int": Integer(4),
    "bigint": Integer(8),
    "bit": Bit(),
    "float": Float(8),
    "money": Money(),
    "date": Date(),
    "datetime": DateTime(),
    "smalldatetime": DateTime(),
    "uniqueidentifier": UniqueIdentifier(),
    "rowversion": RowVersion(8),
}

#: DuckDB's type → SQL Server's, for what is computed
COMPUTED = {
    "UTINYINT": "tinyint",
    "SMALLINT": "smallint",
    "INTEGER": "int",
    "BIGINT": "bigint",
    "HUGEINT": "decimal(38,0)",
    "BOOLEAN": "bit",
    "DOUBLE": "float",
    "VARCHAR": "nvarchar(4000)",
    "DATE": "date",
    "TIME": "time(6)",
    "TIMESTAMP": "datetime2(6)",
    "TIMESTAMP WITH TIME ZONE": "datetimeoffset(6)",
    "BLOB": "varbinary(8000)",
    "UUID": "uniqueidentifier",
}


def computed_type(stored: str) -> str:
    """SQL Server's type of a value that DuckDB computed."""
    return COMPUTED.get(stored, "int" if "NULL" in stored else stored.lower())
