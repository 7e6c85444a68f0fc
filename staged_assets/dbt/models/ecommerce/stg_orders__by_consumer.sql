{{ config(materialized='table') }}

select
    consumer_id,
    min(order_date) as first_order_date,
    max(order_date) as last_order_date,
    count(*) as orders,
    try_cast(sum(order_value) as decimal(18, 4)) as order_value,
    {{ dbt.datediff('min(order_date)', 'max(order_date)', 'day') }} / nullif(cast(count(*) - 1 as double), 0)
        as mean_days_between_orders
from {{ ref('stg_orders') }}
where consumer_id is not null
group by consumer_id
