"""`sources.yaml`: read, checked and asked."""

import os
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from staged_assets import yaml_text
from staged_assets.errors import ConfigurationError
from staged_assets.sources.connections import is_address
from staged_assets.sources.models import CONNECTORS, Feed, SourcesFile, System
from staged_assets.sources.needs import Capabilities, least
from staged_assets.sources.secrets import REFERENCE, Place, in_url, literal_secrets
from staged_assets.sources.strict import AT_KEY, nearest

#: parts of a place below which a value can hold a secret, and is not shown
_HIDDEN = frozenset({"url", "headers", "auth", "params", "secret", "previous_secret", "options"})


class Sources:
    """The operational systems, as `sources.yaml` describes them.

    Args:
        path: the file, for messages and relative paths.
        content: its content, checked.
        raw: its content as written, environment references and all.
        environ: what `${NAME}` refers to, read when a connection is used.
    """

    def __init__(self, path: Path, content: SourcesFile, raw: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        self.path = path
        self._content = content
        self._raw = raw
        self._environ = environ

    @property
    def systems(self) -> dict[str, System]:
        """Name → system, in the file's order; environment references as written."""
        return self._content.systems

    def feeds_of(self, dataset: str) -> list[tuple[str, Feed]]:
        """The (system, feed) pairs that feed a dataset, the system with the highest survivorship first."""
        found = [
            (name, feed) for name, system in self.systems.items() for feed in system.feeds if feed.dataset == dataset
        ]
        return sorted(found, key=lambda pair: self.systems[pair[0]].priority)

    @property
    def default_owner(self) -> str:
        """Who answers for what names nobody else."""
        return self._content.defaults.owner

    def primary_system(self, dataset: str) -> str | None:
        """The system whose word counts most on a dataset; None where no system feeds it."""
        return next((system for system, _ in self.feeds_of(dataset)), None)

    def owner(self, dataset: str, system: str | None = None) -> str:
        """Who answers for a dataset (of one system; by default of its primary one)."""
        for name, feed in self.feeds_of(dataset):
            if system in (None, name):
                return feed.owner or self.systems[name].owner or self.default_owner
        return self.default_owner

    def capabilities(self, system: str, feed: Feed) -> Capabilities:
        """What a feed can do: what its connector and mapping give, or less where the system says so."""
        said = self.systems[system].capabilities
        visible = feed.shows_deletes and said.deletes != "invisible"
        return Capabilities(changes=least(feed.changes, said.changes), deletes="visible" if visible else "invisible")

    def max_staleness(self, system: str, feed: Feed) -> timedelta | None:
        """How old what a feed brings may be: its own requirement, else its system's; None where none is stated."""
        own = feed.requirements.max_staleness
        return own if own is not None else self.systems[system].requirements.max_staleness

    def needs_deletes(self, system: str, feed: Feed) -> bool:
        """Whether deletes must be staged: the feed's own requirement, else its system's."""
        return (feed.requirements.deletes or self.systems[system].requirements.deletes) == "required"

    @property
    def formats(self) -> dict[str, dict[str, Any]]:
        """System → how it writes its values: date_formats, decimal_mark, time_zone, country, priority."""
        return {
            name: {
                "date_formats": system.date_formats,
                "decimal_mark": system.decimal_mark,
                "time_zone": system.time_zone,
                "country": system.country,
                "priority": system.priority,
            }
            for name, system in self.systems.items()
        }

    def resolve(self, name: str) -> System:
        """A system with its environment references replaced and its paths made absolute, ready to be connected to.

        Raises:
            ConfigurationError: a variable is not set; there is no such system.
        """
        if name not in self.systems:
            raise ConfigurationError(f"{self.path}: there is no system {name!r}, {nearest(name, self.systems)}.")
        written = self._resolved(self._raw["systems"][name], ("systems", name))
        connection = written["connection"]
        if connection.get("path") is not None and not is_address(connection["path"]):
            connection["path"] = str(self.path.parent / Path(connection["path"]).expanduser())
        try:
            system: System = _validator().validate_python(written)
        except ValidationError as error:
            raise ConfigurationError(_sentence(self.path, error, {}, ("systems", name))) from error
        system._name = name
        return system

    def resolve_feed(self, name: str, feed: Feed) -> tuple[System, Feed]:
        """A system and one of its feeds, ready to be connected to.

        Raises:
            ConfigurationError: a variable is not set; there is no such system.
        """
        system = self.resolve(name)
        position = list[Feed](self.systems[name].feeds).index(feed)
        return system, system.feeds[position]

    def _resolved(self, value: Any, place: Place) -> Any:
        if isinstance(value, dict):
            return {key: self._resolved(part, (*place, key)) for key, part in value.items()}
        if isinstance(value, list):
            return [self._resolved(part, (*place, index)) for index, part in enumerate(value)]
        if isinstance(value, str):
            return REFERENCE.sub(lambda m: in_url(value, m.start(), self._variable(m[1], place)), value)
        return value

    def _variable(self, name: str, place: Place) -> str:
        if name not in self._environ:
            raise ConfigurationError(
                f"{self.path}: {_path(place)} refers to the environment variable {name}, which is not set: set it."
            )
        return self._environ[name]


@cache
def _validator() -> TypeAdapter[System]:
    """Made once: that takes longer than it takes to validate a system."""
    return TypeAdapter(System)


def load_sources(path: Path, environ: Mapping[str, str] = os.environ) -> Sources:
    """Read and check a `sources.yaml`. Environment references are not looked up here.

    Raises:
        ConfigurationError: the file can't be read, or something in it is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml_text.compose(text)
        lines = dict(_places(path, node)) if node else {}
        raw = yaml_text.load(text)
    except OSError as error:
        raise ConfigurationError(f"{path}: the file can't be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: the file is not UTF-8 text: {error.reason}.") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}: the file is not YAML: {' '.join(str(error).split())}.") from error
    try:
        content = SourcesFile.model_validate(raw)
    except ValidationError as error:
        raise ConfigurationError(_sentence(path, error, lines)) from error
    for place in literal_secrets(raw["systems"]):
        raise ConfigurationError(
            f"{path}{_line(place, lines)}: {_path(place)} holds a secret itself: put it into an environment variable"
            " and write ${NAME_OF_THE_VARIABLE} in its place."
        )
    return Sources(path, content, raw, environ)


def _places(path: Path, node: yaml.Node, place: Place = ()) -> Iterator[tuple[Place, int]]:
    """Each key path in the file with its line; a key that is there twice is refused."""
    yield place, node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            yield from _places(path, child, (*place, index))
    elif isinstance(node, yaml.MappingNode):
        seen = set()
        for key, child in node.value:
            if key.value in seen:
                line = key.start_mark.line + 1
                raise ConfigurationError(f"{path}, line {line}: {_path((*place, key.value))} is there twice.")
            seen.add(key.value)
            yield from (
                (at, max(line, key.start_mark.line + 1)) for at, line in _places(path, child, (*place, key.value))
            )


def _path(place: Place) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")


def _line(place: Place, lines: Mapping[Place, int]) -> str:
    """`, line n` of the innermost part of a place that stands in the file."""
    known = next((place[:end] for end in range(len(place), -1, -1) if place[:end] in lines), None)
    return f", line {lines[known]}" if known is not None else ""


def _sentence(path: Path, errors: ValidationError, lines: Mapping[Place, int], within: Place = ()) -> str:
    error = errors.errors()[0]
    place = (*within, *_written_place(error["loc"], bool(within)))
    keys = error["ctx"]["keys"] if error["type"] == AT_KEY else ()
    more = f" ({errors.error_count() - 1} more to mend after that)" if errors.error_count() > 1 else ""
    what = _what(error, is_hidden=any(part in _HIDDEN for part in place))
    return f"{path}{_line((*place, *keys), lines)}: {_path(place) or 'the file'} {what}{more}."


def _written_place(location: Place, in_system: bool) -> Place:
    """A key path as in the file: without the connector's name, which pydantic puts after the system's."""
    tag = 0 if in_system else 2
    if len(location) > tag and location[tag] in CONNECTORS:
        location = (*location[:tag], *location[tag + 1 :])
    return tuple(part for part in location if part != "[key]")


def _what(error: Any, *, is_hidden: bool) -> str:
    found, context = error["input"], error.get("ctx", {})
    if error["type"] == "missing":
        return "is missing"
    if error["type"] == "union_tag_not_found":
        return "has no connector, expected one of: " + ", ".join(CONNECTORS)
    if error["type"] == "union_tag_invalid":
        tag = context["tag"]
        return f"has the connector {tag!r}, which is not known, {nearest(tag, CONNECTORS)}"
    reason = str(context["error"]) if error["type"] == "value_error" else _reason(error)
    if is_hidden or isinstance(found, dict | list):
        return f"is wrong: {reason}"
    return f"is {found!r}: {reason}"


def _reason(error: Any) -> str:
    message = error["msg"].replace("Input should be", "expected").replace("String should", "it should")
    quote = error["type"] == "string_type" and error["input"] is not None
    return message[0].lower() + message[1:] + (" (write it in quotes)" if quote else "")
