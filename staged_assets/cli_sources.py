"""The command's verbs on `sources.yaml`: look at what it would bring, write a first one, its schema."""

import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from staged_assets.errors import ConfigurationError
from staged_assets.settings import load_settings

app = typer.Typer(
    no_args_is_help=True, help="The operational systems: what they would bring, and what `sources.yaml` may say."
)

out = Console(width=None if sys.stdout.isatty() else 200)
err = Console(stderr=True)


@app.command()
def check(
    system: Annotated[list[str] | None, typer.Option(help="Only this source system; repeat for several.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, to standard output.")] = False,
) -> None:
    """Connect to each system and show what would be landed, with a sample; personal data is masked.

    Nothing is landed. Ends with status 1 if a feed can't be read, or maps nothing to a column that is required.
    """
    from staged_assets.demo.systems import running
    from staged_assets.report_sources import print_check
    from staged_assets.source_check import check_sources
    from staged_assets.sources.config import load_sources

    settings = load_settings()
    with running(settings.demo_path) if settings.is_demo else nullcontext():
        found = list(check_sources(load_sources(settings.sources_path), system or []))
    if as_json:
        json.dump([feed.as_dict() for feed in found], sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        for feed in found:
            print_check(out, feed)
    raise typer.Exit(0 if all(feed.is_good for feed in found) else 1)


@app.command("drop-slot")
def drop_slot(
    system: Annotated[str, typer.Argument(help="The source system whose change feeds are given up.")],
) -> None:
    """Drop the replication slots of a system, so that its server need not keep its log for them.

    A later run makes new ones and reads the tables anew.
    """
    from staged_assets.sources.config import load_sources
    from staged_assets.sources.database import drop_slots
    from staged_assets.sources.models import DatabaseSystem

    found = load_sources(load_settings().sources_path).resolve(system)
    dropped = drop_slots(found) if isinstance(found, DatabaseSystem) else []
    for slot in dropped:
        err.print(f"The slot {slot} is dropped.")
    if not dropped:
        err.print(f"{system} has no slots.")


@app.command()
def init(
    variable: Annotated[str, typer.Argument(help="The environment variable that holds the database's URL.")],
    system: Annotated[str, typer.Option(help="What the system is to be called.")] = "erp",
    schema_name: Annotated[str | None, typer.Option("--schema", help="The schema of its tables.")] = None,
    to: Annotated[Path, typer.Option("--to", help="The file to write; one that is there is left alone.")] = Path(
        "sources.yaml"
    ),
) -> None:
    """Look into a database and write a first `sources.yaml`, with mappings by likeness of names and types."""
    from staged_assets.source_proposal import propose, sources_file
    from staged_assets.sources.connections import database_connection
    from staged_assets.sources.database import describe

    if to.exists():
        raise ConfigurationError(f"{to} is there already: name another file by --to, or move it away.")
    tables = describe(system, database_connection(variable, os.environ.get(variable), schema_name))
    proposals = propose(tables)
    if not proposals:
        raise ConfigurationError(
            f"None of the {len(tables)} tables in {variable} is like a dataset: write {to} by hand."
        )
    to.write_text(sources_file(system, variable, proposals, schema_name), encoding="utf-8")
    for proposal in proposals:
        missing = f", without {', '.join(proposal.missing)}, which it needs" if proposal.missing else ""
        err.print(f"{proposal.table.name} → {proposal.dataset}: {len(proposal.columns)} columns{missing}.")
    err.print(f"{to} is written: correct it, then see 'staged-assets sources check'.")


@app.command()
def schema(
    to: Annotated[Path | None, typer.Option("--to", help="The file to write; standard output by default.")] = None,
) -> None:
    """Write the JSON schema of `sources.yaml`, by which editors complete and check it."""
    from staged_assets.sources.schema import json_schema

    text = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    if to is None:
        sys.stdout.write(text)
        return
    to.write_text(text, encoding="utf-8")
    err.print(f"{to} is written: begin sources.yaml with '# yaml-language-server: $schema={to}'.")


def receive(host: str, port: int) -> None:
    """Run the webhook receiver until it is stopped.

    Raises:
        ConfigurationError: the server is not installed; no system is received by webhook.
    """
    from staged_assets.sources.config import load_sources
    from staged_assets.webhook.app import Receiver

    try:
        import uvicorn
    except ImportError as error:
        raise ConfigurationError(
            "The receiver's server is not installed: pip install 'staged-assets[webhook]'."
        ) from error
    receiver = Receiver(load_sources(load_settings().sources_path))
    err.print(f"Deliveries are received at http://{host}:{port}/<system>/<stream> (Ctrl-C stops it).")
    # One process: an id is known by the one that received it.
    uvicorn.run(receiver, host=host, port=port, log_level="warning", access_log=False, workers=1)
