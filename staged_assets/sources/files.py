"""What the connectors that read files share: finding, opening and fingerprinting them."""

import gzip
import io
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa

from staged_assets.errors import ConfigurationError, SourceError
from staged_assets.sources.connections import FolderConnection, is_address
from staged_assets.sources.secrets import masked

#: endings of compressed files
COMPRESSED = (".gz", ".zst")

#: what reading a file can raise
UNREADABLE = (OSError, EOFError, zlib.error)


@dataclass(frozen=True)
class File:
    """A file of a source.

    Attributes:
        path: a local one, or one of an object store.
        name: its path below the connection's folder, without `.gz` or `.zst`: compressed, a file stays the same.
        size, modified: bytes and nanoseconds (or what else tells versions of an object apart); as long as neither
            changes, nothing in it has.
    """

    path: Path
    name: str
    size: int
    modified: int

    @property
    def is_compressed(self) -> bool:
        """Whether it is a gzip or zstd file."""
        return self.path.suffix in COMPRESSED

    def open(self) -> BinaryIO:
        """Its content, uncompressed."""
        if self.path.suffix == ".gz":
            return cast(BinaryIO, gzip.open(self.path.open("rb")))
        if self.path.suffix == ".zst":
            return cast(BinaryIO, io.BufferedReader(ZstdFile(lambda: self.path.open("rb"))))
        return self.path.open("rb")


def existing_folder(system: str, path: str, options: Mapping[str, Any]) -> Path:
    """The folder of a connection.

    Args:
        path: of this machine, or the address of an object store.
        options: for an object store, as fsspec takes them.

    Raises:
        SourceError: there is none, or it can't be reached.
        ConfigurationError: what the object store needs is not installed.
    """
    if not is_address(path):
        folder = Path(path)
        if not folder.is_dir():
            raise SourceError(f"{system}: there is no folder {folder}: create it, or correct connection.path.")
        return folder
    try:
        from upath import UPath

        # An object store has no empty folders: one that is not there holds nothing.
        return cast(Path, UPath(path, **options))
    except (ImportError, ValueError) as error:
        raise ConfigurationError(
            f"{system}: {masked(path)} can't be used: {str(error).rstrip('.')}: install 'staged-assets[objectstore]'"
            " and fsspec's package for that store (s3fs, gcsfs, adlfs), or correct connection.path."
        ) from error


def connection_folder(system: str, connection: FolderConnection) -> Path:
    """The folder of a connection that may also be in an installed package.

    Raises:
        ConfigurationError: the package is not installed.
        SourceError: there is no such folder.
    """
    if connection.path is not None:
        return existing_folder(system, connection.path, connection.options)
    spec = find_spec(str(connection.package))
    places = spec.submodule_search_locations if spec else None
    if not places:
        raise ConfigurationError(
            f"systems.{system}.connection.package is {connection.package!r}, which is not installed: install it."
        )
    return existing_folder(system, str(Path(places[0]) / connection.folder), {})


def find_files(folder: Path, pattern: str, endings: Sequence[str]) -> list[File]:
    """The files of a stream, by name: those that match a glob, or all of these endings below a folder."""
    below = folder if pattern == "." else folder / pattern
    if below.is_dir():
        found = [path for ending in endings for path in below.rglob(f"*{ending}")]
    else:
        found = list(folder.glob(pattern))
    files: dict[str, File] = {}
    for path in sorted(found, key=str):
        name = path.relative_to(folder).as_posix()
        for ending in COMPRESSED:
            name = name.removesuffix(ending)
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
    return File(path, name, status.st_size, status.st_mtime_ns or _object_version(status))


def _object_version(status: Any) -> int:
    """A number that changes with an object, of a store that gives no modification time."""
    said: Mapping[str, Any] = getattr(status, "as_info", dict)()
    known = [str(said[name]) for name in ("ETag", "etag", "md5Hash", "LastModified", "created") if said.get(name)]
    return int.from_bytes(blake2b("|".join(known).encode(), digest_size=7).digest(), "big")


class ZstdFile(io.RawIOBase):
    """The content of a zstd file; going back reads it from its start again.

    Args:
        open_file: opens the compressed file.

    Raises:
        OSError: on reading, when the file ends too early or is no zstd file.
    """

    def __init__(self, open_file: Callable[[], BinaryIO]) -> None:
        self._open_file = open_file
        self._start()

    def _start(self) -> None:
        self._stream = pa.CompressedInputStream(pa.PythonFile(self._open_file(), mode="r"), "zstd")
        self._position = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer; 0 at the end."""
        try:
            content = self._stream.read(len(buffer))
        except pa.ArrowException as error:
            raise OSError(f"it is no whole zstd file: {error}") from error
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position, counted from the start or from here."""
        target = offset if whence == io.SEEK_SET else self._position + offset
        if target < self._position:
            self._stream.close()
            self._start()
        while self._position < target and (content := self._stream.read(min(target - self._position, 1 << 20))):
            self._position += len(content)
        return self._position

    def tell(self) -> int:
        """The position."""
        return self._position

    def close(self) -> None:
        """Close the file below."""
        if not self.closed:
            self._stream.close()
        super().close()


def reason(error: BaseException) -> str:
    """Why a file could not be read, in a few words."""
    if isinstance(error, EOFError):
        return "the compressed file ends too early"
    return getattr(error, "strerror", None) or str(error).partition("\n")[0].rstrip(".")
