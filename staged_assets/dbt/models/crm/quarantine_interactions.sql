{{ quarantine('interactions', [
    'interaction_id', 'consumer_id', 'touchpoint_id', 'interaction_date', 'interaction_type', 'resolution_status',
    'comments',
]) }}
