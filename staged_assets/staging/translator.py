"""dbt models → Dagster asset specs: what a person sees of each in the web UI."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtProject

from staged_assets.staging.project import node_id

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
