"""`run`: progress, the table, what is left alone, and two at once."""

import os
from pathlib import Path

import pytest

from staged_assets.catalogue import DATASETS
from staged_assets.landing.warehouse import exclusive
from staged_assets.staging.dbt_runner import DbtRunner
from staged_assets_tests.command_line import CommandLine, finish
from staged_assets_tests.staged_area import LOAD_ORDER, RUN_TIME_STAMPS, differences, read_outputs


def test_a_run_with_nothing_new_changes_nothing(homes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = CommandLine(homes / "after").copy(tmp_path / "home")
    before = [read_outputs(command.settings, schema=name, without=()) for name in ("raw", "staged")]
    monkeypatch.setattr(DbtRunner, "compile", None)
    ended = command.run("run", "--json").expect_success()
    assert {entry["outcome"] for entry in ended.json["datasets"].values()} == {"unchanged"}
    assert [read_outputs(command.settings, schema=name, without=()) for name in ("raw", "staged")] == before


def test_a_run_shows_progress_and_a_table_with_every_dataset(command: CommandLine) -> None:
    ended = command.run("run").expect_success()
    for step in ("land: sales", "write: base_sales", "publish: stg_sales", "verify: "):
        assert step in ended.err
    for name in DATASETS:
        assert any(line.split()[:1] == [name] for line in ended.out.splitlines())
    assert "0 unexplained" in ended.out
    assert "staged-assets ui" in ended.out


def test_only_what_is_asked_for_is_landed_and_refreshed(command: CommandLine) -> None:
    before = command.run("status", "--json").json["datasets"]
    ended = command.run("run", "--dataset", "sales", "--dataset", "items", "--json").expect_success()
    changed = {name for name, entry in ended.json["datasets"].items() if entry["landed"] > before[name]["landed"]}
    assert changed == {"sales", "items"}


def test_only_from_the_system_that_is_asked(command: CommandLine) -> None:
    before = command.run("status", "--json").json["datasets"]
    ended = command.run("run", "--system", "erp", "--json").expect_success()
    changed = {name for name, entry in ended.json["datasets"].items() if entry["landed"] > before[name]["landed"]}
    assert changed == {"items", "inventory", "shops", "location_dimension", "suppliers"}


def test_two_runs_at_once_queue(command: CommandLine, homes: Path) -> None:
    processes = [command.start("run", "--json"), command.start("run", "--json")]
    for process in processes:
        assert finish(process).expect_success().json["failures"] == []
    without = (*RUN_TIME_STAMPS, *LOAD_ORDER)
    expected = read_outputs(CommandLine(homes / "after").settings, without=without)
    assert differences(read_outputs(command.settings, without=without), expected) == {}


def test_a_run_that_waits_says_for_whom(command: CommandLine) -> None:
    with exclusive(command.settings):
        waiting = CommandLine(command.home, {"STAGED_ASSETS_LOCK_TIMEOUT": "0.5"})
        ended = finish(waiting.start("run"))
    assert ended.status == 1
    assert f"is being written by process {os.getpid()}" in ended.err
    assert "wait for that run to end, or raise STAGED_ASSETS_LOCK_TIMEOUT." in ended.err
