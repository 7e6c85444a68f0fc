"""Arrow arrays of Python's values, without pandas.

`pyarrow.array` imports pandas to find out whether a list is one of its series: a fifth of a second in each process that
reads a source.
"""

from array import array
from collections.abc import Iterable

import pyarrow as pa
from pyarrow.lib import StringBuilder


def texts(values: Iterable[str | None]) -> pa.StringArray:
    """An array of text.

    Raises:
        TypeError: a value is no text.
        UnicodeEncodeError: a value has half of a surrogate pair.
        ArrowCapacityError: the text is too long for one array (2 GiB).
    """
    builder = StringBuilder()
    builder.append_values(values)
    return builder.finish()


def integers(values: Iterable[int]) -> pa.Int64Array:
    """An array of integers of 64 bits.

    Raises:
        TypeError, OverflowError: a value is none.
    """
    found = array("q", values)
    return pa.Array.from_buffers(pa.int64(), len(found), [None, pa.py_buffer(found)])
