"""Fill the demo's systems: reproducible byte for byte, in memory that does not grow with the scale."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from staged_assets.demo.feeds import Feed, feeds
from staged_assets.demo.manifest import Manifest
from staged_assets.demo.production import Production, Sent
from staged_assets.demo.truth import Row
from staged_assets.demo.world import World
from staged_assets.demo.writers import (
    CRM_FILE,
    ECOMMERCE_FOLDER,
    ERP_FILE,
    EndpointWriter,
    StreamWriter,
    TableWriter,
    Writer,
    database,
)
from staged_assets.errors import ConfigurationError

SEED = 20_250_701
DEFAULT_SCALE = 20_000

TRUTH_FILE = Path("truth.ndjson")

#: called with a step and its detail
Progress = Callable[[str, str], None]
_PROGRESS_EVERY = 2_000


def generate(
    path: Path, *, scale: int = DEFAULT_SCALE, seed: int = SEED, on_progress: Progress | None = None
) -> Manifest:
    """Fill a folder with the three operational systems, their truth file and a manifest.

    Args:
        path: a folder that is empty or does not exist.
        scale: number of sales; the other datasets are in proportion.
        seed: the same scale and seed give the same bytes.
        on_progress: called now and then.

    Raises:
        ConfigurationError: the folder holds something, or the scale is too small.
    """
    world = World(scale, seed)
    if path.exists() and any(path.iterdir()):
        raise ConfigurationError(
            f"The demo's folder {path} is not empty: remove what is there, or name another folder."
        )
    path.mkdir(parents=True, exist_ok=True)
    manifest = Manifest(scale, seed)
    with (
        (path / TRUTH_FILE).open("w", encoding="utf-8") as truth,
        open_systems(path) as writer_of,
    ):
        for feed in feeds():
            production = Production.of(world, feed)
            writer = writer_of(production)
            for rows in _write(production, writer, on_progress):
                manifest.sent(feed.name, rows)
                manifest.judged(rows)
                write_truth(truth, rows)
            writer.close()
    manifest.write(path)
    return manifest


def _write(production: Production, writer: Writer, on_progress: Progress | None) -> Iterator[list[Row]]:
    feed = production.feed
    total = len(production.numbers)
    for done, sent in enumerate(production.entities(), start=1):
        for each in sent:
            write_record(writer, each)
        yield [each.row for each in sent]
        if on_progress and (done % _PROGRESS_EVERY == 0 or done == total):
            on_progress("demo", f"{feed.system} {feed.source}: {done:,} of {total:,}")


def write_record(writer: Writer, sent: Sent) -> None:
    """Hand a record to its system."""
    if sent.damaged is None:
        writer.write(sent.fields, sent.cursor, sent.arrival)
    else:
        writer.write_damaged(sent.damaged, sent.arrival)


def write_truth(file: TextIO, rows: list[Row]) -> None:
    """Append judged rows to the truth file."""
    file.writelines(row.as_truth() + "\n" for row in rows)


@contextmanager
def open_systems(path: Path, deliveries: int = 1) -> Iterator[Callable[[Production], Writer]]:
    """A function that gives the writer of each feed; both databases are committed at the end.

    Args:
        path: the demo's folder.
        deliveries: the number of each stream's first delivery.
    """
    with database(path / ERP_FILE) as erp, database(path / CRM_FILE) as crm:

        def writer_of(production: Production) -> Writer:
            feed: Feed = production.feed
            if feed.system == "erp":
                return TableWriter(erp, feed.source, production.columns())
            if feed.system == "crm":
                return EndpointWriter(crm, feed.source)
            return StreamWriter(path / ECOMMERCE_FOLDER, feed.source, deliveries)

        yield writer_of
