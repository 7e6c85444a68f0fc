{#- Relation: the typed rows of this refresh that are to be staged, one for each key (and system, where consolidated). -#}
{% macro winners(dataset) -%}
    (
        select *
        from {{ ref('base_' ~ dataset) }}
        where _landing_id in (
            select dispositions._landing_id
            from {{ pending(ref('dispositions_' ~ dataset)) }} as dispositions
            where dispositions.disposition = 'staged'
        )
    )
{%- endmacro %}

{#- The metadata columns of every staged row, in order. -#}
{% macro staged_metadata(relation='winners') %}
    {{ relation }}._raw_row_id,
    {{ relation }}._source_system,
    {{ relation }}._source_updated_at,
    {{ relation }}._landed_at,
    {{ refreshed_at() }} as _staged_at,
    {{ relation }}._cleansed,
    {{ relation }}._cell_defects
{%- endmacro %}

{#-
Relation: one row for each key, consolidated field by field from the systems that hold it.

Survivorship: source priority (var `sources`, 1 wins), then the latest update, then the first value that is not NULL.
Columns: the key, the fields (given in the order of the dataset's columns), `source_systems` (sorted list), `field_sources`
(field → system it came from), and the metadata of the highest-ranked system's row. What one system alone holds is taken as
it is: to rank and aggregate it would take several times as long.
-#}
{% macro consolidated(dataset, key, fields) -%}
    (
        with winners as {{ winners(dataset) }},

        shared as (
            select dispositions._key
            from {{ pending(ref('dispositions_' ~ dataset)) }} as dispositions
            where dispositions.disposition = 'staged'
            group by dispositions._key
            having count(*) > 1
        ),

        ranked as (
            select
                *,
                row_number() over (
                    partition by _key
                    order by {{ source_priority('_source_system') }}, _source_updated_at desc nulls last, _landing_id desc
                ) as place
            from winners
            where _key in (select shared._key from shared)
        ),

        alone as (
            select
                *,
                {{ fields_present(fields) }} as fields_present
            from winners
            where _key not in (select shared._key from shared)
        ),

        -- There are few of them, and making one is dear.
        maps as (
            select
                _source_system,
                fields_present,
                {{ field_map(fields, alone=true) }} as field_sources
            from (
                select
                    _source_system,
                    fields_present,
                    {%- for field in fields %}
                    any_value({{ field }}) as {{ field }}{{ ',' if not loop.last }}
                    {%- endfor %}
                from alone
                group by _source_system, fields_present
            )
        )

        select
            {{ key }},
            {%- for field in fields %}
            {{ field }},
            {%- endfor %}
            [alone._source_system] as source_systems,
            maps.field_sources,
            _cleansed,
            _raw_row_id,
            alone._source_system,
            _source_updated_at,
            _landed_at,
            _cell_defects
        from alone
        left join maps on maps._source_system = alone._source_system and maps.fields_present = alone.fields_present
        union all
        select
            {{ key }},
            {%- for field in fields %}
            {{ first_by(field, 'place', field ~ ' is not null') }} as {{ field }},
            {%- endfor %}
            {{ sorted_set('_source_system') }} as source_systems,
            {{ field_map(fields) }} as field_sources,
            {{ present_cleansed([key] + fields) }} as _cleansed,
            {{ first_by('_raw_row_id', 'place') }} as _raw_row_id,
            {{ first_by('_source_system', 'place') }} as _source_system,
            {{ first_by('_source_updated_at', 'place') }} as _source_updated_at,
            {{ first_by('_landed_at', 'place') }} as _landed_at,
            {{ flattened('_cell_defects', 'place') }} as _cell_defects
        from ranked
        group by {{ key }}
    )
{%- endmacro %}

{#- SQL: which of the fields have a value, as the bits of a number. -#}
{% macro fields_present(fields) -%}
    {%- for field in fields -%}
    case when {{ field }} is not null then {{ 2 ** loop.index0 }} else 0 end{{ ' + ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- A field is cleansed if the value that survived was, or, where none survived, if any was nulled. -#}
{% macro present_cleansed(fields) %}
    {%- set entries = [] -%}
    {%- for field in fields -%}
        {%- set cleansed = "list_contains(_cleansed, '" ~ field ~ "')" -%}
        {%- set survived = 'coalesce(' ~ first_by(cleansed, 'place', field ~ ' is not null')
            ~ ', bool_or(' ~ cleansed ~ '))' -%}
        {%- do entries.append('case when ' ~ survived ~ " then '" ~ field ~ "' end") -%}
    {%- endfor -%}
    {{ present(entries) }}
{% endmacro %}

{#- SQL: the survivorship priority of a system, 1 wins. -#}
{% macro source_priority(system) -%}
    case {{ system }}
        {%- for name, settings in var('sources').items() if settings.get('priority') is not none %}
        when '{{ name }}' then {{ settings.priority }}
        {%- endfor %}
        when '' then 0
        else 1000
    end
{%- endmacro %}

{#- Config of stg_<dataset>: published only after its audit; an incremental refresh replaces the keys that it touched. -#}
{% macro staged_config(dataset, key) %}
    {{ config(materialized='audited', dataset=dataset, replaces=key ~ ' in (select _key from {base})') }}
{% endmacro %}
