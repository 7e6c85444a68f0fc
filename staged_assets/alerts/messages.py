"""What a person reads: short, as plain text and as Markdown, within what the channel can take."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote, urlencode

from staged_assets.alerts.models import Severity
from staged_assets.alerts.observations import Facts, Subject
from staged_assets.alerts.state import Failure, Line, News

#: Runs that a message links to at most.
MOST_RUNS = 3

_ORDER: tuple[News, ...] = ("worse", "failed", "again", "still", "passed", "recovered")
_OVER = ("passed", "recovered")
_WORDS: dict[News, str] = {
    "failed": "",
    "again": "AGAIN ",
    "worse": "NOW ",
    "still": "STILL ",
    "recovered": "RECOVERED",
    "passed": "RECOVERED",
}


@dataclass(frozen=True)
class Message:
    """What is sent to a channel.

    Attributes:
        title: one line.
        text, markdown: the same body twice.
        severity: of the worst that fails; None where everything is over.
    """

    title: str
    text: str
    markdown: str
    severity: Severity | None


@dataclass(frozen=True)
class Limits:
    """How much a channel can take: characters of the body and of the title, lines of news."""

    body: int = 32768
    title: int = 250
    lines: int = 20


def compose(lines: Sequence[Line], base_url: str, limits: Limits) -> Message:
    """One message of all the news: the worst first, what does not fit is counted.

    Args:
        lines: at least one.
        base_url: of the web UI.
    """
    ordered = sorted(lines, key=_rank)
    return Message(
        title=_cut(_title(ordered), limits.title),
        text=_fit(ordered, limits, _Style(base_url, markdown=False)),
        markdown=_fit(ordered, limits, _Style(base_url, markdown=True)),
        severity=_severity(ordered),
    )


@dataclass(frozen=True)
class _Style:
    base_url: str
    markdown: bool
    links: bool = True

    def entry(self, line: Line) -> str:
        url = _subject_url(self.base_url, line.failure)
        words = [_label(line), self._subject(line.failure, url), *_story(line)]
        text = ("- " if self.markdown else "") + " ".join(word for word in words if word)
        return text if self.markdown or not self.links else f"{text}\n  {url}"

    def _subject(self, failure: Failure, url: str) -> str:
        name = _subject_name(failure)
        if not self.markdown:
            return f"{name}:"
        return f"[`{name}`]({url}):" if self.links else f"`{name}`:"

    def runs(self, run_ids: Sequence[str]) -> str:
        urls = [(run_id[:8], f"{self.base_url}/runs/{quote(run_id)}") for run_id in run_ids[:MOST_RUNS]]
        if not urls or not self.links:
            return ""
        if self.markdown:
            return "Runs: " + ", ".join(f"[{name}]({url})" for name, url in urls)
        return "\n".join(f"Run {name}: {url}" for name, url in urls)


def _fit(lines: Sequence[Line], limits: Limits, style: _Style) -> str:
    """As many lines as fit, with links; in a channel of very short messages without."""
    for links in (True, False):
        chosen = _Style(style.base_url, style.markdown, links)
        for shown in range(min(len(lines), limits.lines), 0, -1):
            body = _body(lines, shown, chosen)
            if len(body) <= limits.body:
                return body
    return _cut(_body(lines, 1, chosen), limits.body)


def _body(lines: Sequence[Line], shown: int, style: _Style) -> str:
    parts = [style.entry(line) for line in lines[:shown]]
    if len(lines) > shown:
        parts.append(f"… and {len(lines) - shown} more.")
    runs = style.runs(_run_ids(lines))
    separator = "\n\n" if style.markdown else "\n"
    return "\n".join(parts) + (separator + runs if runs else "")


def _run_ids(lines: Iterable[Line]) -> list[str]:
    found = [line.failure.run_id for line in lines if line.failure.run_id is not None]
    return list(dict.fromkeys(found))


def _rank(line: Line) -> tuple[bool, bool, int, str]:
    over = line.news in _OVER
    return over, line.failure.severity == "warn", _ORDER.index(line.news), line.failure.subject.key


def _severity(lines: Iterable[Line]) -> Severity | None:
    found = {line.failure.severity for line in lines if line.news not in _OVER}
    return "error" if "error" in found else ("warn" if found else None)


def _title(lines: Sequence[Line]) -> str:
    def counted(name: str, wanted: Callable[[Line], bool]) -> str:
        number = sum(map(wanted, lines))
        return f"{number} {name}{'' if number == 1 or name == 'recovered' else 's'}" if number else ""

    parts = [
        counted("error", lambda line: line.news not in _OVER and line.failure.severity == "error"),
        counted("warning", lambda line: line.news not in _OVER and line.failure.severity == "warn"),
        counted("recovered", lambda line: line.news in _OVER),
    ]
    return "staged-assets: " + ", ".join(part for part in parts if part)


def _label(line: Line) -> str:
    if line.news in _OVER:
        return _WORDS[line.news]
    return _WORDS[line.news] + ("ERROR" if line.failure.severity == "error" else "WARNING")


def _subject_name(failure: Failure) -> str:
    subject = failure.subject
    if subject.kind == "check":
        return f"{subject.name} {subject.part.split('@')[0]}"
    if subject.kind == "run":
        return f"job {subject.name}"
    return subject.name


def _story(line: Line) -> list[str]:
    failure = line.failure
    if line.news in _OVER:
        return [f"{_is_well(failure)}; it {_was_ill(failure)} since {time_of(failure.since)}{_times(failure)}."]
    if line.news == "still":
        still = "still stale" if failure.subject.kind == "freshness" else "still failing"
        times = f"{_runs(failure.seen)}, " if failure.subject.kind != "freshness" else ""
        return [f"{still} ({times}since {time_of(failure.since)}){_details(failure.subject, failure.facts)}."]
    again = ", after it had recovered" if line.news == "again" else ""
    at = time_of(failure.last if line.news == "worse" else failure.since)
    return [f"{_is_ill(failure)} at {at}{again}{_details(failure.subject, failure.facts)}."]


def _is_ill(failure: Failure) -> str:
    if failure.subject.kind != "freshness":
        return "failed"
    return "became stale" if failure.severity == "error" else "is about to become stale, noticed"


def _is_well(failure: Failure) -> str:
    words: dict[Literal["check", "run", "freshness"], str] = {
        "check": "passes again", "run": "succeeds again", "freshness": "is no longer stale",
    }  # fmt: skip
    return words[failure.subject.kind]


def _was_ill(failure: Failure) -> str:
    return "had been stale" if failure.subject.kind == "freshness" else "had failed"


def _times(failure: Failure) -> str:
    return "" if failure.subject.kind == "freshness" else f" ({_runs(failure.seen)})"


def _runs(number: int) -> str:
    return "1 run" if number == 1 else f"{number} runs"


def _details(subject: Subject, facts: Facts) -> str:
    parts = []
    if facts.rule and facts.rule != subject.part:
        parts.append(f"rule {facts.rule}")
    if facts.column:
        parts.append(f"column {facts.column}")
    if facts.failing is not None:
        parts.append(_counts(facts))
    if facts.raw_row_ids:
        parts.append(f"such as raw row {', '.join(facts.raw_row_ids)}")
    if facts.steps:
        parts.append(f"in {', '.join(facts.steps)}")
    if facts.reason:
        parts.append(facts.reason)
    if facts.not_refreshed:
        parts.append(f"not refreshed: {', '.join(facts.not_refreshed)}")
    return "; " + "; ".join(parts) if parts else ""


def _counts(facts: Facts) -> str:
    text = f"{facts.failing:,}" + (f" of {facts.rows:,}" if facts.rows is not None else "") + " rows"
    return text if facts.share is None else f"{text} ({_percent(facts.share)})"


def _percent(share: float) -> str:
    return "less than 0.01 %" if 0 < share < 0.0001 else f"{share:.2%}".replace("%", " %")


def time_of(at: float) -> str:
    """A point in time (seconds since 1970) as it is told, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _subject_url(base_url: str, failure: Failure) -> str:
    subject = failure.subject
    path = "/".join(quote(part, safe="") for part in subject.name.split("/"))
    if subject.kind == "check":
        return f"{base_url}/assets/{path}?{urlencode({'view': 'checks', 'checkDetail': subject.part.split('@')[0]})}"
    if subject.kind == "run":
        return f"{base_url}/runs/{quote(failure.run_id or '')}"
    return f"{base_url}/assets/{path}"


def _cut(text: str, length: int) -> str:
    return text if length <= 0 or len(text) <= length else text[: max(length - 1, 0)] + "…"
