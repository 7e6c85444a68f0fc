"""`alerts.yaml`: what is accepted, what is refused and how, and where an alert goes."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from staged_assets.alerts.config import load_alerts
from staged_assets.alerts.models import QuietHours
from staged_assets.errors import ConfigurationError
from staged_assets.settings import Settings

ROUTED = """
version: 1
channels:
  console: {kind: console}
  shop: {kind: apprise, url: "${SHOP}"}
  night_shift: {kind: apprise, url: "${NIGHT}"}
routes:
  - {datasets: [sales, orders], to: [shop]}
  - {owners: [erp@examplecorp.com], severities: [error], to: [night_shift]}
  - {kinds: [freshness], to: []}
otherwise: [console]
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "alerts.yaml"
    path.write_text(text)
    return path


def test_the_shipped_configuration_sends_everything_to_the_console(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    alerts = load_alerts(Settings().alerts_path)
    assert alerts.channels_for("run", "warn", [], []) == {"console"}
    assert alerts.channels["console"].kind == "console"


def test_a_file_in_the_working_directory_is_taken(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, ROUTED)
    assert Settings().alerts_path == path


def test_a_file_named_in_the_environment_comes_first(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    written(tmp_path, ROUTED)
    other = tmp_path / "other.yaml"
    monkeypatch.setenv("STAGED_ASSETS_ALERTS", str(other))
    assert Settings().alerts_path == other


@pytest.mark.parametrize(
    ("kind", "severity", "owners", "datasets", "channels"),
    [
        ("check", "warn", [], ["sales"], {"shop"}),
        ("check", "error", ["erp@examplecorp.com"], ["items"], {"night_shift"}),
        ("check", "error", ["erp@examplecorp.com"], ["sales"], {"shop", "night_shift"}),
        ("check", "warn", ["erp@examplecorp.com"], ["items"], {"console"}),
        ("run", "error", ["crm@examplecorp.com", "erp@examplecorp.com"], [], {"night_shift"}),
        ("freshness", "warn", [], ["items"], set()),
    ],
)
def test_every_matching_route_counts_and_otherwise_only_without_one(
    tmp_path, kind, severity, owners, datasets, channels
):
    alerts = load_alerts(written(tmp_path, ROUTED))
    assert alerts.channels_for(kind, severity, owners, datasets) == channels


QUIET = "{kind: console, quiet_hours: {time_zone: UTC, from: '22:00', to: '07:00'}}"


@pytest.mark.parametrize(
    ("found", "replacement", "told"),
    [
        ("otherwise: [console]", "otherwise: [consol]", ["otherwise names the channel 'consol'", "'console'"]),
        ("to: [shop]", "to: [shoop]", ["routes[0].to names the channel 'shoop'", "'shop'"]),
        ("[sales, orders]", "[sale]", ["line 8: routes[0].datasets", "there is no dataset 'sale'", "'sales'"]),
        ("severities: [error]", "severities: [eror]", ["severities[0] is 'eror': expected 'error' or 'warn'"]),
        ("kinds: [freshness]", "kind: [freshness]", ["'kind' is not a key that is known here", "'kinds'"]),
        ("version: 1", "version: 2", ["version is 2: expected 1"]),
        ('url: "${SHOP}"', "max_lines: 3", ["expected a url for kind apprise, and none for kind console"]),
        ("otherwise: [console]", "", ["otherwise is missing"]),
        ("{kind: console}", QUIET.replace("UTC", "Europe/Lodon"), ["is 'Europe/Lodon'", "'Europe/London'"]),
        ("{kind: console}", QUIET.replace("'22:00'", "22:00"), ['expected a time of day in quotes, such as "22:00"']),
        ("{kind: console}", QUIET.replace("07", "22"), ["expected from and to to differ"]),
    ],
)
def test_a_mistake_is_told_in_one_sentence_with_the_nearest_name(tmp_path, found, replacement, told):
    path = written(tmp_path, ROUTED.replace(found, replacement))
    with pytest.raises(ConfigurationError) as error:
        load_alerts(path)
    message = str(error.value)
    assert message.startswith(str(path))
    for part in told:
        assert part in message
    assert message.count("\n") == 0


@pytest.mark.parametrize(
    "channel",
    [
        "{kind: apprise, url: 'slack://s3cret/token'}",
        "{kind: apprise, url: 'slack://${NAME}/s3cret'}",
        "{kind: apprise, url: ['slack://s3cret/token']}",
        "slack://s3cret/token",
        "{kind: apprise, url: slack://s3cret/token, 'broken",
    ],
)
def test_a_literal_secret_is_refused_and_not_repeated(tmp_path, channel):
    path = written(tmp_path, ROUTED.replace('{kind: apprise, url: "${SHOP}"}', channel))
    with pytest.raises(ConfigurationError) as error:
        load_alerts(path)
    assert "s3cret" not in str(error.value)
    assert error.value.__suppress_context__


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigurationError, match="the file can't be read: No such file"):
        load_alerts(tmp_path / "none.yaml")


def test_a_url_comes_from_the_environment(tmp_path):
    alerts = load_alerts(written(tmp_path, ROUTED), {"SHOP": "json://localhost"})
    assert alerts.url("shop") == "json://localhost"


def test_a_variable_that_is_not_set_is_named(tmp_path):
    alerts = load_alerts(written(tmp_path, ROUTED), {"SHOP": "json://localhost"})
    with pytest.raises(ConfigurationError, match="environment variable NIGHT, which is not set"):
        alerts.url("night_shift")


def test_the_base_url_may_come_from_the_environment(tmp_path):
    path = written(tmp_path, ROUTED + "base_url: ${WEB}\n")
    assert load_alerts(path, {"WEB": "https://dagster.examplecorp.com/"}).base_url == "https://dagster.examplecorp.com"


def test_a_base_url_that_is_not_set_is_told(tmp_path):
    with pytest.raises(ConfigurationError, match="base_url refers to the environment variable WEB"):
        load_alerts(written(tmp_path, ROUTED + "base_url: ${WEB}\n"), {})


@pytest.mark.parametrize(
    ("start", "end", "clock", "quiet"),
    [
        ("22:00", "07:00", "21:59", False),
        ("22:00", "07:00", "22:00", True),
        ("22:00", "07:00", "06:59", True),
        ("22:00", "07:00", "07:00", False),
        ("12:00", "13:00", "12:30", True),
        ("12:00", "13:00", "13:00", False),
    ],
)
@pytest.mark.parametrize(("zone", "month"), [("Europe/London", 1), ("Europe/London", 7), ("Asia/Tokyo", 7)])
def test_quiet_hours_are_those_of_the_time_zone(zone, month, start, end, clock, quiet):
    hours = QuietHours.model_validate({"time_zone": zone, "from": start, "to": end})
    hour, minute = map(int, clock.split(":"))
    assert hours.now(datetime(2026, month, 5, hour, minute, tzinfo=ZoneInfo(zone)).timestamp()) is quiet
