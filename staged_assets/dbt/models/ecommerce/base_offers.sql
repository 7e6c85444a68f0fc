{{ base('offers', [
    required('offer_id', 'integer'),
    required('offer_name', 'name'),
    optional('discount', 'percentage', unless='discount_amount is not null'),
    required('valid_from', 'date'),
    required('valid_to', 'date', check='valid_to >= valid_from', code='before_valid_from'),
    optional('terms', 'text'),
    optional('offer_code', 'code'),
    optional('max_usage', 'integer', check='max_usage >= 0'),
    optional('country', 'country'),
    also('discount_amount', 'amount', of='discount'),
]) }}
