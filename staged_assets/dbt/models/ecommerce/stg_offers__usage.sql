{%- set touched = 'offer_id in (select offer_id from ' ~ touched_rows('stg_offers__usage') ~ ')' -%}
{{ config(
    materialized='table', touched_by='sales', touched='offer_id', replaces=touched,
    sums=['times_used', 'units', 'revenue', 'sales_outside_validity'],
    sums_up=['offer_id', 'is_return', 'quantity', 'total_price', 'sale_date']
) }}

with usage as (
    select
        sales.offer_id,
        {{ summed('1', 'not coalesce(sales.is_return, false)') }} as times_used,
        {{ summed('sales.quantity') }} as units,
        {{ summed('sales.total_price') }} as revenue,
        {{ summed('1', 'sales.sale_date not between offers.valid_from and offers.valid_to') }} as sales_outside_validity
    from {{ rows_to_sum('sales') }} as sales
    inner join {{ ref('stg_offers') }} as offers on offers.offer_id = sales.offer_id
    group by sales.offer_id
),

used as (
    select
        offers.offer_id,
        offers.offer_name,
        offers.valid_from,
        offers.valid_to,
        offers.max_usage,
        {{ summed_before('times_used') }} + coalesce(usage.times_used, 0) as times_used,
        {{ summed_before('units') }} + coalesce(usage.units, 0) as units,
        {{ summed_before('revenue') }} + coalesce(usage.revenue, 0) as revenue,
        {{ summed_before('sales_outside_validity') }} + coalesce(usage.sales_outside_validity, 0) as sales_outside_validity
    from {{ ref('stg_offers') }} as offers
    left join usage on usage.offer_id = offers.offer_id
    {{ join_summed_before('offer_id', 'offers') }}
    where {{ touched_only('offers.' ~ touched) }}
)

select
    offer_id,
    offer_name,
    valid_from,
    valid_to,
    max_usage,
    try_cast(times_used as bigint) as times_used,
    try_cast(units as bigint) as units,
    try_cast(revenue as decimal(18, 4)) as revenue,
    case when max_usage is not null then try_cast(greatest(max_usage - times_used, 0) as bigint) end as remaining_usage,
    case when max_usage is not null then try_cast(greatest(times_used - max_usage, 0) as bigint) end as over_use,
    try_cast(sales_outside_validity as bigint) as sales_outside_validity
from used
