"""The errors that a person can cause or mend: one clear sentence each, with what to do."""


class StagedAssetsError(Exception):
    """Base of the project's errors; the message is what a person is shown."""


class ConfigurationError(StagedAssetsError):
    """A setting or `sources.yaml` is wrong: the message names the file, the key, what was found and expected."""


class SourceError(StagedAssetsError):
    """An operational system could not be read; what was landed before stays, the next run goes on from there."""


class WarehouseError(StagedAssetsError):
    """The warehouse file could not be opened or written."""


class RefreshError(StagedAssetsError):
    """A step of a refresh failed; the published tables are as they were."""


class AlertError(StagedAssetsError):
    """A channel does not take messages, again and again: nothing is lost, but its people are not told."""
