{{ quarantine('offers', [
    'offer_id', 'offer_name', 'discount', 'valid_from', 'valid_to', 'terms', 'offer_code', 'max_usage', 'country',
]) }}
