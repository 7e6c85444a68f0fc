"""The demo's systems as a Dagster resource: made if they are not there, and running while a run uses them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from staged_assets.demo.systems import ensure, running


class DemoSystems(dg.ConfigurableResource["DemoSystems"]):
    """The operational systems of the embedded demo.

    Attributes:
        home: the demo's folder.
    """

    home: str

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["DemoSystems"]:
        """Start the demo's systems for as long as a run lasts."""
        ensure(Path(self.home))
        with running(Path(self.home)):
            yield self
