{{ base('location_dimension', [
    required('location_id', 'integer'),
    optional('city', 'name'),
    optional('country', 'country'),
]) }}
