"""Reading YAML by libyaml where PyYAML was built with it, which is ten times as fast."""

from typing import Any

import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def compose(text: str) -> yaml.Node | None:
    """The document as nodes, which know their lines; None for an empty one.

    Raises:
        yaml.YAMLError: it is not YAML.
    """
    node: yaml.Node | None = yaml.compose(text, Loader=_LOADER)
    return node


def load(text: str) -> Any:
    """The document's content.

    Raises:
        yaml.YAMLError: it is not YAML.
    """
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 - one safe loader or the other
