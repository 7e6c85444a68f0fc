{{ config(materialized='table') }}

with members as (
    select distinct
        consumer_id,
        unified_consumer_id
    from {{ ref('stg_consumers__identities') }}
),

-- The survivorship of stg_consumers, across the consumers that are one person.
ranked as (
    select
        consumers.*,
        members.unified_consumer_id,
        row_number() over (
            partition by members.unified_consumer_id
            order by
                {{ source_priority('consumers._source_system') }},
                consumers._source_updated_at desc nulls last,
                consumers.consumer_id
        ) as place
    from {{ ref('stg_consumers') }} as consumers
    inner join members on members.consumer_id = consumers.consumer_id
)

select
    unified_consumer_id,
    {%- for field in [
        'consumer_name', 'consumer_email', 'consumer_city', 'phone_number', 'date_of_birth', 'address', 'country',
        'country_code',
    ] %}
    {{ first_by(field, 'place', field ~ ' is not null') }} as {{ field }},
    {%- endfor %}
    try_cast(sum(loyalty_points) as bigint) as loyalty_points,
    {{ sorted_set('consumer_id') }} as consumer_ids,
    count(*) as consumers
from ranked
group by unified_consumer_id
