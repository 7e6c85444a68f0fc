"""What README and docs say is so: links, commands, settings, datasets, keys, examples."""

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from typer.testing import CliRunner

from staged_assets.alerts.config import load_alerts
from staged_assets.catalogue import DATASETS
from staged_assets.cli import app
from staged_assets.settings import DEMO_SOURCES, Settings
from staged_assets.sources.config import load_sources
from staged_assets.sources.connections import DatabaseConnection, RestConnection, WebhookConnection
from staged_assets.sources.models import (
    CONNECTORS,
    DatabaseFeed,
    Defaults,
    EventFeed,
    FileFeed,
    RestFeed,
    RestSystem,
    SqliteFeed,
)
from staged_assets.sources.needs import BatchWindow, Capabilities, Requirements
from staged_assets.sources.rest_settings import OAuth2Auth, Paging
from staged_assets.validation.config import load_validation
from staged_assets.validation.table_checks import published_rules

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")])
MODELS = ROOT / "staged_assets" / "dbt" / "models"

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_COMMAND = re.compile(r"^(?:\w+=\S+ )*(?:\.venv/bin/)?staged-assets( .*)?$")
_VARIABLE = re.compile(r"\bSTAGED_ASSETS_[A-Z_]+\b")
_PATH = re.compile(r"^(?:staged_assets|staged_assets_tests|scripts|docs)/\S*$")

page = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


def code(text: str) -> Iterator[str]:
    """Each line of a code block, and each piece of code within a line."""
    fenced = False
    for line in text.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield line.strip()
        else:
            yield from _CODE.findall(line)


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def yaml_blocks(text: str) -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)


@page
def test_every_link_resolves(page: Path) -> None:
    for target in _LINK.findall(page.read_text()):
        if re.match(r"\w+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{target} leads nowhere"
        assert found.is_relative_to(ROOT)
        assert not anchor or anchor in anchors(found.read_text()), f"there is no heading {target}"


@page
def test_every_command_line_parses(page: Path) -> None:
    for line in code(page.read_text()):
        if not _COMMAND.match(line):
            continue
        words = shlex.split(line, comments=True)
        arguments = words[next(i for i, word in enumerate(words) if word.endswith("staged-assets")) + 1 :]
        with mock.patch.dict(os.environ):
            result = CliRunner().invoke(app, [*arguments, "--help"])
        assert result.exit_code == 0, f"{line}: {result.output}"


def test_command_lines_that_do_not_parse_are_noticed() -> None:
    for wrong in (["runn"], ["run", "--sclae", "5"], ["quarantine", "exprot", "sales"]):
        assert CliRunner().invoke(app, [*wrong, "--help"]).exit_code != 0


@page
def test_every_path_is_there(page: Path) -> None:
    for piece in code(page.read_text()):
        if _PATH.match(piece) and "*" not in piece:
            path = piece.replace("<dataset>", "offers").replace("<system>", "ecommerce")
            assert (ROOT / path).exists(), f"{piece} is not there"


@page
def test_every_variable_is_a_setting(page: Path) -> None:
    settings = {f"STAGED_ASSETS_{name.upper()}" for name in Settings.model_fields}
    named = set(_VARIABLE.findall(page.read_text())) - {"STAGED_ASSETS_TEST_SCREENSHOTS"}
    assert named <= settings


def test_every_setting_is_documented() -> None:
    text = (DOCS / "settings.md").read_text()
    for name in Settings.model_fields:
        assert f"| `STAGED_ASSETS_{name.upper()}` |" in text


def test_every_dataset_is_documented_with_its_required_columns_and_companions() -> None:
    rows = {cells[0]: cells for cells in _table((DOCS / "datasets.md").read_text(), "dataset")}
    assert set(rows) == set(DATASETS)
    for name, (_, _, required, fed_by, companions) in rows.items():
        (base,) = MODELS.glob(f"*/base_{name}.sql")
        assert required.split(", ") == re.findall(r"\brequired\('(\w+)'", base.read_text())
        assert set(_CODE.findall(companions)) == {path.stem for path in MODELS.glob(f"*/stg_{name}__*.sql")}
        systems = {"ERP": "erp", "CRM": "crm", "e-commerce": "ecommerce"}
        fed = {systems[part.split()[0]] for part in fed_by.split(", ")}
        assert fed == {system for system, _ in load_sources(DEMO_SOURCES).feeds_of(name)}


def _table(text: str, first_heading: str) -> list[list[str]]:
    """The rows of the table with this first heading."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {first_heading} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_the_model_that_is_shown_is_the_one_that_runs() -> None:
    (shown,) = re.findall(r"```sql\n(.*?)```", (DOCS / "datasets.md").read_text(), re.DOTALL)
    assert shown == (MODELS / "ecommerce" / "base_offers.sql").read_text()


def test_the_examples_of_alerts_and_validation_are_valid(tmp_path: Path) -> None:
    (alerts,), (validation,) = (yaml_blocks((DOCS / f"{name}.md").read_text()) for name in ("alerts", "validation"))
    path = tmp_path / "example.yaml"
    path.write_text(alerts)
    assert set(load_alerts(path, {}).channels) == {"console", "mail", "on_call", "shop"}
    path.write_text(validation)
    rules = {name: [rule.name for rule in published_rules(name)] for name in DATASETS}
    load_validation(path).refuse_unknown_rules(rules)


def test_every_example_of_a_sources_file_is_valid(tmp_path: Path) -> None:
    blocks = yaml_blocks((DOCS / "connect-a-source.md").read_text())
    assert blocks
    for number, block in enumerate(blocks):
        path = tmp_path / f"{number}.yaml"
        path.write_text(block)
        load_sources(path)


def test_every_key_of_a_sources_file_is_documented() -> None:
    pages = [DOCS / "connect-a-source.md", DOCS / "sources" / "webhook.md", DOCS / "sources" / "rest.md"]
    text = "".join(page.read_text() for page in pages)
    documented = set(_CODE.findall(text)) | set(
        re.findall(r"^\s*-?\s*(\w+):", "".join(yaml_blocks(text)), re.MULTILINE)
    )
    types = (
        RestConnection,
        Paging,
        OAuth2Auth,
        RestSystem,
        RestFeed,
        EventFeed,
        FileFeed,
        SqliteFeed,
        DatabaseConnection,
        DatabaseFeed,
        WebhookConnection,
        Defaults,
        BatchWindow,
        Capabilities,
        Requirements,
    )
    keys = {field.alias or name for kind in types for name, field in kind.model_fields.items()}
    assert keys <= documented
    assert set(CONNECTORS) <= documented
