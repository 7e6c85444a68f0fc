import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from staged_assets.catalogue import DATASETS
from staged_assets.demo.feeds import SOURCES
from staged_assets.demo.generator import generate
from staged_assets.demo.manifest import MANIFEST_FILE, Manifest
from staged_assets.demo.systems import ensure, running
from staged_assets.errors import ConfigurationError, SourceError
from staged_assets.settings import Settings
from staged_assets.sources.config import load_sources


def test_the_demo_is_generated_once(tmp_path: Path) -> None:
    first = ensure(tmp_path / "demo", 100)
    written = (first.path / MANIFEST_FILE).stat().st_mtime_ns
    again = ensure(tmp_path / "demo", 5_000)
    assert again.manifest == first.manifest
    assert (first.path / MANIFEST_FILE).stat().st_mtime_ns == written


def test_settings_name_its_folder(tmp_path: Path) -> None:
    assert ensure(Settings(home=tmp_path), 100).path == tmp_path / "demo"


def test_what_a_killed_process_left_is_made_anew(tmp_path: Path) -> None:
    demo = tmp_path / "demo"
    process = subprocess.Popen([sys.executable, "-c", _ENDLESS, str(demo)], cwd=Path(__file__).parents[2])
    _wait_for(tmp_path / ".demo.unfinished" / "truth.ndjson")
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not demo.exists()

    ensure(demo, 100)

    generate(tmp_path / "expected", scale=100)
    assert _bytes(demo) == _bytes(tmp_path / "expected")
    assert not (tmp_path / ".demo.unfinished").exists()


_ENDLESS = """
import sys
from pathlib import Path
from staged_assets.demo.systems import ensure
ensure(Path(sys.argv[1]), 1_000_000)
"""


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 120
    while not path.exists() or not path.stat().st_size:
        assert time.monotonic() < deadline, f"{path} is not being written"
        time.sleep(0.05)


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "mine.txt").write_text("kept")
    with pytest.raises(ConfigurationError, match="other files"):
        ensure(tmp_path / "demo", 100)
    assert (tmp_path / "demo" / "mine.txt").read_text() == "kept"


def test_a_demo_of_another_version_is_named(tmp_path: Path) -> None:
    demo = ensure(tmp_path / "demo", 100)
    demo.manifest.version = 0
    demo.manifest.write(demo.path)
    with pytest.raises(ConfigurationError, match="version 0"):
        ensure(tmp_path / "demo", 100)


def test_running_sets_what_the_configuration_refers_to_and_restores_it(
    demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMO_ERP_PATH", "before")
    monkeypatch.delenv("DEMO_CRM_URL", raising=False)

    with running(demo) as environment:
        assert httpx.get(os.environ["DEMO_CRM_URL"] + "/health").is_success
        assert Path(os.environ["DEMO_ERP_PATH"]).is_file()
        assert Path(os.environ["DEMO_ECOMMERCE_PATH"]).is_dir()

    assert set(environment) == {"DEMO_ERP_PATH", "DEMO_CRM_URL", "DEMO_ECOMMERCE_PATH"}
    assert (os.environ["DEMO_ERP_PATH"], "DEMO_CRM_URL" in os.environ) == ("before", False)


def test_running_without_a_demo_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="generate the demo"), running(tmp_path):
        pass


def test_the_shipped_configuration_feeds_all_fourteen() -> None:
    sources = load_sources(SOURCES)
    fed = {name: [system for system, _ in sources.feeds_of(name)] for name in DATASETS}
    assert all(fed.values())
    assert {name for name, systems in fed.items() if len(systems) > 1} == {
        "consumers", "interactions", "shops", "suppliers",
    }  # fmt: skip


def test_the_manifest_reads_as_it_was_written(tmp_path: Path) -> None:
    manifest = generate(tmp_path / "demo", scale=100)
    assert Manifest.read(tmp_path / "demo") == manifest
