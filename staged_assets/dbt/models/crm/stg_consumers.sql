{{ staged_config('consumers', 'consumer_id') }}

select
    consumer_id,
    consumer_name,
    consumer_email,
    consumer_city,
    phone_number,
    date_of_birth,
    address,
    loyalty_points,
    country,
    country_code,
    {{ dbt.split_part('consumer_email', "'@'", 2) }} as email_domain,
    source_systems,
    field_sources,
    {{ staged_metadata() }}
from {{ consolidated('consumers', 'consumer_id', [
    'consumer_name', 'consumer_email', 'consumer_city', 'phone_number', 'date_of_birth', 'address', 'loyalty_points',
    'country', 'country_code',
]) }} as winners
