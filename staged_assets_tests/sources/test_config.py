"""`sources.yaml`: what is accepted, and what each mistake is answered with."""

from collections.abc import Callable
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from staged_assets.errors import ConfigurationError
from staged_assets.settings import DEMO_SOURCES
from staged_assets.sources.config import Sources, load_sources
from staged_assets.sources.connections import RestConnection

PROJECT = Path(__file__).parents[2]


def _content() -> dict[str, Any]:
    return {
        "version": 1,
        "defaults": {"owner": "team@example.com"},
        "systems": {
            "erp": {
                "connector": "sqlite",
                "connection": {"path": "data/${ERP_NAME}.db"},
                "time_zone": "Europe/Berlin",
                "country": "DE",
                "date_formats": ["%d.%m.%Y"],
                "decimal_mark": ",",
                "priority": 2,
                "feeds": [
                    {
                        "dataset": "items",
                        "from": "product",
                        "key": ["no"],
                        "updated_at": "changed",
                        "delete_marker": {"column": "gone", "values": ["1"]},
                        "columns": {"item_id": "no", "brand": {"value": "own"}},
                    }
                ],
            }
        },
    }


Change = Callable[[dict[str, Any]], object]


def _load(folder: Path, change: Change = lambda content: None, **environ: str) -> Sources:
    content = _content()
    change(content)
    path = folder / "sources.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return load_sources(path, environ)


def _erp(content: dict[str, Any]) -> dict[str, Any]:
    return content["systems"]["erp"]


def _feed(content: dict[str, Any]) -> dict[str, Any]:
    return _erp(content)["feeds"][0]


def _shop(dataset: str, **system: Any) -> dict[str, Any]:
    feed = {"dataset": dataset, "from": dataset, "key": ["id"], "columns": {f"{dataset.removesuffix('s')}_id": "id"}}
    return {"connector": "event_files", "connection": {"path": "."}, "feeds": [feed], **system}


def _rest(connection: dict[str, Any]) -> dict[str, Any]:
    return _shop("orders") | {"connector": "rest", "connection": {"url": "https://example.com", **connection}}


