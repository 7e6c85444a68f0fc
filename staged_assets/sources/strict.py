"""What every part of `sources.yaml` is: strict, with the nearest valid name for one that is not known."""

import difflib
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

Name = Annotated[str, StringConstraints(min_length=1)]

#: the type of an error that is at a key of the place that it names
AT_KEY = "at_key"


def nearest(found: str, valid: Iterable[str]) -> str:
    """`perhaps 'x' is meant` where something is near, else what there is."""
    names = [str(name) for name in valid]
    near = difflib.get_close_matches(found, names, n=1, cutoff=0.5)
    return f"perhaps {near[0]!r} is meant" if near else f"expected one of: {', '.join(names)}"


def error_at(reason: str, *keys: str | int) -> PydanticCustomError:
    """An error that is at these keys below the part that is being validated."""
    return PydanticCustomError(AT_KEY, "{reason}", {"reason": reason, "keys": keys})


class Strict(BaseModel):
    """A part of `sources.yaml`: unknown keys are refused, nothing is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        if isinstance(data, dict):
            keys = [field.alias or name for name, field in cls.model_fields.items()]
            for key in data:
                if key not in keys and key not in cls.model_fields:
                    raise error_at(f"{str(key)!r} is not a key that is known here, {nearest(str(key), keys)}", key)
        return data
