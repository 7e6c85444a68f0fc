{#-
  Dates, timestamps and booleans. `x` is a SQL expression of text, `system` one of the row's source system.

    parse_date(x)       ISO 8601 (extended form), and what the system's `date_formats` say; of a valid timestamp the
                        calendar date as written. Two formats of one system that read a text differently: NULL.
    parse_timestamp(x)  UTC, without zone: an ISO 8601 date, `T` or a blank, `HH:MM[:SS[.fraction]]`, optionally `Z` or an
                        offset, which is honoured. Without offset it is in the system's time zone: a time that a change
                        of clocks skips is read with the offset before it, one that comes twice with the one after it.
                        A fraction beyond microseconds is cut. A date in one of the system's `date_formats` may stand
                        for the ISO date. A date alone is NULL.
    parse_boolean(x)    true/false, yes/no, y/n, t/f, 1/0, in any case

  `date_of(text)` and `timestamp_of(text)` are the same for a text that is trimmed already.

  `date_formats` are in strptime's notation, read strictly: a day or month has one or two digits (two where no separator
  follows or precedes it), %Y four, and nothing may be left over. The commonest forms come first, each by one cheap test.
-#}

{#- 0001 to 9999; there is no year 0. -#}
{%- macro year_pattern() -%}
    (?:[1-9][0-9]{3}|0(?:[1-9][0-9]{2}|0(?:[1-9][0-9]|0[1-9])))
{%- endmacro -%}

{%- macro iso_date_pattern() -%}
    {{ year_pattern() }}-[0-9]{2}-[0-9]{2}
{%- endmacro -%}

{%- macro iso_time_pattern() -%}
    (?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.][0-9]{1,9})?)?
{%- endmacro -%}

