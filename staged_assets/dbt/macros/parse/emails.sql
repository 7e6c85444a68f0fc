{#-
  E-mail addresses: the syntax of RFC 5321/5322 that mail systems in fact accept (a dot-atom before the @, no quoted local
  part, no address literal, no display name), international addresses of RFC 6531, and domain names that can exist on the
  public internet.

    parse_email(x)   the address in NFC with its domain in lower case; NULL when not valid. The part before the @ keeps its case.
    email_domain(x)  the domain of a valid address
-#}

{%- macro parse_email(x) -%}
    {{ adapter.dispatch('parse_email', 'staged_assets')(x) }}
{%- endmacro -%}

{%- macro duckdb__parse_email(x) -%}
    case when {{ x }} is not null then {{ bind('parts', duckdb__email_parts(x), "case
        when parts.domain <> '' and length(parts.local) <= 64 and strlen(parts.local) + strlen(parts.domain) < 254
        then parts.local || '@' || lower(parts.domain) end") }} end
{%- endmacro -%}

{%- macro duckdb__email_parts(x) -%}
    {%- set atom = "[A-Za-z0-9!#$%&''*+/=?^_`{|}~\\-\\p{L}\\p{M}\\p{N}]+" -%}
    {%- set label = '[\\p{L}\\p{N}](?:[\\p{L}\\p{M}\\p{N}-]{0,61}[\\p{L}\\p{M}\\p{N}])?' -%}
    regexp_extract(
        nfc_normalize({{ trimmed(x) }}),
        '^({{ atom }}(?:\.{{ atom }})*)@((?:{{ label }}\.)+[\p{L}](?:[\p{L}\p{M}\p{N}-]{0,61}[\p{L}\p{M}\p{N}])?)$',
        ['local', 'domain']
    )
{%- endmacro -%}

{%- macro email_domain(x) -%}
    {{ adapter.dispatch('email_domain', 'staged_assets')(x) }}
{%- endmacro -%}

{%- macro duckdb__email_domain(x) -%}
    regexp_extract({{ duckdb__parse_email(x) }}, '@(.*)$', 1)
{%- endmacro -%}
