"""Whether two competitors have given the same staged rows."""

from collections.abc import Collection
from pathlib import Path

from benchmarks.peers.staging import MAPPED, MODELS
from staged_assets.landing.warehouse import connect

NOT_COMPARED = ("_landing_id", *MAPPED)


def disagreements(
    warehouse: Path, peer: Path, schema: str = "main", *, deduplicated: bool, without: Collection[str] = ()
) -> dict[str, int]:
    """Dataset → rows that only one of the two has; empty where they agree.

    Args:
        warehouse: of this project, with its published tables.
        peer: a DuckDB file with the fourteen tables `stg_<dataset>`.
        deduplicated: whether the peer has the same rows; else it has them among others.
        without: columns that are not compared, beside `NOT_COMPARED`.
    """
    with connect(warehouse, read_only=True) as connection:
        connection.execute(f"attach '{peer}' as peer (read_only)")
        found: dict[str, int] = {}
        for dataset, model in MODELS.items():
            theirs, ours = f"peer.{schema}.{model.name}", f"staged.{model.name}"
            names = [name for name, *_ in connection.execute(f"describe {theirs}").fetchall()]
            columns = ", ".join(name for name in names if name not in (*NOT_COMPARED, *without))
            pairs = [(ours, theirs), (theirs, ours)] if deduplicated else [(ours, theirs)]
            queries = [
                f"(select {columns} from {one} except all select {columns} from {other})" for one, other in pairs
            ]
            counts = [connection.execute(f"select count(*) from {query}").fetchall()[0][0] for query in queries]
            found[dataset] = sum(counts)
    return {dataset: rows for dataset, rows in found.items() if rows}
