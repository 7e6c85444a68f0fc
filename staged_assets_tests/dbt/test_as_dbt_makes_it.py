"""What a refresh makes of the compiled project by itself is what dbt makes of it."""

from pathlib import Path

from staged_assets.landing.warehouse import connect
from staged_assets.settings import Settings
from staged_assets_tests.dbt.built_project import BuiltProject

_COLUMNS = """
    select table_name, column_name, ordinal_position, data_type, is_nullable from information_schema.columns
    where table_schema = 'staged' and table_name not like '%\\_\\_candidate' escape '\\' order by all
"""
_KINDS = "select table_name, table_type from information_schema.tables where table_schema = 'staged' order by all"
_SEEDS = "select table_name from duckdb_tables() where schema_name = 'reference' order by all"


def test_relations_have_the_columns_types_and_constraints_of_dbt(
    built: BuiltProject, published_warehouse: Path
) -> None:
    for question in (_COLUMNS, _KINDS):
        assert _ask(published_warehouse, question) == _ask(built.settings.warehouse_path, question)


def test_the_reference_data_is_what_dbt_seed_loads(built: BuiltProject, empty_warehouse: Path) -> None:
    seeds = [name for (name,) in _ask(built.settings.warehouse_path, _SEEDS)]
    assert seeds == sorted(seed["name"] for seed in built.project.seeds)
    for seed in seeds:
        ours, dbts = (
            _ask(path, f"select * from reference.{seed} order by all")
            for path in (empty_warehouse, built.settings.warehouse_path)
        )
        assert ours == dbts
        question = f"describe reference.{seed}"
        assert _ask(empty_warehouse, question) == _ask(built.settings.warehouse_path, question)


def _ask(warehouse: Path, question: str) -> list[tuple[object, ...]]:
    with connect(Settings(warehouse=warehouse), read_only=True) as connection:
        return connection.execute(question).fetchall()
