{#-
  Look-ups in small reference seeds, each one expression that neither multiplies nor drops rows.

    keyword_value(vocabulary, text)  value of the first keyword, by priority, that stands in the text as whole words; `other`
                                     when none does; NULL when the text is blank. `text` is a SQL expression:
                                     keyword_value('channel_group', "concat_ws(' ', media_channel_name, description)")
                                     For the small datasets: it tries every keyword on every distinct text.
    is_junk_email(email)             whether a normalised address is one that identifies nobody; NULL is not
-#}

{%- macro keyword_value(vocabulary, text) -%}
    {{ adapter.dispatch('keyword_value', 'staged_assets')(vocabulary, text) }}
{%- endmacro -%}

{%- macro duckdb__keyword_value(vocabulary, text) -%}
    case when not {{ is_blank(text) }} then coalesce((
        select min_by(keywords.value, keywords.priority)
        from {{ ref('keywords') }} as keywords
        where keywords.vocabulary = {{ sql_text(vocabulary) }}
            and contains(' ' || {{ lookup_key(text) }} || ' ', ' ' || keywords.keyword || ' ')
    ), 'other') end
{%- endmacro -%}

{%- macro is_junk_email(email) -%}
    {{ adapter.dispatch('is_junk_email', 'staged_assets')(email) }}
{%- endmacro -%}

{%- macro duckdb__is_junk_email(email) -%}
    ({{ email }} is not null and (
        {%- for part, value in [('address', ''), ('local', '@.*$'), ('domain', '^.*@')] %}
        {% if not loop.first %}or {% endif %}regexp_replace(lower({{ email }}), '{{ value }}', '') in (
            select junk_emails.value from {{ ref('junk_emails') }} as junk_emails where junk_emails.part = '{{ part }}'
        )
        {%- endfor %}
    ))
{%- endmacro -%}
