{{ staged_config('shops', 'shop_id') }}

select
    shop_id,
    shop_name,
    shop_location,
    shop_type,
    established_year,
    owner,
    contact_email,
    country,
    country_code,
    {{ keyword_value('shop_presence', 'shop_type') }} = 'online' as is_online,
    source_systems,
    {{ staged_metadata() }}
from {{ consolidated('shops', 'shop_id', [
    'shop_name', 'shop_location', 'shop_type', 'established_year', 'owner', 'contact_email', 'country', 'country_code',
]) }} as winners
