{#-
batch: the rows that one refresh works on, read several times. Called by a person, dbt makes it a table; `staged-assets
run` makes that of a full refresh of many rows a view.
-#}
{% materialization batch, adapter='duckdb' %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% if existing is not none and existing.type != target_relation.type %}
        {% do adapter.drop_relation(existing) %}
    {% endif %}
    {% call statement('main') %}
        create or replace table {{ target_relation }} as (
            {{ sql }}
        )
    {% endcall %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
