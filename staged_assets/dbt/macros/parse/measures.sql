{#-
  Weights and article numbers.

    parse_weight(x)  kilograms as decimal(18,4), not negative: a number as parse_decimal reads it, then a unit or none
                     (kilograms). Other units are converted and rounded to 0.1 g; a weight that this would make 0 is NULL.
    weight_unit(x)   the unit given, as its symbol: kg, g, mg, t, lb, oz; NULL when none or not a weight
    parse_gtin(x)    the 8, 12, 13 or 14 digits of a GTIN whose check digit is right; blanks and hyphens between are left out

  Pound and ounce are the international avoirdupois ones (1 lb = 0.45359237 kg).
-#}

{%- macro weight_units() -%}
    {{ return({
        'kg': ('1', 'kg|kgs|kilo|kilos|kilogram|kilograms|kilogramme|kilogrammes|kilogramm|kilogramo|kilogramos'),
        'g': ('0.001', 'g|gr|gm|gms|grs|gram|grams|gramme|grammes|gramm|gramo|gramos'),
        'mg': ('0.000001', 'mg|milligram|milligrams|milligramme|milligrammes|milligramm|miligramo|miligramos'),
        't': ('1000', 't|to|tonne|tonnes|metric ton|metric tons|tonelada|toneladas'),
        'lb': ('0.45359237', 'lb|lbs|pound|pounds'),
        'oz': ('0.028349523125', 'oz|ozs|ounce|ounces'),
    }) }}
{%- endmacro -%}

{%- macro parse_weight(x, system='_source_system') -%}
    {{ adapter.dispatch('parse_weight', 'staged_assets')(x, system) }}
{%- endmacro -%}

{%- macro duckdb__parse_weight(x, system) -%}
    {{ bind('parts', duckdb__weight_parts(x, system), bind('number', duckdb__number('parts.number'),
        duckdb__kilograms('number', 'parts.unit'))) }}
{%- endmacro -%}

{#- {number, unit}, pointed; `unit` in lower case, without a full stop at its end. -#}
{%- macro duckdb__weight_parts(x, system) -%}
    regexp_extract(lower({{ trimmed(pointed(x, system)) }}), '^(.*?[0-9])[{{ blank_characters() }}]*([a-z][a-z ]*)?[.]?$', ['number', 'unit'])
{%- endmacro -%}

{%- macro duckdb__kilograms(number, unit) -%}
    case
        when {{ number }} < 0 then null
        when {{ unit }} = '' then {{ number }}
        {%- for symbol, (factor, words) in weight_units().items() %}
        when {{ unit }} in ('{{ words.split('|') | join("', '") }}') then
            {%- if factor == '1' %} {{ number }} {%- else %} {{ duckdb__converted(number, factor) }} {%- endif -%}
        {%- endfor %}
    end
{%- endmacro -%}

{%- macro duckdb__converted(number, factor) -%}
    {{ bind('kilograms', 'try_cast(' ~ number ~ '::decimal(24, 4) * ' ~ factor ~ ' as decimal(18, 4))',
        'case when kilograms > 0 or ' ~ number ~ ' = 0 then kilograms end') }}
{%- endmacro -%}

{%- macro weight_unit(x, system='_source_system') -%}
    {{ adapter.dispatch('weight_unit', 'staged_assets')(x, system) }}
{%- endmacro -%}

{%- macro duckdb__weight_unit(x, system) -%}
    case when {{ duckdb__parse_weight(x, system) }} is not null then
        case {{ duckdb__weight_parts(x, system) }}.unit
        {%- for symbol, (factor, words) in weight_units().items() -%}
            {%- for word in words.split('|') %} when '{{ word }}' then '{{ symbol }}' {%- endfor -%}
        {%- endfor %}
        end
    end
{%- endmacro -%}

{%- macro parse_gtin(x) -%}
    {{ adapter.dispatch('parse_gtin', 'staged_assets')(x) }}
{%- endmacro -%}

{#- GS1 General Specifications: from the right, digits weigh 1 and 3 in turn, and the sum is a multiple of ten. -#}
{%- macro duckdb__parse_gtin(x) -%}
    {%- set digits = "replace(replace(regexp_extract(" ~ trimmed(x) ~ ", '^[0-9](?:[ -]?[0-9]){7,13}$'), ' ', ''), '-', '')" -%}
    {%- set weighed = [] -%}
    {%- for place in range(14) -%}
        {%- do weighed.append('number // 1' ~ '0' * place ~ ' % 10' ~ (' * 3' if place is odd else '')) -%}
    {%- endfor -%}
    {{ bind('digits', digits, bind('number', 'try_cast(digits as bigint)',
        'case when strlen(digits) in (8, 12, 13, 14) and number > 0 and (' ~ weighed | join(' + ') ~ ') % 10 = 0 then digits end')) }}
{%- endmacro -%}
