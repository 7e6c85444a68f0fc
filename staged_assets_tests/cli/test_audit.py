"""`audit`: a held batch is explained, and released on purpose."""

from pathlib import Path
from typing import Any

from staged_assets.landing.land import land_rows
from staged_assets.landing.warehouse import connect
from staged_assets_tests.command_line import CommandLine, Ended

BAD = range(900_001, 900_301)


def _hold(command: CommandLine) -> Ended:
    """The shop writes all dates in another way; the next run holds its sales back."""
    with connect(command.settings) as connection:
        rows = [{"sale_id": str(key), "sale_date": "Jan 2, 26", "payment_method": "card"} for key in BAD]
        land_rows(connection, "ecommerce", "sales", rows)
    return command.run("quarantine", "replay", "sales", "--json")


def _staged(command: CommandLine) -> Any:
    with connect(command.settings, read_only=True) as connection:
        return connection.execute("select count(*), max(_staged_at) from staged.stg_sales").fetchone()


def test_a_held_batch_is_explained_and_released(command: CommandLine) -> None:
    before = _staged(command)
    held = _hold(command)
    assert held.status == 1
    assert "Held: stg_sales is held back by batch__reject_share: 300 of" in held.err
    assert held.json["datasets"]["sales"]["checks"]["batch__audited"] == "failed"
    assert _staged(command) == before

    shown = command.run("audit", "show", "sales", "--json").expect_success().json
    (rule,) = [one for one in shown["held"]["rules"] if one["rule"] == "batch__reject_share"]
    assert rule["failing"] >= len(BAD)
    assert len(rule["sample"]) == 5
    assert all(len(row["raw_row_id"]) == 32 for row in rule["sample"])
    with connect(command.settings, read_only=True) as connection:
        assert len(connection.execute(rule["query"]).fetchall()) >= len(BAD)
    told = command.run("audit", "show", "sales").expect_success().out
    assert "stg_sales is held back by batch__reject_share" in told
    assert rule["sample"][0]["raw_row_id"] in told

    released = command.run("audit", "release", "sales", "--reason", "agreed", "--by", "ada", "--json")
    released.expect_success()
    assert released.json["release"]["released_by"] == "ada"
    assert released.json["datasets"]["sales"]["rejected"] >= len(BAD)
    assert released.json["datasets"]["sales"]["checks"]["batch__audited"] == "warned"

    after = command.run("audit", "show", "sales", "--json").expect_success().json
    assert after["held"] is None
    (entry,) = after["releases"]
    assert (entry["released_by"], entry["reason"], entry["published"]) == ("ada", "agreed", True)
    assert entry["released_at"] <= entry["closed_at"]
    assert "by ada: agreed (published)" in command.run("audit", "show", "sales").out


def test_what_is_not_held_can_not_be_released(command: CommandLine) -> None:
    assert "No batch of sales is held back." in command.run("audit", "show", "sales").expect_success().out
    ended = command.run("audit", "release", "sales", "--reason", "agreed")
    assert (ended.status, ended.err) == (1, "Error: No batch of sales is held back: there is nothing to release.\n")


def test_a_release_needs_a_reason(command: CommandLine) -> None:
    assert command.run("audit", "release", "sales").status == 2


def test_rules_are_listed_with_their_severity_and_where_they_hold(homes: Path) -> None:
    listed = CommandLine(homes / "after").run("audit", "rules", "sales", "--json").expect_success().json
    rules = {one["rule"]: one for one in listed}
    assert rules["sale_id__unique"]["of"] == ["batch", "table"]
    assert rules["batch__reject_share"]["of"] == ["batch"]
    assert (rules["table__volume"]["of"], rules["table__volume"]["severity"]) == (["table"], "warn")
