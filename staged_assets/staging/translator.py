"""dbt nodes → what a person sees of them in the web UI: asset specs, column schemas, descriptions."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import dagster as dg

from staged_assets.kept import keep, kept
from staged_assets.staging.project import PROJECT_NAME, StagingProject, node_id

#: Roles of models that stand in the asset graph; the others are steps of a refresh.
ASSET_ROLES = ("staged", "quarantine", "companion")


def asset_specs(project: StagingProject) -> list[tuple[dg.AssetSpec, Mapping[str, Any]]]:
    """The models that are assets, with column schema, owner, kinds and what they are made from → their `meta`.

    They are grouped by source system, and lineage runs from asset to asset over the steps in between.
    """
    nodes, translated = project.manifest["nodes"], _translated(project)
    return [
        (_spec(project.manifest, unique_id, one), nodes[unique_id]["config"]["meta"])
        for unique_id, one in translated.items()
    ]


def _spec(manifest: Mapping[str, Any], unique_id: str, translated: Mapping[str, Any]) -> dg.AssetSpec:
    node = manifest["nodes"][unique_id]
    meta = node["config"]["meta"]
    return dg.AssetSpec(
        key=node["name"],
        deps=sorted(upstream_assets(manifest, unique_id)),
        description=node["description"],
        metadata={**translated["metadata"], "dagster/column_schema": column_schema(node)},
        skippable=True,
        group_name=meta["system"],
        code_version=translated["code_version"],
        owners=[meta["owner"]],
        tags={"staged_assets/role": meta["role"], "staged_assets/dataset": meta["dataset"]},
        kinds={"dbt", "duckdb"},
    )


def _translated(project: StagingProject) -> dict[str, Any]:
    """Model → what dagster-dbt makes of it beside that; kept, for importing dagster-dbt takes as long as Dagster."""
    path = project.target_path / f"dagster-dbt-{version('dagster-dbt')}.json"
    found: dict[str, Any] | None = kept(path)
    if found is not None:
        return found
    from dagster_dbt import DagsterDbtTranslator

    translator, found = DagsterDbtTranslator(), {}
    for unique_id, node in project.manifest["nodes"].items():
        if node["resource_type"] == "model" and node["config"]["meta"]["role"] in ASSET_ROLES:
            spec = translator.get_asset_spec(project.manifest, unique_id, None)
            metadata = {name: value for name, value in spec.metadata.items() if isinstance(value, str)}
            found[unique_id] = {"code_version": spec.code_version, "metadata": metadata}
    keep(path, found)
    return found


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
