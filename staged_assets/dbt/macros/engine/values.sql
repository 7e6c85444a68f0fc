{#- What differs between engines in building lists, structs and hashes. -#}

{#- SQL: one {code, column, raw_value}. -#}
{% macro violation(code, column, raw_value) -%}
    {{ adapter.dispatch('violation', 'staged_assets')(code, column, raw_value) }}
{%- endmacro %}

{% macro duckdb__violation(code, column, raw_value) -%}
    {'code': {{ code }}, 'column': cast({{ column }} as varchar), 'raw_value': {{ raw_value }}}
{%- endmacro %}

{% macro no_violations() -%} {{ adapter.dispatch('no_violations', 'staged_assets')() }} {%- endmacro %}

{% macro duckdb__no_violations() -%}
    cast([] as struct(code varchar, "column" varchar, raw_value varchar)[])
{%- endmacro %}

{#- SQL: a list of the entries that are not NULL. -#}
{% macro present(entries) -%} {{ adapter.dispatch('present', 'staged_assets')(entries) }} {%- endmacro %}

{% macro duckdb__present(entries) -%}
    list_filter([{{ entries | join(', ') }}], lambda entry: entry is not null)
{%- endmacro %}

{#- SQL: hash of everything that a raw record held; equal if and only if the contents are. -#}
{% macro content_hash(columns, relation) -%}
    {{ adapter.dispatch('content_hash', 'staged_assets')(columns, relation) }}
{%- endmacro %}

{% macro duckdb__content_hash(columns, relation) -%}
    md5(cast(json_array({% for column in columns %}{{ relation }}.raw_{{ column }}, {% endfor %}{{ relation }}._extra)
        as varchar))
{%- endmacro %}

{#- SQL: the text of a record of the wrong shape, NULL where the record is sound. -#}
{% macro malformed_text(extra) -%} {{ adapter.dispatch('malformed_text', 'staged_assets')(extra) }} {%- endmacro %}

{% macro duckdb__malformed_text(extra) -%}
    coalesce(json_extract_string({{ extra }}, '$._malformed'), json_extract_string({{ extra }}, '$._undecodable_base64'))
{%- endmacro %}

{#- SQL aggregate: the value of the row with the lowest `place`, among those for which `condition` holds. -#}
{% macro first_by(value, place, condition=none) -%}
    {{ adapter.dispatch('first_by', 'staged_assets')(value, place, condition) }}
{%- endmacro %}

{#- arg_min passes over NULL values: a NULL of the lowest row must win where no condition is given. -#}
{% macro duckdb__first_by(value, place, condition) -%}
    {%- if condition -%} arg_min({{ value }}, {{ place }}) filter (where {{ condition }})
    {%- else -%} arg_min_null({{ value }}, {{ place }}) {%- endif -%}
{%- endmacro %}

{#- SQL aggregate: sorted list of the distinct values. -#}
{% macro sorted_set(value) -%} {{ adapter.dispatch('sorted_set', 'staged_assets')(value) }} {%- endmacro %}

{% macro duckdb__sorted_set(value) -%} list_sort(list(distinct {{ value }})) {%- endmacro %}

{#- SQL aggregate: the lists of all rows as one list, in order of `place`. -#}
{% macro flattened(value, place) -%} {{ adapter.dispatch('flattened', 'staged_assets')(value, place) }} {%- endmacro %}

{% macro duckdb__flattened(value, place) -%} flatten(list({{ value }} order by {{ place }})) {%- endmacro %}

{#- SQL aggregate: map of field → system of the row with the lowest `place` that has a value for it. `alone`: of one row. -#}
{% macro field_map(fields, alone=false) -%} {{ adapter.dispatch('field_map', 'staged_assets')(fields, alone) }} {%- endmacro %}

{% macro duckdb__field_map(fields, alone) -%}
    map_from_entries(list_filter([
        {%- for field in fields %}
        {%- set has_it = field ~ ' is not null' %}
        {'key': '{{ field }}', 'value': {{ 'case when ' ~ has_it ~ ' then _source_system end' if alone
            else first_by('_source_system', 'place', has_it) }}}
        {{- ',' if not loop.last }}
        {%- endfor %}
    ], lambda entry: entry.value is not null))
{%- endmacro %}

{#- SQL: the price of one unit, decimal(18,4), NULL where there is no quantity. -#}
{% macro unit_price(total, quantity) -%}
    try_cast({{ total }} / nullif({{ quantity }}, 0) as decimal(18, 4))
{%- endmacro %}

{#- SQL aggregate over stg_loyalty_activities with `balance`: the balance after each activity, in order. -#}
{% macro running_balances() -%} {{ adapter.dispatch('running_balances', 'staged_assets')() }} {%- endmacro %}

{#- To sort each list takes a fifth of the time of an aggregate that is told an order. -#}
{% macro duckdb__running_balances() -%}
    list_sort(list(
        {
            'activity_date': activity_date,
            'loyalty_activity_id': loyalty_activity_id,
            'balance': try_cast(balance as bigint)
        }
    ))
{%- endmacro %}
