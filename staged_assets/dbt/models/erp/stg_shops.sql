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
    case when shop_type is not null then coalesce(shop_types.value = 'online', false) end as is_online,
    source_systems,
    {{ staged_metadata() }}
from {{ consolidated('shops', 'shop_id', [
    'shop_name', 'shop_location', 'shop_type', 'established_year', 'owner', 'contact_email', 'country', 'country_code',
]) }} as winners
left join {{ ref('vocabularies') }} as shop_types
    on shop_types.vocabulary = 'shop_type'
    and shop_types.lookup_key = {{ lookup_key('winners.shop_type') }}
