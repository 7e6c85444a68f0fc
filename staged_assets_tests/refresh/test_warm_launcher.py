"""Runs forked from a warm process are ordinary runs, whatever happens to them, to it, or to the code."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from dagster import DagsterEventType, DagsterRunStatus
from dagster._core.launcher import WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin

from staged_assets.refresh import warm_launcher
from staged_assets.refresh.fingerprint import fingerprint
from staged_assets.refresh.processes import Process, supported
from staged_assets.refresh.run_worker import WORKER_TAG
from staged_assets_tests.command_line import ROOT
from staged_assets_tests.refresh.warm_area import WarmArea, wait_for

pytestmark = pytest.mark.skipif(
    not supported(), reason="only Linux can fork safely; elsewhere the stock launcher is used"
)


@pytest.fixture(scope="module")
def area(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmArea]:
    """One that the tests share, and with it the warm process."""
    # Longer than the address of a socket may be.
    area = WarmArea(tmp_path_factory.mktemp("area") / ("long" * 30) / ("er" * 40))
    area.set_up()
    yield area
    area.end()


@pytest.fixture
def own_area(tmp_path: Path) -> Iterator[WarmArea]:
    """One for a test alone, which does something to the warm process."""
    area = WarmArea(tmp_path)
    area.set_up(idle_seconds=600.0)
    yield area
    area.end()


def _is_there(pid: int) -> bool:
    return Process.of(pid) is not None


# An ordinary run


def test_a_run_is_an_ordinary_run(area: WarmArea) -> None:
    run = area.finished(area.launch())
    assert run.status is DagsterRunStatus.SUCCESS
    kinds = {entry.dagster_event_type for entry in area.instance.all_logs(run.run_id)}
    assert kinds >= {
        DagsterEventType.RUN_STARTING, DagsterEventType.RUN_START, DagsterEventType.STEP_START,
        DagsterEventType.ASSET_MATERIALIZATION, DagsterEventType.ASSET_CHECK_EVALUATION, DagsterEventType.RUN_SUCCESS,
    }  # fmt: skip
    pid = area.process_of(run.run_id)
    wait_for("the last event", lambda: f"Process for run exited (pid: {pid})." in area.messages(run.run_id))
    assert f"Started process for run (pid: {pid})." in area.messages(run.run_id)
    assert "this is logged" in area.messages(run.run_id)


def test_what_a_run_writes_is_in_its_compute_log(area: WarmArea) -> None:
    run = area.finished(area.launch())
    (captured,) = area.instance.all_logs(run.run_id, of_type=DagsterEventType.LOGS_CAPTURED)
    assert captured.dagster_event is not None
    key = [run.run_id, "compute_logs", captured.dagster_event.logs_captured_data.file_key]
    assert area.instance.compute_log_manager.get_log_data(key).stdout == b"this is written to standard output\n"


def test_runs_are_forked_from_one_process_and_have_nothing_in_common(area: WarmArea) -> None:
    first, second = (area.finished(area.launch()).run_id for _ in range(2))
    assert area.metadata(first, "parent") == area.metadata(second, "parent")
    assert area.process_of(first) != area.process_of(second)
    assert area.metadata(first, "random") != area.metadata(second, "random")


def test_runs_go_side_by_side(area: WarmArea, tmp_path: Path) -> None:
    signs = [tmp_path / "first", tmp_path / "second"]
    runs = [area.launch(wait_for=str(sign)) for sign in signs]
    for run_id in runs:
        area.started(run_id)
    for run_id, sign in reversed(list(zip(runs, signs, strict=True))):
        sign.touch()
        assert area.finished(run_id).status is DagsterRunStatus.SUCCESS


# Interrupted, crashed


def test_a_terminated_run_is_canceled(area: WarmArea) -> None:
    run_id = area.launch(wait_for="never")
    area.started(run_id)
    assert area.instance.run_launcher.terminate(run_id)
    assert area.finished(run_id).status is DagsterRunStatus.CANCELED
    assert not area.instance.run_launcher.terminate(run_id)


def test_a_crashed_run_is_failed_at_once(area: WarmArea) -> None:
    run = area.finished(area.launch(signal=int(signal.SIGSEGV)))
    assert run.status is DagsterRunStatus.FAILURE
    assert any("terminated by signal 11 (SIGSEGV)" in message for message in area.messages(run.run_id))


def test_no_zombie_is_left(area: WarmArea) -> None:
    run = area.finished(area.launch(signal=int(signal.SIGKILL)))
    assert run.status is DagsterRunStatus.FAILURE
    zygote = int(area.metadata(area.finished(area.launch()).run_id, "parent"))
    children = Path(f"/proc/{zygote}/task/{zygote}/children")
    wait_for("the end of all that was forked", lambda: not children.read_text().split())


def test_a_run_goes_on_without_the_warm_process_and_the_next_has_a_new_one(own_area: WarmArea, tmp_path: Path) -> None:
    run_id = own_area.launch(wait_for=str(tmp_path / "go"))
    process = own_area.started(run_id)
    zygote = parent_of(process)
    os.kill(zygote, signal.SIGKILL)
    wait_for("its end", lambda: not _is_there(zygote))
    health = own_area.instance.run_launcher.check_run_worker_health
    assert health(own_area.run(run_id)).status is WorkerStatus.RUNNING
    second = own_area.launch(wait_for="never")
    orphan = own_area.started(second)
    (tmp_path / "go").touch()
    assert own_area.finished(run_id).status is DagsterRunStatus.SUCCESS
    # Nobody is there to say that this one crashes: run monitoring asks the launcher.
    os.kill(parent_of(orphan), signal.SIGKILL)
    os.kill(orphan, signal.SIGKILL)
    wait_for("its end", lambda: not _is_there(orphan))
    assert own_area.run(second).status is DagsterRunStatus.STARTED
    assert health(own_area.run(second)).status is WorkerStatus.FAILED


def test_a_process_that_only_has_the_same_number_is_never_ended(area: WarmArea) -> None:
    myself = Process.of(os.getpid())
    assert myself is not None
    earlier = Process(myself.pid, myself.ticks - 1, myself.boot, myself.host)
    assert myself.is_alive
    assert not earlier.is_alive
    assert not earlier.send(signal.SIGKILL)


def test_a_run_on_another_machine_is_not_taken_for_crashed(area: WarmArea) -> None:
    run_id = area.create()
    area.instance.add_run_tags(run_id, {WORKER_TAG: Process(1, 1, "boot", "elsewhere").as_json()})
    health = area.instance.run_launcher.check_run_worker_health(area.run(run_id))
    assert health.status is WorkerStatus.RUNNING
    assert not area.instance.run_launcher.terminate(run_id)
    assert any("is on elsewhere" in message for message in area.messages(run_id))


def test_a_run_whose_process_crashed_can_be_resumed(area: WarmArea) -> None:
    run_id = area.launch(wait_for=str(area.folder / "resume"))
    crashed = area.started(run_id)
    os.kill(crashed, signal.SIGSTOP)
    (area.folder / "resume").touch()
    assert area.instance.run_launcher.supports_resume_run
    area.instance.resume_run(run_id, workspace=None, attempt_number=1)  # type: ignore[arg-type]
    # The first one's crash is not the second's.
    os.kill(crashed, signal.SIGKILL)
    assert area.finished(run_id).status is DagsterRunStatus.SUCCESS
    assert area.process_of(run_id) != crashed


def test_the_warm_process_has_no_database_open(area: WarmArea) -> None:
    zygote = area.metadata(area.finished(area.launch()).run_id, "parent")
    opened = [str(handle.readlink()) for handle in Path(f"/proc/{zygote}/fd").iterdir()]
    assert opened
    assert not [path for path in opened if ".db" in path]


# Fallback


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ({"location": GrpcServerCodeLocationOrigin("elsewhere", 4000, location_name="far")}, "served from elsewhere"),
        ({"executable": "/usr/bin/another-python"}, "runs in /usr/bin/another-python"),
    ],
)
def test_what_it_cannot_run_is_run_in_the_usual_way(area: WarmArea, what: dict[str, object], reason: str) -> None:
    assert reason in _fallen_back(area, **what)


def test_another_platform_uses_the_usual_way(area: WarmArea) -> None:
    with patch.object(warm_launcher, "supported", lambda: False):
        assert "it needs Linux" in _fallen_back(area)


def test_code_that_does_not_load_is_left_to_the_usual_way(own_area: WarmArea) -> None:
    loaded = own_area.code.with_name("loaded")
    own_area.code.write_text(
        f"with open({str(loaded)!r}, 'a') as told:\n    told.write('.')\nraise LookupError('the code is broken')"
    )
    # Nor is it tried again for every run.
    for _ in range(2):
        assert "LookupError: the code is broken" in _fallen_back(own_area)
        assert loaded.read_text() == "."


def test_code_that_starts_a_thread_is_left_to_the_usual_way(
    own_area: WarmArea, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINY_THREAD", "1")
    assert "loading it leaves 2 threads" in _fallen_back(own_area)


def test_it_can_be_turned_off(area: WarmArea, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGED_ASSETS_WARM_RUNS", "false")
    with patch.object(DefaultRunLauncher, "launch_run") as stock:
        run_id = area.launch()
    stock.assert_called_once()
    assert not any("warm" in message for message in area.messages(run_id))


def _fallen_back(area: WarmArea, **what: object) -> str:
    """The reason that a run gives, once, for being started by the stock launcher."""
    with patch.object(DefaultRunLauncher, "launch_run") as stock:
        run_id = area.create(**what)  # type: ignore[arg-type]
        area.instance.launch_run(run_id, workspace=None)  # type: ignore[arg-type]
    stock.assert_called_once()
    assert WORKER_TAG not in area.run(run_id).tags
    (reason,) = [message for message in area.messages(run_id) if "Not started from the warm process" in message]
    return reason


# Code, configuration


def test_changed_code_is_run_by_a_new_process_and_what_is_under_way_goes_on(own_area: WarmArea, tmp_path: Path) -> None:
    before = own_area.launch(wait_for=str(tmp_path / "go"))
    zygote = parent_of(own_area.started(before))
    own_area.code.write_text(own_area.code.read_text().replace("VERSION = 1", "VERSION = 22"))
    after = own_area.finished(own_area.launch()).run_id
    assert own_area.metadata(after, "version") == 22
    assert own_area.metadata(after, "parent") != zygote
    (tmp_path / "go").touch()
    assert own_area.finished(before).status is DagsterRunStatus.SUCCESS
    assert own_area.metadata(before, "version") == 1
    wait_for("the end of the process that has the old code", lambda: not _is_there(zygote))


def test_the_fingerprint_is_of_code_configuration_and_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, sources = tmp_path / "code.py", tmp_path / "sources.yaml"
    seen = set()
    for change in (
        lambda: code.write_text("one = 1"),
        lambda: code.write_text("one = 10"),
        lambda: sources.write_text("url: ${THE_URL}"),
        lambda: monkeypatch.setenv("THE_URL", "here"),
        lambda: monkeypatch.setenv("THE_URL", "there"),
        lambda: (tmp_path / "validation.yaml").write_text("version: 1"),
        lambda: (tmp_path / ".env").write_text("A=1"),
        lambda: monkeypatch.setenv("STAGED_ASSETS_THREADS", "1"),
    ):
        change()
        seen.add(fingerprint(str(code)))
    assert len(seen) == 8
    monkeypatch.setenv("ANYTHING_ELSE", "1")
    assert fingerprint(str(code)) in seen


# Shared, and never twice


def test_launchers_in_two_processes_share_one_warm_process(area: WarmArea) -> None:
    mine = area.finished(area.launch()).run_id
    theirs = _launched_elsewhere(area)
    assert area.finished(theirs).status is DagsterRunStatus.SUCCESS
    assert area.metadata(theirs, "parent") == area.metadata(mine, "parent")


def test_launchers_that_start_at_the_same_time_start_one_warm_process(own_area: WarmArea) -> None:
    # Dagster's own storage can't be made by two processes at the same time.
    assert not own_area.instance.get_runs()
    others = [_start_launcher(own_area) for _ in range(2)]
    runs = [other.communicate()[0].strip() for other in others]
    assert len({own_area.metadata(own_area.finished(run_id).run_id, "parent") for run_id in runs}) == 1


def test_a_run_is_not_executed_unless_its_launcher_says_so(area: WarmArea) -> None:
    area.finished(area.launch())
    run_id = area.create()
    lost = OSError("the storage is gone")
    with patch.object(type(area.instance), "add_run_tags", side_effect=lost), pytest.raises(OSError, match="is gone"):
        area.instance.launch_run(run_id, workspace=None)  # type: ignore[arg-type]
    assert area.finished(area.launch()).status is DagsterRunStatus.SUCCESS
    assert not area.instance.all_logs(run_id, of_type=DagsterEventType.RUN_START)


def parent_of(pid: int) -> int:
    """The pid of the process that forked it."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _start_launcher(area: WarmArea) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "staged_assets_tests.refresh.launch_once", str(area.folder)],
        cwd=ROOT, text=True, stdout=subprocess.PIPE,
    )  # fmt: skip


def _launched_elsewhere(area: WarmArea) -> str:
    return _start_launcher(area).communicate()[0].strip()
