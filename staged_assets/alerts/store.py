"""The sensor's memory, kept in the key-value store of Dagster's instance."""

import logging

from dagster import DagsterInstance
from pydantic import ValidationError

from staged_assets.alerts.state import State

logger = logging.getLogger(__name__)


class StateStore:
    """Reads and writes the state, each time as a whole.

    Not in the sensor's cursor: that is written when a tick is over, and with each tick; the state must be safe before
    the first message leaves, and after each one. It is in the instance's storage: nothing else to share or back up.

    Args:
        instance: whose storage.
        name: of the sensor and where it is defined.
    """

    def __init__(self, instance: DagsterInstance, name: str) -> None:
        # No public interface either: the daemons keep their own cursors there. Held by a contract test.
        self._storage = instance.daemon_cursor_storage
        self._key = f"staged_assets/alerts/{name}"
        self._written: str | None = None

    def load(self) -> State | None:
        """The state; None where there is none, or none that can be read."""
        text = self._storage.get_cursor_values({self._key}).get(self._key)
        if text is None:
            return None
        try:
            state = State.model_validate_json(text)
        except ValidationError:
            logger.warning(
                "The memory of the alert sensor was written by another version and can't be read: it begins anew,"
                " so what fails now is told when it is next seen to fail."
            )
            return None
        self._written = text
        return state

    def save(self, state: State) -> None:
        """Make it durable; nothing is written where nothing has changed."""
        text = state.model_dump_json(exclude_defaults=True)
        if text != self._written:
            self._storage.set_cursor_values({self._key: text})
            self._written = text
