"""What took long to make and is kept in the home, as JSON."""

import json
import os
from pathlib import Path
from typing import Any


def keep(path: Path, value: Any) -> None:
    """Write it; another process reads all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_suffix(f".{os.getpid()}")
    written.write_text(json.dumps(value), encoding="utf-8")
    written.replace(path)


def kept(path: Path) -> Any:
    """What is kept there; None where nothing is."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