MISTAKES: dict[str, tuple[Change, str]] = {
    "unknown key of a system": (
        lambda c: _erp(c).update(timezone="UTC"),
        "systems.erp is wrong: 'timezone' is not a key that is known here, perhaps 'time_zone' is meant",
    ),
    "unknown key of a connection": (
        lambda c: _erp(c)["connection"].update(pth="x"),
        "systems.erp.connection is wrong: 'pth' is not a key that is known here, perhaps 'path' is meant",
    ),
    "unknown dataset": (
        lambda c: _feed(c).update(dataset="itmes"),
        "systems.erp.feeds[0].dataset is 'itmes': there is no dataset of that name, perhaps 'items' is meant",
    ),
    "unknown column": (
        lambda c: _feed(c)["columns"].update(item_nme="x"),
        "items has no column 'item_nme', perhaps 'item_name' is meant",
    ),
    "key not mapped": (
        lambda c: _feed(c).update(columns={"brand": "b"}),
        "columns must say where 'item_id' comes from, the key of items",
    ),
    "unknown connector": (
        lambda c: _erp(c).update(connector="sqllite"),
        "systems.erp has the connector 'sqllite', which is not known, perhaps 'sqlite' is meant",
    ),
    "no connector": (
        lambda c: _erp(c).pop("connector"),
        "systems.erp has no connector, expected one of: database, duckdb, sqlite",
    ),
    "no connection": (lambda c: _erp(c).pop("connection"), "systems.erp.connection is missing"),
    "unknown time zone": (
        lambda c: _erp(c).update(time_zone="Europe/Berln"),
        "systems.erp.time_zone is 'Europe/Berln': no time zone of that name is known, perhaps 'Europe/Berlin' is meant",
    ),
    "country in small letters": (lambda c: _erp(c).update(country="de"), "systems.erp.country is 'de'"),
    "country that YAML reads as false": (lambda c: _erp(c).update(country=False), "is False: expected a valid string"),
    "date format without year": (
        lambda c: _erp(c).update(date_formats=["%d.%m"]),
        "'%d.%m' is not a date format, expected strptime's notation such as '%d.%m.%Y'",
    ),
    "wrong decimal mark": (lambda c: _erp(c).update(decimal_mark=";"), "systems.erp.decimal_mark is ';'"),
    "number where text is expected": (
        lambda c: _feed(c)["delete_marker"].update(values=[1]),
        "systems.erp.feeds[0].delete_marker.values[0] is 1: expected a valid string (write it in quotes)",
    ),
    "neither table nor query": (lambda c: _feed(c).pop("from"), "expected either from or query"),
    "both table and query": (lambda c: _feed(c).update(query="select 1"), "expected either from or query"),
    "column from nowhere": (
        lambda c: _feed(c)["columns"].update(brand={}),
        "expected a source column's name, {value: …} or {expression: …}",
    ),
    "expression that is no SQL": (
        lambda c: _feed(c)["columns"].update(brand={"expression": "upper(a"}),
        "the expression 'upper(a' can't be used: syntax error",
    ),
    "expression with an unknown function": (
        lambda c: _feed(c)["columns"].update(brand={"expression": "frobnicate(a)"}),
        "Scalar Function with name frobnicate does not exist.",
    ),
    "expression that counts rows": (
        lambda c: _feed(c)["columns"].update(brand={"expression": "count(a)"}),
        "the expression 'count(a)' can't be used",
    ),
    "expression with a qualified name": (
        lambda c: _feed(c)["columns"].update(brand={"expression": "a.b"}),
        """write a column's name with a dot in it as "a.b\"""",
    ),
    "deletes by absence from changes": (
        lambda c: _feed(c).update(deletes="by_absence"),
        "deletes: by_absence needs full snapshots",
    ),
    "comparison of keys without changes": (
        lambda c: _feed(c).update(updated_at=None, deletes="by_key_comparison"),
        "deletes: by_key_comparison needs a table with updated_at",
    ),
    "comparison of keys of a part": (
        lambda c: _erp(c)["feeds"].append({**_feed(c), "from": "other", "deletes": "by_key_comparison"}),
        "erp has two feeds of items, one of which compares keys",
    ),
    "unknown scheme": (
        lambda c: _erp(c).update(connector="database", connection={"url": "postgrsql://h/d"}),
        "systems.erp.connection.url is wrong: the URL begins with 'postgrsql', perhaps 'postgresql' is meant",
    ),
    "the same feed twice": (
        lambda c: _erp(c)["feeds"].append(_feed(c).copy()),
        "erp has two feeds 'product' of items: give one of them another name",
    ),
    "two snapshots of a dataset": (
        lambda c: _erp(c)["feeds"].append(
            {"dataset": "items", "from": "other", "key": ["no"], "columns": {"item_id": "no"}}
        ),
        "erp has two feeds of items, one without updated_at",
    ),
    "duration without unit": (
        lambda c: _erp(c).update(requirements={"max_staleness": "15"}),
        "systems.erp.requirements.max_staleness is '15': expected a duration such as 30s, 15m, 4h or 1d",
    ),
    "window that YAML reads as a number": (
        lambda c: _erp(c).update(batch_window={"from": 1350, "to": "05:00"}),
        "systems.erp.batch_window.from is 1350: expected a time of day in quotes, such as '22:30'",
    ),
    "unknown capability": (
        lambda c: _erp(c).update(capabilities={"changes": "cdc"}),
        "systems.erp.capabilities.changes is 'cdc': expected 'snapshot', 'change_cursor', 'events' or 'change_feed'",
    ),
    "no owner": (lambda c: c["defaults"].pop("owner"), "defaults.owner is missing"),
    "another version": (lambda c: c.update(version=2), "version is 2: expected 1"),
    "no systems": (lambda c: c.update(systems={}), "systems is wrong"),
}


@pytest.mark.parametrize(("change", "expected"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_named_with_what_was_expected(tmp_path: Path, change: Change, expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _load(tmp_path, change)
    assert expected in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'sources.yaml'}, line ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["all", "raw", "stg_sales", "quarantine_x"])
def test_a_name_of_the_staged_areas_own_is_no_systems(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"line \d+: .* a system can't be called '{name}'"):
        _load(tmp_path, lambda content: content["systems"].update({name: _erp(content)}))


def test_the_line_of_a_mistake_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"sources\.yaml, line 9: systems\.erp\.time_zone is 'Mars'"):
        _load(tmp_path, lambda c: _erp(c).update(time_zone="Mars"))


