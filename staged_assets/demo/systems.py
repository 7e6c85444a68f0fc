"""The demo's systems on disk and running: made once, served while they are used."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from filelock import FileLock

from staged_assets.demo.crm_server import serve
from staged_assets.demo.generator import DEFAULT_SCALE, SEED, Progress, generate
from staged_assets.demo.manifest import MANIFEST_FILE, VERSION, Manifest
from staged_assets.demo.writers import ECOMMERCE_FOLDER, ERP_FILE
from staged_assets.errors import ConfigurationError
from staged_assets.settings import Settings


@dataclass(frozen=True)
class DemoSystems:
    """The demo's systems in a folder."""

    path: Path
    manifest: Manifest


def ensure(
    where: Settings | Path,
    scale: int = DEFAULT_SCALE,
    *,
    seed: int = SEED,
    on_progress: Progress | None = None,
) -> DemoSystems:
    """The demo's systems, generated if they are not there; what a killed process left half-made is made anew.

    Args:
        where: the demo's folder, or settings that name it.
        scale: number of sales of a demo that has to be generated; one that is there keeps its own.
        seed: likewise.
        on_progress: called with a step and its detail while it is generated.

    Raises:
        ConfigurationError: the folder holds other things, or a demo of another version.
    """
    path = (where.demo_path if isinstance(where, Settings) else where).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        if not (path / MANIFEST_FILE).exists():
            _generate(path, scale, seed, on_progress)
        manifest = Manifest.read(path)
    if manifest.version != VERSION:
        raise ConfigurationError(
            f"The demo in {path} is of version {manifest.version}, this is {VERSION}:"
            " remove that folder and the warehouse made from it."
        )
    return DemoSystems(path, manifest)


def _generate(path: Path, scale: int, seed: int, on_progress: Progress | None) -> None:
    """Beside its place first, so that what is in its place is whole."""
    if path.exists() and any(path.iterdir()):
        raise ConfigurationError(f"The demo's folder {path} holds other files: remove them, or name another folder.")
    unfinished = path.with_name(f".{path.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    generate(unfinished, scale=scale, seed=seed, on_progress=on_progress)
    unfinished.rename(path)


_kept = ExitStack()
_served: dict[Path, DemoSystems] = {}
_one_at_a_time = Lock()


@contextmanager
def serve_demo(settings: Settings) -> Iterator[None]:
    """The demo's systems, made if they are not there, and running as long as this process: for sensors and checks."""
    path = settings.demo_path
    with _one_at_a_time:
        if path not in _served:
            _served[path] = ensure(path)
            _kept.enter_context(running(path))
    yield


@contextmanager
def running(path: Path) -> Iterator[dict[str, str]]:
    """Start the CRM, and set the environment to which the demo's `sources.yaml` refers; both end with the block.

    Yields:
        The environment variables.

    Raises:
        SourceError: the demo is not there.
    """
    with serve(path) as url:
        environment = {
            "DEMO_ERP_PATH": str(path / ERP_FILE),
            "DEMO_CRM_URL": url,
            "DEMO_ECOMMERCE_PATH": str(path / ECOMMERCE_FOLDER),
        }
        before = {name: os.environ.get(name) for name in environment}
        os.environ.update(environment)
        try:
            yield environment
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
