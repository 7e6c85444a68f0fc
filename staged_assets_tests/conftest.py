"""What several rooms' tests share."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

from staged_assets.demo.activity import advance
from staged_assets.instance import heed_interrupts
from staged_assets_tests.command_line import CommandLine
from staged_assets_tests.staged_area import WAREHOUSE, NewArea, StagedArea, copy_warehouse

# A change is red for what is in it, not for luck; and no example is too slow on a machine that is busy.
settings.register_profile("the_same_everywhere", derandomize=True, deadline=None)
settings.load_profile("the_same_everywhere")

# Tests end the daemons that they start, also where the tests run in the background.
heed_interrupts()


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home for all processes of the test session: the dbt project is parsed from scratch once."""
    base = tmp_path_factory.getbasetemp()
    home = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared_home"
    home.mkdir(exist_ok=True)
    return home


@pytest.fixture(scope="session")
def empty_warehouse(shared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with the reference data and empty raw tables, nothing published."""
    folder = shared_home / "empty"
    with FileLock(shared_home / "empty.lock"):
        if not folder.exists():
            unfinished = tmp_path_factory.mktemp("unfinished") / "empty"
            area = StagedArea(shared_home, unfinished / WAREHOUSE)
            area.land("touchpoints", "crm", [])
            area.refresh(["touchpoints"], companions=[])
            area.execute("drop schema staged cascade; drop schema work cascade; delete from control.watermarks")
            area.execute("delete from control.refreshes; delete from control.checks")
            unfinished.rename(folder)
    return folder / WAREHOUSE


@pytest.fixture(scope="session")
def published_warehouse(shared_home: Path, empty_warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, with all outputs published, and empty: the next refresh is incremental."""
    folder = shared_home / "published"
    with FileLock(shared_home / "published.lock"):
        if not folder.exists():
            unfinished = tmp_path_factory.mktemp("unfinished") / "published"
            StagedArea(shared_home, copy_warehouse(empty_warehouse, unfinished)).refresh()
            unfinished.rename(folder)
    return folder / WAREHOUSE


@pytest.fixture(scope="session")
def new_area(
    shared_home: Path, empty_warehouse: Path, published_warehouse: Path, tmp_path_factory: pytest.TempPathFactory
) -> NewArea:
    """Makes staged areas, each gone after its block: `published` ones hold all outputs, empty; others none at all."""
    numbers = count()
    base = tmp_path_factory.mktemp("areas")

    @contextmanager
    def make(*, published: bool = False, checked: bool = False) -> Iterator[StagedArea]:
        folder = base / str(next(numbers))
        template = published_warehouse if published else empty_warehouse
        try:
            yield StagedArea(shared_home, copy_warehouse(template, folder), checked=checked)
        finally:
            shutil.rmtree(folder)

    return make


@pytest.fixture(scope="session")
def homes(shared_home: Path, published_warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two homes: `before`, of a demo that was run once and has news since, and `after`, where these were run, too."""
    folder = shared_home / "homes"
    with FileLock(shared_home / "homes.lock"):
        if not folder.exists():
            unfinished = tmp_path_factory.mktemp("unfinished") / "homes"
            before = CommandLine(unfinished / "before")
            before.share_parsed_project(shared_home)
            before.run("run", "--scale", "1000", "--json").expect_success()
            advance(before.settings.demo_path, changes=200)
            before.copy(unfinished / "after").run("run", "--json").expect_success()
            unfinished.rename(folder)
    return folder


@pytest.fixture
def command(homes: Path, tmp_path: Path) -> Iterator[CommandLine]:
    """The command in a home that was run once, with news that have not been landed."""
    command = CommandLine(homes / "before").copy(tmp_path / "home")
    yield command
    shutil.rmtree(command.home)
