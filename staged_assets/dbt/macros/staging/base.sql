{#-
base_<dataset>: the raw rows of this refresh, typed, enriched and tagged. No row is filtered.

Columns: the raw metadata; `_key` (the parsed key); the columns given, parsed; `_content` (hash of what the record held,
to tell versions apart); `_cleansed` (names of the columns whose value cleansing changed or nulled); `_cell_defects` and
`_reject_reasons` (lists of {code, column, raw_value}, never NULL).
-#}
{% macro base(dataset, columns) %}
{{ config(materialized='batch', schema='work', dataset=dataset) }}
{%- set raw_columns = columns | selectattr('tagged') | map(attribute='name') | list -%}
{%- set key = raw_columns[0] -%}
{%- set tagged = columns | selectattr('tagged') | list -%}
{%- set checked = tagged | selectattr('check') | list %}
{%- set moments = columns | selectattr('type', 'equalto', 'moment') | map(attribute='name') | list %}
{%- set with_plain_form = [] %}
{%- for column in columns if has_plain_form(column) %}{% do with_plain_form.append(column) %}{% endfor %}
with landed as {{ 'not ' if is_full(dataset) }}materialized (
    {{ landed_rows(dataset, raw_columns) }}
),

-- Each cast once: what is plain, and what it says, are both made of it.
engine_read as (
    select
        *{% for column in with_plain_form %},
        {{ engine_reading(column) }} as engine_{{ column.name }}
        {%- endfor %}
    from landed
),

plain as (
    select
        * {% if with_plain_form %}exclude (engine_{{ with_plain_form | map(attribute='name') | join(', engine_') }}){% endif %}
        {%- for column in with_plain_form %},
        case when {{ is_plain(column, 'engine_' ~ column.name) }} then engine_{{ column.name }} end as plain_{{ column.name }}
        {%- endfor %}
    from engine_read
),

written as (
    select
        *{% for column in with_plain_form if column.type != 'weight' %},
        case when plain_{{ column.name }} is null then {{ trimmed('raw_' ~ column.name) }} end as text_{{ column.name }}
        {%- endfor %}
    from plain
),

parsed as (
    select
        landed.*,
        case when landed.raw_{{ key }} is null then {{ malformed_text('landed._extra') }} end as malformed,
        {{ content_hash(raw_columns, 'landed') }} as _content,
        {%- for column in columns %}
        {{ column_value(column, moments) }} as {{ column.name }},
        {%- if column.type == 'country' %}
        {{ column.name }}_match.country_code as country_code,
        {{ column.name }}_match.match as country_match,
        {%- elif column.type == 'vocabulary' %}
        {{ column.name }}_match.value is not null as knows_{{ column.name }},
        {%- endif %}
        {%- endfor %}
    from written as landed
    {{ lookups(columns) }}
),

checked as (
    select
        parsed.* {% if checked %}exclude ({{ checked | map(attribute='name') | join(', ') }}),
        {%- for column in checked %}
        case when coalesce({{ column.check }}, true) then {{ column.name }} end as {{ column.name }},
        not coalesce({{ column.check }}, true) as fails_{{ column.name }}{{ ',' if not loop.last }}
        {%- endfor %}{% endif %}
    from parsed
),

-- Whether a column has a violation, or was cleansed, is asked of every row: once, and by CASE, which stops where it knows.
judged as (
    select
        *{% for column in tagged %},
        case when {{ is_violated(column, key) }} then true else false end as violates_{{ column.name }},
        case when _operation != 'delete' and {{ is_cleansed(column) }} then true else false end as cleansed_{{ column.name }}
        {%- endfor %}
    from checked
),

tagged as (
    select
        *,
        case
            when malformed is not null then [{{ violation("'malformed_record'", 'null', 'malformed') }}]
            else {{ violations(tagged | selectattr('required') | list) }}
        end as _reject_reasons,
        {{ violations(tagged | rejectattr('required') | list) }} as _cell_defects,
        {{ cleansed_columns(tagged) }} as _cleansed
    from judged
)

select
    _raw_row_id,
    _landing_id,
    _source_system,
    _source_updated_at,
    _landed_at,
    _operation,
    {{ key }} as _key,
    _content,
    {%- for column in columns %}
    {{ column.name }},
    {%- if column.type == 'country' %}
    country_code,
    country_match,
    {%- endif %}
    {%- endfor %}
    _cleansed,
    _cell_defects,
    _reject_reasons
from tagged
{% endmacro %}

{#- The raw rows of this refresh, business columns as raw_<column>. -#}
{% macro landed_rows(dataset, raw_columns) %}
{%- set state = refresh_state(dataset) -%}
{%- set raw = source('raw', dataset) -%}
{%- set select_list -%}
        _raw_row_id, _landing_id, _source_system, _source_updated_at, _landed_at, _operation, _extra
        {%- for column in raw_columns %}, {{ column }} as raw_{{ column }}{% endfor %}
{%- endset -%}
{%- set upto = ' and _landing_id <= ' ~ state.upto if state.upto is not none else '' -%}
    select {{ select_list }}
    from {{ raw }}
    where _landing_id > {{ 0 if state.mode == 'full' else state.after }}{{ upto }}
    {%- if state.mode != 'full' %}
    union all
    select {{ select_list }}
    from {{ raw }}
    where
        not (_landing_id > {{ state.after }}{{ upto }})
        and _landing_id in (
            select earlier._landing_id
            from {{ published_dispositions(dataset) }} as earlier
            where earlier._key in (
                select {{ parse_integer(raw_columns[0]) }}
                from {{ raw }}
                where _landing_id > {{ state.after }}{{ upto }}
            )
        )
    {%- endif %}
{% endmacro %}

{#- Left joins on unique keys, one row for each distinct raw text: enrichment never fans out and never drops. -#}
{% macro lookups(columns) %}
    {%- for column in columns %}
    {%- set raw = 'landed.raw_' ~ column.of %}
    {%- if column.type == 'country' %}
    left join (
        select
            given.raw_value,
            any_value(countries.country_code) as country_code,
            any_value(names.match) as match,
            any_value(countries.country) as country
        from (select distinct raw_{{ column.of }} as raw_value from landed) as given
        inner join {{ ref('country_names') }} as names on names.lookup_key = {{ lookup_key('given.raw_value') }}
        inner join {{ ref('countries') }} as countries on countries.country_code = names.country_code
        group by given.raw_value
    ) as {{ column.name }}_match on {{ column.name }}_match.raw_value = {{ raw }}
    {%- elif column.type == 'vocabulary' %}
    left join (
        select given.raw_value, any_value(vocabularies.value) as value
        from (select distinct raw_{{ column.of }} as raw_value from landed) as given
        inner join {{ ref('vocabularies') }} as vocabularies
            on vocabularies.vocabulary = '{{ column.vocabulary }}'
            and vocabularies.lookup_key = {{ lookup_key('given.raw_value') }}
        group by given.raw_value
    ) as {{ column.name }}_match on {{ column.name }}_match.raw_value = {{ raw }}
    {%- endif %}
    {%- endfor %}
{% endmacro %}

{#-
Whether a column of a row violates its rule. A delete marker needs its key alone; where a row is malformed, what its columns
hold says nothing, and nobody asks.
-#}
{% macro is_violated(column, key) %}
    {%- set raw = 'raw_' ~ column.of -%}
    {%- set wrong = 'not knows_' ~ column.name if column.type == 'vocabulary' else column.name ~ ' is null' -%}
    {%- set operation = "_operation != 'delete' and " if column.name != key else '' -%}
    {%- set present = '' if column.required else ' and ' ~ raw ~ ' is not null and not ' ~ is_blank(raw) -%}
    {%- set unless = ' and not coalesce(' ~ column.unless ~ ', false)' if column.unless else '' -%}
    {{ operation ~ wrong ~ present ~ unless }}
{% endmacro %}

{#- The list of the violations of these columns. Nothing is built for the rows without one. -#}
{% macro violations(columns) %}
    {%- set entries = [] -%}
    {%- set tests = [] -%}
    {%- for column in columns -%}
        {%- set raw = 'raw_' ~ column.of -%}
        {%- set codes = [] -%}
        {%- if column.check -%}
            {%- do codes.append('when fails_' ~ column.name ~ " then '" ~ column.check_code ~ "'") -%}
        {%- endif -%}
        {%- if column.required -%}
            {%- do codes.append('when ' ~ is_blank(raw) ~ " then 'missing'") -%}
        {%- endif -%}
        {%- if column.type == 'percentage' -%}
            {%- set number = parse_decimal('rtrim(regexp_replace(' ~ raw ~ ", '%[ ]*$', ''))", '_source_system') -%}
            {%- do codes.append('when ' ~ number ~ " not between 0 and 100 then 'out_of_range'") -%}
        {%- endif -%}
        {%- set otherwise = "'" ~ violation_code(column.type) ~ "'" -%}
        {%- set code = 'case ' ~ codes | join(' ') ~ ' else ' ~ otherwise ~ ' end' if codes else otherwise -%}
        {%- do tests.append('violates_' ~ column.name) -%}
        {%- do entries.append(
            'case when violates_' ~ column.name ~ ' then ' ~ violation(code, "'" ~ column.name ~ "'", raw) ~ ' end') -%}
    {%- endfor -%}
    {%- if tests -%}
        case when {{ tests | join(' or ') }} then {{ present([entries | join(', ')]) }}
        else {{ no_violations() }} end
    {%- else -%}
        {{ no_violations() }}
    {%- endif -%}
{% endmacro %}

{% macro cleansed_columns(columns) %}
    {%- set tests = [] -%}
    {%- set entries = [] -%}
    {%- for column in columns -%}
        {%- do tests.append('cleansed_' ~ column.name) -%}
        {%- do entries.append('case when cleansed_' ~ column.name ~ " then '" ~ column.name ~ "' end") -%}
    {%- endfor -%}
    case when {{ tests | join(' or ') }} then {{ present([entries | join(', ')]) }}
    else cast([] as varchar[]) end
{% endmacro %}
