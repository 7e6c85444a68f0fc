{{ base('suppliers', [
    required('supplier_id', 'integer'),
    required('supplier_name', 'name'),
    optional('contact_name', 'name'),
    optional('contact_email', 'email'),
    optional('contact_phone', 'phone'),
    optional('address', 'text'),
    optional('country', 'country'),
]) }}
