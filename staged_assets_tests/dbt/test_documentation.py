"""The YAML of the dbt project says what is really built."""

import copy
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from staged_assets.landing.layout import DATASETS
from staged_assets.landing.raw_area import column_types
from staged_assets_tests.dbt.built_project import BuiltProject, engine_type

pytestmark = pytest.mark.xdist_group("dbt")

ROOT = Path(__file__).parents[2]

#: dataset → the columns that downstream models select by these names, with these types, in this order, first.
BASE_CONTRACT = {
    "audience_segments": "audience_segment_id bigint, segment_name varchar, description varchar",
    "consumers": "consumer_id bigint, consumer_name varchar, consumer_email varchar, consumer_city varchar,"
    " phone_number varchar, date_of_birth date, address varchar, loyalty_points bigint, country varchar",
    "interactions": "interaction_id bigint, consumer_id bigint, touchpoint_id bigint, interaction_date date,"
    " interaction_type varchar, resolution_status varchar, comments varchar",
    "inventory": "inventory_id bigint, item_id bigint, quantity_on_hand bigint, reorder_level bigint,"
    " warehouse_location varchar, last_updated date",
    "items": "item_id bigint, item_name varchar, item_price decimal(18.4), category varchar, stock_quantity bigint,"
    " supplier varchar, weight decimal(18.4), brand varchar, country varchar",
    "location_dimension": "location_id bigint, city varchar, country varchar",
    "loyalty_activities": "loyalty_activity_id bigint, consumer_id bigint, activity_date date, activity_type varchar,"
    " points_earned bigint, points_redeemed bigint, balance_points bigint",
    "media_channels": "media_channel_id bigint, media_channel_name varchar, description varchar",
    "offers": "offer_id bigint, offer_name varchar, discount decimal(18.4), valid_from date, valid_to date,"
    " terms varchar, offer_code varchar, max_usage bigint, country varchar",
    "orders": "order_id bigint, item_id bigint, supplier_id bigint, order_date date, quantity_ordered bigint,"
    " order_status varchar, expected_delivery_date date",
    "sales": "sale_id bigint, sale_date date, shop_id bigint, consumer_id bigint, item_id bigint, offer_id bigint,"
    " quantity bigint, total_price decimal(18.4), payment_method varchar, order_status varchar, delivery_date date,"
    " delivery_status varchar, country varchar",
    "shops": "shop_id bigint, shop_name varchar, shop_location varchar, shop_type varchar, established_year bigint,"
    " owner varchar, contact_email varchar, country varchar",
    "suppliers": "supplier_id bigint, supplier_name varchar, contact_name varchar, contact_email varchar,"
    " contact_phone varchar, address varchar, country varchar",
    "touchpoints": "touchpoint_id bigint, touchpoint_name varchar, description varchar",
}
METADATA = [
    "_raw_row_id",
    "_source_system",
    "_source_updated_at",
    "_landed_at",
    "_staged_at",
    "_cleansed",
    "_cell_defects",
]

PERSONAL = {
    "consumers": {
        "consumer_name", "consumer_email", "consumer_city", "phone_number", "date_of_birth", "address", "_cell_defects",
    },
    "interactions": {"comments", "_cell_defects"},
    "shops": {"owner", "contact_email", "_cell_defects"},
    "suppliers": {"contact_name", "contact_email", "contact_phone", "_cell_defects"},
}  # fmt: skip


def _documented(built: BuiltProject) -> list[Mapping[str, Any]]:
    return [*built.nodes("model", "seed"), *built.manifest["sources"].values()]


def _columns_documented(node: Mapping[str, Any]) -> dict[str, str]:
    return {name: engine_type(column["data_type"]) for name, column in node["columns"].items()}


def _relation(node: Mapping[str, Any]) -> str:
    return f"{node['schema']}.{node.get('alias') or node['name']}"


def test_everything_builds(built: BuiltProject) -> None:
    bad = {name: result for name, result in built.results.items() if result[0] not in ("success", "pass")}
    assert bad == {}


def test_dbt_has_nothing_to_warn_of(built: BuiltProject) -> None:
    assert built.warnings == []


def test_every_model_source_and_seed_is_described(built: BuiltProject) -> None:
    assert [node["name"] for node in _documented(built) if not node["description"].strip()] == []


def test_every_column_is_described(built: BuiltProject) -> None:
    silent = [
        f"{node['name']}.{name}"
        for node in _documented(built)
        for name, column in node["columns"].items()
        if not column["description"].strip() or not column["data_type"]
    ]
    assert silent == []


def test_the_columns_documented_are_those_built(built: BuiltProject) -> None:
    for node in built.nodes("model", "seed"):
        found = {name: kind for name, (kind, _) in built.columns(_relation(node)).items()}
        assert list(_columns_documented(node).items()) == list(found.items()), node["name"]


def test_raw_is_documented_as_the_layout_has_it(built: BuiltProject) -> None:
    documented = {s["name"]: s["columns"] for s in built.manifest["sources"].values() if s["source_name"] == "raw"}
    assert {name: {c: v["data_type"] for c, v in columns.items()} for name, columns in documented.items()} == {
        name: column_types(dataset) for name, dataset in DATASETS.items()
    }


