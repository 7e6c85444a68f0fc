"""What is used of Dagster though it is private, held against the installed Dagster."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._cli.api import ExecuteRunArgs
from dagster._core.code_pointer import ModuleCodePointer

from staged_assets.refresh import run_worker
from staged_assets_tests.command_line import ROOT
from staged_assets_tests.refresh.warm_area import WarmArea


@pytest.fixture(scope="module")
def area(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmArea]:
    area = WarmArea(tmp_path_factory.mktemp("area"))
    area.set_up()
    yield area
    area.end()


def _reference(area: WarmArea) -> str:
    return dg.serialize_value(area.instance.get_ref())


def _kinds(area: WarmArea, run_id: str) -> Counter[str]:
    return Counter(str(entry.dagster_event_type) for entry in area.instance.all_logs(run_id))


def test_a_run_has_the_events_that_dagsters_own_command_gives_it(area: WarmArea) -> None:
    ours, theirs = area.create(), area.create()
    with run_worker.open_instance(_reference(area)) as instance:
        assert run_worker.execute(instance, ours, resume=False)
    origin = area.run(theirs).job_code_origin
    assert origin is not None
    arguments = ExecuteRunArgs(job_origin=origin, run_id=theirs, instance_ref=area.instance.get_ref())
    command = [sys.executable, "-m", "dagster", "api", "execute_run", dg.serialize_value(arguments)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    assert _kinds(area, ours) == _kinds(area, theirs)


def test_a_failed_run_is_told_apart(area: WarmArea) -> None:
    run_id = area.create(signal=2)
    with run_worker.open_instance(_reference(area)) as instance:
        assert not run_worker.execute(instance, run_id, resume=False)


def test_a_code_location_is_loaded_from_the_pointer_of_a_run(area: WarmArea) -> None:
    origin = area.run(area.create()).job_code_origin
    assert origin is not None
    repository = run_worker.load_code_location(dg.serialize_value(origin.repository_origin.code_pointer))  # type: ignore[arg-type]
    assert repository.has_job("refresh")


def test_variables_of_a_file_reach_the_code_location(
    area: WarmArea, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("WARM_VARIABLE=here\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WARM_VARIABLE", "elsewhere")
    monkeypatch.setenv("DAGSTER_PROJECT_ENV_FILE_PATHS", json.dumps({"tiny": "."}))
    with run_worker.open_instance(_reference(area)) as instance:
        run_worker.load_environment(instance, "tiny")
    assert os.environ["WARM_VARIABLE"] == "here"


def test_the_real_code_location_is_loaded_with_all_that_refreshes_import_and_can_be_forked(
    area: WarmArea, shared_home: Path
) -> None:
    pointer = ModuleCodePointer("staged_assets.definitions", "defs", str(ROOT))
    settings = {
        "pointer": dg.serialize_value(pointer), "instance": _reference(area), "location": "staged_assets",
        "warm_up": "staged_assets.warm_up",
    }  # fmt: skip
    environ = {**os.environ, "STAGED_ASSETS_HOME": str(shared_home)}
    command = [sys.executable, "-m", "staged_assets_tests.refresh.loaded", json.dumps(settings)]
    ended = subprocess.run(command, cwd=ROOT, env=environ, check=True, capture_output=True, text=True)
    threads, databases, late = json.loads(ended.stdout.splitlines()[-1])
    assert (threads, databases, late) == (1, [], [])
