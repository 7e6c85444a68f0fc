from collections import Counter
from itertools import pairwise

import pytest

from staged_assets.demo.plan import Plan


@pytest.mark.parametrize("size", [1, 2, 7, 100, 1_001])
@pytest.mark.parametrize("stride", [0.0, 0.414, 0.618, 1.0])
def test_each_treatment_has_exactly_the_positions_it_wants(size: int, stride: float) -> None:
    wanted = [("one", 1), ("few", size // 5), ("half", size // 2 - 1 if size > 3 else 0)]

    given = [assigned for position in range(size) if (assigned := Plan(size, wanted, stride, 77).at(position))]

    assert Counter(treatment for treatment, _ in given) == Counter({name: n for name, n in wanted if n})
    assert len(set(given)) == len(given), "each has its own count"


def test_neighbours_are_torn_apart() -> None:
    plan = Plan(1_000, [("dirty", 100)], stride=0.618)

    treated = [position for position in range(1_000) if plan.at(position)]

    assert max(later - earlier for earlier, later in pairwise(treated)) < 50


def test_more_treatments_than_positions_are_refused() -> None:
    with pytest.raises(ValueError, match="11 of 10"):
        Plan(10, [("dirty", 11)], stride=0.5)
