{{ quarantine('shops', [
    'shop_id', 'shop_name', 'shop_location', 'shop_type', 'established_year', 'owner', 'contact_email', 'country',
]) }}
