{{ quarantine('touchpoints', [
    'touchpoint_id', 'touchpoint_name', 'description',
]) }}