def test_the_base_contract_comes_first_and_metadata_last(built: BuiltProject) -> None:
    for dataset, contract in BASE_CONTRACT.items():
        columns = {name: kind for name, (kind, _) in built.columns(f"staged.stg_{dataset}").items()}
        wanted = [tuple(column.replace("18.4", "18,4").split(" ")) for column in contract.split(", ")]
        found = list(columns.items())
        assert found[: len(wanted)] == [(name, engine_type(kind)) for name, kind in wanted], dataset
        assert list(columns)[-len(METADATA) :] == METADATA, dataset


def test_contracts_are_enforced(built: BuiltProject) -> None:
    contracts = {
        node["name"]: node["config"]["contract"]["enforced"]
        for node in built.nodes("model")
        if node["name"].startswith("stg_")
    }
    assert len(contracts) == 22
    assert [name for name, enforced in contracts.items() if not enforced] == []


@pytest.mark.parametrize("model", ["stg_items", "stg_offers__usage"])
def test_a_column_of_another_type_than_its_contract_is_refused(built: BuiltProject, tmp_path: Path, model: str) -> None:
    manifest = copy.deepcopy(built.parsed)
    column = {"stg_items": "item_price", "stg_offers__usage": "revenue"}[model]
    manifest.nodes[f"model.staged_assets.{model}"].columns[column].data_type = "double"
    status, message = built.copy(tmp_path).invoke("run", "--select", model, manifest=manifest)[model]
    assert status == "error"
    assert "contract" in message
    assert column in message


def test_required_columns_can_not_be_null(built: BuiltProject) -> None:
    for dataset in DATASETS:
        base = built.manifest["nodes"][f"model.staged_assets.base_{dataset}"]["raw_code"]
        columns = built.columns(f"staged.stg_{dataset}")
        required = [name for name in columns if f"required('{name}'" in base]
        assert required
        assert [name for name in required if columns[name][1]] == [], dataset


def test_a_null_in_a_required_column_is_refused(built: BuiltProject, tmp_path: Path) -> None:
    manifest = copy.deepcopy(built.parsed)
    node = manifest.nodes["model.staged_assets.stg_touchpoints"]
    node.raw_code = node.raw_code.replace("touchpoint_id,", "cast(null as bigint) as touchpoint_id,", 1).replace(
        "{{ winners('touchpoints') }}",
        "(select true, 'r' as _raw_row_id, 's' as _source_system, null::timestamp as _source_updated_at,"
        " now()::timestamp as _landed_at, []::varchar[] as _cleansed, {{ no_violations() }} as _cell_defects,"
        " 'n' as touchpoint_name, 'd' as description)",
    )
    status, message = built.copy(tmp_path).invoke("run", "--select", "stg_touchpoints", manifest=manifest)[
        "stg_touchpoints"
    ]
    assert status == "error"
    assert "NOT NULL constraint failed" in message


def test_names_of_tests_are_unique(built: BuiltProject) -> None:
    names = Counter(
        [node["name"] for node in built.nodes("test")]
        + [test["name"] for test in built.manifest["unit_tests"].values()]
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_names_of_data_tests_begin_with_their_dataset(built: BuiltProject) -> None:
    for node in built.nodes("test"):
        dataset = node["config"]["meta"]["dataset"]
        assert dataset in DATASETS
        assert node["name"].startswith(f"{dataset}__"), node["name"]
        assert node["attached_node"].split(".")[-1].startswith(f"stg_{dataset}"), node["name"]


def test_every_key_is_tested(built: BuiltProject) -> None:
    names = {node["name"] for node in built.nodes("test")}
    wanted = {f"{name}__{d.key}__{rule}" for name, d in DATASETS.items() for rule in ("unique", "not_null")}
    assert wanted - names == set()


def test_every_model_says_what_it_belongs_to(built: BuiltProject) -> None:
    for node in built.nodes("model"):
        meta, folder = node["config"]["meta"], Path(node["path"]).parent.name
        role = "staged" if node["name"].startswith("stg_") else node["name"].split("_")[0]
        assert meta["role"] == ("companion" if "__" in node["name"] else role)
        assert meta["system"] == folder
        assert meta["owner"] == "dataengineering@examplecorp.com"
        assert node["name"].split("_", 1)[1].split("__")[0] == meta["dataset"]


def test_personal_data_is_marked(built: BuiltProject) -> None:
    for dataset in DATASETS:
        columns = built.manifest["nodes"][f"model.staged_assets.stg_{dataset}"]["columns"]
        marked = {name for name, column in columns.items() if column["config"]["meta"].get("personal")}
        assert marked == PERSONAL.get(dataset, set()), dataset


def test_personal_data_is_marked_wherever_it_is_copied(built: BuiltProject) -> None:
    for node in built.nodes("model"):
        wanted = PERSONAL.get(node["config"]["meta"]["dataset"], set()) & set(node["columns"])
        marked = {name for name, column in node["columns"].items() if column["config"]["meta"].get("personal")}
        assert wanted <= marked, node["name"]
        if wanted:
            assert {"_extra", "_reject_reasons"} & set(node["columns"]) <= marked, node["name"]


def test_the_generated_yaml_is_up_to_date() -> None:
    command = [sys.executable, ROOT / "scripts" / "build_model_docs.py", "--check"]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
