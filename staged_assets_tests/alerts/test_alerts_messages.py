"""What a person reads."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staged_assets.alerts.messages import Limits, compose
from staged_assets.alerts.observations import Facts, Subject
from staged_assets.alerts.state import Failure, Line, News

BASE = "http://127.0.0.1:3000"
RUN = "1a2b3c4d-0000-0000-0000-000000000000"
SINCE = datetime(2026, 3, 1, 5, 30, tzinfo=UTC).timestamp()
ROW_ID = "0123456789abcdef0123456789abcdef"


def line(
    news: News = "failed", kind: Any = "check", name: str = "stg_sales", part: str = "required", **failure: Any
) -> Line:
    values = {
        "severity": "error", "since": SINCE, "last": SINCE, "run_id": RUN,
        "failing": news not in ("recovered", "passed"),
    }  # fmt: skip
    return Line(news=news, failure=Failure(subject=Subject(kind=kind, name=name, part=part), **{**values, **failure}))


def text(*lines: Line, **limits: int) -> str:
    return compose(lines, BASE, Limits(**limits)).text


def test_a_failed_check_is_told_with_its_counts_and_links():
    facts = Facts(rule="not_null", column="item_id", failing=12, rows=4000, share=0.003, raw_row_ids=(ROW_ID,))
    assert text(line(facts=facts)) == (
        "ERROR stg_sales required: failed at 2026-03-01 05:30 UTC; rule not_null; column item_id;"
        f" 12 of 4,000 rows (0.30 %); such as raw row {ROW_ID}.\n"
        "  http://127.0.0.1:3000/assets/stg_sales?view=checks&checkDetail=required\n"
        f"Run 1a2b3c4d: http://127.0.0.1:3000/runs/{RUN}"
    )


@pytest.mark.parametrize(
    ("news", "failure", "sentence"),
    [
        ("still", {"seen": 12}, "STILL ERROR stg_sales required: still failing (12 runs, since 2026-03-01 05:30 UTC)."),
        ("recovered", {"seen": 1},
         "RECOVERED stg_sales required: passes again; it had failed since 2026-03-01 05:30 UTC (1 run)."),
        ("again", {}, "AGAIN ERROR stg_sales required: failed at 2026-03-01 05:30 UTC, after it had recovered."),
        ("worse", {"last": SINCE + 3600}, "NOW ERROR stg_sales required: failed at 2026-03-01 06:30 UTC."),
        ("failed", {"severity": "warn"}, "WARNING stg_sales required: failed at 2026-03-01 05:30 UTC."),
        ("failed", {"kind": "freshness", "part": ""}, "ERROR stg_sales: became stale at 2026-03-01 05:30 UTC."),
        ("still", {"kind": "freshness", "part": ""},
         "STILL ERROR stg_sales: still stale (since 2026-03-01 05:30 UTC)."),
        ("recovered", {"kind": "freshness", "part": ""},
         "RECOVERED stg_sales: is no longer stale; it had been stale since 2026-03-01 05:30 UTC."),
        ("failed",
         {"kind": "run", "name": "refresh_erp", "part": "", "facts": Facts(steps=("a", "b"), not_refreshed=("x",))},
         "ERROR job refresh_erp: failed at 2026-03-01 05:30 UTC; in a, b; not refreshed: x."),
        ("recovered", {"kind": "run", "name": "refresh_erp", "part": ""},
         "RECOVERED job refresh_erp: succeeds again; it had failed since 2026-03-01 05:30 UTC (1 run)."),
    ],
)  # fmt: skip
def test_each_kind_of_news_is_one_sentence(news, failure, sentence):
    assert text(line(news, **failure)).splitlines()[0] == sentence


def test_a_run_is_linked():
    message = text(line(kind="run", name="refresh_erp", part=""))
    assert f"\n  {BASE}/runs/{RUN}\n" in message


def test_a_key_of_several_parts_is_linked():
    assert f"{BASE}/assets/raw/sales?view=checks&checkDetail=a+b" in text(line(name="raw/sales", part="a b"))


def test_markdown_links_the_names():
    message = compose([line()], BASE, Limits()).markdown
    link = f"{BASE}/assets/stg_sales?view=checks&checkDetail=required"
    assert message.startswith(f"- ERROR [`stg_sales required`]({link}): failed at")
    assert message.endswith(f"\n\nRuns: [1a2b3c4d]({BASE}/runs/{RUN})")


def test_the_title_counts():
    lines = [line(part="a"), line(part="b"), line(part="c", severity="warn"), line("recovered", part="d")]
    assert compose(lines, BASE, Limits()).title == "staged-assets: 2 errors, 1 warning, 1 recovered"


@pytest.mark.parametrize(
    ("lines", "severity"),
    [
        ([line(severity="warn"), line()], "error"),
        ([line(severity="warn"), line("recovered")], "warn"),
        ([line("recovered")], None),
    ],
)
def test_the_worst_that_fails_is_the_severity(lines, severity):
    assert compose(lines, BASE, Limits()).severity == severity


def test_the_worst_comes_first_and_what_is_over_last():
    lines = [line("recovered", part="d"), line(part="c", severity="warn"), line("still", part="b"), line(part="a")]
    entries = [entry for entry in text(*lines).splitlines() if entry.endswith(".")]
    assert [entry.split(":")[0] for entry in entries] == [
        "ERROR stg_sales a", "STILL ERROR stg_sales b", "WARNING stg_sales c", "RECOVERED stg_sales d",
    ]  # fmt: skip


def test_a_burst_is_a_capped_list():
    message = text(*(line(part=f"check_{number:02}") for number in range(40)), lines=20)
    assert message.count("ERROR") == 20
    assert "… and 20 more." in message
    assert message.count("/runs/") == 1


def test_a_short_channel_gets_what_fits_with_links_and_a_very_short_one_without():
    lines = [line(part=f"check_{number:02}") for number in range(40)]
    short, very_short = text(*lines, body=1024), text(*lines, body=160)
    assert "http" in short
    assert "more." in short
    assert "http" not in very_short
    assert "… and 38 more." in very_short


NAMES = st.text(max_size=100)
LINES = st.builds(line, st.sampled_from(["failed", "still", "recovered"]), name=NAMES, part=NAMES)


@settings(max_examples=50, deadline=None)
@given(st.lists(LINES, min_size=1, max_size=30), st.integers(20, 3000), st.integers(10, 60))
def test_no_message_is_longer_than_the_channel_takes(lines, body, title):
    message = compose(lines, BASE, Limits(body=body, title=title))
    assert len(message.text) <= body
    assert len(message.markdown) <= body
    assert len(message.title) <= title
