"""The JSON schema of `sources.yaml`, by which editors complete and check it."""

from typing import Any

from staged_assets.sources.models import SourcesFile


def json_schema() -> dict[str, Any]:
    """The schema: JSON Schema draft 2020-12, keys as they are written in the file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "sources.yaml of staged-assets",
        **SourcesFile.model_json_schema(mode="validation"),
    }
