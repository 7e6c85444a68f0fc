{%- set touched = 'offer_id in (select offer_id from ' ~ touched_rows('stg_offers__usage') ~ ')' -%}
{{ config(materialized='table', touched_by='sales', touched='offer_id', replaces=touched) }}

with usage as (
    select
        sales.offer_id,
        count(*) filter (where not coalesce(sales.is_return, false)) as times_used,
        sum(sales.quantity) as units,
        sum(sales.total_price) as revenue,
        count(*) filter (where sales.sale_date not between offers.valid_from and offers.valid_to)
            as sales_outside_validity
    from {{ ref('stg_sales') }} as sales
    inner join {{ ref('stg_offers') }} as offers on offers.offer_id = sales.offer_id
    where {{ touched_only('sales.' ~ touched) }}
    group by sales.offer_id
)

select
    offers.offer_id,
    offers.offer_name,
    offers.valid_from,
    offers.valid_to,
    offers.max_usage,
    try_cast(coalesce(usage.times_used, 0) as bigint) as times_used,
    try_cast(coalesce(usage.units, 0) as bigint) as units,
    try_cast(coalesce(usage.revenue, 0) as decimal(18, 4)) as revenue,
    case
        when offers.max_usage is not null then greatest(offers.max_usage - coalesce(usage.times_used, 0), 0)
    end as remaining_usage,
    case
        when offers.max_usage is not null then greatest(coalesce(usage.times_used, 0) - offers.max_usage, 0)
    end as over_use,
    try_cast(coalesce(usage.sales_outside_validity, 0) as bigint) as sales_outside_validity
from {{ ref('stg_offers') }} as offers
left join usage on usage.offer_id = offers.offer_id
