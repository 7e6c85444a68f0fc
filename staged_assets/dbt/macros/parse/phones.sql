{#-
  Phone numbers.

    parse_phone(x, region)  E.164 (`+442079460958`), or NULL unless it is a possible number: one whose length the numbering
                            plan of its calling code has. `region` is a SQL expression of the alpha-2 code in which a
                            number without `+` was written. Understood: calling code after `+` or the region's
                            international prefix, trunk prefix with or without brackets (`+44 (0)20 …`), any punctuation,
                            `tel:`, full-width digits, letters of the keypad (three at least), an extension (dropped).

  It is one expression, a scalar subquery on the seed phone_plans, which neither multiplies nor drops rows:

      select {{ parse_phone('phone_number', 'country_code') }} as phone_number

  The rules are those of libphonenumber; where this differs from them is in docs/reference/parsing-agreement.md.
-#}

{%- macro parse_phone(x, region) -%}
    {{ adapter.dispatch('parse_phone', 'staged_assets')(x, region) }}
{%- endmacro -%}

{%- macro duckdb__parse_phone(x, region) -%}
(
    select case
        when length(national) between 2 and 17
            and {{ duckdb__has_length('main.possible_lengths | main.local_lengths', 'national') }}
            then '+' || main.calling_code || national
    end
    from (
        select main, case
            when {{ duckdb__has_length('plan.possible_lengths', 'bare') }} or {{ duckdb__is_too_long('bare', 'plan') }}
                then bare
            else subscriber
        end as national
        from (
            select main, subscriber, plan, {{ duckdb__without_trunk('subscriber', 'plan') }} as bare
            from (
                select main, subscriber, case when code is null then home else main end as plan
                from (
                    select
                        home,
                        case when plus_code <> '' then plus_code when foreign_code <> '' then foreign_code
                            when is_whole then home.calling_code end as code,
                        case
                            when plus_code <> '' then substr(digits, strlen(plus_code) + 1)
                            when foreign_code <> '' then substr(abroad, strlen(foreign_code) + 1)
                            when abroad is not null then null
                            when is_whole then after_code
                            when not plus then dialled
                        end as subscriber
                    from (
                        select *,
                            {{ duckdb__calling_code('abroad') }} as foreign_code,
                            case
                                when after_code is null then false
                                when {{ duckdb__is_too_long('dialled', 'home') }} then true
                                when {{ duckdb__is_national('dialled', 'home') }} then false
                                else {{ duckdb__is_national('after_code', 'home') }}
                            end as is_whole
                        from (
                            select *,
                                {{ duckdb__abroad('dialled', 'home') }} as abroad,
                                {{ duckdb__without_trunk('after_own_code', 'home') }} as after_code
                            from (
                                select digits, dialled, plus, plus_code, home, case
                                    when starts_with(dialled, home.calling_code)
                                        then substr(dialled, strlen(home.calling_code) + 1)
                                end as after_own_code
                                from (
                                    select *, case when plus_code = '' then digits end as dialled
                                    from (
                                        select *, {{ duckdb__calling_code("case when plus then digits else '' end") }} as plus_code
                                        from (
                                            select {{ duckdb__phone_digits('phone__written') }} as digits,
                                                phone__written[1] in ('+', '＋') as plus, phone__region
                                            from (
                                                select {{ duckdb__written_phone(x) }} as phone__written,
                                                    upper({{ region }}) as phone__region
                                            )
                                        )
                                    )
                                )
                                left join {{ ref('phone_plans') }} as home on home.plan = phone__region
                            )
                        )
                    )
                )
                left join {{ ref('phone_plans') }} as main on main.plan = '+' || coalesce(code, home.calling_code)
            )
        )
    )
)
{%- endmacro -%}

{#- The part of a text that is a phone number, without extension; NULL when there is none. -#}
{%- macro duckdb__written_phone(x) -%}
    case
        when regexp_full_match({{ x }}, '[+]?[(]?(?:[0-9][ ().-]*){2,}[0-9]') then {{ x }}
        when strlen({{ x }}) <= 250 then {{ bind('candidate', duckdb__phone_candidate(x),
            bind('bare', "regexp_replace(candidate, '(?i)(?:" ~ phone_extension() ~ ")$', '')", "case
            when regexp_full_match(bare, '" ~ phone_pattern() ~ "') then bare
            when regexp_full_match(candidate, '" ~ phone_pattern() ~ "') then candidate
        end")) }}
    end
{%- endmacro -%}

{#- From the first digit or plus to the last letter, digit or #, without a second number (`12345 / x67`). -#}
{%- macro duckdb__phone_candidate(x) -%}
    regexp_replace(regexp_replace(
        regexp_extract({{ x }}, '(?s)[+＋\p{Nd}].*'), '[^\p{L}\p{N}#]+$', ''), '(?s)[\\/] *x.*|;isub=.*', '')
{%- endmacro -%}

{#- Two digits, or at least three among punctuation, then letters as well. -#}
{%- macro phone_pattern() -%}
    {%- set punctuation = '*x \\x{00A0}\\x{00AD}\\x{200B}\\x{2010}-\\x{2015}\\x{2053}\\x{2060}\\x{2212}\\x{223C}\\x{3000}\\x{30FC}'
        ~ '\\x{FF08}\\x{FF09}\\x{FF0D}-\\x{FF0F}\\x{FF3B}\\x{FF3D}\\x{FF5E}()./~\\[\\]-' -%}
    \p{Nd}{2}|[+＋]*(?:[{{ punctuation }}]*\p{Nd}){3,}[A-Za-z\p{Nd}{{ punctuation }}]*
{%- endmacro -%}

{#- `;ext=12`, `ext. 12`, `x12`, `12#`, `,,12` -#}
{%- macro phone_extension() -%}
    {%- set lead, gap = '[ \\x{00A0}\\t,]*', '[:.．]?[ \\x{00A0}\\t,-]*' -%}
    {{- [
        ';ext=\\p{Nd}{1,20}',
        lead ~ '(?:e?xt(?:ensi(?:ó|o)?)?n?|ｅ?ｘｔｎ?|доб|anexo)' ~ gap ~ '\\p{Nd}{1,20}#?',
        lead ~ '(?:[xｘ#＃~～]|int|ｉｎｔ)' ~ gap ~ '\\p{Nd}{1,9}#?',
        '[- ]+\\p{Nd}{1,6}#',
        '[ \\x{00A0}\\t]*(?:,,|;)' ~ gap ~ '\\p{Nd}{1,15}#?',
        '[ \\x{00A0}\\t]*,+' ~ gap ~ '\\p{Nd}{1,9}#?',
    ] | join('|') -}}
{%- endmacro -%}

{#- The digits of a phone number; three letters or more are those of a keypad (ITU-T E.161). -#}
{%- macro duckdb__phone_digits(written) -%}
    regexp_replace(case
        when regexp_full_match({{ written }}, '[ -@]*') then {{ written }}
        when regexp_matches({{ written }}, '(?:[A-Za-z].*){3}')
            then translate(upper({{ written }}), 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', '22233344455566677778889999')
        else translate({{ written }}, '０１２３４５６７８９٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹', '012345678901234567890123456789')
    end, '[^0-9]', '', 'g')
{%- endmacro -%}

{#- The calling code that international digits begin with (ITU-T E.164), or an empty text. -#}
{%- macro duckdb__calling_code(digits) -%}
    case when strlen({{ digits }}) > 2
        then regexp_extract({{ digits }}, '^(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|[2-689][0-9]{2})') else '' end
{%- endmacro -%}

{#- What follows the plan's international prefix; NULL when the digits do not begin with it. -#}
{%- macro duckdb__abroad(digits, plan) -%}
    case
        when starts_with({{ digits }}, {{ plan }}.international_prefix) then
            case when {{ digits }}[strlen({{ plan }}.international_prefix) + 1] <> '0'
                then substr({{ digits }}, strlen({{ plan }}.international_prefix) + 1) end
        when {{ plan }}.international_rule is not null then
            {{ bind('rest', duckdb__ruled(digits, plan ~ '.international_rule', international_rules()),
                "case when strlen(rest) < strlen(" ~ digits ~ ") and rest[1] <> '0' then rest end") }}
    end
{%- endmacro -%}

{#- Without the plan's trunk prefix, unless that would make a national number none. -#}
{%- macro duckdb__without_trunk(digits, plan) -%}
    case
        when starts_with({{ digits }}, {{ plan }}.trunk_prefix) then
            {{ duckdb__national_first('substr(' ~ digits ~ ', strlen(' ~ plan ~ '.trunk_prefix) + 1)', digits, plan) }}
        when {{ plan }}.trunk_rule is not null then
            {{ bind('rest', duckdb__ruled(digits, plan ~ '.trunk_rule', trunk_rules()),
                duckdb__national_first('rest', digits, plan)) }}
        else {{ digits }}
    end
{%- endmacro -%}

{%- macro duckdb__national_first(rest, digits, plan) -%}
    case
        when {{ rest }} = {{ digits }} then {{ digits }}
        when not {{ duckdb__is_national(digits, plan) }} then {{ rest }}
        when {{ duckdb__is_national(rest, plan) }} then {{ rest }}
        else {{ digits }}
    end
{%- endmacro -%}

{#- The digits after the numbered rule is applied: a match at their beginning is left out, or replaced when its group
    took part. -#}
{%- macro duckdb__ruled(digits, number, rules) -%}
    case {{ number }}
        {%- for rule in rules %}
        when {{ loop.index }} then
            {%- if rule.replacement %} case
                when not contains('{{ rule.first_digits }}', {{ digits }}[1]) then {{ digits }}
                when regexp_extract({{ digits }}, '^(?:{{ rule.pattern }})', 1) <> ''
                    then regexp_replace({{ digits }}, '^(?:{{ rule.pattern }})', '{{ rule.replacement }}')
                else regexp_replace({{ digits }}, '^(?:{{ rule.pattern }})', '') end
            {%- else %} regexp_replace({{ digits }}, '^(?:{{ rule.pattern }})', '') {%- endif %}
        {%- endfor %}
    end
{%- endmacro -%}

{#- The pattern, which differs from row to row and is dear, is asked only when length and first digit fit. -#}
{%- macro duckdb__is_national(digits, plan) -%}
    (case
        when not {{ duckdb__has_length(plan ~ '.possible_lengths', digits) }} then false
        when not contains({{ plan }}.first_digits, {{ digits }}[1]) then false
        else regexp_full_match({{ digits }}, {{ plan }}.national_pattern)
    end)
{%- endmacro -%}

{%- macro duckdb__has_length(lengths, digits) -%}
    ((({{ lengths }}) >> least(strlen({{ digits }}), 30)) & 1 = 1)
{%- endmacro -%}

{%- macro duckdb__is_too_long(digits, plan) -%}
    (({{ plan }}.possible_lengths >> least(strlen({{ digits }}), 30)) = 0
        and not {{ duckdb__has_length(plan ~ '.local_lengths', digits) }})
{%- endmacro -%}
