{#-
  Text: what counts as blank, and the cleaned forms of names, codes and keys.

    is_blank(x)     NULL, empty, only Unicode white space or invisible characters, or exactly a null token after trimming
    clean_text(x)   blank → NULL, trimmed, NFC
    clean_name(x)   clean_text with inner white space collapsed to one blank
    clean_code(x)   clean_name in upper case without blanks
    slug(x)         kebab-case ASCII key; a text without any ASCII letter or digit gets `x-` and 8 hexadecimal digits
    lookup_key(x)   lower case, accents stripped, punctuation and white space collapsed to one blank: what the
                    reference seeds are joined on; NULL where nothing is left
-#}

{#- The inside of a character class: C0 controls, White_Space, and what is invisible (zero-width, direction marks). -#}
{%- macro blank_characters() -%}
    \x{0000}-\x{0020}\x{007F}-\x{00A0}\p{Z}\x{180E}\x{200B}-\x{200F}\x{202A}-\x{202E}\x{2060}-\x{2064}\x{2066}-\x{2069}\x{FEFF}
{%- endmacro -%}

{#- Without white space and invisible characters at either end. -#}
{%- macro trimmed(x) -%}
    {{ adapter.dispatch('trimmed', 'staged_assets')(x) }}
{%- endmacro -%}

{%- macro duckdb__trimmed(x) -%}
    case when {{ duckdb__is_trimmed(x) }} then {{ x }} else trim({{ x }}, {{ blank_text() }}) end
{%- endmacro -%}

{#- SQL: whether a text begins and ends with printable ASCII, as most do, which costs little to see. -#}
{%- macro duckdb__is_trimmed(x) -%}
    {{ x }} >= '!' and {{ x }} < chr(127) and ({{ x }})[-1] between '!' and '~'
{%- endmacro -%}

{#- SQL: every character of `blank_characters()`, once. -#}
{%- macro blank_text() -%}
    {%- set ranges = [(1, 32), (127, 160), (5760, 5760), (6158, 6158), (8192, 8207), (8232, 8239), (8287, 8292),
                      (8294, 8297), (12288, 12288), (65279, 65279)] -%}
    {%- set characters = [] -%}
    {%- for first, last in ranges -%}
        {%- for code in range(first, last + 1) -%}{%- do characters.append('%c' | format(code)) -%}{%- endfor -%}
    {%- endfor -%}
    chr(0) || '{{ characters | join }}'
{%- endmacro -%}

{#-
SQL: whether a trimmed text means that there is no value. Neither IN nor list_contains: DuckDB makes a join of each, which
it keeps even where the column is not asked for.
-#}
{%- macro is_null_text(x) -%}
    ({{ x }} = ''{% for token in var('null_tokens') %} or {{ x }} = {{ sql_text(token) }}{% endfor %})
{%- endmacro -%}

{%- macro is_blank(x) -%}
    {{ adapter.dispatch('is_blank', 'staged_assets')(x) }}
{%- endmacro -%}

{#- What begins with a digit, as half of all texts do, is not blank: that costs least to see. -#}
{%- macro duckdb__is_blank(x) -%}
    coalesce(
        case
            {%- if not modules.re.search('(^|,)[0-9]', var('null_tokens') | join(',')) %}
            when {{ x }} >= '0' and {{ x }} < ':' then false
            {%- endif %}
            when {{ duckdb__is_trimmed(x) }} then {{ is_null_text(x) }}
            else {{ bind('trimmed', 'trim(' ~ x ~ ', ' ~ blank_text() ~ ')', is_null_text('trimmed')) }}
        end,
        true
    )
{%- endmacro -%}

{%- macro clean_text(x) -%}
    {{ adapter.dispatch('clean_text', 'staged_assets')(x) }}
{%- endmacro -%}

{#- Characters that NFC leaves alone wherever they stand, beside the blank: printable ASCII and the letters of common
    scripts. Nearly every text is of them. -#}
{%- macro composed_characters() -%}
    !-~\x{00A1}-\x{00AC}\x{00AE}-\x{02FF}\x{0388}-\x{0482}\x{048A}-\x{052F}\x{3041}-\x{3096}\x{30A1}-\x{30FA}\x{4E00}-\x{9FFF}\x{AC00}-\x{D7A3}
{%- endmacro -%}

{%- macro duckdb__clean_text(x) -%}
    case
        when {{ is_null_text(x) }} then null
        when {{ duckdb__is_trimmed(x) }} and nfc_normalize({{ x }}) = {{ x }} then {{ x }}
        when regexp_full_match({{ x }}, '[{{ composed_characters() }}](?:[ {{ composed_characters() }}]*[{{ composed_characters() }}])?') then {{ x }}
        else {{ bind('clean', 'nfc_normalize(' ~ trimmed(x) ~ ')', 'case when not ' ~ is_null_text('clean') ~ ' then clean end') }}
    end
{%- endmacro -%}

{%- macro clean_name(x) -%}
    {{ adapter.dispatch('clean_name', 'staged_assets')(x) }}
{%- endmacro -%}

{%- macro duckdb__clean_name(x) -%}
    case
        when {{ is_null_text(x) }} then null
        when regexp_full_match({{ x }}, '[{{ composed_characters() }}]+(?: [{{ composed_characters() }}]+)*') then {{ x }}
        else regexp_replace({{ duckdb__clean_text(x) }}, '[{{ blank_characters() }}]+', ' ', 'g')
    end
{%- endmacro -%}

{%- macro clean_code(x) -%}
    {{ adapter.dispatch('clean_code', 'staged_assets')(x) }}
{%- endmacro -%}

{%- macro duckdb__clean_code(x) -%}
    upper(regexp_replace({{ duckdb__clean_text(x) }}, '[{{ blank_characters() }}]+', '', 'g'))
{%- endmacro -%}

{#- Lower case without accents; the Latin letters that no accent makes are spelled out. -#}
{%- macro folded(x) -%}
    {{ adapter.dispatch('folded', 'staged_assets')(x) }}
{%- endmacro -%}

{%- macro duckdb__folded(x) -%}
    case
        when regexp_full_match({{ x }}, '[ -~]*') then lower({{ x }})
        when not regexp_matches({{ x }}, '(?i)[łøđðıŀħŧßæœþ]') then lower(strip_accents({{ x }}))
        else replace(replace(replace(replace(
            translate(lower(strip_accents({{ x }})), 'łøđðıŀħŧ', 'loddilht'),
            'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th')
    end
{%- endmacro -%}

{%- macro lookup_key(x) -%}
    {{ adapter.dispatch('lookup_key', 'staged_assets')(x) }}
{%- endmacro -%}

{%- macro duckdb__lookup_key(x) -%}
    case
        when regexp_full_match({{ x }}, '[A-Za-z0-9]+(?: [A-Za-z0-9]+)*') then lower({{ x }})
        else nullif(trim(regexp_replace({{ duckdb__folded(x) }}, '[^\p{L}\p{M}\p{N}]+', ' ', 'g')), '')
    end
{%- endmacro -%}

{%- macro slug(x) -%}
    {{ adapter.dispatch('slug', 'staged_assets')(x) }}
{%- endmacro -%}

{%- macro duckdb__slug(x) -%}
    {{ bind('clean', duckdb__clean_text(x), "coalesce(nullif(trim(regexp_replace("
        ~ duckdb__folded('clean') ~ ", '[^a-z0-9]+', '-', 'g'), '-'), ''), 'x-' || left(md5(clean), 8))") }}
{%- endmacro -%}
