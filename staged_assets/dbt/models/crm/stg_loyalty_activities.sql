{{ staged_config('loyalty_activities', 'loyalty_activity_id') }}

select
    loyalty_activity_id,
    consumer_id,
    activity_date,
    activity_type,
    points_earned,
    points_redeemed,
    balance_points,
    coalesce(points_earned, 0) - coalesce(points_redeemed, 0) as net_points,
    {{ staged_metadata() }}
from {{ winners('loyalty_activities') }} as winners