def test_the_line_of_a_key_that_is_not_known_is_its_own(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="items has no column 'item_nme'") as caught:
        _load(tmp_path, lambda c: _feed(c).update(columns={"item_id": "no", "item_nme": "x"}))
    line = (tmp_path / "sources.yaml").read_text().partition("item_nme")[0].count("\n") + 1
    assert f", line {line}: " in str(caught.value)


SECRETS: dict[str, tuple[str, dict[str, Any]]] = {
    "a password in a URL": ("connection.url", {"url": "https://me:hunter2@example.com"}),
    "a token in a header": ("connection.headers.Authorization", {"headers": {"Authorization": "Bearer hunter2"}}),
    "a key in a header": ("connection.headers.X-Api-Key", {"headers": {"X-Api-Key": "hunter2"}}),
    "a token in a URL's query": ("connection.url", {"url": "https://example.com/?access_token=hunter2"}),
}


@pytest.mark.parametrize(("place", "connection"), SECRETS.values(), ids=SECRETS.keys())
def test_a_literal_secret_is_refused_and_not_shown(tmp_path: Path, place: str, connection: dict[str, Any]) -> None:
    def change(content: dict[str, Any]) -> None:
        content["systems"]["crm"] = _rest(connection)

    with pytest.raises(ConfigurationError, match=rf"line \d+: systems\.crm\.{place} holds a secret itself") as caught:
        _load(tmp_path, change)
    assert "hunter2" not in str(caught.value)


