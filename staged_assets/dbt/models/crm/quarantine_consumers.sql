{{ quarantine('consumers', [
    'consumer_id', 'consumer_name', 'consumer_email', 'consumer_city', 'phone_number', 'date_of_birth', 'address',
    'loyalty_points', 'country',
]) }}
