"""Which rules each dataset has. Importing this imports neither Pandera nor ibis; asking for a schema does."""

import functools
import hashlib
import importlib
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from staged_assets.kept import keep, kept
from staged_assets.validation.results import Rule, Severity, rule

if TYPE_CHECKING:
    import pandera.ibis as pa

_FOLDER = Path(__file__).parent
_PACKAGE = __name__.rpartition(".")[0]

#: The rule of every dataset that Pandera checks without looking at a row.
COLUMNS_RULE = "table__columns"


@functools.cache
def schemas() -> dict[str, "pa.DataFrameSchema"]:
    """Dataset → its Pandera schema."""
    import pandera.ibis as pa

    modules = [importlib.import_module(f"{_PACKAGE}.schemas.{name}") for name in ("crm", "ecommerce", "erp")]
    found = (value for module in modules for value in vars(module).values() if isinstance(value, pa.DataFrameSchema))
    return {str(schema.name).removeprefix("stg_"): schema for schema in found}


def rules_of(schema: "pa.DataFrameSchema") -> list[Rule]:
    """The rules that a schema states, in its order: columns, uniqueness, each column's, the table's."""
    dataset = str(schema.name).removeprefix("stg_")
    rules = [
        rule(dataset, COLUMNS_RULE, f"has its {len(schema.columns)} columns, with their types, in their order"),
        *(
            rule(dataset, unique_rule(columns), f"no two rows have the same {' and '.join(columns)}")
            for columns in keys_of(schema)
        ),
    ]
    for name, column in schema.columns.items():
        if not column.nullable:
            rules.append(rule(dataset, f"{name}__required", f"{name} is never missing"))
        rules += [
            rule(dataset, f"{name}__{check.name}", f"{name} {check.description}", _severity(check))
            for check in column.checks
        ]
    return [*rules, *(_table_rule(dataset, check) for check in schema.checks)]


def _table_rule(dataset: str, check: "pa.Check") -> Rule:
    expected = (check.statistics or {}).get("expectation")
    share = expected.at_most if expected else None
    return rule(dataset, str(check.name), str(check.description), _severity(check), share)


def keys_of(schema: "pa.DataFrameSchema") -> list[list[str]]:
    """The lists of columns that each identify a row."""
    if not schema.unique:
        return []
    return [schema.unique] if isinstance(schema.unique[0], str) else schema.unique


def unique_rule(columns: list[str]) -> str:
    """The name of the rule that these columns identify a row."""
    return f"{'_and_'.join(columns)}__unique"


def _severity(check: "pa.Check") -> Severity:
    return "warn" if check.raise_warning else "error"


def schema_rules(home: Path | None = None) -> dict[str, list[Rule]]:
    """Dataset → the rules of its schema.

    Args:
        home: where the list is kept while the schemas are the same, so that Pandera need not be imported for it.
    """
    if home is None:
        return _stated_rules()
    return _kept_rules(home)


@functools.cache
def _kept_rules(home: Path) -> dict[str, list[Rule]]:
    path = home / "validation" / f"rules-{rules_fingerprint()}.json"
    entries = kept(path)
    if entries is not None:
        return {dataset: [Rule(**entry) for entry in listed] for dataset, listed in entries.items()}
    found = _stated_rules()
    keep(path, {dataset: [asdict(rule) for rule in listed] for dataset, listed in found.items()})
    return found


@functools.cache
def _stated_rules() -> dict[str, list[Rule]]:
    return {dataset: rules_of(schema) for dataset, schema in schemas().items()}


@functools.cache
def rules_fingerprint() -> str:
    """Of the schemas, and of how they are evaluated."""
    digest = hashlib.sha256(f"{version('pandera')} {version('ibis-framework')}".encode())
    for path in sorted([*_FOLDER.glob("*.py"), *_FOLDER.glob("schemas/*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
