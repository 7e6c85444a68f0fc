{#-
The vocabulary in which a base model is written: what a column is, and what must hold of it.

    required(name, type, …)  a violation rejects the row
    optional(name, type, …)  a violation makes the cell NULL and is recorded as a cell-level defect
    also(name, type, of)     a second reading of the raw text of column `of` (never a violation)

    check       SQL over the row's parsed columns that must hold when the column is present; its violation has `code`
    vocabulary  for type vocabulary: which one; a value that is not in it becomes `fallback`
    unless      SQL: the column's text is no violation where this holds
-#}
{% macro required(name, type, check=none, code='out_of_range', vocabulary=none, fallback=none) %}
    {{ return({'name': name, 'type': type, 'of': name, 'required': true, 'check': check, 'check_code': code,
               'vocabulary': vocabulary, 'fallback': fallback, 'unless': none, 'tagged': true}) }}
{% endmacro %}

{% macro optional(name, type, check=none, code='out_of_range', vocabulary=none, fallback=none, unless=none) %}
    {{ return({'name': name, 'type': type, 'of': name, 'required': false, 'check': check, 'check_code': code,
               'vocabulary': vocabulary, 'fallback': fallback, 'unless': unless, 'tagged': true}) }}
{% endmacro %}

{% macro also(name, type, of, vocabulary=none, fallback=none) %}
    {{ return({'name': name, 'type': type, 'of': of, 'required': false, 'check': none, 'check_code': none,
               'vocabulary': vocabulary, 'fallback': fallback, 'unless': none, 'tagged': false}) }}
{% endmacro %}

{#- The code of a value that is present and does not parse, by type. Text always parses. -#}
{% macro violation_code(type) %}
    {{ return({
        'email': 'invalid_email', 'phone': 'invalid_phone', 'gtin': 'invalid_gtin', 'country': 'unknown_country',
        'vocabulary': 'unrecognised',
    }.get(type, 'unparseable')) }}
{% endmacro %}

{#-
SQL: whether the raw text of a column is written as the engine itself writes a value of its type, which is cheaper to see than
to parse any other form; none for types that have no such form. A moment is a date whose column may as well hold a time.
-#}
{% macro is_plain(column) %}
    {%- set raw = 'raw_' ~ column.of -%}
    {{ return({
        'integer': is_plain_integer(raw), 'decimal': is_plain_decimal(raw), 'weight': is_plain_decimal(raw),
        'date': is_plain_date(raw), 'moment': '(' ~ is_plain_date(raw) ~ ' or ' ~ is_plain_timestamp(raw) ~ ')',
    }.get(column.type) if column.tagged else none) }}
{% endmacro %}

{#- SQL for the value of a column, from its raw text. -#}
{% macro column_value(column) %}
    {%- set engine_type = {'integer': 'bigint', 'decimal': 'decimal(18, 4)', 'date': 'date', 'moment': 'date'}.get(column.type) -%}
    {%- if engine_type and column.tagged -%}
        case
            when plain_{{ column.name }} then try_cast(landed.raw_{{ column.of }} as {{ engine_type }})
            else {{ parsed_value(column) }}
        end
    {%- else -%}
        {{ parsed_value(column) }}
    {%- endif -%}
{% endmacro %}

{#- The same, however it is written. -#}
{% macro parsed_value(column) %}
    {%- set raw = 'landed.raw_' ~ column.of -%}
    {%- set type = column.type -%}
    {%- if type == 'country' -%}
        {{ column.name }}_match.country
    {%- elif type == 'vocabulary' -%}
        coalesce({{ column.name }}_match.value, case when not {{ is_blank(raw) }} then '{{ column.fallback }}' end)
    {%- elif type == 'phone' -%}
        {{ parse_phone(raw, phone_region()) }}
    {%- elif type == 'text' -%} {{ clean_text(raw) }}
    {%- elif type == 'name' -%} {{ clean_name(raw) }}
    {%- elif type == 'code' -%} {{ clean_code(raw) }}
    {%- elif type == 'integer' -%} {{ parse_integer(raw) }}
    {%- elif type == 'decimal' -%} {{ parse_decimal(raw, 'landed._source_system') }}
    {%- elif type == 'date' or type == 'moment' -%} {{ parse_date(raw, 'landed._source_system') }}
    {%- elif type == 'timestamp' -%} {{ parse_timestamp(raw, 'landed._source_system') }}
    {%- elif type == 'percentage' -%} {{ parse_percentage(raw, 'landed._source_system') }}
    {%- elif type == 'amount' -%} {{ parse_amount(raw, 'landed._source_system') }}
    {%- elif type == 'weight' -%} {{ parse_weight(raw, 'landed._source_system') }}
    {%- elif type == 'weight_unit' -%} {{ weight_unit(raw) }}
    {%- elif type == 'email' -%} {{ parse_email(raw) }}
    {%- elif type == 'gtin' -%} {{ parse_gtin(raw) }}
    {%- else -%} {{ exceptions.raise_compiler_error('No column type ' ~ type) }}
    {%- endif -%}
{% endmacro %}

{#-
SQL: whether the raw text of a column is not how its value is written. Text-like values are compared; typed ones are, where
their text is plain (a comparison of texts costs a cast of every value).
-#}
{% macro is_cleansed(column) %}
    {%- set raw = 'raw_' ~ column.of -%}
    {%- if is_plain(column) -%}
        {{ raw }} is not null and ({{ column.name }} is null or not plain_{{ column.name }})
    {%- elif column.type == 'percentage' -%}
        {{ raw }} is not null and ({{ column.name }} is null or {{ column.name }} is distinct from {{ parse_decimal(raw) }})
    {%- else -%}
        {{ raw }} is not null and {{ column.name }} is distinct from {{ raw }}
    {%- endif -%}
{% endmacro %}

{#- The region whose rules read a phone number without a country code: the row's country, else the system's. -#}
{% macro phone_region() -%}
    coalesce(country_match.country_code, {{ source_setting('country') }})
{%- endmacro %}

{#- SQL: a setting of the row's source system (text), NULL where the system has none. -#}
{% macro source_setting(setting, system='landed._source_system') -%}
    {%- set given = [] -%}
    {%- for name, settings in var('sources').items() if settings.get(setting) is not none -%}
        {%- do given.append("when '" ~ name ~ "' then '" ~ settings[setting] ~ "'") -%}
    {%- endfor -%}
    {%- if given -%} case {{ system }} {{ given | join(' ') }} end {%- else -%} cast(null as varchar) {%- endif -%}
{%- endmacro %}
