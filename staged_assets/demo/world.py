"""What the demo's systems share: how much of everything there is, when it happens, how each writes it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo

from staged_assets.demo.dice import Dice
from staged_assets.errors import ConfigurationError

#: The demo's time is fixed, so that the same seed gives the same bytes on any day.
START = date(2025, 7, 1)
DAYS = 364  # 52 weeks
#: Nothing is created in the last days, so that later versions still fall into the demo's time.
QUIET_DAYS = 24
#: Master data is created in the first days.
MASTER_DAYS = 60
DAY = 86_400

#: Fewer records could not hold every kind of dirt.
MINIMUM_SCALE = 100

#: An identifier that no system knows, plus a little.
DANGLING = 9_000_000_000

_MIDNIGHT = datetime(START.year, START.month, START.day, tzinfo=UTC)


@lru_cache(maxsize=4096)
def day_text(day: int, pattern: str) -> str:
    """The day, counted from `START`, as a strftime pattern writes it."""
    return (START + timedelta(days=day)).strftime(pattern)


# A record tells the same moment several times.
@lru_cache(maxsize=64)
def utc_text(moment: int) -> str:
    """A moment (seconds from the start of the demo's time) as naive UTC, ISO 8601."""
    day, second = divmod(moment, DAY)
    return f"{day_text(day, '%Y-%m-%d')}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def _offset_text(moment: int, offset: tuple[int, str]) -> str:
    minutes, suffix = offset
    return utc_text(moment + minutes * 60) + suffix


def _local_text(moment: int, zone: ZoneInfo) -> str:
    local = (_MIDNIGHT + timedelta(seconds=moment)).astimezone(zone)
    return local.strftime("%Y-%m-%d %H:%M:%S")


_BERLIN, _NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
_OFFSETS = ((0, "Z"), (60, "+01:00"), (0, "+00:00"), (-300, "-05:00"), (330, "+05:30"))


@dataclass(frozen=True)
class Notation:
    """How a system writes dates, moments, money and the change cursor."""

    date_pattern: str
    money: Callable[[int], object]
    moment: Callable[[int], str]
    cursor: Callable[[int], str]

    def date(self, day: int) -> str:
        """The day, counted from `START`."""
        return day_text(day, self.date_pattern)


def _comma(cents: int) -> str:
    return f"{cents / 100:.2f}".replace(".", ",")


@lru_cache(maxsize=64)
def _shop_moment(moment: int) -> str:
    return _offset_text(moment, _OFFSETS[moment % 5])


NOTATIONS = {
    "erp": Notation("%d.%m.%Y", _comma, lambda at: _local_text(at, _BERLIN), lambda at: _local_text(at, _BERLIN)),
    "crm": Notation(
        "%m/%d/%Y",
        lambda cents: f"{cents / 100:.2f}",
        lambda at: _local_text(at, _NEW_YORK),
        lambda at: utc_text(at) + "Z",
    ),
    "ecommerce": Notation("%Y-%m-%d", lambda cents: cents / 100, _shop_moment, _shop_moment),
}


@dataclass(frozen=True)
class World:
    """How much there is of everything, at one scale.

    Attributes:
        scale: number of sales.
        seed: what the choices depend on.
    """

    scale: int
    seed: int

    def __post_init__(self) -> None:
        if self.scale < MINIMUM_SCALE:
            raise ConfigurationError(
                f"The scale of the demo is {self.scale}: at least {MINIMUM_SCALE} sales are needed to hold"
                " every kind of dirt; ask for more."
            )

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Number of entities by dataset; proportions of the project's performance figures."""
        scale = self.scale
        return {
            "sales": scale,
            "orders": max(100, scale // 2),
            "interactions": max(100, scale // 4),
            "loyalty_activities": max(100, scale // 4),
            "consumers": max(200, scale // 10),
            "items": max(100, scale // 100),
            "inventory": 3 * max(100, scale // 100),
            "offers": max(100, scale // 400),
            "suppliers": max(120, scale // 1_000),
            "shops": max(120, scale // 2_000),
            "location_dimension": 80,
            "audience_segments": 40,
            "media_channels": 40,
            "touchpoints": 40,
        }

    def numbers(self, system: str, dataset: str) -> range:
        """The entities that a system knows; the systems overlap where a dataset is consolidated."""
        size = self.sizes[dataset]
        first, last = _SHARES.get((system, dataset), (0, 100))
        return range(size * first // 100 + 1, size * last // 100 + 1)

    def reference(self, dataset: str, dice: Dice) -> int:
        """The identifier of an existing entity; one in 250 dangles."""
        size = self.sizes[dataset]
        choice = dice.below(250 * size)
        return DANGLING + choice if choice < size else 1 + choice % size


def created(dataset: str, number: int, numbers: range, dice: Dice) -> int:
    """When the entity with this number, of so many, comes to be: in order, master data in the first weeks."""
    days = MASTER_DAYS if dataset in _MASTER else DAYS - QUIET_DAYS
    day = min(number - numbers.start, len(numbers) - 1) * days // len(numbers)
    return day * DAY + 6 * 3600 + dice.below(11 * 3600)


#: per cent of the entities, from and to
_SHARES = {
    ("crm", "consumers"): (0, 80),
    ("ecommerce", "consumers"): (60, 100),
    ("crm", "interactions"): (0, 60),
    ("ecommerce", "interactions"): (60, 100),
    ("erp", "shops"): (0, 80),
    ("ecommerce", "shops"): (50, 100),
    ("erp", "suppliers"): (0, 80),
    ("ecommerce", "suppliers"): (50, 100),
}
_MASTER = {
    "items", "suppliers", "shops", "location_dimension", "audience_segments", "media_channels", "touchpoints",
    "consumers", "offers",
}  # fmt: skip
