"""The JSON schema of `sources.yaml` accepts what is right and refuses what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from staged_assets.cli import app
from staged_assets.settings import DEMO_SOURCES, EXAMPLES
from staged_assets.sources.schema import json_schema

SHIPPED = [DEMO_SOURCES, *sorted(EXAMPLES.glob("*/sources.yaml"))]


def _errors(content: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(json_schema()).iter_errors(content)]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_shipped_files_are_accepted(path: Path) -> None:
    assert _errors(yaml.safe_load(path.read_text())) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["systems"]["erp"].update(timezone="UTC"),
        lambda c: c["systems"]["erp"]["feeds"][0].update(dataset="itmes"),
        lambda c: c["systems"]["erp"]["feeds"][0]["columns"].update(item_nme="x"),
        lambda c: c["systems"]["erp"]["feeds"][0]["columns"].pop("item_id"),
        lambda c: c["systems"]["erp"].update(requirements={"max_staleness": "soon"}),
    ],
    ids=["unknown key", "unknown dataset", "unknown column", "key not mapped", "no duration"],
)
def test_a_mistake_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    content = yaml.safe_load(DEMO_SOURCES.read_text())
    change(content)
    assert _errors(content)


def test_a_command_writes_it(tmp_path: Path) -> None:
    printed = CliRunner().invoke(app, ["sources", "schema"])
    assert json.loads(printed.stdout) == json_schema()
    CliRunner().invoke(app, ["sources", "schema", "--to", str(tmp_path / "schema.json")])
    assert json.loads((tmp_path / "schema.json").read_text()) == json_schema()
