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
The plain form of a type: as the engine itself writes a value of it (an e-mail address: as most are), which is cheaper to see
than to parse any other form.

    has_plain_form(column)         whether its type has one
    engine_reading(column)         SQL: what the engine's own cast makes of the raw text, plain or not
    is_plain(column, reading)      SQL: whether the text is plain, given that
    plain_value(column)            SQL: the value of `plain_<column>`, the reading of a plain text
    written_value(column)          SQL: the value where the text is not plain, from `text_<column>`, the trimmed text

The trimmed text is a column of its own: with `bind`, the engine would make the patterns anew for each 2,048 rows of which one
holds such a text. A moment is a date whose column may as well hold a time: it is read as a timestamp.
-#}
{% macro has_plain_form(column) %}
    {{ return(column.tagged and column.type in ['integer', 'decimal', 'weight', 'date', 'moment', 'email']) }}
{% endmacro %}

{% macro engine_reading(column) %}
    {%- set raw = 'raw_' ~ column.of -%}
    {%- if column.type == 'email' -%} {{ return(raw) }} {%- endif -%}
    {%- set read = 'try_cast(' ~ raw ~ ' as ' ~ {'integer': 'bigint', 'date': 'date', 'moment': 'timestamp'}.get(
        column.type, 'decimal(18, 4)') ~ ')' -%}
    {%- set form = {'date': '____-__-__', 'moment': '____-__-__%'}.get(column.type) -%}
    {{ 'case when ' ~ raw ~ " like '" ~ form ~ "' then " ~ read ~ ' end' if form else read }}
{% endmacro %}

{% macro is_plain(column, reading) %}
    {%- set raw = 'raw_' ~ column.of -%}
    {%- if column.type == 'integer' -%} {{ is_plain_integer(raw, reading) }}
    {%- elif column.type == 'date' -%} {{ is_plain_date(raw, reading) }}
    {%- elif column.type == 'moment' -%} {{ is_plain_moment(raw, reading) }}
    {%- elif column.type == 'email' -%} {{ is_plain_email(raw) }}
    {%- else -%} {{ is_plain_decimal(raw, reading=reading) }}
    {%- endif -%}
{% endmacro %}

{% macro plain_value(column) %}
    {{- 'cast(plain_' ~ column.name ~ ' as date)' if column.type == 'moment' else 'plain_' ~ column.name -}}
{% endmacro %}

{#- SQL for the value of a column, from its raw text. `moments`: names of the columns that are moments. -#}
{% macro column_value(column, moments) %}
    {%- if has_plain_form(column) and column.type != 'weight' -%}
        case when plain_{{ column.name }} is not null then {{ plain_value(column) }} else {{ written_value(column) }} end
    {%- elif column.type == 'timestamp' and column.of in moments -%}
        case
            when plain_{{ column.of }} is not null and length(landed.raw_{{ column.of }}) > 10
                then {{ moment_in_utc('plain_' ~ column.of, 'landed._source_system') }}
            else {{ timestamp_of('landed.text_' ~ column.of, 'landed._source_system') }}
        end
    {%- else -%}
        {{ parsed_value(column) }}
    {%- endif -%}
{% endmacro %}

{% macro written_value(column) %}
    {%- set text = 'landed.text_' ~ column.of -%}
    {%- set type = column.type -%}
    {%- if type == 'integer' -%} {{ integer_of(text, 'landed._source_system') }}
    {%- elif type == 'decimal' -%} {{ decimal_of(text, 'landed._source_system') }}
    {%- elif type == 'email' -%} {{ email_of(text) }}
    {%- else -%} {{ date_of(text, 'landed._source_system') }}
    {%- endif -%}
{% endmacro %}

{#- SQL for the value of any other column, from its raw text. -#}
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
    {%- elif type == 'percentage' -%} {{ parse_percentage(raw, 'landed._source_system') }}
    {%- elif type == 'timestamp' -%} {{ parse_timestamp(raw, 'landed._source_system') }}
    {%- elif type == 'amount' -%} {{ parse_amount(raw, 'landed._source_system') }}
    {%- elif type == 'weight' -%} {{ parse_weight(raw, 'landed._source_system') }}
    {%- elif type == 'weight_unit' -%} {{ weight_unit(raw) }}
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
    {%- if has_plain_form(column) and column.type != 'email' -%}
        {{ raw }} is not null and ({{ column.name }} is null or plain_{{ column.name }} is null)
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
