"""The warehouse file: held by others, of the wrong kind, on a full disk."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from staged_assets.errors import WarehouseError
from staged_assets.landing.raw_area import prepare
from staged_assets.landing.warehouse import connect, exclusive, transaction
from staged_assets.settings import Settings
from staged_assets_tests.landing.raw_rows import land
from staged_assets_tests.sources.described import described


@contextmanager
def _other_process(code: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that runs the code, which says `ready` when it holds what it is to hold."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", textwrap.dedent(code), str(path)]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.stdin.close()


HOLDS_FILE = """
    import duckdb, sys
    connection = duckdb.connect(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.read()
"""
HOLDS_LOCK = """
    import sys
    from staged_assets.landing.warehouse import exclusive
    with exclusive(sys.argv[1]):
        print("ready", flush=True)
        sys.stdin.read()
"""


def test_the_session_is_as_the_settings_say(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "new", threads=1, memory_limit="512MB")
    with connect(settings) as connection:
        found = connection.execute("select current_setting('threads'), current_setting('TimeZone')").fetchone()
        limit = connection.execute("select current_setting('memory_limit')").fetchone()
    assert found == (1, "UTC")
    assert limit == ("488.2 MiB",)


def test_a_file_that_stays_held_is_an_error_that_names_the_holder(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with (
        _other_process(HOLDS_FILE, path) as process,
        pytest.raises(
            WarehouseError, match=f"was still held by process {process.pid} .* after 0.3 s: end that process"
        ),
        connect(path, timeout=0.3),
    ):
        pass


def test_a_file_that_is_released_in_time_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with _other_process(HOLDS_FILE, path) as process:
        assert process.stdin is not None
        process.stdin.close()
        with connect(path, timeout=30) as connection:
            assert connection.execute("select 1").fetchone() == (1,)


def test_readers_share_the_file(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with connect(path):
        pass
    with connect(path, read_only=True), connect(path, read_only=True) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_the_right_to_write_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    told: list[str] = []
    with _other_process(HOLDS_LOCK, path) as process:
        message = rf"was still being written by process {process.pid} \(.*\) after 0.2 s"
        with pytest.raises(WarehouseError, match=message), exclusive(path, timeout=0.2, on_wait=told.append):
            pass
        assert process.stdin is not None
        process.stdin.close()
        with exclusive(path, timeout=30):
            pass
    assert len(told) == 1
    assert f"is being written by process {process.pid}" in told[0]


def test_the_right_to_write_of_a_killed_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with _other_process(HOLDS_LOCK, path) as process:
        process.kill()
        process.wait()
        with exclusive(path, timeout=5):
            pass


def _error(path: Path, *, read_only: bool = False) -> str:
    with pytest.raises(WarehouseError) as caught, connect(path, read_only=read_only, timeout=0):
        pass
    return str(caught.value)


def test_a_file_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    path.write_text("a shopping list, not a database\n" * 500)
    assert "is not a DuckDB file: move it away" in _error(path)
    assert path.read_text().startswith("a shopping list")


def test_a_folder_is_no_warehouse(tmp_path: Path) -> None:
    assert "is not a DuckDB file" in _error(tmp_path)


def _checksum(block: bytes) -> bytes:
    """As a DuckDB file has it in front of a block: over words of 64 bits."""
    result = 5381
    for start in range(0, len(block), 8):
        result ^= int.from_bytes(block[start : start + 8], "little") * 0xBF58476D1CE4E5B9 % 2**64
    return result.to_bytes(8, "little")


def test_a_file_of_a_newer_version_says_so(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table t as select 1")
    content = bytearray(path.read_bytes())
    assert content[:8] == _checksum(content[8:4096])
    assert content[8:12] == b"DUCK"
    content[12:20] = (60_000).to_bytes(8, "little")
    content[:8] = _checksum(content[8:4096])
    path.write_bytes(content)
    assert "was written by another version of DuckDB than the installed" in _error(path)


def test_a_missing_file_can_not_be_read(tmp_path: Path) -> None:
    assert "can't be opened: " in _error(tmp_path / "w.duckdb", read_only=True)
    assert not (tmp_path / "w.duckdb").exists()


def test_a_folder_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "of the warehouse can't be created: Not a directory" in _error(tmp_path / "file" / "x" / "w.duckdb")


def test_a_full_disk_is_one_sentence_and_what_was_there_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with connect(path) as connection:
        connection.execute("create table kept as select 42 as answer")
    # A limit on the size of files does what a full disk does: writing fails half-way.
    code = """
        import resource, sys
        from staged_assets.landing.warehouse import connect
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
        try:
            with connect(sys.argv[1]) as connection:
                connection.execute("create table t as select hash(range) as h from range(3_000_000)")
                connection.execute("checkpoint")
        except Exception as error:
            print(type(error).__name__, error)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    assert said.startswith(f"WarehouseError The disk of {path} is full: free space and run again")
    with connect(path) as connection:
        assert connection.execute("select answer from kept").fetchone() == (42,)


def test_landing_on_a_full_disk_goes_on_when_there_is_room(tmp_path: Path) -> None:
    (tmp_path / "visits").mkdir()
    lines = "".join(f'{{"id":{number},"name":"{hash(str(number))}"}}\n' for number in range(50_000))
    (tmp_path / "visits" / "a.ndjson").write_text(lines)
    sources = described(tmp_path, "event_files", {"path": "."}, {"from": "visits"})
    path = tmp_path / "w.duckdb"
    with connect(path) as connection:
        prepare(connection)
    code = """
        import resource, sys
        from pathlib import Path
        from staged_assets.landing.land import land_feed
        from staged_assets.landing.warehouse import connect
        from staged_assets.sources.config import load_sources
        path = Path(sys.argv[1])
        sources = load_sources(path.with_name("sources.yaml"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
        try:
            with connect(path) as connection:
                land_feed(connection, sources, *sources.feeds_of("touchpoints")[0])
        except Exception as error:
            print(type(error).__name__, error)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    assert said.startswith(f"WarehouseError The disk of {path} is full")
    with connect(path) as connection:
        assert land(connection, sources).landed == 50_000
        assert land(connection, sources).landed == 0


def test_a_transaction_within_another_one_is_a_part_of_it() -> None:
    connection = duckdb.connect()
    connection.execute("create table t (x int)")

    def fails() -> None:
        with transaction(connection):
            with transaction(connection):
                connection.execute("insert into t values (1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert connection.execute("select count(*) from t").fetchone() == (0,)
    with transaction(connection), transaction(connection):
        connection.execute("insert into t values (2)")
    assert connection.execute("select x from t").fetchall() == [(2,)]
