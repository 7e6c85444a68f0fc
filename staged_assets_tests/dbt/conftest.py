"""The dbt project, built once on a scratch warehouse with an empty raw area: seeds, models, unit tests, data tests."""

import pytest
from dbt.cli.main import dbtRunner

from staged_assets.landing import raw_area
from staged_assets.landing.warehouse import connect
from staged_assets.settings import Settings
from staged_assets.staging import control
from staged_assets.staging.project import StagingProject
from staged_assets_tests.dbt.built_project import BuiltProject, note_warning


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuiltProject:
    settings = Settings(home=tmp_path_factory.mktemp("staged_assets"))
    project = StagingProject(settings)
    with connect(settings) as connection:
        raw_area.prepare(connection)
        control.prepare(connection)
    warnings: list[str] = []
    with project.environment():
        outcome = dbtRunner(callbacks=[lambda event: note_warning(event, warnings)]).invoke(
            ["--quiet", "parse", *project.arguments, "--show-all-deprecations"]
        )
    assert outcome.success, outcome.exception
    built = BuiltProject(settings, project, outcome.result, {}, warnings)
    for command in ("seed", "run", "test"):
        built.results |= built.invoke(command)
    return built
