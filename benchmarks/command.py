"""What the benchmarks' commands share: their arguments, how they tell progress, and where their figures go."""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Figures = dict[str, Any]


def parser(description: str | None, *, rows: int | None = None, repeat: int | None = None) -> argparse.ArgumentParser:
    """The arguments of a benchmark that writes figures.

    Args:
        rows: by default; without it the benchmark has no sizes.
        repeat: by default; without it the benchmark repeats nothing. One with neither has no table.
    """
    found = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    if rows is not None:
        found.set_defaults(default_rows=rows)
        found.add_argument("--rows", type=int, action="append", help=f"sales; repeat for more sizes (default {rows})")
    if rows is not None or repeat is not None:
        found.add_argument("--folder", type=Path, help="where files are made; by default a temporary folder")
        found.add_argument("--markdown", type=Path, help="write the table to this file, too")
    if repeat is not None:
        found.add_argument("--repeat", type=int, default=repeat, help=f"(default {repeat})")
    found.add_argument("--json", type=Path, help="write the figures to this file, too")
    return found


def sizes(options: argparse.Namespace) -> list[int]:
    """The sizes that were asked for, from the smallest."""
    return sorted(set(options.rows or [options.default_rows]))


@contextmanager
def folder(options: argparse.Namespace) -> Iterator[Path]:
    """A folder for the block, where the person wants it."""
    if options.folder is not None:
        options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        yield Path(name)


def say(line: str) -> None:
    """Tell progress."""
    print(line, file=sys.stderr, flush=True)


def finish(options: argparse.Namespace, figures: object, markdown: str | None = None) -> None:
    """Print the table (without one, the figures as JSON), and write what the options ask for."""
    as_json = json.dumps(figures, indent=2)
    print(as_json if markdown is None else markdown)
    if options.json is not None:
        options.json.write_text(as_json + "\n", encoding="utf-8")
    if markdown is not None and options.markdown is not None:
        options.markdown.write_text(markdown, encoding="utf-8")
