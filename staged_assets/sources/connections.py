"""The types of `sources.yaml`, second part: what can be said of a connection."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError, field_validator, model_validator

from staged_assets.errors import ConfigurationError
from staged_assets.sources.needs import Duration
from staged_assets.sources.rest_settings import Auth, Paging
from staged_assets.sources.strict import Name, Strict, nearest


class SqliteConnection(Strict):
    """A SQLite file, opened read-only."""

    path: Name


#: scheme of a database's URL → what it is called
SCHEMES = {
    "postgresql": "PostgreSQL",
    "postgres": "PostgreSQL",
    "mysql": "MySQL",
    "mariadb": "MariaDB",
    "mssql": "SQL Server",
    "sqlite": "SQLite",
}


class DatabaseConnection(Strict):
    """A database server.

    Attributes:
        url: `postgresql://user:${PASSWORD}@host/database`; likewise `mysql`, `mariadb`, `mssql`, and `sqlite:///path`.
        schema_name: where tables are looked for whose name has no schema; written `schema`.
    """

    url: Name
    schema_name: Name | None = Field(default=None, alias="schema")

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        scheme = url.partition("://")[0]
        if scheme not in SCHEMES and not url.startswith("${"):
            raise ValueError(f"the URL begins with {scheme!r}, {nearest(scheme, SCHEMES)}")
        return url

    @property
    def scheme(self) -> str:
        """The key of `SCHEMES`."""
        return self.url.partition("://")[0]


def database_connection(variable: str, url: str | None, schema: str | None = None) -> DatabaseConnection:
    """A connection to the database whose URL an environment variable holds.

    Raises:
        ConfigurationError: the variable is not set, or holds no database's URL.
    """
    if not url:
        raise ConfigurationError(f"The environment variable {variable} is not set: put the database's URL into it.")
    try:
        return DatabaseConnection.model_validate({"url": url, "schema": schema})
    except ValidationError as error:
        raise ConfigurationError(
            f"The environment variable {variable} holds no URL of a database: one begins with {', '.join(SCHEMES)}."
        ) from error


class DuckdbConnection(Strict):
    """A DuckDB file that another loader fills; it may be the warehouse itself.

    Attributes:
        schema_name: where tables are looked for whose name has no schema; written `schema`.
    """

    path: Name
    schema_name: Name | None = Field(default=None, alias="schema")


class RestConnection(Strict):
    """A REST API.

    Attributes:
        url: what the endpoints' names are appended to.
        headers: sent with each request.
        auth: who asks.
        paging: how lists are asked for.
        since_param: query parameter of the moment since which records must have changed.
        page_size: records asked for at once.
        timeout: seconds for one answer.
        attempts: tries of one request, with growing pauses between them.
    """

    url: Name
    headers: dict[str, str] = {}
    auth: Auth | None = None
    paging: Paging = Paging()
    since_param: Name = "updated_since"
    page_size: Annotated[int, Field(ge=1)] = 1000
    timeout: Annotated[float, Field(gt=0, strict=False)] = 30.0
    attempts: Annotated[int, Field(ge=1)] = 5


def is_address(path: str) -> bool:
    """Whether a path is the address of an object store."""
    return "://" in path


class EventFilesConnection(Strict):
    """A folder of event files, one JSON object in a line, plain, `.gz` or `.zst`.

    Attributes:
        path: of this machine, or the address of an object store such as `s3://bucket/folder`.
        options: for an object store, as fsspec takes them.
    """

    path: Name
    options: dict[str, Any] = {}


class WebhookConnection(Strict):
    """Deliveries over HTTP, received by `staged-assets webhook`.

    Attributes:
        path: the folder that they are written to.
        secret, previous_secret: the key of the signature; two while it is being changed.
        signature_header, signature_prefix, signature_encoding: where an HMAC with SHA-256 stands, and how.
        signed: what it is of: `{timestamp}`, `{body}` and what stands between them.
        timestamp_header: when it was sent: seconds since 1970, or ISO 8601 with an offset; null where nothing says so.
        tolerance: how far that may be from now.
        id_header: names a delivery, which may be sent again; null where nothing does.
        remember: how long an id is known.
        max_bytes: of a delivery.
        rate: deliveries in a second; no limit by default.
    """

    path: Name
    secret: Name
    previous_secret: Name | None = None
    signature_header: Name = "X-Signature"
    signature_prefix: str = ""
    signature_encoding: Literal["hex", "base64"] = "hex"
    signed: Name = "{timestamp}.{body}"
    timestamp_header: Name | None = "X-Timestamp"
    tolerance: Duration = timedelta(minutes=5)
    id_header: Name | None = "X-Delivery-Id"
    remember: Duration = timedelta(days=1)
    max_bytes: Annotated[int, Field(ge=1)] = 1_000_000
    rate: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _signs_what_is_there(self) -> "WebhookConnection":
        if self.signed.count("{body}") != 1:
            raise ValueError("signed must contain {body} once")
        if ("{timestamp}" in self.signed) != (self.timestamp_header is not None):
            raise ValueError(
                "a timestamp must be signed, or anybody could renew it: give both timestamp_header and"
                " {timestamp} in signed, or neither"
            )
        return self


class FolderConnection(Strict):
    """A folder, or the data of an installed Python package.

    Attributes:
        path: the folder, or the address of an object store such as `s3://bucket/folder`.
        options: for an object store, as fsspec takes them.
        package, folder: an importable package, and a folder in it.
    """

    path: Name | None = None
    options: dict[str, Any] = {}
    package: Name | None = None
    folder: str = "."

    @model_validator(mode="after")
    def _one_place(self) -> "FolderConnection":
        if (self.path is None) == (self.package is None):
            raise ValueError("expected either path or package")
        return self


class CsvConnection(FolderConnection):
    """A folder of CSV files (`.csv`, `.csv.gz`), the first line naming the columns.

    Attributes:
        delimiter, quote: one character each.
        encoding: as Python names it.
    """

    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","
    quote: Annotated[str, StringConstraints(min_length=1, max_length=1)] = '"'
    encoding: str = "utf-8"

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str) -> str:
        try:
            "".encode(encoding)
        except LookupError as error:
            raise ValueError("no encoding of that name is known, expected one such as utf-8 or latin-1") from error
        return encoding
