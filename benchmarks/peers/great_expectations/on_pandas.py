"""Great Expectations on a pandas frame of the columns that the rules need."""

from collections.abc import Callable
from pathlib import Path

from benchmarks.peers.great_expectations.rules import COLUMNS, context, expect
from benchmarks.validation_ways import TABLE, connect


def prepare(path: Path) -> Callable[[], None]:
    """The frame is read when it is validated; all of it must pass."""
    connection = connect(path)
    asset = context().data_sources.add_pandas("sales").add_dataframe_asset("stg_sales")
    definition = asset.add_batch_definition_whole_dataframe("all")

    def validate() -> None:
        frame = connection.execute(f"select {COLUMNS} from {TABLE}").df()
        expect(definition.get_batch(batch_parameters={"dataframe": frame}))

    return validate
