{#-
  E-mail addresses: the syntax of RFC 5321/5322 that mail systems in fact accept (a dot-atom before the @; no quoted local
  part, address literal or display name), international addresses (RFC 6531), and domain names that can exist on the
  public internet (two labels at least, no special-use name).

    parse_email(x)   the address in NFC, its domain in lower case; NULL when not valid. The part before the @ keeps its
                     case, save for the mailbox names of RFC 2142, which have none.
    email_of(text)   the same for a text that is trimmed already; where `is_plain_email(x)`, the address is the text
    email_domain(x)  the domain of a valid address
-#}

{%- macro parse_email(x) -%}
    {{ adapter.dispatch('parse_email', 'staged_assets')(x) }}
{%- endmacro -%}

{%- macro duckdb__parse_email(x) -%}
    case
        when {{ duckdb__is_plain_email(x) }} then {{ x }}
        when contains({{ x }}, '@') then {{ bind('address', 'nfc_normalize(' ~ trimmed(x) ~ ')', duckdb__address('address')) }}
    end
{%- endmacro -%}

{%- macro is_plain_email(x) -%}
    {{ adapter.dispatch('is_plain_email', 'staged_assets')(x) }}
{%- endmacro -%}

{%- macro duckdb__is_plain_email(x) -%}
    (strlen({{ x }}) <= 64 and regexp_full_match({{ x }}, '[a-z0-9_+-]+(?:[.][a-z0-9_+-]+)*@(?:[a-z0-9]+(?:-[a-z0-9]+)*[.])+(?:[a-z]{2,3}|info|shop)'))
{%- endmacro -%}

{%- macro email_of(text) -%}
    {{ adapter.dispatch('email_of', 'staged_assets')(text) }}
{%- endmacro -%}

{%- macro duckdb__email_of(text) -%}
    case when contains({{ text }}, '@') then {{ duckdb__address('nfc_normalize(' ~ text ~ ')') }} end
{%- endmacro -%}

{#- Anything visible outside ASCII may stand before the @, and any letter or number after it. Refused besides: a mark with
    nothing before it, special-use names (IANA), labels that only Punycode may be like, and what is too long. -#}
{%- macro duckdb__address(address) -%}
    {%- set atom = "[A-Za-z0-9!#$%&''*+/=?^_`{|}~\\x{00A1}-\\x{10FFFF}-]+" -%}
    {%- set inner = '[\\p{L}\\p{M}\\p{N}-]*' -%}
    {%- set special = 'arpa|invalid|local|localhost|onion|test' -%}
    case
        when strlen({{ address }}) <= 254
            and regexp_full_match({{ address }}, '{{ atom }}(?:\.{{ atom }})*@(?:[\p{L}\p{N}](?:{{ inner }}[\p{L}\p{M}\p{N}])?\.)+(?:[\p{L}\p{N}]{{ inner }})?\p{L}\p{M}*')
            and not regexp_matches({{ address }}, '(?i)[\p{Z}\p{C}]|^\p{M}|[@.](?:{{ special }})$|[@.](?:[^.x][^.]|x[^.n])--|@(?:.*[.])?[^.]{64}')
            then case when regexp_matches({{ address }}, '(?i)^(?:{{ mailbox_names() }})@') then lower({{ address }})
                else regexp_extract({{ address }}, '^[^@]*') || lower(regexp_extract({{ address }}, '@.*$')) end
    end
{%- endmacro -%}

{#- RFC 2142 -#}
{%- macro mailbox_names() -%}
    info|marketing|sales|support|abuse|noc|security|postmaster|hostmaster|usenet|news|webmaster|www|uucp|ftp
{%- endmacro -%}

{%- macro email_domain(x) -%}
    {{ adapter.dispatch('email_domain', 'staged_assets')(x) }}
{%- endmacro -%}

{%- macro duckdb__email_domain(x) -%}
    regexp_extract({{ duckdb__parse_email(x) }}, '@(.*)$', 1)
{%- endmacro -%}
