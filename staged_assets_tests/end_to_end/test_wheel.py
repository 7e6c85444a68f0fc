"""The package as others install it: a wheel, in an environment of its own, run from an empty directory."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOT_PACKAGED = shutil.ignore_patterns(".*", "build", "target", "logs", "__pycache__", "*.egg-info")

#: The version of setuptools that builds is the environment's own: the test needs no registry.
pytest.importorskip("setuptools", minversion="77", reason="the wheel is built by setuptools 77 or newer")


def execute(*command: str | Path, cwd: Path, environment: Mapping[str, str] | None = None) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is left behind in the project."""
    base = tmp_path_factory.mktemp("wheel")
    project = base / "project"
    shutil.copytree(ROOT, project, symlinks=True, ignore=NOT_PACKAGED)
    execute(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", base, project, cwd=base)
    (built,) = base.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and this one's packages, but not with the project itself."""
    environment = tmp_path_factory.mktemp("environment")
    execute(sys.executable, "-m", "venv", environment, cwd=environment)
    execute(
        environment / "bin" / "python", "-m", "pip", "install", "--no-deps", "--no-index", wheel, cwd=environment
    )  # fmt: skip
    (packages,) = environment.glob("lib/python*/site-packages")
    # A path in a .pth file is searched, but its own .pth files are not read: an editable install stays invisible.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment


def outside(environment: Path) -> dict[str, str]:
    """The environment variables of a shell that knows nothing of the project."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("STAGED_ASSETS_", "DAGSTER_", "PYTHON"))}
    return kept | {"PATH": f"{environment / 'bin'}{os.pathsep}{kept['PATH']}", "PYTHONDONTWRITEBYTECODE": "1"}


def files_of(package: Path) -> set[str]:
    return {str(path.relative_to(package)) for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"}


def test_the_wheel_has_every_file_of_the_package_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    source = ROOT / "staged_assets"
    made = {"target", "logs", "__pycache__"}
    assert names == {
        f"staged_assets/{name}"
        for name in files_of(source)
        if not made & set(Path(name).parts) and name[-4:] != ".lock"
    }


def test_the_installed_package_runs_from_an_empty_directory(installed: Path, tmp_path: Path) -> None:
    variables = outside(installed)
    where = "import staged_assets; print(staged_assets.__file__)"
    package = Path(execute(installed / "bin" / "python", "-c", where, cwd=tmp_path, environment=variables)).parent
    assert package.is_relative_to(installed)
    before = files_of(package)

    printed = execute(
        installed / "bin" / "staged-assets", "run", "--scale", "1000", "--json", cwd=tmp_path, environment=variables
    )

    result = json.loads(printed)
    assert result["success"] is True
    assert result["warehouse"] == str(tmp_path / ".staged_assets" / "warehouse.duckdb")
    assert all(entry["staged"] > 0 and entry["unexplained"] == 0 for entry in result["datasets"].values())
    assert files_of(package) == before, "a run writes into the package"
    assert [path.name for path in tmp_path.iterdir()] == [".staged_assets"]
