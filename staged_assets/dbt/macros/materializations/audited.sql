{#-
audited: a model that is published only after its audit. `staged-assets run` compiles it, writes it beside the published
table, as <name>__candidate, audits it, and publishes it. Called by a person, dbt does the same without an audit.

Config: `dataset`; `replaces`: SQL for which published rows an incremental refresh replaces ({base}: the batch,
{candidate}: the candidate).
-#}
{% materialization audited, adapter='duckdb' %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set candidate = candidate_of(target_relation) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement('main') %}
        drop table if exists {{ candidate }};
        {{ create_table_as(False, candidate, sql) }};
        drop table if exists {{ target_relation }};
        alter table {{ candidate }} rename to {{ this.identifier }};
    {% endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do persist_docs(target_relation, model) %}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
