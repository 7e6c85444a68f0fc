"""T-SQL to DuckDB's SQL, and what SQL Server would refuse of it."""

import re

import sqlglot
from pysqlbridge.tds import QueryError
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

DIALECT, DATABASE = "tsql", "erp"
#: what stands behind @@
_GLOBALS = {"version": "Microsoft SQL Server 2022 (RTM) - 16.0.1000.6 (X64)", "spid": 51}

#: words that sqlglot takes in T-SQL, too, and SQL Server does not
_FOREIGN = {"LIMIT", "NULLS", "ILIKE", "QUALIFY", "NOW", "::"}
_QUOTED = {sqlglot.TokenType.STRING, sqlglot.TokenType.NATIONAL_STRING, sqlglot.TokenType.IDENTIFIER}
_STORED = {
    exp.DType.BIT: "boolean",
    exp.DType.FLOAT: "double",
    exp.DType.MONEY: "decimal(19, 4)",
    exp.DType.ROWVERSION: "ubigint",
    exp.DType.TIMESTAMPTZ: "timestamptz",
    **dict.fromkeys((exp.DType.VARCHAR, exp.DType.NVARCHAR, exp.DType.CHAR, exp.DType.NCHAR), "varchar"),
    **dict.fromkeys((exp.DType.DATETIME, exp.DType.DATETIME2, exp.DType.SMALLDATETIME), "timestamp"),
    **dict.fromkeys((exp.DType.VARBINARY, exp.DType.BINARY), "blob"),
}


def parsed(batch: str) -> list[exp.Expression]:
    """The statements of a batch.

    Raises:
        QueryError: it is no T-SQL.
    """
    try:
        for token in sqlglot.tokenize(batch, read=DIALECT):
            if token.text.upper() in _FOREIGN and token.token_type not in _QUOTED:
                raise incorrect(token.text)
        found = [statement for statement in sqlglot.parse(batch, read=DIALECT) if isinstance(statement, exp.Expression)]
    except ParseError as error:
        raise incorrect(str(error.errors[0].get("highlight"))) from error
    except TokenError as error:
        raise incorrect(batch[-20:]) from error
    for statement in found:
        _check(statement)
    return found


def incorrect(near: str) -> QueryError:
    return QueryError(f"Incorrect syntax near '{near}'.", number=102, severity=15)


def _check(statement: exp.Expression) -> None:
    """See that SQL Server would take it, as far as can be told from its words."""
    if found := statement.find(exp.Boolean):
        raise QueryError(f"Invalid column name '{str(found.this).lower()}'.", number=207)
    for select in statement.find_all(exp.Select):
        for shown in select.expressions:
            if isinstance(shown.unalias(), exp.Predicate | exp.Connector | exp.Not):
                raise incorrect(shown.sql(DIALECT))
        if isinstance(select.parent, exp.Subquery) and isinstance(select.parent.parent, exp.From | exp.Join):
            _check_derived(select, select.parent)
    for compared in statement.find_all(exp.Binary):
        for literal in (compared.left, compared.right):
            _check_moment(literal)


def _check_derived(select: exp.Select, derived: exp.Subquery) -> None:
    if select.args.get("with_"):
        raise QueryError("Incorrect syntax near the keyword 'with'.", number=156, severity=15)
    if select.args.get("order") and not (select.args.get("limit") or select.args.get("offset")):
        raise QueryError(
            "The ORDER BY clause is invalid in views, inline functions, derived tables, subqueries, and common table"
            " expressions, unless TOP, OFFSET or FOR XML is also specified.",
            number=1033, severity=15,
        )  # fmt: skip
    for number, shown in enumerate(select.expressions, start=1):
        if not isinstance(shown, exp.Alias | exp.Column | exp.Star):
            raise QueryError(
                f"No column name was specified for column {number} of '{derived.alias}'.", number=8155, severity=15
            )


def _check_moment(value: exp.Expr) -> None:
    """A time beside a `datetime` that is not written with a T is read by the login's language, as here: day first."""
    text = value.this if isinstance(value, exp.National) or (isinstance(value, exp.Literal) and value.is_string) else ""
    if re.match(r"\d{4}-\d\d-\d\d \d", str(text)):
        raise QueryError(
            "The conversion of a varchar data type to a datetime data type resulted in an out-of-range value.",
            number=242,
        )


def translated(statement: exp.Expression) -> str:
    """The same for DuckDB."""
    return statement.transform(_stored).sql("duckdb")


def _stored(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.DataType) and node.this in _STORED:
        return exp.DataType.build(_STORED[node.this], dialect="duckdb")
    if isinstance(node, exp.National):
        return exp.Literal.string(node.this)
    if isinstance(node, exp.Parameter) and isinstance(node.this, exp.Parameter):
        return exp.convert(_GLOBALS[node.this.name.lower()])
    if isinstance(node, exp.CurrentSchema):
        return exp.Literal.string("dbo")
    if isinstance(node, exp.Table) and node.name.lower() == "fn_listextendedproperty":
        return exp.to_table("sys.extended_properties")
    if isinstance(node, exp.Table) and node.catalog.lower() == DATABASE:
        return exp.Table(this=node.this, db=node.args["db"], alias=node.args.get("alias"))
    if isinstance(node, exp.ColumnDef) and node.kind is not None and node.kind.this == exp.DType.ROWVERSION:
        node.append("constraints", _default("nextval('sys.rowversions')"))
    return node


def _default(value: str) -> exp.ColumnConstraint:
    return exp.ColumnConstraint(kind=exp.DefaultColumnConstraint(this=sqlglot.parse_one(value, read="duckdb")))


def declared_columns(created: exp.Create) -> dict[str, str]:
    """The columns of a table that is made, each with its type."""
    return {
        column.name: column.kind.sql(DIALECT).lower().replace("integer", "int")
        for column in created.find_all(exp.ColumnDef)
        if column.kind is not None
    }
