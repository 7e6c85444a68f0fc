{#-
batch: the rows that one refresh works on, read several times. A batch is a table, but for a full refresh of many rows: that
is a view, so that each reader types only the columns that it needs and nothing wide is written twice. (For few rows, a
table is quicker: planning the view's expressions for each reader costs more than writing them once.)
-#}
{% materialization batch, adapter='duckdb' %}
    {%- set as_view = is_full(config.require('dataset')) and batch_rows(config.require('dataset')) > var('view_from_rows') -%}
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
