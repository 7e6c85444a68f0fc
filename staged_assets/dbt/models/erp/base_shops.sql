{{ base('shops', [
    required('shop_id', 'integer'),
    optional('shop_name', 'name'),
    optional('shop_location', 'name'),
    optional('shop_type', 'name'),
    optional('established_year', 'integer', check='established_year between 1600 and ' ~ this_year()),
    optional('owner', 'name'),
    optional('contact_email', 'email'),
    optional('country', 'country'),
]) }}
