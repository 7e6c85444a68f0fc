"""JSON records as text columns, every number exactly as it was written."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from staged_assets.sources.arrays import texts
from staged_assets.sources.batch import without_columns


class WrittenNumber(str):
    """A number, as it was written."""

    __slots__ = ()


class RepeatedKeyError(ValueError):
    """An object has a key twice: one of the values would be lost."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RepeatedKeyError
    return found


# `NaN` and `Infinity` are no JSON, but some systems write them: they are kept as text, for a later step to reject.
_FAST = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)
_EXACT = json.JSONDecoder(
    parse_float=WrittenNumber, parse_int=WrittenNumber, parse_constant=str, object_pairs_hook=_object
)


def decode(text: str) -> Any:
    """A JSON text, with every number as a `WrittenNumber`.

    Raises:
        ValueError: it is not JSON, or an object in it has a key twice.
        RecursionError: it is nested too deep to be read.
    """
    return _EXACT.decode(text)


def decode_flat(text: str) -> Any:
    """The same as `decode` but faster for one flat object; its numbers are then plain `str`.

    A key that is there twice, or a nested object, shows in the number of colons after quotes (unless blanks stand
    between them), a nested list in its bracket: such texts are decoded again, with care.
    """
    found = _FAST.decode(text)
    is_flat = type(found) is dict and text.count('":') == len(found)
    if is_flat and "[" not in text and " :" not in text and "\t" not in text and "\r" not in text:
        return found
    return decode(text)


def encode(value: Any) -> str:
    """A decoded value as JSON text again, numbers as they were written."""
    return "".join(_tokens(value))


def _tokens(value: Any) -> Iterator[str]:
    if isinstance(value, WrittenNumber):
        yield str(value)
    elif isinstance(value, dict):
        yield "{"
        for index, (key, part) in enumerate(value.items()):
            yield (", " if index else "") + json.dumps(key, ensure_ascii=False) + ": "
            yield from _tokens(part)
        yield "}"
    elif isinstance(value, list):
        yield "["
        for index, part in enumerate(value):
            if index:
                yield ", "
            yield from _tokens(part)
        yield "]"
    else:
        yield json.dumps(value, ensure_ascii=False)


def as_text(value: Any) -> str | None:
    """A field's text: what stands in quotes, a number as written, `true`, `false`, or nested values as JSON."""
    if value is None or type(value) is str:
        return value
    return str(value) if isinstance(value, WrittenNumber) else encode(value)


def is_unicode(text: str) -> bool:
    """Whether a text can be stored: half of a surrogate pair alone (`\\ud800`) can't."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def text_table(records: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Records as columns of text, in the order of their names.

    Raises:
        UnicodeEncodeError: a value has half of a surrogate pair.
    """
    names = sorted(set().union(*records)) if records else []
    if not names:
        return without_columns(len(records))
    try:
        return _table(names, records)
    except (TypeError, pa.lib.ArrowCapacityError):
        # Something is no text yet, or there is too much of it for one array.
        records = [{name: as_text(value) for name, value in record.items()} for record in records]
    try:
        return _table(names, records)
    except pa.lib.ArrowCapacityError:
        whole = pa.array(records, pa.struct([(name, pa.string()) for name in names]))
    chunks = whole.chunks if isinstance(whole, pa.ChunkedArray) else [whole]
    return pa.concat_tables(pa.Table.from_arrays(chunk.flatten(), names=names) for chunk in chunks)


def _table(names: Sequence[str], records: Sequence[Mapping[str, Any]]) -> pa.Table:
    return pa.table({name: texts(record.get(name) for record in records) for name in names})


def at_path(value: Any, path: str) -> Any:
    """What stands at a dotted path; None where there is nothing."""
    for part in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def unwrap(event: Any, path: str | None) -> dict[str, Any] | None:
    """The record within an event: its fields, and the envelope's as `$.<field>`; None where there is no object."""
    if path is None:
        return event if isinstance(event, dict) else None
    record = at_path(event, path)
    if not isinstance(record, dict):
        return None
    head = path.partition(".")[0]
    envelope = {f"$.{name}": value for name, value in event.items() if name != head}
    rest = _without(event[head], path.partition(".")[2])
    return {**record, **envelope, **({f"$.{head}": rest} if rest else {})}


def _without(value: Any, path: str) -> Any:
    """What remains of an object when the one at the path is taken out."""
    if not path:
        return None
    head, _, tail = path.partition(".")
    rest = {name: part for name, part in value.items() if name != head}
    inner = _without(value[head], tail)
    return {**rest, **({head: inner} if inner else {})}
