"""The person's door: one command, few verbs."""

import atexit
import gc
import json
import logging
import os
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from staged_assets import cli_sources
from staged_assets.errors import ConfigurationError, StagedAssetsError
from staged_assets.landing.layout import DATASETS
from staged_assets.settings import EXAMPLES, PACKAGE, example_names, load_settings

if TYPE_CHECKING:
    from staged_assets.job import JobResult

app = typer.Typer(
    name="staged-assets",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="""The staged area: fourteen datasets between a retailer's operational systems and the warehouse.

    Start with **staged-assets run**: it lands what the source systems hold, refreshes the fourteen datasets, checks
    them, and prints where every raw row went. Then **staged-assets ui** opens the Dagster web UI on the same data.

    Rows that break a rule are never dropped: **staged-assets quarantine list** shows them and why.""",
)
quarantine_app = typer.Typer(
    no_args_is_help=True, help="Rows that were rejected: see them, take them out, bring corrected ones back."
)
app.add_typer(quarantine_app, name="quarantine")
audit_app = typer.Typer(
    no_args_is_help=True, help="Batches that were held back before they were published: see why, release them."
)
app.add_typer(audit_app, name="audit")
app.add_typer(cli_sources.app, name="sources")

#: Where the output is no terminal, a table is as wide as it needs to be.
_WIDTH = None if sys.stdout.isatty() else 200
out = Console(width=_WIDTH)
err = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, to standard output.")]
DatasetArgument = Annotated[str, typer.Argument(help="One of the fourteen, as in `sales`.")]
Reason = Annotated[
    str | None, typer.Option(help="Only rows rejected for this: `code` or `code:column`, as `list` shows it.")
]


def main() -> None:
    """Run the command; an error that a person can mend is one sentence, and exit status 1."""
    try:
        app()
    except StagedAssetsError as error:
        err.print(Text.assemble(("Error:", "red"), f" {error}"), soft_wrap=True)
        sys.exit(1)


def program() -> None:
    """The same as a process of its own, which does not wait for the interpreter to take itself apart.

    Taking apart what Dagster imports takes as long as a refresh with nothing new, and so does looking for garbage while
    it is imported.
    """
    gc.set_threshold(100_000, 20, 100)
    status: Any = 0
    try:
        main()
    except SystemExit as end:
        status = end.code or 0
    if not isinstance(status, int) or any(not one.daemon for one in threading.enumerate()[1:]):
        sys.exit(status)
    atexit._run_exitfuncs()
    with suppress(BrokenPipeError):
        sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


@app.callback()
def choose(
    example: Annotated[
        str | None,
        typer.Option(
            help=f"Work on an example instead ({', '.join(example_names())}), in a home of its own.",
            metavar="NAME",
        ),
    ] = None,
) -> None:
    """Settings that hold for every verb; a process that the verb starts finds them in the environment."""
    if example is not None:
        _known([example], example_names(), "example")
        settings = load_settings()
        os.environ["STAGED_ASSETS_SOURCES"] = str(EXAMPLES / example / "sources.yaml")
        os.environ["STAGED_ASSETS_HOME"] = str(settings.home / "examples" / example)
        os.environ.pop("STAGED_ASSETS_WAREHOUSE", None)


@app.command()
def run(
    system: Annotated[list[str] | None, typer.Option(help="Only this source system; repeat for several.")] = None,
    dataset: Annotated[list[str] | None, typer.Option(help="Only this dataset; repeat for several.")] = None,
    full_refresh: Annotated[bool, typer.Option("--full-refresh", help="Stage again from all of raw.")] = False,
    scale: Annotated[
        int, typer.Option(min=100, help="Sales in the demo systems, when they are made (first run only).")
    ] = 20_000,
    as_json: Json = False,
) -> None:
    """Land, refresh, check: the main job, in this process.

    Only what has landed since the last run is worked on; a run with nothing new changes nothing. Ends with status 1 if
    a source could not be read, a refresh failed, or a check failed.
    """
    from staged_assets.job import run_job

    settings = load_settings()
    _known(dataset or [], DATASETS, "dataset")
    result = run_job(
        settings,
        systems=system or [],
        datasets=dataset or list(DATASETS),
        full_refresh=full_refresh,
        scale=scale,
        console=err,
    )
    _end(result, as_json)


