"""Killed by SIGKILL anywhere, and run again: every output is the one of an undisturbed run."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from shutil import copyfile, rmtree

import pytest

from staged_assets_tests.faults.conftest import Work, Worker, content
from staged_assets_tests.faults.worker import Order
from staged_assets_tests.staged_area import Outputs, StagedArea, copy_warehouse, differences

#: How often: in each of the three works, at a random moment and before a statement; while the demo is made; while
#: reference data is loaded.
MOMENTS, STATEMENTS, WHILE_DEMO, WHILE_LOADING = 8, 8, 3, 3

EACH_WORK = pytest.mark.parametrize("name", ["first run", "next run", "full refresh"])


def test_they_are_at_least_fifty() -> None:
    assert 3 * (MOMENTS + STATEMENTS) + WHILE_DEMO + WHILE_LOADING >= 50


@pytest.fixture(scope="module")
def undisturbed(
    works: dict[str, Work], worker: Worker, shared_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Order, tuple[Outputs, Outputs]]]:
    """Each work done at once: its answer, and what there is then."""
    done = {}
    for number, (name, work) in enumerate(works.items()):
        warehouse = copy_warehouse(work.template, tmp_path_factory.mktemp("undisturbed") / str(number))
        done[name] = work.run(worker, warehouse), content(warehouse, shared_home)
    return done


def _assert_same(found: tuple[Outputs, Outputs], expected: tuple[Outputs, Outputs]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert differences(one, other) == {}


@EACH_WORK
def test_killed_at_random_moments(
    name: str,
    works: dict[str, Work],
    undisturbed: dict[str, tuple[Order, tuple[Outputs, Outputs]]],
    worker: Worker,
    shared_home: Path,
    tmp_path: Path,
) -> None:
    work, (answer, expected), dice = works[name], undisturbed[name], Random(name)
    moments = [{"killed_after": dice.uniform(0, answer["seconds"])} for _ in range(MOMENTS)]
    _assert_survives(work, moments, expected, worker, shared_home, tmp_path)


@EACH_WORK
def test_killed_between_two_statements(
    name: str,
    works: dict[str, Work],
    undisturbed: dict[str, tuple[Order, tuple[Outputs, Outputs]]],
    worker: Worker,
    shared_home: Path,
    tmp_path: Path,
) -> None:
    work, (answer, expected) = works[name], undisturbed[name]
    # The later half is where it publishes: more of them fall there. In disorder, so that each meets what another left.
    statements = [
        {"killed_before": round(answer["statements"] * (number / STATEMENTS) ** 0.6)}
        for number in range(1, STATEMENTS + 1)
    ]
    Random(name).shuffle(statements)
    _assert_survives(work, statements, expected, worker, shared_home, tmp_path)


def _assert_survives(
    work: Work,
    kills: Sequence[Mapping[str, float]],
    expected: tuple[Outputs, Outputs],
    worker: Worker,
    home: Path,
    folder: Path,
) -> None:
    """Killed that often, several times in a row where the one before has left it, then run to its end."""
    warehouse = copy_warehouse(work.template, folder / "area")
    killed, in_a_row, pending = 0, 0, list(kills)
    while pending:
        if work.run(worker, warehouse, **pending[0])["ended"] == "killed":
            pending.pop(0)
            killed, in_a_row = killed + 1, in_a_row + 1
            if in_a_row < 4 and pending:
                continue
            work.run(worker, warehouse)
        elif in_a_row == 0:
            # Quicker than it was when it was measured.
            pending[0] = {how: type(limit)(limit / 2) for how, limit in pending[0].items()}
        # Else it had less to do than from the start, and came to its end before.
        _assert_same(content(warehouse, home), expected)
        copyfile(work.template, warehouse)
        in_a_row = 0
    assert killed == len(kills)


def test_killed_while_reference_data_is_loaded(
    works: dict[str, Work],
    undisturbed: dict[str, tuple[Order, tuple[Outputs, Outputs]]],
    worker: Worker,
    shared_home: Path,
    empty_warehouse: Path,
    tmp_path: Path,
) -> None:
    work = works["first run"]
    warehouse = copy_warehouse(empty_warehouse, tmp_path / "area")
    area = StagedArea(shared_home, warehouse)
    area.execute("drop schema reference cascade; drop table control.reference")
    loading = {"among": "reference."}
    statements = work.run(worker, copy_warehouse(warehouse, tmp_path / "counted"), **loading)["statements"]
    for number in range(1, WHILE_LOADING + 1):
        told = work.run(worker, warehouse, killed_before=statements * number // (WHILE_LOADING + 1), **loading)
        assert told["ended"] == "killed"
    work.run(worker, warehouse)
    _assert_same(content(warehouse, shared_home), undisturbed["first run"][1])


def test_killed_while_the_demo_is_made(worker: Worker, tmp_path: Path) -> None:
    made, undisturbed, dice = tmp_path / "made", tmp_path / "undisturbed", Random("demo")
    seconds = worker.tell(work="demo", path=str(undisturbed), scale=1_000)["seconds"]
    kills = 0
    while kills < WHILE_DEMO:
        told = worker.tell(work="demo", path=str(made), scale=1_000, killed_after=dice.uniform(0, seconds))
        kills += told["ended"] == "killed"
        if made.exists():
            # It was quicker this time: what is there is whole.
            assert _digests(made) == _digests(undisturbed)
            rmtree(made)
    worker.tell(work="demo", path=str(made), scale=1_000)
    assert _digests(made) == _digests(undisturbed)


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
