{{ staged_config('suppliers', 'supplier_id') }}

select
    supplier_id,
    supplier_name,
    contact_name,
    contact_email,
    contact_phone,
    address,
    country,
    country_code,
    {{ email_domain('contact_email') }} as email_domain,
    source_systems,
    {{ staged_metadata() }}
from {{ consolidated('suppliers', 'supplier_id', [
    'supplier_name', 'contact_name', 'contact_email', 'contact_phone', 'address', 'country', 'country_code',
]) }} as winners
