{%- set touched = 'consumer_id in (select consumer_id from ' ~ touched_rows('stg_orders__by_consumer') ~ ')' -%}
{{ config(materialized='table', touched_by='orders', touched='consumer_id', replaces=touched) }}

select
    consumer_id,
    min(order_date) as first_order_date,
    max(order_date) as last_order_date,
    count(*) as orders,
    try_cast(sum(order_value) as decimal(18, 4)) as order_value,
    {{ dbt.datediff('min(order_date)', 'max(order_date)', 'day') }} / nullif(cast(count(*) - 1 as double), 0)
        as mean_days_between_orders
from {{ ref('stg_orders') }}
where consumer_id is not null and {{ touched_only(touched) }}
group by consumer_id
