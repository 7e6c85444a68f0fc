{{ quarantine('location_dimension', [
    'location_id', 'city', 'country',
]) }}
