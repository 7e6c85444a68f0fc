"""The errors that a person can cause or mend: one clear sentence each, with what to do."""

import re

#: Errors of the engine that repeat a value.
_TELLING = re.compile(r"\b(Conversion|Constraint|Invalid Input|Out of Range|Invalid Type|Data) Error\b")
_QUOTE = re.compile("[\"'`]")


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


class WarmProcessError(StagedAssetsError):
    """The warm process can't take a run, which the stock launcher starts then; the message is a reason, no sentence."""


def without_values(message: str) -> str:
    """An engine's message on one line, without what it quotes where that can be a value of the data.

    Values may be personal, and messages end up in the event log. Everything between the first quote and the last one
    goes, since a value may hold quotes itself.
    """
    found = _TELLING.search(message)
    first = _QUOTE.search(message, found.end()) if found else None
    if first is not None:
        last = max(message.rfind(quote) for quote in "\"'`")
        rest = message[last + 1 :].splitlines()[:1] if last > first.start() else []
        message = f"{message[: first.start()]}…{''.join(rest)}"
    return " ".join(message.split())
