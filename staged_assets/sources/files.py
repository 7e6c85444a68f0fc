"""What the connectors that read files share: finding, opening and fingerprinting them."""

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO, cast

from staged_assets.errors import ConfigurationError, SourceError
from staged_assets.sources.models import FolderConnection

#: what reading a file can raise
UNREADABLE = (OSError, EOFError, zlib.error)


@dataclass(frozen=True)
class File:
    """A file of a source.

    Attributes:
        name: its path below the connection's folder, without `.gz`: a file stays the same when it is compressed.
        size, modified: bytes and nanoseconds; as long as neither changes, nothing in it has.
    """

    path: Path
    name: str
    size: int
    modified: int

    @property
    def is_compressed(self) -> bool:
        """Whether it is a gzip file."""
        return self.path.suffix == ".gz"

    def open(self) -> BinaryIO:
        """Its content, uncompressed."""
        return cast(BinaryIO, gzip.open(self.path)) if self.is_compressed else self.path.open("rb")


def existing_folder(system: str, path: str) -> Path:
    """The folder of a connection.

    Raises:
        SourceError: there is none.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise SourceError(f"{system}: there is no folder {folder}: create it, or correct connection.path.")
    return folder


def connection_folder(system: str, connection: FolderConnection) -> Path:
    """The folder of a connection that may also be in an installed package.

    Raises:
        ConfigurationError: the package is not installed.
        SourceError: there is no such folder.
    """
    if connection.path is not None:
        return existing_folder(system, connection.path)
    spec = find_spec(str(connection.package))
    places = spec.submodule_search_locations if spec else None
    if not places:
        raise ConfigurationError(
            f"systems.{system}.connection.package is {connection.package!r}, which is not installed: install it."
        )
    return existing_folder(system, str(Path(places[0]) / connection.folder))


def find_files(folder: Path, pattern: str, endings: Sequence[str]) -> list[File]:
    """The files of a stream, by name: those that match a glob, or all of these endings below a folder."""
    if (folder / pattern).is_dir():
        found = [path for ending in endings for path in (folder / pattern).rglob(f"*{ending}")]
    else:
        found = list(folder.glob(pattern))
    files: dict[str, File] = {}
    for path in sorted(found):
        name = path.relative_to(folder).as_posix().removesuffix(".gz")
        if path.is_dir():
            continue
        # Of a file and its compressed copy only the one: they are the same records.
        files.setdefault(name, _file(path, name))
    return list(files.values())


def _file(path: Path, name: str) -> File:
    try:
        status = path.stat()
    except OSError:
        return File(path, name, -1, -1)
    return File(path, name, status.st_size, status.st_mtime_ns)


def reason(error: BaseException) -> str:
    """Why a file could not be read, in a few words."""
    if isinstance(error, EOFError):
        return "the compressed file ends too early"
    return getattr(error, "strerror", None) or str(error).partition("\n")[0].rstrip(".")
