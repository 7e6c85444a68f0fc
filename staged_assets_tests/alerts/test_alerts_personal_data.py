"""No personal data in anything that the alerts emit or keep, wherever they may hide in an event."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg

from staged_assets.alerts.config import Alerts
from staged_assets.alerts.sensor import AlertTicks
from staged_assets_tests.alerts.conftest import Clock, MailServer, Webhook

PLANTED = [
    "Zanzibar Quux",
    "quux@zanzibar.example",
    "+44 7700 900123",
    "447700900123",
    "1901-02-03",
    "12 Zanzibar Lane",
]
ROW_ID = "0123456789abcdef0123456789abcdef"


def planted_metadata() -> dict[str, Any]:
    name, mail, phone, number, birth, address = PLANTED
    return {
        "rule": name,
        "column": mail,
        "share": dg.MetadataValue.text(phone),
        "failing": 3,
        "rows": 10,
        "raw_row_ids": [name, ROW_ID, {"name": name}],
        "sample": dg.MetadataValue.json([{"consumer_name": name, "date_of_birth": birth}]),
        "sample_table": dg.MetadataValue.md(f"| {address} | {phone} |"),
        "query": f"select * from stg_consumers where consumer_email = '{mail}'",
        "phone_number": int(number),
        name: name,
    }


def build_failing_assets() -> list[dg.AssetsDefinition]:
    names = [
        f"{kind}_{severity.value.lower()}" for kind in ("metadata", "description") for severity in dg.AssetCheckSeverity
    ]

    @dg.asset(check_specs=[dg.AssetCheckSpec(name, asset="stg_consumers", description=PLANTED[0]) for name in names])
    def stg_consumers() -> dg.MaterializeResult:
        results = [
            dg.AssetCheckResult(
                check_name=name, passed=False, metadata=planted_metadata(), description=" ".join(PLANTED),
                severity=dg.AssetCheckSeverity.WARN if name.endswith("warn") else dg.AssetCheckSeverity.ERROR,
            )
            for name in names
        ]  # fmt: skip
        return dg.MaterializeResult(metadata=planted_metadata(), check_results=results)

    @dg.asset
    def stg_touchpoints() -> None:
        raise dg.Failure(" ".join(PLANTED), metadata=planted_metadata())

    return [stg_consumers, stg_touchpoints]


def test_planted_values_are_in_nothing_that_is_sent_logged_or_kept(
    any_instance: dg.DagsterInstance, configured: Callable[..., Alerts], clock: Clock, webhook: Webhook,
    mail_server: MailServer, caplog: Any, tmp_path: Path,
) -> None:  # fmt: skip
    alerts = configured(
        {"HOOK": webhook.url, "MAIL": mail_server.url},
        channels={
            "console": {"kind": "console"},
            "hook": {"kind": "apprise", "url": "${HOOK}"},
            "mail": {"kind": "apprise", "url": "${MAIL}"},
        },
        otherwise=["console", "hook", "mail"],
    )
    ticks = AlertTicks(alerts, clock, name=tmp_path.name)
    context = dg.build_sensor_context(any_instance, definitions=dg.Definitions())
    ticks.tick(context)
    dg.materialize(build_failing_assets(), instance=any_instance, raise_on_error=False, tags={"person": PLANTED[0]})
    any_instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey("stg_consumers"), check_name="partitioned", passed=False, partition=PLANTED[0],
            metadata=planted_metadata(), description=PLANTED[0],
        )
    )  # fmt: skip
    caplog.clear()
    told = ticks.tick(context)

    [mail], [body] = mail_server.received, webhook.received
    kept = any_instance.daemon_cursor_storage.get_cursor_values({f"staged_assets/alerts/local/{tmp_path.name}"})
    emitted = "\n".join(
        [str(told), str(context.cursor), caplog.text, str(body), str(kept)]
        + [part.get_content() for part in mail.walk() if part.get_content_maintype() == "text"]
    )
    # Everything was told: five checks and the run, with what may be said.
    assert body["title"] == "staged-assets: 4 errors, 2 warnings"
    assert emitted.count(ROW_ID) > 5
    assert "3 of 10 rows (30.00 %)" in emitted
    for value in PLANTED:
        assert value not in emitted
