"""The parse macros as SQL, rendered by dbt once, and run on DuckDB."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import yaml
from dbt.cli.main import dbtRunner

from staged_assets.settings import PACKAGE

PROJECT = PACKAGE / "dbt"

#: two systems that write unlike ISO 8601 and the point, beside `web`, which writes plainly
SOURCES: dict[str, dict[str, Any]] = {
    "web": {"date_formats": [], "decimal_mark": ".", "time_zone": "UTC", "priority": 1},
    "erp": {"date_formats": ["%d.%m.%Y"], "decimal_mark": ",", "time_zone": "Europe/London", "priority": 2},
    "crm": {
        "date_formats": ["%d/%m/%Y", "%m/%d/%Y", "%m/%d/%Y %I:%M %p", "%Y%m%d", "%d-%b-%Y"],
        "time_zone": "America/New_York",
        "priority": 3,
    },
}

#: the macros of one text
UNARY = (
    "is_blank clean_text clean_name clean_code slug lookup_key parse_integer parse_decimal parse_amount"
    " parse_percentage parse_date parse_timestamp parse_boolean parse_weight weight_unit parse_gtin parse_email"
    " email_domain is_plain_integer is_plain_decimal is_plain_boolean is_junk_email"
)

#: of a trimmed text, as the models call them
OF_TRIMMED = "integer decimal email"

#: what the engine's own cast makes of a text, as the models have it in a column
DAY = "case when x like '____-__-__' then try_cast(x as date) end"
MOMENT = "case when x like '____-__-__%' then try_cast(x as timestamp) end"

#: those that say of some texts what others say of all, to which they are compared
DERIVED = {
    **{f"{kind}_of": f"{kind}_of(trimmed('x'))" for kind in OF_TRIMMED.split()},
    "moment_in_utc": f'moment_in_utc("{MOMENT}")',
    "is_plain_email": "is_plain_email('x')",
}

#: how each macro is called on the columns `x`, `region` and `_source_system`
CALLS = {
    **{name: f"{name}('x')" for name in UNARY.split()},
    **DERIVED,
    "is_plain_date": f'is_plain_date("x", "{DAY}")',
    "is_plain_moment": f'is_plain_moment("x", "{MOMENT}")',
    "parse_phone": "parse_phone('x', 'region')",
    **{
        f"keyword_value {vocabulary}": f"keyword_value('{vocabulary}', 'x')"
        for vocabulary in ("segment_type", "channel_group", "journey_stage", "touchpoint_channel")
    },
}

#: country of a name, as the models look it up
COUNTRY = "(select country_code from reference.country_names as names where names.lookup_key = {key})"

COLUMNS = ("x", "region", "_source_system")


class Macros:
    """The macros on a connection that has the reference seeds."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, sql: Mapping[str, str]) -> None:
        self.connection = connection
        self.sql = {**sql, "country": COUNTRY.format(key=sql["lookup_key"])}

    def values(self, macro: str, rows: Sequence[tuple[str | None, str | None, str | None]]) -> list[Any]:
        """The macro's value for each row of (text, region, source system)."""
        table = pa.table(
            {name: pa.array([row[place] for row in rows], pa.string()) for place, name in enumerate(COLUMNS)}
            | {"position": pa.array(range(len(rows)), pa.int64())}
        )
        self.connection.register("inputs", table)
        # a macro stands beside other columns in a model, and on a table, where nothing is folded as a constant
        query = f"select {self.sql[macro]} as v, position from inputs order by position"
        return [value for value, _ in self.connection.execute(query).fetchall()]

    def texts(self, macro: str, texts: Sequence[str | None], system: str | None = None) -> list[Any]:
        """The macro's value for each text."""
        return self.values(macro, [(text, None, system) for text in texts])


def render(folder: Path, sources: Mapping[str, Any] = SOURCES) -> dict[str, str]:
    """Macro → SQL, by one compilation of the project's macros; models are left out, they take long to parse."""
    for name in ("macros", "seeds"):
        shutil.copytree(PROJECT / name, folder / name)
    settings = yaml.safe_load((PROJECT / "dbt_project.yml").read_text("utf-8"))
    settings.pop("models", None)
    (folder / "dbt_project.yml").write_text(yaml.safe_dump(settings, allow_unicode=True), "utf-8")
    target = {"type": "duckdb", "path": ":memory:", "schema": "staged"}
    profile = {settings["profile"]: {"target": "test", "outputs": {"test": target}}}
    (folder / "profiles.yml").write_text(yaml.safe_dump(profile), "utf-8")
    inline = "{{ tojson({" + ", ".join(f'"{name}": {call}' for name, call in CALLS.items()) + "}) }}"
    result = dbtRunner().invoke(
        [
            *("--log-level", "none", "--log-level-file", "none", "compile", "--inline", inline),
            *("--project-dir", str(folder), "--profiles-dir", str(folder)),
            *("--target-path", str(folder / "target"), "--log-path", str(folder / "logs")),
            *("--vars", json.dumps({"sources": sources})),
        ]
    )
    assert result.success, result.exception or result.result
    compiled = json.loads(result.result.results[0].node.compiled_code)  # type: ignore[union-attr, index]
    return {name: sql.replace('"memory".', "") for name, sql in compiled.items()}


def load_seeds(connection: duckdb.DuckDBPyConnection) -> None:
    """The seeds with the types that `_seeds.yml` gives, as dbt loads them."""
    connection.execute("create schema reference")
    for seed in yaml.safe_load((PROJECT / "seeds/_seeds.yml").read_text("utf-8"))["seeds"]:
        name, types = seed["name"], seed["config"]["column_types"]
        columns = ", ".join(f"{column} {type_}" for column, type_ in types.items())
        connection.execute(f"create table reference.{name} ({columns})")
        path = PROJECT / "seeds" / f"{name}.csv"
        connection.execute(f"copy reference.{name} from '{path}' (format csv, header true)")
