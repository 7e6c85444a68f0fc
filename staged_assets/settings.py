"""Environment → typed settings, once."""

from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from staged_assets.errors import ConfigurationError

PACKAGE = Path(__file__).parent
DEMO_SOURCES = PACKAGE / "demo" / "sources.yaml"
EXAMPLES = PACKAGE / "examples"


class Settings(BaseSettings):
    """Where things are and how much they may use; each from `STAGED_ASSETS_<NAME>`.

    Attributes:
        home: folder for the warehouse, Dagster's home and the demo systems.
        warehouse: the DuckDB file; by default `<home>/warehouse.duckdb`.
        sources: the `sources.yaml`; by default the one in the working directory, else the demo's.
        alerts: the `alerts.yaml`; by default the one in the working directory, else the shipped one.
        validation: what differs from the shipped validation settings; by default `validation.yaml` in the working
            directory, where there is one.
        threads: engine threads.
        memory_limit: engine memory, as DuckDB writes it (`4GB`); by default the engine's own.
        lock_timeout: seconds to wait while another process holds the warehouse.
        automatic: whether sensors and schedules run from the first time that Dagster sees them; each can be turned on
            and off in the web UI afterwards.
        read_copy: the copy of the staged tables for analysts, by default `read/staged_area.duckdb` beside
            the warehouse; `off` for none.
        warm_runs: whether runs are forked from a warm process.
        keep_days: for which runs that are over stay in Dagster's history.
    """

    model_config = SettingsConfigDict(env_prefix="STAGED_ASSETS_", extra="ignore")

    home: Path = Field(default_factory=lambda: Path.cwd() / ".staged_assets")
    warehouse: Path | None = None
    sources: Path | None = None
    validation: Path | None = None
    alerts: Path | None = None
    threads: int = Field(default=2, ge=1)
    memory_limit: str | None = None
    lock_timeout: float = Field(default=300.0, ge=0)
    automatic: bool = True
    read_copy: Path | Literal["off"] | None = None
    warm_runs: bool = True
    keep_days: int = Field(default=30, ge=1)

    @cached_property
    def warehouse_path(self) -> Path:
        """The DuckDB file, absolute."""
        return (self.warehouse or self.home / "warehouse.duckdb").absolute()

    @cached_property
    def read_copy_path(self) -> Path | None:
        """The copy of the staged tables for analysts, absolute; None where there is to be none."""
        if str(self.read_copy) == "off":
            return None
        return Path(self.read_copy or self.warehouse_path.parent / "read" / "staged_area.duckdb").absolute()

    @cached_property
    def sources_path(self) -> Path:
        """The `sources.yaml` in force, absolute."""
        if self.sources is not None:
            return self.sources.absolute()
        local = Path.cwd() / "sources.yaml"
        return local if local.exists() else DEMO_SOURCES

    @cached_property
    def validation_path(self) -> Path | None:
        """The file that differs from the shipped validation settings, if there is one."""
        if self.validation is not None:
            return self.validation.absolute()
        local = Path.cwd() / "validation.yaml"
        return local if local.exists() else None

    @property
    def is_demo(self) -> bool:
        """Whether the operational systems are the embedded demo's."""
        return self.sources_path == DEMO_SOURCES

    @cached_property
    def alerts_path(self) -> Path:
        """The `alerts.yaml` in force, absolute."""
        if self.alerts is not None:
            return self.alerts.absolute()
        local = Path.cwd() / "alerts.yaml"
        return local if local.exists() else PACKAGE / "alerts" / "alerts.yaml"

    @cached_property
    def dagster_home(self) -> Path:
        """Dagster's home: storage, logs, schedules."""
        return (self.home / "dagster").absolute()

    @cached_property
    def demo_path(self) -> Path:
        """The demo operational systems."""
        return (self.home / "demo").absolute()


def load_settings() -> Settings:
    """Read the environment.

    Raises:
        ConfigurationError: a variable has a value of the wrong kind.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "STAGED_ASSETS_" + "_".join(str(part) for part in first["loc"]).upper()
        raise ConfigurationError(f"{name} is {first['input']!r}: {first['msg']}.") from error


def example_names() -> list[str]:
    """The examples that come with the package: real data, mapped by a `sources.yaml` alone."""
    return sorted(path.parent.name for path in EXAMPLES.glob("*/sources.yaml"))
