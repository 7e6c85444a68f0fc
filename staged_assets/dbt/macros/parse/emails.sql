{#-
  E-mail addresses: the syntax of RFC 5321/5322 that mail systems in fact accept (a dot-atom before the @; no quoted local
  part, address literal or display name), international addresses (RFC 6531), and domain names that can exist on the
  public internet (two labels at least, no special-use name).

    parse_email(x)   the address in NFC, its domain in lower case; NULL when not valid. The part before the @ keeps its
                     case, save for the mailbox names of RFC 2142, which have none.
    email_domain(x)  the domain of a valid address
-#}

{%- macro parse_email(x) -%}
    {{ adapter.dispatch('parse_email', 'staged_assets')(x) }}
{%- endmacro -%}

{%- macro duckdb__parse_email(x) -%}
    case
        when strlen({{ x }}) <= 64 and regexp_full_match({{ x }}, '[a-z0-9_+-]+(?:[.][a-z0-9_+-]+)*@(?:[a-z0-9]+(?:-[a-z0-9]+)*[.])+(?:[a-z]{2,3}|info|shop)')
            then {{ x }}
        when {{ x }} is not null then {{ bind('parts', duckdb__email_parts(x), duckdb__email_of_parts()) }}
    end
{%- endmacro -%}

{#- {local, domain}: empty unless the text has the form of an address. Anything visible outside ASCII may stand before
    the @, and any letter or number after it. -#}
{%- macro duckdb__email_parts(x) -%}
    {%- set atom = "[A-Za-z0-9!#$%&''*+/=?^_`{|}~\\x{00A1}-\\x{10FFFF}-]+" -%}
    {%- set inner = '[\\p{L}\\p{M}\\p{N}-]*' -%}
    regexp_extract(
        nfc_normalize({{ trimmed(x) }}),
        '^({{ atom }}(?:\.{{ atom }})*)@((?:[\p{L}\p{N}](?:{{ inner }}[\p{L}\p{M}\p{N}])?\.)+(?:[\p{L}\p{N}]{{ inner }})?\p{L}\p{M}*)$',
        ['local', 'domain']
    )
{%- endmacro -%}

{#- Refused besides: invisible characters, a mark with nothing before it, special-use names (IANA), labels that only
    Punycode may be like, and what is too long. -#}
{%- macro duckdb__email_of_parts() -%}
    case
        when parts.domain <> ''
            and strlen(parts.local) + strlen(parts.domain) < 254
            and not regexp_matches(parts.local, '[\p{Z}\p{C}]|^\p{M}')
            and not regexp_matches(parts.domain, '(?i)(?:^|[.])(?:arpa|invalid|local|localhost|onion|test)$|(?:^|[.])(?:[^.x][^.]|x[^.n])--|[^.]{64}')
            then case when lower(parts.local) in ('info', 'marketing', 'sales', 'support', 'abuse', 'noc', 'security',
                        'postmaster', 'hostmaster', 'usenet', 'news', 'webmaster', 'www', 'uucp', 'ftp')
                    then lower(parts.local) else parts.local end
                || '@' || lower(parts.domain)
    end
{%- endmacro -%}

{%- macro email_domain(x) -%}
    {{ adapter.dispatch('email_domain', 'staged_assets')(x) }}
{%- endmacro -%}

{%- macro duckdb__email_domain(x) -%}
    regexp_extract({{ duckdb__parse_email(x) }}, '@(.*)$', 1)
{%- endmacro -%}
