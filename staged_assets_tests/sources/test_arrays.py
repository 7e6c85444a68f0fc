import subprocess
import sys

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from staged_assets.sources.arrays import integers, texts

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.none() | TEXT))
def test_texts_are_what_arrow_makes_of_them(values: list[str | None]) -> None:
    assert texts(values).equals(pa.array(values, pa.string()))


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_integers_are_what_arrow_makes_of_them(values: list[int]) -> None:
    assert integers(values).equals(pa.array(values, pa.int64()))


@pytest.mark.parametrize("value", [1, 1.5, True, ["a"]])
def test_what_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        texts(["a", value])  # type: ignore[list-item]


def test_half_of_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        texts(["\ud800"])


def test_pandas_is_not_loaded() -> None:
    code = (
        "import sys; from staged_assets.sources.json_records import text_table;"
        " text_table([{'a': 'x', 'b': 1}, {'a': None}]); sys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
