"""`alerts.yaml`: read, checked and asked."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path

import yaml
from pydantic import ValidationError

from staged_assets import yaml_text
from staged_assets.alerts.models import REFERENCE, AlertsFile, Channel, Kind, Reminders, Retries, Route, Severity
from staged_assets.errors import ConfigurationError
from staged_assets.sources.config import _places, _sentence


class Alerts:
    """Who is told what, as `alerts.yaml` says.

    Args:
        path: the file, for messages.
        content: its content, checked.
        environ: where the channels' URLs are, read when a message is sent.

    Raises:
        ConfigurationError: `base_url` refers to a variable that is not set.
    """

    def __init__(self, path: Path, content: AlertsFile, environ: Mapping[str, str]) -> None:
        self.path = path
        self._content = content
        self._environ = environ
        self.base_url = self._base_url().rstrip("/")

    @property
    def channels(self) -> dict[str, Channel]:
        """By name, in the file's order."""
        return self._content.channels

    @property
    def interval_seconds(self) -> int:
        """How often it is looked for what is new."""
        return self._content.interval_seconds

    @property
    def gather_seconds(self) -> float:
        """How long news is gathered before it is told."""
        return self._content.gather_seconds

    @property
    def reminders(self) -> Reminders:
        """How often a failure that goes on is told again."""
        return self._content.reminders

    @property
    def retries(self) -> Retries:
        """What happens when a channel does not take a message."""
        return self._content.retries

    def channels_for(
        self, kind: Kind, severity: Severity, owners: Collection[str], datasets: Collection[str]
    ) -> frozenset[str]:
        """The channels of every route that matches, else those of `otherwise`."""
        matching = [r for r in self._content.routes if _matches(r, kind, severity, owners, datasets)]
        if not matching:
            return frozenset(self._content.otherwise)
        return frozenset(name for route in matching for name in route.to)

    def url(self, channel: str) -> str:
        """A channel's Apprise URL. It is a secret: keep it out of every message.

        Raises:
            ConfigurationError: the environment variable is not set.
        """
        variable = self.channels[channel].variable
        if variable is None or not self._environ.get(variable):
            raise ConfigurationError(
                f"{self.path}: channels.{channel}.url refers to the environment variable {variable},"
                " which is not set: set it to an Apprise URL."
            )
        return self._environ[variable]

    def _base_url(self) -> str:
        reference = REFERENCE.fullmatch(self._content.base_url)
        if reference is None:
            return self._content.base_url
        value = self._environ.get(reference[1], "")
        if not value.startswith(("http://", "https://")):
            raise ConfigurationError(
                f"{self.path}: base_url refers to the environment variable {reference[1]}, which is"
                f" {value!r}: set it to the web UI's address, such as http://127.0.0.1:3000."
            )
        return value


def load_alerts(path: Path, environ: Mapping[str, str] = os.environ) -> Alerts:
    """Read and check an `alerts.yaml`. The channels' URLs are not looked up here.

    Raises:
        ConfigurationError: the file can't be read, or something in it is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml_text.compose(text)
        lines = dict(_places(path, node)) if node else {}
        content = AlertsFile.model_validate(yaml_text.load(text))
    except OSError as error:
        raise ConfigurationError(f"{path}: the file can't be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: the file is not UTF-8 text: {error.reason}.") from error
    except yaml.YAMLError as error:
        # `from None`, here and below: the parsers' own errors repeat the text, which may hold a secret.
        raise ConfigurationError(f"{path}{_place(error)}: the file is not YAML.") from None
    except ValidationError as error:
        raise ConfigurationError(_without_secret(_sentence(path, error, lines), error)) from None
    return Alerts(path, content, environ)


def _place(error: yaml.YAMLError) -> str:
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    return f", line {mark.line + 1}" if mark is not None else ""


def _without_secret(sentence: str, error: ValidationError) -> str:
    first = error.errors()[0]
    found = first["input"]
    if first["loc"][-1:] == ("url",) or (isinstance(found, str) and "://" in found):
        return sentence.replace(repr(found), "a literal value")
    return sentence


def _matches(route: Route, kind: Kind, severity: Severity, owners: Collection[str], datasets: Collection[str]) -> bool:
    return (
        (route.kinds is None or kind in route.kinds)
        and (route.severities is None or severity in route.severities)
        and (route.owners is None or not set(route.owners).isdisjoint(owners))
        and (route.datasets is None or not set(route.datasets).isdisjoint(datasets))
    )