{%- macro iso_zone_pattern() -%}
    Z|[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?
{%- endmacro -%}

{#- What follows a date in a timestamp. -#}
{%- macro time_pattern() -%}
    [T ]{{ iso_time_pattern() }}(?: ?(?:{{ iso_zone_pattern() }}))?
{%- endmacro -%}

{%- macro parse_date(x, system='_source_system') -%}
    {{ adapter.dispatch('parse_date', 'staged_assets')(x, system) }}
{%- endmacro -%}

{%- macro duckdb__parse_date(x, system) -%}
    {{ bind('written', trimmed(x), duckdb__date_of('written', system)) }}
{%- endmacro -%}

{%- macro date_of(text, system='_source_system') -%}
    {{ adapter.dispatch('date_of', 'staged_assets')(text, system) }}
{%- endmacro -%}

{%- macro duckdb__date_of(text, system) -%}
    {{ by_system(text, system, 'date_formats', [], duckdb__date_in) }}
{%- endmacro -%}

{#- A cast that fails costs ten times one that does not: where there are formats, they come first, save those that an ISO
    date could have. -#}
{%- macro duckdb__date_in(text, formats) -%}
    {%- if formats -%}
        {%- set first = [] -%}
        {%- for format in formats if not format.startswith('%Y-') -%}
            {%- do first.append(format) -%}
        {%- endfor -%}
        coalesce(
            {{ duckdb__formatted_day(text, first) }},
            {{ duckdb__iso_date(text) }},
            {{ duckdb__formatted_day(text, formats) }},
            {{ duckdb__day_of_moment(text, formats) }}
        )
    {%- else -%}
        {{ duckdb__iso_date(text) }}
    {%- endif -%}
{%- endmacro -%}

{#- An ISO date, or that of an ISO timestamp. -#}
{%- macro duckdb__iso_date(text) -%}
    try_cast(regexp_extract({{ text }}, '^({{ iso_date_pattern() }})(?:{{ time_pattern() }})?$', 1) as date)
{%- endmacro -%}

{%- macro duckdb__formatted_day(text, formats) -%}
    {{ duckdb__agreed(duckdb__readings(text, formats, timed=false), 'date') }}
{%- endmacro -%}

{#- The date before a time, or of a format that holds a time itself. -#}
{%- macro duckdb__day_of_moment(text, formats) -%}
    {%- set day = "regexp_replace(" ~ text ~ ", '" ~ time_pattern() ~ "$', '')" -%}
    {{ duckdb__agreed(
        duckdb__readings(day, formats, timed=false) + duckdb__readings(text, formats, timed=true), 'date') }}
{%- endmacro -%}

{#- What each format with (or without) a time makes of the text: a list of expressions. -#}
{%- macro duckdb__readings(text, formats, timed) -%}
    {%- set readings = [] -%}
    {%- for format in formats if timed == ('%H' in format or '%I' in format) -%}
        {%- do readings.append("case when regexp_full_match(" ~ text ~ ", '" ~ format_pattern(format) ~ "') then try_strptime("
            ~ text ~ ", " ~ sql_text(format) ~ ") end") -%}
    {%- endfor -%}
    {{ return(readings) }}
{%- endmacro -%}

{#- The one value that the readings give; NULL when they give none or several. -#}
{%- macro duckdb__agreed(readings, type) -%}
    {%- if readings | length > 1 -%}
        {{ bind('readings', 'list_distinct([' ~ readings | join(', ') ~ '])',
                'case when len(readings) = 1 then readings[1]::' ~ type ~ ' end') }}
    {%- else -%}
        cast({{ readings[0] if readings else 'null' }} as {{ type }})
    {%- endif -%}
{%- endmacro -%}

{#- The strict pattern of a strptime format. -#}
{%- macro format_pattern(format) -%}
    {%- set widths = {'Y': year_pattern(), 'y': '[0-9]{2}', 'b': '[A-Za-z]{3}', 'B': '[A-Za-z]+', 'M': '[0-9]{2}',
                      'S': '[0-9]{2}', 'f': '[0-9]{1,6}', 'p': '[AaPp][Mm]', 'j': '[0-9]{3}'} -%}
    {%- set parts = format.replace('%-', '%').split('%') -%}
    {%- set pattern = [modules.re.escape(parts[0]).replace("'", "''")] -%}
    {%- for part in parts[1:] -%}
        {%- set directive = part[:1] -%}
        {%- set crowded = (part | length == 1 and not loop.last) or (parts[loop.index0] | length == 1 and not loop.first) -%}
        {%- if directive in widths -%}
            {%- do pattern.append(widths[directive]) -%}
        {%- elif directive in ['d', 'm', 'H', 'I'] -%}
            {%- do pattern.append('[0-9]{2}' if crowded else '[0-9]{1,2}') -%}
        {%- else -%}
            {{ exceptions.raise_compiler_error("date_formats has '" ~ format ~ "': '%" ~ directive
                ~ "' is not supported; use %d %m %Y %y %b %B %j %H %I %M %S %f %p.") }}
        {%- endif -%}
        {%- do pattern.append(modules.re.escape(part[1:]).replace("'", "''")) -%}
    {%- endfor -%}
    {{ pattern | join }}
{%- endmacro -%}

{#- `reading`: SQL for what the engine's own cast makes of a text of that form. -#}
{%- macro is_plain_date(x, reading) -%}
    {{ adapter.dispatch('is_plain_date', 'staged_assets')(x, reading) }}
{%- endmacro -%}

{%- macro duckdb__is_plain_date(x, reading) -%}
    coalesce({{ reading }}::varchar = {{ x }}, false)
{%- endmacro -%}

{%- macro parse_timestamp(x, system='_source_system') -%}
    {{ adapter.dispatch('parse_timestamp', 'staged_assets')(x, system) }}
{%- endmacro -%}

{%- macro duckdb__parse_timestamp(x, system) -%}
    {{ bind('written', trimmed(x), duckdb__timestamp_of('written', system)) }}
{%- endmacro -%}

{%- macro timestamp_of(text, system='_source_system') -%}
    {{ adapter.dispatch('timestamp_of', 'staged_assets')(text, system) }}
{%- endmacro -%}

{%- macro duckdb__timestamp_of(text, system) -%}
    {%- set moment = iso_date_pattern() ~ '[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]{1,9})?' -%}
    case
        when regexp_full_match({{ text }}, '{{ moment }}') then
            {{ duckdb__moment_in_utc('try_cast(' ~ text ~ ' as timestamp)', system) }}
        when regexp_full_match({{ text }}, '{{ moment }}Z') then try_cast({{ text }} as timestamp)
        when regexp_full_match({{ text }}, '{{ moment }}[+-](?:0[0-9]|1[0-4]):[0-5][0-9]') then
            {{ duckdb__representable('try_cast(' ~ text ~ ' as timestamptz)') }}
        when {{ text }} is not null then
            coalesce({{ duckdb__written_timestamp(text, system) }}, {{ duckdb__formatted_timestamp(text, system) }})
    end
{%- endmacro -%}

{#- A date, ISO or in one of the system's formats, then an ISO time. -#}
{%- macro duckdb__written_timestamp(text, system) -%}
    {%- set pattern = '(.*)[T ](' ~ iso_time_pattern() ~ ')(?: ?(' ~ iso_zone_pattern() ~ '))?' -%}
    {%- set parts = "regexp_extract(" ~ text ~ ", '^" ~ pattern ~ "$', ['day', 'clock', 'zone'])" -%}
    {%- set day = by_system('parts.day', system, 'date_formats', [], duckdb__iso_day) -%}
    {%- set clock = "parts.clock || case when strlen(parts.clock) = 5 then ':00' else '' end" -%}
    {%- set naive = duckdb__moment_in_utc('try_cast(moment as timestamp)', system) -%}
    {%- set offset = duckdb__representable('try_cast(moment || parts.zone as timestamptz)') -%}
    case when regexp_full_match({{ text }}, '{{ pattern }}') then {{ bind('parts', parts, bind('moment',
        day ~ " || ' ' || " ~ clock, "case when parts.zone = '' then " ~ naive ~ " else " ~ offset ~ " end")) }} end
{%- endmacro -%}

{%- macro duckdb__iso_day(day, formats) -%}
    (case
        when regexp_full_match({{ day }}, '{{ iso_date_pattern() }}') then {{ day }}
        else {{ duckdb__formatted_day(day, formats) }}::varchar
    end)
{%- endmacro -%}

{#- What the formats that hold a time themselves give. -#}
{%- macro duckdb__formatted_timestamp(text, system) -%}
    {%- set moment = by_system(text, system, 'date_formats', [], duckdb__formatted_moment) -%}
    {{ duckdb__moment_in_utc(moment, system) }}
{%- endmacro -%}

{%- macro duckdb__formatted_moment(text, formats) -%}
    {{ duckdb__agreed(duckdb__readings(text, formats, timed=true), 'timestamp') }}
{%- endmacro -%}

{%- macro duckdb__in_utc(moment, zone) -%}
    {%- if zone == 'UTC' -%}
        {{ moment }}
    {%- else -%}
        {%- set instant = "timezone(" ~ sql_text(zone) ~ ", " ~ moment ~ ")" -%}
        {#- Away from the ends of time no zone leads beyond them. -#}
        case
            when {{ moment }} between '0002-01-01'::timestamp and '9998-12-31'::timestamp
                then make_timestamp(epoch_us({{ instant }}))
            else {{ duckdb__representable(instant) }}
        end
    {%- endif -%}
{%- endmacro -%}

{#- In UTC without zone; NULL when that leaves the years 1 to 9999. -#}
{%- macro duckdb__representable(instant) -%}
    {{ bind('instant', instant, "case when instant between '0001-01-01 00:00:00+00'::timestamptz"
        ~ " and '9999-12-31 23:59:59.999999+00'::timestamptz then make_timestamp(epoch_us(instant)) end") }}
{%- endmacro -%}

{#- A date, or a date and a time. `reading`: SQL for what the engine's own cast to a timestamp makes of it. -#}
{%- macro is_plain_moment(x, reading) -%}
    {{ adapter.dispatch('is_plain_moment', 'staged_assets')(x, reading) }}
{%- endmacro -%}

{%- macro duckdb__is_plain_moment(x, reading) -%}
    coalesce(
        case when strlen({{ x }}) = 10 then {{ reading }}::date::varchar else {{ reading }}::varchar end = {{ x }}, false
    )
{%- endmacro -%}

{#- A moment that was read from a plain text with a time, in UTC. -#}
{%- macro moment_in_utc(moment, system='_source_system') -%}
    {{ adapter.dispatch('moment_in_utc', 'staged_assets')(moment, system) }}
{%- endmacro -%}

{%- macro duckdb__moment_in_utc(moment, system) -%}
    {{ by_system(moment, system, 'time_zone', 'UTC', duckdb__in_utc) }}
{%- endmacro -%}

{%- macro parse_boolean(x) -%}
    {{ adapter.dispatch('parse_boolean', 'staged_assets')(x) }}
{%- endmacro -%}

{%- macro duckdb__parse_boolean(x) -%}
    case
        when {{ x }} in ('true', 'false') then {{ x }} = 'true'
        when {{ x }} is not null then case lower({{ trimmed(x) }})
            {%- for word in ['true', 'yes', 'y', 't', '1'] %} when '{{ word }}' then true {%- endfor %}
            {%- for word in ['false', 'no', 'n', 'f', '0'] %} when '{{ word }}' then false {%- endfor %}
        end
    end
{%- endmacro -%}

{%- macro is_plain_boolean(x) -%}
    {{ adapter.dispatch('is_plain_boolean', 'staged_assets')(x) }}
{%- endmacro -%}

{%- macro duckdb__is_plain_boolean(x) -%}
    coalesce({{ x }} in ('true', 'false'), false)
{%- endmacro -%}
