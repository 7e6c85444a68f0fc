{{ quarantine('suppliers', [
    'supplier_id', 'supplier_name', 'contact_name', 'contact_email', 'contact_phone', 'address', 'country',
]) }}
