"""A tick's questions: what fails is found out to be one feed's trouble, or the whole system's, in few questions."""

from collections.abc import Callable, Iterable, Sequence

from staged_assets.errors import ConfigurationError, SourceError
from staged_assets.refresh.sensor_cursor import FeedState
from staged_assets.sources.marks import Mark
from staged_assets.sources.refresh_plan import FeedPlan

#: seconds after which a tick asks nothing more: Dagster gives it up after 60, and one question may take 30
_PATIENCE = 10.0


class Questions:
    """Asks the feeds of a system that are due.

    Those that answered before are asked together. Where that fails, each is asked by itself, until it answers; those
    for which there is no time are left for the next tick. Of a system that is down, one feed is asked.

    Args:
        feeds: all that the sensor asks for.
        ask: one question about some of them.
        state: what is remembered of a feed; it is noted there when it was asked by itself, and whether it is to be.
        clock: seconds since 1970.

    Attributes:
        marks: feed → what the source said.
        errors: feed → why it could not be asked by itself; or was not, since the system is down.
    """

    def __init__(
        self,
        feeds: Sequence[FeedPlan],
        ask: Callable[[Sequence[FeedPlan]], list[Mark]],
        state: Callable[[FeedPlan], FeedState],
        clock: Callable[[], float],
    ) -> None:
        self._feeds = feeds
        self._ask = ask
        self._state = state
        self._clock = clock
        self._until = clock() + _PATIENCE
        self.marks: dict[str, Mark] = {}
        self.errors: dict[str, str] = {}

    def put(self, due: Sequence[FeedPlan]) -> None:
        """Ask."""
        together = [plan for plan in due if not self._state(plan).apart]
        apart = sorted((plan for plan in due if self._state(plan).apart), key=lambda plan: self._state(plan).tried)
        if all(self._state(plan).failures for plan in self._feeds):
            self._ask_what_was_down(apart)
        elif self._question(together):
            # However long that took: they would never be asked.
            self._question(apart[:1])
            self._each(apart[1:])
        else:
            self._find_out(together)
            self._each(apart)

    def _ask_what_was_down(self, due: Sequence[FeedPlan]) -> None:
        """One speaks for all: each time another, as it may be that one alone which still fails."""
        first, *others = due
        if self._question([first]):
            self._each(plan for plan in self._feeds if plan is not first)
        else:
            self.errors |= {name_of(plan): self.errors[name_of(first)] for plan in others}

    def _find_out(self, feeds: Sequence[FeedPlan]) -> None:
        """Whose trouble it is that they can't be asked together."""
        if len(feeds) > 1:
            self.errors.clear()
            for plan in feeds:
                self._state(plan).apart = True
            self._each(feeds)
        for plan in self._feeds:
            # Nothing answers: so may one that is not due yet.
            if not self.marks and plan not in feeds and not self._state(plan).apart:
                self._each([plan])

    def _each(self, feeds: Iterable[FeedPlan]) -> None:
        for plan in feeds:
            if self._clock() >= self._until:
                return
            self._question([plan])

    def _question(self, feeds: Sequence[FeedPlan]) -> bool:
        """One question; whether it was answered."""
        names = list(map(name_of, feeds))
        if len(feeds) == 1:
            self._state(feeds[0]).tried = self._clock()
        try:
            found = self._ask(feeds) if feeds else []
        except (SourceError, ConfigurationError) as error:
            self.errors |= dict.fromkeys(names, str(error))
            return False
        self.marks |= zip(names, found, strict=True)
        return True


def name_of(plan: FeedPlan) -> str:
    """A feed's name among those of its system."""
    return f"{plan.feed.dataset}/{plan.feed.name}"
