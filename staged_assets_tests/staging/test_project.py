"""The parsed project."""

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
