"""dbt nodes → what a person sees of them in the web UI: asset specs, column schemas, descriptions."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtProject

from staged_assets.staging.project import PROJECT_NAME, node_id

#: Roles of models that stand in the asset graph; the others are steps of a refresh.
ASSET_ROLES = ("staged", "quarantine", "companion")


class StagingTranslator(DagsterDbtTranslator):
    """Groups by source system, and lets lineage run from asset to asset over the steps in between."""

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        """The spec of a model that is an asset, with column schema, owner, kinds and what it is made from."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = self.get_resource_props(manifest, unique_id)
        if node["resource_type"] != "model":
            return spec
        meta = node["config"]["meta"]
        return spec.replace_attributes(
            key=dg.AssetKey(node["name"]),
            deps=[dg.AssetDep(key) for key in sorted(upstream_assets(manifest, unique_id))],
            description=node["description"],
            group_name=meta["system"],
            owners=[meta["owner"]],
            kinds={"dbt", "duckdb"},
            skippable=True,
        ).merge_attributes(tags={"staged_assets/role": meta["role"], "staged_assets/dataset": meta["dataset"]})


def upstream_assets(manifest: Mapping[str, Any], unique_id: str) -> set[dg.AssetKey]:
    """The nearest assets above a model: over models that are no assets, and never over a staged dataset into raw."""
    nodes = manifest["nodes"]
    found: set[dg.AssetKey] = set()
    pending = list(manifest["parent_map"][unique_id])
    while pending:
        parent = pending.pop()
        if parent.startswith("source."):
            found.add(dg.AssetKey(["raw", parent.rsplit(".", 1)[-1]]))
        elif parent.startswith("model."):
            if nodes[parent]["config"]["meta"]["role"] in ASSET_ROLES:
                found.add(dg.AssetKey(nodes[parent]["name"]))
            else:
                pending.extend(manifest["parent_map"][parent])
    if nodes[unique_id]["config"]["meta"]["role"] == "companion":
        found = {_staged(manifest, key) for key in found}
    return found - {dg.AssetKey(nodes[unique_id]["name"])}


def _staged(manifest: Mapping[str, Any], key: dg.AssetKey) -> dg.AssetKey:
    """A companion is made after its dataset, though it reads the same batch."""
    staged = f"stg_{key.path[-1]}"
    return dg.AssetKey(staged) if node_id(staged) in manifest["nodes"] else key


def raw_node(manifest: Mapping[str, Any], dataset: str) -> Mapping[str, Any]:
    """The dbt source of a dataset's raw table."""
    node: Mapping[str, Any] = manifest["sources"][f"source.{PROJECT_NAME}.raw.{dataset}"]
    return node


def column_schema(node: Mapping[str, Any]) -> dg.TableSchema:
    """The columns of a model or source, as the dbt project describes them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(column["name"], type=column["data_type"], description=column["description"])
            for column in node["columns"].values()
        ]
    )


def check_description(test: Mapping[str, Any]) -> str:
    """What a data test says of its model, in a sentence: its own description, else one made from its kind."""
    if test["description"]:
        return str(test["description"])
    kind, given = test["test_metadata"]["name"], test["test_metadata"]["kwargs"]
    sentences = {
        "unique": "No two rows have the same {column_name}.",
        "not_null": "{column_name} is never NULL.",
        "accepted_values": "{column_name} is one of {values}.",
        "relationships": "Every {column_name} is there in {to}, or NULL.",
        "unique_grain": "No two rows have the same {columns}.",
    }
    return sentences.get(kind, f"The dbt test {kind}.").format_map(
        {
            **given,
            "to": given.get("to", "").removeprefix("ref('").removesuffix("')"),
            "values": ", ".join(given.get("values", [])),
            "columns": " and ".join(given.get("columns", [])),
        }
    )
