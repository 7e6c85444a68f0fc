"""Write the YAML of the models that are the same for every dataset: base, dispositions, quarantine.

What they hold is said elsewhere already: the typed columns in the YAML of `stg_<dataset>`, the raw ones in
`sources.yml`, the metadata in the doc blocks of `docs.md`. This script puts them together as
`models/<system>/_<system>__generated.yml`. With `--check` it writes nothing and fails when a file is not up to date.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))

from staged_assets.landing.layout import DATASETS, Dataset

MODELS = Path(__file__).parents[1] / "staged_assets" / "dbt" / "models"
SYSTEMS = ("crm", "ecommerce", "erp")
VIOLATIONS = 'struct(code varchar, "column" varchar, raw_value varchar)[]'

_HEADER = "# Written by scripts/build_model_docs.py; do not edit.\nversion: 2\n\nmodels:\n"
_COLUMN_SPEC = re.compile(r"\b(?:required|optional|also)\('(\w+)', '(\w+)'")


@dataclass(frozen=True)
class Column:
    """A column of a generated model.

    Attributes:
        name, data_type, description: as in the YAML; a description may be a reference to a doc block.
        personal: whether it may hold personal data.
    """

    name: str
    data_type: str
    description: str
    personal: bool = False

    def line(self) -> str:
        """The column as one line of YAML."""
        config = ", config: {meta: {personal: true}}" if self.personal else ""
        texts = f"data_type: {_quoted(self.data_type)}, description: {_quoted(self.description)}"
        return f"      - {{name: {self.name}, {texts}{config}}}\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _documented(name: str, data_type: str, *, personal: bool = False) -> Column:
    """A metadata column, described by the doc block of its name."""
    return Column(name, data_type, f"{{{{ doc('{name.lstrip('_')}') }}}}", personal)


def _is_personal(column: dict[str, Any]) -> bool:
    return bool(column.get("config", {}).get("meta", {}).get("personal"))


class Documented:
    """One dataset, as the hand-written YAML describes it."""

    def __init__(self, dataset: Dataset, folder: Path, staged: dict[str, Any], raw: dict[str, Any]) -> None:
        self.dataset = dataset
        self._staged = {column["name"]: column for column in staged["columns"]}
        self._raw = {column["name"]: column for column in raw["columns"]}
        self._base_sql = (folder / f"base_{dataset.name}.sql").read_text()
        self._personal = any(_is_personal(column) for column in self._staged.values())

    def models(self) -> Iterator[str]:
        """YAML of the three models."""
        yield self._model("base", list(self._base()))
        yield self._model("dispositions", list(self._dispositions()))
        yield self._model("quarantine", list(self._quarantine()))

    def _model(self, role: str, columns: list[Column]) -> str:
        return (
            f"  - name: {role}_{self.dataset.name}\n"
            f"    description: \"{{{{ doc('{role}_model') }}}}\"\n"
            f"    config: {{meta: {{dataset: {self.dataset.name}, role: {role}}}}}\n"
            f"    columns:\n{''.join(column.line() for column in columns)}"
        )

    def _base(self) -> Iterator[Column]:
        yield _documented("_raw_row_id", "varchar")
        yield _documented("_landing_id", "bigint")
        yield _documented("_source_system", "varchar")
        yield _documented("_source_updated_at", "timestamp")
        yield _documented("_landed_at", "timestamp")
        yield _documented("_operation", "varchar")
        yield _documented("_key", "bigint")
        yield _documented("_content", "varchar")
        for name, kind in _COLUMN_SPEC.findall(self._base_sql):
            yield self._typed(name)
            if kind == "country":
                yield self._typed("country_code")
                yield _documented("country_match", "varchar")
        yield _documented("_cleansed", "varchar[]")
        yield _documented("_cell_defects", VIOLATIONS, personal=self._personal)
        yield _documented("_reject_reasons", VIOLATIONS, personal=self._personal)

    def _typed(self, name: str) -> Column:
        staged = self._staged[name]
        return Column(name, staged["data_type"], staged["description"], _is_personal(staged))

    def _dispositions(self) -> Iterator[Column]:
        yield _documented("_raw_row_id", "varchar")
        yield _documented("_landing_id", "bigint")
        yield _documented("_source_system", "varchar")
        yield _documented("_source_updated_at", "timestamp")
        yield _documented("_key", "bigint")
        yield _documented("_operation", "varchar")
        yield _documented("disposition", "varchar")
        yield _documented("version", "bigint")
        yield _documented("_reject_reasons", VIOLATIONS, personal=self._personal)
        yield _documented("_rule_set_version", "varchar")
        yield _documented("_first_seen_at", "timestamp")

    def _quarantine(self) -> Iterator[Column]:
        for name in self.dataset.columns:
            yield Column(name, "varchar", self._raw[name]["description"], _is_personal(self._staged[name]))
        yield _documented("_extra", "varchar", personal=self._personal)
        yield _documented("_raw_row_id", "varchar")
        yield _documented("_source_system", "varchar")
        yield _documented("_source_updated_at", "timestamp")
        yield _documented("_landed_at", "timestamp")
        yield _documented("_landing_id", "bigint")
        yield _documented("_operation", "varchar")
        yield _documented("_reject_reasons", VIOLATIONS, personal=self._personal)
        yield _documented("_rule_set_version", "varchar")
        yield _documented("_first_seen_at", "timestamp")


def generated() -> dict[Path, str]:
    """The generated files: path → text.

    Raises:
        KeyError: the hand-written YAML lacks a model or column of the layout.
    """
    sources = yaml.safe_load((MODELS / "sources.yml").read_text())["sources"][0]
    raw = {table["name"]: table for table in sources["tables"]}
    files = {}
    for system in SYSTEMS:
        folder = MODELS / system
        written = yaml.safe_load((folder / f"_{system}__models.yml").read_text())["models"]
        staged = {model["name"]: model for model in written}
        blocks = [
            block
            for name, dataset in DATASETS.items()
            if f"stg_{name}" in staged
            for block in Documented(dataset, folder, staged[f"stg_{name}"], raw[name]).models()
        ]
        files[folder / f"_{system}__generated.yml"] = _HEADER + "\n".join(blocks)
    return files


def main() -> int:
    """Write the files, or with `--check` say which are not up to date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is not up to date")
    check = parser.parse_args().check
    stale = {path: text for path, text in generated().items() if not path.exists() or path.read_text() != text}
    for path, text in stale.items():
        if check:
            print(f"{path.name} is not up to date: run python scripts/build_model_docs.py.", file=sys.stderr)
        else:
            path.write_text(text)
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
