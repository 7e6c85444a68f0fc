"""What the checks allow for, by dataset: the shipped `defaults.yaml`, and a file that says what differs."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, field_validator

from staged_assets import yaml_text
from staged_assets.errors import ConfigurationError
from staged_assets.landing.layout import DATASETS
from staged_assets.sources.config import _places, _sentence
from staged_assets.sources.models import Strict, nearest
from staged_assets.validation.results import Rule, Severity

SHIPPED = Path(__file__).parent / "defaults.yaml"


class Limit(Strict):
    """A share that must not be exceeded: never above `error`, nor more than `rise` above the dataset's own history."""

    error: float = Field(ge=0, le=1)
    rise: float = Field(ge=0, le=1)

    def against(self, history: float | None) -> float:
        """The highest share allowed for; a dataset whose history is above `error` already is judged by that alone."""
        if history is None:
            return self.error
        return min(self.error, history + self.rise) if history < self.error else history + self.rise


class BatchSettings(Strict):
    """Of the audit of a batch as a whole; see `defaults.yaml`."""

    minimum_rows: int = Field(ge=1)
    history: int = Field(ge=1)
    reject_share: Limit
    defect_share: Limit
    missing_rise: float = Field(ge=0, le=1)


class RejectRate(Strict):
    """Of a published table: shares of its raw rows that are rejected."""

    warn: float = Field(ge=0, le=1)
    error: float = Field(ge=0, le=1)


class Robust(Strict):
    """Against a history: quiet for fewer than `runs`, then so many robust deviations from the median are allowed."""

    runs: int = Field(ge=3)
    deviations: float = Field(gt=0)


class RuleSettings(Strict):
    """Of one rule."""

    severity: Severity | None = None
    at_most: float | None = Field(default=None, ge=0, le=1)


class DatasetSettings(Strict):
    """Of one dataset."""

    batch: BatchSettings
    reject_rate: RejectRate
    volume: Robust
    freshness: Robust
    rules: dict[str, RuleSettings] = {}

    def applied(self, rules: Iterable[Rule]) -> list[Rule]:
        """Rules with the severity and the share that are configured for them."""
        return [_applied(rule, self.rules.get(rule.name, RuleSettings())) for rule in rules]


class _File(Strict):
    version: Literal[1]
    sample: int = Field(ge=1, le=100)
    whole_every_hours: float = Field(ge=0)
    defaults: DatasetSettings
    datasets: dict[str, DatasetSettings] = {}

    @field_validator("datasets", mode="before")
    @classmethod
    def _known_datasets(cls, datasets: Any) -> Any:
        for name in datasets if isinstance(datasets, dict) else ():
            if name not in DATASETS:
                raise ValueError(f"there is no dataset {name!r}, {nearest(name, DATASETS)}")
        return datasets


class ValidationSettings:
    """The settings in force.

    Args:
        content: as checked; a dataset's settings are complete.
        path: the file that states what differs from the defaults, for messages.
    """

    def __init__(self, content: _File, path: Path) -> None:
        self._content = content
        self.path = path

    @property
    def sample(self) -> int:
        """Failing rows that are shown of each rule, at most."""
        return self._content.sample

    @property
    def whole_every_hours(self) -> float:
        """How long the checks of increments may rely on the last look at the whole table."""
        return self._content.whole_every_hours

    def of(self, dataset: str) -> DatasetSettings:
        """The settings of a dataset."""
        return self._content.datasets.get(dataset, self._content.defaults)

    def refuse_unknown_rules(self, known: Mapping[str, Iterable[str]]) -> None:
        """A rule that is configured must be one that there is.

        Args:
            known: dataset → the names of its rules.

        Raises:
            ConfigurationError: it is not.
        """
        everywhere = {name for names in known.values() for name in names}
        for name in self._content.defaults.rules:
            _refuse_unknown(self.path, f"defaults.rules.{name}", name, everywhere)
        for dataset, settings in self._content.datasets.items():
            for name in settings.rules.keys() - self._content.defaults.rules.keys():
                _refuse_unknown(self.path, f"datasets.{dataset}.rules.{name}", name, set(known[dataset]))


def load_validation(path: Path | None = None) -> ValidationSettings:
    """Read the shipped defaults, and over them a file that states what differs.

    Raises:
        ConfigurationError: the file can't be read, or something in it is wrong.
    """
    shipped, _ = _read(SHIPPED)
    given, lines = _read(path) if path else ({}, {})
    if not isinstance(given, dict):
        raise ConfigurationError(f"{path}: the file is {given!r}, expected the keys of {SHIPPED}.")
    merged = _merged(shipped, given)
    if isinstance(merged["datasets"], dict) and isinstance(merged["defaults"], dict):
        merged["datasets"] = {
            name: _merged(merged["defaults"], own) if isinstance(own, dict) else own
            for name, own in merged["datasets"].items()
        }
    try:
        return ValidationSettings(_File.model_validate(merged), path or SHIPPED)
    except ValidationError as error:
        raise ConfigurationError(_sentence(path or SHIPPED, error, lines)) from error


def _read(path: Path) -> tuple[Any, dict[Any, int]]:
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml_text.compose(text)
        return (yaml_text.load(text), dict(_places(path, node))) if node else ({}, {})
    except OSError as error:
        raise ConfigurationError(
            f"{path}: the file can't be read: {error.strerror}; STAGED_ASSETS_VALIDATION says which it is."
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: the file is not UTF-8 text: {error.reason}.") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}: the file is not YAML: {' '.join(str(error).split())}.") from error


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def _applied(rule: Rule, settings: RuleSettings) -> Rule:
    changes = settings.model_dump(exclude_none=True)
    return Rule(**{**vars(rule), **changes})


def _refuse_unknown(path: Path, key: str, name: str, known: set[str]) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "`staged-assets audit rules` lists them."
        raise ConfigurationError(f"{path}: {key} is not a rule that there is: {hint}")
