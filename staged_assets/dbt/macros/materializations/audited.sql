{#-
audited: write–audit–publish. The write phase builds the next content beside the published table, as <name>__candidate;
the publish phase makes it the published content, in one transaction: a full refresh swaps the tables by name, so that
nothing is written twice; an incremental one replaces the rows that the refresh worked on. Between the two phases, which
are separate invocations (var `phase`), the candidates are audited; one that is held back is simply not published.

Config: `dataset`; `replaces`: SQL for which published rows an incremental refresh replaces ({base}: the batch,
{candidate}: the candidate).
-#}
{% materialization audited, adapter='duckdb' %}
    {%- set dataset = config.require('dataset') -%}
    {%- set phase = var('phase') -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set candidate = candidate_of(target_relation) -%}
    {%- set existing = load_cached_relation(this) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% if phase in ['write', 'all'] %}
        {% call statement('write' if phase == 'all' else 'main') %}
            drop table if exists {{ candidate }};
            {{ create_table_as(False, candidate, sql) }}
        {% endcall %}
    {% endif %}

    {% if phase in ['publish', 'all'] %}
        {% call statement('main') %}
            {% if is_full(dataset) or existing is none %}
                drop table if exists {{ target_relation }};
                alter table {{ candidate }} rename to {{ this.identifier }};
            {% else %}
                delete from {{ target_relation }}
                where {{ config.require('replaces')
                    | replace('{base}', ref('base_' ~ dataset) | string) | replace('{candidate}', candidate | string) }};
                insert into {{ target_relation }} by name select * from {{ candidate }};
                drop table {{ candidate }};
            {% endif %}
        {% endcall %}
    {% endif %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do persist_docs(target_relation, model) if phase != 'write' %}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation] if phase != 'write' else []}) }}
{% endmaterialization %}
