"""A staged area of its own for a test: rows in, refreshes, outputs back without what differs from run to run.

A test takes the fixture `new_area`, which copies a template warehouse with the reference data in it. All areas of a
test session share one home, so that each process parses the dbt project once.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from staged_assets.catalogue import DATASETS
from staged_assets.landing.land import Landed, land_rows
from staged_assets.landing.raw_area import prepare
from staged_assets.landing.warehouse import connect
from staged_assets.settings import DEMO_SOURCES, Settings
from staged_assets.sources.config import load_sources
from staged_assets.staging import control
from staged_assets.staging.outcomes import Outcome
from staged_assets.staging.project import DataTest, StagingProject
from staged_assets.staging.refresh import Refresh
from staged_assets.validation.checks import TableChecks
from staged_assets.validation.config import load_validation
from staged_assets.validation.masking import personal_columns

#: The table names in a parsed manifest begin with the file's name: all warehouses of one home must have the same.
WAREHOUSE = "warehouse.duckdb"

#: Columns that say when a refresh ran.
RUN_TIME_STAMPS = ("_staged_at", "_first_seen_at")
#: Columns that say when, and as which one, a raw row landed.
LOAD_ORDER = ("_landing_id", "_landed_at")

Row = dict[str, str | None]
#: table → its rows with how often each is there, as text
Outputs = dict[str, Counter[str]]

SOURCES = load_sources(DEMO_SOURCES)


class UncheckedProject(StagingProject):
    """The project without its data tests, where a test itself looks at everything they would look at."""

    def tests(self) -> list[DataTest]:
        return []


class StagedArea:
    """A warehouse, and the refresh that works on it.

    Args:
        home: shared by all areas of the session.
        path: the warehouse file.
        checked: whether a refresh runs its checks.
        read_copy: whether there is one; beside the warehouse.
    """

    def __init__(self, home: Path, path: Path, *, checked: bool = False, read_copy: bool = False) -> None:
        assert path.name == WAREHOUSE
        self.settings = Settings(home=home, warehouse=path, read_copy=None if read_copy else "off")
        self.project = (StagingProject if checked else UncheckedProject)(self.settings)
        feeds = {name: [system for system, _ in SOURCES.feeds_of(name)] for name in DATASETS}
        checks = TableChecks(load_validation(), personal_columns(self.project.manifest), home) if checked else None
        self._refresh = Refresh(self.settings, self.project, SOURCES.formats, feeds, checks=checks)

    def land(self, dataset: str, system: str, rows: Sequence[Row]) -> Landed:
        """Land rows in the dataset's own columns, as `land_rows` takes them."""
        with connect(self.settings) as connection:
            prepare(connection)
            return land_rows(connection, system, dataset, rows)

    def land_all(self, rows: Iterable[tuple[str, str, Row]]) -> None:
        """Land (dataset, system, row) in the order given, each dataset's rows in theirs."""
        with connect(self.settings) as connection:
            prepare(connection)
            for dataset, system, together in _runs(rows):
                land_rows(connection, system, dataset, together)

    def refresh(
        self,
        datasets: Iterable[str] = tuple(DATASETS),
        *,
        full: bool = False,
        companions: Collection[str] | None = None,
    ) -> dict[str, Outcome]:
        """Refresh datasets, and companions (all by default); whatever is not published is an error."""
        outcomes = self.try_refresh(datasets, full=full, companions=companions)
        bad = {name: outcome.message for name, outcome in outcomes.items() if outcome.status in ("failed", "held")}
        assert not bad, bad
        return outcomes

    def try_refresh(
        self,
        datasets: Iterable[str] = tuple(DATASETS),
        *,
        full: bool = False,
        companions: Collection[str] | None = None,
    ) -> dict[str, Outcome]:
        """The same, with whatever outcome."""
        names = list(datasets)
        made = [name for name in self.project.companions if companions is None or name in companions]
        return {o.name: o for o in self._refresh.run(names, made, full=names if full else ())}

    def check(self, name: str, datasets: Iterable[str]) -> dict[str, str]:
        """Run a check by itself on what is published of these datasets now: dataset → its status."""
        found = self._refresh.check({f"stg_{dataset}": [name] for dataset in datasets})
        assert found.problems == {}
        return {model.removeprefix("stg_"): one.status for model, (one,) in found.results.items()}

    @contextmanager
    def copy(self) -> Iterator["StagedArea"]:
        """The same in a copy of the warehouse, gone after the block."""
        folder = Path(tempfile.mkdtemp(dir=self.settings.warehouse_path.parent))
        try:
            copied = Path(shutil.copy(self.settings.warehouse_path, folder))
            yield StagedArea(self.settings.home, copied, checked=type(self.project) is StagingProject)
        finally:
            shutil.rmtree(folder)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with connect(self.settings, read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def records(self, table: str) -> list[dict[str, Any]]:
        """The rows of a table, by column."""
        with connect(self.settings, read_only=True) as connection:
            result = connection.execute(f"select * from {table}")
            names = [column[0] for column in result.description or []]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> None:
        with connect(self.settings) as connection:
            connection.execute(sql, parameters)

    def watermarks(self) -> dict[str, int]:
        with connect(self.settings, read_only=True) as connection:
            return {name: mark.landing_id for name, mark in control.watermarks(connection).items()}

    def set_back(self, dataset: str, landing_id: int) -> None:
        """As if the process had died before it moved the watermark."""
        self.execute("update control.watermarks set landing_id = ? where dataset = ?", [landing_id, dataset])

    def outputs(self, *, without: Collection[str] = RUN_TIME_STAMPS, only: Collection[str] | None = None) -> Outputs:
        """Every table and view of the staged schema; also those that should not be there."""
        return read_outputs(self.settings, without=without, only=only)

    def raw(self) -> Outputs:
        """Every raw table."""
        return read_outputs(self.settings, schema="raw", without=())

    def take_raw(self, other: Settings) -> None:
        """Replace the raw area by another warehouse's."""
        with connect(self.settings) as connection:
            connection.execute(f"attach '{other.warehouse_path}' as other (read_only)")
            for name in DATASETS:
                connection.execute(f"delete from raw.{name}")
                connection.execute(f"insert into raw.{name} select * from other.raw.{name}")
            connection.execute("detach other")


class NewArea(Protocol):
    """What the fixture `new_area` is."""

    def __call__(self, *, published: bool = False, checked: bool = False) -> AbstractContextManager[StagedArea]: ...


def read_outputs(
    settings: Settings,
    *,
    schema: str = "staged",
    without: Collection[str] = RUN_TIME_STAMPS,
    only: Collection[str] | None = None,
) -> Outputs:
    """The content of a schema's tables and views, with all columns but those named in `without`."""
    found: dict[str, list[str]] = {}
    with connect(settings, read_only=True) as connection:
        columns = connection.execute(
            "select table_name, column_name from information_schema.columns where table_schema = ? order by all",
            [schema],
        ).fetchall()
        for table, column in columns:
            if column not in without and (only is None or table in only):
                found.setdefault(table, []).append(column)
        return {
            table: Counter(
                row for (row,) in connection.execute(f"select {_as_json(names)} from {schema}.{table}").fetchall()
            )
            for table, names in found.items()
        }


def _as_json(columns: Iterable[str]) -> str:
    fields = ", ".join(f'"{name}" := "{name}"' for name in columns)
    return f"to_json(struct_pack({fields}))::varchar"


def differences(one: Outputs, other: Outputs) -> dict[str, Any]:
    """Table → (rows only in one, rows only in the other); empty where both are the same."""
    found: dict[str, Any] = {}
    for table in sorted(one.keys() | other.keys()):
        if table not in one or table not in other:
            found[table] = f"only in {'one' if table in one else 'the other'}"
        elif one[table] != other[table]:
            found[table] = (list(one[table] - other[table])[:5], list(other[table] - one[table])[:5])
    return found


def copy_warehouse(template: Path, folder: Path) -> Path:
    """A copy of a warehouse file in a folder of its own."""
    folder.mkdir(parents=True)
    return Path(shutil.copyfile(template, folder / WAREHOUSE))


def _runs(rows: Iterable[tuple[str, str, Row]]) -> list[tuple[str, str, list[Row]]]:
    """Rows of one dataset and system that follow one another, landed at once; datasets don't wait for each other."""
    runs: dict[str, list[tuple[str, list[Row]]]] = {}
    for dataset, system, row in rows:
        of_dataset = runs.setdefault(dataset, [])
        if not of_dataset or of_dataset[-1][0] != system:
            of_dataset.append((system, []))
        of_dataset[-1][1].append(row)
    return [(dataset, system, together) for dataset, parts in runs.items() for system, together in parts]


def dispositions(area: StagedArea, dataset: str) -> dict[str, str]:
    """Raw row id → disposition; a raw row id that is there twice is an error."""
    found = area.query(f"select _raw_row_id, disposition from staged.dispositions_{dataset}")
    assert len(dict(found)) == len(found), f"a raw row of {dataset} has several dispositions"
    return dict(found)
