"""All benchmarks of speed in one run, with what is to be reached beside what was.

    python -m benchmarks --rows 1000000 --rows 10000000 --json figures.json --markdown figures.md --plots plots
    python -m benchmarks --rows 100000 --repeat 1 --only full-refresh --only startup

Peers with dependencies of their own are installed into `.bench` at the first run, which takes minutes. At 10 million
sales the competitors together need some 20 GB of disk.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import event_log, full_refresh, growth, incremental, latency, startup, targets, validation, warm_runs
from benchmarks.command import finish, folder, parser, say, sizes
from benchmarks.field import NAMES, Field, each_size
from benchmarks.figures import table
from benchmarks.machine import header, machine, versions
from benchmarks.validation_ways import WAYS

TITLES = {
    "full-refresh": "Full refresh",
    "incremental": "What is new",
    "validation": "Whole-table validation",
    "growth": "Growth of a full refresh",
    "startup": "Loading the code location",
    "event-log": "What refreshes leave behind",
    "latency": "From a change to its publication",
    "warm-runs": "Warm runs",
}


def measure(options: argparse.Namespace, home: Path) -> dict[str, Any]:
    """The chosen benchmarks' figures, by name; what was measured is written as JSON after each."""
    rows, repeat, found = sizes(options), options.repeat, {}
    together = [name for name in ("full-refresh", "incremental") if name in options.only]

    def refreshes(field: Field) -> dict[str, Any]:
        compared: dict[str, Callable[[Field, int], Any]] = {
            "full-refresh": full_refresh.compare, "incremental": incremental.compare,
        }  # fmt: skip
        return {name: compared[name](field, repeat) for name in together}

    if together:
        names = NAMES if "full-refresh" in together else incremental.COMPETITORS
        by_size = each_size(rows, names, home, refreshes)
        for name in together:
            found[name] = [one[name] | {"environments": one["environments"]} for one in by_size]
        _keep(options, found)
    later: Mapping[str, Callable[[], Any]] = {
        "validation": lambda: [validation.compare(one, repeat, WAYS, home / f"validation-{one}") for one in rows],
        "growth": lambda: growth.measure(rows, repeat, home / "growth", found.get("full-refresh", ())),
        "startup": lambda: startup.measure(repeat, home / "startup"),
        "event-log": lambda: event_log.measure(
            options.event_log_rows, options.refreshes, home / "event-log", before=options.before
        ),
        "latency": lambda: latency.measure(options.changes, say),
        "warm-runs": lambda: warm_runs.measure(options.warm_runs, say),
    }
    for name, measured in later.items():
        if name in options.only:
            say(TITLES[name])
            found[name] = measured()
            _keep(options, found)
    return found


def _keep(options: argparse.Namespace, found: Mapping[str, Any]) -> None:
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def as_markdown(found: Mapping[str, Any], repeat: int) -> str:
    """Everything, for a person."""
    tables: Mapping[str, Callable[[Any], str]] = {
        "full-refresh": full_refresh.as_markdown, "incremental": incremental.as_markdown,
        "validation": validation.as_markdown, "growth": growth.as_markdown, "startup": startup.as_markdown,
        "event-log": event_log.as_markdown, "latency": _as_lines, "warm-runs": _as_lines,
    }  # fmt: skip
    text = f"{header(environments(found))}\nMedians of {repeat}, with the least and the most.\n"
    text += f"\n## Targets\n\n{targets.as_markdown(targets.targets(found))}"
    return text + "".join(f"\n## {TITLES[name]}\n\n{tables[name](figures)}" for name, figures in found.items())


def _as_lines(figures: Mapping[str, Any]) -> str:
    return table(["what", "figure"], [[what.replace("_", " "), str(figure)] for what, figure in figures.items()])


def environments(found: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Environment → versions, of all that was measured."""
    known: dict[str, dict[str, str]] = {"": versions()}
    for figures in found.values():
        for one in figures if isinstance(figures, list) else []:
            known |= one["environments"]
    return known


def main() -> None:
    """The command."""
    given = parser(__doc__, rows=1_000_000, repeat=3)
    given.add_argument("--only", action="append", choices=list(TITLES), help="only this; repeat for several")
    given.add_argument("--plots", type=Path, help="draw plots into this folder; needs the extra `bench`")
    given.add_argument("--refreshes", type=int, default=200, help="of event-log (default 200)")
    given.add_argument("--event-log-rows", type=int, default=10_000, help="sales of event-log (default 10000)")
    given.add_argument("--before", type=int, default=0, help="runs that event-log adds, see there (default 0)")
    given.add_argument("--warm-runs", type=int, default=1000, help="of warm-runs (default 1000)")
    given.add_argument("--changes", type=int, default=100, help="of latency (default 100)")
    options = given.parse_args()
    options.only = options.only or list(TITLES)
    with folder(options) as home:
        found = measure(options, home)
    if options.plots is not None:
        from benchmarks.plots import draw

        for path in draw(found, options.plots):
            say(f"drawn: {path}")
    reached = [vars(one) | {"is_met": one.is_met} for one in targets.targets(found)]
    whole = {"machine": machine(), "versions": environments(found), "repeat": options.repeat, "targets": reached}
    finish(options, whole | found, as_markdown(found, options.repeat))


if __name__ == "__main__":
    main()
