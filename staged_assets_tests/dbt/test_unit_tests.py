"""The dbt unit tests pass in both modes, and no rule or derived column is without one."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from staged_assets.landing.layout import DATASETS
from staged_assets_tests.dbt.built_project import BuiltProject
from staged_assets_tests.dbt.test_documentation import BASE_CONTRACT, METADATA

pytestmark = pytest.mark.xdist_group("dbt")

_SPEC = re.compile(r"(required|optional|also)\('(\w+)', '(\w+)'(.*)\)")
_CHECK_CODE = re.compile(r"code='(\w+)'")
_VIOLATION = re.compile(r"code: (\w+), column: (\w+)")
#: codes of a value that does not parse, by type of column (`violation_code`); text always parses
_CODES = {
    "email": "invalid_email", "phone": "invalid_phone", "gtin": "invalid_gtin", "country": "unknown_country",
    "vocabulary": "unrecognised", "text": None, "name": None, "code": None,
}  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """A column of a base model as its model writes it."""

    kind: str
    column: str
    type: str
    options: str

    def codes(self) -> set[str]:
        """The codes that the column's violations can have."""
        if self.kind == "also":
            return set()
        code = _CODES.get(self.type, "unparseable")
        codes = {code} if code else set()
        if self.kind == "required":
            codes.add("missing")
        if self.type == "percentage":
            codes.add("out_of_range")
        if "check=" in self.options:
            given = _CHECK_CODE.search(self.options)
            codes.add(given[1] if given else "out_of_range")
        return codes


def _rules(built: BuiltProject, dataset: str) -> list[Rule]:
    code = built.manifest["nodes"][f"model.staged_assets.base_{dataset}"]["raw_code"]
    return [Rule(*match.groups()) for match in _SPEC.finditer(code)]


def _unit_tests(built: BuiltProject, model: str) -> dict[str, Mapping[str, Any]]:
    return {test["name"]: test for test in built.manifest["unit_tests"].values() if test["model"] == model}


def _expected(test: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from test["expect"]["rows"]


def _violations(test: Mapping[str, Any], listed_in: str) -> set[tuple[str, str]]:
    return {found for row in _expected(test) for found in _VIOLATION.findall(row[listed_in])}


def test_they_pass_in_full_refresh_mode(built: BuiltProject) -> None:
    results = {test["name"]: built.results[test["name"]] for test in built.manifest["unit_tests"].values()}
    assert {name: message for name, (status, message) in results.items() if status != "pass"} == {}


def test_they_pass_in_incremental_mode(built: BuiltProject) -> None:
    """Base models say so themselves; of the others the whole set is run again."""
    refresh = {name: {"mode": "incremental", "after": 0} for name in DATASETS}
    selected = ["--select", "test_type:unit", "--exclude", "base_*"]
    results = built.invoke("test", *selected, "--vars", json.dumps({"refresh": refresh}))
    models = {test["name"]: test["model"] for test in built.manifest["unit_tests"].values()}
    assert set(results) == {name for name, model in models.items() if not model.startswith("base_")}
    assert {name: message for name, (status, message) in results.items() if status != "pass"} == {}


def test_every_rule_has_a_row_in_both_modes(built: BuiltProject) -> None:
    for dataset in DATASETS:
        rules = _rules(built, dataset)
        assert [rule.column for rule in rules if rule.kind != "also"] == list(DATASETS[dataset].columns)
        for test in (f"base_{dataset}__rules", f"base_{dataset}__rules_incremental"):
            unit_test = _unit_tests(built, f"base_{dataset}")[test]
            for rule in rules:
                listed_in = "_reject_reasons" if rule.kind == "required" else "_cell_defects"
                wanted = {(code, rule.column) for code in rule.codes()}
                assert wanted - _violations(unit_test, listed_in) == set(), test


def test_every_parsed_column_has_a_row_that_cleansing_changes(built: BuiltProject) -> None:
    for dataset in DATASETS:
        unit_test = _unit_tests(built, f"base_{dataset}")[f"base_{dataset}__rules"]
        cleansed = {name for row in _expected(unit_test) for name in re.findall(r"\w+", row["_cleansed"])}
        assert set(DATASETS[dataset].columns) - cleansed == set(), dataset


def test_every_second_reading_has_a_row_with_and_one_without_a_value(built: BuiltProject) -> None:
    for dataset in DATASETS:
        unit_test = _unit_tests(built, f"base_{dataset}")[f"base_{dataset}__rules"]
        for rule in _rules(built, dataset):
            if rule.kind == "also":
                values = [row[rule.column] for row in _expected(unit_test)]
                assert None in values, rule.column
                assert set(values) != {None}, rule.column


def test_malformed_records_and_delete_markers_have_a_row(built: BuiltProject) -> None:
    tests = [test for test in built.manifest["unit_tests"].values() if test["model"].startswith("base_")]
    given = [row for test in tests for rows in test["given"] for row in rows["rows"] if isinstance(row, dict)]
    assert "delete" in {row["_operation"] for row in given}
    extra = " ".join(str(row.get("_extra")) for row in given)
    assert "_malformed" in extra
    assert "_undecodable_base64" in extra


def test_every_derived_column_has_a_unit_test(built: BuiltProject) -> None:
    for dataset, contract in BASE_CONTRACT.items():
        contracted = {column.split()[0] for column in contract.split(", ")}
        derived = set(built.columns(f"staged.stg_{dataset}")) - contracted - set(METADATA)
        tested = _tested_columns(built, f"stg_{dataset}") | _tested_columns(built, f"base_{dataset}")
        assert derived - tested == set(), dataset


def test_every_column_of_a_companion_has_a_unit_test(built: BuiltProject) -> None:
    companions = [node for node in built.nodes("model") if node["config"]["meta"]["role"] == "companion"]
    untested = {node["name"]: set(node["columns"]) - _tested_columns(built, node["name"]) for node in companions}
    assert {name: columns for name, columns in untested.items() if columns} == {}


def _tested_columns(built: BuiltProject, model: str) -> set[str]:
    return {column for test in _unit_tests(built, model).values() for row in _expected(test) for column in row}
