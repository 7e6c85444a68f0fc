"""Every rule beside the schemas': of tables as a whole, and of batches, each by what breaks it and nothing else."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from staged_assets.landing.layout import DATASETS
from staged_assets.validation import batch, table_checks
from staged_assets.validation.batch import Profile, batch_rules
from staged_assets.validation.config import ValidationSettings, load_validation
from staged_assets.validation.table_checks import REFERENCES, check_table, other_rules
from staged_assets_tests.validation import good_rows
from staged_assets_tests.validation.conftest import taken_back
from staged_assets_tests.validation.published import NOW, Published

TABLE_RULES = [(dataset, rule.name) for dataset in DATASETS for rule in other_rules(dataset)]
BATCH_RULES = [(dataset, rule.name) for dataset in DATASETS for rule in batch_rules(dataset)]

#: Rule → what breaks it. `{0}` is the dataset.
DAMAGE = {
    table_checks.RECONCILED: "delete from staged.dispositions_{0} where _landing_id = 31",
    table_checks.REJECT_RATE: """
        insert into raw.{0} (_raw_row_id, _landing_id, _source_system, _landed_at, _operation)
        select md5(i::varchar), i, 'crm', timestamp '2026-03-02', 'upsert' from range(100, 200) as numbers(i);
        insert into staged.dispositions_{0} (_raw_row_id, _landing_id, _source_system, disposition, _reject_reasons)
        select md5(i::varchar), i, 'crm', 'rejected', [{{'code': 'missing', 'column': 'x', 'raw_value': null}}]
        from range(100, 200) as numbers(i);
        update control.watermarks set landing_id = 199 where dataset = '{0}'
        """,
    table_checks.VOLUME: "update control.refreshes set new_rows = 100000 where dataset = '{0}'"
    " and refreshed_at = (select max(refreshed_at) from control.refreshes where dataset = '{0}')",
    table_checks.FRESHNESS: "update control.refreshes set refreshed_at = refreshed_at - interval 60 days"
    " where dataset = '{0}'",
    **{
        f"{column}__in_{parent}": f"update staged.stg_{{0}} set {column} = 999999 where _raw_row_id = md5('3')"
        for references in REFERENCES.values()
        for column, parent in references
    },
}


@pytest.fixture(scope="module")
def published() -> Iterator[duckdb.DuckDBPyConnection]:
    """All fourteen, each with a history of nine usual refreshes."""
    with duckdb.connect() as connection:
        made = Published(connection)
        for dataset in DATASETS:
            made.publish(dataset)
            made.refreshed(dataset, [(NOW - timedelta(days=day), 100 + day) for day in range(9)])
        yield connection


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> ValidationSettings:
    path: Path = tmp_path_factory.mktemp("settings") / "validation.yaml"
    path.write_text("defaults: {reject_rate: {warn: 0.2, error: 0.5}}")
    return load_validation(path)


def _failing(connection: duckdb.DuckDBPyConnection, dataset: str, settings: ValidationSettings) -> list[str]:
    names = [rule.name for rule in other_rules(dataset)]
    results = check_table(connection, dataset, settings, personal=(), now=NOW, names=names)
    assert [result.rule.name for result in results] == names
    return [result.rule.name for result in results if not result.passed]


@pytest.mark.parametrize("dataset", DATASETS)
def test_what_is_sound_passes(dataset: str, published: duckdb.DuckDBPyConnection, settings: ValidationSettings) -> None:
    assert _failing(published, dataset, settings) == []


@pytest.mark.parametrize(("dataset", "rule"), TABLE_RULES)
def test_a_damaged_table_fails_this_rule_alone(
    dataset: str, rule: str, published: duckdb.DuckDBPyConnection, settings: ValidationSettings
) -> None:
    with taken_back(published):
        published.execute(DAMAGE[rule].format(dataset))
        assert _failing(published, dataset, settings) == [rule]


@pytest.fixture(scope="module")
def candidates() -> Iterator[duckdb.DuckDBPyConnection]:
    """A candidate of each dataset, to take samples from."""
    with duckdb.connect() as connection:
        connection.execute("create schema staged")
        for dataset in DATASETS:
            good_rows.create(connection, dataset, f"staged.stg_{dataset}__candidate", rows=3, sparse=False)
            connection.execute(
                f"create table staged.dispositions_{dataset}__candidate as select _raw_row_id, _source_system,"
                f" _cell_defects as _reject_reasons from staged.stg_{dataset}__candidate"
            )
        yield connection


def _profile(dataset: str, rule: str) -> Profile:
    """A batch of a thousand rows that is sound but for one rule."""
    column, _, kind = rule.rpartition("__batch_")
    given = dict.fromkeys(DATASETS[dataset].columns[1:], 1000)
    if kind == "missing_share":
        given[column] = 0
    defects = {column: 900} if kind == "defect_share" else {}
    return Profile(1000, 900 if rule == batch.REJECT_SHARE else 0, 1000, given, defects)


@pytest.mark.parametrize(("dataset", "rule"), BATCH_RULES)
def test_a_bad_batch_fails_this_rule_alone(dataset: str, rule: str, candidates: duckdb.DuckDBPyConnection) -> None:
    results = batch.judge(
        candidates,
        dataset,
        {"crm": _profile(dataset, rule)},
        {"crm": [_profile(dataset, "")]},
        batch_rules(dataset),
        load_validation().of(dataset).batch,
        sample=1,
    )
    assert [result.rule.name for result in results if not result.passed] == [rule]
