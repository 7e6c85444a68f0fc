"""What a person reads in the terminal of the operational systems."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from staged_assets.source_check import FeedCheck
from staged_assets.sources.needs import written
from staged_assets.sources.refresh_plan import FeedPlan


def print_check(console: Console, feed: FeedCheck) -> None:
    """One feed: what it would bring, and what to look at."""
    mark, style = ("✓", "green") if feed.is_good else ("✗", "red")
    console.print(Text.assemble((mark, style), f" {feed.system}: {feed.feed} → {feed.dataset}"))
    if feed.error is not None:
        _print(console, feed.error, "red")
        return
    if feed.missing:
        _print(console, f"nothing is mapped to {', '.join(feed.missing)}: every row would be rejected", "red")
    rest = [column for column in feed.unmapped if column not in feed.missing]
    if rest:
        _print(console, f"nothing is mapped to {', '.join(rest)}: NULL")
    if feed.to_extra:
        _print(console, f"not mapped, kept in _extra: {', '.join(feed.to_extra)}")
    if feed.slot is not None:
        _print(console, feed.slot)
    for surprise in feed.surprises:
        _print(console, surprise, "yellow")
    for row in feed.sample:
        _print(console, ", ".join(f"{column}={value}" for column, value in row.items()), "dim")


def print_plan(console: Console, feeds: Sequence[FeedPlan]) -> None:
    """How each feed is refreshed, and why."""
    table = Table("system", "feed", "dataset", "mode", "trigger", "when", "stale after", "reason", box=None)
    for plan in feeds:
        choice = plan.choice
        style = "green" if plan.is_real_time else ""
        table.add_row(
            plan.system,
            plan.feed.name,
            plan.feed.dataset,
            Text(choice.mode, style=style),
            choice.trigger,
            plan.when,
            written(choice.freshness),
            choice.reason,
        )
    console.print(table)


def _print(console: Console, text: str, style: str = "") -> None:
    console.print(Text(f"    {text}", style=style), soft_wrap=True)
