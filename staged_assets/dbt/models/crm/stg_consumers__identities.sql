{{ config(materialized='table') }}

-- Consumers are the same person only where they share an e-mail address that identifies someone.
with addresses as (
    select
        consumer_id,
        lower(consumer_email) as email_key
    from {{ ref('stg_consumers') }}
    where
        consumer_email is not null
        and lower(consumer_email) not in ({{ junk_emails('address') }})
        and lower({{ dbt.split_part('consumer_email', "'@'", 1) }}) not in ({{ junk_emails('local') }})
        and email_domain not in ({{ junk_emails('domain') }})
),

-- A larger group is more likely a shared mailbox than a person: it is listed, not merged.
shared as (
    select
        email_key,
        min(consumer_id) as lowest_consumer_id,
        count(*) as members
    from addresses
    group by email_key
)

select
    dispositions._source_system as source_system,
    landed.consumer_id as source_id,
    consumers.consumer_id,
    case
        when shared.members between 2 and {{ var('unify_group_maximum') }} then shared.lowest_consumer_id
        else consumers.consumer_id
    end as unified_consumer_id,
    case
        when shared.members > {{ var('unify_group_maximum') }} then 'group_too_large'
        when shared.members > 1 then 'shared_email'
        else 'unique'
    end as match_rule,
    coalesce(shared.members, 1) as group_size,
    dispositions._raw_row_id
from {{ ref('stg_consumers') }} as consumers
inner join {{ ref('dispositions_consumers') }} as dispositions
    on dispositions._key = consumers.consumer_id
    and dispositions.disposition = 'staged'
inner join {{ source('raw', 'consumers') }} as landed on landed._landing_id = dispositions._landing_id
left join addresses on addresses.consumer_id = consumers.consumer_id
left join shared on shared.email_key = addresses.email_key
