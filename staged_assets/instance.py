"""Dagster's instance: its home, and a job run in this process with its events recorded there."""

import os
import signal
from pathlib import Path

from staged_assets.settings import PACKAGE, Settings


def heed_interrupts() -> None:
    """Have the processes that this one starts end when they are told to.

    What a script's shell starts in the background ignores interrupts, and Dagster's processes treat SIGTERM as they
    treat those: nothing short of SIGKILL would end them.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


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
    content, configuration = (PACKAGE / "dagster.yaml").read_bytes(), home / "dagster.yaml"
    if not configuration.exists() or configuration.read_bytes() != content:
        # Whole or not at all: another run may be reading it.
        unfinished = home / f".dagster.yaml.{os.getpid()}"
        unfinished.write_bytes(content)
        unfinished.replace(configuration)
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    return home
