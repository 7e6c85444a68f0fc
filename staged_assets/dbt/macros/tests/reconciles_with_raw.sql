{#-
Every raw row has exactly one disposition, by row id, and what is staged is what the dispositions say.

Returns one row for each discrepancy: (problem, _raw_row_id). Counts are not compared: equal counts can hide a swap.

    lost in dispositions   a raw row up to the watermark that has no disposition (the runner passes the watermark, in var
                           `refresh`; where a person calls dbt by hand, up to the last row that has one)
    not in raw             a disposition without its raw row
    doubled                a raw row id with more than one disposition, or on more than one staged row
    doubled in raw         more raw rows than dispositions
    wrongly rejected       a rejected row without a reason, or another one with a reason
    not staged             a staged key that the table lacks
    wrongly staged         a staged row whose raw row and key are not dispositioned as staged
-#}
{% test reconciles_with_raw(model, dataset, key) %}
{%- set raw = source('raw', dataset) -%}
{%- set dispositions = ref('dispositions_' ~ dataset) -%}
{%- set upto = refresh_state(dataset).upto %}
with landed as (
    select _raw_row_id, _landing_id
    from {{ raw }}
    where _landing_id <= {{ upto if upto is not none else '(select max(_landing_id) from ' ~ dispositions ~ ')' }}
),

decided as (
    select _raw_row_id, _landing_id, _key, disposition, len(_reject_reasons) > 0 as has_reason
    from {{ dispositions }}
)

select 'lost in dispositions' as problem, landed._raw_row_id
from landed
where not exists (
    select 1 from decided
    where decided._landing_id = landed._landing_id and decided._raw_row_id = landed._raw_row_id
)

union all

select 'not in raw' as problem, decided._raw_row_id
from decided
where not exists (
    select 1 from landed
    where landed._landing_id = decided._landing_id and landed._raw_row_id = decided._raw_row_id
)

union all

select 'doubled' as problem, _raw_row_id
from decided
group by _raw_row_id
having count(*) > 1

union all

select 'doubled' as problem, _raw_row_id
from {{ model }}
group by _raw_row_id
having count(*) > 1

union all

select 'doubled in raw' as problem, cast(null as varchar) as _raw_row_id
where (select count(*) from landed) > (select count(*) from decided)

union all

select 'wrongly rejected' as problem, _raw_row_id
from decided
where (disposition = 'rejected') != has_reason

union all

select 'not staged' as problem, decided._raw_row_id
from decided
where
    decided.disposition = 'staged'
    and not exists (select 1 from {{ model }} as staged where staged.{{ key }} = decided._key)

union all

select 'wrongly staged' as problem, staged._raw_row_id
from {{ model }} as staged
where not exists (
    select 1 from decided
    where
        decided._raw_row_id = staged._raw_row_id
        and decided._key = staged.{{ key }}
        and decided.disposition = 'staged'
)
{% endtest %}
