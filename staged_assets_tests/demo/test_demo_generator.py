import hashlib
import json
import tracemalloc
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from staged_assets.catalogue import DATASETS
from staged_assets.demo.feeds import feeds
from staged_assets.demo.generator import generate
from staged_assets.demo.manifest import Manifest
from staged_assets.demo.truth import REQUIRED
from staged_assets.demo.world import World
from staged_assets.errors import ConfigurationError

Truth = list[dict[str, Any]]


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_and_scale_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        generate(tmp_path / name, scale=300)
    assert _digests(tmp_path / "one") == _digests(tmp_path / "other")


def test_another_seed_gives_other_data(tmp_path: Path) -> None:
    generate(tmp_path / "one", scale=300, seed=1)
    generate(tmp_path / "other", scale=300, seed=2)
    one, other = _digests(tmp_path / "one"), _digests(tmp_path / "other")
    assert all(one[name] != other.get(name) for name in one)


def test_sizes_are_in_proportion_to_the_sales() -> None:
    sizes = World(scale=1_000_000, seed=1).sizes
    expected = {"orders": 2, "interactions": 4, "loyalty_activities": 4, "consumers": 10, "items": 100}
    assert sizes["sales"] == 1_000_000
    assert {name: 1_000_000 // sizes[name] for name in expected} == expected
    assert set(sizes) == set(DATASETS)


def test_the_demo_holds_as_many_entities_as_its_world(truth: Truth) -> None:
    entities = defaultdict(set)
    for row in truth:
        _, number, _ = row["record_no"].split("-")
        entities[row["dataset"]].add(number)
    assert {name: len(found) for name, found in entities.items()} == World(2_000, 1).sizes


def test_memory_does_not_grow_with_the_scale(tmp_path: Path) -> None:
    generate(tmp_path / "warm", scale=100)
    peaks = []
    for scale in (600, 1_800):
        tracemalloc.start()
        generate(tmp_path / str(scale), scale=scale)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 1_000_000, "3,000 more records"


def test_the_manifest_counts_what_the_truth_file_says(demo: Path, truth: Truth) -> None:
    manifest = Manifest.read(demo)
    landed = Counter((row["dataset"], row["disposition"]) for row in truth if not row.get("already_landed"))
    assert {
        (dataset, end): count for dataset, ends in manifest.dispositions.items() for end, count in ends.items()
    } == landed
    assert sum(manifest.records.values()) == len(truth)
    assert manifest.kinds == Counter(kind for row in truth for kind in row["kinds"])


def test_every_landed_record_has_exactly_one_truth_row(truth: Truth) -> None:
    rows = [
        (row["dataset"], row["system"], row["record_no"], row["source_updated_at"])
        for row in truth
        if not row.get("already_landed")
    ]
    assert len(set(rows)) == len(rows)


def test_every_record_number_says_what_its_record_holds(truth: Truth) -> None:
    named = {(row["system"], row["record_no"]): (row["key"], row["operation"]) for row in truth}
    assert all(named[row["system"], row["record_no"]] == (row["key"], row["operation"]) for row in truth)


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(ConfigurationError, match="not empty"):
        generate(tmp_path, scale=300)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_scale_too_small_for_the_dirt_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="at least 100"):
        generate(tmp_path, scale=99)


def test_progress_is_told_for_each_feed(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    generate(tmp_path / "demo", scale=100, on_progress=lambda step, detail: told.append((step, detail)))
    assert len(told) == len(feeds())
    assert ("demo", "ecommerce sales: 100 of 100") in told


def test_the_reference_knows_the_key_of_every_dataset_as_required() -> None:
    assert {name: dataset.key for name, dataset in DATASETS.items()} == {
        name: next(column for column in dataset.columns if column in REQUIRED[name])
        for name, dataset in DATASETS.items()
    }


def test_files_are_json_with_a_record_number(demo: Path) -> None:
    stream = sorted((demo / "ecommerce" / "offers").glob("*.ndjson"))[0]
    events = [json.loads(line) for line in stream.read_bytes().splitlines() if line.startswith(b'{"delivery_id"')]
    assert events
    assert all(event["record_no"].startswith("offers-") for event in events)
