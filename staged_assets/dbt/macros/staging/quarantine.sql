{#-
quarantine_<dataset>: the rejected rows, as they came: the raw row, every reason, the rule set that rejected it and when
it was first seen. A view over raw and dispositions: it can't disagree with either.
-#}
{% macro quarantine(dataset, columns) %}
{{ config(materialized='view') }}
select
    {%- for column in columns %}
    landed.{{ column }},
    {%- endfor %}
    landed._extra,
    landed._raw_row_id,
    landed._source_system,
    landed._source_updated_at,
    landed._landed_at,
    landed._landing_id,
    landed._operation,
    dispositions._reject_reasons,
    dispositions._rule_set_version,
    dispositions._first_seen_at
from {{ ref('dispositions_' ~ dataset) }} as dispositions
inner join {{ source('raw', dataset) }} as landed on landed._landing_id = dispositions._landing_id
where dispositions.disposition = 'rejected'
{% endmacro %}
