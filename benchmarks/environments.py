"""Environments of their own for peers whose dependencies this project's can't share."""

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.command import say
from benchmarks.processes import ROOT, Failed

#: Where they are kept from one run to the next.
CACHE = ROOT / ".bench"
_PEERS = Path(__file__).parent / "peers"


def environment(peer: str, cache: Path = CACHE) -> Path:
    """The Python of a peer's environment, made from `peers/<peer>/requirements.txt` where it is missing.

    Raises:
        Failed: it can't be installed.
    """
    requirements = (_PEERS / peer / "requirements.txt").read_text(encoding="utf-8")
    folder = cache / peer
    installed, python = folder / "installed.txt", folder / "bin" / "python"
    if installed.exists() and installed.read_text(encoding="utf-8") == requirements:
        return python
    say(f"{peer}: installing its environment in {folder}, once")
    shutil.rmtree(folder, ignore_errors=True)
    _call([sys.executable, "-m", "venv", str(folder)])
    _call([str(python), "-m", "pip", "install", "--quiet", "--requirement", str(_PEERS / peer / "requirements.txt")])
    installed.write_text(requirements, encoding="utf-8")
    return python


def _call(command: list[str]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        said = done.stdout.strip().splitlines() or ["nothing was said"]
        raise Failed(f"its environment can't be installed: {said[-1]}")
