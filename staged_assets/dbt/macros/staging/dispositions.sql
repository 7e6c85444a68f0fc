{#-
dispositions_<dataset>: where every raw row went, exactly one row for each raw row.

Columns: _raw_row_id, _landing_id, _source_system, _source_updated_at, _key, _operation; `disposition`
(staged, rejected, superseded, duplicate, deleted); `version` (the row's place among the versions of its key, from 1;
NULL for rejected rows and duplicates); `_reject_reasons`; `_rule_set_version`; `_first_seen_at` (rejected rows: when
first quarantined).

Rejected rows are set aside first, so that a bad newer version never displaces a good older one. The others are ranked
in the order of their source, then of landing. `by_system`: each source system has its own versions of a key
(consolidated datasets).

Most keys have one version: only the others are hashed and ranked, and all else passes through to the table without ever
being held in memory. Ranking whole rows costs several times as much.
-#}
{% macro dispositions(dataset, by_system=false) %}
{{ config(materialized='audited', dataset=dataset,
    replaces='_landing_id in (select _landing_id from {candidate})') }}
{%- set state = refresh_state(dataset) -%}
{%- set chain = '_key, _source_system' if by_system else '_key' -%}
with keys as (
    select
        _landing_id,
        count(*) over (partition by {{ chain }}) as rows_of_key
    from {{ ref('base_' ~ dataset) }}
    where _key is not null
),

contested as materialized (
    select _landing_id
    from keys
    where rows_of_key > 1
),

versions as (
    select
        _raw_row_id,
        _landing_id,
        _source_system,
        _source_updated_at,
        _key,
        _operation,
        _content
    from {{ ref('base_' ~ dataset) }}
    where
        _landing_id in (select contested._landing_id from contested)
        and len(_reject_reasons) = 0
),

compared as (
    select
        *,
        _operation = 'upsert'
        and coalesce(lag(_operation) over in_order = 'upsert' and lag(_content) over in_order = _content, false)
            as is_duplicate
    from versions
    window in_order as (
        partition by {{ chain }}
        order by _source_updated_at nulls first, _landing_id, _raw_row_id
    )
),

ranked as (
    select
        *,
        case when not is_duplicate then row_number() over in_order end as version,
        lead(_operation) over in_order as next_operation
    from compared
    window in_order as (
        partition by {{ chain }}, is_duplicate
        order by _source_updated_at nulls first, _landing_id, _raw_row_id
    )
),

decided as (
    select
        judged._raw_row_id,
        judged._landing_id,
        judged._source_system,
        judged._source_updated_at,
        judged._key,
        judged._operation,
        case when len(judged._reject_reasons) > 0 then 'rejected'
            when judged._operation = 'delete' then 'deleted'
            when ranked.is_duplicate then 'duplicate'
            when ranked.next_operation = 'delete' then 'deleted'
            when ranked.next_operation = 'upsert' then 'superseded'
            else 'staged'
        end as disposition,
        case
            when len(judged._reject_reasons) > 0 then null
            when ranked._landing_id is null then 1
            else ranked.version
        end as version,
        judged._reject_reasons
    from {{ ref('base_' ~ dataset) }} as judged
    left join ranked on ranked._landing_id = judged._landing_id
)

select
    decided._raw_row_id,
    decided._landing_id,
    decided._source_system,
    decided._source_updated_at,
    decided._key,
    decided._operation,
    decided.disposition,
    decided.version,
    decided._reject_reasons,
    '{{ state.rules }}' as _rule_set_version,
    case when decided.disposition = 'rejected' then
        {% if has_published_dispositions(dataset) -%}
        coalesce(earlier._first_seen_at, {{ refreshed_at() }})
        {%- else -%}
        {{ refreshed_at() }}
        {%- endif %}
    end as _first_seen_at
from decided
{%- if has_published_dispositions(dataset) %}
left join {{ published_dispositions(dataset) }} as earlier
    on earlier._landing_id = decided._landing_id and earlier.disposition = 'rejected'
{%- endif %}
{% endmacro %}

{#- A unit test has no published state. -#}
{% macro has_published_dispositions(dataset) %}
    {% set known = refresh_state(dataset).published %}
    {{ return(execute and flags.WHICH != 'test'
        and (known if known is not none else load_relation(published_dispositions(dataset)) is not none)) }}
{% endmacro %}
