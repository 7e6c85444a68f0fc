{#-
  Numbers. `x` is a SQL expression of text, `system` one of the row's source system: the decimal mark is the system's.

    parse_integer(x)     bigint: optional sign and digits. An all-zero fraction is accepted, because systems that keep ids
                         as floating point export `17850.0`. No grouping, no exponent, no other base.
    parse_decimal(x)     decimal(18,4): optional sign, digits plain or in well-formed groups of three, optional fraction of
                         at most four significant digits (more is NULL, never rounded), optional currency sign or code.
    parse_amount(x)      the same, only with a currency sign or code.
    parse_percentage(x)  fraction 0–1 as decimal(18,4): `15%`, `15` and `0.15` are one value, `1` is the whole, `1%` is 0.01.

  `integer_of(text)` and `decimal_of(text)` are the same for a text that is trimmed already.

  Groups are set apart by the one of `.` and `,` that is not the decimal mark, an apostrophe, or a (no-break, thin) blank.
  Plain: what the engine itself would write, save that trailing zeros of a fraction do not matter.
-#}

{#- The text with `.` for the decimal mark and `,` between groups, however the system writes them. -#}
{%- macro pointed(x, system) -%}
    {{ by_system(x, system, 'decimal_mark', '.', with_point) }}
{%- endmacro -%}

{%- macro with_point(x, mark) -%}
    {% if mark == '.' %}{{ x }}{% else %}translate({{ x }}, '.,', ',.'){% endif %}
{%- endmacro -%}

{%- macro parse_integer(x, system='_source_system') -%}
    {{ adapter.dispatch('parse_integer', 'staged_assets')(x, system) }}
{%- endmacro -%}

{%- macro duckdb__parse_integer(x, system) -%}
    case
        when {{ duckdb__is_plain_integer(x) }} then try_cast({{ x }} as bigint)
        when {{ x }} is not null then {{ bind('text', trimmed(x), duckdb__integer_of('text', system)) }}
    end
{%- endmacro -%}

{%- macro integer_of(text, system='_source_system') -%}
    {{ adapter.dispatch('integer_of', 'staged_assets')(text, system) }}
{%- endmacro -%}

{%- macro duckdb__integer_of(text, system) -%}
    {%- set text = pointed(text, system) -%}
    case when regexp_full_match({{ text }}, '[+-]?[0-9]+(?:[.]0+)?') then try_cast({{ text }} as bigint) end
{%- endmacro -%}

{#- `reading`: SQL for what the engine's own cast makes of it, where that is known. -#}
{%- macro is_plain_integer(x, reading=none) -%}
    {{ adapter.dispatch('is_plain_integer', 'staged_assets')(x, reading) }}
{%- endmacro -%}

{%- macro duckdb__is_plain_integer(x, reading=none) -%}
    coalesce({{ reading or 'try_cast(' ~ x ~ ' as bigint)' }}::varchar = {{ x }}, false)
{%- endmacro -%}

{%- macro parse_decimal(x, system='_source_system') -%}
    {{ adapter.dispatch('parse_decimal', 'staged_assets')(x, system) }}
{%- endmacro -%}

{%- macro duckdb__parse_decimal(x, system) -%}
    {%- set text = pointed(x, system) -%}
    {{ duckdb__decimal(text, bind('text', trimmed(text), duckdb__money('text'))) }}
{%- endmacro -%}

{%- macro decimal_of(text, system='_source_system') -%}
    {{ adapter.dispatch('decimal_of', 'staged_assets')(text, system) }}
{%- endmacro -%}

{%- macro duckdb__decimal_of(text, system) -%}
    {%- set text = pointed(text, system) -%}
    {{ duckdb__decimal(text, duckdb__money(text)) }}
{%- endmacro -%}

{%- macro duckdb__decimal(text, otherwise) -%}
    case
        when {{ duckdb__is_pointed_decimal(text) }}
            then case when not ends_with({{ text }}, '.') then try_cast({{ text }} as decimal(18, 4)) end
        when regexp_full_match({{ text }}, '-?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:[.][0-9]{1,4})?')
            then try_cast(replace({{ text }}, ',', '') as decimal(18, 4))
        when {{ text }} is not null then {{ otherwise }}
    end
{%- endmacro -%}

{%- macro is_plain_decimal(x, system='_source_system', reading=none) -%}
    {{ adapter.dispatch('is_plain_decimal', 'staged_assets')(x, system, reading) }}
{%- endmacro -%}

{%- macro duckdb__is_plain_decimal(x, system, reading) -%}
    ({{ duckdb__is_pointed_decimal(x, reading) }} and not coalesce(ends_with({{ x }}, '.'), false)
        and {{ by_system(x, system, 'decimal_mark', '.', point_is_decimal) }})
{%- endmacro -%}

{%- macro point_is_decimal(x, mark) -%}
    {% if mark == '.' %}true{% else %}not contains({{ x }}, '.'){% endif %}
{%- endmacro -%}

{#- A number or, which the callers refuse, one with a point at its end. No conjunction: then the engine casts once. -#}
{%- macro duckdb__is_pointed_decimal(x, reading=none) -%}
    coalesce(starts_with({{ reading or 'try_cast(' ~ x ~ ' as decimal(18, 4))' }}::varchar, {{ x }}), false)
{%- endmacro -%}

{%- macro parse_amount(x, system='_source_system') -%}
    {{ adapter.dispatch('parse_amount', 'staged_assets')(x, system) }}
{%- endmacro -%}

{%- macro duckdb__parse_amount(x, system) -%}
    {{ bind('text', trimmed(pointed(x, system)),
        "case when regexp_matches(text, '^[+-]?[^0-9.+-]|[^0-9]$') then " ~ duckdb__money('text') ~ " end") }}
{%- endmacro -%}

{%- macro parse_percentage(x, system='_source_system') -%}
    {{ adapter.dispatch('parse_percentage', 'staged_assets')(x, system) }}
{%- endmacro -%}

{#- A hundredth that needs more than four digits is NULL, not rounded. -#}
{%- macro duckdb__parse_percentage(x, system) -%}
    {%- set unit = '[' ~ blank_characters() ~ ']*(?:%|％|٪|percent|per cent|pct)$' -%}
    {%- set stripped = "regexp_replace(text, '(?i)" ~ unit ~ "', '')" -%}
    {{ bind('text', trimmed(pointed(x, system)), bind('bare', stripped, bind('number', duckdb__number('bare'), "case
        when bare = text and number between 0 and 1 then number
        when number between 0 and 100 and number * 100 = floor(number * 100) then (number * 0.01)::decimal(18, 4)
    end"))) }}
{%- endmacro -%}

{#- Digits, plain or in well-formed groups, and at most four significant digits after the point. -#}
{%- macro number_pattern() -%}
    (?:[0-9]+
    {%- for mark in [",", "[''’]", "[ \\x{00A0}\\x{2009}\\x{202F}]"] -%}
        |[1-9][0-9]{0,2}(?:{{ mark }}[0-9]{3})+
    {%- endfor -%}
    )(?:[.][0-9]{1,4}0*)?
{%- endmacro -%}

{%- macro duckdb__number(text) -%}
    case
        when regexp_full_match({{ text }}, '[+-]?(?:{{ number_pattern() }}|[.][0-9]{1,4}0*)')
            then try_cast(regexp_replace({{ text }}, '[^0-9.+-]', '', 'g') as decimal(18, 4))
    end
{%- endmacro -%}

{#- A number with one sign at most, before it or before the currency, and one currency before or after it. -#}
{%- macro duckdb__money(text) -%}
    {%- set gap = '[' ~ blank_characters() ~ ']*' -%}
    coalesce({{ duckdb__number(text) }}, case
        when not regexp_matches({{ text }}, '[+-].*[+-]')
            and regexp_full_match({{ text }},
                '(?i)[+-]?(?:{{ currency_pattern() }}){{ gap }}[+-]?{{ number_pattern() }}|[+-]?{{ number_pattern() }}{{ gap }}(?:{{ currency_pattern() }})')
            then try_cast(case when contains({{ text }}, '-') then '-' else '' end
                || regexp_replace(regexp_extract({{ text }}, '[0-9].*[0-9]|[0-9]'), '[^0-9.]', '', 'g') as decimal(18, 4))
    end)
{%- endmacro -%}

{#- Any currency sign, the usual letters before a dollar sign, common abbreviations, or an ISO 4217 code. -#}
{%- macro currency_pattern() -%}
    \p{Sc}|(?:US|AU|CA|NZ|HK|[ACRS])\$|(?:Rs|Fr|kr)\.?|zł|Kč|Ft|lei|лв|{{ iso_currency_codes() }}
{%- endmacro -%}
