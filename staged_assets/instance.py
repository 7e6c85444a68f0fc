"""Dagster's instance: its home, and a job run in this process with its events recorded there."""

import os
import shutil
from pathlib import Path

from staged_assets.settings import PACKAGE, Settings


def prepare_home(settings: Settings) -> Path:
    """Make Dagster's home from the project's `dagster.yaml` and point the environment at it.

    Returns:
        the home. An instance that the environment names already (DAGSTER_HOME) is left as it is.
    """
    given = os.environ.get("DAGSTER_HOME")
    if given:
        return Path(given)
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PACKAGE / "dagster.yaml", home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    return home
