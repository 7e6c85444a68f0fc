"""The read copy: always one whole state, never in a refresh's way, and only what has changed is written."""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from staged_assets.errors import WarehouseError
from staged_assets.staging import read_copy
from staged_assets.staging.read_copy import ReadCopy
from staged_assets_tests.staged_area import StagedArea, copy_warehouse


@pytest.fixture
def area(shared_home: Path, published_warehouse: Path, tmp_path: Path) -> Iterator[StagedArea]:
    yield StagedArea(shared_home, copy_warehouse(published_warehouse, tmp_path / "area"), read_copy=True)
    shutil.rmtree(tmp_path / "area")


def _path(area: StagedArea) -> Path:
    assert area.settings.read_copy_path is not None
    return area.settings.read_copy_path


_READER = """
import sys, duckdb
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    for query in sys.stdin:
        print(connection.execute(query).fetchall(), flush=True)
"""


class Notebook:
    """A reader in a process of its own, which keeps open what it has opened."""

    def __init__(self, area: StagedArea) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _READER, str(_path(area))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.sales()

    def sales(self) -> list[Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(SALES, file=self._process.stdin, flush=True)
        found: list[Any] = ast.literal_eval(self._process.stdout.readline())
        return found

    def close(self) -> None:
        self._process.communicate()


SALES = "select sale_id, quantity from staged.stg_sales order by all"


def _open(area: StagedArea) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(_path(area)), read_only=True)


def _sales(connection: duckdb.DuckDBPyConnection) -> list[Any]:
    return connection.execute(SALES).fetchall()


def _sale(key: int, quantity: int = 1) -> dict[str, str | None]:
    return {
        "sale_id": str(key), "sale_date": "2026-01-05", "shop_id": str(key % 3), "quantity": str(quantity),
        "total_price": "8",
    }  # fmt: skip


def _land(area: StagedArea, *sales: dict[str, str | None]) -> None:
    area.land("sales", "ecommerce", list(sales))
    area.refresh(["sales"])


def _files(area: StagedArea) -> list[Path]:
    """What readers open, and the spare, which may be gone."""
    return [file for file in (_path(area), _path(area).with_name(".staged_area.spare.duckdb")) if file.exists()]


def _expect_the_same(area: StagedArea) -> None:
    """Both files hold what is published."""
    for file in _files(area):
        with duckdb.connect(str(file), read_only=True) as copy:
            tables = [
                name
                for (name,) in copy.execute(
                    "select table_name from duckdb_tables() where schema_name = 'staged'"
                ).fetchall()
            ]
            assert "stg_sales" in tables
            assert not [name for name in tables if not name.startswith("stg_") or name.endswith("__candidate")]
            for name in tables:
                rows = f"from staged.{name} order by all"
                assert copy.execute(rows).fetchall() == area.query(rows), (file, name)


def test_it_is_what_is_published_after_each_refresh(area: StagedArea) -> None:
    _land(area, *map(_sale, range(50)))
    _expect_the_same(area)
    _land(area, _sale(3, 9), _sale(60))
    _expect_the_same(area)
    area.land("sales", "ecommerce", [{"sale_id": "4", "_operation": "delete"}])
    area.refresh(["sales"])
    _expect_the_same(area)
    area.refresh(["sales"], full=True)
    _expect_the_same(area)
    area.land("offers", "ecommerce", [{"offer_id": "1", "offer_name": "Winter"}])
    area.refresh()
    _expect_the_same(area)


def test_only_what_has_changed_is_written(area: StagedArea) -> None:
    """What somebody has put into a row of the copy stays there until that row changes."""
    _land(area, *map(_sale, range(50)))
    _land(area, _sale(50))
    assert len(_files(area)) == 2
    for file in _files(area):
        with duckdb.connect(str(file)) as copy:
            copy.execute("update staged.stg_sales set quantity = 77 where sale_id in (1, 2)")
    _land(area, _sale(2, 5))
    with _open(area) as copy:
        found = dict(_sales(copy))
    assert (found[1], found[2]) == (77, 5)


