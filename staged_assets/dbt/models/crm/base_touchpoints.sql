{{ base('touchpoints', [
    required('touchpoint_id', 'integer'),
    optional('touchpoint_name', 'name'),
    optional('description', 'text'),
]) }}
