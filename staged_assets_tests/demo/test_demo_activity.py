import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from staged_assets.demo.activity import ACTIVITY, advance
from staged_assets.demo.generator import TRUTH_FILE, generate
from staged_assets.demo.manifest import Manifest

Truth = list[dict[str, Any]]


def _truth(demo: Path) -> Truth:
    return [json.loads(line) for line in (demo / TRUTH_FILE).read_text().splitlines()]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("activity") / "demo"
    generate(path, scale=1_000)
    return path


@pytest.fixture(scope="module")
def after(before: Path) -> Path:
    path = before.with_name("advanced")
    shutil.copytree(before, path)
    advance(path, changes=400)
    advance(path, changes=400)
    return path


def _record(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["dataset"], row["system"], row["record_no"], row["source_updated_at"]


def test_no_truth_row_is_lost_or_doubled(before: Path, after: Path) -> None:
    earlier, later = (Counter(map(_record, _truth(path))) for path in (before, after))
    assert earlier <= later
    landed = Counter(_record(row) for row in _truth(after) if not row.get("already_landed"))
    assert set(landed.values()) == {1}


@pytest.mark.parametrize("action", ACTIVITY)
def test_every_kind_of_activity_occurs_in_each_round(action: str, after: Path) -> None:
    feeds = {f"{row['system']}.{row['record_no'].split('-')[0]}" for row in _truth(after) if action in row["kinds"]}
    assert feeds == set(ACTIVITY[action])
    assert Manifest.read(after).kinds[action] >= 2 * len(feeds)


def test_what_is_added_has_keys_of_its_own(before: Path, after: Path) -> None:
    known = {(row["dataset"], row["key"]) for row in _truth(before)}
    added = [row for row in _truth(after) if "added" in row["kinds"] and row["key"]]
    assert not known & {(row["dataset"], row["key"]) for row in added}
    assert len({(row["dataset"], row["key"]) for row in added}) == len(added)


def test_what_is_added_is_sometimes_dirty(after: Path) -> None:
    assert any(row["disposition"] == "rejected" for row in _truth(after) if "added" in row["kinds"])


def test_a_change_displaces_the_version_before_it(before: Path, after: Path) -> None:
    ends = {_record(row): row["disposition"] for row in _truth(before)}
    moved = Counter((ends[_record(row)], row["disposition"]) for row in _truth(after) if _record(row) in ends)
    assert moved["staged", "superseded"]
    assert moved["staged", "deleted"]
    assert not moved["superseded", "staged"]


def test_what_arrives_late_does_not_displace_what_is_newer(after: Path) -> None:
    late = Counter(row["disposition"] for row in _truth(after) if "arrived_late" in row["kinds"])
    assert late["superseded"]
    assert not late["staged"]


def test_what_is_delivered_again_has_landed_already(before: Path, after: Path) -> None:
    known = set(map(_record, _truth(before)))
    again = [row for row in _truth(after) if "delivered_again" in row["kinds"] and _record(row) in known]
    assert again
    assert all(row.get("already_landed") for row in again)


def test_the_manifest_follows(after: Path) -> None:
    landed = Counter((row["dataset"], row["disposition"]) for row in _truth(after) if not row.get("already_landed"))
    manifest = Manifest.read(after)
    assert manifest.rounds == 2
    assert landed == Counter(
        {(dataset, end): count for dataset, ends in manifest.dispositions.items() for end, count in ends.items()}
    )


def test_files_only_grow(before: Path, after: Path) -> None:
    for path in (before / "ecommerce").rglob("*.ndjson*"):
        assert (after / path.relative_to(before)).read_bytes().startswith(path.read_bytes())


def test_the_same_activity_gives_the_same_bytes(before: Path, after: Path, tmp_path: Path) -> None:
    shutil.copytree(before, tmp_path / "demo")
    advance(tmp_path / "demo", changes=400)
    advance(tmp_path / "demo", changes=400)
    for path in after.rglob("*"):
        if path.is_file():
            assert (tmp_path / "demo" / path.relative_to(after)).read_bytes() == path.read_bytes(), path
