"""Dagster's storage with connections that are kept: the same as Dagster's own reads and writes."""

import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg
import pytest
from alembic.script import ScriptDirectory
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from staged_assets.instance_storage import OPEN_LOGS, EventLogStorage, SqliteStorage
from staged_assets.settings import PACKAGE


@dg.multi_asset(specs=[dg.AssetSpec("stored")], check_specs=[dg.AssetCheckSpec("looked_at", asset="stored")])
def stored() -> Iterator[Any]:
    yield dg.MaterializeResult(asset_key="stored", metadata={"rows": 3})
    yield dg.AssetCheckResult(asset_key="stored", check_name="looked_at", passed=False)


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dg.DagsterInstance:
    """One with the configuration that the package ships."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_bytes((PACKAGE / "dagster.yaml").read_bytes())
    return dg.DagsterInstance.get()


def _logs(storage: SqliteEventLogStorage, run_id: str) -> list[str]:
    return [str(entry.dagster_event_type) for entry in storage.get_logs_for_run(run_id)]


def test_the_shipped_configuration_uses_it(instance: dg.DagsterInstance) -> None:
    assert isinstance(instance.event_log_storage, EventLogStorage)


def test_another_process_reads_with_dagsters_own_what_it_wrote(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    run_id = dg.materialize([stored], instance=instance).run_id
    own = SqliteEventLogStorage(str(tmp_path / "history" / "runs"))
    assert "DagsterEventType.ASSET_CHECK_EVALUATION" in _logs(own, run_id)
    assert _logs(own, run_id) == _logs(instance.event_log_storage, run_id)
    (record,) = own.get_asset_records([dg.AssetKey("stored")])
    assert record.asset_entry.last_materialization.asset_materialization.metadata["rows"].value == 3


def test_it_reads_what_another_process_writes(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    run_id = dg.materialize([stored], instance=instance).run_id
    before = _logs(instance.event_log_storage, run_id)
    own = SqliteEventLogStorage(str(tmp_path / "history" / "runs"))
    own.store_event(own.get_logs_for_run(run_id)[0])
    assert len(_logs(instance.event_log_storage, run_id)) == len(before) + 1


def test_only_the_last_logs_stay_open(instance: dg.DagsterInstance) -> None:
    runs = [dg.materialize([stored], instance=instance).run_id for _ in range(OPEN_LOGS + 2)]
    storage = instance.event_log_storage
    assert len(storage.__dict__["_engines"]) == OPEN_LOGS
    assert "DagsterEventType.RUN_SUCCESS" in _logs(storage, runs[0])


def test_after_a_wipe_it_begins_anew(instance: dg.DagsterInstance) -> None:
    run_id = dg.materialize([stored], instance=instance).run_id
    instance.wipe()
    assert _logs(instance.event_log_storage, run_id) == []
    assert _logs(instance.event_log_storage, dg.materialize([stored], instance=instance).run_id) != []


def test_no_migrations_are_loaded_for_the_log_of_a_run(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    run_id = dg.materialize([stored], instance=instance).run_id
    another = EventLogStorage(str(tmp_path / "history" / "runs"))
    with patch.object(SqliteEventLogStorage, "_initdb", side_effect=AssertionError("it is made already")):
        assert _logs(another, run_id) == _logs(instance.event_log_storage, run_id)
        assert _logs(another, "new") == []


def _open_files(folder: Path) -> list[str]:
    links = (os.path.realpath(link) for link in Path("/proc/self/fd").iterdir())
    return [link for link in links if link.startswith(str(folder))]


def test_no_migrations_are_loaded_for_an_instance_that_is_there(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    run_id = dg.materialize([stored], instance=instance).run_id
    loading = patch.object(ScriptDirectory, "from_config", side_effect=AssertionError("it is made already"))
    with loading, dg.DagsterInstance.from_config(str(tmp_path)) as another:
        run = another.get_run_by_id(run_id)
        assert run is not None
        assert run.is_success
        assert another.get_ticks("sensor", "selector") == []
        another.add_run_tags(run_id, {"seen": "yes"})
    reread = instance.get_run_by_id(run_id)
    assert reread is not None
    assert reread.tags["seen"] == "yes"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's /proc to list open files")
def test_an_instance_that_ends_closes_its_databases(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    dg.materialize([stored], instance=instance)
    instance.dispose()
    assert _open_files(tmp_path) == []


def test_runs_half_made_are_made_wholly(tmp_path: Path) -> None:
    (tmp_path / "history").mkdir()
    with closing(sqlite3.connect(tmp_path / "history" / "runs.db")) as runs:
        runs.execute("create table alembic_version (version_num varchar(32) primary key)")
    storage = SqliteStorage(str(tmp_path))
    assert storage.run_storage.get_runs_count() == 0
    storage.dispose()


def test_several_threads_use_an_instance_at_the_same_time(instance: dg.DagsterInstance) -> None:
    storage = instance.daemon_cursor_storage
    keys = [f"key{number}" for number in range(90)]
    with ThreadPoolExecutor(30) as pool:
        list(pool.map(lambda key: storage.set_cursor_values({key: "seen"}), keys))
    assert storage.get_cursor_values(set(keys)) == dict.fromkeys(keys, "seen")


def _schema(storage: SqliteEventLogStorage, run_id: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(storage.path_for_shard(run_id))) as log:
        asked = "pragma journal_mode", "from sqlite_master", "from alembic_version"
        found = [log.execute(ask if ask.startswith("pragma") else f"select * {ask}").fetchall() for ask in asked]
    # Where in the file a table begins says nothing of it.
    return [row[:3] + row[4:] for rows in found for row in sorted(rows, key=str)]


def _names(storage: SqliteEventLogStorage, run_id: str) -> set[str]:
    return {row[1] for row in _schema(storage, run_id) if len(row) > 1}


def test_a_new_log_is_as_dagsters_own_makes_it(tmp_path: Path) -> None:
    own = SqliteEventLogStorage(str(tmp_path / "own"))
    mine = EventLogStorage(str(tmp_path / "mine"))
    assert _logs(own, "new") == _logs(mine, "new") == []
    assert _schema(mine, "new") == _schema(own, "new")
    assert len(_schema(mine, "new")) > 20


@pytest.mark.parametrize("done", ["", "create table alembic_version (version_num varchar(32) primary key)"])
def test_a_log_that_was_half_made_is_made_wholly(tmp_path: Path, done: str) -> None:
    storage = EventLogStorage(str(tmp_path))
    with closing(sqlite3.connect(storage.path_for_shard("new"))) as log:
        log.execute(done)
    assert _logs(storage, "new") == []
    own = SqliteEventLogStorage(str(tmp_path / "own"))
    assert _logs(own, "new") == []
    assert _names(storage, "new") == _names(own, "new")


def test_several_make_a_log_at_the_same_time(tmp_path: Path) -> None:
    storages = [EventLogStorage(str(tmp_path)) for _ in range(4)]
    for number in range(20):
        with ThreadPoolExecutor(len(storages)) as pool:
            found = list(pool.map(lambda storage: _logs(storage, f"run{number}"), storages))  # noqa: B023
        assert found == [[]] * len(storages)


def test_events_of_a_batch_are_stored_together_or_not_at_all(instance: dg.DagsterInstance) -> None:
    storage = instance.event_log_storage
    events = storage.get_logs_for_run(dg.materialize([stored], instance=instance).run_id)
    storage.wipe()
    planted = patch.object(storage, "store_asset_check_event", side_effect=[None, RuntimeError("planted")])
    with planted, pytest.raises(RuntimeError, match="planted"):
        storage.store_event_batch(events)
    assert _logs(storage, events[0].run_id) == []
    assert list(storage.get_asset_records()) == []
    storage.store_event_batch(events)
    assert _logs(storage, events[0].run_id) == [str(event.dagster_event_type) for event in events]


def test_what_a_run_is_going_to_do_is_written_as_one_batch(instance: dg.DagsterInstance) -> None:
    batches: list[list[str]] = []

    def told(self: EventLogStorage, events: Any) -> None:
        batches.append([str(event.dagster_event_type) for event in events])

    with patch.object(EventLogStorage, "store_event_batch", told):
        dg.materialize([stored], instance=instance)
    planned = ["DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED", "DagsterEventType.ASSET_MATERIALIZATION_PLANNED"]
    assert [sorted(batch) for batch in batches] == [planned]
