"""The parsed project, and what is made of it once."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dbt.cli.main import dbtRunner

from staged_assets.settings import Settings
from staged_assets.staging.project import StagingProject, read_manifest
from staged_assets_tests.command_line import share_parsed_project


def test_a_parse_that_is_killed_leaves_no_half_manifest(
    shared_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=tmp_path)
    share_parsed_project(shared_home, settings)
    whole = StagingProject(settings).manifest

    def write_half(runner: dbtRunner, arguments: list[str], **options: Any) -> None:
        target = Path(arguments[arguments.index("--target-path") + 1])
        (target / "manifest.json").write_text('{"nodes"')
        raise KeyboardInterrupt

    monkeypatch.setattr(dbtRunner, "invoke", write_half)
    with pytest.raises(KeyboardInterrupt):
        StagingProject(settings).parse()

    read_manifest.cache_clear()
    assert StagingProject(settings).manifest == whole


def test_the_code_location_needs_no_dbt_once_what_was_made_of_the_project_is_kept(
    shared_home: Path, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path)
    share_parsed_project(shared_home, settings)
    names = ("dagster_dbt", "dbt", "pandera", "ibis", "pandas", "sqlalchemy")
    code = f"import sys, staged_assets.definitions; print([name for name in {names} if name in sys.modules])"
    environ = {**os.environ, "STAGED_ASSETS_HOME": str(tmp_path)}
    for _ in range(2):
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
