"""The main job on the demo, row by row against the truth file that its generator wrote."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from staged_assets.catalogue import DATASETS
from staged_assets.demo.activity import advance
from staged_assets.settings import Settings
from staged_assets_tests import truth
from staged_assets_tests.command_line import CommandLine, Ended
from staged_assets_tests.staged_area import NewArea, differences, read_outputs

SCALE = 3_000


#: One process has what the others would have to do again.
pytestmark = pytest.mark.xdist_group("demo_truth")


@dataclass(frozen=True)
class Ran:
    """A home, and how the last run in it ended."""

    command: CommandLine
    last: Ended

    @property
    def settings(self) -> Settings:
        return self.command.settings

    @property
    def demo(self) -> Path:
        return self.command.settings.demo_path


@pytest.fixture(scope="module")
def first(shared_home: Path, published_warehouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The main job, run on a demo that is new."""
    command = CommandLine(tmp_path_factory.mktemp("truth") / "home")
    command.share_parsed_project(shared_home)
    return Ran(command, command.run("run", "--scale", str(SCALE), "--json"))


@pytest.fixture(scope="module")
def later(first: Ran, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The same two days later, the job run once a day."""
    command = first.command.copy(tmp_path_factory.mktemp("later") / "home")
    for _ in range(2):
        advance(command.settings.demo_path, changes=300)
        ended = command.run("run", "--json")
    return Ran(command, ended)


def _unlike(expected: dict[Any, Any], found: dict[Any, Any]) -> list[Any]:
    """What is not as the truth file says."""
    places = sorted(expected.keys() | found.keys(), key=str)
    return [
        (place, expected.get(place), found.get(place)) for place in places if expected.get(place) != found.get(place)
    ]


def _assert_good(ended: Ended) -> None:
    """Everything was published, and every raw row is explained."""
    assert ended.json["failures"] == []
    assert ended.status == 0
    for name in DATASETS:
        entry = ended.json["datasets"][name]
        assert entry["outcome"] in ("published", "unchanged")
        ends = ("staged", "rejected", "superseded", "duplicate", "deleted", "pending")
        assert entry["landed"] == sum(entry[end] for end in ends) > 0
        assert entry["pending"] == 0
        assert "failed" not in entry["checks"].values()


def test_after_a_first_run_every_row_is_where_the_truth_file_says(first: Ran) -> None:
    _assert_good(first.last)
    assert _unlike(truth.expected(first.demo), truth.found(first.settings)) == []
    assert _unlike(truth.expected_staged_defects(first.demo), truth.staged_defects(first.settings)) == []


def test_after_later_runs_every_row_is_where_the_truth_file_says(later: Ran) -> None:
    _assert_good(later.last)
    dispositions = {record: judged[:2] for record, judged in truth.expected(later.demo).items()}
    assert _unlike(dispositions, truth.found_dispositions(later.settings)) == []
    assert _unlike(truth.expected_staged_defects(later.demo), truth.staged_defects(later.settings)) == []


def test_later_runs_end_as_one_full_refresh(later: Ran, new_area: NewArea) -> None:
    with new_area() as area:
        area.take_raw(later.settings)
        area.refresh()
        assert differences(read_outputs(later.settings), area.outputs()) == {}


def test_after_a_full_refresh_every_row_is_where_the_truth_file_says(later: Ran, tmp_path: Path) -> None:
    command = later.command.copy(tmp_path / "home")
    _assert_good(command.run("run", "--full-refresh", "--json"))
    assert _unlike(truth.expected(later.demo), truth.found(command.settings)) == []
    assert differences(read_outputs(later.settings), read_outputs(command.settings)) == {}
