"""The other side of `processes.Worker`; needs nothing but the standard library, so that every environment has it."""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping


def serve(actions: Mapping[str, Callable[[], Mapping[str, float] | None]]) -> None:
    """Do what each line of standard input names; answer by a JSON line: its seconds, and what it returned."""
    answers = os.fdopen(os.dup(1), "w")
    # What others print must not be taken for an answer.
    os.dup2(2, 1)
    for line in sys.stdin:
        started = time.perf_counter()
        found = actions[line.strip()]() or {}
        answers.write(json.dumps({"seconds": time.perf_counter() - started, **found}) + "\n")
        answers.flush()
