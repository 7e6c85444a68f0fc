"""Column expressions of a mapping: SQL over source columns, checked when the configuration is read."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import duckdb

#: what an expression may name beside the source's columns
POSITION = ("_file", "_line")


@cache
def expression_columns(expression: str) -> tuple[str, ...]:
    """The source columns that an expression names, in the order found.

    Raises:
        ValueError: it is not one scalar SQL expression over text columns; the message says why.
    """
    with duckdb.connect() as connection:
        try:
            columns = _columns(connection, expression)
            given = [f"null::{'bigint' if c == '_line' else 'varchar'} as {quoted(c)}" for c in (*columns, "_row")]
            connection.execute(f"select _row, {scalar(expression)} from (select {', '.join(given)}) as record")
        except duckdb.Error as error:
            reason = str(error).partition("\n")[0].rstrip(".!")
            raise ValueError(f"the expression {expression!r} can't be used: {reason}") from error
    return columns


def scalar(expression: str) -> str:
    """The expression as text; NULL where it fails for a record."""
    return f"try(({expression}\n))::varchar"


def quoted(name: str) -> str:
    """A SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A SQL text."""
    return "'" + text.replace("'", "''") + "'"


def _columns(connection: duckdb.DuckDBPyConnection, expression: str) -> tuple[str, ...]:
    row = connection.execute("select json_serialize_sql(?)", [f"select ({expression}\n)"]).fetchone()
    parsed = json.loads(row[0]) if row else {"error": True, "error_message": "nothing to read"}
    if parsed["error"]:
        raise duckdb.ParserException(parsed["error_message"])
    found: dict[str, None] = {}
    for names in _references(parsed):
        if len(names) != 1:
            raise duckdb.ParserException(f'write a column\'s name with a dot in it as "{".".join(names)}"')
        found[names[0]] = None
    return tuple(found)


def _references(node: Any) -> Iterator[list[str]]:
    if isinstance(node, dict):
        if node.get("class") == "COLUMN_REF":
            yield node["column_names"]
        for child in node.values():
            yield from _references(child)
    elif isinstance(node, list):
        for child in node:
            yield from _references(child)
