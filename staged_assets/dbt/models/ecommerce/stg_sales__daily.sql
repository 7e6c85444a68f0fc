{#- A day's sales count in the figures of two weeks. -#}
{%- set touched = touched_rows('stg_sales__daily') -%}
{{ config(
    materialized='table', touched_by='sales', touched='sale_date + cast(unnest(range(14)) as integer) as sale_date, shop_id',
    replaces='exists (select 1 from ' ~ touched ~ ' as touched where touched.sale_date = stg_sales__daily.sale_date
        and touched.shop_id is not distinct from stg_sales__daily.shop_id)'
) }}

with daily as (
    select
        sale_date,
        shop_id,
        count(*) filter (where not coalesce(is_return, false)) as sales,
        count(*) filter (where is_return) as returns,
        try_cast(coalesce(sum(quantity), 0) as bigint) as units,
        try_cast(coalesce(sum(total_price) filter (where not coalesce(is_return, false)), 0) as decimal(18, 4)) as gross,
        try_cast(coalesce(sum(total_price), 0) as decimal(18, 4)) as net
    from {{ ref('stg_sales') }}
    where {{ touched_only('sale_date in (select sale_date - cast(days.days as integer) from ' ~ touched ~ ', range(14) as days (days))') }}
    group by sale_date, shop_id
),

-- Days without sales count as zero: the windows are days of the calendar, not rows.
trends as (
    select
        *,
        sum(net) over this_week as net_7_days,
        sum(net) over week_before as net_week_before
    from daily
    window
        this_week as (
            partition by shop_id order by sale_date
            range between interval 6 days preceding and current row
        ),
        week_before as (
            partition by shop_id order by sale_date
            range between interval 13 days preceding and interval 7 days preceding
        )
)

select
    sale_date,
    shop_id,
    sales,
    returns,
    units,
    gross,
    net,
    try_cast(gross / nullif(sales, 0) as decimal(18, 4)) as mean_basket,
    try_cast(net_7_days / 7 as decimal(18, 4)) as net_moving_mean_7_days,
    case when net_week_before > 0 then cast((net_7_days - net_week_before) / net_week_before as double) end
        as growth_on_week_before
from trends
