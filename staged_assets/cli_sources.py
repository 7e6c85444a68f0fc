"""The command's verbs on `sources.yaml`: its schema."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(no_args_is_help=True, help="The operational systems: what `sources.yaml` may say.")

err = Console(stderr=True)


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
