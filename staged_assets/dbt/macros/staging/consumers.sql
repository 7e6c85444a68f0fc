{#- Query: the values of one part (address, local, domain) of addresses that identify nobody. -#}
{% macro junk_emails(part) -%}
    select junk.value from {{ ref('junk_emails') }} as junk where junk.part = '{{ part }}'
{%- endmacro %}
