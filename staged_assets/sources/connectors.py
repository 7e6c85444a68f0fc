"""The connectors, by name. Each is a module with `read` and `marks`, and is imported when it is first used."""

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Protocol, cast

from staged_assets.sources.batch import Batch, Cursor
from staged_assets.sources.change_feed import Lag
from staged_assets.sources.marks import Mark, Question
from staged_assets.sources.models import Feed, System


class Connector(Protocol):
    """What a connector's module does."""

    @staticmethod
    def read(system: System, feed: Feed, cursor: Cursor | None) -> Iterator[Batch]:
        """Read a feed, from the cursor on.

        Args:
            system, feed: resolved (no environment references left).
            cursor: that of the last batch that was landed; None at first.

        Raises:
            SourceError: the system could not be read; what was yielded before is good.
        """

    @staticmethod
    def marks(system: System, asked: Sequence[Question]) -> list[Mark]:
        """Ask, cheaply, for a mark of each feed.

        Raises:
            SourceError: the system could not be asked.
        """


def read(system: System, feed: Feed, cursor: Cursor | None) -> Iterator[Batch]:
    """Read a feed through its system's connector."""
    connector = cast(Connector, import_module(f"staged_assets.sources.{system.connector}"))
    return connector.read(system, feed, cursor)


def marks(system: System, asked: Sequence[Question]) -> list[Mark]:
    """What a system says of some of its feeds: see `Mark`.

    Args:
        system: resolved (no environment references left), as the feeds are.

    Raises:
        SourceError: it could not be asked.
        ConfigurationError: what its connector needs is not installed.
    """
    connector = cast(Connector, import_module(f"staged_assets.sources.{system.connector}"))
    return connector.marks(system, asked)


def read_keys(system: System, feed: Feed) -> Iterator[Batch]:
    """Read the columns of which the dataset's key is made, of all records that there are now.

    Only of feeds that can do it (`Feed.compares_keys`).
    """
    connector = import_module(f"staged_assets.sources.{system.connector}")
    return cast(Iterator[Batch], connector.read_keys(system, feed))


def confirm(system: System, feed: Feed, cursor: Cursor) -> None:
    """Tell a source that keeps its changes until they are landed that those up to a cursor are.

    Only of change feeds.
    """
    connector = import_module(f"staged_assets.sources.{system.connector}")
    connector.confirm(system, feed, cursor)


def lag(system: System, feed: Feed) -> Lag | None:
    """How far behind a source's changes are read; None where nothing is kept yet. Only of change feeds."""
    connector = import_module(f"staged_assets.sources.{system.connector}")
    return cast(Lag | None, connector.lag(system, feed))