@app.command()
def replay(
    dataset: DatasetArgument,
    first: Annotated[str, typer.Option("--from", help="First day (UTC) on which it landed, or landing id.")] = "",
    last: Annotated[str, typer.Option("--to", help="Last day (UTC), or landing id; it belongs to the period.")] = "",
    as_json: Json = False,
) -> None:
    """Judge again, from raw, what has landed in a period; nothing is asked of the sources.

    All rows of the keys that have landed in it are staged anew by today's rules. Without a period, `run --full-refresh`
    does it for everything.
    """
    from staged_assets.job import run_job
    from staged_assets.landing.raw_area import Period

    _known([dataset], DATASETS, "dataset")
    if not first and not last:
        raise ConfigurationError(
            "Name the period by --from or --to, or both: a day such as 2026-11-01, or a landing id."
        )
    Period.read(first, last)
    result = run_job(load_settings(), systems=[], datasets=[dataset], land=False, replay=(first, last), console=err)
    _end(result, as_json)


@app.command()
def status(as_json: Json = False) -> None:
    """Where every landed row is now, when each dataset was last refreshed, and what its checks said."""
    from staged_assets import report
    from staged_assets.status import read_status

    found = read_status(load_settings())
    if as_json:
        _print_json(found)
    else:
        report.print_status(out, found)


@app.command()
def plan(as_json: Json = False) -> None:
    """How each source system is refreshed, in real time or in batch, and why: what `sources.yaml` leads to."""
    from staged_assets.refresh.policy import plan_refresh
    from staged_assets.report_sources import print_plan
    from staged_assets.sources.config import load_sources

    settings = load_settings()
    found = plan_refresh(load_sources(settings.sources_path), settings.warehouse_path).feeds
    if as_json:
        _print_json([feed.as_dict() for feed in found])
    else:
        print_plan(out, found)


@app.command()
def prune(as_json: Json = False) -> None:
    """Delete runs that ended more than STAGED_ASSETS_KEEP_DAYS days ago from Dagster's history; no data.

    What the web UI shows as current stays. A schedule does the same each day, and so does `run`.
    """
    from staged_assets.instance import prepare_home

    settings = load_settings()
    prepare_home(settings)
    import dagster as dg

    from staged_assets.retention import prune as prune_history

    pruned = prune_history(dg.DagsterInstance.get(), settings, lambda line: err.print(line, soft_wrap=True))
    if as_json:
        _print_json(asdict(pruned))
    else:
        found = (
            f"{pruned.runs:,} runs, {pruned.events:,} events of no run, {pruned.folders:,} old states of the project"
        )
        out.print(f"Deleted: {found}.")


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port of the web UI.")] = 3000,
    host: Annotated[str, typer.Option(help="Address that it listens on.")] = "127.0.0.1",
) -> None:
    """Open the Dagster web UI and its daemon on the staged area; Ctrl-C stops both."""
    from staged_assets.instance import heed_interrupts, prepare_home

    prepare_home(load_settings())
    heed_interrupts()
    out.print(f"The web UI comes up at http://{host}:{port} (Ctrl-C stops it).")
    command = [
        sys.executable, "-m", "dagster", "dev", "--workspace", str(PACKAGE / "workspace.yaml"),
        "--host", host, "--port", str(port),
    ]  # fmt: skip
    sys.stdout.flush()
    # In place of this process: a signal that is meant to end the command reaches Dagster, which ends what it started.
    os.execv(sys.executable, command)  # noqa: S606


@app.command()
def webhook(
    port: Annotated[int, typer.Option(help="Port that deliveries are sent to.")] = 8000,
    host: Annotated[str, typer.Option(help="Address that it listens on.")] = "127.0.0.1",
) -> None:
    """Receive the deliveries of systems with the connector `webhook`; Ctrl-C stops it."""
    cli_sources.receive(host, port)


@quarantine_app.command("list")
def quarantine_list(
    dataset: Annotated[str | None, typer.Argument(help="One of the fourteen; all by default.")] = None,
    as_json: Json = False,
) -> None:
    """How many rows were rejected, for which reasons."""
    from staged_assets import quarantine, report

    _known([dataset] if dataset else [], DATASETS, "dataset")
    found = quarantine.summary(load_settings(), [dataset] if dataset else list(DATASETS))
    if as_json:
        _print_json(found)
    else:
        report.print_quarantine_summary(out, found)


