"""Schema drift: what a source's columns were when it was last read, and how they differ now.

It is said, and nothing depends on it: a column that appears is kept in `_extra`, one that vanishes is NULL, one of
another type lands as text like before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from duckdb import DuckDBPyConnection

from staged_assets.sources.models import Feed

SCHEMA = """
create table if not exists control.source_columns (
    system varchar not null, dataset varchar not null, feed varchar not null, "column" varchar not null,
    kind varchar not null, noticed_at timestamp not null
);
"""


@dataclass(frozen=True)
class Change:
    """How one column differs; `before` and `now` are types, None where there is no such column."""

    column: str
    before: str | None
    now: str | None

    def sentence(self, system: str, feed: Feed) -> str:
        """What a person should know of it."""
        targets = [name for name, mapped in feed.columns.items() if mapped.source == self.column]
        if self.before is None:
            kind = f" ({self.now})" if self.now else ""
            use = f"it goes to {', '.join(targets)}" if targets else "nothing is mapped to it: it is kept in _extra"
            return f"{system}: {feed.name} has a new column {self.column!r}{kind}: {use}."
        if self.now is None:
            lost = (
                f"{', '.join(targets)} of {feed.dataset} is NULL from now on" if targets else "nothing is mapped to it"
            )
            return f"{system}: {feed.name} has lost its column {self.column!r}: {lost}."
        return (
            f"{system}: {feed.name} has its column {self.column!r} as {self.now} now, which was {self.before}: it lands"
            " as text like before; see that it still says the same."
        )


def note_columns(
    connection: DuckDBPyConnection,
    key: Sequence[str],
    found: Mapping[str, str],
    noticed_at: datetime,
    *,
    is_whole: bool,
) -> list[Change]:
    """Compare a feed's columns with those that are known, and know these from now on. To be called in a transaction.

    Args:
        key: system, dataset and feed.
        found: column → type, empty where the source has none.
        is_whole: whether these are all: records of no fixed shape leave out what they have no value for.

    Returns:
        the changes, by column; none for a feed that is read for the first time.
    """
    where = "system = ? and dataset = ? and feed = ?"
    rows = connection.execute(f'select "column", kind from control.source_columns where {where}', list(key)).fetchall()
    known: dict[str, str] = dict(rows)
    changes = [Change(name, None, kind) for name, kind in found.items() if name not in known]
    changes += [Change(n, known[n], kind) for n, kind in found.items() if n in known and known[n] != kind]
    if is_whole:
        changes += [Change(name, kind, None) for name, kind in known.items() if name not in found]
    for change in changes:
        connection.execute(f'delete from control.source_columns where {where} and "column" = ?', [*key, change.column])
        if change.now is not None:
            row = [*key, change.column, change.now, noticed_at]
            connection.execute("insert into control.source_columns values (?, ?, ?, ?, ?, ?)", row)
    return sorted(changes, key=lambda change: change.column) if known else []
