"""Messages of the engine lose what may be a value, and nothing else."""

import duckdb
import pytest

from staged_assets.errors import without_values

VALUES = ["Ada", "Ada's", 'Ada "Quux"', "Ada\nQuux", 'Ada\'s "Quux"\n`Zanzibar`']


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(
    "sql",
    [
        "select cast($v as bigint)",
        "select cast($v as date)",
        "select strptime($v, '%Y-%m-%d')",
        "insert into people values ($v), ($v)",
        "select cast([$v] as bigint[])",
    ],
)
def test_values_are_gone(sql: str, value: str) -> None:
    with duckdb.connect() as connection:
        connection.execute("create table people (name varchar primary key)")
        with pytest.raises(duckdb.Error) as caught:
            connection.execute(sql, {"v": value})
    message = without_values(str(caught.value))
    assert "Error: " in message
    assert not [word for word in ("Ada", "Quux", "Zanzibar") if word in message]


def test_names_of_what_is_missing_are_kept() -> None:
    with duckdb.connect() as connection, pytest.raises(duckdb.Error) as caught:
        connection.execute("from staged.stg_sales")
    assert "stg_sales" in without_values(str(caught.value))
