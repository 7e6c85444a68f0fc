{%- set touched = 'consumer_id in (select consumer_id from ' ~ touched_rows('stg_loyalty_activities__by_consumer') ~ ')' -%}
{{ config(materialized='table', touched_by='loyalty_activities', touched='consumer_id', replaces=touched) }}

with running as (
    select
        *,
        sum(net_points) over in_order as balance,
        lead(loyalty_activity_id) over in_order is null as is_last
    from {{ ref('stg_loyalty_activities') }}
    where {{ touched_only(touched) }}
    window in_order as (partition by consumer_id order by activity_date, loyalty_activity_id)
)

select
    consumer_id,
    count(*) as activities,
    try_cast(sum(coalesce(points_earned, 0)) as bigint) as points_earned,
    try_cast(sum(coalesce(points_redeemed, 0)) as bigint) as points_redeemed,
    min(activity_date) as first_activity_date,
    max(activity_date) as last_activity_date,
    sum(coalesce(points_redeemed, 0)) / nullif(cast(sum(coalesce(points_earned, 0)) as double), 0) as redemption_rate,
    try_cast(min(balance) as bigint) as lowest_running_balance,
    {{ running_balances() }} as running_balances,
    max(case when is_last then balance_points end) as stated_balance,
    try_cast(sum(net_points) as bigint) as computed_balance,
    try_cast(max(case when is_last then balance_points end) - sum(net_points) as bigint) as balance_difference
from running
group by consumer_id
