{%- set touched = touched_rows('stg_shops__performance') -%}
{{ config(
    materialized='table', touched_by='sales', touched="shop_id, cast(date_trunc('month', sale_date) as date) as month",
    replaces='(shop_id, month) in (select (shop_id, month) from ' ~ touched ~ ')'
) }}

with monthly as (
    select
        shop_id,
        cast(date_trunc('month', sale_date) as date) as month,
        count(*) filter (where not coalesce(is_return, false)) as sales,
        count(*) filter (where is_return) as returns,
        try_cast(coalesce(sum(quantity), 0) as bigint) as units,
        try_cast(coalesce(sum(total_price) filter (where not coalesce(is_return, false)), 0) as decimal(18, 4)) as gross,
        try_cast(coalesce(sum(total_price), 0) as decimal(18, 4)) as net,
        count(distinct consumer_id) as consumers
    from {{ ref('stg_sales') }}
    where
        shop_id is not null
        and {{ touched_only('sale_date in (select month + cast(days.days as integer) from ' ~ touched ~ ', range(0, 31) as days (days))') }}
    group by shop_id, cast(date_trunc('month', sale_date) as date)
),

-- One place for each city of a country, so that no shop is doubled.
places as (
    select
        {{ lookup_key('city') }} as city_key,
        country_code,
        min(location_id) as location_id
    from {{ ref('stg_location_dimension') }}
    where city is not null
    group by {{ lookup_key('city') }}, country_code
)

select
    shops.shop_id,
    monthly.month,
    shops.shop_name,
    places.location_id,
    locations.city,
    locations.country_code,
    locations.region,
    monthly.sales,
    monthly.returns,
    monthly.units,
    monthly.net,
    try_cast(monthly.gross / nullif(monthly.sales, 0) as decimal(18, 4)) as mean_basket,
    monthly.consumers
from monthly
inner join {{ ref('stg_shops') }} as shops on shops.shop_id = monthly.shop_id
left join places
    on places.city_key = {{ lookup_key('shops.shop_location') }}
    and places.country_code = shops.country_code
left join {{ ref('stg_location_dimension') }} as locations on locations.location_id = places.location_id
