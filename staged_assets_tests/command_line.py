"""The command `staged-assets` as a person calls it, in a home of its own: in this process, or in one of its own."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from staged_assets import cli
from staged_assets.settings import Settings
from staged_assets.staging.project import StagingProject
from staged_assets_tests.staged_area import WAREHOUSE

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit status, and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What `--json` printed."""
        return json.loads(self.out)

    def expect_success(self) -> "Ended":
        """The same, or an error that says what went wrong."""
        assert self.status == 0, self.err
        return self


@dataclass(frozen=True)
class CommandLine:
    """The command in one home.

    Attributes:
        home: for the warehouse, Dagster's home and the demo.
        variables: further environment.
    """

    home: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """Those that the command works with."""
        return Settings(home=self.home, warehouse=self.home / WAREHOUSE)

    @property
    def environment(self) -> dict[str, str]:
        """This process's, without what would lead elsewhere."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("STAGED_ASSETS_", "DAGSTER_"))
        }
        return {**kept, "STAGED_ASSETS_HOME": str(self.home), "PYTHONPATH": str(ROOT), **self.variables}

    def run(self, *arguments: str) -> Ended:
        """Run it in this process: what is imported and parsed already need not be again."""
        out, err = io.StringIO(), io.StringIO()
        with (
            patch.dict(os.environ, self.environment, clear=True),
            patch.object(sys, "argv", ["staged-assets", *arguments]),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                cli.main()
                status = 0
            except SystemExit as end:
                status = int(end.code or 0)
        return Ended(status, out.getvalue(), err.getvalue())

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start it as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "staged_assets.cli", *arguments], text=True, cwd=self.home,
            env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
        )  # fmt: skip

    def share_parsed_project(self, shared_home: Path) -> None:
        """Use what has been parsed for the home that all tests share, instead of parsing the dbt project once more."""
        share_parsed_project(shared_home, self.settings)

    def copy(self, home: Path) -> "CommandLine":
        """The same in a copy of its home."""
        shutil.copytree(self.home, home, symlinks=True)
        copy = CommandLine(home, self.variables)
        copy.share_parsed_project(self.home)
        return copy


def share_parsed_project(shared_home: Path, settings: Settings) -> None:
    """Use for a home what has been parsed for the one that all tests share."""
    theirs, mine = StagingProject(Settings(home=shared_home)), StagingProject(settings)
    # Not `parsed`, which this process may know from another home.
    assert theirs.manifest
    # Other test processes write there meanwhile: nothing that may be gone when it is copied.
    passing = shutil.ignore_patterns("run", "compiled", "*.[0-9]*", ".parse.lock")
    shutil.copytree(theirs.target_path, mine.target_path, dirs_exist_ok=True, ignore=passing)


def finish(process: subprocess.Popen[str]) -> Ended:
    """Wait for a process that was started."""
    out, err = process.communicate()
    return Ended(process.returncode, out, err)
