"""Killed by SIGKILL between any two steps of a landing by change data capture: each change has landed once."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from staged_assets_tests.landing.change_feeds import change_feed, changes, state, table
from staged_assets_tests.landing.killed_landing import STEPS
from staged_assets_tests.postgres import Database

ROOT = Path(__file__).parents[2]


@pytest.fixture
def told(tmp_path: Path, database: Database) -> Iterator[Callable[[str], str]]:
    """Lands in a child that is killed at a step; what became of it."""
    sources = change_feed(tmp_path, database)
    process = subprocess.Popen(
        [sys.executable, "-m", "staged_assets_tests.landing.killed_landing", sources.path, tmp_path / "w.duckdb"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    given, answered = process.stdin, process.stdout

    def tell(step: str) -> str:
        print(step, file=given, flush=True)
        return answered.readline().strip()

    yield tell
    given.close()
    process.wait()


def _write(database: Database, number: int) -> list[tuple[str, str | None, str]]:
    """Change the table; what is to land of it."""
    old, new = str(number), str(number + 1)
    database.execute(
        f"begin; insert into visit values ({new}, 'a'); update visit set name = 'b' where id = {new}; commit"
    )
    if number % 4 == 3:
        database.execute(f"begin; truncate visit; insert into visit values ({new}, 'c'); commit")
        return [
            (new, "a", "upsert"),
            (new, "b", "upsert"),
            (old, None, "delete"),
            (new, None, "delete"),
            (new, "c", "upsert"),
        ]
    database.execute(f"delete from visit where id = {old}")
    return [(new, "a", "upsert"), (new, "b", "upsert"), (old, None, "delete")]


def test_each_change_lands_once_whatever_kills_its_landing(
    tmp_path: Path, database: Database, told: Callable[[str], str]
) -> None:
    database.execute("insert into visit values (10, 'snapshot')")
    expected = [("10", "snapshot", "upsert")]
    # The last one kills when the snapshot has landed, and the stream has not.
    first = [*list(STEPS)[:3], "rows are staged", "the cursor is stored", "the stream begins", "all is committed"]
    assert [told(step) for step in first] == ["killed"] * len(first)
    number = 10
    for step in STEPS:
        if step == "the slot is there":
            continue
        # Until the truncate is there, so that each step meets one.
        for _ in range(4 if step == "a truncate is staged" else 1):
            expected += _write(database, number)
            number += 1
        assert (step, told(step)) == (step, "killed")
    assert told("") == "done"
    with duckdb.connect(tmp_path / "w.duckdb") as warehouse:
        assert sorted(changes(warehouse), key=str) == sorted(expected, key=str)
        assert state(warehouse) == table(database)
