"""What a person reads in the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from staged_assets.job import JobResult

_COUNTS = ("landed", "staged", "rejected", "superseded", "duplicate", "deleted", "pending")


def print_run(console: Console, result: JobResult) -> None:
    """The table of a run, and what to do next."""
    datasets = {n: e for n, e in result.status["datasets"].items() if n in result.selected}
    console.print(_table(datasets, f"Staged area after run {result.run_id[:8]}"))
    unexplained = sum(entry["unexplained"] for entry in datasets.values())
    console.print(
        f"{sum(e['landed'] for e in datasets.values()):,} raw rows landed, {unexplained} unexplained;"
        f" main job {result.seconds:.1f} s."
    )
    console.print(f"Warehouse: {result.status['warehouse']}", highlight=False, soft_wrap=True)
    console.print("See rejected rows with 'staged-assets quarantine list'; open the web UI with 'staged-assets ui'.")


def print_problems(console: Console, result: JobResult) -> None:
    """What a run could not do, what it held back and what it warns of, one line each."""
    for failure in result.failures:
        print_sentence(console, "Failed:", failure, "red")
    for name, entry in result.status["datasets"].items():
        if name not in result.selected:
            continue
        if entry["outcome"] == "held":
            print_sentence(console, "Held:", entry["message"], "red")
        for check, status in entry["checks"].items():
            if status == "failed":
                print_sentence(console, f"{name}:", f"the check {check} failed; see it in the web UI.", "red")
    for warning in result.warnings:
        print_sentence(console, "Note:", warning, "yellow")


def print_sentence(console: Console, label: str, sentence: str, style: str) -> None:
    """A sentence as it is (brackets in it are no markup), on one line."""
    console.print(Text.assemble((label, style), " ", sentence), soft_wrap=True)


def print_status(console: Console, status: Mapping[str, Any]) -> None:
    """The table of how things stand."""
    console.print(_table(status["datasets"], "Staged area"))
    console.print(f"Warehouse: {status['warehouse']}", highlight=False, soft_wrap=True)


def print_quarantine_summary(console: Console, found: Sequence[Mapping[str, Any]]) -> None:
    """Rejected rows by dataset and reason."""
    table = Table(title="Quarantine")
    for heading in ("dataset", "reason", "rows", "corrected", "first seen (UTC)"):
        table.add_column(heading, justify="right" if heading in ("rows", "corrected") else "left")
    for entry in found:
        reason = entry["code"] + (f":{entry['column']}" if entry["column"] else "")
        table.add_row(
            entry["dataset"],
            reason,
            f"{entry['rows']:,}",
            f"{entry['corrected']:,}",
            f"{entry['first_seen']:%Y-%m-%d %H:%M}",
        )
    console.print(table)
    console.print("See rows with 'staged-assets quarantine show <dataset> --reason <reason>'.")


def print_quarantine_rows(console: Console, dataset: str, found: Sequence[Mapping[str, Any]]) -> None:
    """Rejected rows, one block each: what a row held, then why it was rejected."""
    for row in found:
        console.print(
            f"[bold]{dataset}[/bold] raw row {row['_raw_row_id']} from {row['_source_system']},"
            f" landed {row['_landed_at']:%Y-%m-%d %H:%M} UTC",
            highlight=False,
        )
        for name, value in row.items():
            if not name.startswith("_") or (name == "_extra" and value):
                console.print(Text(f"  {name}: {value!r}" if value is not None else f"  {name}: NULL"))
        for reason in row["_reject_reasons"]:
            column = f" in {reason['column']}" if reason["column"] else ""
            console.print(Text(f"  → {reason['code']}{column}: {reason['raw_value']!r}", style="red"))
    if not found:
        console.print(f"No such rows in the quarantine of {dataset}.")


def print_audit(console: Console, found: Mapping[str, Any]) -> None:
    """Why a batch is held back, rule by rule, and what was released before."""
    dataset, held = found["dataset"], found["held"]
    if held is None:
        console.print(f"No batch of {dataset} is held back.")
    else:
        console.print(Text(held["message"], style="red"), soft_wrap=True)
        console.print(
            f"Held since {held['first_held_at']:%Y-%m-%d %H:%M} UTC, last by run {held['run_id'][:8]}; what was"
            f" published before stays. It holds the raw rows up to landing id {held['upto']}.",
            highlight=False,
            soft_wrap=True,
        )
        for rule in held["rules"]:
            _print_rule(console, rule)
        console.print(
            "The next run publishes it by itself once the source has sent the rows again, and soundly; to publish it as"
            f" it is: 'staged-assets audit release {dataset} --reason …'.",
            soft_wrap=True,
        )
    for release in found["releases"]:
        console.print(
            Text(
                f"Released {release['released_at']:%Y-%m-%d %H:%M} UTC by {release['released_by']}:"
                f" {release['reason']} ({_state(release)})"
            ),
            soft_wrap=True,
        )


def _print_rule(console: Console, rule: Mapping[str, Any]) -> None:
    style = "red" if rule["severity"] == "error" else "yellow"
    console.print(Text.assemble((f"{rule['rule']}: ", style), rule["message"]), soft_wrap=True)
    for row in rule["sample"]:
        console.print(Text("  " + ", ".join(f"{name} {value}" for name, value in row.items())), soft_wrap=True)
    if rule["query"]:
        console.print(Text(f"  All of them: {' '.join(rule['query'].split())}"), soft_wrap=True)


def _state(release: Mapping[str, Any]) -> str:
    if release["closed_at"] is None:
        return "not published yet"
    return "published" if release["published"] else "not used: another batch was published"


def print_rules(console: Console, found: Sequence[Mapping[str, Any]]) -> None:
    """Rules, one line each."""
    table = Table(title="Rules", box=box.SIMPLE)
    for heading in ("dataset", "rule", "severity", "of", "what must hold"):
        table.add_column(heading, overflow="fold")
    for rule in found:
        table.add_row(rule["dataset"], rule["rule"], rule["severity"], " and ".join(rule["of"]), rule["description"])
    console.print(table)


def _table(datasets: Mapping[str, Mapping[str, Any]], title: str) -> Table:
    table = Table(title=title, box=box.SIMPLE)
    table.add_column("dataset", no_wrap=True)
    for name in _COUNTS:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    table.add_column("checks", no_wrap=True)
    table.add_column("most often rejected for", overflow="fold")
    for name, entry in datasets.items():
        reasons = "\n".join(f"{reason} {rows:,}" for reason, rows in list(entry["reasons"].items())[:2])
        seconds = f"{entry['seconds']:.1f}" if entry["seconds"] is not None else ""
        table.add_row(name, *(f"{entry[c]:,}" for c in _COUNTS), seconds, _checks(entry["checks"]), reasons)
    return table


def _checks(checks: Mapping[str, str]) -> Text:
    results = list(checks.values())
    text = Text(f"{results.count('passed')} passed", style="green")
    for status, style in (("warned", "yellow"), ("failed", "red")):
        if status in results:
            text.append(f", {results.count(status)} {status}", style=style)
    return text