def test_a_literal_secret_among_a_feeds_parameters_is_refused(tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["systems"]["crm"] = _rest({})
        content["systems"]["crm"]["feeds"][0]["params"] = {"api_key": "hunter2"}

    with pytest.raises(ConfigurationError, match=r"systems\.crm\.feeds\[0\]\.params\.api_key holds a secret itself"):
        _load(tmp_path, change)


def test_a_secret_from_the_environment_is_encoded_where_a_url_needs_it(tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        url = "https://me:${PASSWORD}@example.com/${ROOT}?key=${KEY}"
        content["systems"]["crm"] = _rest({"url": url, "headers": {"Authorization": "Bearer ${TOKEN}"}})

    sources = _load(tmp_path, change, PASSWORD="a@b/c", ROOT="v1/all", KEY="x&y", TOKEN="t/+=")
    connection = sources.resolve("crm").connection
    assert isinstance(connection, RestConnection)
    assert connection.url == "https://me:a%40b%2Fc@example.com/v1/all?key=x%26y"
    assert connection.headers == {"Authorization": "Bearer t/+="}


def test_a_whole_url_from_the_environment_is_taken_as_it_is(tmp_path: Path) -> None:
    sources = _load(tmp_path, lambda c: c["systems"].update(crm=_rest({"url": "${CRM}"})), CRM="http://a:b@c/d?e=f")
    assert sources.resolve("crm").connection.url == "http://a:b@c/d?e=f"


def test_a_mistake_in_a_secrets_place_does_not_show_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _load(tmp_path, lambda c: c["systems"].update(crm=_rest({"headers": {"Authorization": 4711}})))
    assert "4711" not in str(caught.value)


def test_a_feeds_requirement_goes_before_its_systems(tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        _erp(content).update(requirements={"max_staleness": "4h"}, batch_window={"from": "22:00", "to": "05:30"})
        _feed(content)["requirements"] = {"max_staleness": "15m"}
        _erp(content)["feeds"].append(_shop("orders")["feeds"][0])

    sources = _load(tmp_path, change)
    erp = sources.systems["erp"]
    assert [sources.max_staleness("erp", feed) for feed in erp.feeds] == [timedelta(minutes=15), timedelta(hours=4)]
    assert erp.batch_window is not None
    assert (erp.batch_window.start, erp.batch_window.end) == (time(22), time(5, 30))


@pytest.mark.parametrize(
    ("said", "feed", "expected"),
    [
        ({}, {}, ("change_cursor", "visible")),
        ({}, {"updated_at": None}, ("snapshot", "visible")),
        ({}, {"delete_marker": None}, ("change_cursor", "invisible")),
        ({"changes": "snapshot"}, {}, ("snapshot", "visible")),
        ({"changes": "change_feed", "deletes": "invisible"}, {}, ("change_cursor", "invisible")),
    ],
)
def test_a_feed_can_do_what_its_mapping_gives_or_less(
    tmp_path: Path, said: dict[str, str], feed: dict[str, Any], expected: tuple[str, str]
) -> None:
    def change(content: dict[str, Any]) -> None:
        _erp(content)["capabilities"] = said
        _feed(content).update(feed)

    sources = _load(tmp_path, change)
    found = sources.capabilities("erp", sources.systems["erp"].feeds[0])
    assert (found.changes, found.deletes) == expected


def test_a_key_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sources.yaml"
    path.write_text("version: 1\ndefaults: {owner: a}\nversion: 1\n")
    with pytest.raises(ConfigurationError, match="line 3: version is there twice"):
        load_sources(path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"a: [", "is not YAML"), (b"\xff", "is not UTF-8"), (b"", "the file is None: expected"), (b"- 1", "the file is")],
)
def test_a_file_of_the_wrong_kind_is_refused(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "sources.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=expected):
        load_sources(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"sources\.yaml: the file can't be read: No such file"):
        load_sources(tmp_path / "sources.yaml")


@pytest.mark.parametrize(
    "path",
    [DEMO_SOURCES, *sorted((PROJECT / "staged_assets" / "examples").glob("*/sources.yaml"))],
    ids=lambda path: path.parent.name,
)
def test_shipped_files_are_valid(path: Path) -> None:
    assert load_sources(path, {}).systems


def test_loading_needs_no_environment_and_connecting_says_what_is_missing(tmp_path: Path) -> None:
    sources = _load(tmp_path)
    expected = "systems.erp.connection.path refers to the environment variable ERP_NAME, which is not set"
    with pytest.raises(ConfigurationError, match=expected):
        sources.resolve("erp")


def test_references_are_replaced_and_paths_start_at_the_file(tmp_path: Path) -> None:
    connection = _load(tmp_path, ERP_NAME="main").resolve("erp").connection
    assert connection.path == str(tmp_path / "data" / "main.db")


def test_a_variable_set_after_loading_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _load(tmp_path)
    sources = load_sources(tmp_path / "sources.yaml")
    monkeypatch.setenv("ERP_NAME", "late")
    assert sources.resolve("erp").connection.path.endswith("late.db")


def test_an_unknown_system_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no system 'epr', perhaps 'erp' is meant"):
        _load(tmp_path).resolve("epr")


def test_formats_say_how_each_system_writes(tmp_path: Path) -> None:
    assert _load(tmp_path).formats == {
        "erp": {
            "date_formats": ["%d.%m.%Y"],
            "decimal_mark": ",",
            "time_zone": "Europe/Berlin",
            "country": "DE",
            "priority": 2,
        }
    }


def test_the_system_with_the_highest_survivorship_comes_first(tmp_path: Path) -> None:
    sources = _load(tmp_path, lambda c: c["systems"].update(shop=_shop("items", priority=1)))
    assert [system for system, _ in sources.feeds_of("items")] == ["shop", "erp"]
    assert sources.primary_system("items") == "shop"
    assert sources.primary_system("sales") is None


def test_the_nearest_owner_answers(tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["systems"]["shop"] = _shop("orders", owner="shop@example.com")
        _feed(content)["owner"] = "items@example.com"

    sources = _load(tmp_path, change)
    assert sources.owner("items") == "items@example.com"
    assert sources.owner("orders") == "shop@example.com"
    assert sources.owner("sales") == "team@example.com"


@pytest.mark.parametrize(
    ("source", "expected"),
    [("product", "product"), ("sales/*.ndjson*", "sales_ndjson"), ("dbo.Übersicht", "dbo_Übersicht")],
)
def test_a_feed_is_named_after_what_it_reads(tmp_path: Path, source: str, expected: str) -> None:
    sources = _load(tmp_path, lambda c: _feed(c).update({"from": source}))
    assert sources.systems["erp"].feeds[0].name == expected
