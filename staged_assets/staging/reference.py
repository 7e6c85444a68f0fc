"""The reference data: the dbt project's seeds, as tables of the schema `reference`."""

from collections.abc import Callable

from duckdb import DuckDBPyConnection

from staged_assets.landing.warehouse import transaction
from staged_assets.sources.expressions import literal, quoted
from staged_assets.staging.project import PROJECT_DIR, StagingProject


def load(connection: DuckDBPyConnection, project: StagingProject, on_load: Callable[[], None]) -> None:
    """Load the seeds, as `dbt seed` does, unless they are there as this state of the project has them.

    Args:
        on_load: called before something is loaded.
    """
    connection.execute("create table if not exists control.reference (fingerprint varchar not null)")
    row = connection.execute("select fingerprint from control.reference").fetchone()
    if row and row[0] == project.fingerprint:
        return
    on_load()
    with transaction(connection):
        connection.execute("create schema if not exists reference")
        for seed in project.seeds:
            types = ", ".join(
                f"{literal(name)}: {literal(kind)}" for name, kind in seed["config"]["column_types"].items()
            )
            path = literal(str(PROJECT_DIR / seed["original_file_path"]))
            connection.execute(
                f"create or replace table reference.{quoted(seed['name'])} as"
                f" from read_csv({path}, auto_detect = false, header = true, columns = {{{types}}})"
            )
        connection.execute("delete from control.reference")
        connection.execute("insert into control.reference values (?)", [project.fingerprint])
