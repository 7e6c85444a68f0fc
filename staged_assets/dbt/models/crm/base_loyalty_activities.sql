{{ base('loyalty_activities', [
    required('loyalty_activity_id', 'integer'),
    required('consumer_id', 'integer'),
    required('activity_date', 'date'),
    optional('activity_type', 'vocabulary', vocabulary='loyalty_activity_type', fallback='other'),
    optional('points_earned', 'integer', check='points_earned >= 0'),
    optional('points_redeemed', 'integer', check='points_redeemed >= 0'),
    optional('balance_points', 'integer'),
]) }}
