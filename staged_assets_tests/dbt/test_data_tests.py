"""The dbt data tests find what they are there for."""

from pathlib import Path

import pytest
from duckdb import DuckDBPyConnection

from staged_assets.landing.warehouse import connect
from staged_assets_tests.dbt.built_project import BuiltProject

pytestmark = pytest.mark.xdist_group("dbt")


def _spoil(connection: DuckDBPyConnection, table: str, number: int) -> None:
    """Plant a row of nonsense, doubled, and one of nothing. Numbers differ by table, so that no reference is right."""
    columns = connection.execute(f"describe {table}").fetchall()
    for name, *_ in columns:
        connection.execute(f'alter table {table} alter column "{name}" drop not null')
    nonsense = {"VARCHAR": "'nonsense'", "BIGINT": str(-number)}
    row = ", ".join(nonsense.get(kind, "null") for _, kind, *_ in columns)
    nothing = ", ".join("null" for _ in columns)
    connection.execute(f"insert into {table} values ({row}), ({row}), ({nothing})")


def test_every_data_test_passes_on_what_was_built(built: BuiltProject) -> None:
    results = {node["name"]: built.results[node["name"]] for node in built.nodes("test")}
    assert {name: result for name, result in results.items() if result[0] != "pass"} == {}


def test_every_data_test_finds_planted_rows(built: BuiltProject, tmp_path: Path) -> None:
    spoilt = built.copy(tmp_path)
    tables = sorted({node["attached_node"].split(".")[-1] for node in built.nodes("test")})
    with connect(spoilt.settings) as connection:
        for number, table in enumerate(tables, start=1):
            _spoil(connection, f"staged.{table}", number)
    results = spoilt.invoke("test", "--select", "test_type:data")
    severity = {node["name"]: node["config"]["severity"].lower() for node in built.nodes("test")}
    assert {name: status for name, (status, _) in results.items()} == {
        name: "warn" if severity[name] == "warn" else "fail" for name in severity
    }
