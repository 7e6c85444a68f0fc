"""What a warm process has loaded: it must not run what is no longer so."""

import hashlib
import os
import sysconfig
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from staged_assets.errors import WarmProcessError
from staged_assets.settings import PACKAGE, load_settings
from staged_assets.sources.secrets import REFERENCE

_IGNORED = {"__pycache__", "target", "logs"}


def fingerprint(target: str) -> str:
    """Hash of the code and configuration that a process loads for a code location; some milliseconds.

    Of files it takes names, times and sizes; of the environment the project's own variables and those that
    `sources.yaml` and `alerts.yaml` refer to.

    Args:
        target: a module, or the path of a Python file.

    Raises:
        ConfigurationError: a setting is of the wrong kind.
        WarmProcessError: there is no such module.
    """
    settings = load_settings()
    configuration = [path for path in (settings.sources_path, settings.validation_path, settings.alerts_path) if path]
    digest = hashlib.sha256(f"{target}\0{settings.home.absolute()}\0{settings.warehouse_path}\0".encode())
    roots = {PACKAGE, _root(target), *configuration, Path.cwd() / ".env"}
    for path, status in (found for root in sorted(roots) for found in _files(root)):
        digest.update(f"{path}\0{status.st_mtime_ns}\0{status.st_size}\0{status.st_ino}\0".encode())
    # Whatever is installed, upgraded or removed changes the folder.
    installed = Path(sysconfig.get_paths()["purelib"])
    digest.update(f"{installed}\0{installed.stat().st_mtime_ns}\0".encode())
    for name in sorted(_variables(configuration)):
        digest.update(f"{name}={os.environ.get(name)}\0".encode())
    return digest.hexdigest()


def _root(target: str) -> Path:
    """The file or the package that a code location is in."""
    if target.endswith(".py"):
        return Path(target).absolute()
    spec = find_spec(target.partition(".")[0])
    if spec is None or spec.origin is None:
        raise WarmProcessError(f"there is no module {target!r}")
    origin = Path(spec.origin)
    return origin.parent if origin.name == "__init__.py" else origin


def _files(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    if not root.is_dir():
        if root.exists():
            yield str(root), root.stat()
        return
    pending = [str(root)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_dir():
                    if entry.name not in _IGNORED:
                        pending.append(entry.path)
                else:
                    yield entry.path, entry.stat()


def _variables(configuration: Iterable[Path]) -> set[str]:
    found = {name for name in os.environ if name.startswith(("STAGED_ASSETS_", "PYTHON"))}
    for path in configuration:
        if path.exists():
            found |= set(REFERENCE.findall(path.read_text(errors="replace")))
    return found
