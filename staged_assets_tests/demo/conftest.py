"""One generated demo, shared by tests that only read it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from staged_assets.demo.generator import TRUTH_FILE, generate


def read_truth(demo: Path) -> Iterator[dict[str, Any]]:
    with (demo / TRUTH_FILE).open(encoding="utf-8") as file:
        yield from map(json.loads, file)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo") / "systems"
    generate(path, scale=2_000)
    return path


@pytest.fixture(scope="session")
def truth(demo: Path) -> list[dict[str, Any]]:
    return list(read_truth(demo))
