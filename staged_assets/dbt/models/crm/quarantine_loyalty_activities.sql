{{ quarantine('loyalty_activities', [
    'loyalty_activity_id', 'consumer_id', 'activity_date', 'activity_type', 'points_earned', 'points_redeemed',
    'balance_points',
]) }}
