"""Values of personal columns are in nothing that is emitted or kept outside of the warehouse, whatever fails."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from dagster import DagsterInstance

from staged_assets.alerts.config import load_alerts
from staged_assets.alerts.sensor import AlertTicks
from staged_assets.catalogue import DATASETS
from staged_assets.definitions import build_defs
from staged_assets.landing.land import land_rows
from staged_assets.landing.warehouse import connect
from staged_assets.staging import assets
from staged_assets.staging.project import StagingProject
from staged_assets.validation.masking import personal_columns
from staged_assets_tests.alerts.conftest import Webhook, webhook
from staged_assets_tests.command_line import CommandLine

__all__ = ["webhook"]

#: In every planted text; the only planted date and number.
WORD, BIRTH, PHONE = "Zanzibarquux", "1901-02-03", "7700900199"
MARKS = [mark.encode() for mark in (WORD.lower(), BIRTH, "03.02.1901", PHONE)]
NUMBERS = range(900_001, 900_401)

#: Dataset → the system that sends it, and what its personal columns hold: soundly, and not.
PLANTED: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {
    "consumers": (
        "crm",
        {
            "consumer_name": (f"{WORD} Ada", WORD),
            "consumer_email": (f"{WORD}@example.com", f"{WORD}@@example"),
            "consumer_city": (WORD, f"?{WORD}"),
            "phone_number": (f"+44{PHONE}", f"{PHONE} {WORD}"),
            "date_of_birth": (BIRTH, f"{BIRTH} {WORD}"),
            "address": (f"1 {WORD} Lane", f" {WORD}"),
        },
    ),
    "interactions": ("crm", {"comments": (f"Called {WORD}", f" {WORD}")}),
    "shops": ("erp", {"owner": (WORD, f" {WORD}"), "contact_email": (f"{WORD}@example.com", f"{WORD}@@example")}),
    "suppliers": (
        "erp",
        {
            "contact_name": (WORD, f" {WORD}"),
            "contact_email": (f"{WORD}@example.com", f"{WORD}@@example"),
            "contact_phone": (f"+44{PHONE}", f"{PHONE} {WORD}"),
        },
    ),
}


def _land_planted(command: CommandLine) -> None:
    """Of each dataset some sound rows, many whose personal values are of no use, and some that are rejected."""
    with connect(command.settings) as connection:
        for dataset, (system, columns) in PLANTED.items():
            rows = []
            for number in NUMBERS:
                kind = 0 if number % 4 == 0 else 1
                key = str(number) if number % 2 else f"{number}{WORD}" if number % 3 else str(number)
                personal = {column: values[kind] for column, values in columns.items()}
                rows.append({DATASETS[dataset].key: key, **personal, "_extra": json.dumps({"note": WORD})})
            land_rows(connection, system, dataset, rows)


def _spoil(command: CommandLine, personal: dict[str, frozenset[str]]) -> None:
    """Make everything wrong with what is published that can be, with the planted values in personal columns."""
    with connect(command.settings) as connection:
        for dataset in DATASETS:
            table = f"staged.stg_{dataset}"
            columns = connection.execute(f"describe {table}").fetchall()
            kept = {"_raw_row_id", "_source_system"}
            for name, *_ in columns:
                connection.execute(f'alter table {table} alter column "{name}" drop not null')
            values = {
                name: _nonsense(kind, name in personal[f"stg_{dataset}"])
                for name, kind, *_ in columns
                if name not in kept
            }
            listed = ", ".join(f'"{name}" = {value}' for name, value in values.items() if value is not None)
            connection.execute(f"update {table} set {listed}")


def _nonsense(kind: str, is_personal: bool) -> str | None:
    if kind == "VARCHAR":
        return f"' {WORD} '" if is_personal else "' nonsense '"
    if kind == "DATE":
        return f"date '{BIRTH}'" if is_personal else "date '2999-01-01'"
    if kind.startswith("STRUCT"):
        value = WORD if is_personal else "nonsense"
        return f"[{{'code': 'unparseable', 'column': 'x', 'raw_value': '{value}'}}]"
    return {"BIGINT": "-1", "DECIMAL(18,4)": "-1", "VARCHAR[]": "['nonsense']"}.get(kind)


def _kept(home: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file of a home but the warehouse, its read copy and the demo's systems; of a database also its rows."""
    for path in home.rglob("*"):
        relative = path.relative_to(home)
        if (
            not path.is_file()
            or relative.parts[0] in ("demo", "read")
            or relative.parts[0].startswith("warehouse.duckdb")
        ):
            continue
        content = path.read_bytes()
        yield relative, content
        if content.startswith(b"SQLite format 3"):
            with sqlite3.connect(path) as connection:
                yield relative, "\n".join(connection.iterdump()).encode()