def test_readers_stop_no_refresh_and_each_keeps_what_it_has_opened(area: StagedArea) -> None:
    notebooks = []
    for quantity in range(1, 5):
        _land(area, _sale(1, quantity))
        notebooks.append(Notebook(area))
        assert [each.sales() for each in notebooks] == [[(1, seen)] for seen in range(1, quantity + 1)]
    _land(area, _sale(1, 8))
    for notebook in notebooks:
        notebook.close()
    _land(area, _sale(1, 9))
    _expect_the_same(area)
    assert sorted(_path(area).parent.glob("*.duckdb*")) == sorted(_files(area))


def test_a_refresh_never_writes_what_a_reader_is_about_to_open(area: StagedArea) -> None:
    """A reader that has looked where the file is, and opens it later: after any step of a refresh."""
    _land(area, _sale(1, 1))
    looked = _path(area).resolve()
    failed: list[str] = []
    steps: list[str] = []

    def opened(step: str) -> None:
        steps.append(step)
        command = [sys.executable, "-c", _READER, str(looked)]
        reader = subprocess.run(command, input=SALES, capture_output=True, text=True)
        if reader.returncode:
            failed.append(f"{step}: {reader.stderr}")

    def watched(name: str) -> Any:
        do = getattr(read_copy, name)

        def watching(*args: Any) -> None:
            opened(f"before {name}")
            do(*args)
            opened(f"after {name}")

        return watching

    with pytest.MonkeyPatch.context() as patched:
        for name in ("_apply", "_bring_models"):
            patched.setattr(read_copy, name, watched(name))
        for quantity in (2, 3):
            _land(area, _sale(1, quantity))
    assert len(steps) == 16
    assert failed == []


def test_a_file_that_was_made_as_a_link_is_taken_over(area: StagedArea) -> None:
    _land(area, _sale(1, 1))
    other = _path(area).with_name("staged_area.0.duckdb")
    _path(area).rename(other)
    _path(area).symlink_to(other.name)
    for quantity in (2, 3):
        _land(area, _sale(1, quantity))
        assert not _path(area).is_symlink()
        _expect_the_same(area)


def test_where_a_file_can_not_have_two_names_a_copy_is_made(area: StagedArea, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    for quantity in (1, 2, 3):
        _land(area, _sale(1, quantity))
        _expect_the_same(area)
        assert _files(area) == [_path(area)]


@pytest.mark.parametrize("step", ["_bring", "_change_places", "_say", "_bring_along"])
def test_what_was_left_half_done_is_mended_by_the_next_refresh(
    area: StagedArea, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class KilledError(Exception):
        pass

    def killed(*args: Any) -> None:
        raise KilledError

    _land(area, _sale(1), _sale(2))
    with monkeypatch.context() as patched:
        patched.setattr(ReadCopy, step, killed)
        with pytest.raises(KilledError):
            _land(area, _sale(1, 5))
    with _open(area) as copy:
        assert _sales(copy) in ([(1, 1), (2, 1)], [(1, 5), (2, 1)])
    _land(area, _sale(2, 6))
    _expect_the_same(area)


def test_what_could_not_be_published_stays_in_the_copy_as_it_was(area: StagedArea) -> None:
    """A full refresh whose publishing failed has forgotten its watermark."""
    _land(area, _sale(1))
    area.execute("delete from control.watermarks where dataset = 'sales'")
    area.land("touchpoints", "crm", [{"touchpoint_id": "1"}])
    area.refresh(["touchpoints"])
    with _open(area) as copy:
        assert _sales(copy) == [(1, 1)]
        assert copy.execute("select touchpoint_id from staged.stg_touchpoints").fetchall() == [(1,)]
    _land(area, _sale(1, 2))
    _expect_the_same(area)


def test_nothing_new_writes_nothing(area: StagedArea) -> None:
    _land(area, _sale(1))
    before = {path: path.stat().st_mtime_ns for path in _path(area).parent.iterdir()}
    area.refresh(["sales"])
    assert {path: path.stat().st_mtime_ns for path in _path(area).parent.iterdir()} == before


def test_a_copy_that_can_not_be_written_is_told_and_all_is_published(area: StagedArea) -> None:
    _path(area).parent.write_text("a file where the folder should be")
    area.land("sales", "ecommerce", [_sale(1)])
    with pytest.raises(WarehouseError, match=r"read copy .* could not be written"):
        area.refresh(["sales"])
    assert area.query("select quantity from staged.stg_sales") == [(1,)]
    _path(area).parent.unlink()
    area.refresh(["sales"])
    _expect_the_same(area)