@quarantine_app.command("show")
def quarantine_show(
    dataset: DatasetArgument,
    reason: Reason = None,
    row_id: Annotated[str | None, typer.Option(help="Only this raw row.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 20,
    as_json: Json = False,
) -> None:
    """Rejected rows as they came, with every reason. They may hold personal data."""
    from staged_assets import quarantine, report

    _known([dataset], DATASETS, "dataset")
    found = quarantine.rows(load_settings(), dataset, limit=limit, reason=reason, row_id=row_id)
    if as_json:
        _print_json(found)
    else:
        report.print_quarantine_rows(out, dataset, found)


@quarantine_app.command("export")
def quarantine_export(
    dataset: DatasetArgument,
    to: Annotated[Path, typer.Option("--to", help="A .csv, .parquet, .json or .ndjson file.")],
    reason: Reason = None,
) -> None:
    """Write rejected rows to a file, to be corrected or sent to who can correct them."""
    from staged_assets import quarantine

    _known([dataset], DATASETS, "dataset")
    written = quarantine.export(load_settings(), dataset, to, reason=reason)
    out.print(f"{written} rejected rows of {dataset} are in {to}.")


@quarantine_app.command("replay")
def quarantine_replay(
    dataset: DatasetArgument,
    corrected: Annotated[
        Path | None,
        typer.Option("--from", help="An exported CSV file with corrected values: its rows are landed as new versions."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Judge the rejected rows again by today's rules, or land corrected ones; then refresh the dataset."""
    from staged_assets import quarantine
    from staged_assets.job import run_job

    settings = load_settings()
    _known([dataset], DATASETS, "dataset")
    if corrected is not None:
        landed = quarantine.land_corrections(settings, dataset, corrected)
        err.print(f"{landed} corrected rows of {dataset} were landed.")
    result = run_job(settings, systems=[], datasets=[dataset], full_refresh=corrected is None, land=False, console=err)
    _end(result, as_json)


@audit_app.command("show")
def audit_show(dataset: DatasetArgument, as_json: Json = False) -> None:
    """Why a batch is held back: rules, counts, a sample with raw row ids, and the query for the rest."""
    from staged_assets import audits, report

    _known([dataset], DATASETS, "dataset")
    found = audits.explain(load_settings(), dataset)
    if as_json:
        _print_json(found)
    else:
        report.print_audit(out, found)


@audit_app.command("release")
def audit_release(
    dataset: DatasetArgument,
    reason: Annotated[str, typer.Option(help="Why the batch may be published as it is; it is recorded.")],
    by: Annotated[str | None, typer.Option(help="Who decides so; by default the user of this session.")] = None,
    as_json: Json = False,
) -> None:
    """Publish a held batch on purpose, as it was held. Who, when and why are recorded; `show` lists them."""
    from staged_assets import audits
    from staged_assets.job import run_job

    settings = load_settings()
    _known([dataset], DATASETS, "dataset")
    release = audits.release(settings, dataset, reason=reason, by=by)
    err.print(f"The held batch of {dataset} is released by {release['released_by']}; publishing it.", highlight=False)
    result = run_job(settings, systems=[], datasets=[dataset], land=False, console=err)
    _end(result, as_json, release=release)


@audit_app.command("rules")
def audit_rules(
    dataset: Annotated[str | None, typer.Argument(help="One of the fourteen; all by default.")] = None,
    as_json: Json = False,
) -> None:
    """The rules that batches are audited by and published tables checked by, as they are configured."""
    from staged_assets import audits, report

    _known([dataset] if dataset else [], DATASETS, "dataset")
    found = audits.rules(load_settings(), [dataset] if dataset else list(DATASETS))
    if as_json:
        _print_json(found)
    else:
        report.print_rules(out, found)


def _end(result: "JobResult", as_json: bool, **more: Any) -> NoReturn:
    """Say how a run ended: the result on standard output, what went wrong on standard error, and in the status."""
    from staged_assets import report

    if as_json:
        _print_json({**result.as_dict(), **more})
    else:
        report.print_run(out, result)
    report.print_problems(err, result)
    raise typer.Exit(0 if result.good else 1)


def _known(names: list[str], known: Any, kind: str) -> None:
    import difflib

    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}."
            raise ConfigurationError(f"There is no {kind} {name!r}: {hint}")


def _print_json(value: Any) -> None:
    def plain(item: Any) -> Any:
        if isinstance(item, datetime | date):
            return item.isoformat()
        if isinstance(item, Decimal | Path):
            return str(item)
        raise TypeError(type(item))

    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=plain) + "\n")


logging.getLogger("staged_assets").addHandler(logging.NullHandler())

if __name__ == "__main__":
    program()
