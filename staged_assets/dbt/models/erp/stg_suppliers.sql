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
    {{ dbt.split_part('contact_email', "'@'", 2) }} as email_domain,
    source_systems,
    {{ staged_metadata() }}
from {{ consolidated('suppliers', 'supplier_id', [
    'supplier_name', 'contact_name', 'contact_email', 'contact_phone', 'address', 'country', 'country_code',
]) }} as winners
