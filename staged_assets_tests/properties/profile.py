"""How many examples, and which."""

from hypothesis import HealthCheck, Phase, settings


def examples(count: int) -> settings:
    """Few but big examples, always the same ones.

    Each refreshes warehouses and has many histories in it. A failing one says which rows differ; making it smaller
    would take minutes, so that is not tried.
    """
    return settings(
        max_examples=count,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
