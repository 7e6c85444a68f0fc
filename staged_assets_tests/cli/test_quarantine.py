"""`quarantine`: rejected rows are listed, shown, taken out, corrected and brought back."""

import csv
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from staged_assets.landing.warehouse import connect
from staged_assets_tests.command_line import CommandLine


@pytest.fixture
def rejected(homes: Path) -> list[dict[str, Any]]:
    """The rejected sales, each with its reasons."""
    command = CommandLine(homes / "after")
    return list(command.run("quarantine", "show", "sales", "--limit", "1000", "--json").expect_success().json)


def test_list_counts_the_rows_of_every_reason(homes: Path, rejected: list[dict[str, Any]]) -> None:
    command = CommandLine(homes / "after")
    listed = command.run("quarantine", "list", "sales", "--json").expect_success().json
    reasons = [(reason["code"], reason["column"]) for row in rejected for reason in row["_reject_reasons"]]
    assert {(entry["code"], entry["column"]): entry["rows"] for entry in listed} == {
        reason: reasons.count(reason) for reason in reasons
    }
    assert all(entry["corrected"] == 0 for entry in listed)


def test_list_is_of_all_datasets_by_default(homes: Path) -> None:
    command = CommandLine(homes / "after")
    status = command.run("status", "--json").json["datasets"]
    listed = command.run("quarantine", "list", "--json").expect_success().json
    assert {entry["dataset"] for entry in listed} == {name for name, entry in status.items() if entry["rejected"]}
    assert "missing:sale_date" in command.run("quarantine", "list").out


def test_show_has_every_column_as_it_came_and_every_reason(homes: Path, rejected: list[dict[str, Any]]) -> None:
    with connect(CommandLine(homes / "after").settings, read_only=True) as connection:
        for row in rejected:
            sql = "select sale_id, sale_date, quantity, _extra, _operation from raw.sales where _raw_row_id = ?"
            names = ("sale_id", "sale_date", "quantity", "_extra", "_operation")
            assert connection.execute(sql, [row["_raw_row_id"]]).fetchone() == tuple(row[name] for name in names)
            for reason in row["_reject_reasons"]:
                if reason["column"]:
                    assert reason["raw_value"] == row[reason["column"]]


def test_show_is_of_one_reason_or_one_row(homes: Path, rejected: list[dict[str, Any]]) -> None:
    command = CommandLine(homes / "after")
    of_reason = command.run("quarantine", "show", "sales", "--reason", "missing:sale_date", "--json").json
    assert of_reason
    assert all(("missing", "sale_date") in _reasons(row) for row in of_reason)
    number = rejected[-1]["_raw_row_id"]
    assert command.run("quarantine", "show", "sales", "--row-id", number, "--json").json == [rejected[-1]]
    assert number in command.run("quarantine", "show", "sales", "--row-id", number).out


def _reasons(row: dict[str, Any]) -> set[tuple[str, str]]:
    return {(reason["code"], reason["column"]) for reason in row["_reject_reasons"]}


@pytest.mark.parametrize("ending", ["csv", "parquet", "json", "ndjson"])
def test_export_writes_every_row(ending: str, homes: Path, rejected: list[dict[str, Any]], tmp_path: Path) -> None:
    file = tmp_path / f"rejected 'sales'.{ending}"
    ended = CommandLine(homes / "after").run("quarantine", "export", "sales", "--to", str(file))
    assert f"{len(rejected)} rejected rows of sales are in" in ended.expect_success().out
    reader = {"csv": "read_csv", "parquet": "read_parquet"}.get(ending, "read_json")
    options = ", all_varchar = true, allow_quoted_nulls = false" if ending == "csv" else ""
    found = duckdb.execute(f"select _raw_row_id, sale_id from {reader}(?{options})", [str(file)]).fetchall()
    assert sorted(found, key=str) == sorted(((row["_raw_row_id"], row["sale_id"]) for row in rejected), key=str)


def test_a_corrected_row_is_staged_and_the_rejected_one_stays_in_raw(command: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    command.run("quarantine", "export", "sales", "--to", str(file), "--reason", "missing:sale_date").expect_success()
    with file.open(newline="", encoding="utf-8") as opened:
        [row, *_] = [row for row in csv.DictReader(opened) if _is_mended_by_a_date(row)]
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.DictWriter(opened, row.keys())
        writer.writeheader()
        writer.writerow({**row, "sale_date": "2026-01-05"})
    before = command.run("status", "--json").json["datasets"]["sales"]
    for _ in range(2):
        ended = command.run("quarantine", "replay", "sales", "--from", str(file), "--json").expect_success()
        sales = ended.json["datasets"]["sales"]
        # Bringing it back twice is harmless.
        assert (sales["landed"], sales["rejected"]) == (before["landed"] + 1, before["rejected"])
        assert sales["pending"] == sales["unexplained"] == 0
    with connect(command.settings, read_only=True) as connection:
        found = connection.execute(
            "select stg_sales.sale_date::varchar, raw._extra"
            " from staged.stg_sales join raw.sales as raw using (_raw_row_id)"
            " where json_extract_string(raw._extra, '$._corrects') = ?",
            [row["_raw_row_id"]],
        ).fetchall()
    [(date, extra)] = found
    assert date == "2026-01-05"
    assert json.loads(extra)["_corrects"] == row["_raw_row_id"]
    [entry] = [
        entry
        for entry in command.run("quarantine", "list", "sales", "--json").json
        if (entry["code"], entry["column"]) == ("missing", "sale_date")
    ]
    assert entry["corrected"] == 1


def _is_mended_by_a_date(row: dict[str, str]) -> bool:
    """Whether nothing else is wrong with it."""
    return len(json.loads(row["_reject_reasons"])) == 1 and row["_operation"] == "upsert"


def test_replay_without_a_file_judges_all_rows_again(command: CommandLine) -> None:
    before = command.run("status", "--json").json["datasets"]["sales"]
    ended = command.run("quarantine", "replay", "sales", "--json").expect_success()
    sales = ended.json["datasets"]["sales"]
    places = ("landed", "staged", "rejected", "superseded", "duplicate", "deleted")
    assert {name: sales[name] for name in places} == {name: before[name] for name in places}
    assert sales["last_refresh"] > before["last_refresh"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("sale_id\n1\n", "lacks the column 'sale_date': take the file that 'quarantine export' wrote"),
        (None, "names the raw row 123, which is not in the quarantine of sales"),
        ("", "lacks the column 'sale_id'"),
    ],
)
def test_a_file_that_can_not_be_replayed(content: str | None, sentence: str, homes: Path, tmp_path: Path) -> None:
    command, file = CommandLine(homes / "after"), tmp_path / "corrected.csv"
    if content is None:
        command.run("quarantine", "export", "sales", "--to", str(file)).expect_success()
        header = file.read_text(encoding="utf-8").splitlines()[0]
        content = header + "\n" + ",".join("123" for _ in header.split(",")) + "\n"
    file.write_text(content, encoding="utf-8")
    ended = command.run("quarantine", "replay", "sales", "--from", str(file))
    assert ended.status == 1
    assert sentence in ended.err
