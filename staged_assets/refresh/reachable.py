"""Whether a source system can be reached: a check on its asset, run by hand, and reported by its sensor."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import dagster as dg
from dagster import DagsterInstance

from staged_assets.errors import ConfigurationError, SourceError
from staged_assets.sources.config import Sources
from staged_assets.sources.connectors import marks
from staged_assets.sources.marks import Question
from staged_assets.staging.operational import system_asset

REACHABLE = "reachable"


def reachable_checks(
    sources: Sources, serving: Callable[[], AbstractContextManager[Any]] = nullcontext
) -> list[dg.AssetChecksDefinition]:
    """For each system a check that asks it for each of its feeds.

    Args:
        serving: what must be there while the source is asked.
    """
    return [_check(sources, system, serving) for system in sources.systems]


def report_reachable(instance: DagsterInstance, system: str, problem: str | None) -> None:
    """Tell, outside of any run, that a system can't be reached, or that it can be again."""
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=system_asset(system),
            check_name=REACHABLE,
            passed=problem is None,
            description=problem or "It answers.",
            metadata={},
            blocking=False,
        )
    )


def _check(
    sources: Sources, system: str, serving: Callable[[], AbstractContextManager[Any]]
) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=system_asset(system),
        name=REACHABLE,
        description=f"{system} answers when it is asked for each of its feeds. Its sensor reports it, too.",
    )
    def reachable() -> dg.AssetCheckResult:
        try:
            with serving():
                resolved = sources.resolve(system)
                marks(resolved, [Question(feed) for feed in resolved.feeds])
        except (SourceError, ConfigurationError) as error:
            return dg.AssetCheckResult(passed=False, description=str(error))
        return dg.AssetCheckResult(passed=True, description="It answers.")

    return reachable
