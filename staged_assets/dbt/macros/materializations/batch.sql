{#-
batch: the rows that one refresh works on. An incremental batch is small and read several times: a table. A full refresh
takes all of raw: a view, so that each reader types only the columns that it needs and nothing is written twice.
-#}
{% materialization batch, adapter='duckdb' %}
    {%- set as_view = is_full(config.require('dataset')) -%}
    {%- set target_relation = this.incorporate(type='view' if as_view else 'table') -%}
    {%- set existing = load_cached_relation(this) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% if existing is not none and existing.type != target_relation.type %}
        {% do adapter.drop_relation(existing) %}
    {% endif %}
    {% call statement('main') %}
        create or replace {{ 'view' if as_view else 'table' }} {{ target_relation }} as (
            {{ sql }}
        )
    {% endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
