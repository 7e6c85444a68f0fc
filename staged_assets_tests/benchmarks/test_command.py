"""All benchmarks in one command: what it writes, and what it compares with the targets."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__, startup, targets, validation, warm_runs
from benchmarks.competitors import Limit, ThisProject
from benchmarks.environments import environment
from benchmarks.processes import Failed, Worker, in_turn, run

ROOT = Path(__file__).parents[2]
HALF_A_SECOND = "import time; x = bytearray(100_000_000); time.sleep(0.5)"


def test_loading_is_measured(tmp_path: Path) -> None:
    figures = startup.measure(1, tmp_path, ways=[startup.IMPORTS])
    assert figures["failed"] == {}
    assert f"| {startup.IMPORTS} |" in startup.as_markdown(figures)


def test_the_command_writes_tables_figures_and_plots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(__main__, "WAYS", ["plain SQL"])
    files = {name: tmp_path / name for name in ("json", "markdown", "plots")}
    chosen = [argument for name, path in files.items() for argument in (f"--{name}", str(path))]
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--rows", "1000", "--repeat", "2", "--only", "validation", *chosen])
    __main__.main()
    figures = json.loads(files["json"].read_text())
    assert figures["machine"]["cores"] > 0
    assert figures["versions"][""]["duckdb"]
    assert len(figures["validation"][0]["runs"]["plain SQL"]) == 2
    assert validation.as_markdown(figures["validation"]) in files["markdown"].read_text()
    assert [path.name for path in files["plots"].iterdir()] == ["validation.png"]


def test_warm_runs_are_measured() -> None:
    figures = warm_runs.measure(2, print)
    assert min(figures["median_seconds"], figures["memory_before_kb"]) > 0
    assert figures["handles_after"] == figures["handles_before"]


def test_memory_is_that_of_all_processes() -> None:
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HALF_A_SECOND!r}]); {HALF_A_SECOND}"
    with_child = f"import subprocess, sys; c = subprocess.Popen([sys.executable, '-c', {HALF_A_SECOND!r}]);"
    alone, both = run([sys.executable, "-c", child]), run([sys.executable, "-c", f"{with_child} {HALF_A_SECOND}"])
    assert 95 < alone["peak_mb"] < 190 < both["peak_mb"]


def test_one_that_fails_is_left_out_and_says_why() -> None:
    failing = [sys.executable, "-c", "raise ValueError('no such thing')"]
    costs, failed = in_turn({"good": lambda: {"seconds": 1.0}, "bad": lambda: run(failing)}, repeat=2)
    assert costs == {"good": [{"seconds": 1.0}] * 2}
    assert failed["bad"].endswith("ValueError: no such thing")


def test_a_worker_that_ends_says_why() -> None:
    worker = Worker([sys.executable, "-c", "raise ValueError('no such thing')"])
    with pytest.raises(Failed, match="no such thing"):
        worker.ask("refresh")
    worker.close()


def test_an_environment_that_cannot_be_installed_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1, "no such package\n"))
    with pytest.raises(Failed, match="can't be installed: no such package"):
        environment("sqlmesh", tmp_path)


def test_targets_are_compared_with_the_medians() -> None:
    limit = [{"seconds": seconds, "peak_mb": 900.0} for seconds in (1.0, 9.0, 2.0)]
    ours = [{"seconds": seconds, "peak_mb": 2600.0} for seconds in (4.0, 99.0, 5.0)]
    figures = {"rows": 10_000_000, "runs": {Limit.name: limit, ThisProject.name: ours}}
    ratio, memory = targets.targets({"full-refresh": [figures]})
    assert (ratio.reached, ratio.at_most, ratio.is_met) == (2.5, 2.5, True)
    assert (memory.reached, memory.at_most, memory.is_met) == (2.6, 2.5, False)
    assert "| 2.5 times | yes |" in targets.as_markdown([ratio])