def _failing_to_land(*_: Any, **__: Any) -> None:
    raise duckdb.ConversionException(f"Conversion Error: Could not convert string '{WORD}' to INT64")


def test_no_planted_value_is_emitted_or_kept(
    command: CommandLine, webhook: Webhook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(command.home)
    monkeypatch.setenv("DAGSTER_HOME", str(command.settings.dagster_home))
    emitted: list[str] = []

    def run(*arguments: str) -> None:
        ended = command.run(*arguments)
        emitted.extend((ended.out, ended.err))

    with DagsterInstance.from_config(str(command.settings.dagster_home)) as instance:
        definitions = build_defs(command.settings, {"operational_systems": dg.ResourceDefinition.none_resource()})
        tell = _telling(instance, definitions, webhook, tmp_path)
        tell()
        personal = personal_columns(StagingProject(command.settings).manifest)

        _land_planted(command)
        run("run", "--json")
        held = [name for name in PLANTED if json.loads(command.run("audit", "show", name, "--json").out)["held"]]
        assert held
        for name in held:
            run("audit", "show", name)
            run("audit", "show", name, "--json")
            run("audit", "release", name, "--reason", "test")
        tell()

        _spoil(command, personal)
        job = definitions.resolve_implicit_global_asset_job_def()
        keys = definitions.resolve_asset_graph().asset_check_keys
        checks = job.get_subset(asset_selection=set(), asset_check_selection=set(keys))
        result = checks.execute_in_process(instance=instance, raise_on_error=False)
        _assert_personal_columns_failed(result, personal)
        run("status")
        run("status", "--json")

        monkeypatch.setattr(assets, "land_feed", _failing_to_land)
        run("run", "--json")
        assert "Could not convert string … to INT64" in emitted[-1]
        tell()

    assert webhook.received
    captured = capfd.readouterr()
    texts = {"commands": "".join(emitted), "alerts": str(webhook.received), "log": caplog.text,
             "output": captured.out + captured.err}  # fmt: skip
    everything = [*((name, text.encode()) for name, text in texts.items()), *_kept(command.home)]
    assert {f"{result.run_id}.db", "index.db"} <= {Path(name).name for name, _ in everything}
    assert MARKS[0] in command.run("quarantine", "show", "consumers").out.lower().encode()
    leaks = {(str(name), mark) for name, content in everything for mark in MARKS if mark in content.lower()}
    assert leaks == set()


def _telling(
    instance: DagsterInstance, definitions: dg.Definitions, hook: Webhook, folder: Path
) -> Callable[[], dg.SkipReason]:
    """Ticks of the alert sensor, which tell everything to everyone at once."""
    path = folder / "alerts.yaml"
    path.write_text(
        "{version: 1, channels: {hook: {kind: apprise, url: '${HOOK}', max_lines: 1000}, console: {kind: console,"
        " max_lines: 1000}}, routes: [], otherwise: [hook, console], gather_seconds: 0}"
    )
    ticks = AlertTicks(load_alerts(path, {"HOOK": hook.url}))
    context = dg.build_sensor_context(instance, definitions=definitions)
    return lambda: ticks.tick(context)


def _assert_personal_columns_failed(result: dg.ExecuteInProcessResult, personal: dict[str, frozenset[str]]) -> None:
    """Otherwise nothing would have been there to be masked."""
    failed = {
        (one.asset_key.to_user_string(), rule["column"])
        for one in result.get_asset_check_evaluations()
        if one.check_name == "table__contract"
        for rule in one.metadata["failing_rules"].value  # type: ignore[union-attr]
    }
    assert {dataset for dataset, _ in failed} == {f"stg_{name}" for name in DATASETS}
    for dataset, (_, columns) in PLANTED.items():
        assert columns.keys() == personal[f"stg_{dataset}"] - {"_cell_defects"}
        assert {column for table, column in failed if table == f"stg_{dataset}"} & columns.keys()
