"""The parse macros for the tests of this room."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from filelock import FileLock

from staged_assets_tests.parsing.macros import Macros, load_seeds, render


@pytest.fixture(scope="session")
def macro_sql(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Macro → SQL, rendered once for all processes of the test session."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    rendered = shared / "parse_macros.json"
    with FileLock(f"{rendered}.lock"):
        if not rendered.exists():
            folder = shared / "parse_macros"
            folder.mkdir()
            rendered.write_text(json.dumps(render(folder)), "utf-8")
    return json.loads(Path(rendered).read_text("utf-8"))


@pytest.fixture(scope="session")
def macros(macro_sql: dict[str, str]) -> Iterator[Macros]:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        load_seeds(connection)
        yield Macros(connection, macro_sql)
